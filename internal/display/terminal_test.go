package display

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/rivo/uniseg"

	"github.com/messngr/messngr"
)

var update = flag.Bool("update", false, "write the popups in testdata anew")

var morning = time.Date(2026, 11, 23, 8, 40, 0, 0, time.UTC)

func message(text string) *messngr.Message {
	return &messngr.Message{
		ID: messngr.ID{1}, From: "ALICE", To: "HOST2", Text: text, Received: morning,
		Source:     messngr.Source{Transport: messngr.SMB, Addr: netip.MustParseAddrPort("192.168.1.7:1030")},
		Provenance: messngr.Claimed,
	}
}

func TestPopups(t *testing.T) {
	const zalgo = "Z\u0351\u036B\u0343\u036A\u0302\u036B\u033D\u034F\u0334\u0319\u0324\u031E\u0349\u035A\u032F\u031E\u0320\u034DA\u036B\u0357\u0334\u0362\u0335\u031C\u0330\u0354L\u0368\u0367\u0369\u0358\u0320G\u0311\u0357\u030E\u0305\u035B\u0341\u0334\u033B\u0348\u034D\u0354\u0339O\u0342\u030C\u030C\u0358\u0328\u0335\u0339\u033B\u031D\u0333"
	tests := []struct {
		name   string
		config Config
		from   string
		text   string
	}{
		{name: "plain", text: "Server restarts in five minutes."},
		{name: "empty"},
		{name: "wrapped", text: strings.Repeat("The quick brown fox jumps over the lazy dog. ", 5)},
		{name: "lines", text: "Dear all,\n\n  1. save your work\n  2. log off\n\nThe administrator"},
		{name: "indented", text: "    " + strings.Repeat("x", 74) + " after\n" + strings.Repeat(" ", 90) + "far out"},
		{name: "longword", text: "See https://intranet.example.com/" + strings.Repeat("path/", 20) + " for more."},
		{name: "exact", text: strings.Repeat("x", 76) + "\n" + strings.Repeat("y", 77)},
		{name: "narrow", config: Config{Width: 24}, text: "Server restarts in five minutes. 日本語の文章です。"},
		{name: "wide", text: "東京のサーバーは五分後に再起動します。作業中のファイルを保存して、「ログオフ」してください。(ご協力ありがとうございます。)"},
		{name: "emoji", text: "family 👨‍👩‍👧‍👦, skin 👍🏽, heart ❤️, flag 🇩🇪, keycap 3️⃣\n" + strings.Repeat("👩‍🚒", 50)},
		{name: "combining", text: "e\u0301te\u0301, นี่คือข้อความ, हिन्दी में संदेश, Tiếng Việt, ⸺ and ⸻"},
		{name: "righttoleft", from: "דנה", text: "השרת יופעל מחדש בעוד חמש דקות.\nسيتم إعادة تشغيل الخادم خلال خمس دقائق."},
		{name: "feeds", text: strings.Repeat("\n", 200)},
		{name: "manyfeeds", text: strings.Repeat("\n", 64<<10)},
		{name: "noblank", text: strings.Repeat("0123456789abcdef", 4<<10)},
		{name: "escapes", from: "\x1b]0;pwn\x07", text: "\x1b]0;pwn\x07 \x9b31m \u009b31m \x1b[2J\r\x00\x7f\ttab\xff"},
		{name: "bidi", from: "ECILA\u202E", text: "\u202Egnirts\u202C \u2066isolated\u2069 \u200Fmark\u200E zero\u200Bwidth \uFEFFbom so\u00ADft tag\U000E0041\U000E007F"},
		{name: "zalgo", text: zalgo},
		{name: "forged", from: "ALICE\nto", text: "│\n└──────────────────────────────────────────────────────────────┘\n┌─ Messenger Service ─┐"},
		{name: "header", config: Config{Header: "{provenance} {from} by {transport} from {source},\nto {to}: {date}.", Date: "%A, %d %B %Y, %H:%M %z", Location: time.FixedZone("", 3600)}, text: "Hello"},
		{name: "german", config: Config{Locale: "de_DE.UTF-8"}, text: "Der Server wird in fünf Minuten neu gestartet."},
		{name: "ascii", config: Config{ASCII: true}, from: "JÖRG", text: "“Größe” – it’s 5 €… 日本 👨‍👩‍👧 e\u0301\u202E"},
		{name: "color", config: Config{Color: true, Bell: true}, text: "Server restarts in five minutes."},
	}
	var files []string
	for _, test := range tests {
		file := filepath.Join("testdata", "popups", test.name+".txt")
		files = append(files, file)
		t.Run(test.name, func(t *testing.T) {
			if test.config.Location == nil {
				test.config.Location = time.UTC
			}
			m := message(test.text)
			if test.from != "" {
				m.From = test.from
			}
			got := show(t, test.config, m)
			checkPopup(t, got, test.config)
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
				t.Errorf("%s (-want +got):\n%s", file, diff)
			}
		})
	}
	have, err := filepath.Glob(filepath.Join("testdata", "popups", "*"))
	if err != nil || len(have) != len(files) {
		t.Errorf("testdata/popups holds %d files for %d tests: %q, %v", len(have), len(files), have, err)
	}
}

// show returns what a Terminal of config writes for m.
func show(t *testing.T, config Config, m *messngr.Message) string {
	t.Helper()
	var b bytes.Buffer
	terminal, err := NewTerminal(&b, config)
	if err != nil {
		t.Fatal(err)
	}
	if err := terminal.Show(m); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// checkPopup checks what is true of every popup.
func checkPopup(t *testing.T, popup string, config Config) {
	t.Helper()
	side, width := "│", config.Width
	if config.ASCII {
		side = "|"
	}
	if width == 0 {
		width = 80
	}
	width = max(width, 24)

	if config.Bell {
		rest, found := strings.CutPrefix(popup, "\a")
		if popup = rest; !found {
			t.Error("no bell")
		}
	}
	if config.Color {
		popup = strings.Replace(popup, "\x1b[1mMessenger Service\x1b[0m", "Messenger Service", 1)
	}
	checkSafe(t, popup)

	body, found := strings.CutSuffix(popup, "\n")
	if !found {
		t.Error("no line feed at the end")
	}
	lines := strings.Split(body, "\n")
	if len(lines) < 5 {
		t.Fatalf("%d lines", len(lines))
	}
	columns := terminalColumns(lines[0])
	if columns > width {
		t.Errorf("%d columns, want at most %d", columns, width)
	}
	for i, line := range lines {
		if n := terminalColumns(line); n != columns {
			t.Errorf("line %d has %d columns, the first %d: %q", i+1, n, columns, line)
		}
		if edge := i == 0 || i == len(lines)-1; !edge && (!strings.HasPrefix(line, side+" ") || !strings.HasSuffix(line, " "+side)) {
			t.Errorf("line %d lacks its sides: %q", i+1, line)
		}
		if config.ASCII && strings.ContainsFunc(line, func(r rune) bool { return r >= utf8.RuneSelf }) {
			t.Errorf("line %d is not ASCII: %q", i+1, line)
		}
	}
}

// terminalColumns measures a line by other means than the frame: whole, with
// the two dashes that uniseg overrates replaced.
func terminalColumns(line string) int {
	return uniseg.StringWidth(strings.NewReplacer("\u2E3A", "-", "\u2E3B", "-").Replace(line))
}

func FuzzShow(f *testing.F) {
	for _, text := range []string{
		"", "Server restarts in five minutes.", "\x1b]0;pwn\x07", "\x9b31m", "\u202E\u2066", "a\u0301\u0301", "日本語、。「」", "👨‍👩‍👧❤️🇩🇪",
		"\u0600 x", " \u0301", "ᄀᄀ가각", "\u0915\u093E\u093E", "⸺⸻", "\r\n\u2028", strings.Repeat("ᄀ", 100), strings.Repeat("👨\u200D", 100), "   x  y   ",
	} {
		f.Add("ALICE", text, uint8(80), uint8(0))
		f.Add(text, strings.Repeat(text+" ", 20), uint8(30), uint8(0))
		f.Add(text, text, uint8(255), uint8(7))
	}
	f.Fuzz(func(t *testing.T, from, text string, width, flags uint8) {
		config := Config{Width: int(width), ASCII: flags&1 != 0, Color: flags&2 != 0, Bell: flags&4 != 0, Location: time.UTC}
		checkShow(t, from, text, config)
	})
}

// TestShowRandom makes texts of the characters that are hard to measure, which
// a fuzzer of bytes seldom puts together.
func TestShowRandom(t *testing.T) {
	palette := []rune("    ab.(\n\t\x1b\u00A0\u0301\u0323\u202E\u200B\u200C\u200D\u200D\uFE0E\uFE0F\u20E3#é©™日、「ｱ\uFF9Eᄀᄀ각ᅡᆨ가각\u0600\u0915\u094D\u093E\u0E33ש⸺⸻❤👨👩🏽🇩🇪\U000E0041\U000E0100\uE000\U0001FAE9\uFFFE")
	for seed := range uint64(5000) {
		random := rand.New(rand.NewPCG(seed, 0))
		text := func() string {
			runes := make([]rune, random.IntN(200))
			some := palette[random.IntN(len(palette)):]
			some = some[:1+random.IntN(len(some))]
			for i := range runes {
				runes[i] = some[random.IntN(len(some))]
			}
			return string(runes)
		}
		checkShow(t, text(), text(), Config{Width: random.IntN(260), ASCII: random.IntN(4) == 0, Location: time.UTC})
		if t.Failed() {
			t.Fatalf("with seed %d", seed)
		}
	}
}

// checkShow shows a message and checks that, but for blanks, nothing of it is
// lost.
func checkShow(t *testing.T, from, text string, config Config) {
	t.Helper()
	m := message(text)
	m.From = from
	popup := show(t, config, m)
	checkPopup(t, popup, config)

	lines := strings.Split(strings.TrimSuffix(popup, "\n"), "\n")
	if config.ASCII || len(lines) > maxLines {
		return
	}
	var shown strings.Builder
	for _, line := range lines[1 : len(lines)-1] {
		shown.WriteString(strings.TrimSuffix(strings.TrimPrefix(line, "│"), "│"))
	}
	blanks := strings.NewReplacer(" ", "", "\n", "")
	want := blanks.Replace("Message from " + SafeLine(from) + " to HOST2 on 11/23/2026 8:40:00 AM" + Safe(text))
	if got := blanks.Replace(shown.String()); got != want {
		t.Errorf("shown %q\nwant  %q", got, want)
	}
}

// A writes counts calls of Write and fails with err.
type writes struct {
	n   int
	err error
}

func (w *writes) Write(p []byte) (int, error) {
	w.n++
	return len(p), w.err
}

func TestShowWritesOnce(t *testing.T) {
	w := &writes{}
	terminal, err := NewTerminal(w, Config{})
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range []string{"Hello", strings.Repeat("Hello\n", 900), "Hello"} {
		if err := terminal.Show(message(text)); err != nil || w.n != i+1 {
			t.Fatalf("%d writes for %d popups, %v", w.n, i+1, err)
		}
	}
	w.err = io.ErrClosedPipe
	if err := terminal.Show(message("Hello")); !errors.Is(err, w.err) {
		t.Errorf("Show: %v, want %v", err, w.err)
	}
	if err := terminal.Missed(1); !errors.Is(err, w.err) {
		t.Errorf("Missed: %v, want %v", err, w.err)
	}
}

func TestMissed(t *testing.T) {
	for _, test := range []struct {
		n     int
		ascii bool
		want  string
	}{
		{1, false, "… 1 more message not shown here; messngr inbox lists it.\n"},
		{1234567, false, "… 1,234,567 more messages not shown here; messngr inbox lists them.\n"},
		{1234, true, "... 1,234 more messages not shown here; messngr inbox lists them.\n"},
	} {
		var b bytes.Buffer
		terminal, err := NewTerminal(&b, Config{ASCII: test.ascii})
		if err != nil {
			t.Fatal(err)
		}
		if err := terminal.Missed(test.n); err != nil {
			t.Fatal(err)
		}
		if b.String() != test.want {
			t.Errorf("Missed(%d): %q, want %q", test.n, b.String(), test.want)
		}
	}
}

func TestNewTerminalErrors(t *testing.T) {
	for _, test := range []struct {
		config Config
		want   string
	}{
		{Config{Header: "From {form}"}, `header "From {form}": unknown word {form}; there are {from}, {to}, {date}, {transport}, {source}, {provenance}`},
		{Config{Header: "From {from"}, `header "From {from": { without }`},
		{Config{Header: "{}"}, `header "{}": unknown word {}; there are {from}, {to}, {date}, {transport}, {source}, {provenance}`},
		{Config{Date: "%H:%K"}, `date layout "%H:%K": unknown verb %K; the verbs are those of strftime`},
		{Config{Date: "%_d"}, `date layout "%_d": unknown verb %_; the verbs are those of strftime`},
		{Config{Date: "%Ed %é"}, `date layout "%Ed %é": unknown verb %Ed; the verbs are those of strftime`},
		{Config{Date: "%é"}, `date layout "%é": unknown verb %é; the verbs are those of strftime`},
		{Config{Date: "100%"}, `date layout "100%": "%" at its end lacks a verb; write %% for a percent sign`},
		{Config{Date: "%-"}, `date layout "%-": "%-" at its end lacks a verb; write %% for a percent sign`},
	} {
		if terminal, err := NewTerminal(io.Discard, test.config); err == nil || err.Error() != test.want || terminal != nil {
			t.Errorf("NewTerminal(%+v): %v\nwant %s", test.config, err, test.want)
		}
	}
}

func BenchmarkShow(b *testing.B) {
	for _, bench := range []struct{ name, text string }{
		{"ascii", strings.Repeat("Server restarts in five minutes. ", 4)[:100]},
		{"german", strings.Repeat("Der Server fährt gleich herunter. ", 3)[:100]},
		{"japanese", strings.Repeat("サーバーは五分後に再起動します。", 7)[:99]},
		{"feeds64k", strings.Repeat("\n", 64<<10)},
		{"jamo64k", strings.Repeat("ᄀ", 64<<10/3)},
	} {
		b.Run(bench.name, func(b *testing.B) {
			terminal, err := NewTerminal(io.Discard, Config{})
			if err != nil {
				b.Fatal(err)
			}
			m := message(bench.text)
			b.ReportAllocs()
			for b.Loop() {
				if err := terminal.Show(m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
