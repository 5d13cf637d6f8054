// Package wire reads the fields of a packet, bounds-checked.
//
// A Reader remembers its first error: every later call is a no-op that returns
// zero, so that a decoder reads straight down in wire order and asks once, at
// the end, whether all was well.
package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// A TruncatedError says which field ran past the end of its structure. It
// wraps io.ErrUnexpectedEOF.
type TruncatedError struct {
	Structure, Field string
	Offset           int // of the field, in bytes from the start
	Have, Need       int // bytes left at Offset, bytes wanted
}

func (e *TruncatedError) Error() string {
	return fmt.Sprintf("%s: %s at offset %d needs %d bytes, %d left", e.Structure, e.Field, e.Offset, e.Need, e.Have)
}

// Unwrap returns io.ErrUnexpectedEOF.
func (e *TruncatedError) Unwrap() error { return io.ErrUnexpectedEOF }

// A Reader reads one structure from a byte slice. The slices that it returns
// alias the input.
type Reader struct {
	structure string
	b         []byte
	off       int
	err       error
}

// NewReader returns a Reader of b; structure names it in errors.
func NewReader(structure string, b []byte) Reader {
	return Reader{structure: structure, b: b}
}

// Err returns the first error: a *TruncatedError, or what Fail was given.
func (r *Reader) Err() error { return r.err }

// Offset returns the number of bytes read.
func (r *Reader) Offset() int { return r.off }

// Len returns the number of bytes left.
func (r *Reader) Len() int { return len(r.b) - r.off }

// Fail makes err the Reader's error unless it has one, prefixed with the
// structure's name, the field and its offset. An error already there stays.
func (r *Reader) Fail(field string, err error) {
	if r.err == nil {
		r.err = fmt.Errorf("%s: %s at offset %d: %w", r.structure, field, r.off, err)
	}
}

// Bytes reads n bytes. A negative n counts as too many.
func (r *Reader) Bytes(field string, n int) []byte {
	if r.err != nil {
		return nil
	}
	if n < 0 || n > len(r.b)-r.off {
		r.err = &TruncatedError{r.structure, field, r.off, len(r.b) - r.off, n}
		return nil
	}
	b := r.b[r.off : r.off+n : r.off+n]
	r.off += n
	return b
}

// Until reads the bytes before the next end byte, and the end byte with them.
func (r *Reader) Until(field string, end byte) []byte {
	if r.err != nil {
		return nil
	}
	n := bytes.IndexByte(r.b[r.off:], end)
	if n < 0 {
		r.err = &TruncatedError{r.structure, field, r.off, r.Len(), r.Len() + 1}
		return nil
	}
	b := r.b[r.off : r.off+n : r.off+n]
	r.off += n + 1
	return b
}

// Rest reads all that is left.
func (r *Reader) Rest() []byte { return r.Bytes("rest", r.Len()) }

// Uint8 reads one byte.
func (r *Reader) Uint8(field string) uint8 {
	if b := r.Bytes(field, 1); b != nil {
		return b[0]
	}
	return 0
}

// BE16 reads two bytes, most significant first.
func (r *Reader) BE16(field string) uint16 {
	if b := r.Bytes(field, 2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

// BE32 reads four bytes, most significant first.
func (r *Reader) BE32(field string) uint32 {
	if b := r.Bytes(field, 4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// LE16 reads two bytes, least significant first.
func (r *Reader) LE16(field string) uint16 {
	if b := r.Bytes(field, 2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

// LE32 reads four bytes, least significant first.
func (r *Reader) LE32(field string) uint32 {
	if b := r.Bytes(field, 4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}
