package listener

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/messngr/messngr/internal/oem"
	"github.com/messngr/messngr/smb"
)

// A text may have MaxText bytes of UTF-8 after all is expanded, and not one
// more. Of one that has more nothing is delivered, and the connection carries
// the next message.
func TestTextLimit(t *testing.T) {
	const limit = 600
	for _, tt := range []struct {
		comment string
		page    int
		unit    string // of the text
		n       int    // how many of it make limit bytes
		tail    string // that does not count
	}{
		{"ASCII", 850, "x", 600, ""},
		{"ASCII with a last line end", 850, "x", 600, "\r\n"},
		{"ASCII with terminators", 850, "x", 600, "\x00\x00"},
		{"two bytes of UTF-8 for one", 850, "\x82", 300, ""},
		{"three for one", 850, "\xb0", 200, "\x14"},
		{"three for two", 932, "\x93\xfa", 200, ""},
		{"one for two", 850, "\r\n", 600, "\r\n"},
		{"a picture", 850, "\x1b", 200, ""},
	} {
		t.Run(tt.comment, func(t *testing.T) {
			r := listen(t, func(cfg *SMBConfig) {
				cfg.MaxText = limit
				cfg.Page = func(netip.Addr, []byte) *oem.Page { return page(t, tt.page) }
			})
			c := r.call(t)
			most := strings.Repeat(tt.unit, tt.n) + tt.tail
			c.deliver(most)
			c.send(multi("ALICE", "LEGACY", cut(most)...)...)
			c.expect(yes(1, len(cut(most)))...)
			for range 2 {
				if m := r.message(t); len(m.Text) != limit {
					t.Errorf("%d bytes, want %d", len(m.Text), limit)
				}
			}

			more := tt.unit + most
			c.send(single("ALICE", "LEGACY", more))
			c.expect(answer(0xD0, noRoom))
			c.send(begin("ALICE", "LEGACY"))
			c.expect(started(2))
			// It is refused at its end at the latest.
			var response []byte
			for _, p := range multi("ALICE", "LEGACY", cut(more)...)[1:] {
				c.send(p)
				if response = c.read(); !bytes.Equal(response, answer(0xD7, success)) {
					break
				}
			}
			if want := answer(smb.Command(response[8]), noRoom); !bytes.Equal(response, want) {
				t.Errorf("response %x, want %x", response, want)
			}
			r.texts(t)
			c.deliver("still here")
			r.texts(t, "still here")
			c.nc.Close()
			r.counted(t, map[string]int64{"connections": 1, "messages": 3, "too_long": 2})
		})
	}
}

// cut returns blocks of 128 bytes.
func cut(text string) (blocks []string) {
	for text != "" {
		n := min(smb.BlockSize, len(text))
		blocks, text = append(blocks, text[:n]), text[n:]
	}
	return blocks
}

// A sender that goes on and on is stopped long before it ends its message.
func TestEndlessText(t *testing.T) {
	r := listen(t, func(cfg *SMBConfig) { cfg.MaxText = 1000 })
	c := r.call(t)
	text := strings.Repeat("x", 128)
	c.send(begin("ALICE", "LEGACY"))
	c.expect(started(1))
	for range 15 {
		c.send(block(1, text))
		c.expect(answer(0xD7, success))
	}
	c.send(block(1, text))
	c.expect(answer(0xD7, noRoom))
	// It has been told. Nothing is left of the message.
	c.send(block(1, text), end(1))
	c.expect(answer(0xD7, invalidParameter), answer(0xD6, invalidParameter))
	if n := r.held.Load(); n != 0 {
		t.Errorf("%d bytes held", n)
	}
	c.send(multi("ALICE", "LEGACY", "hello")...)
	c.expect(yes(2, 1)...)
	r.texts(t, "hello")
}

// smbclient sends names as long as its user types them. 255 bytes are taken.
func TestNameLimit(t *testing.T) {
	r := listen(t, nil)
	c := r.call(t)
	long, longer := strings.Repeat("x", 255), strings.Repeat("x", 256)
	c.send(single(long, long, "hello"))
	c.expect(answer(0xD0, success))
	if m := r.message(t); m.From != long || m.To != long {
		t.Errorf("from %q to %q", m.From, m.To)
	}
	c.send(begin(long, long), end(1))
	c.expect(started(1), answer(0xD6, success))
	for _, p := range [][]byte{single(longer, long, "hello"), single(long, longer, "hello"), begin(longer, long), begin(long, longer)} {
		c.send(p)
		c.expect(answer(smb.Command(p[8]), invalidParameter))
	}
	r.texts(t, "")
	c.nc.Close()
	r.counted(t, map[string]int64{"connections": 1, "messages": 2, "malformed": 4})
}

// A message may take MessageTimeout from its start to its end, whatever its
// sender does meanwhile to look alive.
func TestMessageTimeout(t *testing.T) {
	for name, alive := range map[string][][]byte{
		"silence":        nil,
		"keepalives":     {keepAlive},
		"blocks":         {block(1, "x")},
		"other commands": {frame(smb.Header{Command: 0x72}, unhex("00 0000"))},
		"whole messages": {single("A", "B", "x")},
		"bytes":          bytes.SplitAfter(block(1, strings.Repeat("x", 5000)), nil),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newPipes()
				r := serve(t, l, nil)
				c := l.call(t, "10.77.0.1")
				time.Sleep(20 * time.Second) // before a message, silence is another matter
				begun := time.Now()
				c.send(begin("ALICE", "LEGACY"), block(1, "hello"))
				c.expect(started(1), answer(0xD7, success))
				c.keepSending(900*time.Millisecond, alive)
				r.waitClosed(t)
				if took := time.Since(begun); took < 30*time.Second || took > 31*time.Second {
					t.Errorf("ended after %v", took)
				}
				if n := r.held.Load(); n != 0 {
					t.Errorf("%d bytes held", n)
				}
				if n := r.Counters()["too_slow"]; n != 1 {
					t.Errorf("counted %d times as too slow", n)
				}
			})
		})
	}
}
