package oem

import (
	"strings"
	"testing"
)

func TestEncodeText(t *testing.T) {
	tests := []struct {
		name    string
		page    int
		newline Newline
		in      string
		want    string
		lost    int
	}{
		{"empty", 850, TextNewline, "", "", 0},
		{"ascii", 850, TextNewline, "Hello", "Hello", 0},
		{"text newline", 850, TextNewline, "a\nb\r\nc\rd\n\re", "a\x14b\x14c\x14d\x14e", 0},
		{"CRLF", 850, CRLF, "a\nb\r\nc\rd\n\re\n\nf", "a\r\nb\r\nc\r\nd\r\ne\r\n\r\nf", 0},
		{"last line end stays", 850, TextNewline, "a\n", "a\x14", 0},
		{"last line ends stay", 850, CRLF, "a\n\n", "a\r\n\r\n", 0},
		{"850", 850, TextNewline, "été Üß", "\x82t\x82 \x9A\xE1", 0},
		{"no euro", 850, TextNewline, "5 € or 6 €", "5 ? or 6 ?", 2},
		{"858 has it", 858, TextNewline, "5 €", "5 \xD5", 0},
		{"936 has it as a byte", 936, TextNewline, "€", "\x80", 0},
		{"beyond 16 bits", 437, TextNewline, "a𝄞b", "a?b", 1},
		{"one for each character", 437, TextNewline, "日本", "??", 2},
		{"864 percent", 864, TextNewline, "5% 5٪", "5? 5%", 1},
		{"932", 932, TextNewline, "日本ｺ\\", "\x93\xFA\x96\x7B\xBA\\", 0},
		{"932 as Windows writes it", 932, TextNewline, "ⅰ纊", "\xFA\x40\xFA\x5C", 0},
		{"950 as Windows writes it", 950, TextNewline, "═十", "\xF9\xF9\xA4\x51", 0},
		{"950 has no kana", 950, TextNewline, "あ", "?", 1},
		{"user-defined", 932, TextNewline, "\uE000", "\xF0\x40", 0},
		{"UTF-8", 65001, CRLF, "é\n𝄞", "é\r\n𝄞", 0},
		{"controls", 850, TextNewline, "a\x1B[m\x7F\tb", "a?[m? b", 2},
		{"0x14", 850, CRLF, "a\x14b", "a\r\nb", 0},
		{"C1", 28591, TextNewline, "a\u0085b", "a?b", 1},
		{"invalid UTF-8", 850, TextNewline, "a\xFFb", "a?b", 1},
		{"replacement character", 1252, TextNewline, "\uFFFD", "?", 1},
		{"terminator", 850, TextNewline, "a\x00", "a", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, lost := mustLookup(t, tt.page).EncodeText(tt.in, tt.newline)
			if string(got) != tt.want || lost != tt.lost {
				t.Errorf("page %d: EncodeText(%+q) = %q, %d; want %q, %d", tt.page, tt.in, got, lost, tt.want, tt.lost)
			}
		})
	}
}

func FuzzEncodeText(f *testing.F) {
	f.Add("été\r\nb\n\n")
	f.Add("日本ｺ表\\\x14\x1B\x00")
	f.Add("\u2028\u0085\xFF€𝄞٪%")
	f.Fuzz(func(t *testing.T, s string) {
		want := Clean(s)
		checkText(t, want)
		for i := range pages {
			p := &pages[i]
			for _, newline := range []Newline{TextNewline, CRLF} {
				b, lost := p.EncodeText(s, newline)
				got, err := p.DecodeText(b, 3*len(s))
				if err != nil {
					t.Fatalf("page %d: %v", p.Number(), err)
				}
				if lost == 0 && got != want {
					t.Errorf("page %d: %+q became %q, and that %+q", p.Number(), s, b, got)
				}
				if lost > 0 && got == want {
					t.Errorf("page %d: %+q: %d lost, but all came back", p.Number(), s, lost)
				}
			}
			if b, err := p.EncodeName(s); err == nil {
				if got, err := p.EncodeName(p.DecodeName(b)); err != nil || string(got) != strings.TrimRight(string(b), " ") {
					t.Errorf("page %d: name %q became %q, %v", p.Number(), b, got, err)
				}
			}
		}
	})
}

func BenchmarkEncodeText(b *testing.B) {
	for _, bm := range []struct {
		name string
		page int
		in   string
	}{
		{"ascii", 850, strings.Repeat("0123456789", 10)},
		{"french", 850, strings.Repeat("été chaud\n", 10)},
		{"japanese", 932, strings.Repeat("日本", 25)},
	} {
		b.Run(bm.name, func(b *testing.B) {
			p := mustLookup(b, bm.page)
			b.ReportAllocs()
			for b.Loop() {
				p.EncodeText(bm.in, TextNewline)
			}
		})
	}
}
