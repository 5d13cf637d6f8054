package names

import (
	"encoding/binary"
	"net/netip"

	"github.com/messngr/messngr/internal/links"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbns"
)

const (
	// grantedTTL is for how long an answer is good, and a name is asked for, in
	// seconds. It is what Windows hosts say.
	grantedTTL = 300000
	// maxAddrs is the most addresses in one answer.
	maxAddrs = 8
)

// nameQuery returns the answer to a name query: RFC 1002 5.1.1.5 and 5.1.2.5. A
// name that is not ours gets none, except that a query to this host alone,
// which no name server is to answer, is told so. The wildcard stands for every
// host, as nmbd has it: who asks for it by broadcast finds all. It does not
// allocate.
func (n *Node) nameQuery(query nbns.Packet, from netip.AddrPort) (nbns.Packet, bool) {
	q := query.Question
	t := n.table.Load()
	e := t.names[q.Name]
	if q.Name == netbios.Wildcard {
		e = t.self()
	}
	if e != nil && q.Scope == "" {
		if n.rdata = e.appendAddrs(n.rdata[:0], t, from.Addr()); len(n.rdata) > 0 {
			return nbns.PositiveQueryResponse(query, grantedTTL, n.rdata), true
		}
	}
	if query.Flags&(nbns.Broadcast|nbns.RecursionDesired) != 0 {
		return nbns.Packet{}, false
	}
	return nbns.NegativeQueryResponse(query, nbns.NameError), true
}

// appendAddrs appends the addresses at which somebody at an address finds the
// name.
func (e *entry) appendAddrs(b []byte, t *table, asker netip.Addr) []byte {
	if e.stage(t, asker) != Owned {
		return b
	}
	if links.Loopback.Contains(asker) {
		return appendAddr(b, e.flags, links.Localhost)
	}
	if at, _ := t.place(asker); at >= 0 {
		return append(b, e.claims[at].addr...)
	}
	// From behind a router: any of our addresses may be the one that he reaches.
	count := 0
	for _, c := range e.claims {
		if count < maxAddrs && c.stage() == Owned {
			b = append(b, c.addr...)
			count++
		}
	}
	return b
}

// appendAddr appends an ADDR_ENTRY; a link has no other addresses than IPv4.
func appendAddr(b []byte, flags nbns.NameFlags, addr netip.Addr) []byte {
	b, _ = nbns.Addr{Flags: flags, Addr: addr}.AppendBinary(b)
	return b
}

// statusQuery returns the answer to a question for the status of this node,
// which is asked by one of its names or by the wildcard: RFC 1002 5.1.1.5. It
// does not allocate.
func (n *Node) statusQuery(query nbns.Packet, from netip.AddrPort) (nbns.Packet, bool) {
	q := query.Question
	t := n.table.Load()
	if e := t.names[q.Name]; q.Scope != "" || q.Name != netbios.Wildcard && (e == nil || e.stage(t, from.Addr()) != Owned) {
		return nbns.Packet{}, false
	}
	var complete bool
	n.rdata, complete = t.appendStatus(n.rdata[:0], from.Addr())
	p := nbns.StatusResponse(query, n.rdata)
	if !complete {
		p.Flags |= nbns.Truncated
	}
	return p, true
}

// appendStatus appends the nbns.NodeStatus for somebody at an address, and
// reports whether all names fitted in. Names that are still being claimed are
// not in it.
func (t *table) appendStatus(b []byte, asker netip.Addr) (_ []byte, complete bool) {
	complete = true
	count := 0
	b = append(b, 0)
	for _, e := range t.order {
		// RFC 1002 4.2.18: "All entries have this flag set to one (1)."
		flags := e.flags | nbns.Active
		switch e.stage(t, asker) {
		case Claiming:
			continue
		case Conflict:
			flags |= nbns.Conflict
		case Released:
			flags |= nbns.Deregister
		}
		if count == nbns.MaxStatusNames {
			complete = false
			break
		}
		b = append(b, e.own.Name[:]...)
		b = binary.BigEndian.AppendUint16(b, uint16(flags))
		count++
	}
	b[0] = byte(count)
	var statistics [46]byte
	hardware := t.hardware(asker)
	copy(statistics[:], hardware[:])
	return append(b, statistics[:]...), complete
}

// hardware returns the address of the interface that somebody at an address
// reaches: from behind a router, the first that has one.
func (t *table) hardware(asker netip.Addr) (hardware [6]byte) {
	if at, _ := t.place(asker); at >= 0 {
		return t.links[at].Hardware
	}
	for i := range t.links {
		if hardware = t.links[i].Hardware; hardware != ([6]byte{}) {
			break
		}
	}
	return hardware
}
