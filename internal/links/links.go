// Package links knows the IPv4 networks that this host's interfaces are on, and
// follows their changes.
package links

import (
	"encoding/binary"
	"net"
	"net/netip"
)

// A Link is an IPv4 address of this host with the network that it is on.
type Link struct {
	Name      string // of the interface
	Addr      netip.Addr
	Prefix    netip.Prefix // masked
	Broadcast netip.Addr   // invalid if the interface cannot broadcast
	Hardware  [6]byte      // zero if the interface has no such address
}

// Loopback is the network of this host alone.
var Loopback = netip.PrefixFrom(netip.AddrFrom4([4]byte{127, 0, 0, 0}), 8)

// Localhost is this host's address for itself.
var Localhost = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// Read returns the IPv4 addresses of all interfaces that are up and have
// somebody at the other end, without those of the loopback. An interface whose
// cable is out keeps its address, but what is on its network will be another
// matter when it is in again.
func Read() ([]Link, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var links []Link
	for _, ifi := range interfaces {
		if ifi.Flags&net.FlagUp == 0 || ifi.Flags&net.FlagRunning == 0 || ifi.Flags&net.FlagLoopback != 0 {
			continue
		}
		addrs, err := ifi.Addrs()
		if err != nil {
			continue // the interface has gone meanwhile
		}
		for _, a := range addrs {
			ipnet, ok := a.(*net.IPNet)
			if !ok {
				continue
			}
			if l, ok := newLink(ifi, *ipnet); ok {
				links = append(links, l)
			}
		}
	}
	return links, nil
}

// newLink returns the link of one address of an interface; false if the address
// is not IPv4.
func newLink(ifi net.Interface, ipnet net.IPNet) (Link, bool) {
	addr, ok := netip.AddrFromSlice(ipnet.IP.To4())
	if !ok {
		return Link{}, false
	}
	bits, _ := ipnet.Mask.Size()
	l := Link{Name: ifi.Name, Addr: addr, Prefix: netip.PrefixFrom(addr, bits).Masked()}
	if ifi.Flags&net.FlagBroadcast != 0 && bits < 31 { // RFC 3021: 31 bits leave no broadcast address
		last := binary.BigEndian.Uint32(ipnet.IP.To4()) | ^uint32(0)>>bits
		l.Broadcast = netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, last)))
	}
	if len(ifi.HardwareAddr) == len(l.Hardware) {
		l.Hardware = [6]byte(ifi.HardwareAddr)
	}
	return l, true
}
