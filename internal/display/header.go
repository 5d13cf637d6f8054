package display

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ncruces/go-strftime"

	"github.com/messngr/messngr"
)

// DefaultHeader is the first line of the dialog of Windows' Messenger Service.
const DefaultHeader = "Message from {from} to {to} on {date}"

// words are what may stand in braces in a header.
var words = []string{"from", "to", "date", "transport", "source", "provenance"}

// A part of a header is some literal text and the word that follows it.
type part struct {
	literal string
	word    string // one of words; empty at the end of the header
}

// parseHeader reads a header's template.
func parseHeader(s string) ([]part, error) {
	var parts []part
	for rest := s; ; {
		literal, after, found := strings.Cut(rest, "{")
		if !found {
			return append(parts, part{literal: literal}), nil
		}
		word, after, found := strings.Cut(after, "}")
		if !found {
			return nil, fmt.Errorf("header %q: { without }", s)
		}
		if !slices.Contains(words, word) {
			return nil, fmt.Errorf("header %q: unknown word {%s}; there are {%s}", s, word, strings.Join(words, "}, {"))
		}
		parts, rest = append(parts, part{literal, word}), after
	}
}

// headerOf fills the header's words in. A word is one line, whatever the
// sender wrote; line feeds of the template itself stay.
func (t *Terminal) headerOf(m *messngr.Message) string {
	b := make([]byte, 0, 128)
	for _, p := range t.header {
		b = append(b, p.literal...)
		switch p.word {
		case "from":
			b = append(b, SafeLine(m.From)...)
		case "to":
			b = append(b, SafeLine(m.To)...)
		case "date":
			b = strftime.AppendFormat(b, t.date, m.Received.In(t.zone))
		case "transport":
			b = append(b, m.Source.Transport...)
		case "source":
			if a := m.Source.Addr; a.IsValid() {
				b = a.Addr().Unmap().AppendTo(b)
			} else {
				b = append(b, "local"...)
			}
		case "provenance":
			b = append(b, m.Provenance...)
		}
	}
	return string(b)
}
