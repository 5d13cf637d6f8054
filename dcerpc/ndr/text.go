package ndr

import (
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/messngr/messngr/dcerpc"
)

// A Text is UTF-16 as it stands in a stub. The zero value is empty.
type Text struct {
	b     []byte
	order dcerpc.ByteOrder
}

// Len returns the number of 16-bit units.
func (t Text) Len() int { return len(t.b) / 2 }

// unit returns the unit i.
func (t Text) unit(i int) uint16 { return t.order.Uint16(t.b[2*i:]) }

// AppendUTF8 appends the text in UTF-8. Half a surrogate pair becomes U+FFFD.
func (t Text) AppendUTF8(b []byte) []byte {
	for i := 0; i < t.Len(); i++ {
		c := rune(t.unit(i))
		if utf16.IsSurrogate(c) {
			pair := rune(utf8.RuneError)
			if i+1 < t.Len() {
				pair = utf16.DecodeRune(c, rune(t.unit(i+1)))
			}
			if c = pair; pair != utf8.RuneError {
				i++
			}
		}
		b = utf8.AppendRune(b, c)
	}
	return b
}

// String returns the text in UTF-8.
func (t Text) String() string { return string(t.AppendUTF8(nil)) }

// tooMany is the error for a count of elements that the rest of a stub has no
// room for.
func tooMany(n uint32, size, left int) error {
	return fmt.Errorf("%d elements of %d bytes or more, %d bytes left: %w", n, size, left, io.ErrUnexpectedEOF)
}
