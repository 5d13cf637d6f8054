package names

import (
	"net/netip"

	"github.com/messngr/messngr/internal/links"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbns"
)

// A table is what answers are made from. It is never changed: another takes its
// place when names or links come or go. Only the stages of its claims change,
// so that whoever receives needs no lock.
type table struct {
	known bool // the links have been read
	links []links.Link
	names map[netbios.Name]*entry
	order []*entry // as configured
}

// An entry is a name of ours.
type entry struct {
	own    Own
	flags  nbns.NameFlags
	claims []*claim // one for each link of the table, in its order
}

// self returns the first name that is this host's alone; nil if there is none.
func (t *table) self() *entry {
	for _, e := range t.order {
		if !e.own.Group {
			return e
		}
	}
	return nil
}

// place returns the number of the link that an address is on, or -1, and
// whether the address is our own there. Of several links, the one with the
// smallest network is meant.
func (t *table) place(addr netip.Addr) (link int, own bool) {
	link = -1
	for i := range t.links {
		l := &t.links[i]
		if l.Addr == addr {
			return i, true
		}
		if l.Prefix.Contains(addr) && (link < 0 || l.Prefix.Bits() > t.links[link].Prefix.Bits()) {
			link = i
		}
	}
	return link, false
}

// own reports whether an address is one of this host's.
func (t *table) own(addr netip.Addr) bool {
	_, own := t.place(addr)
	return own || links.Loopback.Contains(addr)
}

// stage returns how the name stands for somebody at an address: there is an
// answer for him if it is owned.
func (e *entry) stage(t *table, addr netip.Addr) Stage {
	at, own := t.place(addr)
	switch {
	case at >= 0:
		stage := e.claims[at].stage()
		if own && stage == Claiming {
			return Owned // this host may call itself already
		}
		return stage
	case links.Loopback.Contains(addr):
		if len(e.claims) == 0 {
			return Owned
		}
		return e.best(true)
	default:
		return e.best(false)
	}
}

// best returns how the name stands on the link where it stands best. For this
// host itself, claiming is as good as owning.
func (e *entry) best(here bool) Stage {
	best := Released
	for _, c := range e.claims {
		switch stage := c.stage(); {
		case stage == Owned || here && stage == Claiming:
			return Owned
		case stage < best:
			best = stage
		}
	}
	return best
}
