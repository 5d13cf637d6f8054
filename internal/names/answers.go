package names

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/messngr/messngr/internal/links"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbns"
)

const (
	// grantedTTL is for how long an answer is good, in seconds. It is what
	// Windows hosts say.
	grantedTTL = 300000
	// linksAge is for how long a list of this host's addresses is good.
	linksAge = 3 * time.Second
	// maxAddrs is the most addresses in one answer.
	maxAddrs = 8
)

// answers makes the replies of a Node. Its methods do not allocate, except
// where they read the list of this host's addresses anew.
type answers struct {
	names     map[netbios.Name]nbns.NameFlags
	status    []byte // the NodeStatus of all names, as bytes, with a unit id of zeros
	unitID    int    // the place of the unit id in status
	truncated bool   // not all names fit in status

	readLinks func() ([]links.Link, error)
	links     []links.Link
	linksRead time.Time

	rdata, packet []byte // reused from reply to reply
}

func newAnswers(own []Own) (answers, error) {
	a := answers{names: make(map[netbios.Name]nbns.NameFlags, len(own)), readLinks: links.Read}
	var status nbns.NodeStatus
	for _, o := range own {
		if _, ok := a.names[o.Name]; ok {
			return answers{}, fmt.Errorf("name %s is there twice: computer, aliases and workgroup must have different names", o.Name)
		}
		flags := nbns.BNode
		if o.Group {
			flags |= nbns.Group
		}
		a.names[o.Name] = flags
		status.Names = append(status.Names, nbns.NodeName{Name: o.Name, Flags: flags | nbns.Active})
	}
	if len(status.Names) > nbns.MaxStatusNames {
		status.Names, a.truncated = status.Names[:nbns.MaxStatusNames], true
	}
	var err error
	if a.status, err = status.AppendBinary(nil); err != nil {
		return answers{}, err
	}
	a.unitID = len(a.status) - len(status.UnitID) - len(status.Counters)
	return a, nil
}

// nameQuery returns the reply to a name query: RFC 1002 5.1.1.5 and 5.1.2.5. A
// name that is not ours gets none, except that a query to this host alone,
// which no name server is to answer, is told so.
func (a *answers) nameQuery(query nbns.Packet, from netip.Addr, now time.Time) []byte {
	q := query.Question
	flags, ok := a.names[q.Name]
	if !ok || q.Scope != "" {
		if query.Flags&(nbns.Broadcast|nbns.RecursionDesired) != 0 {
			return nil
		}
		return a.reply(nbns.NegativeQueryResponse(query, nbns.NameError))
	}

	a.rdata = a.rdata[:0]
	if on := a.linkOf(from, now); on != nil {
		a.addAddr(flags, on.Addr)
	} else if links.Loopback.Contains(from) {
		a.addAddr(flags, links.Localhost)
	} else {
		// From behind a router: any of our addresses may be the one that it reaches.
		for i := range a.links[:min(len(a.links), maxAddrs)] {
			a.addAddr(flags, a.links[i].Addr)
		}
	}
	if len(a.rdata) == 0 {
		return nil
	}
	return a.reply(nbns.PositiveQueryResponse(query, grantedTTL, a.rdata))
}

// addAddr appends an address to the RDATA; a link has no other than IPv4.
func (a *answers) addAddr(flags nbns.NameFlags, addr netip.Addr) {
	a.rdata, _ = nbns.Addr{Flags: flags, Addr: addr}.AppendBinary(a.rdata)
}

// statusQuery returns the reply to a question for the status of this node,
// which is asked by one of its names or by the wildcard: RFC 1002 5.1.1.5.
func (a *answers) statusQuery(query nbns.Packet, from netip.Addr, now time.Time) []byte {
	q := query.Question
	if _, ok := a.names[q.Name]; (!ok && q.Name != netbios.Wildcard) || q.Scope != "" {
		return nil
	}
	var unitID [6]byte
	if on := a.linkOf(from, now); on != nil {
		unitID = on.Hardware
	}
	copy(a.status[a.unitID:], unitID[:])
	p := nbns.StatusResponse(query, a.status)
	if a.truncated {
		p.Flags |= nbns.Truncated
	}
	return a.reply(p)
}

// reply returns the bytes of a packet. It has no scope and nothing too long,
// so that it can always be written.
func (a *answers) reply(p nbns.Packet) []byte {
	a.packet, _ = p.AppendBinary(a.packet[:0])
	return a.packet
}

// linkOf returns the link that an address is on, nil if it is on none. Of
// several, the one with the smallest network is meant.
func (a *answers) linkOf(addr netip.Addr, now time.Time) *links.Link {
	if now.Sub(a.linksRead) > linksAge {
		if on, err := a.readLinks(); err == nil {
			a.links = on
		}
		a.linksRead = now
	}
	var on *links.Link
	for i := range a.links {
		if l := &a.links[i]; l.Prefix.Contains(addr) && (on == nil || l.Prefix.Bits() > on.Prefix.Bits()) {
			on = l
		}
	}
	return on
}
