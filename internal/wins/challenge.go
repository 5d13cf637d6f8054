package wins

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/messngr/messngr/netbios/nbns"
)

// port is that of the name service: RFC 1002 4.2, NAME_SERVICE_UDP_PORT.
const port = 137

// wackSlack is how much longer than the challenge a claimant is told to wait:
// the answer has still to be stored and to travel.
const wackSlack = 5 * time.Second

// waitSlack is the same for a second claimant, whom nobody tells how it ended: he
// is to come again. In silence he would take us for dead, as a host does that
// claims its name with one address after the other.
const waitSlack = time.Second

// A challenge is a claim that waits for the owner of the name to be asked.
type challenge struct {
	claim
	owner []netip.Addr // all its addresses
	alive bool         // it has refreshed the name meanwhile
}

// same reports whether c is the claim that waits, come again.
func (ch *challenge) same(c claim) bool {
	return ch.from == c.from && ch.request.ID == c.request.ID && ch.request.Opcode == c.request.Opcode
}

// challenge tells the claimant to wait, and has the owner asked if it is not
// being asked already. When too many are, the claimant gets no answer.
func (s *Server) challenge(c claim) (reply nbns.Packet, ok bool) {
	if s.challenges[c.key] == nil {
		if len(s.challenges) >= s.cfg.MaxChallenges {
			s.counters.add(busy)
			return nbns.Packet{}, false
		}
		e, _ := s.table.open(c.key)
		ch := &challenge{claim: c}
		ch.keep()
		for _, m := range e.addrs {
			ch.owner = append(ch.owner, netip.AddrFrom4(m.addr))
		}
		s.counters.add(challenged)
		s.challenges[c.key] = ch
		s.asking <- ch // there is room for all
	}
	return nbns.WaitResponse(c.request, uint32((s.cfg.Challenge+wackSlack)/time.Second)), true
}

// challengeAll asks owners until ctx is done.
func (s *Server) challengeAll(ctx context.Context) {
	var asking sync.WaitGroup
	defer asking.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case ch := <-s.asking:
			asking.Go(func() {
				p := s.askOwner(ctx, ch)
				if ctx.Err() == nil {
					s.conclude(ch, p, seconds(time.Now()))
				}
			})
		}
	}
}

// A proof is what the owner of a name has said.
type proof struct {
	asked []netip.Addr // the addresses of the owner
	yes   bool         // it has the name
	addrs []nbns.Addr  // and with which addresses
}

// askOwner asks all addresses of an owner at the same time: RFC 1001 15.1.3.3,
// name challenge. One that says yes is enough.
func (s *Server) askOwner(ctx context.Context, ch *challenge) *proof {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Challenge)
	defer cancel()
	// "RD: 0" asks the node itself, not a name server: RFC 1002 4.2.12.
	query := nbns.NameQuery(0, ch.name, ch.scope, false)
	query.Flags = 0

	p := &proof{asked: ch.owner}
	var mu sync.Mutex
	var asking sync.WaitGroup
	for _, addr := range ch.owner {
		asking.Go(func() {
			response, err := s.cfg.Ask(ctx, query, netip.AddrPortFrom(addr, port))
			if err != nil || response.RCode != nbns.Success || response.Answer.Type != nbns.TypeNB {
				return // silent, or a no
			}
			addrs, err := nbns.ParseAddrs(nil, response.Answer.Data)
			if err != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			p.yes = true
			p.addrs = append(p.addrs, addrs...)
			cancel()
		})
	}
	asking.Wait()
	return p
}

// silent reports whether an entry's owner, which must have been asked, does
// not have the name any more.
func (p *proof) silent(e entry) bool {
	for _, m := range e.addrs {
		if !slices.Contains(p.asked, netip.AddrFrom4(m.addr)) {
			return false // it is another one by now
		}
	}
	return !p.yes
}

// has reports whether the owner says that an address is its own.
func (p *proof) has(addr [4]byte) bool {
	return slices.ContainsFunc(p.addrs, func(a nbns.Addr) bool { return a.Addr.As4() == addr })
}

// lists reports whether the owner says that all addresses of a claim are its
// own.
func (p *proof) lists(c claim) bool {
	for _, a := range c.addrs {
		if !p.has(a.Addr.As4()) {
			return false
		}
	}
	return p.yes
}

// conclude decides about a claim whose owner has been asked.
func (s *Server) conclude(ch *challenge, p *proof, now uint32) {
	s.mu.Lock()
	if pending := s.pending[ch.key]; pending != nil {
		// The owner releases the name just now, or refreshes it.
		pending.after = func(now uint32) { s.conclude(ch, p, now) }
		s.mu.Unlock()
		return
	}
	if ch.alive {
		p.yes = true
	}
	o := s.decide(ch.claim, p, now)
	delete(s.challenges, ch.key)
	switch o.count {
	case challengeLost:
		s.cfg.Log.Debug("a name was claimed that its owner still has", "name", ch.key, "claimant", ch.from.Addr(), "owner", ch.owner)
	case challengeWon:
		s.cfg.Log.Info("a name goes to another host, because its owner did not say that it has it", "name", ch.key, "claimant", ch.from.Addr(), "owner", ch.owner)
	}
	reply, ok := s.act(ch.claim, o, now)
	s.mu.Unlock()
	if ok {
		s.cfg.Send(reply, ch.from)
	}
}
