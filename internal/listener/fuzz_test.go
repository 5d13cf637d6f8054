package listener

import (
	"bytes"
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/internal/oem"
	"github.com/messngr/messngr/internal/wire/vector"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbss"
	"github.com/messngr/messngr/smb"
)

// The limits of the fuzzed listener, small enough to be reached.
const (
	fuzzText = 300
	fuzzHeld = 500
)

// FuzzConn feeds a connection any bytes, in reads of any size. It must end,
// deliver only what a message may hold, answer "yes" as often as it has
// delivered, and leave nothing behind. How the bytes are cut must not matter.
func FuzzConn(f *testing.F) {
	for _, v := range vector.Load(f, "client-") {
		f.Add(v.Bytes, uint8(0), uint8(7))
	}
	for i, packets := range [][][]byte{
		{single("ALICE", "LEGACY", "hello"), single("ALICE", "LEGACY", "no")},
		multi("ALICE", "LEGACY", "one\r", "\ntwo", "\x93", "\xfa", strings.Repeat("\xb0", 99)),
		{begin("ALICE", "LEGACY"), block(1, strings.Repeat("x", 400)), block(1, strings.Repeat("x", 200)), end(1)},
		{begin("ALICE", "LEGACY"), begin("BOB", "LEGACY"), block(1, "x"), block(2, "\x1b[2J\t\x7f\x00"), end(2), end(2)},
		{keepAlive, request("*SMBSERVER", netbios.FileServer), request("LEGACY", netbios.Messenger)},
		{request("OTHER", netbios.Messenger), single("ALICE", "LEGACY", "too late")},
		{frame(smb.Header{Command: 0x72, Flags2: smb.NTStatus}, unhex("00 0000")), unhex("0001ffff")},
	} {
		f.Add(bytes.Join(packets, nil), uint8(i), uint8(1<<i))
	}
	numbers := oem.Numbers()
	f.Fuzz(func(t *testing.T, in []byte, pageIndex, chunk uint8) {
		page, err := oem.Lookup(numbers[int(pageIndex)%len(numbers)])
		if err != nil {
			t.Fatal(err)
		}
		got, out := converse(t, in, page, 0)
		checkResponses(t, out, len(got))
		for _, m := range got {
			checkMessage(t, m)
		}
		if chunk == 0 {
			return
		}
		again, outAgain := converse(t, in, page, int(chunk))
		if !bytes.Equal(out, outAgain) {
			t.Fatalf("in reads of %d bytes it answered\n%x, at once\n%x", chunk, outAgain, out)
		}
		if diff := cmp.Diff(got, again, cmpopts.IgnoreFields(messngr.Message{}, "ID", "Sent", "Received"), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
			t.Fatalf("in reads of %d bytes it delivered:\n%s", chunk, diff)
		}
	})
}

// converse serves a connection on which in arrives, and returns what was
// delivered and what was answered. A text that ends in "no" is not stored.
func converse(t *testing.T, in []byte, page *oem.Page, chunk int) (delivered []messngr.Message, out []byte) {
	s := NewSMB(newPipes(), SMBConfig{
		Deliver: func(_ context.Context, m *messngr.Message) error {
			if strings.HasSuffix(m.Text, "no") {
				return messngr.ErrNoRoom
			}
			delivered = append(delivered, *m)
			return nil
		},
		Owned:   func(n netbios.Name) bool { return n[0] != 'O' },
		Page:    func(netip.Addr, []byte) *oem.Page { return page },
		MaxText: fuzzText, MaxHeld: fuzzHeld,
		IdleTimeout: time.Hour, MessageTimeout: time.Hour,
		Log: slog.New(slog.DiscardHandler),
	})
	m := newMemory(in)
	m.chunk = chunk
	c := newConn(s, s.conns.NewConn(m))
	c.serve(t.Context())
	c.free()
	if n := s.held.Load(); n != 0 {
		t.Fatalf("%d bytes are held of a connection that has ended", n)
	}
	if n := s.Counters()["messages"]; n != int64(len(delivered)) {
		t.Fatalf("%d messages counted, %d delivered", n, len(delivered))
	}
	return delivered, m.out.Bytes()
}

// checkMessage fails the test if m is not as package messngr has it.
func checkMessage(t *testing.T, m messngr.Message) {
	if len(m.Text) > fuzzText {
		t.Fatalf("a text of %d bytes, %d allowed", len(m.Text), fuzzText)
	}
	for _, s := range []string{m.From, m.To, strings.ReplaceAll(m.Text, "\n", "")} {
		if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
			t.Fatalf("not plain text: %q", s)
		}
	}
	if len(m.From) > 3*maxName || len(m.To) > 3*maxName {
		t.Fatalf("names of %d and %d bytes", len(m.From), len(m.To))
	}
}

// checkResponses fails the test if out are not whole and lawful responses, with
// a "yes" for each message.
func checkResponses(t *testing.T, out []byte, messages int) {
	in := nbss.NewReader(bytes.NewReader(out), 64)
	yes := 0
	for in.Buffered() > 0 || len(out) > 0 {
		p, err := in.Next()
		if err != nil {
			t.Fatalf("responses %x: %v", out, err)
		}
		out = out[nbss.HeaderSize+len(p.Trailer):]
		switch p.Type {
		case nbss.PositiveResponse, nbss.NegativeResponse:
			continue
		case nbss.SessionMessage:
		default:
			t.Fatalf("a response of type %v", p.Type)
		}
		h, body, err := smb.ParseHeader(p.Trailer)
		if err != nil || h.Flags&smb.Reply == 0 {
			t.Fatalf("response %x: %v", p.Trailer, err)
		}
		switch ok := h.Err() == nil; {
		case ok && h.Command == smb.SendStartMessage:
			if r, err := smb.ParseStartResponse(body); err != nil || r.NoGroupID || r.GroupID == 0 {
				t.Fatalf("response to a start %x: %v", body, err)
			}
			continue
		case ok && (h.Command == smb.SendMessage || h.Command == smb.SendEndMessage):
			yes++
		case ok && h.Command != smb.SendTextMessage:
			t.Fatalf("a yes to %v", h.Command)
		}
		if !slices.Equal(body, smb.AppendEmpty(nil)) {
			t.Fatalf("a response with a body: %x", p.Trailer)
		}
	}
	if yes != messages {
		t.Fatalf("%d times yes to %d messages", yes, messages)
	}
}
