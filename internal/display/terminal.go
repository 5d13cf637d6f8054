// Package display puts messages in front of people. So far that is a terminal:
// a [Terminal] writes one framed popup a message, after the dialog of Windows'
// Messenger Service.
//
//	┌─ Messenger Service ──────────────────────────────────────────┐
//	│ Message from ALICE to HOST2 on 11/23/2026 8:40:00 AM         │
//	│                                                              │
//	│ Server restarts in five minutes.                             │
//	└──────────────────────────────────────────────────────────────┘
//
// Nothing that a sender wrote reaches a terminal but through [Safe], or
// through [AppendSafeJSON] where the output is JSON.
//
// # Limitations
//
// Terminals disagree about the width of emoji that are made of several
// characters (skin tones, families joined by U+200D, U+FE0F). The frame counts
// such a cluster as one, two columns wide, as newer terminals do; on an older
// one the right edge of that line stands out. The text itself never runs past
// the edge of the terminal, whichever way that one counts.
//
// Right-to-left text is written in its logical order; ordering it for the eye
// is left to the terminal.
package display

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/messngr/messngr"
)

const (
	title = "Messenger Service"
	// defaultWidth and minWidth are columns of a whole frame. A terminal
	// narrower than minWidth folds the frame.
	defaultWidth, minWidth = 80, 24
	// usualText is the columns of text that a frame has room for even if
	// nothing in it is so long, so that one popup looks like the next.
	usualText = 60
	// maxLines bounds a popup. Without it a text of line feeds alone would
	// scroll everything else away, at 65 times its own size.
	maxLines = 1000
	// keptBuffer is the bytes of buffer that stay allocated between popups.
	keptBuffer = 64 << 10
)

// A Config says how a Terminal shows messages. Its zero value is the popup of
// an American Windows, 80 columns wide, in UTF-8, in local time, without color
// or bell.
type Config struct {
	// Header is the template of the first line; empty means
	// DefaultHeader. The words in braces that it may hold are {from}, {to},
	// {date}, {transport}, {source} (the sender's address, or "local") and
	// {provenance}.
	Header string
	// Date is the strftime layout of {date}; empty means that of Locale.
	Date string
	// Locale is a locale's name, such as "de_DE.UTF-8", for DateLayout. See
	// the function Locale.
	Locale string
	// Location is the time zone of {date}; nil means time.Local.
	Location *time.Location
	// Width is the most columns that a popup may take; 0 means 80, and less
	// than 24 means 24. See Terminal.Resize.
	Width int
	// ASCII draws the frame with + - | and passes text through the function
	// ASCII: for a terminal whose character set is not UTF-8. See IsUTF8.
	ASCII bool
	// Color makes the title bold. Set it only if the writer is a terminal
	// and the environment variable NO_COLOR is empty.
	Color bool
	// Bell rings the terminal's bell (BEL) with every popup. Set it only if
	// the writer is a terminal.
	Bell bool
}

// A frame is the set of characters of which a popup's frame is drawn.
type frame struct {
	topLeft, topRight, bottomLeft, bottomRight, rule, side string
}

var (
	lineFrame  = frame{"┌", "┐", "└", "┘", "─", "│"}
	asciiFrame = frame{"+", "+", "+", "+", "-", "|"}
)

// A Terminal writes popups to a terminal, or to whatever reads text. It is not
// safe for concurrent use.
type Terminal struct {
	w      io.Writer
	header []part
	date   string
	zone   *time.Location
	text   int // most columns of text
	ascii  bool
	bell   bool

	frame
	top    string // the title and what stands left of it
	rules  string // as many rules as any popup needs
	blanks string // as many blanks as any popup needs

	// Used again by the next popup.
	lines []line
	buf   []byte
}

// NewTerminal returns a Terminal that writes to w. It fails if the header has
// an unknown word or the date layout an unknown verb, and names it.
func NewTerminal(w io.Writer, c Config) (*Terminal, error) {
	if c.Header == "" {
		c.Header = DefaultHeader
	}
	header, err := parseHeader(c.Header)
	if err != nil {
		return nil, err
	}
	if c.Date == "" {
		c.Date = DateLayout(c.Locale)
	}
	if err := checkDateLayout(c.Date); err != nil {
		return nil, err
	}
	if c.Location == nil {
		c.Location = time.Local
	}
	t := &Terminal{
		w:      w,
		header: header,
		date:   c.Date,
		zone:   c.Location,
		ascii:  c.ASCII,
		bell:   c.Bell,
		frame:  lineFrame,
	}
	if c.ASCII {
		t.frame = asciiFrame
	}
	t.top = t.topLeft + t.rule + " " + title + " "
	if c.Color {
		t.top = t.topLeft + t.rule + " \x1b[1m" + title + "\x1b[0m "
	}
	t.Resize(c.Width)
	return t, nil
}

// Resize changes Config.Width for the popups that follow.
func (t *Terminal) Resize(width int) {
	if width == 0 {
		width = defaultWidth
	}
	text := max(width, minWidth) - len("| ") - len(" |")
	if text == t.text {
		return
	}
	t.text = text
	t.rules = strings.Repeat(t.rule, text+2)
	t.blanks = strings.Repeat(" ", text)
}

// Show writes the popup of m with one call of Write. Of a text of more than
// 1,000 lines it shows the first 1,000 and says so.
func (t *Terminal) Show(m *messngr.Message) error {
	t.lines = appendLines(t.lines[:0], t.clean(t.headerOf(m)), t.text, maxLines)
	t.lines = append(t.lines, line{})
	limit := len(t.lines) + maxLines
	t.lines = appendLines(t.lines, t.clean(m.Text), t.text, limit+1)
	if len(t.lines) > limit {
		t.lines = appendLines(t.lines[:limit], t.clean("… the text goes on; messngr inbox --json has all of it."), t.text, limit+maxLines)
	}
	columns := min(t.text, usualText)
	for _, l := range t.lines {
		columns = max(columns, l.columns)
	}

	b := t.buf[:0]
	if t.bell {
		b = append(b, '\a')
	}
	b = append(b, t.top...)
	b = append(b, t.rules[:len(t.rule)*(columns-len(title)-1)]...)
	b = append(b, t.topRight...)
	b = append(b, '\n')
	for _, l := range t.lines {
		b = append(b, t.side...)
		b = append(b, ' ')
		b = append(b, l.text...)
		b = append(b, t.blanks[:columns-l.columns]...)
		b = append(b, ' ')
		b = append(b, t.side...)
		b = append(b, '\n')
	}
	b = append(b, t.bottomLeft...)
	b = append(b, t.rules[:len(t.rule)*(columns+2)]...)
	b = append(b, t.bottomRight...)
	b = append(b, '\n')

	clear(t.lines) // they hold on to the message's text
	if t.buf = b; cap(b) > keptBuffer {
		t.buf, t.lines = nil, nil
	}
	if _, err := t.w.Write(b); err != nil {
		return fmt.Errorf("show message %s: %w", m.ID, err)
	}
	return nil
}

// Missed writes a line that tells of n messages that were not shown, for when
// more came than a terminal can take.
func (t *Terminal) Missed(n int) error {
	s := "… 1 more message not shown here; messngr inbox lists it.\n"
	if n != 1 {
		s = "… " + humanize.Comma(int64(n)) + " more messages not shown here; messngr inbox lists them.\n"
	}
	if _, err := io.WriteString(t.w, t.clean(s)); err != nil {
		return fmt.Errorf("show that %d messages were missed: %w", n, err)
	}
	return nil
}

// clean returns of s what may reach this terminal.
func (t *Terminal) clean(s string) string {
	if s = Safe(s); t.ascii {
		s = ASCII(s)
	}
	return s
}
