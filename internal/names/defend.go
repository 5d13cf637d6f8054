package names

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"slices"
	"time"

	"github.com/messngr/messngr/internal/links"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbns"
)

// handle returns the reply to a packet, if it gets one at once. The reply is
// good until the next call.
func (n *Node) handle(packet []byte, from netip.AddrPort, now time.Time) (nbns.Packet, bool) {
	if !n.isServer(from.Addr()) && !n.cfg.Serve(from.Addr()) {
		n.counters.refused.Add(1)
		return nbns.Packet{}, false
	}
	p, err := nbns.Parse(packet)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		n.counters.truncated.Add(1)
		return nbns.Packet{}, false
	case err != nil:
		n.counters.malformed.Add(1)
		return nbns.Packet{}, false
	}
	if p.Response {
		n.responded(p, from)
		return nbns.Packet{}, false
	}
	if n.cfg.NodeType == P && p.Flags&nbns.Broadcast != 0 {
		return nbns.Packet{}, false // RFC 1001 10.2: a P node does not listen to broadcasts
	}
	switch {
	case p.Question.Class != nbns.Internet:
		n.counters.senseless.Add(1)
		return nbns.Packet{}, false
	case p.Opcode == nbns.Query && p.Question.Type == nbns.TypeNBSTAT:
		n.counters.queries.Add(1)
		return n.counted(n.statusQuery(p, from))
	case p.Question.Type != nbns.TypeNB:
		n.counters.senseless.Add(1)
		return nbns.Packet{}, false
	case p.Opcode == nbns.Query:
		n.counters.queries.Add(1)
		if n.forServer(p) && !n.ownUnique(p.Question) {
			return n.hand(p, from, now)
		}
		return n.counted(n.nameQuery(p, from))
	}
	return n.request(p, from, now)
}

// counted counts an answer of this node.
func (n *Node) counted(p nbns.Packet, ok bool) (nbns.Packet, bool) {
	if ok {
		n.counters.answered.Add(1)
	}
	return p, ok
}

// isServer reports whether an address is that of a name server of ours.
func (n *Node) isServer(addr netip.Addr) bool {
	return slices.ContainsFunc(n.cfg.Servers, func(s netip.AddrPort) bool { return s.Addr() == addr })
}

// forServer reports whether a request is for the name server of this host.
func (n *Node) forServer(p nbns.Packet) bool {
	return n.cfg.Handle != nil && p.Flags&nbns.Broadcast == 0 &&
		(p.Opcode != nbns.Query || p.Flags&nbns.RecursionDesired != 0)
}

// hand gives a request to the name server.
func (n *Node) hand(p nbns.Packet, from netip.AddrPort, now time.Time) (nbns.Packet, bool) {
	n.counters.handed.Add(1)
	p.Additional.Data = slices.Clone(p.Additional.Data) // the receiver's buffer is used again
	return n.cfg.Handle(p, from, now)
}

// ownUnique reports whether a question is about a unique name of ours.
func (n *Node) ownUnique(q nbns.Question) bool {
	e := n.table.Load().names[q.Name]
	return e != nil && q.Scope == "" && !e.own.Group
}

// request answers what another host wants with a name. A name that is ours is
// defended, whoever was asked for it: RFC 1002 5.1.1.5.
func (n *Node) request(p nbns.Packet, from netip.AddrPort, now time.Time) (nbns.Packet, bool) {
	t := n.table.Load()
	e := t.names[p.Question.Name]
	if p.Question.Scope != "" {
		e = nil
	}
	switch p.Opcode {
	case nbns.Registration, nbns.MultiHomed, nbns.Refresh, nbns.RefreshAlt:
		if e != nil && e.stage(t, from.Addr()) == Owned && t.collides(e, p.Additional.Data) {
			n.counters.defended.Add(1)
			return nbns.NegativeRegistrationResponse(p, nbns.ActiveError), true
		}
	case nbns.Release:
		if e != nil && !e.own.Group {
			n.counters.releases.Add(1)
		}
	default:
		n.counters.senseless.Add(1)
		return nbns.Packet{}, false
	}
	if n.forServer(p) {
		return n.hand(p, from, now)
	}
	return nbns.Packet{}, false
}

// collides reports whether another host cannot have the name with these
// addresses while we have it. Groups have room for all.
func (t *table) collides(e *entry, addrs []byte) bool {
	var buf [maxAddrs]nbns.Addr
	claimed, err := nbns.ParseAddrs(buf[:0], addrs)
	if err != nil {
		return true // it wants the name, and does not say for whom
	}
	if !slices.ContainsFunc(claimed, func(a nbns.Addr) bool { return !t.own(a.Addr) }) {
		return false // we hear ourselves
	}
	return !e.own.Group || claimed[0].Flags&nbns.Group == 0
}

// demanded takes note of a NAME CONFLICT DEMAND (RFC 1002 4.2.8), which anybody
// can send: it is a reason to look, and no more.
func (n *Node) demanded(p nbns.Packet, from netip.AddrPort) {
	t := n.table.Load()
	e := t.names[p.Answer.Name]
	if e == nil || p.Answer.Scope != "" || e.own.Group {
		n.counters.stray.Add(1)
		return
	}
	n.counters.demands.Add(1)
	at, own := t.place(from.Addr())
	if at < 0 || own {
		return
	}
	c := e.claims[at]
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if c.stage() != Owned || c.ctx == nil || c.ctx.Err() != nil || now.Sub(c.lastProbe) < n.cfg.Timers.Probe && !c.lastProbe.IsZero() {
		return
	}
	c.lastProbe = now
	n.counters.probes.Add(1)
	n.working.Go(func() { c.probe(c.ctx) })
}

// probe asks the link who has the name. Only another host that answers for it,
// and whose node status says the same, has it.
func (c *claim) probe(ctx context.Context) {
	if !c.link.Broadcast.IsValid() {
		return
	}
	n := c.node
	t, err := n.transactions.open(nbns.NameQuery(0, c.own.Name, "", true), c.link.Prefix, n.cfg.Port)
	if err != nil {
		return
	}
	defer n.transactions.close(t)
	tried := map[netip.Addr]bool{}
	for range n.cfg.Timers.BroadcastCount {
		n.Send(t.question, netip.AddrPortFrom(c.link.Broadcast, n.cfg.Port))
		for deadline := time.Now().Add(n.cfg.Timers.Broadcast); ; {
			a, ok := t.next(ctx, time.Until(deadline))
			if !ok {
				break
			}
			from := a.from.Addr()
			if a.RCode != nbns.Success || tried[from] || len(tried) >= maxAddrs || !n.believes(from) {
				continue
			}
			tried[from] = true
			status, err := n.nodeStatus(ctx, from)
			if err == nil && hasName(status, c.own.Name) {
				select {
				case c.lost <- Holder{Addr: from, Names: status.Names, Hardware: status.UnitID}:
				default:
				}
				return
			}
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// hasName reports whether a node has a unique name, by what it says of itself.
func hasName(status nbns.NodeStatus, name netbios.Name) bool {
	return slices.ContainsFunc(status.Names, func(n nbns.NodeName) bool {
		return n.Name == name && n.Flags&(nbns.Group|nbns.Conflict|nbns.Deregister) == 0
	})
}

// statusTries is how often a node is asked for its status: one that is there
// answers at once.
const statusTries = 2

// nodeStatus asks a host for its names: RFC 1002 5.1.1.6.
func (n *Node) nodeStatus(ctx context.Context, addr netip.Addr) (nbns.NodeStatus, error) {
	to := netip.AddrPortFrom(addr, n.cfg.Port)
	p, err := n.ask(ctx, nbns.StatusQuery(0, netbios.Wildcard, ""), to, statusTries, n.cfg.Timers.Broadcast)
	if err != nil {
		return nbns.NodeStatus{}, err
	}
	return nbns.ParseNodeStatus(p.Answer.Data)
}

// release tells everybody that these names are free: RFC 1002 5.1.1.3 and
// 5.1.2.3. Nobody answers a broadcast, and nobody is waited for.
func (n *Node) release(owned []*claim) {
	if len(owned) == 0 {
		return
	}
	requests := make([]nbns.Packet, len(owned))
	for i, c := range owned {
		t, err := n.transactions.open(nbns.ReleaseRequest(0, c.own.Name, "", c.addr, true), links.Loopback, 0)
		if err != nil {
			return
		}
		defer n.transactions.close(t)
		requests[i] = t.question
	}
	every := min(n.cfg.Timers.Broadcast, releaseEvery)
	for try := range n.cfg.Timers.BroadcastCount {
		if try > 0 {
			time.Sleep(every)
		}
		for i, c := range owned {
			if server := c.grantedBy(); server.IsValid() {
				unicast := requests[i]
				unicast.Flags &^= nbns.Broadcast
				n.Send(unicast, server)
			} else if c.link.Broadcast.IsValid() && n.cfg.NodeType != P {
				n.Send(requests[i], netip.AddrPortFrom(c.link.Broadcast, n.cfg.Port))
			}
		}
	}
}

// grantedBy returns the server that granted the name.
func (c *claim) grantedBy() netip.AddrPort {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.node.cfg.Servers {
		if s.Addr() == c.server {
			return s
		}
	}
	return netip.AddrPort{}
}
