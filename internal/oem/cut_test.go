package oem

import (
	"strings"
	"testing"
)

func TestCut(t *testing.T) {
	for _, tt := range []struct {
		page int
		text string
		n    int
		want int
	}{
		{850, "éa", 1, 1}, {850, "éa", 2, 2}, {850, "éa", 9, 2}, {850, "", 0, 0}, {850, "a", 0, 0},
		{932, "日本", 1, 0}, {932, "日本", 2, 2}, {932, "日本", 3, 2}, {932, "a日", 2, 1},
		{65001, "日本", 5, 3}, {65001, strings.Repeat("é", 3), 5, 4},
	} {
		p, err := Lookup(tt.page)
		if err != nil {
			t.Fatal(err)
		}
		b, lost := p.EncodeText(tt.text, TextNewline)
		if got := p.Cut(b, tt.n); len(got) != tt.want || lost > 0 || !strings.HasPrefix(string(b), string(got)) {
			t.Errorf("%q in %d, cut to %d: %q", tt.text, tt.page, tt.n, got)
		}
	}
}
