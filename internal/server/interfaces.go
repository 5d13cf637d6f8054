package server

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// anyInterface is the index of no interface in particular.
const anyInterface = -1

// An interfaceSet is the interfaces of this host that are named. Interfaces come
// and go, and to ask the system takes longer than a packet should wait: so what
// it said is kept for a moment.
type interfaceSet struct {
	names []string // none: all interfaces

	mu      sync.Mutex
	asked   time.Time
	indexes []int
	addrs   []netip.Addr
}

func newInterfaceSet(names []string) *interfaceSet { return &interfaceSet{names: names} }

// has reports whether an interface is one of the set, or is any. One that the
// system does not tell, 0, is not.
func (s *interfaceSet) has(index int) bool {
	if len(s.names) == 0 || index == anyInterface {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refresh()
	return slices.Contains(s.indexes, index)
}

// hasAddr reports whether an interface of the set has an address.
func (s *interfaceSet) hasAddr(addr netip.Addr) bool {
	if len(s.names) == 0 {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refresh()
	return slices.Contains(s.addrs, addr.Unmap().WithZone(""))
}

// refresh asks the system when what is known is old, with the lock held.
func (s *interfaceSet) refresh() {
	now := time.Now()
	if now.Sub(s.asked) <= linksAge {
		return
	}
	s.asked, s.indexes, s.addrs = now, nil, nil
	for _, name := range s.names {
		i, err := net.InterfaceByName(name)
		if err != nil {
			continue // it is not there, or not yet
		}
		s.indexes = append(s.indexes, i.Index)
		addrs, err := i.Addrs()
		if err != nil {
			continue
		}
		for _, a := range addrs {
			if ipnet, ok := a.(*net.IPNet); ok {
				if addr, ok := netip.AddrFromSlice(ipnet.IP); ok {
					s.addrs = append(s.addrs, addr.Unmap())
				}
			}
		}
	}
}
