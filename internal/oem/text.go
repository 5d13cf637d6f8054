package oem

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// ErrTooLong says that a text is longer than its limit. What wraps it says by
// how much.
var ErrTooLong = errors.New("text too long")

// DecodeText returns b as text, by the rules of the package's documentation.
// The text has at most limit bytes of UTF-8; if it would have more, DecodeText
// allocates nothing for it and returns an error that wraps [ErrTooLong].
//
// Decode a text as a whole: a border of blocks can cut a double-byte character
// or a CR LF.
func (p *Page) DecodeText(b []byte, limit int) (string, error) {
	s, err := p.decodeTable().expand(b, limit)
	return strings.TrimSuffix(s, "\n"), err
}

// Clean brings text that is UTF-8 already, but from elsewhere and perhaps not
// valid, to the form that DecodeText returns. The rules are the same: 0x14 is
// a line end here too.
func Clean(s string) string {
	return strings.TrimSuffix(expand(s), "\n")
}

// expand is Clean, but keeps the last line end.
func expand(s string) string {
	if !expanded(s) {
		var none *decodeTable
		s, _ = none.expand([]byte(s), math.MaxInt) // no text is longer
	}
	return s
}

// expand is DecodeText, but keeps the last line end, which limit does not
// count.
func (t *decodeTable) expand(b []byte, limit int) (string, error) {
	b = bytes.TrimRight(b, "\x00")
	if len(b) <= limit && t.printable(b) == len(b) {
		return string(b), nil
	}
	// Once to measure and once to write: so a text takes the memory that it
	// needs, and one that is too long takes none.
	measure := expansion{measure: true}
	measure.add(t, b)
	if measure.n > max(limit, 0) {
		return "", fmt.Errorf("%w: %d bytes as UTF-8, %d allowed", ErrTooLong, measure.n, limit)
	}
	var e expansion
	e.text.Grow(measure.n + len("\n"))
	e.add(t, b)
	e.flush()
	return e.text.String(), nil
}

// expanded reports whether expand would change nothing.
func expanded(s string) bool {
	for i := 0; i < len(s); {
		r, size := rune(s[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(s[i:])
		}
		if visible(r) != r || r == utf8.RuneError && size == 1 {
			return false
		}
		i += size
	}
	return true
}

// printable returns the length of the longest prefix of b that is printable
// ASCII and means the same in t.
func (t *decodeTable) printable(b []byte) int {
	if !t.isASCII() {
		return 0
	}
	for i, c := range b {
		if c < ' ' || '~' < c {
			return i
		}
	}
	return len(b)
}

// visible returns what stands for r in a text: "\n" for what ends a line, the
// picture of a control character, else r itself.
func visible(r rune) rune {
	switch {
	case ' ' <= r && r <= '~' || r == '\n':
		return r
	case r == '\t':
		return ' '
	case r == 0x14 || r == '\r' || r == '\u2028' || r == '\u2029':
		return '\n'
	case r < ' ':
		return '␀' + r
	case r == 0x7F:
		return '␡'
	case 0x80 <= r && r <= 0x9F:
		return utf8.RuneError
	}
	return r
}

// An expansion is a text in the making.
type expansion struct {
	text    strings.Builder
	n       int  // bytes of the text so far
	owed    bool // a line end comes before whatever comes next; it is not in n
	measure bool // count, but write nothing
}

// add decodes b by t, which is nil for UTF-8.
func (e *expansion) add(t *decodeTable, b []byte) {
	for len(b) > 0 {
		if size := t.printable(b); size > 0 {
			e.flush()
			e.n += size
			if !e.measure {
				e.text.Write(b[:size])
			}
			b = b[size:]
			continue
		}
		r, size := t.next(b)
		if len(b) > 1 && (b[0] == '\r' && b[1] == '\n' || b[0] == '\n' && b[1] == '\r') {
			size = 2
		}
		b = b[size:]
		r = visible(r)
		e.flush()
		if r == '\n' {
			e.owed = true
			continue
		}
		e.n += utf8.RuneLen(r)
		if !e.measure {
			e.text.WriteRune(r)
		}
	}
}

// flush adds the line end that is owed.
func (e *expansion) flush() {
	if !e.owed {
		return
	}
	e.owed = false
	e.n++
	if !e.measure {
		e.text.WriteByte('\n')
	}
}
