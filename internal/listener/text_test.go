package listener

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/messngr/messngr/internal/oem"
	"github.com/messngr/messngr/smb"
)

// Senders use blocks of 127 bytes (smbclient) and 128 (Windows); all are taken
// that a ByteCount carries: [MS-CIFS] 2.2.3.3, 65,535 bytes.
func TestBlockSizes(t *testing.T) {
	r := listen(t, nil)
	c := r.call(t)
	group := uint16(0)
	for _, n := range []int{0, 1, 127, 128, 129, 5000, 65_500, 0xFFFF - 3} {
		text := strings.Repeat("x", n)
		c.send(begin("ALICE", "LEGACY"), block(0, text), end(0))
		group++
		c.expect(yes(group, 1)...)
		r.texts(t, text)

		text = text[:min(n, 0xFFFF-3-len(".ALICE..LEGACY."))]
		c.deliver(text)
		r.texts(t, text)
	}

	// As much padding as the frame has room for.
	text := strings.Repeat("x", 0xFFFF-3)
	body, _ := smb.Text{Text: []byte(text)}.AppendBinary(nil)
	padded := append(body, make([]byte, maxPacket-smb.HeaderSize-len(body))...)
	c.send(begin("ALICE", "LEGACY"), frame(smb.Header{Command: smb.SendTextMessage}, padded), end(0))
	c.expect(yes(group+1, 1)...)
	r.texts(t, text)
}

// Blocks of all sizes make one text, wherever their borders are.
func TestBlocksOfMixedSizes(t *testing.T) {
	r := listen(t, nil)
	c := r.call(t)
	var texts []string
	for n := range 130 {
		texts = append(texts, strings.Repeat(string(rune('a'+n%26)), n))
	}
	go c.nc.Write(bytes.Join(multi("ALICE", "LEGACY", texts...), nil))
	c.expect(yes(1, len(texts))...)
	r.texts(t, strings.Join(texts, ""))
}

func TestEmptyTexts(t *testing.T) {
	r := listen(t, nil)
	c := r.call(t)
	c.deliver("")
	c.send(multi("ALICE", "LEGACY")...)
	c.expect(yes(1, 0)...)
	c.send(multi("ALICE", "LEGACY", "", "")...)
	c.expect(yes(2, 2)...)
	c.deliver("\r\n") // smbclient, when its user types nothing but the line end
	r.texts(t, "", "", "", "")
}

// Every form of a line end that a sender may use becomes one "\n", also where a
// border of blocks cuts it. The last is dropped.
func TestLineEnds(t *testing.T) {
	r := listen(t, nil)
	c := r.call(t)
	want := "one\ntwo\n\nthree"
	group := uint16(0)
	for _, lineEnd := range []string{"\x14", "\r", "\n", "\r\n", "\n\r"} {
		text := strings.ReplaceAll(want, "\n", lineEnd)
		c.deliver(text)
		c.deliver(text + lineEnd)
		for i := range text {
			c.send(multi("ALICE", "LEGACY", text[:i], text[i:]+lineEnd)...)
			group++
			c.expect(yes(group, 2)...)
		}
		for len(r.delivered) > 0 {
			if m := r.message(t); m.Text != want {
				t.Errorf("line end %q: %q", lineEnd, m.Text)
			}
		}
	}
}

// What is no text never comes out as it is.
func TestControlCharacters(t *testing.T) {
	r := listen(t, nil)
	c := r.call(t)
	c.send(single("A\x1b]0;B", "LE\x07GA\x7fCY  ", "\x1b[2J\x07a\tb\x00\x00"))
	c.expect(answer(0xD0, success))
	m := r.message(t)
	if m.From != "A]0;B" || m.To != "LEGACY" || m.Text != "␛[2J␇a b" {
		t.Errorf("from %q to %q: %q", m.From, m.To, m.Text)
	}
}

// A listener has a code page, and a sender may have another: by its name or by
// its address. The names are in it too.
func TestCodePages(t *testing.T) {
	r := listen(t, func(cfg *SMBConfig) {
		cfg.Page = func(a netip.Addr, from []byte) *oem.Page {
			if a != netip.MustParseAddr("127.0.0.1") {
				t.Errorf("asked about %v", a)
			}
			n := oem.Default
			fmt.Sscanf(string(from), "PAGE%d", &n)
			return page(t, n)
		}
	})
	c := r.call(t)
	for i, tt := range []struct{ from, bytes, want string }{
		{"ALICE", "\x82", "é"},
		{"PAGE437", "\x9b", "¢"},
		{"PAGE850", "\x9b", "ø"},
		{"PAGE852", "\x9b", "Ť"},
		{"PAGE866", "\x8f\xe0\xa8\xa2\xa5\xe2", "Привет"},
		{"PAGE932", "\x93\xfa\x96\x7b", "日本"},
		{"PAGE936", "\xd6\xd0\xce\xc4", "中文"},
		{"PAGE949", "\xc7\xd1\xb1\xdb", "한글"},
		{"PAGE950", "\xa4\xa4\xa4\xe5", "中文"},
		{"PAGE1252", "\x80", "€"},
	} {
		c.send(single(tt.from, tt.bytes, tt.bytes), begin(tt.from, tt.bytes))
		c.expect(answer(0xD0, success), started(uint16(i+1)))
		// A border of blocks may be inside a character.
		for _, b := range []byte(tt.bytes) {
			c.send(block(0, string([]byte{b})))
			c.expect(answer(0xD7, success))
		}
		c.send(end(0))
		c.expect(answer(0xD6, success))
		for range 2 {
			if m := r.message(t); m.Text != tt.want || m.To != tt.want || m.From != tt.from {
				t.Errorf("from %q to %q: %q, want %q", m.From, m.To, m.Text, tt.want)
			}
		}
	}
}
