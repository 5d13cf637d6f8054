package oem

import (
	"slices"
	"unicode/utf8"
)

// lead is the decodeTable's mark of a byte that begins a double-byte character.
const lead = -1

// The bytes that can begin a double-byte character, and those that can end one.
const (
	firstLead, lastLead   = 0x81, 0xFE
	firstTrail, lastTrail = 0x40, 0xFE
)

// A decodeTable holds the characters of a page.
type decodeTable struct {
	one   [256]rune // utf8.RuneError where there is none
	two   []uint16  // by doubleIndex, 0 where there is none; nil in single-byte pages
	ascii bool      // what isASCII reports; false in page 864
}

func doubleIndex(lead, trail byte) int {
	return int(lead-firstLead)*(lastTrail-firstTrail+1) + int(trail-firstTrail)
}

// decodeTable returns p's table, which is made at the first call. It is nil
// for UTF-8.
func (p *Page) decodeTable() *decodeTable {
	p.decodeOnce.Do(func() { p.decode = p.source.table() })
	return p.decode
}

// isASCII reports whether the bytes 0x20 to 0x7E are ASCII.
func (t *decodeTable) isASCII() bool { return t == nil || t.ascii }

// next decodes the first character of b, which is not empty, and returns the
// number of its bytes. What has no meaning is utf8.RuneError.
func (t *decodeTable) next(b []byte) (rune, int) {
	if t == nil {
		return utf8.DecodeRune(b)
	}
	r := t.one[b[0]]
	if r != lead {
		return r, 1
	}
	if len(b) > 1 && firstTrail <= b[1] && b[1] <= lastTrail {
		if r := rune(t.two[doubleIndex(b[0], b[1])]); r != 0 {
			return r, 2
		}
	}
	// An unknown pair counts as one character, but never takes an ASCII
	// character or a line end with it.
	if len(b) > 1 && b[1] >= utf8.RuneSelf {
		return utf8.RuneError, 2
	}
	return utf8.RuneError, 1
}

// An encodeTable is sorted; each entry is a character (16 bits) and its code
// (16 bits, below 0x100 for a single byte).
type encodeTable []uint32

// encodeTable returns p's table, which is made at the first call. It is nil
// for UTF-8.
func (p *Page) encodeTable() encodeTable {
	p.encodeOnce.Do(func() {
		if t := p.decodeTable(); t != nil {
			p.encode = t.invert(p.source.decodeOnly())
		}
	})
	return p.encode
}

// invert returns the way back. Where a character has several codes the lowest
// is taken that is not in decodeOnly.
func (t *decodeTable) invert(decodeOnly []span) encodeTable {
	var e encodeTable
	add := func(r rune, code int) {
		if r != lead && r != utf8.RuneError && visible(r) == r {
			e = append(e, uint32(r)<<16|uint32(code))
		}
	}
	for c, r := range t.one {
		add(r, c)
	}
	for i, r := range t.two {
		const trails = lastTrail - firstTrail + 1
		code := (i/trails+firstLead)<<8 | (i%trails + firstTrail)
		if r != 0 && !slices.ContainsFunc(decodeOnly, func(s span) bool { return s.has(code) }) {
			add(rune(r), code)
		}
	}
	slices.Sort(e)
	return slices.Clone(slices.CompactFunc(e, func(a, b uint32) bool { return a>>16 == b>>16 }))
}

// code returns the code of r, and reports whether it has one.
func (e encodeTable) code(r rune) (uint16, bool) {
	if r < 0 || r > 0xFFFF {
		return 0, false
	}
	i, _ := slices.BinarySearch(e, uint32(r)<<16)
	if i == len(e) || e[i]>>16 != uint32(r) {
		return 0, false
	}
	return uint16(e[i]), true
}

// appendRune appends the code of r, and reports whether it has one.
func (p *Page) appendRune(b []byte, r rune) ([]byte, bool) {
	if p.source == (source{}) {
		return utf8.AppendRune(b, r), true
	}
	code, ok := p.encodeTable().code(r)
	switch {
	case !ok:
		return b, false
	case code > 0xFF:
		return append(b, byte(code>>8), byte(code)), true
	default:
		return append(b, byte(code)), true
	}
}
