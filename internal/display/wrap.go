package display

import (
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// A line of a popup: text without a line feed and the columns that it takes.
type line struct {
	text    string
	columns int
}

// appendLines breaks s into lines of at most width columns and appends them,
// until there are limit lines in all. s has gone through Safe. An empty s is
// one empty line.
func appendLines(lines []line, s string, width, limit int) []line {
	for len(lines) < limit {
		paragraph, rest, more := strings.Cut(s, "\n")
		lines = appendParagraph(lines, paragraph, width, limit)
		if !more {
			break
		}
		s = rest
	}
	return lines
}

// appendParagraph does the same for an s without a line feed. Blanks at the
// end of a line, and at the start of one that continues another, are dropped.
func appendParagraph(lines []line, s string, width, limit int) []line {
	s = strings.TrimRight(s, " ")
	if s == "" {
		return append(lines, line{})
	}
	for s != "" && len(lines) < limit {
		n, columns := fit(s, width)
		if strings.Trim(s[:n], " ") != "" { // an indentation as wide as the line makes none
			lines = append(lines, line{s[:n], columns})
		}
		s = strings.TrimLeft(s[n:], " ")
	}
	return lines
}

// fit returns how many bytes of s, which does not end in a blank, make the next
// line of at most width columns, and the columns that they take. It breaks
// before a blank or beside an East Asian character; a word too long for a line
// is broken between two grapheme clusters.
func fit(s string, width int) (n, columns int) {
	if n := fitASCII(s, width); n > 0 {
		return n, n
	}
	var (
		used    int // columns so far, blanks included, by the terminal that counts most
		shown   int // columns up to the last character that is no blank
		gap     int // columns of the blanks behind it
		at, sum int // the last place where the line may be broken, the columns before it
		// Of the cluster before:
		last        rune
		wide, blank bool
	)
	for i := 0; i < len(s); {
		c := firstCluster(s[i:])
		switch {
		case i == 0, blank: // never before the second of two blanks
		case c.blank(), (wide || c.wide) && !opens(last) && !closes(c.first):
			at, sum = i, shown
		}
		if used+c.most > width {
			switch {
			case at > 0:
				return at, sum
			case i > 0:
				return i, shown
			}
			return cut(s[:c.bytes], width)
		}
		used += c.most
		last, wide, blank = c.first, c.wide, c.blank()
		if gap += c.columns; !blank {
			shown, gap = shown+gap, 0
		}
		i += c.bytes
	}
	return len(s), shown
}

// fitASCII is fit for the usual text: ASCII, where a byte is a column. It
// returns 0 if there is anything else on the line or right behind it.
func fitASCII(s string, width int) int {
	for i := range min(len(s), width+2) {
		if s[i] >= utf8.RuneSelf {
			return 0
		}
	}
	if len(s) <= width {
		return len(s)
	}
	if i := strings.LastIndexByte(s[:width+1], ' '); i > 0 {
		if text := strings.TrimRight(s[:i], " "); text != "" {
			return len(text)
		}
	}
	return width
}

// opens reports whether r must not end a line.
func opens(r rune) bool {
	switch r {
	case '(', '[', '{', '‘', '“', '\u00A0', '〈', '《', '「', '『', '【', '〔', '（', '［', '｛':
		return true
	}
	return false
}

// closes reports whether r must not start a line.
func closes(r rune) bool {
	switch r {
	case ')', ']', '}', '.', ',', ':', ';', '!', '?', '%', '’', '”', '\u00A0', '…',
		'、', '。', '々', '〉', '》', '」', '』', '】', '〕', 'ー', '！', '）', '，', '．', '：', '；', '？', '］', '｝':
		return true
	}
	return false
}

// cut is fit for a cluster that is too wide for any line. No character takes
// more than two columns.
func cut(s string, width int) (n, columns int) {
	for i := 0; i < width/2 && n < len(s); i++ {
		_, size := utf8.DecodeRuneInString(s[n:])
		n += size
	}
	return n, columnsOf(s[:n])
}

// A cluster is what a reader takes for one character, as described in Unicode
// Standard Annex #29 3.
type cluster struct {
	first   rune
	bytes   int
	columns int  // that it takes
	most    int  // that it takes in a terminal that draws each of its runes for itself
	wide    bool // an East Asian character or an emoji
}

func (c cluster) blank() bool { return c.first == ' ' && c.bytes == 1 }

// maxCluster is the bytes that firstCluster looks at. Safe leaves no honest
// cluster longer than about half of it; what is longer, such as a run of
// thousands of leading jamo, gets lines of its own.
const maxCluster = 128

// firstCluster returns the first cluster of s, which is not empty.
func firstCluster(s string) cluster {
	if s[0] < utf8.RuneSelf && (len(s) == 1 || s[1] < utf8.RuneSelf) {
		return cluster{first: rune(s[0]), bytes: 1, columns: 1, most: 1}
	}
	first, size := utf8.DecodeRuneInString(s)
	if n := plain(first); n > 0 {
		next, _ := utf8.DecodeRuneInString(s[size:])
		if size == len(s) || next < utf8.RuneSelf || plain(next) > 0 {
			return cluster{first, size, n, n, n > 1}
		}
	}
	text, _, columns, _ := uniseg.FirstGraphemeClusterInString(s[:min(len(s), maxCluster)], -1)
	c := cluster{first: first, bytes: len(text), columns: columns - dashes(text)}
	for i, r := range text {
		c.most += uniseg.StringWidth(string(r))
		if i == 0 {
			c.wide = c.most == 2
		}
		if r == 0xFE0F { // asks for the emoji's two columns
			c.most = max(c.most, 2)
		}
	}
	if c.most = max(c.columns, c.most-dashes(text)); len(text) > maxCluster-utf8.UTFMax {
		c.most = 1 << 20
	}
	return c
}

// plain returns the columns of r if it is a common letter or punctuation mark
// that forms a cluster with nothing but a combining mark behind it, else 0. It
// saves most text of the world the search through the tables of Unicode.
func plain(r rune) int {
	switch {
	case r >= 0xA0 && r < 0x300 && r != '©' && r != '\u00AD' && r != '®', // Latin
		r >= 0x370 && r < 0x483,   // Greek, Cyrillic
		r >= 0x2010 && r < 0x2028, // dashes, quotes, bullets
		r == utf8.RuneError:
		return 1
	case r >= 0x3041 && r < 0x3097, r >= 0x30A1 && r < 0x3100, // Kana
		r >= 0x3400 && r < 0x4DC0, r >= 0x4E00 && r < 0xA000, // Han
		r >= 0xAC00 && r < 0xD7A4, // Hangul
		r >= 0xFF01 && r < 0xFF61, r == '、', r == '。', r == '「', r == '」':
		return 2
	}
	return 0
}

// columnsOf returns the columns that s takes in a terminal. s is one line that
// has gone through Safe.
func columnsOf(s string) int { return uniseg.StringWidth(s) - dashes(s) }

// dashes returns by how many columns uniseg overrates s: it gives U+2E3A three
// columns and U+2E3B four, where terminals draw them in one.
func dashes(s string) int {
	return 2*strings.Count(s, "\u2E3A") + 3*strings.Count(s, "\u2E3B")
}
