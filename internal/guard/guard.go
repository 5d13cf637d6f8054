// Package guard decides which sources are served. It is pure: what it must
// know of the world, such as the networks of this host, is passed in.
package guard

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"

	"github.com/messngr/messngr"
)

// Config is what the guard is told. The zero Config serves what is on-link and
// local.
type Config struct {
	// Networks are served whether they are on-link or not.
	Networks []netip.Prefix
	// OnlyNetworks turns the rule about on-link sources off: then Networks and
	// loopback are all that is served.
	OnlyNetworks bool
	// Option is the name of the option that Networks are from, for errors. If
	// it is empty, "[guard] networks".
	Option string
}

// String says in words who is served.
func (c Config) String() string {
	who := []string{"this computer"}
	if !c.OnlyNetworks {
		who = append(who, "private networks on-link")
	}
	for _, n := range c.Networks {
		if n.IsSingleIP() {
			who = append(who, n.Addr().String())
		} else {
			who = append(who, n.String())
		}
	}
	return strings.Join(who, ", ")
}

// A Guard admits sources or refuses them. It may be used by many goroutines.
type Guard struct {
	cfg Config
}

// New returns a Guard.
func New(cfg Config) *Guard { return &Guard{cfg} }

// Check returns nil when addr is served. onLink are the networks of this host's
// own interfaces, such as 10.77.0.0/24. Else the error wraps
// messngr.ErrRefused and says why and what would admit the source.
//
// Without configuration, only sources that are on-link and whose address is
// loopback, link-local or private (RFC 1918, RFC 4193) are served: the original
// service, open to every address, was the spammers' favourite door.
func (g *Guard) Check(addr netip.Addr, onLink []netip.Prefix) error {
	addr = addr.Unmap().WithZone("")
	if addr.IsLoopback() || contains(g.cfg.Networks, addr) {
		return nil
	}
	option := cmp.Or(g.cfg.Option, "[guard] networks")
	if g.cfg.OnlyNetworks {
		return fmt.Errorf("%w: %v is in none of the networks of %s", messngr.ErrRefused, addr, option)
	}
	if !addr.IsPrivate() && !addr.IsLinkLocalUnicast() {
		return fmt.Errorf("%w: %v is not a private address; name its network in %s to serve it", messngr.ErrRefused, addr, option)
	}
	if !contains(onLink, addr) {
		return fmt.Errorf("%w: %v is not on a network of this host; name its network in %s to serve it", messngr.ErrRefused, addr, option)
	}
	return nil
}

func contains(networks []netip.Prefix, addr netip.Addr) bool {
	for _, n := range networks {
		if n.Contains(addr) {
			return true
		}
	}
	return false
}
