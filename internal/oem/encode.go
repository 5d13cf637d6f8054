package oem

import "strings"

// A Newline says how a line end is written.
type Newline uint8

// The forms of a line end.
const (
	// TextNewline is the byte 0x14, as Windows sends it ([MS-MSRP] 2.2.3).
	TextNewline Newline = iota
	// CRLF is the bytes 0x0D 0x0A, as smbclient sends it.
	CRLF
)

// EncodeText returns s in the codes of p, with line ends as newline has them;
// a line end at the end is written too. A character for which p has no code
// becomes "?"; lost is the number of those. What s has that a text must not
// have is treated as by [Clean] first.
func (p *Page) EncodeText(s string, newline Newline) (b []byte, lost int) {
	s = expand(s)
	lineEnd, size := "\x14", len(s) // no code is longer than its UTF-8
	if newline == CRLF {
		lineEnd, size = "\r\n", len(s)+strings.Count(s, "\n")
	}
	ascii := p.decodeTable().isASCII()
	b = make([]byte, 0, size)
	for _, r := range s {
		switch {
		case r == '\n':
			b = append(b, lineEnd...)
		case r <= '~' && ascii:
			b = append(b, byte(r))
		default:
			var ok bool
			if b, ok = p.appendRune(b, r); !ok {
				b = append(b, '?')
				lost++
			}
		}
	}
	return b, lost
}

// Cut returns the beginning of b, codes of p, that has at most n bytes and ends
// with a whole character.
func (p *Page) Cut(b []byte, n int) []byte {
	t, at := p.decodeTable(), 0
	for at < len(b) {
		_, size := t.next(b[at:])
		if at+size > n {
			break
		}
		at += size
	}
	return b[:at:at]
}
