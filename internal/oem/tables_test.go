package oem

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// A reference is what a page of testdata says.
type reference struct {
	chars map[int]rune // by code, below 0x100 for a single byte
	other map[int]int  // the code by which the character of a code is written, if another
}

// readReferences reads testdata/single.txt or double.txt; pages by number.
func readReferences(t *testing.T, file string) map[int]*reference {
	t.Helper()
	b, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	hex := func(s string) int {
		n, err := strconv.ParseUint(s, 16, 16)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		return int(n)
	}
	refs := make(map[int]*reference)
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		// No more than three fields: a row can begin with a blank character.
		field := strings.SplitN(line, " ", 3)
		if len(field) != 3 {
			t.Fatalf("%s: odd line %q", file, line)
		}
		page, err := strconv.Atoi(field[0])
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if refs[page] == nil {
			refs[page] = &reference{make(map[int]rune), make(map[int]int)}
		}
		code := hex(field[1])
		if other, ok := strings.CutPrefix(field[2], "> "); ok {
			refs[page].other[code] = hex(other)
		} else if file == "double.txt" {
			for _, r := range field[2] {
				refs[page].chars[code] = r
				code++
			}
		} else {
			for _, cell := range strings.Fields(field[2]) {
				if cell != "----" {
					refs[page].chars[code] = rune(hex(cell))
				}
				code++
			}
		}
	}
	return refs
}

func codeBytes(code int) []byte {
	if code > 0xFF {
		return []byte{byte(code >> 8), byte(code)}
	}
	return []byte{byte(code)}
}

// checkCode checks that p reads and writes r as code.
func checkCode(t *testing.T, p *Page, code int, r rune, written int) {
	t.Helper()
	b := codeBytes(code)
	if got, err := p.DecodeText(b, 4); got != string(r) || err != nil {
		t.Errorf("page %d: %X decodes to %+q, %v; want %+q", p.Number(), code, got, err, r)
	}
	if got := p.DecodeName(append(b, '.')); got != string(r)+"." {
		t.Errorf("page %d: %X in a name decodes to %+q; want %+q", p.Number(), code, got, r)
	}
	if got, lost := p.EncodeText(string(r), TextNewline); string(got) != string(codeBytes(written)) || lost != 0 {
		t.Errorf("page %d: %+q encodes to %X, %d lost; want %X", p.Number(), r, got, lost, written)
	}
}

func TestSingleBytePages(t *testing.T) {
	refs := readReferences(t, "single.txt")
	for _, number := range Numbers() {
		p := mustLookup(t, number)
		if p.source == (source{}) || p.source.double != nil {
			continue
		}
		ref := refs[number]
		if ref == nil {
			t.Errorf("page %d is not in testdata", number)
			continue
		}
		for code := range 0x100 {
			r, ok := ref.chars[code]
			switch {
			case !ok || 0x80 <= r && r < 0xA0:
				// No meaning, or a control character of C1.
				if got, _ := p.DecodeText([]byte{byte(code)}, 4); got != "\uFFFD" {
					t.Errorf("page %d: %X decodes to %+q, want U+FFFD", number, code, got)
				}
			case code < 0x20 || code == 0x7F:
				// Text treats these alike in all pages, which is right only if all
				// pages have them at their place.
				if r != rune(code) {
					t.Errorf("page %d: control character %X is %U", number, code, r)
				}
			default:
				checkCode(t, p, code, r, code)
			}
		}
	}
}

// userDefined are the ends of the areas of user-defined characters, and of
// rows where second bytes are left out, from Microsoft's tables.
var userDefined = map[int]map[int]rune{
	932: {0xF040: 0xE000, 0xF07E: 0xE03E, 0xF080: 0xE03F, 0xF0FC: 0xE0BB, 0xF9FC: 0xE757},
	936: {
		0xAAA1: 0xE000, 0xAFFE: 0xE233, 0xF8A1: 0xE234, 0xFEFE: 0xE4C5,
		0xA140: 0xE4C6, 0xA17E: 0xE504, 0xA180: 0xE505, 0xA1A0: 0xE525, 0xA7A0: 0xE765,
	},
	949: {0xC9A1: 0xE000, 0xC9FE: 0xE05D, 0xFEA1: 0xE05E, 0xFEFE: 0xE0BB},
	950: {
		0xFA40: 0xE000, 0xFA7E: 0xE03E, 0xFAA1: 0xE03F, 0xFEFE: 0xE310, 0x8E40: 0xE311, 0xA0FE: 0xEEB7,
		0x8140: 0xEEB8, 0x8DFE: 0xF6B0, 0xC6A1: 0xF6B1, 0xC6FE: 0xF70E, 0xC740: 0xF70F, 0xC8FE: 0xF848,
	},
}

// userCharacters is the number of user-defined characters of a page.
var userCharacters = map[int]int{932: 1880, 936: 1894, 949: 188, 950: 6217}

func TestDoubleBytePages(t *testing.T) {
	refs := readReferences(t, "double.txt")
	for number, user := range userDefined {
		p, ref := mustLookup(t, number), refs[number]
		if ref == nil {
			t.Errorf("page %d is not in testdata", number)
			continue
		}
		for code, r := range ref.chars {
			written, ok := ref.other[code]
			if !ok {
				written = code
			}
			checkCode(t, p, code, r, written)
		}
		for code, r := range user {
			checkCode(t, p, code, r, code)
		}
		// And nothing else has a meaning.
		table, private := p.decodeTable(), 0
		for code := 0x8100; code <= 0xFFFF; code++ {
			r, size := table.next(codeBytes(code))
			if size == 1 || ref.chars[code] != 0 || r == utf8.RuneError {
				continue
			}
			if r < 0xE000 || r > 0xF8FF {
				t.Errorf("page %d: %X decodes to %+q, which testdata has not", number, code, r)
			}
			private++
		}
		if private != userCharacters[number] {
			t.Errorf("page %d: %d user-defined characters, want %d", number, private, userCharacters[number])
		}
	}
}

// No second byte of a character may be a line end or a NUL, for DecodeText
// looks for those before it decodes.
func TestSecondBytes(t *testing.T) {
	for number, ref := range readReferences(t, "double.txt") {
		for code := range ref.chars {
			if code > 0xFF && (code&0xFF < firstTrail || code&0xFF > lastTrail) {
				t.Errorf("page %d: code %X has a second byte below %X", number, code, firstTrail)
			}
		}
	}
}
