package netbios

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// values are what the vectors with "expect: ok" hold, by file name.
var values = map[string]struct {
	name  Name
	scope Scope
}{
	"win98":      {Name([]byte("MDJR98         \x03")), ""},
	"fred-scope": {Name([]byte("FRED            ")), "\x07NETBIOS\x03COM"},
	"wildcard":   {Wildcard, ""},
	"odd-bytes":  {Name([]byte("\x00\x01\x99\xffa.         \x11")), "\x02.\x00"},
}

func TestVectors(t *testing.T) {
	seen := 0
	for _, v := range readVectors(t) {
		t.Run(v.name, func(t *testing.T) {
			name, scope, size, err := ParseName(v.packet)
			switch v.expect {
			case "ok":
				want, ok := values[v.name]
				if !ok {
					t.Fatalf("no value for this vector")
				}
				seen++
				if err != nil || name != want.name || scope != want.scope || size != len(v.packet) {
					t.Fatalf("ParseName = %v, %q, %d, %v; want %v, %q, %d", name, scope, size, err, want.name, want.scope, len(v.packet))
				}
				got, err := AppendName([]byte("foo"), want.name, want.scope)
				if err != nil || !bytes.Equal(got, append([]byte("foo"), v.packet...)) {
					t.Errorf("AppendName = %x, %v; want foo and %x", got, err, v.packet)
				}
				for n := range v.packet {
					wantFailure(t, v.packet[:n], io.ErrUnexpectedEOF)
				}
			case "truncated":
				wantFailure(t, v.packet, io.ErrUnexpectedEOF)
			case "invalid":
				wantFailure(t, v.packet, ErrInvalid)
			default:
				t.Errorf("expect: %q, want ok, truncated or invalid", v.expect)
			}
		})
	}
	if seen != len(values) {
		t.Errorf("%d vectors for %d values", seen, len(values))
	}
}

func wantFailure(t *testing.T, packet []byte, want error) {
	t.Helper()
	name, scope, size, err := ParseName(packet)
	if !errors.Is(err, want) {
		t.Errorf("ParseName(%x): error %v, want %v", packet, err, want)
	}
	if name != (Name{}) || scope != "" || size != 0 {
		t.Errorf("ParseName(%x) failed but returned %v, %q, %d", packet, name, scope, size)
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
	for _, v := range readVectors(f) {
		f.Add(v.packet)
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

// A vector is a file of testdata/vectors: header lines, an empty line, and the
// packet in hexadecimal.
type vector struct {
	name, expect string
	packet       []byte
}

func readVectors(t testing.TB) []vector {
	t.Helper()
	files, err := filepath.Glob("testdata/vectors/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors in testdata/vectors: %v", err)
	}
	vectors := make([]vector, 0, len(files))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		header, body, ok := strings.Cut(string(text), "\n\n")
		if !ok {
			t.Fatalf("%s: no empty line behind the header", file)
		}
		v := vector{name: strings.TrimSuffix(filepath.Base(file), ".txt")}
		for line := range strings.Lines(header) {
			if expect, ok := strings.CutPrefix(line, "expect:"); ok {
				v.expect = strings.TrimSpace(expect)
			}
		}
		var digits strings.Builder
		for line := range strings.Lines(body) {
			data, _, _ := strings.Cut(line, "#")
			digits.WriteString(strings.Join(strings.Fields(data), ""))
		}
		if v.packet, err = hex.DecodeString(digits.String()); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		vectors = append(vectors, v)
	}
	return vectors
}
