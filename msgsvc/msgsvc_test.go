package msgsvc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/internal/wire/vector"
)

var (
	little = dcerpc.LittleEndian()
	big    = dcerpc.DataRep{}
)

// A stub is what the types of this package have in common.
type stub interface {
	AppendBinary([]byte, dcerpc.DataRep) ([]byte, error)
}

// check holds a codec against its vectors in both byte orders, which must give
// the same values.
func check[T stub](t *testing.T, prefix string, parse func([]byte, dcerpc.DataRep) (T, error), want map[string]T) {
	t.Helper()
	got := map[string]T{}
	for order, rep := range map[string]dcerpc.DataRep{"": little, "big-": big} {
		read := func(b []byte) (T, error) { return parse(b, rep) }
		write := func(v T, b []byte) ([]byte, error) { return v.AppendBinary(b, rep) }
		isZero := func(v T) bool { var zero T; return cmp.Equal(v, zero) }
		for name, v := range vector.Check(t, order+prefix, read, write, isZero, ErrInvalid) {
			got[name] = v
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s* (-want +got):\n%s", prefix, diff)
	}
}

func ptr[T any](v T) *T { return &v }

func TestSendVectors(t *testing.T) {
	legacy := Send{[]byte("SENDER"), []byte("LEGACY"), []byte("hello\x14world")}
	check(t, "send-", ParseSend, map[string]Send{
		"send-legacy":     legacy,
		"big-send-legacy": legacy,
		"send-empty":      {[]byte{}, []byte{}, []byte{}},
	})
}

func TestNameRequestVectors(t *testing.T) {
	alice := NameRequest{ptr("HOST2"), "ALICE"}
	check(t, "name-", ParseNameRequest, map[string]NameRequest{
		"name-alice":     alice,
		"big-name-alice": alice,
		"name-no-server": {nil, "É\U0001F600"},
	})
}

func TestNameInfoVectors(t *testing.T) {
	alice := NameInfoRequest{nil, "ALICE", 1}
	check(t, "getinfo-", ParseNameInfoRequest, map[string]NameInfoRequest{
		"getinfo-alice":     alice,
		"big-getinfo-alice": alice,
		"getinfo-level-7":   {nil, "A", 7},
	})
	bob := NameInfoResponse{Level: 1, Found: true, Name: "BOB"}
	check(t, "info-", ParseNameInfoResponse, map[string]NameInfoResponse{
		"info-level-0":     {Found: true, Name: "ALICE"},
		"info-level-1":     bob,
		"big-info-level-1": bob,
		"info-not-found":   {Level: 1, Status: 2285},
	})
}

func TestNameEnumVectors(t *testing.T) {
	all := NameEnumRequest{ptr("HOST2"), 0, AllEntries, ptr(uint32(0))}
	check(t, "enum-", ParseNameEnumRequest, map[string]NameEnumRequest{
		"enum-level-0":     all,
		"big-enum-level-0": all,
		"enum-no-resume":   {nil, 1, 4096, nil},
	})
	two := NameEnumResponse{Level: 1, Names: []string{"AB", "CD"}, Total: 2}
	check(t, "names-", ParseNameEnumResponse, map[string]NameEnumResponse{
		"names-level-0":     {Names: []string{"ALICE", "BOB"}, Total: 3, Resume: ptr(uint32(2)), Status: 234},
		"names-level-1":     two,
		"big-names-level-1": two,
		"names-none":        {Status: 5},
	})
}

func TestStatusVectors(t *testing.T) {
	check(t, "status-", ParseSendResponse, map[string]SendResponse{"status-name-not-found": {2273}, "big-status-name-not-found": {2273}})
	check(t, "status-", ParseNameResponse, map[string]NameResponse{"status-name-not-found": {2273}, "big-status-name-not-found": {2273}})
}

// What others write is read.
func TestLaxVectors(t *testing.T) {
	got := map[string]any{}
	read := func(name string, parse func([]byte) (any, error)) {
		v := vector.Load(t, name)[0]
		value, err := parse(v.Bytes)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got[name] = value
	}
	read("lax-send-rounded-up", func(b []byte) (any, error) { return ParseSend(b, little) })
	read("lax-name-rounded-up", func(b []byte) (any, error) { return ParseNameRequest(b, little) })
	read("lax-info-forward", func(b []byte) (any, error) { return ParseNameInfoResponse(b, little) })
	read("lax-enum-null-container", func(b []byte) (any, error) { return ParseNameEnumRequest(b, little) })
	read("lax-enum-names-sent", func(b []byte) (any, error) { return ParseNameEnumRequest(b, little) })
	want := map[string]any{
		"lax-send-rounded-up":     Send{[]byte("A"), []byte("B"), []byte("hi")},
		"lax-name-rounded-up":     NameRequest{Name: "BOB"},
		"lax-info-forward":        NameInfoResponse{Level: 1, Found: true, Name: "BOB"},
		"lax-enum-null-container": NameEnumRequest{PrefMaxLen: AllEntries},
		"lax-enum-names-sent":     NameEnumRequest{PrefMaxLen: AllEntries},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A level that there is no form for is told from other errors: the call fails
// with a fault of its own.
func TestUnknownLevel(t *testing.T) {
	for _, name := range []string{"info-level-2", "enum-level-2"} {
		b := vector.Load(t, name)[0].Bytes
		_, err := ParseNameInfoResponse(b, little)
		if name == "enum-level-2" {
			_, err = ParseNameEnumRequest(b, little)
		}
		if !errors.Is(err, ErrLevel) || !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v, want ErrLevel", name, err)
		}
	}
	for what, v := range map[string]stub{
		"info":  NameInfoResponse{Level: 2},
		"names": NameEnumResponse{Level: 2},
		"enum":  NameEnumRequest{Level: 2},
	} {
		if b, err := v.AppendBinary([]byte("foo"), little); !errors.Is(err, ErrLevel) || b != nil {
			t.Errorf("%s: %q, %v, want ErrLevel", what, b, err)
		}
	}
}

// What cannot be read is not written.
func TestWhatIsNotWritten(t *testing.T) {
	for what, v := range map[string]stub{
		"NUL in From":   Send{From: []byte("A\x00")},
		"NUL in To":     Send{To: []byte("\x00")},
		"NUL in Text":   Send{Text: []byte("a\x00b")},
		"long From":     Send{From: make256()},
		"long To":       Send{To: make256()},
		"long Text":     Send{Text: bytes.Repeat([]byte("x"), MaxText+1)},
		"NUL in a name": NameRequest{Name: "A\x00"},
		"long name":     NameRequest{Name: string(make256())},
		"NUL in server": NameInfoRequest{Server: ptr("\x00")},
		"long server":   NameInfoRequest{Server: ptr(strings.Repeat("x", MaxServerName+1))},
		"NUL in info":   NameInfoResponse{Found: true, Name: "\x00"},
		"NUL in names":  NameEnumResponse{Names: []string{"A", "\x00"}},
		"name of none":  NameInfoResponse{Name: "A"},
		"too many":      NameEnumResponse{Names: make([]string, MaxNames+1)},
		"what order":    NameResponse{},
	} {
		rep := little
		if what == "what order" {
			rep = dcerpc.DataRep{0x20}
		}
		if b, err := v.AppendBinary([]byte("foo"), rep); !errors.Is(err, ErrInvalid) || b != nil {
			t.Errorf("%s: %d bytes, %v, want ErrInvalid", what, len(b), err)
		}
	}
}

func make256() []byte { return bytes.Repeat([]byte("x"), 256) }

// The longest of each goes through, and one more character does not.
func TestLimits(t *testing.T) {
	name, text := bytes.Repeat([]byte("n"), MaxName), bytes.Repeat([]byte("t"), MaxText)
	b, err := Send{name, name, text}.AppendBinary(nil, little)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := ParseSend(b, little); err != nil || len(s.From) != MaxName || len(s.To) != MaxName || len(s.Text) != MaxText {
		t.Errorf("%d, %d, %d bytes, %v", len(s.From), len(s.To), len(s.Text), err)
	}
	names := make([]string, MaxNames)
	for i := range names {
		names[i] = fmt.Sprint("NAME", i)
	}
	for level := range uint32(2) {
		want := NameEnumResponse{Level: level, Names: names, Total: MaxNames}
		b, err := want.AppendBinary(nil, little)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseNameEnumResponse(b, little)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	}
}

// Neither a message nor a hostile stub costs memory.
func TestParseSendDoesNotAllocate(t *testing.T) {
	for _, v := range vector.Load(t, "send-") {
		if v.Expect != "ok" {
			continue
		}
		if n := testing.AllocsPerRun(100, func() {
			if _, err := ParseSend(v.Bytes, little); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", v.Name, n)
		}
	}
	// Of a stub that announces much, only the error is made.
	for name, parse := range map[string]func([]byte) error{
		"send-huge-count": func(b []byte) error { _, err := ParseSend(b, little); return err },
		"name-huge-count": func(b []byte) error { _, err := ParseNameRequest(b, little); return err },
		"enum-huge-count": func(b []byte) error { _, err := ParseNameEnumRequest(b, little); return err },
	} {
		b := vector.Load(t, name)[0].Bytes
		const runs = 1000
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range runs {
			if err := parse(b); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatal(err)
			}
		}
		runtime.ReadMemStats(&after)
		if n := (after.TotalAlloc - before.TotalAlloc) / runs; n > 1024 {
			t.Errorf("%s: %d bytes for a stub of %d", name, n, len(b))
		}
	}
}

func BenchmarkParseSend(b *testing.B) {
	stub := vector.Load(b, "send-legacy")[0].Bytes
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseSend(stub, little); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseSendHostile(b *testing.B) {
	stub := vector.Load(b, "send-huge-count")[0].Bytes
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseSend(stub, little); err == nil {
			b.Fatal("no error")
		}
	}
}

func BenchmarkAppendSend(b *testing.B) {
	s := Send{[]byte("SENDER"), []byte("LEGACY"), []byte("hello\x14world")}
	buf := make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.AppendBinary(buf, little); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseNameEnumResponse(b *testing.B) {
	stub := vector.Load(b, "names-level-1")[0].Bytes
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseNameEnumResponse(stub, little); err != nil {
			b.Fatal(err)
		}
	}
}

func Example() {
	b, err := Send{From: []byte("ALICE"), To: []byte("BOB"), Text: []byte("one\x14two")}.AppendBinary(nil, dcerpc.LittleEndian())
	fmt.Println(len(b), err)

	s, err := ParseSend(b, dcerpc.LittleEndian())
	fmt.Printf("%s to %s: %q %v\n", s.From, s.To, s.Text, err)
	// Output:
	// 56 <nil>
	// ALICE to BOB: "one\x14two" <nil>
}
