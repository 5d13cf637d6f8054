package oem

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// DecodeName returns b, which is a name, as text: control characters and the
// blanks at the end are dropped.
func (p *Page) DecodeName(b []byte) string {
	b = bytes.TrimRight(b, " \x00")
	t := p.decodeTable()
	if t.printable(b) == len(b) {
		return string(b)
	}
	var name strings.Builder
	for len(b) > 0 {
		r, size := t.next(b)
		b = b[size:]
		if !control(r) {
			name.WriteRune(r)
		}
	}
	return strings.TrimRight(name.String(), " ")
}

// EncodeName returns the name s in the codes of p, each letter as its capital
// where p has that. It neither pads nor cuts. A character that p lacks, or that
// no name can have, is an error.
func (p *Page) EncodeName(s string) ([]byte, error) {
	b := make([]byte, 0, len(s))
	for i, r := range s {
		if r == utf8.RuneError || control(r) {
			_, size := utf8.DecodeRuneInString(s[i:])
			return nil, fmt.Errorf("name %q: %q cannot be part of a name", s, s[i:i+size])
		}
		var ok bool
		if b, ok = p.appendRune(b, unicode.ToUpper(r)); ok {
			continue
		}
		if b, ok = p.appendRune(b, r); !ok {
			return nil, fmt.Errorf("name %q: code page %d has no %q (%U)", s, p.number, r, r)
		}
	}
	return b, nil
}

// control reports whether r is a control character or ends a line.
func control(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
}
