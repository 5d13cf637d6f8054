package display

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/rivo/uniseg"
)

// forbidden reports whether r may not reach a terminal. It lists what Safe
// finds by properties.
func forbidden(r rune) bool {
	switch {
	case r < 0x20 && r != '\n', r >= 0x7F && r <= 0x9F, // C0, DEL, C1
		r == 0xAD, r == 0x34F, r == 0x61C, r == 0x115F, r == 0x1160, r == 0x17B4, r == 0x17B5, r == 0x180E,
		r >= 0x200B && r <= 0x200F && r != 0x200C && r != 0x200D,
		r >= 0x2028 && r <= 0x202E, r >= 0x2060 && r <= 0x206F,
		r == 0x3164, r == 0xFEFF, r == 0xFFA0, r >= 0xFFF0 && r <= 0xFFFB,
		r >= 0xFDD0 && r <= 0xFDEF, r&0xFFFE == 0xFFFE, // noncharacters
		r >= 0x13430 && r <= 0x1343F, r >= 0x1BCA0 && r <= 0x1BCA3, r >= 0x1D173 && r <= 0x1D17A,
		r >= 0xE0000 && r <= 0xE00FF, r >= 0xE01F0 && r <= 0xE0FFF:
		return true
	}
	return false
}

func checkSafe(t *testing.T, s string) {
	t.Helper()
	if !utf8.ValidString(s) {
		t.Errorf("not UTF-8: %q", s)
	}
	if i := strings.IndexFunc(s, forbidden); i >= 0 {
		t.Errorf("%+q passed, at byte %d", []rune(s[i:])[0], i)
	}
}

func TestSafe(t *testing.T) {
	marks := strings.Repeat("\u0301", maxExtends)
	for _, test := range []struct{ in, want string }{
		{"", ""},
		{"Server restarts.\nSoon.", "Server restarts.\nSoon."},
		{"äöü Ελλάδα Москва 東京 서울 \U0001F600", "äöü Ελλάδα Москва 東京 서울 \U0001F600"},
		{"\x1b]0;pwn\x07", "\uFFFD]0;pwn\uFFFD"},
		{"\x9b31m", "\uFFFD31m"},
		{"\u009b31m", "\uFFFD31m"},
		{"a\x00b\x7fc", "a\uFFFDb\uFFFDc"},
		{"a\tb", "a b"},
		{"a\rb\r\nc\r", "a\nb\nc\n"},
		{"a\u2028b\u2029c", "a\nb\nc"},
		{"\xff\xfe\xc3", "\uFFFD\uFFFD\uFFFD"},
		{"\xed\xa0\x80", "\uFFFD\uFFFD\uFFFD"}, // a surrogate
		{"\uFFFD", "\uFFFD"},
		{"\uFFFE\U0010FFFF", "\uFFFD\uFFFD"},
		{"a\u202Eb\u2066c\u200Ed\u061Ce", "abcde"},
		{"\uFEFFa\u200Bb\u00ADc\u2060d\u3164e\U000E0041", "abcde"},
		{"نمی\u200Cخواهم", "نمی\u200Cخواهم"},
		{"\U0001F468\u200D\U0001F469\u200D\U0001F467", "\U0001F468\u200D\U0001F469\u200D\U0001F467"},
		{"❤\uFE0F 葛\U000E0100", "❤\uFE0F 葛\U000E0100"},
		{"\u0600123", "\u0600123"},
		{"e" + marks + "e" + marks, "e" + marks + "e" + marks},
		{"e" + marks + "\u0302x", "e" + marks + "x"},
		{"👩" + strings.Repeat("\u200D", 9) + "👩\u0301", "👩" + strings.Repeat("\u200D", 8) + "👩"},
		{"e" + marks + "\u202E\u0302x", "e" + marks + "x"},
		{"👍" + strings.Repeat("🏽", 20) + "x", "👍" + strings.Repeat("🏽", maxExtends) + "x"},
		{strings.Repeat("👩\u200D", 20), strings.Repeat("👩\u200D", 8) + "👩" + strings.Repeat("👩\u200D", 8) + "👩" + "👩\u200D👩\u200D"},
	} {
		if got := Safe(test.in); got != test.want {
			t.Errorf("Safe(%+q)\n got %+q\nwant %+q", test.in, got, test.want)
		}
	}
}

func TestSafeLine(t *testing.T) {
	for in, want := range map[string]string{
		"":               "",
		"ALICE":          "ALICE",
		"one\ntwo":       "one ⏎ two",
		"one\r\ntwo\x1b": "one ⏎ two\uFFFD",
		"one\u2029two":   "one ⏎ two",
	} {
		if got := SafeLine(in); got != want {
			t.Errorf("SafeLine(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestASCII(t *testing.T) {
	for in, want := range map[string]string{
		"":      "",
		"plain": "plain",
		"“Größe” – ‘5 €’… 1\u00A0m": `"Gr??e" - '5 ?'... 1 m`,
		"one ⏎ two":          "one / two",
		"e\u0301a":           "ea",
		"👨\u200D👩\u200D👧日本!": "???!",
	} {
		if got := ASCII(in); got != want {
			t.Errorf("ASCII(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestSafeOfEveryRune(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !utf8.ValidRune(r) {
			continue
		}
		s := string(r)
		safe := Safe(s)
		if forbidden(r) == (safe == s) {
			t.Errorf("Safe(%+q) = %+q, forbidden is %v", s, safe, forbidden(r))
		}
		checkSafe(t, safe)
		for _, r := range safe {
			if n := columnsOf(string(r)); n > 2 { // cut counts on it
				t.Errorf("%+q takes %d columns", r, n)
			}
		}
	}
}

func TestPlain(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		n := plain(r)
		if n == 0 {
			continue
		}
		if w := uniseg.StringWidth(string(r)); w != n {
			t.Errorf("plain(%+q) = %d, want %d", r, n, w)
		}
		if forbidden(r) || fateOf(r) != keep {
			t.Errorf("plain(%+q), but Safe does not keep it", r)
		}
		if s := string([]rune{'x', r, r, 'x', '東', r, '東', '\uFFFD', r}); uniseg.GraphemeClusterCount(s) != 9 {
			t.Errorf("plain(%+q), but it joins with what stands beside it", r)
		}
	}
}

func TestSafeAllocatesNothing(t *testing.T) {
	for _, s := range []string{strings.Repeat("Hello ", 20), strings.Repeat("äöü 東京 👍\n", 20)} {
		if n := testing.AllocsPerRun(100, func() { Safe(s); SafeLine(s[:6]) }); n != 0 {
			t.Errorf("%v allocations for %q", n, s)
		}
	}
}

func FuzzSafe(f *testing.F) {
	for _, s := range []string{"", "Hello", "\x1b[31m", "\r\n", "e\u0301", "👨\u200D👩", "\u202Ea", "\xff", "👍🏽"} {
		f.Add(s)
		f.Add(strings.Repeat(s, 12))
	}
	f.Fuzz(func(t *testing.T, s string) {
		safe := Safe(s)
		checkSafe(t, safe)
		if again := Safe(safe); again != safe {
			t.Errorf("Safe(%+q) = %+q, again %+q", s, safe, again)
		}
		if strings.Contains(SafeLine(s), "\n") {
			t.Errorf("SafeLine(%+q) has a line feed", s)
		}
		if i := strings.IndexFunc(ASCII(safe), func(r rune) bool { return r >= utf8.RuneSelf }); i >= 0 {
			t.Errorf("ASCII(%+q) is not ASCII at byte %d", safe, i)
		}
		marks := 0
		for _, r := range safe {
			if marks++; !unicode.Is(unicode.M, r) {
				marks = 0
			}
			if marks > maxExtends {
				t.Fatalf("Safe(%+q) = %+q has more than %d marks in a row", s, safe, maxExtends)
			}
		}
	})
}

func TestAppendSafeJSON(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{`{"text":"Hello"}`, `{"text":"Hello"}`},
		{"{\n\t\"a\": 1\r\n}\n", "{\n \"a\": 1 \n}\n"},
		{"\"a\x7f\u009b\u202E\u2028é\"", `"a\u007f\u009b\u202e\u2028é"`},
		{"\"\U000E0041\"", `"\udb40\udc41"`},
		{`"\u001b"`, `"\u001b"`},
		{"\"\xff\"", `"\ufffd"`},
		{`"e` + strings.Repeat("\u0301", maxExtends+1) + `"`, `"e` + strings.Repeat("\u0301", maxExtends) + `\u0301"`},
	} {
		if got := string(AppendSafeJSON([]byte("foo"), []byte(test.in))); got != "foo"+test.want {
			t.Errorf("AppendSafeJSON(%q) = %q, want foo%s", test.in, got, test.want)
		}
	}
}

func FuzzAppendSafeJSON(f *testing.F) {
	for _, s := range []string{
		`{"id":"01","text":"Hello","to":["a",1,null,true]}`, "\"\x7f\u009b\u202E\u2028\u2066\U000E0041\xff\"", "[\n\t1,\r\n 2]",
		"{\"\u202E\":\"\u202E\"}", `"\ud83d"`, "\"\\ud83d\U000E0041\"", "\"e" + strings.Repeat("\u0301", 12) + "\"", "\"\\\\\u202E\"", "\"👨\u200D👩\"",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		out := AppendSafeJSON(nil, in)
		checkSafe(t, string(out))
		var want, got any
		if json.Unmarshal(in, &want) != nil {
			return
		}
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatalf("%q became %q: %v", in, out, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q became %q (-want +got):\n%s", in, out, diff)
		}
		if again := AppendSafeJSON(nil, out); !bytes.Equal(again, out) {
			t.Errorf("%q became %q, again %q", in, out, again)
		}
	})
}

func BenchmarkSafe(b *testing.B) {
	for name, s := range map[string]string{"ascii": strings.Repeat("x", 100), "german": strings.Repeat("fährt", 17), "arabic": strings.Repeat("رسالة", 10)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Safe(s)
			}
		})
	}
}

func BenchmarkAppendSafeJSON(b *testing.B) {
	in := []byte(`{"id":"01990000-0000-7000-8000-000000000000","from":"ALICE","to":"HOST2","text":"Der Server fährt in fünf Minuten herunter."}`)
	out := make([]byte, 0, 2*len(in))
	b.ReportAllocs()
	for b.Loop() {
		out = AppendSafeJSON(out[:0], in)
	}
}
