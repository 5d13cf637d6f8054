package listener

import (
	"bytes"
	"strings"
	"testing"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/internal/wire/vector"
	"github.com/messngr/messngr/netbios/nbss"
)

// The bytes that a real smbclient wrote, and what it is to read: our group in
// the response to the start, its PID in all of them.
func TestSmbclient(t *testing.T) {
	for _, tt := range []struct {
		vector   string
		pid      string
		from, to string
		text     string
	}{
		{"client-hello", "8c49", "sender", "LEGACY", "hello world"},
		{"client-two-lines", "9849", "aweryveryverylongusername", "SOMEUSER", "line one\nline two é"},
	} {
		sent := vector.Load(t, tt.vector)[0].Bytes
		packets := split(t, sent)
		header := func(command string) string {
			return "ff534d42" + command + "00000000 80 0000 0000 0000000000000000 0000 0000" + tt.pid + "0000 0000"
		}
		responses := [][]byte{
			unhex("82000000"),
			unhex("00000025" + header("d5") + "01 0100 0000"),
			unhex("00000023" + header("d7") + "00 0000"),
			unhex("00000023" + header("d6") + "00 0000"),
		}
		for name, exchange := range map[string]func(*caller){
			"packet by packet": func(c *caller) {
				for i, p := range packets {
					c.send(p)
					c.expect(responses[i])
				}
			},
			"one write": func(c *caller) {
				c.send(sent)
				c.expect(responses...)
			},
			"byte by byte": func(c *caller) {
				for i := range sent {
					c.send(sent[i : i+1])
				}
				c.expect(responses...)
			},
		} {
			t.Run(tt.vector+"/"+name, func(t *testing.T) {
				r := listen(t, nil)
				c := r.call(t)
				exchange(c)
				c.nc.Close()
				m := r.message(t)
				if m.From != tt.from || m.To != tt.to || m.Text != tt.text {
					t.Errorf("from %q to %q: %q", m.From, m.To, m.Text)
				}
				want := messngr.Source{Transport: messngr.SMB, Addr: m.Source.Addr, Called: tt.to + "<03>", Calling: "CLIENT<00>"}
				if m.Source != want || m.Source.Addr.String() != c.nc.LocalAddr().String() {
					t.Errorf("source %+v of %v", m.Source, c.nc.LocalAddr())
				}
				if m.ID == (messngr.ID{}) || m.Received.IsZero() || m.Sent != m.Received || m.Priority != messngr.Normal || m.Provenance != messngr.Claimed {
					t.Errorf("%+v", m)
				}
				r.counted(t, map[string]int64{"connections": 1, "messages": 1})
			})
		}
	}
}

// What smbclient makes of a longer text: blocks of 127 bytes, 1,598 in all.
func TestSmbclientLongText(t *testing.T) {
	r := listen(t, nil)
	c := r.call(t)
	text := strings.Repeat("A", 1598)
	var blocks []string
	for rest := text; rest != ""; {
		n := min(127, len(rest))
		blocks, rest = append(blocks, rest[:n]), rest[n:]
	}
	c.send(request("LEGACY", 3))
	c.expect(positive)
	c.send(begin("sender", "LEGACY"))
	c.expect(started(1))
	for _, b := range blocks {
		c.send(block(0, b))
		c.expect(answer(0xD7, success))
	}
	c.send(end(0))
	c.expect(answer(0xD6, success))
	r.texts(t, text)
}

// split cuts a stream into its packets.
func split(t testing.TB, stream []byte) [][]byte {
	t.Helper()
	in := nbss.NewReader(bytes.NewReader(stream), nbss.MaxLength)
	var packets [][]byte
	for len(stream) > 0 {
		p, err := in.Next()
		if err != nil {
			t.Fatal(err)
		}
		n := nbss.HeaderSize + len(p.Trailer)
		packets, stream = append(packets, stream[:n]), stream[n:]
	}
	return packets
}
