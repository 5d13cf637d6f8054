package wins

import (
	"net/netip"
	"time"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbns"
)

// A verdict says what is to be done about a registration or a refresh.
type verdict int

const (
	refuse    verdict = iota // with outcome.code
	grant                    // and nothing changes
	touch                    // grant; the expiry moves, which the store need not know yet
	keepFirst                // grant, once the store has it
	ask                      // the owner
	wait                     // it is being asked on behalf of another claim
	drop                     // no answer
)

// An outcome is what has been decided about a registration or a refresh.
type outcome struct {
	verdict verdict
	code    nbns.RCode
	count   counter
	entry   entry // what becomes of the name: of touch and keepFirst
}

// register answers a NAME REGISTRATION REQUEST, NAME OVERWRITE REQUEST or NAME
// REFRESH REQUEST: RFC 1002 4.2.2 to 4.2.4. An overwrite demand demands no more
// than a registration does. A refresh of a name that the sender does not have is
// a registration.
func (s *Server) register(request nbns.Packet, from netip.AddrPort, now uint32) (reply nbns.Packet, ok bool) {
	c, ok := s.readClaim(request, from)
	if !ok {
		s.counters.add(malformedRequest)
		return nbns.NegativeRegistrationResponse(malformed(request), nbns.FormatError), true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.act(c, s.decide(c, nil, now), now)
}

// act does what has been decided. The reply, if there is one, is for now.
func (s *Server) act(c claim, o outcome, now uint32) (reply nbns.Packet, ok bool) {
	switch o.verdict {
	case grant:
		s.counters.add(o.count)
		return c.positive(), true
	case touch:
		s.counters.add(o.count)
		s.table.put(c.key, o.entry)
		return c.positive(), true
	case keepFirst:
		return s.change(c, o)
	case ask:
		return s.challenge(c)
	case wait:
		s.counters.add(o.count)
		return nbns.WaitResponse(c.request, uint32((s.cfg.Challenge+waitSlack)/time.Second)), true
	case drop:
		s.counters.add(o.count)
		return nbns.Packet{}, false
	}
	s.counters.add(o.count)
	return c.negative(o.code), true
}

func refused(code nbns.RCode, count counter) outcome {
	return outcome{verdict: refuse, code: code, count: count}
}

// decide says what becomes of a registration or a refresh. Proof is what the
// owner has said; nil: nobody has asked it.
func (s *Server) decide(c claim, p *proof, now uint32) outcome {
	if o, done := s.decideByName(c); done {
		return o
	}
	if s.pending[c.key] != nil {
		return outcome{verdict: drop, count: busy}
	}
	e, there := s.table.open(c.key)
	if e.static {
		return decideStatic(c, e)
	}
	active := there && e.active(now)
	if !usable(c) {
		if active && e.kind != messngr.NormalGroup {
			return refused(nbns.ActiveError, refusedOwned)
		}
		return outcome{verdict: grant, count: ignored}
	}
	if !s.maySpeak(c, e, active) {
		return refused(nbns.Refused, refusedAddress)
	}
	if !active {
		return s.create(c, now)
	}
	switch e.kind {
	case messngr.NormalGroup:
		if c.kind != messngr.NormalGroup {
			return refused(nbns.ActiveError, refusedOwned)
		}
		// Who joins says no more than that the group is still in use.
		return s.extend(e, []nbns.Addr{{Flags: nbns.NameFlags(e.addrs[0].flags), Addr: netip.AddrFrom4(e.addrs[0].addr)}}, c.ttl, now)
	case messngr.InternetGroup:
		return s.extend(e, c.addrs, c.ttl, now)
	}
	return s.decideOwned(c, e, p, now)
}

// decideByName decides what follows from the name alone.
func (s *Server) decideByName(c claim) (o outcome, done bool) {
	group := c.kind != messngr.UniqueName
	switch suffix := c.name.Suffix(); {
	case len(c.scope) > maxScope:
		return refused(nbns.ServerFailure, refusedScope), true
	case suffix == netbios.MasterBrowser:
		return outcome{verdict: grant, count: ignored}, true
	case suffix == netbios.DomainMaster && group,
		(suffix == netbios.DomainController || suffix == netbios.Election) && !group:
		return refused(nbns.Refused, refusedKind), true
	case c.scope == "" && s.cfg.Own(c.name) && !s.cfg.Local(c.from.Addr()):
		return refused(nbns.ActiveError, refusedOwn), true
	}
	return outcome{}, false
}

// decideStatic grants a static name to those who have it anyway.
func decideStatic(c claim, e entry) outcome {
	group := e.kind == messngr.NormalGroup || e.kind == messngr.InternetGroup
	if group != (c.kind != messngr.UniqueName) {
		return refused(nbns.Refused, refusedStatic)
	}
	for _, a := range c.addrs {
		if !group && e.find(a.Addr.As4()) < 0 {
			return refused(nbns.Refused, refusedStatic)
		}
	}
	return outcome{verdict: grant, count: refreshed}
}

// usable reports whether all addresses of a claim can be those of a host that
// others reach. On this very machine, loopback can.
func usable(c claim) bool {
	for _, a := range c.addrs {
		ip := a.Addr.As4()
		if ip[0] == 0 || ip[0] >= 224 || a.Addr.IsLoopback() && !c.from.Addr().IsLoopback() {
			return false
		}
	}
	return true
}

// maySpeak reports whether the sender may speak for the addresses of its claim:
// it has them, or it is a multi-homed host, or it has the name. The addresses of
// a normal group are nothing to anybody.
func (s *Server) maySpeak(c claim, e entry, active bool) bool {
	if c.kind == messngr.NormalGroup || c.kind == messngr.UniqueName && c.request.Opcode == nbns.MultiHomed || s.cfg.Local(c.from.Addr()) {
		return true
	}
	if c.kind == messngr.UniqueName && active && owns(e, c.source()) {
		return true
	}
	for _, a := range c.addrs {
		if a.Addr != c.from.Addr() {
			return false
		}
	}
	return true
}

// owns reports whether a host has a unique name: by one of its addresses, or
// because it has registered it.
func owns(e entry, addr [4]byte) bool { return e.source == addr || e.find(addr) >= 0 }

// create makes a new entry, in place of one that is no longer active or of
// nothing.
func (s *Server) create(c claim, now uint32) outcome {
	e := entry{kind: c.kind, state: messngr.NameActive, source: c.source()}
	for _, a := range c.addrs {
		if e.find(a.Addr.As4()) < 0 {
			e.addrs = append(e.addrs, newMember(a, c.ttl, now))
		}
	}
	switch {
	case e.kind == messngr.NormalGroup:
		e.addrs = e.addrs[:1]
	case e.kind == messngr.UniqueName && len(e.addrs) > 1:
		e.kind = messngr.MultiHomed
	}
	return outcome{verdict: keepFirst, count: registered, entry: e}
}

// newMember returns an address that was just granted.
func newMember(a nbns.Addr, ttl, now uint32) member {
	return member{
		addr:    a.Addr.As4(),
		flags:   uint16(a.Flags & (nbns.Group | nbns.OwnerNodeType)),
		expires: now + ttl,
		kept:    now + ttl + ttl/4,
	}
}

// extend refreshes addresses of an entry, and adds those that are not there. If
// need be, those that have expired make room.
func (s *Server) extend(e entry, addrs []nbns.Addr, ttl, now uint32) outcome {
	o := outcome{verdict: touch, count: refreshed}
	for _, a := range addrs {
		fresh := newMember(a, ttl, now)
		i := e.find(fresh.addr)
		if i < 0 {
			if len(e.addrs) >= maxMembers {
				e.expire(now)
			}
			o.verdict, o.count = keepFirst, registered
			e.addrs = append(e.addrs, fresh)
			continue
		}
		old := e.addrs[i]
		if fresh.expires > old.kept || fresh.flags != old.flags {
			o.verdict = keepFirst
		} else {
			fresh.kept = old.kept
		}
		e.addrs[i] = fresh
	}
	if len(e.addrs) > maxMembers {
		return refused(nbns.ServerFailure, fullGroup)
	}
	if e.kind == messngr.UniqueName && len(e.addrs) > 1 {
		e.kind = messngr.MultiHomed
	}
	o.entry = e
	return o
}

// expire drops the addresses that have expired, if others are left.
func (e *entry) expire(now uint32) {
	var left []member
	for _, m := range e.addrs {
		if m.expires > now {
			left = append(left, m)
		}
	}
	if len(left) > 0 {
		e.addrs = left
	}
}

// decideOwned decides about a unique name that has an owner: RFC 1001 15.2.2.2
// and 15.2.2.3.
func (s *Server) decideOwned(c claim, e entry, p *proof, now uint32) outcome {
	ch := s.challenges[c.key]
	if c.kind == messngr.UniqueName && (owns(e, c.source()) || s.cfg.Local(c.from.Addr()) && known(e, c)) {
		if ch != nil {
			ch.alive = true // its owner has just spoken
		}
		return s.extend(e, c.addrs, c.ttl, now)
	}
	switch {
	case p == nil && ch != nil && !ch.same(c):
		return outcome{verdict: wait, count: toldToWait}
	case p == nil:
		return outcome{verdict: ask}
	case p.silent(e):
		o := s.create(c, now)
		o.count = challengeWon
		return o
	case c.kind == messngr.UniqueName && p.lists(c):
		// The owner and the claimant are one host. Of its former addresses
		// stay those that it still has.
		var left []member
		for _, m := range e.addrs {
			if p.has(m.addr) {
				left = append(left, m)
			}
		}
		e.addrs = left
		o := s.extend(e, c.addrs, c.ttl, now)
		if o.verdict == touch {
			o.verdict = keepFirst
		}
		return o
	}
	return refused(nbns.ActiveError, challengeLost)
}

// known reports whether the entry has all addresses of a claim.
func known(e entry, c claim) bool {
	for _, a := range c.addrs {
		if e.find(a.Addr.As4()) < 0 {
			return false
		}
	}
	return true
}
