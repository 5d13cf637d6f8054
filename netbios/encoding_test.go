package netbios

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

// A scoped is a name with its scope, as a vector holds it.
type scoped struct {
	Name  Name
	Scope Scope
}

// values are what the vectors with "expect: ok" hold, by file name.
var values = map[string]scoped{
	"win98":      {Name([]byte("MDJR98         \x03")), ""},
	"fred-scope": {Name([]byte("FRED            ")), "\x07NETBIOS\x03COM"},
	"wildcard":   {Wildcard, ""},
	"odd-bytes":  {Name([]byte("\x00\x01\x99\xffa.         \x11")), "\x02.\x00"},
}

func TestVectors(t *testing.T) {
	got := vector.Check(t, "",
		func(b []byte) (scoped, error) {
			name, scope, size, err := ParseName(b)
			if err == nil && size != len(b) {
				t.Errorf("ParseName took %d of %d bytes", size, len(b))
			}
			return scoped{name, scope}, err
		},
		func(s scoped, b []byte) ([]byte, error) { return AppendName(b, s.Name, s.Scope) },
		func(s scoped) bool { return s == scoped{} },
		ErrInvalid)
	if diff := cmp.Diff(values, got); diff != "" {
		t.Errorf("ParseName (-want +got):\n%s", diff)
	}
}

func TestScopeLimits(t *testing.T) {
	label := func(n int) string { return string(rune(n)) + strings.Repeat("x", n) }
	tests := []struct {
		comment string
		scope   Scope
		ok      bool
	}{
		{"the longest label", Scope(label(63)), true},
		{"a label too long", Scope(label(64)), false},
		{"an empty label", "\x00", false},
		{"an empty label behind another", "\x01x\x00", false},
		{"a label that is not whole", "\x02x", false},
		{"a pointer", "\xc0\x0c", false},
		{"255 bytes", Scope(label(63) + label(63) + label(63) + label(62)), true},
		{"256 bytes", Scope(label(63) + label(63) + label(63) + label(63)), false},
	}
	for _, test := range tests {
		b, err := AppendName(nil, Wildcard, test.scope)
		if (err == nil) != test.ok || err != nil && !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: AppendName: %v", test.comment, err)
		}
		if err != nil && b != nil {
			t.Errorf("%s: AppendName failed but appended %x", test.comment, b)
		}
		// What cannot be written cannot be read either.
		encoded, _ := AppendName(nil, Wildcard, "")
		encoded = append(append(encoded[:EncodedSize-1], test.scope...), 0)
		if _, got, size, err := ParseName(encoded); test.ok && (err != nil || got != test.scope || size != len(encoded)) {
			t.Errorf("%s: ParseName: scope %q, size %d, %v", test.comment, got, size, err)
		} else if !test.ok && got == test.scope && err == nil {
			t.Errorf("%s: ParseName took it", test.comment)
		}
	}
}

func TestParseNameAllocations(t *testing.T) {
	b, _ := AppendName(nil, SMBServer, "")
	if n := testing.AllocsPerRun(100, func() { ParseName(b) }); n != 0 {
		t.Errorf("ParseName allocates %v times", n)
	}
}

func FuzzParseName(f *testing.F) {
	for _, v := range vector.Load(f, "") {
		f.Add(v.Bytes)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		name, scope, size, err := ParseName(b)
		if err != nil {
			if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, ErrInvalid) {
				t.Errorf("unexpected kind of error: %v", err)
			}
			return
		}
		// There is one way to write a name, so what was read is written the same.
		got, err := AppendName(nil, name, scope)
		if err != nil || !bytes.Equal(got, b[:size]) {
			t.Errorf("AppendName = %x, %v; read from %x", got, err, b[:size])
		}
	})
}

func BenchmarkParseName(b *testing.B) {
	packet, _ := AppendName(nil, SMBServer, "")
	b.ReportAllocs()
	for b.Loop() {
		if _, _, _, err := ParseName(packet); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendName(b *testing.B) {
	var packet []byte
	b.ReportAllocs()
	for b.Loop() {
		packet, _ = AppendName(packet[:0], SMBServer, "")
	}
}

func ExampleAppendName() {
	name, err := NewName("host2", Messenger)
	if err != nil {
		fmt.Println(err)
		return
	}
	packet, err := AppendName(nil, name, "")
	fmt.Printf("%s %q %v\n", name, packet, err)

	name, _, size, err := ParseName(packet)
	fmt.Println(name, size, err)
	// Output:
	// HOST2<03> " EIEPFDFEDCCACACACACACACACACACAAD\x00" <nil>
	// HOST2<03> 34 <nil>
}
