package display

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// A fate is what Safe does with a rune.
type fate uint8

const (
	keep    fate = iota
	extend       // keep, but not more than maxExtends a cluster
	remove       // invisible
	replace      // by U+FFFD
	newline      // becomes a line feed
	blank        // becomes a blank
)

const (
	zwnj = '\u200C'
	zwj  = '\u200D'
	// maxExtends is how many runes may extend a character. Burmese writes up
	// to seven marks, a kiss of two skin tones six; text that runs over the
	// lines above it needs more.
	maxExtends = 8
)

// fateOf returns the fate of r, whatever stands beside it.
func fateOf(r rune) fate {
	switch {
	case r < ' ' || r >= 0x7F && r < 0xA0: // C0, DEL, C1
		switch r {
		case '\n':
			return keep
		case '\t':
			return blank
		case '\r':
			return newline
		}
		return replace
	case r == 0xAD: // soft hyphen
		return remove
	case r < 0x300:
		return keep
	case r == zwnj, r == zwj: // Persian, Indic scripts and emoji need them
		return extend
	case r == '\u2028', r == '\u2029': // line and paragraph separator
		return newline
	case unicode.Is(unicode.Cf, r):
		// Bidirectional controls, zero-width space, tags and the like; but a
		// few format characters are visible signs of Arabic and its kin.
		if unicode.Is(unicode.Prepended_Concatenation_Mark, r) {
			return keep
		}
		return remove
	case unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r): // fillers
		return remove
	case unicode.Is(unicode.Noncharacter_Code_Point, r):
		return replace
	case unicode.Is(unicode.M, r), r >= 0x1F3FB && r < 0x1F400: // marks, variation selectors, skin tones
		return extend
	}
	return keep
}

// A filter gives the runes of a text their fates, in order.
type filter struct {
	extends int
	joined  bool // the last rune was U+200D
}

func (f *filter) next(r rune, size int) fate {
	if r == utf8.RuneError && size == 1 { // not UTF-8
		*f = filter{}
		return replace
	}
	if plain(r) > 0 {
		*f = filter{}
		return keep
	}
	fate := fateOf(r)
	switch {
	case fate == remove:
	case fate == extend && f.extends == maxExtends:
		return remove
	case fate == extend:
		f.extends++
		f.joined = r == zwj
	case f.joined && r >= utf8.RuneSelf:
		f.joined = false // r is part of the cluster
	default:
		*f = filter{}
	}
	return fate
}

// Safe returns of s what may reach a terminal: text that moves no cursor,
// starts no escape sequence, hides nothing and is in the order in which it
// reads. It is UTF-8, with "\n" as the only control character; what is one
// line must go through SafeLine instead.
//
// What is not text (control characters and bytes that are not UTF-8) becomes
// U+FFFD, so that a reader sees that something stood there and what stood on
// its two sides does not run together. A tab becomes a blank; a carriage
// return, U+2028 and U+2029 become line feeds. Format characters that one does
// not see (bidirectional controls, U+200B, U+FEFF, U+00AD, tags, fillers) are
// removed: they are common in honest text, and without them it reads the same.
// U+200C, U+200D and variation selectors stay, since scripts and emoji need
// them. Of the marks on one character the first eight stay.
//
// Safe text is returned as it is, without an allocation.
func Safe(s string) string {
	var (
		f    filter
		b    []byte
		done int // s[:done] is in b
	)
	for i := 0; i < len(s); {
		if c := s[i]; c >= ' ' && c < 0x7F {
			f = filter{}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		fate := f.next(r, size)
		if fate == keep || fate == extend {
			i += size
			continue
		}
		if b == nil {
			b = make([]byte, 0, len(s)+16)
		}
		b = append(b, s[done:i]...)
		i += size
		done = i
		switch fate {
		case replace:
			b = utf8.AppendRune(b, utf8.RuneError)
		case blank:
			b = append(b, ' ')
		case newline:
			if r != '\r' || i == len(s) || s[i] != '\n' { // CR LF is one
				b = append(b, '\n')
			}
		}
	}
	if b == nil {
		return s
	}
	return string(append(b, s[done:]...))
}

// SafeLine is Safe for what must stay on one line: line feeds become " ⏎ ".
func SafeLine(s string) string {
	return strings.ReplaceAll(Safe(s), "\n", " ⏎ ")
}

// ASCII returns s, which has gone through Safe or SafeLine, for a terminal
// whose character set is not UTF-8: there the bytes of a harmless character
// can be control characters. Typographic quotes, dashes and the like become
// what a typewriter has; all else outside ASCII becomes one "?" a grapheme
// cluster.
func ASCII(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return s
	}
	b := make([]byte, 0, len(s))
	for s != "" {
		c := firstCluster(s)
		s = s[c.bytes:]
		switch {
		case c.first < utf8.RuneSelf: // without its marks
			b = append(b, byte(c.first))
		case strings.ContainsRune("‘’", c.first):
			b = append(b, '\'')
		case strings.ContainsRune("“”„", c.first):
			b = append(b, '"')
		case strings.ContainsRune("–—", c.first):
			b = append(b, '-')
		case c.first == '…':
			b = append(b, "..."...)
		case c.first == '⏎':
			b = append(b, '/')
		case c.first == '\u00A0':
			b = append(b, ' ')
		default:
			b = append(b, '?')
		}
	}
	return string(b)
}
