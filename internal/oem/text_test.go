package oem

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestDecodeText(t *testing.T) {
	tests := []struct {
		name string
		page int
		in   string
		want string
	}{
		{"empty", 850, "", ""},
		{"ascii", 850, "Hello, World! ~", "Hello, World! ~"},
		{"0x14", 850, "a\x14b", "a\nb"},
		{"CR", 850, "a\rb", "a\nb"},
		{"LF", 850, "a\nb", "a\nb"},
		{"CRLF", 850, "a\r\nb", "a\nb"},
		{"LFCR", 850, "a\n\rb", "a\nb"},
		{"two 0x14", 850, "a\x14\x14b", "a\n\nb"},
		{"two CR", 850, "a\r\rb", "a\n\nb"},
		{"two LF", 850, "a\n\nb", "a\n\nb"},
		{"two CRLF", 850, "a\r\n\r\nb", "a\n\nb"},
		{"two LFCR", 850, "a\n\r\n\rb", "a\n\nb"},
		{"CRLF CR", 850, "a\r\n\rb", "a\n\nb"},
		{"CR CRLF", 850, "a\r\r\nb", "a\n\nb"},
		{"0x14 CRLF", 850, "a\x14\r\nb", "a\n\nb"},
		{"CR 0x14", 850, "a\r\x14b", "a\n\nb"},
		{"first", 850, "\r\na", "\na"},
		{"last 0x14", 850, "a\x14", "a"},
		{"last CRLF", 850, "a\r\n", "a"},
		{"last LFCR", 850, "a\n\r", "a"},
		{"last CR", 850, "a\r", "a"},
		{"one last only", 850, "a\r\n\r\n", "a\n"},
		{"only line ends", 850, "\x14\x14", "\n"},
		{"only a line end", 850, "\x14", ""},

		{"terminator", 850, "a\x00", "a"},
		{"padding", 850, "a\x00\x00\x00", "a"},
		{"line end and terminator", 850, "a\r\n\x00", "a"},
		{"only NUL", 850, "\x00\x00", ""},
		{"NUL inside", 850, "a\x00b\x00", "a␀b"},
		{"NUL before a line end", 850, "a\x00\r\n", "a␀"},

		{"tab", 850, "a\tb\t", "a b "},
		{"escape sequence", 850, "\x1B[2J\x1B]0;x\x07", "␛[2J␛]0;x␇"},
		{"C0", 850, "\x01\x08\x0B\x0C\x0E\x13\x15\x1A\x1F", "␁␈␋␌␎␓␕␚␟"},
		{"DEL", 850, "a\x7Fb", "a␡b"},
		{"C1 of a page", 28591, "\x80\x85\x9B\x9F\xA0", "\uFFFD\uFFFD\uFFFD\uFFFD\u00A0"},
		{"C1 in UTF-8", 65001, "a\u0085b\u009Bc", "a\uFFFDb\uFFFDc"},
		{"separators in UTF-8", 65001, "a\u2028b\u2029\u2029", "a\nb\n"},
		{"separator after CR", 65001, "a\r\u2028b", "a\n\nb"},

		{"850", 850, "\x82t\x82 \x9A\xE1", "été Üß"},
		{"437", 437, "\x82\xE1", "éß"},
		{"866", 866, "\x8F\xE0\xA8\xA2\xA5\xE2", "Привет"},
		{"1252", 1252, "\x80 100\x85", "€ 100…"},
		{"864 percent", 864, "5%", "5٪"},
		{"no character", 1252, "a\x81b", "a\uFFFDb"},
		{"932", 932, "\x93\xFA\x96\x7B\xBA\xDD\\~", "日本ｺﾝ\\~"},
		{"936", 936, "\xC4\xE3\xBA\xC3 \x80", "你好 €"},
		{"949", 949, "\xB0\xA1\x8C\x63", "가똠"},
		{"950", 950, "\xA7\x41\xA6\x6E", "你好"},
		{"950 as Microsoft has it", 950, "\xA1\x45\xF9\xFE\xA3\xC0\xC6\xE7", "‧▓\uFFFD\uF6F7"},
		{"UTF-8", 65001, "é日𝄞", "é日𝄞"},
		{"invalid UTF-8", 65001, "a\xFFb\xE6\x97\xED\xA0\x80", "a\uFFFDb\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD"},

		{"backslash as second byte", 932, "\x95\x5C\x5C", "表\\"},
		{"cut character", 932, "a\x93", "a\uFFFD"},
		{"cut character and terminator", 932, "a\x93\x00", "a\uFFFD"},
		{"lead before a line end", 932, "\x93\x14b", "\uFFFD\nb"},
		{"lead before CRLF", 949, "\xB0\r\nb", "\uFFFD\nb"},
		{"lead before escape", 936, "\xC4\x1B[", "\uFFFD␛["},
		{"lead before ASCII", 950, "\xA7 b", "\uFFFD b"},
		{"unknown pair", 932, "\xFC\xFCb", "\uFFFDb"},
		{"unknown pair with ASCII", 949, "\xC9Ab", "\uFFFDAb"},
		{"no lead in 932", 932, "\xFD\x93\xFA\xA0", "\uFFFD日\uFFFD"},
		{"no lead", 936, "\xFFb", "\uFFFDb"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := mustLookup(t, tt.page)
			got, err := p.DecodeText([]byte(tt.in), 1000)
			if got != tt.want || err != nil {
				t.Errorf("page %d: DecodeText(%q) = %+q, %v; want %+q", tt.page, tt.in, got, err, tt.want)
			}
			if tt.page == 65001 || isASCII(tt.in) && tt.page == 850 {
				if got := Clean(tt.in); got != tt.want {
					t.Errorf("Clean(%q) = %+q, want %+q", tt.in, got, tt.want)
				}
			}
		})
	}
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > unicode.MaxASCII }) < 0
}

func TestDecodeTextLimit(t *testing.T) {
	tests := []struct {
		name string
		page int
		in   string
		size int // of the text
	}{
		{"empty", 850, "", 0},
		{"ascii", 850, strings.Repeat("a", 100), 100},
		{"0x14", 850, "a\x14b\x14c", 5},
		{"CRLF", 850, "a\r\nb\r\nc", 5},
		{"last line end is not counted", 850, "abc\r\n", 3},
		{"last 0x14 is not counted", 850, "abc\x14", 3},
		{"one only", 850, "abc\x14\x14", 4},
		{"terminator is not counted", 850, "abc\x00\x00", 3},
		{"two bytes", 850, strings.Repeat("\x82", 10), 20},
		{"box", 437, strings.Repeat("\xDB", 10), 30},
		{"pictures", 850, strings.Repeat("\x1B", 10), 30},
		{"undefined", 1252, strings.Repeat("\x81", 10), 30},
		{"double-byte", 932, "\x93\xFA\x96\x7B", 6},
		{"four bytes", 65001, "𝄞", 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := mustLookup(t, tt.page)
			for _, limit := range []int{tt.size, tt.size + 1, math.MaxInt} {
				if s, err := p.DecodeText([]byte(tt.in), limit); len(s) != tt.size || err != nil {
					t.Errorf("limit %d: %+q, %v; want %d bytes", limit, s, err, tt.size)
				}
			}
			for _, limit := range []int{tt.size - 1, 0, -1, math.MinInt} {
				if tt.size == 0 || limit >= tt.size {
					continue
				}
				s, err := p.DecodeText([]byte(tt.in), limit)
				if s != "" || !errors.Is(err, ErrTooLong) {
					t.Errorf("limit %d: %+q, %v; want ErrTooLong", limit, s, err)
					continue
				}
				if want := fmt.Sprintf("text too long: %d bytes as UTF-8, %d allowed", tt.size, limit); err.Error() != want {
					t.Errorf("limit %d: error %q, want %q", limit, err, want)
				}
			}
		})
	}
}

// What is too long costs no memory, whatever it would have become.
func TestDecodeTextTooLongAllocates(t *testing.T) {
	p := mustLookup(t, Default)
	in := bytes.Repeat([]byte{0x1B}, 1<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := p.DecodeText(in, 1<<20)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, ErrTooLong) {
		t.Fatalf("error %v, want ErrTooLong", err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 64<<10 {
		t.Errorf("allocated %d bytes for a text that was refused", n)
	}
}

// A block border can cut a character: the blocks put together decode, the
// blocks alone do not.
func TestBlockBorder(t *testing.T) {
	text := "a" + strings.Repeat("日", 100)
	p := mustLookup(t, 932)
	b, lost := p.EncodeText(text, TextNewline)
	if lost != 0 || len(b) != 201 {
		t.Fatalf("encoded to %d bytes, %d lost", len(b), lost)
	}
	if got, err := p.DecodeText(slices.Concat(b[:128], b[128:]), 1000); got != text || err != nil {
		t.Errorf("whole: %+q, %v", got, err)
	}
	if got, err := p.DecodeText(b[:128], 1000); !strings.HasSuffix(got, "日\uFFFD") || err != nil {
		t.Errorf("block: %+q, %v", got, err)
	}
}

func TestClean(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"clean", "é\n日𝄞 \u202E", "é\n日𝄞 \u202E"},
		{"replacement character", "a\uFFFDb", "a\uFFFDb"},
		{"invalid", "a\xC3", "a\uFFFD"},
		{"line ends", "a\r\nb\rc\n\rd\x14e\u2028f\n", "a\nb\nc\nd\ne\nf"},
		{"one last only", "é\n\n", "é\n"},
		{"controls", "\x1B[31mé\u009B\x7F\t.", "␛[31mé\uFFFD␡ ."},
	}
	for _, tt := range tests {
		if got := Clean(tt.in); got != tt.want {
			t.Errorf("%s: Clean(%+q) = %+q, want %+q", tt.name, tt.in, got, tt.want)
		}
	}
}

// checkText reports what a text must not have.
func checkText(t *testing.T, s string) {
	t.Helper()
	if !utf8.ValidString(s) {
		t.Errorf("%+q is not valid UTF-8", s)
	}
	for _, r := range s {
		if r != '\n' && (unicode.IsControl(r) || r == '\u2028' || r == '\u2029') {
			t.Errorf("%+q has %U", s, r)
		}
	}
	if got := Clean(s + "\n"); got != s {
		t.Errorf("Clean changes %+q to %+q", s, got)
	}
}

func FuzzDecodeText(f *testing.F) {
	f.Add([]byte("Hello\x14\x82\r\n\n\r\x1B[2J\t\x7F\x81\x00b\x00"), 20)
	f.Add([]byte("\x93\xFA\x96\x7B\x93\x14\xFC\xFC\x93"), 9)
	f.Add([]byte("\u0085\u2028\u2029\xFF\xED\xA0\x80𝄞"), 1000)
	f.Fuzz(func(t *testing.T, b []byte, limit int) {
		for i := range pages {
			p := &pages[i]
			whole, err := p.DecodeText(b, math.MaxInt)
			if err != nil {
				t.Fatalf("page %d: %v", p.Number(), err)
			}
			checkText(t, whole)
			if len(whole) > 3*len(b) {
				t.Errorf("page %d: %d bytes became %d", p.Number(), len(b), len(whole))
			}
			s, err := p.DecodeText(b, limit)
			if fits := len(whole) <= max(limit, 0); fits != (err == nil) || fits && s != whole || !fits && s != "" {
				t.Errorf("page %d: %d bytes with limit %d: %+q, %v", p.Number(), len(whole), limit, s, err)
			}
			if err != nil && !errors.Is(err, ErrTooLong) {
				t.Errorf("page %d: error %v", p.Number(), err)
			}
			name := p.DecodeName(b)
			if strings.ContainsFunc(name, unicode.IsControl) || !utf8.ValidString(name) || strings.HasSuffix(name, " ") {
				t.Errorf("page %d: name %+q", p.Number(), name)
			}
		}
	})
}

func BenchmarkDecodeText(b *testing.B) {
	for _, bm := range []struct {
		name string
		page int
		in   string
	}{
		{"ascii", 850, strings.Repeat("0123456789", 10)},
		{"lines", 850, strings.Repeat("012345678\x14", 10)},
		{"french", 850, strings.Repeat("\x82t\x82 chaud. ", 10)},
		{"russian", 866, strings.Repeat("\x8F\xE0\xA8\xA2\xA5\xE2, ", 12)},
		{"japanese", 932, strings.Repeat("\x93\xFA\x96\x7B", 25)},
		{"controls", 850, strings.Repeat("\x1B", 100)},
	} {
		b.Run(bm.name, func(b *testing.B) {
			p, in := mustLookup(b, bm.page), []byte(bm.in)
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.DecodeText(in, 4096); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkClean(b *testing.B) {
	for _, bm := range []struct{ name, in string }{
		{"clean", strings.Repeat("été chaud\n", 10) + "."},
		{"CRLF", strings.Repeat("été chaud\r\n", 10)},
	} {
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Clean(bm.in)
			}
		})
	}
}

func TestAllocations(t *testing.T) {
	p := mustLookup(t, Default)
	for _, in := range []string{"plain text, in a message", "two\x14lines", "\x82t\x82 \x1B"} {
		b := []byte(in)
		if n := testing.AllocsPerRun(100, func() { _, _ = p.DecodeText(b, 100) }); n != 1 {
			t.Errorf("DecodeText(%q) allocates %v times, want once", in, n)
		}
	}
	if n := testing.AllocsPerRun(100, func() { Clean("été\n") }); n != 0 {
		t.Errorf("Clean of a clean text allocates %v times", n)
	}
}
