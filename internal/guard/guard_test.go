package guard

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/messngr/messngr"
)

func TestCheck(t *testing.T) {
	onLink := prefixes("127.0.0.0/8", "10.77.0.0/24", "203.0.113.0/24", "fe80::/64", "fd00:1::/64", "169.254.0.0/16")
	var (
		zero   = Config{}
		others = Config{Networks: prefixes("192.0.2.0/24", "172.16.0.0/12")}
		only   = Config{Networks: prefixes("192.0.2.0/24"), OnlyNetworks: true}
	)
	for _, tt := range []struct {
		cfg    Config
		addr   string
		served bool
	}{
		{zero, "127.0.0.1", true},
		{zero, "127.9.9.9", true},
		{zero, "::1", true},
		{zero, "10.77.0.9", true},
		{zero, "::ffff:10.77.0.9", true}, // what a dual-stack socket reports
		{zero, "169.254.3.4", true},
		{zero, "fe80::1%eth0", true},
		{zero, "fd00:1::7", true},
		{zero, "10.77.1.9", false},   // private, behind a router
		{zero, "203.0.113.9", false}, // on-link, public
		{zero, "192.0.2.1", false},   // neither
		{zero, "2001:db8::1", false}, // neither
		{zero, "fd00:2::7", false},   // private, behind a router
		{others, "192.0.2.1", true},  // named
		{others, "172.20.1.1", true}, // named
		{others, "10.77.0.9", true},  // on-link stays
		{others, "10.77.1.9", false}, // not named
		{only, "192.0.2.1", true},    // named
		{only, "127.0.0.1", true},    // this host
		{only, "10.77.0.9", false},   // on-link no more
		{only, "203.0.113.9", false}, // public
		{only, "::ffff:0.0.0.0", false},
	} {
		err := New(tt.cfg).Check(netip.MustParseAddr(tt.addr), onLink)
		if (err == nil) != tt.served {
			t.Errorf("%+v, %s: %v, want served %v", tt.cfg, tt.addr, err, tt.served)
		}
		if err != nil && !errors.Is(err, messngr.ErrRefused) {
			t.Errorf("%s: %v does not wrap ErrRefused", tt.addr, err)
		}
	}
	if New(zero).Check(netip.Addr{}, onLink) == nil {
		t.Error("no address at all is served")
	}
}

func TestString(t *testing.T) {
	for want, cfg := range map[string]Config{
		"this computer, private networks on-link": {},
		"this computer": {OnlyNetworks: true},
		"this computer, private networks on-link, 192.0.2.0/24": {Networks: prefixes("192.0.2.0/24")},
		"this computer, 192.0.2.0/24, 10.77.0.9":                {Networks: prefixes("192.0.2.0/24", "10.77.0.9/32"), OnlyNetworks: true},
	} {
		if got := cfg.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func prefixes(s ...string) []netip.Prefix {
	var ps []netip.Prefix
	for _, s := range s {
		ps = append(ps, netip.MustParsePrefix(s))
	}
	return ps
}
