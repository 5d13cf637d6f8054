package names

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/messngr/messngr/netbios/nbns"
)

// servers are the name servers that did not answer, and until when they are
// left out.
type servers struct {
	mu   sync.Mutex
	down map[netip.AddrPort]time.Time // until they answer again
}

func (s *servers) isDown(server netip.AddrPort) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Before(s.down[server])
}

// setDown leaves a server out for a while, and reports whether that is news.
func (s *servers) setDown(server netip.AddrPort, until time.Time) (news bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down == nil {
		s.down = make(map[netip.AddrPort]time.Time)
	}
	_, known := s.down[server]
	s.down[server] = until
	return !known
}

// setUp ends that, and reports whether it is news.
func (s *servers) setUp(server netip.AddrPort) (news bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, news = s.down[server]
	delete(s.down, server)
	return news
}

// askServer is Ask for a name server: it notes whether there was an answer.
func (n *Node) askServer(ctx context.Context, request nbns.Packet, server netip.AddrPort) (nbns.Packet, error) {
	p, err := n.Ask(ctx, request, server)
	switch {
	case err == nil && n.servers.setUp(server):
		n.cfg.Log.Info("the name server answers again", "server", server.Addr())
	case errors.Is(err, errSilent) && n.servers.setDown(server, time.Now().Add(n.cfg.Timers.ServerDown)):
		n.cfg.Log.Warn("the name server does not answer: see whether it runs, whether it serves this network, and whether a firewall drops UDP port 137", "server", server.Addr())
	}
	return p, err
}

// atServers asks the name servers for the name, in their order, until one has
// answered: RFC 1002 5.1.2.1. It returns the grant, or who has the name.
func (c *claim) atServers(ctx context.Context) (_ grant, _ *Holder, answered bool) {
	request := nbns.RegistrationRequest(0, c.own.Name, "", grantedTTL, c.addr, false)
	if !c.own.Group && len(c.node.table.Load().links) > 1 {
		request = nbns.MultiHomedRegistration(0, c.own.Name, "", grantedTTL, c.addr)
	}
	for _, server := range c.node.cfg.Servers {
		if c.node.servers.isDown(server) {
			continue
		}
		g, holder, answered := c.atServer(ctx, request, server)
		if answered || ctx.Err() != nil {
			return g, holder, answered
		}
	}
	return grant{}, nil, false
}

// atServer asks one name server.
func (c *claim) atServer(ctx context.Context, request nbns.Packet, server netip.AddrPort) (_ grant, _ *Holder, answered bool) {
	p, err := c.node.askServer(ctx, request, server)
	if err != nil {
		return grant{}, nil, false
	}
	// RFC 1002 4.2.7: without RA it is an end-node challenge.
	if p.RCode == nbns.Success && p.Flags&nbns.RecursionAvailable == 0 {
		if owner, has := c.challenge(ctx, p); has {
			return grant{}, &Holder{Addr: owner}, true
		}
		demand := nbns.OverwriteDemand(0, c.own.Name, "", grantedTTL, c.addr, false)
		if p, err = c.node.askServer(ctx, demand, server); err != nil {
			return grant{}, nil, false
		}
	}
	switch p.RCode {
	case nbns.Success:
		return grant{server, p.Answer.TTL}, nil, true
	case nbns.FormatError, nbns.ServerFailure, nbns.Unsupported:
		return grant{}, nil, false // it says nothing about the name
	}
	return grant{}, c.holderAt(ctx, p, server), true
}

// holderAt returns who has a name that a server refuses: a refusal need not say
// it (RFC 1002 4.2.6), so the server is asked.
func (c *claim) holderAt(ctx context.Context, refusal nbns.Packet, server netip.AddrPort) *Holder {
	if owner := c.ownerIn(refusal); owner.IsValid() {
		return &Holder{Addr: owner}
	}
	p, err := c.node.askServer(ctx, nbns.NameQuery(0, c.own.Name, "", false), server)
	if err != nil || p.RCode != nbns.Success {
		return &Holder{}
	}
	return &Holder{Addr: c.ownerIn(p)}
}

// challenge asks the owner that a name server names whether it still has the
// name: RFC 1002 5.1.2.1, END-NODE CHALLENGE.
func (c *claim) challenge(ctx context.Context, p nbns.Packet) (owner netip.Addr, has bool) {
	owner = c.ownerIn(p)
	if !owner.IsValid() {
		return owner, false
	}
	query := nbns.NameQuery(0, c.own.Name, "", false)
	query.Flags &^= nbns.RecursionDesired
	answer, err := c.node.Ask(ctx, query, netip.AddrPortFrom(owner, c.node.cfg.Port))
	return owner, err == nil && answer.RCode == nbns.Success
}

// ownerIn returns the first address in a response that is not this host's.
func (c *claim) ownerIn(p nbns.Packet) netip.Addr {
	var buf [maxAddrs]nbns.Addr
	addrs, err := nbns.ParseAddrs(buf[:0], p.Answer.Data)
	if err != nil {
		return netip.Addr{}
	}
	t := c.node.table.Load()
	for _, a := range addrs {
		if !t.own(a.Addr) && !a.Addr.IsUnspecified() && !a.Addr.IsMulticast() && a.Addr != limitedBroadcast {
			return a.Addr
		}
	}
	return netip.Addr{}
}

// limitedBroadcast is in the answer for a group that has no address of its own.
var limitedBroadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// renew refreshes the name with the server that granted it (RFC 1002 5.1.2.7)
// or, if that is silent or there was none, asks all servers. A name that no
// server answers for stays ours.
func (c *claim) renew(ctx context.Context, g grant) (grant, *Holder) {
	if g.server.IsValid() && !c.node.servers.isDown(g.server) {
		c.node.counters.refreshes.Add(1)
		p, err := c.node.askServer(ctx, nbns.RefreshRequest(0, c.own.Name, "", grantedTTL, c.addr), g.server)
		switch {
		case err == nil && p.RCode == nbns.Success:
			return grant{g.server, p.Answer.TTL}, nil
		case err == nil && (p.RCode == nbns.Refused || p.RCode == nbns.ActiveError || p.RCode == nbns.NameInConflict):
			return g, c.holderAt(ctx, p, g.server)
		case ctx.Err() != nil:
			return g, nil
		}
	}
	if granted, holder, answered := c.atServers(ctx); answered {
		return granted, holder
	}
	return grant{}, nil // by the right of a broadcast, until a server answers
}
