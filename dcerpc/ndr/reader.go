package ndr

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/internal/wire"
)

// ErrInvalid is wrapped by every error about a stub that is whole and wrong. A
// stub that ends too early is io.ErrUnexpectedEOF.
var ErrInvalid = errors.New("invalid NDR")

// A Reader reads a stub from its start to its end. It remembers its first
// error: every later call is a no-op that returns zero, so that a decoder reads
// straight down and asks once, at the end, whether all was well. The slices
// that it returns alias the stub.
type Reader struct {
	r     wire.Reader
	order dcerpc.ByteOrder
}

// NewReader returns a Reader of stub, written as rep says; structure names it
// in errors. The packets that bring stubs are refused when their rep does not
// pass its Check; here such a one is little-endian.
func NewReader(structure string, stub []byte, rep dcerpc.DataRep) Reader {
	return Reader{wire.NewReader(structure, stub), rep.ByteOrder()}
}

// Err returns the first error: one that wraps io.ErrUnexpectedEOF or
// ErrInvalid, or what Fail was given.
func (r *Reader) Err() error { return r.r.Err() }

// Offset returns the number of bytes read, padding included.
func (r *Reader) Offset() int { return r.r.Offset() }

// Len returns the number of bytes left.
func (r *Reader) Len() int { return r.r.Len() }

// Fail makes err the Reader's error unless it has one, prefixed with the
// structure's name, the field and its offset. An error already there stays.
func (r *Reader) Fail(field string, err error) { r.r.Fail(field, err) }

// invalid is Fail with an error that wraps ErrInvalid.
func (r *Reader) invalid(field, format string, args ...any) {
	if r.Err() == nil {
		r.Fail(field, fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...))
	}
}

// Align skips to the next multiple of n, which is a power of two: [C706]
// 14.2.2. What stands in the gap is not looked at.
func (r *Reader) Align(n int) {
	if r.r.Offset()&(n-1) != 0 {
		r.pad(n)
	}
}

func (r *Reader) pad(n int) { r.r.Bytes("padding", -r.r.Offset()&(n-1)) }

// Bytes reads n bytes, wherever they stand. A negative n counts as too many.
func (r *Reader) Bytes(field string, n int) []byte { return r.r.Bytes(field, n) }

// Uint8 reads one byte: small, char, boolean.
func (r *Reader) Uint8(field string) uint8 { return r.r.Uint8(field) }

// Uint16 reads 16 bits at a multiple of 2: short, enum.
func (r *Reader) Uint16(field string) uint16 {
	r.Align(2)
	if b := r.r.Bytes(field, 2); b != nil {
		return r.order.Uint16(b)
	}
	return 0
}

// Uint32 reads 32 bits at a multiple of 4: long, error_status_t.
func (r *Reader) Uint32(field string) uint32 {
	r.Align(4)
	if b := r.r.Bytes(field, 4); b != nil {
		return r.order.Uint32(b)
	}
	return 0
}

// Uint64 reads 64 bits at a multiple of 8: hyper.
func (r *Reader) Uint64(field string) uint64 {
	r.Align(8)
	if b := r.r.Bytes(field, 8); b != nil {
		return r.order.Uint64(b)
	}
	return 0
}

// UUID reads a UUID at a multiple of 4.
func (r *Reader) UUID(field string) dcerpc.UUID {
	r.Align(4)
	if b := r.r.Bytes(field, 16); b != nil {
		return r.order.UUID(b)
	}
	return dcerpc.UUID{}
}

// Referent reads the referent id of a unique pointer and reports whether it
// points to something: [C706] 14.3.11.2.
func (r *Reader) Referent(field string) bool { return r.Uint32(field) != 0 }

// Count reads the count of a conformant array, [C706] 14.3.3.2, whose elements
// have at least size bytes each. More elements than the rest of the stub has
// room for are an error, before anybody can make room for them.
func (r *Reader) Count(field string, size int) int {
	n := r.Uint32(field)
	if r.Err() == nil && uint64(n)*uint64(size) > uint64(r.Len()) {
		r.Fail(field, tooMany(n, size, r.Len()))
		return 0
	}
	return int(n)
}

// String reads a [string] of 8-bit characters and returns those before its
// first NUL. One longer than max characters is an error, as are a string
// without a NUL at its end, one that does not begin at its array's beginning,
// and one longer than its array says.
func (r *Reader) String(field string, max int) []byte {
	b := r.array(field, max, 1)
	if b == nil {
		return nil
	}
	if b[len(b)-1] != 0 {
		r.invalid(field, "no NUL at the end of the string")
		return nil
	}
	n := bytes.IndexByte(b, 0)
	return b[:n:n]
}

// WString reads a [string] of UTF-16 and returns the text before its first NUL.
// Its rules are those of String, with characters of 16 bits.
func (r *Reader) WString(field string, max int) Text {
	t := Text{r.array(field, max, 2), r.order}
	if t.b == nil {
		return Text{}
	}
	if t.unit(t.Len()-1) != 0 {
		r.invalid(field, "no NUL at the end of the string")
		return Text{}
	}
	for i := range t.Len() {
		if t.unit(i) == 0 {
			t.b = t.b[: 2*i : 2*i]
			break
		}
	}
	return t
}

// array reads the elements of a conformant and varying array which is a string:
// max characters of size bytes and a NUL at most. It returns nil after an error.
func (r *Reader) array(field string, max, size int) []byte {
	// max_count, offset, actual_count (32 bits each): [C706] 14.3.3.4, 14.3.4
	r.Align(4)
	h := r.r.Bytes(field, 12)
	if h == nil {
		return nil
	}
	limit, offset, n := r.order.Uint32(h), r.order.Uint32(h[4:]), r.order.Uint32(h[8:])
	if offset != 0 || n == 0 || n > limit || uint64(n)-1 > uint64(max) || uint64(n)*uint64(size) > uint64(r.Len()) {
		r.refuse(field, limit, offset, n, max, size)
		return nil
	}
	return r.r.Bytes(field, int(n)*size)
}

// refuse fails with what is wrong with the counts of a string.
func (r *Reader) refuse(field string, limit, offset, n uint32, max, size int) {
	switch {
	case offset != 0:
		r.invalid(field, "the string begins at character %d", offset)
	case n == 0:
		r.invalid(field, "the string has no room for its NUL")
	case n > limit:
		r.invalid(field, "%d characters in an array of %d", n, limit)
	case uint64(n)*uint64(size) > uint64(r.Len()):
		r.Fail(field, tooMany(n, size, r.Len()))
	default:
		r.invalid(field, "%d characters, at most %d may be", n-1, max)
	}
}
