package netbios

import (
	"fmt"

	"github.com/messngr/messngr/internal/wire"
)

// firstLevel is the number of letters of an encoded name: RFC 1001 14.1.
const firstLevel = 2 * len(Name{})

// EncodedSize is the number of bytes of an encoded name without a scope. A
// scope adds as many as it has.
const EncodedSize = 1 + firstLevel + 1

// AppendName appends the second-level encoding of the name and the scope
// (RFC 1002 4.1) to b: EncodedSize+len(scope) bytes. Every name can be
// encoded; the error is about a scope that is not well formed or too long.
func AppendName(b []byte, n Name, scope Scope) ([]byte, error) {
	if err := scope.check(); err != nil {
		return b, err
	}
	b = append(b, byte(firstLevel))
	for _, c := range n {
		b = append(b, 'A'+c>>4, 'A'+c&15)
	}
	b = append(b, scope...)
	return append(b, 0), nil
}

// ParseName reads a name, with its scope, from the start of b. The size is the
// number of bytes that it takes there: EncodedSize if it has no scope.
//
// The error wraps io.ErrUnexpectedEOF if b ends within the name, else
// ErrInvalid: a first label that is not 32 letters from 'A' to 'P', a label or
// a scope that is too long, a compression pointer.
func ParseName(b []byte) (n Name, scope Scope, size int, err error) {
	r := wire.NewReader("name", b)

	// LENGTH (8 bits): 0x20
	if length := r.Uint8("length"); r.Err() == nil && int(length) != firstLevel {
		r.Fail("length", fmt.Errorf("%w: first label has length byte 0x%02X, want 0x%02X", ErrInvalid, length, firstLevel))
	}
	// The letters: "the half-octet is added to the ASCII character 'A'".
	if letters := r.Bytes("letters", firstLevel); letters != nil {
		for i := range n {
			hi, lo := letters[2*i]-'A', letters[2*i+1]-'A'
			if hi > 15 || lo > 15 {
				r.Fail("letters", fmt.Errorf("%w: %q is not of the letters A to P", ErrInvalid, string(letters)))
				break
			}
			n[i] = hi<<4 | lo
		}
	}
	// The scope's labels, until a length of zero.
	start := r.Offset()
	for r.Err() == nil {
		length := int(r.Uint8("scope label length"))
		if length == 0 {
			break
		}
		if length > maxLabel {
			r.Fail("scope label length", fmt.Errorf("%w: length byte 0x%02X, want at most %d and no pointer", ErrInvalid, length, maxLabel))
		}
		r.Bytes("scope label", length)
		if size := r.Offset() - start; size > MaxScope {
			r.Fail("scope", fmt.Errorf("%w: more than %d bytes", ErrInvalid, MaxScope))
		}
	}

	if err := r.Err(); err != nil {
		return Name{}, "", 0, err
	}
	size = r.Offset()
	return n, Scope(b[start : size-1]), size, nil
}
