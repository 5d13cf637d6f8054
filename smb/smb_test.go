package smb

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/messngr/messngr/internal/wire/vector"
)

// A whole is a message: its header and the body of one kind.
type whole[B any] struct {
	Header Header
	Body   B
}

type body interface {
	AppendBinary([]byte) ([]byte, error)
}

// check holds the codec of one kind of body against the vectors of that prefix.
func check[B body](t *testing.T, prefix string, parse func([]byte) (B, error)) map[string]whole[B] {
	t.Helper()
	return vector.Check(t, prefix,
		func(b []byte) (whole[B], error) {
			h, rest, err := ParseHeader(b)
			if err != nil {
				return whole[B]{}, err
			}
			m, err := parse(rest)
			if err != nil {
				return whole[B]{Body: m}, err
			}
			return whole[B]{h, m}, nil
		},
		func(w whole[B], b []byte) ([]byte, error) {
			b, err := w.Header.AppendBinary(b)
			if err != nil {
				return nil, err
			}
			return w.Body.AppendBinary(b)
		},
		func(w whole[B]) bool { return cmp.Equal(w, whole[B]{}) },
		ErrInvalid)
}

func TestVectors(t *testing.T) {
	start := check(t, "start-", ParseStart)["start-smbclient"]
	want := whole[Start]{Header{Command: SendStartMessage, PIDLow: 0x498C}, Start{[]byte("sender"), []byte("LEGACY")}}
	if diff := cmp.Diff(want, start); diff != "" {
		t.Error(diff)
	}

	text := check(t, "text-", ParseText)
	if got := text["text-cp850"].Body; string(got.Text) != "line one\r\nline two \x82\r\n" || got.GroupID != 0 {
		t.Errorf("text %q of group %d", got.Text, got.GroupID)
	}

	end := check(t, "end-", ParseEnd)["end-smbclient"]
	if end.Header.Command != SendEndMessage || end.Body.GroupID != 0 {
		t.Errorf("end %+v", end)
	}

	single := check(t, "single-", ParseSingleBlock)["single-alice"].Body
	if diff := cmp.Diff(SingleBlock{[]byte("ALICE"), []byte("HOST2"), []byte("one\x14two\x14thre")}, single); diff != "" {
		t.Error(diff)
	}

	response := check(t, "response-", ParseStartResponse)
	if got := response["response-start-smbd"]; !got.Body.NoGroupID || got.Header.Err() != nil {
		t.Errorf("smbd's response %+v, %v", got, got.Header.Err())
	}
	if got := response["response-start-group"]; got.Body.GroupID != 7 || got.Body.NoGroupID {
		t.Errorf("response with a group %+v", got)
	}
	if err := response["response-start-off"].Header.Err(); !errors.Is(err, ErrNotAccepted) {
		t.Errorf("smbd without a message command: %v, want %v", err, ErrNotAccepted)
	}
}

// [MS-MSRP] 3.2.4.5: a data block has the prefix 01 or 05.
func TestVariableBuffer(t *testing.T) {
	b, err := Text{3, []byte("hi")}.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	b[5] = variableBuffer
	if m, err := ParseText(b); err != nil || string(m.Text) != "hi" {
		t.Errorf("%+v, %v", m, err)
	}
}

// Bytes behind ByteCount are padding, whatever they are.
func TestBytesBehindByteCount(t *testing.T) {
	b, _ := Start{[]byte("A"), []byte("B")}.AppendBinary(nil)
	if m, err := ParseStart(append(b, "junk"...)); err != nil || string(m.To) != "B" {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestLimits(t *testing.T) {
	most := SingleBlock{[]byte("A"), []byte("B"), make([]byte, 0xFFFF-3-3-3)}
	b, err := most.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	if m, err := ParseSingleBlock(b); err != nil || len(m.Text) != len(most.Text) {
		t.Errorf("the largest block: %d bytes, %v", len(m.Text), err)
	}
	most.Text = append(most.Text, 'x')
	for _, m := range []body{most, Start{From: []byte("A\x00B")}, Start{To: make([]byte, 5)}, Text{Text: make([]byte, 0xFFFF)}} {
		if b, err := m.AppendBinary([]byte("foo")); !errors.Is(err, ErrInvalid) || b != nil {
			t.Errorf("%T: %d bytes, %v; want ErrInvalid", m, len(b), err)
		}
	}
}

// The response has the error in the form that the request asks for:
// [MS-CIFS] 2.2.3.1, SMB_FLAGS2_NT_STATUS.
func TestResponse(t *testing.T) {
	request := Header{Command: SendTextMessage, Flags: CaseInsensitive | 0x10, Flags2: 0x0001, PIDHigh: 9, TID: 1, PIDLow: 2, UID: 3, MID: 4}
	for _, tt := range []struct {
		flags2 Flags2
		err    Error
		want   Status
	}{
		{0, Error{}, 0},
		{NTStatus, Error{}, 0},
		{0, ErrNoRoom, 0x00530002},
		{NTStatus, ErrNoRoom, 0xC0000205},
		{0, ErrBadCommand, 0x00160002},
		{NTStatus, ErrBadCommand, 0x00160002},
		{0, ErrInvalidParameter, 0x00570001},
		{NTStatus, ErrInvalidParameter, 0xC000000D},
		{0, ErrPaused, 0x00510002},
		{NTStatus, ErrPaused, 0xC00000CF},
		{NTStatus, ErrMessagesOff, 0x00520002},
	} {
		request.Flags2 = 1 | tt.flags2
		got := request.Response(tt.err)
		want := Header{Command: SendTextMessage, Status: tt.want, Flags: CaseInsensitive | Reply, Flags2: tt.flags2, PIDHigh: 9, TID: 1, PIDLow: 2, UID: 3, MID: 4}
		if got != want {
			t.Errorf("%v, flags2 %#x:\n got %+v\nwant %+v", tt.err, tt.flags2, got, want)
		}
		err := got.Err()
		if (err == nil) != (tt.err == Error{}) || err != nil && !errors.Is(err, tt.err) {
			t.Errorf("%v, flags2 %#x came back as %v", tt.err, tt.flags2, err)
		}
	}
	unknown := Header{Command: SendMessage, Status: 0xC0000001, Flags2: NTStatus}.Err()
	if got, want := unknown.Error(), "SMB_COM_SEND_MESSAGE refused: NTSTATUS 0xC0000001"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	for _, e := range []Error{ErrInvalidParameter, ErrNotAccepted, ErrAccess, ErrBadCommand, ErrPaused, ErrMessagesOff, ErrNoRoom} {
		if !strings.HasSuffix(e.Error(), ")") {
			t.Errorf("%v has no text", e)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, v := range vector.Load(f, "") {
		f.Add(v.Bytes)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, rest, err := ParseHeader(b)
		if err != nil {
			if h != (Header{}) || rest != nil {
				t.Fatalf("%+v and %d bytes with %v", h, len(rest), err)
			}
			return
		}
		again(t, rest, ParseSingleBlock)
		again(t, rest, ParseStart)
		again(t, rest, ParseText)
		again(t, rest, ParseEnd)
		again(t, rest, ParseStartResponse)
	})
}

// again parses b; what it gives must be writable and read the same again.
func again[B body](t *testing.T, b []byte, parse func([]byte) (B, error)) {
	m, err := parse(b)
	if err != nil {
		if !errors.Is(err, ErrInvalid) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("%T: an error of no kind: %v", m, err)
		}
		return
	}
	w, err := m.AppendBinary(nil)
	if err != nil {
		t.Fatalf("%+v cannot be written: %v", m, err)
	}
	if m2, err := parse(w); err != nil || !cmp.Equal(m, m2) {
		t.Fatalf("%+v became %+v, %v", m, m2, err)
	}
}

func TestParseDoesNotAllocate(t *testing.T) {
	for prefix, parse := range map[string]func([]byte) error{
		"single-alice": func(b []byte) error { _, err := ParseSingleBlock(b); return err },
		"start-smb":    func(b []byte) error { _, err := ParseStart(b); return err },
		"text-smb":     func(b []byte) error { _, err := ParseText(b); return err },
		"end-smb":      func(b []byte) error { _, err := ParseEnd(b); return err },
	} {
		b := vector.Load(t, prefix)[0].Bytes
		if n := testing.AllocsPerRun(100, func() {
			_, rest, err := ParseHeader(b)
			if err != nil || parse(rest) != nil {
				t.Fatal(err, parse(rest))
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", prefix, n)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for name, parse := range map[string]func([]byte) error{
		"single-alice":   func(b []byte) error { _, err := ParseSingleBlock(b); return err },
		"start-smb":      func(b []byte) error { _, err := ParseStart(b); return err },
		"text-smb":       func(b []byte) error { _, err := ParseText(b); return err },
		"end-smb":        func(b []byte) error { _, err := ParseEnd(b); return err },
		"response-start": func(b []byte) error { _, err := ParseStartResponse(b); return err },
	} {
		packet := vector.Load(b, name)[0].Bytes
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, rest, err := ParseHeader(packet)
				if err != nil {
					b.Fatal(err)
				}
				if err := parse(rest); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	text := bytes.Repeat([]byte("x"), BlockSize)
	for name, m := range map[string]body{
		"single-block": SingleBlock{[]byte("ALICE"), []byte("HOST2"), text},
		"start":        Start{[]byte("ALICE"), []byte("HOST2")},
		"text":         Text{1, text},
		"end":          End{1},
		"response":     StartResponse{GroupID: 1},
	} {
		b.Run(name, func(b *testing.B) {
			buf := make([]byte, 0, 512)
			b.ReportAllocs()
			for b.Loop() {
				h, _ := Header{Command: SendMessage}.AppendBinary(buf)
				if _, err := m.AppendBinary(h); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func Example() {
	b, _ := Header{Command: SendMessage}.AppendBinary(nil)
	b, err := SingleBlock{From: []byte("ALICE"), To: []byte("HOST2"), Text: []byte("one\x14two")}.AppendBinary(b)
	fmt.Println(len(b), err)

	h, body, _ := ParseHeader(b)
	m, err := ParseSingleBlock(body)
	fmt.Printf("%v from %s to %s: %q %v\n", h.Command, m.From, m.To, m.Text, err)
	// Output:
	// 59 <nil>
	// SMB_COM_SEND_MESSAGE from ALICE to HOST2: "one\x14two" <nil>
}
