package ndr

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"unicode/utf16"

	"github.com/messngr/messngr/dcerpc"
)

// A Writer writes a stub. It remembers its first error: every later call is a
// no-op.
type Writer struct {
	b         []byte
	start     int // of the stub in b
	rep       dcerpc.DataRep
	referents uint32
	err       error
}

// NewWriter returns a Writer that appends a stub to b, written as rep says.
func NewWriter(b []byte, rep dcerpc.DataRep) Writer {
	return Writer{b: b, start: len(b), rep: rep, err: rep.Check()}
}

// Bytes returns what NewWriter was given with the stub behind it, nil after an
// error.
func (w *Writer) Bytes() []byte {
	if w.err != nil {
		return nil
	}
	return w.b
}

// Err returns the first error, which wraps ErrInvalid or dcerpc.ErrInvalid.
func (w *Writer) Err() error { return w.err }

// Align writes zeros up to the next multiple of n, which is a power of two,
// from the start of the stub.
func (w *Writer) Align(n int) {
	if w.err != nil {
		return
	}
	for range -(len(w.b) - w.start) & (n - 1) {
		w.b = append(w.b, 0)
	}
}

// Raw writes bytes, wherever they come to stand.
func (w *Writer) Raw(b []byte) {
	if w.err == nil {
		w.b = append(w.b, b...)
	}
}

// Uint8 writes one byte.
func (w *Writer) Uint8(v uint8) {
	if w.err == nil {
		w.b = append(w.b, v)
	}
}

// Uint16 writes 16 bits at a multiple of 2.
func (w *Writer) Uint16(v uint16) {
	if w.Align(2); w.err == nil {
		w.b = w.rep.AppendUint16(w.b, v)
	}
}

// Uint32 writes 32 bits at a multiple of 4.
func (w *Writer) Uint32(v uint32) {
	if w.Align(4); w.err == nil {
		w.b = w.rep.AppendUint32(w.b, v)
	}
}

// Uint64 writes 64 bits at a multiple of 8.
func (w *Writer) Uint64(v uint64) {
	if w.Align(8); w.err == nil {
		w.b = w.rep.AppendUint64(w.b, v)
	}
}

// UUID writes a UUID at a multiple of 4.
func (w *Writer) UUID(u dcerpc.UUID) {
	if w.Align(4); w.err == nil {
		w.b = w.rep.AppendUUID(w.b, u)
	}
}

// Referent writes the referent id of a unique pointer: zero for the null
// pointer, else an id of its own. The first is 0x00020000 and the next are 4
// more each, as Windows writes them.
func (w *Writer) Referent(points bool) {
	if !points {
		w.Uint32(0)
		return
	}
	w.Uint32(0x00020000 + 4*w.referents)
	w.referents++
}

// responseReferents is what Response starts to count from.
const responseReferents = 0x4000

// Response makes the referent ids that follow others than those of a request,
// for a response with full pointers: two of them with one id point to the same
// ([C706] 14.3.10), and to some readers a call's request and response are one
// text, so that nothing is expected where an id comes again.
func (w *Writer) Response() { w.referents = responseReferents }

// String writes a [string] of 8-bit characters, with a NUL behind them. It is
// an error if there is a NUL in s.
func (w *Writer) String(s []byte) {
	if i := bytes.IndexByte(s, 0); i >= 0 {
		w.fail("a NUL at byte %d of a string", i)
	}
	w.array(uint64(len(s)) + 1)
	w.Raw(s)
	w.Uint8(0)
}

// WString writes a [string] of UTF-16, with a NUL behind it. What is not UTF-8
// becomes U+FFFD. It is an error if there is a NUL in s.
func (w *Writer) WString(s string) {
	if i := strings.IndexByte(s, 0); i >= 0 {
		w.fail("a NUL at byte %d of a string", i)
	}
	n := uint64(1)
	for _, c := range s {
		n += uint64(utf16.RuneLen(c))
	}
	w.array(n)
	for _, c := range s {
		if first, second := utf16.EncodeRune(c); utf16.RuneLen(c) == 2 {
			w.Uint16(uint16(first))
			w.Uint16(uint16(second))
		} else {
			w.Uint16(uint16(c))
		}
	}
	w.Uint16(0)
}

// array writes what stands before n elements of a string: max_count, offset,
// actual_count.
func (w *Writer) array(n uint64) {
	if n > math.MaxUint32 {
		w.fail("a string of %d characters", n)
	}
	w.Uint32(uint32(n))
	w.Uint32(0)
	w.Uint32(uint32(n))
}

func (w *Writer) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...)
	}
}
