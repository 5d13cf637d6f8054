package resolver

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"

	"github.com/messngr/messngr/netbios/nbns"
)

// An answer is what somebody said about a name, and for how many seconds it
// may be believed.
type answer struct {
	found Found
	ttl   uint32
}

// isAbout reports whether a record is about the name of a query.
func isAbout(rr nbns.Resource, q nbns.Question) bool {
	return rr.Type != 0 && rr.Name == q.Name && rr.Scope == q.Scope
}

// addresses returns the addresses that a packet gives for the name of a query,
// if it is a positive answer to it: with its id, opcode, name and scope. From
// where it came its caller has to see. The addresses are none if they are no
// hosts', as those of a group are whose members nobody lists.
func addresses(query, p nbns.Packet) (addrs []netip.Addr, group, ok bool) {
	if !p.Response || p.ID != query.ID || p.Opcode != nbns.Query || p.RCode != nbns.Success {
		return nil, false, false
	}
	if !isAbout(p.Answer, query.Question) || p.Answer.Type != nbns.TypeNB || p.Answer.Class != nbns.Internet {
		return nil, false, false
	}
	var buf [maxHosts]nbns.Addr
	all, err := nbns.ParseAddrs(buf[:0], p.Answer.Data)
	if err != nil {
		return nil, false, false
	}
	for _, a := range all {
		if isHost(a.Addr) {
			addrs = append(addrs, a.Addr)
		}
	}
	return addrs, all[0].Flags&nbns.Group != 0, true
}

// isHost reports whether an address can be one host's.
func isHost(a netip.Addr) bool {
	return a.Is4() && !a.IsUnspecified() && !a.IsMulticast() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// nearest returns the addresses of one name, each once, in the order in which
// one would try them: the one that answered, those on the smallest of the
// networks where it is, those on another network of this host, the others.
// Another host's own loopback, which is ours here, is left out.
func nearest(addrs []netip.Addr, from netip.Addr, networks []peer) []netip.Addr {
	smallest := smallestWith(from, networks)
	rank := func(a netip.Addr) int {
		switch {
		case a == from:
			return 0
		case smallest.IsValid() && smallest.Contains(a):
			return 1
		case smallestWith(a, networks).IsValid():
			return 2
		}
		return 3
	}
	sorted := slices.Clone(addrs)
	slices.SortStableFunc(sorted, func(a, b netip.Addr) int { return rank(a) - rank(b) })
	var out []netip.Addr
	for _, a := range sorted {
		foreign := a.IsLoopback() && from.IsValid() && !from.IsLoopback()
		if !foreign && !slices.Contains(out, a) && len(out) < maxHosts {
			out = append(out, a)
		}
	}
	return out
}

// smallestWith returns the smallest network that has an address; the zero
// Prefix if none has.
func smallestWith(a netip.Addr, networks []peer) (smallest netip.Prefix) {
	for _, p := range networks {
		if p.from.Contains(a) && (!smallest.IsValid() || p.from.Bits() > smallest.Bits()) {
			smallest = p.from
		}
	}
	return smallest
}

// newID returns a NAME_TRN_ID that nobody can guess.
func newID() uint16 {
	var b [2]byte
	rand.Read(b[:]) // never fails: crypto/rand
	return binary.BigEndian.Uint16(b[:])
}

// cause returns what the system said, without the addresses around it.
func cause(err error) error {
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		err = op.Err
	}
	if sys := (*os.SyscallError)(nil); errors.As(err, &sys) {
		err = sys.Err
	}
	return err
}
