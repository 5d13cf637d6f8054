package names

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/messngr/messngr/internal/links"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbns"
)

// A claim is a name on a link. One goroutine takes it from stage to stage.
type claim struct {
	node *Node
	own  Own
	link links.Link
	addr []byte // the ADDR_ENTRY of this host on the link

	at      atomic.Uint32 // the Stage
	settled chan struct{} // closed when it has been owned or in conflict for the first time, or no server has answered
	settle  sync.Once
	lost    chan Holder   // somebody else has been proved to have the name
	again   chan struct{} // there is a reason to try now
	told    bool          // the log knows of a conflict
	said    netip.Addr    // and of its owner; invalid if nobody knows him

	begin  sync.Once
	cancel context.CancelFunc // ends the goroutine
	ctx    context.Context

	mu        sync.Mutex // of what States tells
	server    netip.Addr
	holder    Holder
	nextTry   time.Time
	lastProbe time.Time
}

// newTable returns the table of the node's names on these links. Claims of the
// last table that are still right are taken over.
func (n *Node) newTable(now []links.Link, last *table) *table {
	t := &table{known: now != nil, links: now, names: make(map[netbios.Name]*entry, len(n.own))}
	for _, own := range n.own {
		e := &entry{own: own, flags: n.cfg.NodeType.flags()}
		if own.Group {
			e.flags |= nbns.Group
		}
		for _, l := range now {
			e.claims = append(e.claims, n.claimOn(own, e.flags, l, last))
		}
		t.names[own.Name] = e
		t.order = append(t.order, e)
	}
	return t
}

// claimOn returns the claim of a name on a link: that of the last table, if it
// was there.
func (n *Node) claimOn(own Own, flags nbns.NameFlags, l links.Link, last *table) *claim {
	if last != nil {
		if e := last.names[own.Name]; e != nil {
			for _, c := range e.claims {
				if c.link == l && c.stage() != Released {
					return c
				}
			}
		}
	}
	c := &claim{
		node: n, own: own, link: l,
		addr:    appendAddr(nil, flags, l.Addr),
		settled: make(chan struct{}),
		lost:    make(chan Holder, 1),
		again:   make(chan struct{}, 1),
		cancel:  func() {},
	}
	return c
}

func (c *claim) stage() Stage { return Stage(c.at.Load()) }

// snapshot returns how the claim stands.
func (c *claim) snapshot() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return State{Own: c.own, Link: c.link, Stage: c.stage(), Server: c.server, Holder: c.holder, Again: c.nextTry}
}

// set notes how the claim stands. A claim that has been given up stays so.
func (c *claim) set(stage Stage, server netip.Addr, holder Holder, next time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stage() == Released {
		return
	}
	c.at.Store(uint32(stage))
	c.server, c.holder, c.nextTry = server, holder, next
	if stage == Owned {
		c.decided()
	}
}

// decided lets those go on who wait for the claim.
func (c *claim) decided() { c.settle.Do(func() { close(c.settled) }) }

// giveUp ends the claim and reports whether the name was ours, so that it is to
// be released.
func (c *claim) giveUp() (owned bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	owned = c.stage() == Owned
	c.at.Store(uint32(Released))
	c.cancel()
	return owned
}

// start starts the goroutine of a claim that has none yet.
func (c *claim) start(ctx context.Context) {
	c.begin.Do(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.stage() == Released {
			return
		}
		c.ctx, c.cancel = context.WithCancel(ctx)
		c.node.working.Go(func() { c.run(c.ctx) })
	})
}

// hurry has a claim that waits for its next try make it now.
func (c *claim) hurry() {
	select {
	case c.again <- struct{}{}:
	default:
	}
}

// wait waits until the claim has been decided, and returns a *TakenError when it
// is another's.
func (c *claim) wait(ctx context.Context) error {
	select {
	case <-c.settled:
	case <-c.ctx.Done():
		return nil // the link has gone
	case <-ctx.Done():
		return ctx.Err()
	}
	if st := c.snapshot(); st.Stage == Conflict {
		return &TakenError{Name: c.own.Name, Link: c.link, Holder: st.Holder}
	}
	return nil
}

// A grant is by what right a name is ours: that of a name server, for a time,
// or, without one, because nobody has objected.
type grant struct {
	server netip.AddrPort
	ttl    uint32 // in seconds; zero is without end
}

// run takes the claim from stage to stage until ctx is done.
func (c *claim) run(ctx context.Context) {
	t := c.node.cfg.Timers
	wait := t.ClaimAgain
	for ctx.Err() == nil {
		c.set(Claiming, netip.Addr{}, Holder{}, time.Time{})
		c.node.counters.claims.Add(1)
		g, holder := c.claim(ctx)
		if holder == nil && ctx.Err() == nil {
			wait = t.ClaimAgain
			holder = c.hold(ctx, g)
		}
		if holder == nil || ctx.Err() != nil {
			continue
		}
		c.node.counters.conflicts.Add(1)
		c.inConflict(ctx, *holder, wait)
		c.pause(ctx, wait)
		wait = min(2*wait, t.ClaimAgainMost)
	}
}

// pause waits for d, or until there is a reason to go on.
func (c *claim) pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.again:
	case <-ctx.Done():
	}
}

// inConflict notes who has the name, finds out what else that host is, and says
// so.
func (c *claim) inConflict(ctx context.Context, h Holder, wait time.Duration) {
	next := time.Now().Add(wait)
	c.set(Conflict, netip.Addr{}, h, next)
	if h.Addr.IsValid() {
		if status, err := c.node.nodeStatus(ctx, h.Addr); err == nil {
			h.Names, h.Hardware = status.Names, status.UnitID
			c.set(Conflict, netip.Addr{}, h, next)
		}
	}
	c.decided()
	if ctx.Err() == nil && (!c.told || c.said != h.Addr) { // once for each owner
		c.told, c.said = true, h.Addr
		c.node.cfg.Log.Warn((&TakenError{c.own.Name, c.link, h}).Error(), "again_in", wait)
	}
}

// claim claims the name in the way of the node's type: RFC 1001 15.2.
func (c *claim) claim(ctx context.Context) (grant, *Holder) {
	switch c.node.cfg.NodeType {
	case P:
		for ctx.Err() == nil {
			if g, holder, answered := c.atServers(ctx); answered {
				return g, holder
			}
			c.set(Claiming, netip.Addr{}, Holder{}, time.Now().Add(c.node.cfg.Timers.ServerDown))
			c.decided() // nobody should wait for a server that is silent
			c.pause(ctx, c.node.cfg.Timers.ServerDown)
		}
		return grant{}, nil
	case M:
		if holder := c.byBroadcast(ctx); holder != nil || ctx.Err() != nil {
			return grant{}, holder
		}
		g, holder, _ := c.atServers(ctx)
		return g, holder
	case H:
		if g, holder, answered := c.atServers(ctx); answered || ctx.Err() != nil {
			return g, holder
		}
	}
	return grant{}, c.byBroadcast(ctx)
}

// byBroadcast asks everybody on the link, and returns who objects: RFC 1002
// 5.1.1.1. When nobody has, it says that the name is ours now.
func (c *claim) byBroadcast(ctx context.Context) *Holder {
	if !c.link.Broadcast.IsValid() {
		return nil // there is nobody to ask
	}
	n := c.node
	to := netip.AddrPortFrom(c.link.Broadcast, n.cfg.Port)
	t, err := n.transactions.open(nbns.RegistrationRequest(0, c.own.Name, "", grantedTTL, c.addr, true), c.link.Prefix, n.cfg.Port)
	if err != nil {
		return nil
	}
	defer n.transactions.close(t)
	for range n.cfg.Timers.BroadcastCount {
		n.Send(t.question, to)
		if h := c.objection(ctx, t, n.cfg.Timers.Broadcast); h != nil || ctx.Err() != nil {
			return h
		}
	}
	c.set(Owned, netip.Addr{}, Holder{}, time.Time{})
	n.Send(nbns.OverwriteDemand(t.question.ID, c.own.Name, "", grantedTTL, c.addr, true), to)
	return c.provenObjection(ctx, t, n.cfg.Timers.Conflict)
}

// provenObjection waits for d for an objection to a name that is ours already.
// Anybody can send one: it counts when the node status of its sender says the
// same.
func (c *claim) provenObjection(ctx context.Context, t *transaction, d time.Duration) *Holder {
	tried := map[netip.Addr]bool{}
	for deadline := time.Now().Add(d); ; {
		h := c.objection(ctx, t, time.Until(deadline))
		if h == nil || len(tried) >= maxAddrs {
			return nil
		}
		if tried[h.Addr] {
			continue
		}
		tried[h.Addr] = true
		if status, err := c.node.nodeStatus(ctx, h.Addr); err == nil && hasName(status, c.own.Name) {
			h.Names, h.Hardware = status.Names, status.UnitID
			return h
		}
	}
}

// objection waits for d, and returns the first who says that the name is its
// own.
func (c *claim) objection(ctx context.Context, t *transaction, d time.Duration) *Holder {
	for deadline := time.Now().Add(d); ; {
		a, ok := t.next(ctx, time.Until(deadline))
		if !ok {
			return nil
		}
		from := a.from.Addr()
		if a.Opcode == nbns.Registration && a.RCode != nbns.Success && a.RCode != nbns.NameInConflict && c.node.believes(from) {
			return &Holder{Addr: from}
		}
	}
}

// believes reports whether an address is that of another host that is served.
func (n *Node) believes(addr netip.Addr) bool {
	return !n.table.Load().own(addr) && n.cfg.Serve(addr)
}

// hold keeps a name that is ours until another host is proved to have it, and
// returns that, or until ctx is done.
func (c *claim) hold(ctx context.Context, g grant) *Holder {
	t := c.node.cfg.Timers
	for {
		var due time.Duration // until the name server is asked again; never if zero
		var next time.Time
		switch {
		case g.server.IsValid():
			due = refreshAfter(g.ttl)
		case c.node.cfg.NodeType != B:
			due = t.ServersAgain
			next = time.Now().Add(due)
		}
		c.set(Owned, g.server.Addr(), Holder{}, next)
		var timer <-chan time.Time
		if due > 0 {
			timer = time.After(due)
		}
		select {
		case <-ctx.Done():
			return nil
		case h := <-c.lost:
			return &h
		case <-c.again:
			if g.server.IsValid() || c.node.cfg.NodeType == B {
				continue
			}
		case <-timer:
		}
		var holder *Holder
		if g, holder = c.renew(ctx, g); holder != nil {
			return holder
		}
	}
}
