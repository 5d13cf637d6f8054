package sender

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/messngr/messngr/internal/oem"
	"github.com/messngr/messngr/internal/resolver"
	"github.com/messngr/messngr/mailslot"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbdgm"
)

// newCaster returns a sender of datagrams.
func newCaster(t testing.TB, number int, change func(*Config)) *Sender {
	t.Helper()
	cfg := Config{
		Resolver: &resolver.Resolver{}, Computer: "MYHOST",
		Page: func(netip.Addr, ...string) *oem.Page { return page(t, number) },
	}
	if change != nil {
		change(&cfg)
	}
	return New(cfg)
}

// encodeText returns the text that stands in the mailslot write of a message
// from ALICE to OFFICE.
func encodeText(t testing.TB, s *Sender, text string, cut bool, c *Cast) ([]byte, error) {
	t.Helper()
	b, err := s.encodeCast(s.cfg.Page(netip.Addr{}), Draft{"alice", "OFFICE", text}, cut, c)
	if err != nil {
		return nil, err
	}
	w, err := mailslot.ParseWrite(b)
	if err != nil || string(w.Name) != mailslot.Messenger || w.Class != mailslot.Class2 || len(b) > 512 {
		t.Fatalf("a write of %d bytes: %+v, %v", len(b), w, err)
	}
	m, err := mailslot.ParseMessage(w.Data)
	if err != nil || string(m.From) != "ALICE" || string(m.To) != "OFFICE" {
		t.Fatalf("%+v, %v", m, err)
	}
	return m.Text, nil
}

// A text that does not fit 424 bytes with both names, or is longer than
// MaxCast, is refused with the count, or cut behind a whole character.
func TestCastTooLong(t *testing.T) {
	const room = mailslot.MaxMessage - len("ALICE\x00OFFICE\x00\x00")
	for _, tt := range []struct {
		page int
		unit string // of the text
		size int    // of the unit, in the page
		most int    // MaxCast
		room int
	}{
		{850, "x", 1, 0, room},
		{850, "é", 1, 0, room},
		{850, "\n", 1, 0, room},
		{932, "日", 2, 0, room},
		{65001, "€", 3, 0, room},
		{850, "x", 1, 128, 128}, // as Windows
		{932, "日", 2, 127, 127},
		{850, "x", 1, 421, room}, // more than there is room for
	} {
		t.Run(fmt.Sprint(tt.page, " ", tt.unit, " ", tt.most), func(t *testing.T) {
			s := newCaster(t, tt.page, func(c *Config) { c.MaxCast = tt.most })
			whole := strings.Repeat(tt.unit, tt.room/tt.size)
			var c Cast
			text, err := encodeText(t, s, whole, false, &c)
			if err != nil || len(text) != tt.room/tt.size*tt.size || c.Cut != 0 {
				t.Errorf("what fits: %d bytes, %d cut, %v", len(text), c.Cut, err)
			}
			_, err = encodeText(t, s, whole+tt.unit, false, &c)
			want := fmt.Sprintf("the text has %d bytes in code page %d, a message to a workgroup carries %d: send it to single names, or let it be cut with --truncate; nothing was sent",
				len(text)+tt.size, tt.page, tt.room)
			if err == nil || err.Error() != want {
				t.Errorf("one more: %v\nwant %s", err, want)
			}
			cut, err := encodeText(t, s, whole+tt.unit+tt.unit, true, &c)
			if err != nil || string(cut) != string(text) || c.Cut != 2*tt.size {
				t.Errorf("cut: %q, %d cut, %v", cut, c.Cut, err)
			}
		})
	}
}

// What cannot be written is refused, with what is wrong with it.
func TestCastRefuses(t *testing.T) {
	s := newCaster(t, 850, nil)
	for want, d := range map[string]Draft{
		"sender's name: ":    {"A-NAME-TOO-LONG-FOR-IT", "OFFICE", "x"},
		"sender's name: the": {"", "OFFICE", "x"},
	} {
		if _, err := s.encodeCast(page(t, 850), d, false, new(Cast)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", d, err, want)
		}
	}
	for workgroup, want := range map[string]string{
		" ":                      "name of the workgroup: it is empty",
		"A-NAME-TOO-LONG-FOR-IT": `invalid NetBIOS name "A-NAME-TOO-LONG-FOR-IT": 22 bytes, at most 15 fit`,
	} {
		if _, err := encodeGroup(page(t, 850), workgroup); err == nil || err.Error() != want {
			t.Errorf("to %q: %v, want %s", workgroup, err, want)
		}
	}
	c, err := s.Cast(t.Context(), "OFFICE", Draft{"ALICE", "OFFICE", strings.Repeat("x", 500)}, false)
	if err == nil || c.Networks != nil || time.Since(c.At) > time.Minute {
		t.Errorf("too long a text: %+v, %v", c, err)
	}
}

// The accents of letters are put on them first, and what the page does not
// have is counted.
func TestCastLostCharacters(t *testing.T) {
	var c Cast
	text, err := encodeText(t, newCaster(t, 850, nil), "e\u0301 \u65e5\n", false, &c)
	if err != nil || string(text) != "\x82 ?\x14" || c.Lost != 1 {
		t.Errorf("%q, %d lost, %v", text, c.Lost, err)
	}
}

// A datagram says what kind of node sends it, from where, and under which name.
func TestDatagram(t *testing.T) {
	for node, flags := range map[string]nbdgm.Flags{"": 0x02, "B": 0x02, "P": 0x06, "M": 0x0A, "H": 0x0E} {
		in, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		s := newCaster(t, 850, func(c *Config) {
			c.Resolver.NodeType = node
			c.DatagramPort = uint16(in.LocalAddr().(*net.UDPAddr).Port)
		})
		group, err := encodeGroup(page(t, 850), "office")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.datagram(netip.MustParseAddr("127.0.0.3"), netip.MustParseAddr("127.0.0.1"), group, []byte("data")); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 1024)
		in.SetReadDeadline(time.Now().Add(5 * time.Second))
		n, from, err := in.ReadFromUDPAddrPort(b)
		if err != nil {
			t.Fatal(err)
		}
		got, err := nbdgm.Parse(b[:n])
		self, _ := netbios.NewName("MYHOST", netbios.Workstation)
		want := nbdgm.Packet{
			Type: nbdgm.DirectGroup, Flags: flags, ID: got.ID, Source: netip.MustParseAddrPort("127.0.0.3:138"),
			SourceName: self, DestinationName: group, Data: []byte("data"),
		}
		if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); err != nil || diff != "" {
			t.Errorf("node %q: %v (-want +got):\n%s", node, err, diff)
		}
		if from.Addr() != netip.MustParseAddr("127.0.0.3") {
			t.Errorf("it came from %v", from)
		}
	}
}
