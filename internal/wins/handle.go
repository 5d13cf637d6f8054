package wins

import (
	"bytes"
	"net/netip"
	"time"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbns"
)

// addrSize is the size of an nbns.Addr in bytes.
const addrSize = 6

// maxScope is the most bytes of a scope. Deliberately lax: RFC 1002 4.1 allows
// 221, Samba's test suite wants a name server to take 238, which are 237 as
// text, and to refuse one more.
const maxScope = 238

// Handle takes a request of a host to its name server. It is quick and never
// waits. Ok says whether there is a reply, to go back to where the request came
// from; the reply is good until the next call. Other answers are sent with
// Config.Send, later.
//
// Calls must not overlap. Who receives on several sockets passes the requests
// on one after the other.
//
// What is no such request is left alone: responses, broadcasts, questions for
// the status of a node, and queries that are not for a name server because they
// do not desire recursion.
func (s *Server) Handle(request nbns.Packet, from netip.AddrPort, now time.Time) (reply nbns.Packet, ok bool) {
	q := &request.Question
	if request.Response || request.Flags&nbns.Broadcast != 0 || q.Class != nbns.Internet || !from.Addr().Is4() {
		return nbns.Packet{}, false
	}
	switch request.Opcode {
	case nbns.Query:
		if q.Type != nbns.TypeNB || request.Flags&nbns.RecursionDesired == 0 {
			return nbns.Packet{}, false
		}
		return s.query(request, seconds(now)), true
	case nbns.Registration, nbns.MultiHomed, nbns.Refresh, nbns.RefreshAlt:
		return s.register(request, from, seconds(now))
	case nbns.Release:
		return s.release(request, from, seconds(now))
	}
	return nbns.Packet{}, false
}

// query answers a NAME QUERY REQUEST: RFC 1002 4.2.13 and 4.2.14. It does not
// allocate.
func (s *Server) query(request nbns.Packet, now uint32) (reply nbns.Packet) {
	k := key{request.Question.Name, request.Question.Scope}
	sh := s.table.shard(k.name)
	sh.mu.RLock()
	r, found := sh.lookup(k)
	rdata := s.rdata[:0]
	if found = found && r.active(now); found {
		switch {
		case r.kind == messngr.NormalGroup:
			rdata = appendAddr(rdata, r.flags, [4]byte{255, 255, 255, 255})
		case r.marks&markSeveral != 0:
			for _, m := range sh.several[k] {
				if m.expires > now {
					rdata = appendAddr(rdata, m.flags, m.addr)
				}
			}
		default:
			rdata = appendAddr(rdata, r.flags, r.addr)
		}
	}
	sh.mu.RUnlock()

	if !found {
		s.counters.add(notFound)
		reply = nbns.NegativeQueryResponse(request, nbns.NameError)
	} else {
		s.counters.add(queryFound)
		ttl := s.maxTTL()
		if !r.static() {
			ttl = r.expires - now
		}
		reply = nbns.PositiveQueryResponse(request, ttl, rdata)
	}
	reply.Flags |= nbns.RecursionAvailable
	return reply
}

// appendAddr appends an nbns.Addr.
func appendAddr(b []byte, flags uint16, addr [4]byte) []byte {
	return append(b, byte(flags>>8), byte(flags), addr[0], addr[1], addr[2], addr[3])
}

// A claim is a registration, a refresh or a release, read.
type claim struct {
	key
	request nbns.Packet
	from    netip.AddrPort
	kind    messngr.NameKind // UniqueName, NormalGroup or InternetGroup
	addrs   []nbns.Addr
	ttl     uint32 // granted, in seconds
}

// readClaim reads a request that has an additional record about its name. It
// reports whether it is well formed.
func (s *Server) readClaim(request nbns.Packet, from netip.AddrPort) (c claim, ok bool) {
	q, rr := &request.Question, &request.Additional
	c = claim{key: key{q.Name, q.Scope}, request: request, from: from}
	if q.Type != nbns.TypeNB || rr.Type != nbns.TypeNB || rr.Class != nbns.Internet || rr.Name != q.Name || rr.Scope != q.Scope {
		return c, false
	}
	// "RDLENGTH 0x0006": only a multi-homed host has more to say.
	if len(rr.Data) > addrSize && (request.Opcode != nbns.MultiHomed || len(rr.Data) > maxMembers*addrSize) {
		return c, false
	}
	addrs, err := nbns.ParseAddrs(nil, rr.Data)
	if err != nil {
		return c, false
	}
	for _, a := range addrs[1:] {
		if (a.Flags^addrs[0].Flags)&nbns.Group != 0 {
			return c, false
		}
	}
	c.addrs = addrs
	c.kind = messngr.UniqueName
	if addrs[0].Flags&nbns.Group != 0 {
		c.kind = messngr.NormalGroup
		if c.name.Suffix() == netbios.DomainController {
			c.kind = messngr.InternetGroup
		}
	}
	c.ttl = s.grant(rr.TTL)
	return c, true
}

// grant returns the time for which a name is granted to who asks for ttl
// seconds; zero asks for no limit: RFC 1002 6, INFINITE_TTL.
func (s *Server) grant(ttl uint32) uint32 {
	longest := s.maxTTL()
	if ttl == 0 || ttl > longest {
		return longest
	}
	return max(ttl, uint32(s.cfg.MinTTL/time.Second))
}

func (s *Server) maxTTL() uint32 { return uint32(s.cfg.MaxTTL / time.Second) }

// keep makes c independent of the buffer that its request was read from.
func (c *claim) keep() {
	c.request.Additional.Data = bytes.Clone(c.request.Additional.Data)
}

// source returns the address that the request came from.
func (c *claim) source() [4]byte { return c.from.Addr().As4() }

// positive and negative return the reply to a registration or a refresh.
func (c *claim) positive() nbns.Packet {
	return nbns.PositiveRegistrationResponse(c.request, c.ttl)
}

func (c *claim) negative(code nbns.RCode) nbns.Packet {
	return nbns.NegativeRegistrationResponse(c.request, code)
}

// malformed returns the request with no more RDATA than a good one has, for a
// reply that repeats it.
func malformed(request nbns.Packet) nbns.Packet {
	rr := &request.Additional
	rr.Data = rr.Data[:min(len(rr.Data), addrSize)]
	return request
}
