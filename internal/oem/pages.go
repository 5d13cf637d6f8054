package oem

import (
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
)

// pages never changes but for the tables that its elements make when they are
// first used.
var pages = [...]Page{
	{number: 437, source: source{charmap: charmap.CodePage437}},
	{number: 720, source: source{upper: upper720}},
	{number: 737, source: source{upper: upper737}},
	{number: 775, source: source{upper: upper775}},
	{number: 850, source: source{charmap: charmap.CodePage850}},
	{number: 852, source: source{charmap: charmap.CodePage852}},
	{number: 855, source: source{charmap: charmap.CodePage855}},
	{number: 857, source: source{upper: upper857}},
	{number: 858, source: source{charmap: charmap.CodePage858}},
	{number: 860, source: source{charmap: charmap.CodePage860}},
	{number: 861, source: source{upper: upper861}},
	{number: 862, source: source{charmap: charmap.CodePage862}},
	{number: 863, source: source{charmap: charmap.CodePage863}},
	{number: 864, source: source{upper: upper864}},
	{number: 865, source: source{charmap: charmap.CodePage865}},
	{number: 866, source: source{charmap: charmap.CodePage866}},
	{number: 869, source: source{upper: upper869}},
	{number: 874, source: source{charmap: charmap.Windows874}},
	{number: 932, source: source{double: &page932}},
	{number: 936, source: source{double: &page936}},
	{number: 949, source: source{double: &page949}},
	{number: 950, source: source{double: &page950}},
	{number: 1250, source: source{charmap: charmap.Windows1250}},
	{number: 1251, source: source{charmap: charmap.Windows1251}},
	{number: 1252, source: source{charmap: charmap.Windows1252}},
	{number: 1253, source: source{charmap: charmap.Windows1253}},
	{number: 1254, source: source{charmap: charmap.Windows1254}},
	{number: 1255, source: source{charmap: charmap.Windows1255}},
	{number: 1256, source: source{charmap: charmap.Windows1256}},
	{number: 1257, source: source{charmap: charmap.Windows1257}},
	{number: 1258, source: source{charmap: charmap.Windows1258}},
	{number: 28591, source: source{charmap: charmap.ISO8859_1}},
	{number: 65001}, // UTF-8
}

// A source says what a page's table is made of: one field is set, or none for
// UTF-8, which needs no table.
type source struct {
	charmap *charmap.Charmap
	upper   string // the characters of the bytes 0x80 to 0xFF
	double  *double
}

// A span is a range of double-byte codes, both ends included.
type span struct{ first, last int }

func (s span) has(code int) bool { return s.first <= code && code <= s.last }

// A run maps codes, in ascending order, to consecutive characters. Codes with
// a second byte outside trails are skipped.
type run struct {
	codes  span
	trails []span
	first  rune
}

// A double describes a double-byte page by its differences from the encoding
// of the Encoding Standard that bears its name.
type double struct {
	encoding   encoding.Encoding
	lastLead   byte
	absent     []span // not in the page
	runs       []run  // in the page, but not or with other characters in the encoding
	decodeOnly []span // second codes of characters, which the page never writes
}

// The second bytes of user-defined characters.
var (
	trails932  = []span{{0x40, 0x7E}, {0x80, 0xFC}}
	trails936  = []span{{0x40, 0x7E}, {0x80, 0xA0}}
	trailsHigh = []span{{0xA1, 0xFE}}
	trails950  = []span{{0x40, 0x7E}, {0xA1, 0xFE}}
)

var (
	page932 = double{
		encoding: japanese.ShiftJIS,
		lastLead: 0xFC,
		runs:     []run{{span{0xF040, 0xF9FC}, trails932, 0xE000}},
		// NEC's selection of IBM's characters; written as IBM's 0xFA40 to 0xFC4B.
		decodeOnly: []span{{0xED40, 0xEEFC}},
	}
	// The encoding has 81 characters of GB 18030 that Windows has not. They stay:
	// the codes mean nothing else, and fonts for the page show them.
	page936 = double{
		encoding: simplifiedchinese.GBK,
		lastLead: 0xFE,
		runs: []run{
			{span{0xAAA1, 0xAFFE}, trailsHigh, 0xE000},
			{span{0xF8A1, 0xFEFE}, trailsHigh, 0xE234},
			{span{0xA140, 0xA7A0}, trails936, 0xE4C6},
		},
	}
	page949 = double{
		encoding: korean.EUCKR,
		lastLead: 0xFE,
		runs: []run{
			{span{0xC9A1, 0xC9FE}, trailsHigh, 0xE000},
			{span{0xFEA1, 0xFEFE}, trailsHigh, 0xE05E},
		},
	}
	// The encoding is Big5 with the characters of Hong Kong and of ETEN in the
	// places that page 950 leaves to its users.
	page950 = double{
		encoding: traditionalchinese.Big5,
		lastLead: 0xFE,
		absent:   []span{{0xA3C0, 0xA3E0}}, // control pictures
		runs: []run{
			{span{0xF9FE, 0xF9FE}, trails950, '▓'}, // U+FFED in the encoding
			{span{0xFA40, 0xFEFE}, trails950, 0xE000},
			{span{0x8E40, 0xA0FE}, trails950, 0xE311},
			{span{0x8140, 0x8DFE}, trails950, 0xEEB8},
			{span{0xC6A1, 0xC8FE}, trails950, 0xF6B1},
		},
		// ═╞╪╡, written as 0xF9F9, 0xF9E9 to 0xF9EB; 十, 卅, as 0xA451, 0xA4CA.
		decodeOnly: []span{{0xA2A4, 0xA2A7}, {0xA2CC, 0xA2CC}, {0xA2CE, 0xA2CE}},
	}
)

// table makes the table of a page; it returns nil for UTF-8.
func (s source) table() *decodeTable {
	if s == (source{}) {
		return nil
	}
	t := new(decodeTable)
	for c := range 0x80 {
		t.one[c] = rune(c)
	}
	switch {
	case s.charmap != nil:
		for c := range t.one {
			t.one[c] = s.charmap.DecodeByte(byte(c))
		}
	case s.double != nil:
		s.double.fill(t)
	default:
		copy(t.one[0x80:], []rune(s.upper))
		if s.upper == upper864 {
			t.one['%'] = '٪'
		}
	}
	t.ascii = t.one['%'] == '%'
	return t
}

func (s source) decodeOnly() []span {
	if s.double == nil {
		return nil
	}
	return s.double.decodeOnly
}

// fill sets the upper half of t.one, and t.two.
func (d *double) fill(t *decodeTable) {
	decoder := d.encoding.NewDecoder()
	// decode returns 0 if the code is not that of one character.
	decode := func(code ...byte) uint16 {
		var dst [2 * utf8.UTFMax]byte
		n, _, err := decoder.Transform(dst[:], code, true)
		r, size := utf8.DecodeRune(dst[:n])
		if err != nil || size != n || r == utf8.RuneError || r > 0xFFFF {
			return 0
		}
		return uint16(r)
	}
	for c := 0x80; c <= 0xFF; c++ {
		t.one[c] = utf8.RuneError
		if r := decode(byte(c)); r != 0 {
			t.one[c] = rune(r)
		} else if firstLead <= c && c <= int(d.lastLead) {
			t.one[c] = lead
		}
	}
	t.two = make([]uint16, doubleIndex(lastLead, lastTrail)+1)
	set := func(code int, r uint16) { t.two[doubleIndex(byte(code>>8), byte(code))] = r }
	for c, r := range t.one {
		if r == lead {
			for trail := firstTrail; trail <= lastTrail; trail++ {
				set(c<<8|trail, decode(byte(c), byte(trail)))
			}
		}
	}
	for _, s := range d.absent {
		for code := s.first; code <= s.last; code++ {
			set(code, 0)
		}
	}
	for _, run := range d.runs {
		r := uint16(run.first)
		for code := run.codes.first; code <= run.codes.last; code++ {
			for _, s := range run.trails {
				if s.has(code & 0xFF) {
					set(code, r)
					r++
				}
			}
		}
	}
}
