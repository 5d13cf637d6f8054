package wins

import (
	"net/netip"
	"slices"
	"time"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/netbios/nbns"
)

// release answers a NAME RELEASE REQUEST: RFC 1002 4.2.9 to 4.2.11. What nobody
// has is released already.
func (s *Server) release(request nbns.Packet, from netip.AddrPort, now uint32) (reply nbns.Packet, ok bool) {
	c, ok := s.readClaim(request, from)
	if !ok {
		s.counters.add(malformedRequest)
		return nbns.ReleaseResponse(malformed(request), nbns.FormatError), true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending[c.key] != nil {
		s.counters.add(busy)
		return nbns.Packet{}, false
	}
	e, there := s.table.open(c.key)
	if !there || !e.active(now) || e.kind == messngr.NormalGroup {
		return nbns.ReleaseResponse(request, nbns.Success), true
	}
	i := e.find(c.addrs[0].Addr.As4())
	if e.kind == messngr.InternetGroup && i < 0 {
		return nbns.ReleaseResponse(request, nbns.Success), true
	}
	if !s.mayRelease(c, e) {
		// "Name is owned by another node. Only that node may release it."
		s.counters.add(refusedOwned)
		return nbns.ReleaseResponse(request, nbns.ActiveError), true
	}
	if e.static || i < 0 {
		return nbns.ReleaseResponse(request, nbns.Success), true
	}
	o := outcome{verdict: keepFirst, count: released, entry: e}
	if len(e.addrs) > 1 {
		o.entry.addrs = slices.Delete(o.entry.addrs, i, i+1)
	} else {
		o.entry.state = messngr.NameReleased
		o.entry.forget = now + uint32(s.cfg.Extinct/time.Second)
	}
	return s.change(c, o)
}

// mayRelease reports whether the sender may release the address that it names.
func (s *Server) mayRelease(c claim, e entry) bool {
	addr := c.addrs[0].Addr
	switch {
	case s.cfg.Local(c.from.Addr()) && s.cfg.Local(addr):
		return true
	case e.kind == messngr.InternetGroup:
		return c.from.Addr() == addr
	}
	return owns(e, c.source())
}
