package server

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// linksAge is the time for which the list of this host's networks is taken to
// be right.
const linksAge = 2 * time.Second

// links knows the networks that this host's interfaces are on. To ask the
// system takes longer than a message should wait, so the answer is kept for a
// moment.
type links struct {
	mu    sync.Mutex
	asked time.Time
	on    []netip.Prefix // each with the host's own address in it
}

func newLinks() *links { return &links{} }

// networks returns the networks, each with the host's own address, such as
// 10.77.0.2/24. The slice must not be changed.
func (l *links) networks() []netip.Prefix {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); now.Sub(l.asked) > linksAge {
		l.asked = now
		if on, err := interfaceNetworks(); err == nil { // else what was known stands
			l.on = on
		}
	}
	return l.on
}

// addresses returns the host's own addresses.
func (l *links) addresses() []netip.Addr {
	var addrs []netip.Addr
	for _, p := range l.networks() {
		addrs = append(addrs, p.Addr())
	}
	return addrs
}

// own reports whether an address is one of the host's own.
func (l *links) own(addr netip.Addr) bool {
	return addr.IsLoopback() || slices.Contains(l.addresses(), addr)
}

func interfaceNetworks() ([]netip.Prefix, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var on []netip.Prefix
	for _, a := range addrs {
		ipnet, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		addr, ok := netip.AddrFromSlice(ipnet.IP)
		bits, _ := ipnet.Mask.Size()
		if ok {
			on = append(on, netip.PrefixFrom(addr.Unmap(), bits))
		}
	}
	return on, nil
}
