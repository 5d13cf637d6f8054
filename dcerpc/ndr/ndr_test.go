package ndr

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/internal/wire/vector"
)

// reps are the byte orders by what begins the names of their vectors.
var reps = map[string]dcerpc.DataRep{"little": dcerpc.LittleEndian(), "big": {}}

// names are three strings, of which the first two have at most 16 characters:
// the parameters of NetrSendMessage.
type names [3]string

func parseNames(rep dcerpc.DataRep) func([]byte) (names, error) {
	return func(b []byte) (names, error) {
		r := NewReader("names", b, rep)
		n := names{string(r.String("From", 16)), string(r.String("To", 16)), string(r.String("Text", 100))}
		if r.Err() != nil {
			return names{}, r.Err()
		}
		return n, nil
	}
}

func appendNames(rep dcerpc.DataRep) func(names, []byte) ([]byte, error) {
	return func(n names, b []byte) ([]byte, error) {
		w := NewWriter(b, rep)
		for _, s := range n {
			w.String([]byte(s))
		}
		return w.Bytes(), w.Err()
	}
}

func TestStrings(t *testing.T) {
	want := map[string]names{"-strings": {"SENDER", "LEGACY", "hello\x14world"}, "-strings-empty": {}}
	for order, rep := range reps {
		got := vector.Check(t, order+"-strings", parseNames(rep), appendNames(rep), func(n names) bool { return n == names{} }, ErrInvalid)
		for name, want := range want {
			if got, ok := got[order+name]; !ok || got != want {
				t.Errorf("%s%s: %q, want %q", order, name, got, want)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%d vectors", len(got))
		}
	}
}

// everything has a field of each kind that NDR has here.
type everything struct {
	A     uint8
	B     uint16
	C     uint32
	D     uint8
	E     uint64
	F     uint8
	G     dcerpc.UUID
	H     bool
	I     *string
	Array string
}

func parseEverything(rep dcerpc.DataRep) func([]byte) (everything, error) {
	return func(b []byte) (everything, error) {
		r := NewReader("everything", b, rep)
		e := everything{
			A: r.Uint8("a"), B: r.Uint16("b"), C: r.Uint32("c"), D: r.Uint8("d"), E: r.Uint64("e"), F: r.Uint8("f"), G: r.UUID("g"),
			H: r.Referent("h"),
		}
		if r.Referent("i") {
			s := r.WString("i", 20).String()
			e.I = &s
		}
		e.Array = string(r.Bytes("array", r.Count("array", 1)))
		if r.Err() != nil {
			return everything{}, r.Err()
		}
		return e, nil
	}
}

func appendEverything(rep dcerpc.DataRep) func(everything, []byte) ([]byte, error) {
	return func(e everything, b []byte) ([]byte, error) {
		w := NewWriter(b, rep)
		w.Uint8(e.A)
		w.Uint16(e.B)
		w.Uint32(e.C)
		w.Uint8(e.D)
		w.Uint64(e.E)
		w.Uint8(e.F)
		w.UUID(e.G)
		w.Referent(e.H)
		w.Referent(e.I != nil)
		if e.I != nil {
			w.WString(*e.I)
		}
		w.Uint32(uint32(len(e.Array)))
		w.Raw([]byte(e.Array))
		return w.Bytes(), w.Err()
	}
}

func TestEverything(t *testing.T) {
	text := "Grüße 🖥"
	want := everything{
		A: 0xA1, B: 0x0102, C: 0x01020304, D: 0xA2, E: 0x0102030405060708, F: 0xA3,
		G: dcerpc.UUID{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF},
		I: &text, Array: "\x0A\x0B\x0C",
	}
	for order, rep := range reps {
		got := vector.Check(t, order+"-wide", parseEverything(rep), appendEverything(rep), func(e everything) bool { return e == everything{} }, ErrInvalid)
		if diff := cmp.Diff(map[string]everything{order + "-wide": want}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// Half surrogate pairs are no reason to fail, and no text.
func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"":                         "",
		"a\x00b\x00":               "ab",
		"\x3D\xD8\xA5\xDD":         "\U0001F5A5",
		"\x3D\xD8":                 "\uFFFD",
		"\x3D\xD8a\x00":            "\uFFFDa",
		"\xA5\xDD\x3D\xD8":         "\uFFFD\uFFFD",
		"\x3D\xD8\x3D\xD8\xA5\xDD": "\uFFFD\U0001F5A5",
		"\xFD\xFF":                 "\uFFFD",
	} {
		text := Text{[]byte(in), dcerpc.LittleEndian().ByteOrder()}
		if got := text.String(); got != want || text.Len() != len(in)/2 {
			t.Errorf("%x: %q, %d units; want %q", in, got, text.Len(), want)
		}
		if got := text.AppendUTF8([]byte("foo")); string(got) != "foo"+want {
			t.Errorf("%x: %q", in, got)
		}
	}
	w := NewWriter([]byte("foo"), dcerpc.LittleEndian())
	w.WString("\xFF\U0001F5A5")
	if got := w.Bytes(); !bytes.HasSuffix(got, []byte("\x04\x00\x00\x00\xFD\xFF\x3D\xD8\xA5\xDD\x00\x00")) || w.Err() != nil {
		t.Errorf("% x, %v", got, w.Err())
	}
}

// A string ends at its first NUL; what stands behind it is skipped. Nothing
// that a Reader gives reaches further than what was read.
func TestStringCut(t *testing.T) {
	stub := []byte("\x09\x00\x00\x00\x00\x00\x00\x00\x06\x00\x00\x00ab\x00cd\x00\xEE\xEE" +
		"\x09\x00\x00\x00\x00\x00\x00\x00\x04\x00\x00\x00a\x00\x00\x00b\x00\x00\x00" + "\x2A")
	r := NewReader("test", stub, dcerpc.LittleEndian())
	s, w, b := r.String("s", 5), r.WString("w", 3), r.Uint8("b")
	if string(s) != "ab" || w.String() != "a" || b != 0x2A || r.Err() != nil || r.Len() != 0 || r.Offset() != len(stub) {
		t.Errorf("%q, %q, %#x, %v; %d bytes left", s, w, b, r.Err(), r.Len())
	}
	_ = append(s, "XXXX"...)
	if stub[15] != 'c' {
		t.Error("an append to the string wrote behind it")
	}
}

// Each case is a stub and what is read from it; none may succeed, and none
// may take memory.
func TestReaderRefuses(t *testing.T) {
	for what, tt := range map[string]struct {
		stub string
		read func(*Reader)
		want error
	}{
		"a unit too many":            {"\x03\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00a\x00b\x00\x00\x00", func(r *Reader) { r.WString("x", 1) }, ErrInvalid},
		"no wide NUL":                {"\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00a", func(r *Reader) { r.WString("x", 9) }, ErrInvalid},
		"half a wide NUL":            {"\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00a\x00", func(r *Reader) { r.WString("x", 9) }, ErrInvalid},
		"a wide count past the end":  {"\x03\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00a\x00b\x00\x00", func(r *Reader) { r.WString("x", 9) }, io.ErrUnexpectedEOF},
		"a wide count that wraps":    {"\xFF\xFF\xFF\xFF\x00\x00\x00\x00\x01\x00\x00\x80\x00\x00", func(r *Reader) { r.WString("x", math.MaxInt) }, io.ErrUnexpectedEOF},
		"an array that wraps":        {"\x00\x00\x00\x40aaaa", func(r *Reader) { r.Count("x", 4) }, io.ErrUnexpectedEOF},
		"an array past the end":      {"\x02\x00\x00\x00aaaaaaa", func(r *Reader) { r.Count("x", 4) }, io.ErrUnexpectedEOF},
		"a byte too many":            {"\x02\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00a\x00", func(r *Reader) { r.String("x", 0) }, ErrInvalid},
		"bytes below zero":           {"aaaa", func(r *Reader) { r.Bytes("x", -1) }, io.ErrUnexpectedEOF},
		"padding cut":                {"aaaa", func(r *Reader) { r.Uint8("x"); r.Uint64("y") }, io.ErrUnexpectedEOF},
		"the caller":                 {"aaaa", func(r *Reader) { r.Fail("x", io.ErrNoProgress) }, io.ErrNoProgress},
		"the first error, not later": {"aaaa", func(r *Reader) { r.Uint64("x"); r.Fail("y", io.ErrNoProgress); r.invalid("z", "no") }, io.ErrUnexpectedEOF},
	} {
		r := NewReader("test", []byte(tt.stub), dcerpc.LittleEndian())
		tt.read(&r)
		if !errors.Is(r.Err(), tt.want) || !strings.HasPrefix(r.Err().Error(), "test: ") {
			t.Errorf("%s: %v, want %v", what, r.Err(), tt.want)
		}
		// Whatever is read behind an error is nothing.
		if r.Uint8("x") != 0 || r.Uint16("x") != 0 || r.Uint32("x") != 0 || r.Uint64("x") != 0 || r.UUID("x") != (dcerpc.UUID{}) ||
			r.Referent("x") || r.Count("x", 1) != 0 || r.Bytes("x", 1) != nil || r.String("x", 9) != nil || r.WString("x", 9).Len() != 0 {
			t.Errorf("%s: a value behind the error", what)
		}
		if !errors.Is(r.Err(), tt.want) {
			t.Errorf("%s: later %v", what, r.Err())
		}
	}
}

func TestWriterRefuses(t *testing.T) {
	little := dcerpc.LittleEndian()
	for what, write := range map[string]func(*Writer){
		"a NUL":      func(w *Writer) { w.String([]byte("a\x00b")) },
		"a wide NUL": func(w *Writer) { w.WString("a\x00b") },
	} {
		w := NewWriter([]byte("foo"), little)
		write(&w)
		w.Uint8(1)
		w.Uint16(1)
		w.Uint32(1)
		w.Uint64(1)
		w.UUID(dcerpc.UUID{})
		w.Referent(true)
		w.Raw([]byte("x"))
		w.String([]byte("x"))
		w.WString("x")
		if !errors.Is(w.Err(), ErrInvalid) || w.Bytes() != nil || string(w.b) != "foo" {
			t.Errorf("%s: %v, %q", what, w.Err(), w.b)
		}
	}
	w := NewWriter(nil, dcerpc.DataRep{0x20})
	if !errors.Is(w.Err(), dcerpc.ErrInvalid) || w.Bytes() != nil {
		t.Errorf("unknown label: %v", w.Err())
	}
}

// Offsets count from the start of the stub, whatever stands before it, and
// every referent has its own id.
func TestWriter(t *testing.T) {
	w := NewWriter([]byte("foo"), dcerpc.LittleEndian())
	w.Uint8(1)
	w.Referent(true)
	w.Referent(false)
	w.Referent(true)
	w.Uint8(2)
	w.Align(8)
	want := "foo\x01\x00\x00\x00" + "\x00\x00\x02\x00" + "\x00\x00\x00\x00" + "\x04\x00\x02\x00" + "\x02\x00\x00\x00\x00\x00\x00\x00"
	if got := w.Bytes(); string(got) != want || w.Err() != nil {
		t.Errorf("% x, %v", got, w.Err())
	}
	w = NewWriter(nil, dcerpc.DataRep{})
	w.Response()
	w.Referent(true)
	w.Referent(true)
	if got := w.Bytes(); string(got) != "\x00\x03\x00\x00\x00\x03\x00\x04" || w.Err() != nil {
		t.Errorf("of a response: % x, %v", got, w.Err())
	}
}

func TestReaderDoesNotAllocate(t *testing.T) {
	strings := vector.Load(t, "little-strings")
	wide := vector.Load(t, "little-wide")[0].Bytes
	buf := make([]byte, 0, 64)
	for _, v := range strings {
		if v.Expect != "ok" {
			continue
		}
		if n := testing.AllocsPerRun(100, func() {
			r := NewReader("names", v.Bytes, dcerpc.LittleEndian())
			r.String("From", 16)
			r.String("To", 16)
			r.String("Text", 100)
			if r.Err() != nil {
				t.Fatal(r.Err())
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", v.Name, n)
		}
	}
	if n := testing.AllocsPerRun(100, func() {
		r := NewReader("wide", wide, dcerpc.LittleEndian())
		r.Bytes("before", 52)
		r.WString("i", 20).AppendUTF8(buf)
		if r.Err() != nil {
			t.Fatal(r.Err())
		}
	}); n != 0 {
		t.Errorf("a wide string: %v allocations", n)
	}
}

// FuzzReader reads whatever it is told to, in both byte orders. The readers of
// whole stubs fuzz their own.
func FuzzReader(f *testing.F) {
	for order := range reps {
		for _, v := range vector.Load(f, order) {
			f.Add(v.Bytes, order == "big")
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, big bool) {
		rep := dcerpc.LittleEndian()
		if big {
			rep = dcerpc.DataRep{}
		}
		check := func(what string, err error, again []byte, canonical bool) {
			if err != nil && !errors.Is(err, ErrInvalid) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("%s: an error of no kind: %v", what, err)
			}
			// What is written has its NULs and its padding where the Reader
			// skips others, so that only the second time is the first again.
			if err == nil && canonical && len(again) > len(b) {
				t.Fatalf("%s: %x became %x", what, b, again)
			}
		}
		n, err := parseNames(rep)(b)
		again, _ := appendNames(rep)(n, nil)
		check("names", err, again, true)
		if err == nil {
			if m, err := parseNames(rep)(again); err != nil || m != n {
				t.Fatalf("names: %q became %q, %v", n, m, err)
			}
		}
		e, err := parseEverything(rep)(b)
		again, _ = appendEverything(rep)(e, nil)
		check("everything", err, again, false)
		if err == nil {
			if e2, err := parseEverything(rep)(again); err != nil || !cmp.Equal(e, e2) {
				t.Fatalf("everything: %v (-want +got):\n%s", err, cmp.Diff(e, e2))
			}
		}
	})
}

func BenchmarkStrings(b *testing.B) {
	stub := vector.Load(b, "little-strings")
	for _, v := range stub {
		if v.Name != "little-strings" {
			continue
		}
		b.ReportAllocs()
		for b.Loop() {
			r := NewReader("names", v.Bytes, dcerpc.LittleEndian())
			r.String("From", 16)
			r.String("To", 16)
			r.String("Text", 100)
			if r.Err() != nil {
				b.Fatal(r.Err())
			}
		}
	}
}

func BenchmarkWriteStrings(b *testing.B) {
	buf := make([]byte, 0, 100)
	from, to, text := []byte("SENDER"), []byte("LEGACY"), []byte("hello\x14world")
	b.ReportAllocs()
	for b.Loop() {
		w := NewWriter(buf, dcerpc.LittleEndian())
		w.String(from)
		w.String(to)
		w.String(text)
		if w.Err() != nil {
			b.Fatal(w.Err())
		}
	}
}

func Example() {
	w := NewWriter(nil, dcerpc.LittleEndian())
	w.String([]byte("ALICE"))
	w.Uint32(2273)
	fmt.Printf("% x\n", w.Bytes())

	r := NewReader("example", w.Bytes(), dcerpc.LittleEndian())
	fmt.Printf("%s %d %v\n", r.String("name", 15), r.Uint32("status"), r.Err())

	// A count that lies costs nothing.
	r = NewReader("example", []byte("\xFF\xFF\xFF\xFF\x00\x00\x00\x00\xFF\xFF\xFF\xFFA\x00"), dcerpc.LittleEndian())
	r.String("name", 15)
	fmt.Println(r.Err())
	// Output:
	// 06 00 00 00 00 00 00 00 06 00 00 00 41 4c 49 43 45 00 00 00 e1 08 00 00
	// ALICE 2273 <nil>
	// example: name at offset 12: 4294967295 elements of 1 bytes or more, 2 bytes left: unexpected EOF
}
