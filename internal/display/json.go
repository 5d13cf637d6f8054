package display

import (
	"unicode/utf16"
	"unicode/utf8"
)

// AppendSafeJSON appends json, which is encoded JSON, with every rune that Safe
// would not let through escaped as \uXXXX. The result may be printed on a
// terminal and decodes to the same value. Line feeds between the tokens stay;
// tabs and carriage returns there become blanks.
func AppendSafeJSON(b, json []byte) []byte {
	var f filter
	done := 0 // json[:done] is in b
	for i := 0; i < len(json); {
		if c := json[i]; c >= ' ' && c < 0x7F {
			f = filter{}
			i++
			continue
		}
		r, size := utf8.DecodeRune(json[i:])
		fate := f.next(r, size)
		if fate == keep || fate == extend {
			i += size
			continue
		}
		b = append(b, json[done:i]...)
		i += size
		done = i
		switch {
		case r < ' ': // stands between tokens: in a string JSON does not allow it
			b = append(b, ' ')
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			b = appendEscape(appendEscape(b, high), low)
		default:
			b = appendEscape(b, r)
		}
	}
	return append(b, json[done:]...)
}

func appendEscape(b []byte, r rune) []byte {
	const hex = "0123456789abcdef"
	return append(b, '\\', 'u', hex[r>>12&0xF], hex[r>>8&0xF], hex[r>>4&0xF], hex[r&0xF])
}
