// Package oem turns the bytes of an OEM code page into Messngr's text, and
// back. It is the only place where code pages exist.
//
// Messngr's text is UTF-8 with "\n" for line ends and no other control
// character. What arrives is brought to that form in this order:
//
//   - NUL bytes at the end are dropped: some senders count their terminator.
//   - 0x14, CR, LF, CR LF and LF CR become one "\n" each. No page has one of
//     these bytes inside a character.
//   - The rest is decoded. A byte without a meaning becomes U+FFFD.
//   - TAB becomes a space. Every other control character becomes its picture
//     (ESC becomes U+241B, "␛"), those of U+0080 to U+009F become U+FFFD, and
//     the line and paragraph separators U+2028 and U+2029 become "\n".
//   - One "\n" at the end is dropped.
//
// The tables are Microsoft's. Characters that a station defines for itself, in
// pages 932, 936, 949 and 950, become the code points of the private use area
// that Windows gives them, so that they can be sent on unharmed.
//
// # Limitations
//
// A character for which the page has no code is never replaced by a similar
// one, and text is not normalised: page 1258 writes most letters of Vietnamese
// with a combining mark, and has no code for the precomposed ones.
//
// Page 864 has U+066A, the Arabic percent sign, in the place of "%".
//
// Format characters, such as the overrides of the writing direction, are no
// control characters and stay: whoever shows a text has to mind them.
package oem

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Default is the number of the code page of a station of which nothing is
// known: 850, multilingual Latin 1, which is Samba's default too.
const Default = 850

// A Page is a code page. It costs nothing until it is first used, and is safe
// for concurrent use.
type Page struct {
	number int
	source source

	decodeOnce sync.Once
	decode     *decodeTable
	encodeOnce sync.Once
	encode     encodeTable
}

// Lookup returns the code page of the given number. Its error names the pages
// that exist.
func Lookup(number int) (*Page, error) {
	for i := range pages {
		if pages[i].number == number {
			return &pages[i], nil
		}
	}
	names := strings.Trim(fmt.Sprint(Numbers()), "[]")
	return nil, fmt.Errorf("no code page %d: choose one of %s", number, names)
}

// Numbers returns the numbers of all code pages, in ascending order.
func Numbers() []int {
	numbers := make([]int, len(pages))
	for i := range pages {
		numbers[i] = pages[i].number
	}
	slices.Sort(numbers)
	return numbers
}

// Number returns the number of p, such as 850.
func (p *Page) Number() int { return p.number }
