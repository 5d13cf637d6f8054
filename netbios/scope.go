package netbios

import (
	"fmt"
	"strings"
)

// Limits of a scope, in bytes.
const (
	maxLabel = 63
	// MaxScope is the most bytes that a Scope has.
	//
	// Deliberately lax: RFC 1002 4.1 borrows the 255 bytes of the domain name
	// system for the whole name, which leaves 221 for a scope. Samba's test
	// suite wants a name server to take one of 238, and to answer that it does
	// not take one of 239. Whoever keeps names sets a limit of its own.
	MaxScope = 255
)

// A Scope is the part of a name that divides one network into several which do
// not see each other; see RFC 1001 9. It holds the labels as they stand in a
// packet, each after a byte with its length (1 to 63), without the zero at the
// end, so that labels of any bytes survive and scopes compare as bytes. The
// empty Scope, which nearly everybody uses, is no scope.
type Scope string

// NewScope returns the scope of labels with dots between them, such as
// "NETBIOS.EXAMPLE.COM". Letters stay as they are.
func NewScope(text string) (Scope, error) {
	if text == "" {
		return "", nil
	}
	b := make([]byte, 0, len(text)+1)
	for label := range strings.SplitSeq(text, ".") {
		if len(label) == 0 || len(label) > maxLabel {
			return "", fmt.Errorf("%w: scope %q: a label of %d bytes, want 1 to %d", ErrInvalid, text, len(label), maxLabel)
		}
		b = append(append(b, byte(len(label))), label...)
	}
	if len(b) > MaxScope {
		return "", fmt.Errorf("%w: scope %q: %d bytes, at most %d fit", ErrInvalid, text, len(b), MaxScope)
	}
	return Scope(b), nil
}

// String returns the labels with dots between them. Bytes that are not
// printable ASCII, and dots and backslashes within labels, are written as \xNN.
func (s Scope) String() string {
	var b strings.Builder
	for len(s) > 0 {
		n := min(int(s[0]), len(s)-1)
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		for _, c := range []byte(s[1 : 1+n]) {
			if c <= ' ' || c > '~' || c == '\\' || c == '.' {
				fmt.Fprintf(&b, `\x%02X`, c)
			} else {
				b.WriteByte(c)
			}
		}
		s = s[1+n:]
	}
	return b.String()
}

// check reports what is wrong with the labels of s.
func (s Scope) check() error {
	if len(s) > MaxScope {
		return fmt.Errorf("%w: scope of %d bytes, at most %d fit", ErrInvalid, len(s), MaxScope)
	}
	for rest := s; len(rest) > 0; {
		n := int(rest[0])
		if n == 0 || n > maxLabel || n >= len(rest) {
			return fmt.Errorf("%w: scope %q: length byte %d, want 1 to %d with as many bytes behind it", ErrInvalid, string(s), n, maxLabel)
		}
		rest = rest[1+n:]
	}
	return nil
}
