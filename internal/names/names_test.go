package names

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbns"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// nameOf reads HOST2<03>.
func nameOf(t testing.TB, text string) netbios.Name {
	t.Helper()
	base, suffix, ok := strings.Cut(strings.TrimSuffix(text, ">"), "<")
	if !ok || len(suffix) != 2 {
		t.Fatalf("%q is no name with a suffix", text)
	}
	digits := "0123456789ABCDEF"
	name, err := netbios.NewName(base, netbios.Suffix(strings.IndexByte(digits, suffix[0])<<4|strings.IndexByte(digits, suffix[1])))
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func ip(text string) netip.Addr { return netip.MustParseAddr(text) }

func appended(t testing.TB, p nbns.Packet) []byte {
	t.Helper()
	b, err := p.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestOwnNames(t *testing.T) {
	got, err := OwnNames("host2", "workgroup", "alice", "bob")
	if err != nil {
		t.Fatal(err)
	}
	want := []Own{
		{nameOf(t, "HOST2<00>"), false},
		{nameOf(t, "HOST2<03>"), false},
		{nameOf(t, "ALICE<03>"), false},
		{nameOf(t, "BOB<03>"), false},
		{nameOf(t, "WORKGROUP<00>"), true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("OwnNames (-want +got):\n%s", diff)
	}

	const long = "ABCDEFGHIJKLMNOP"
	for what, names := range map[string][3]string{
		"computer name": {long, "WORKGROUP", "ALICE"},
		"workgroup":     {"HOST2", long, "ALICE"},
		"alias":         {"HOST2", "WORKGROUP", long},
	} {
		own, err := OwnNames(names[0], names[1], names[2])
		if !errors.Is(err, netbios.ErrInvalid) || !strings.HasPrefix(err.Error(), what) || own != nil {
			t.Errorf("a long %s: OwnNames = %v, %v", what, own, err)
		}
	}
}

func TestNewLink(t *testing.T) {
	ethernet := net.Interface{Name: "eth0", Flags: net.FlagUp | net.FlagBroadcast, HardwareAddr: net.HardwareAddr{2, 0, 0, 0, 0, 1}}
	tunnel := net.Interface{Name: "tun0", Flags: net.FlagUp | net.FlagPointToPoint}
	tests := []struct {
		ifi       net.Interface
		cidr      string
		prefix    string
		broadcast string
	}{
		{ethernet, "10.77.0.2/24", "10.77.0.0/24", "10.77.0.255"},
		{ethernet, "10.77.1.2/23", "10.77.0.0/23", "10.77.1.255"},
		{ethernet, "10.77.0.2/30", "10.77.0.0/30", "10.77.0.3"},
		{ethernet, "10.77.0.2/31", "10.77.0.2/31", ""},
		{ethernet, "10.77.0.2/32", "10.77.0.2/32", ""},
		{ethernet, "10.77.0.2/0", "0.0.0.0/0", "255.255.255.255"},
		{tunnel, "10.77.0.2/24", "10.77.0.0/24", ""},
	}
	for _, test := range tests {
		addr, ipnet, err := net.ParseCIDR(test.cidr)
		if err != nil {
			t.Fatal(err)
		}
		ipnet.IP = addr
		l, ok := newLink(test.ifi, *ipnet)
		if !ok || l.name != test.ifi.Name || l.addr != ip("10.77.0.2") && l.addr != ip("10.77.1.2") || l.prefix != netip.MustParsePrefix(test.prefix) {
			t.Errorf("%s on %s: %+v, want prefix %s", test.cidr, test.ifi.Name, l, test.prefix)
		}
		if l.broadcast.IsValid() != (test.broadcast != "") || l.broadcast.IsValid() && l.broadcast != ip(test.broadcast) {
			t.Errorf("%s on %s: broadcast %v, want %q", test.cidr, test.ifi.Name, l.broadcast, test.broadcast)
		}
		if (l.hardware != [6]byte{}) != (test.ifi.HardwareAddr != nil) {
			t.Errorf("%s on %s: hardware address %v", test.cidr, test.ifi.Name, l.hardware)
		}
	}
	if l, ok := newLink(ethernet, net.IPNet{IP: net.ParseIP("fe80::1"), Mask: net.CIDRMask(64, 128)}); ok {
		t.Errorf("an IPv6 address made a link: %+v", l)
	}
}

func TestMessengerName(t *testing.T) {
	status := func(names ...string) nbns.NodeStatus {
		var s nbns.NodeStatus
		for _, text := range names {
			n := nbns.NodeName{Flags: nbns.Active}
			switch text[0] {
			case '+':
				n.Flags |= nbns.Group
			case '!':
				n.Flags |= nbns.Conflict
			case '-':
				n.Flags |= nbns.Deregister
			}
			n.Name = nameOf(t, strings.TrimLeft(text, "+!-"))
			s.Names = append(s.Names, n)
		}
		return s
	}
	tests := []struct {
		comment string
		status  nbns.NodeStatus
		want    string
	}{
		{"a computer", status("HOST2<00>", "+WORKGROUP<00>", "HOST2<03>", "HOST2<20>"), "HOST2<03>"},
		{"a user before the computer", status("ALICE<03>", "HOST2<03>", "+WORKGROUP<00>", "HOST2<00>"), "HOST2<03>"},
		{"a user of a computer without messenger", status("HOST2<00>", "ALICE<03>", "BOB<03>"), "ALICE<03>"},
		{"a group <03>", status("HOST2<00>", "+HOST2<03>", "ALICE<03>"), "ALICE<03>"},
		{"a workgroup with the name of a user", status("+ALICE<00>", "BOB<03>", "ALICE<03>"), "BOB<03>"},
		{"a computer name in conflict", status("HOST2<00>", "!HOST2<03>", "ALICE<03>"), "ALICE<03>"},
		{"a name being released", status("HOST2<00>", "-HOST2<03>", "ALICE<03>"), "ALICE<03>"},
		{"no messenger", status("HOST2<00>", "HOST2<20>"), ""},
		{"nothing", status(), ""},
	}
	for _, test := range tests {
		got, ok := MessengerName(test.status)
		if ok != (test.want != "") || ok && got != nameOf(t, test.want) {
			t.Errorf("%s: MessengerName = %v, %v; want %q", test.comment, got, ok, test.want)
		}
	}
}
