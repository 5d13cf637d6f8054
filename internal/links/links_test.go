package links

import (
	"net"
	"net/netip"
	"testing"
)

func ip(text string) netip.Addr { return netip.MustParseAddr(text) }

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
		if !ok || l.Name != test.ifi.Name || l.Addr != ip("10.77.0.2") && l.Addr != ip("10.77.1.2") || l.Prefix != netip.MustParsePrefix(test.prefix) {
			t.Errorf("%s on %s: %+v, want prefix %s", test.cidr, test.ifi.Name, l, test.prefix)
		}
		if l.Broadcast.IsValid() != (test.broadcast != "") || l.Broadcast.IsValid() && l.Broadcast != ip(test.broadcast) {
			t.Errorf("%s on %s: broadcast %v, want %q", test.cidr, test.ifi.Name, l.Broadcast, test.broadcast)
		}
		if (l.Hardware != [6]byte{}) != (test.ifi.HardwareAddr != nil) {
			t.Errorf("%s on %s: hardware address %v", test.cidr, test.ifi.Name, l.Hardware)
		}
	}
	if l, ok := newLink(ethernet, net.IPNet{IP: net.ParseIP("fe80::1"), Mask: net.CIDRMask(64, 128)}); ok {
		t.Errorf("an IPv6 address made a link: %+v", l)
	}
}
