package sender

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/messngr/messngr/internal/oem"
)

// A text longer than MaxText, in bytes of the recipient's code page, is refused
// with the count. The recipient hears nothing of it.
func TestTooLong(t *testing.T) {
	for _, tt := range []struct {
		page int
		unit string // of the text
		most int    // how many of it have 100 bytes
	}{
		{850, "x", 100},
		{850, "é", 100},
		{850, "\n", 100},
		{932, "日", 50},
		{65001, "é", 50},
	} {
		t.Run(fmt.Sprint(tt.page, " ", tt.unit), func(t *testing.T) {
			r := newRecipient(t, nil)
			s := newSender(t, r, func(c *Config) {
				c.MaxText = 100
				c.Page = func(netip.Addr, ...string) *oem.Page { return page(t, tt.page) }
			})
			wantAccepted(t, s.Send(t.Context(), Draft{"ALICE", "HOST2", strings.Repeat(tt.unit, tt.most)}))
			calls := r.calls(t)
			bytes := 100 + 100/tt.most
			wantFailure(t, s.Send(t.Context(), Draft{"ALICE", "HOST2", strings.Repeat(tt.unit, tt.most+1)}), 0,
				fmt.Sprint(bytes, " bytes"), fmt.Sprint("code page ", tt.page), "at most 100", "nothing was sent")
			if r.calls(t) != calls {
				t.Error("it was called")
			}
		})
	}
}

// What the code page lacks is sent as a question mark, and counted. Accents of
// their own are put on their letters first.
func TestLostCharacters(t *testing.T) {
	for _, tt := range []struct {
		page int
		text string
		want string
		lost int
	}{
		{850, "hello", "hello", 0},
		{850, "é日本", "\x82??", 2},
		{850, "e\u0301", "\x82", 0},
		{866, "Привет é", "\x8f\xe0\xa8\xa2\xa5\xe2 ?", 1},
		{932, "日本\nй", "\x93\xfa\x96\x7b\x14\x84\x7a", 0},
		{437, "→\u202e!", "??!", 2},
		{850, "\x1b[2J\x00\a", "?[2J??", 3},
	} {
		t.Run(fmt.Sprintf("%d %q", tt.page, tt.text), func(t *testing.T) {
			r := newRecipient(t, nil)
			s := newSender(t, r, func(c *Config) {
				c.Page = func(netip.Addr, ...string) *oem.Page { return page(t, tt.page) }
			})
			d := s.Send(t.Context(), Draft{"ALICE", "HOST2", tt.text})
			wantAccepted(t, d)
			r.expect(t, "call HOST2<03> from MYHOST<03>", "start ALICE to HOST2", fmt.Sprintf("text 7: %q", tt.want), "end 7")
			if d.Lost != tt.lost || d.CodePage != tt.page {
				t.Errorf("%d lost in page %d", d.Lost, d.CodePage)
			}
		})
	}
}

// The code page is that of the recipient, by its address or its names. Its
// names go out in it too.
func TestPageOfRecipient(t *testing.T) {
	r := newRecipient(t, nil)
	type question struct {
		Addr  string
		Names string
	}
	var asked []question
	s := newSender(t, r, func(c *Config) {
		c.Page = func(addr netip.Addr, names ...string) *oem.Page {
			asked = append(asked, question{addr.String(), strings.Join(names, " ")})
			if slices.Contains(names, "KÖLN") || slices.Contains(names, "köln") {
				return page(t, 850)
			}
			return page(t, 437)
		}
	})
	d := s.Send(t.Context(), Draft{"zoë", "köln", "ø"})
	wantAccepted(t, d)
	if d.CodePage != 850 || d.Called != `K\x99LN<03>` {
		t.Errorf("called %s in page %d", d.Called, d.CodePage)
	}
	r.expect(t, `call K\x99LN<03> from MYHOST<03>`, "start ZO\xd3 to K\x99LN", `text 7: "\x9b"`, "end 7")
	want := []question{
		{"invalid IP", "köln"},        // to look it up
		{"127.0.0.1", "köln K\x99LN"}, // to write to it
		{"invalid IP", ""},            // our own name
	}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Error(diff)
	}
}

// Names that cannot be names are refused before anybody is called.
func TestBadNames(t *testing.T) {
	for _, tt := range []struct {
		draft    Draft
		computer string
		says     string
	}{
		{Draft{"ALICE", "SIXTEENCHARACTER", ""}, "MYHOST", "SIXTEENCHARACTER"},
		{Draft{"ALICE", "", ""}, "MYHOST", "empty"},
		{Draft{"ALICE", "日本", ""}, "MYHOST", "日"},
		{Draft{"ALICE", "HOST2\n", ""}, "MYHOST", "cannot be part"},
		{Draft{"SIXTEENCHARACTER", "HOST2", ""}, "MYHOST", "sender's name"},
		{Draft{"", "HOST2", ""}, "MYHOST", "sender's name"},
		{Draft{"日本", "HOST2", ""}, "MYHOST", "sender's name"},
		{Draft{"ALICE", "HOST2", ""}, "SIXTEENCHARACTER", "computer name"},
	} {
		r := newRecipient(t, nil)
		d := newSender(t, r, func(c *Config) { c.Computer = tt.computer }).Send(t.Context(), tt.draft)
		wantFailure(t, d, 0, tt.says)
		if n := r.calls(t); n != 0 {
			t.Errorf("%q to %q: %d calls", tt.draft.From, tt.draft.To, n)
		}
	}
}
