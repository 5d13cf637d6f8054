package nbns

import (
	"encoding/binary"
	"net/netip"

	"github.com/messngr/messngr/netbios"
)

// NameQuery returns a NAME QUERY REQUEST (RFC 1002 4.2.12): who owns the name?
// Broadcast says that it goes to everyone; else it is for a name server.
func NameQuery(id uint16, name netbios.Name, scope netbios.Scope, broadcast bool) Packet {
	p := Packet{
		Header:   Header{ID: id, Opcode: Query, Flags: RecursionDesired},
		Question: Question{Name: name, Scope: scope, Type: TypeNB, Class: Internet},
	}
	if broadcast {
		p.Flags |= Broadcast
	}
	return p
}

// StatusQuery returns a NODE STATUS REQUEST (RFC 1002 4.2.17) to the owner of
// the name, or to whoever gets it if the name is netbios.Wildcard.
func StatusQuery(id uint16, name netbios.Name, scope netbios.Scope) Packet {
	return Packet{
		Header:   Header{ID: id, Opcode: Query},
		Question: Question{Name: name, Scope: scope, Type: TypeNBSTAT, Class: Internet},
	}
}

// PositiveQueryResponse returns an owner's POSITIVE NAME QUERY RESPONSE (RFC
// 1002 4.2.13). The addrs are one or more Addr as bytes. A name server adds
// RecursionAvailable, which "must be zero in all other responses" (RFC 1002
// 4.2.1.1).
func PositiveQueryResponse(query Packet, ttl uint32, addrs []byte) Packet {
	p := respond(query, Authoritative|RecursionDesired, TypeNB)
	p.Answer.TTL = ttl
	p.Answer.Data = addrs
	return p
}

// NegativeQueryResponse returns a node's NEGATIVE NAME QUERY RESPONSE (RFC 1002
// 4.2.14): it does not own the name. As for RecursionAvailable, see
// PositiveQueryResponse.
func NegativeQueryResponse(query Packet, code RCode) Packet {
	p := respond(query, Authoritative|RecursionDesired, TypeNULL)
	p.RCode = code
	return p
}

// StatusResponse returns a NODE STATUS RESPONSE (RFC 1002 4.2.18); status is a
// NodeStatus as bytes.
func StatusResponse(query Packet, status []byte) Packet {
	p := respond(query, Authoritative, TypeNBSTAT)
	p.Answer.Data = status
	return p
}

// respond returns a response with an empty answer about the query's name.
func respond(query Packet, flags Flags, t Type) Packet {
	q := query.Question
	return Packet{
		Header: Header{ID: query.ID, Response: true, Opcode: query.Opcode, Flags: flags},
		Answer: Resource{Name: q.Name, Scope: q.Scope, Type: t, Class: Internet},
	}
}

// RegistrationRequest returns a NAME REGISTRATION REQUEST (RFC 1002 4.2.2): the
// sender wants the name. The addrs are one or more Addr as bytes, ttl is how
// long it wants it, in seconds. Broadcast says that it goes to everyone; else
// it is for a name server.
func RegistrationRequest(id uint16, name netbios.Name, scope netbios.Scope, ttl uint32, addrs []byte, broadcast bool) Packet {
	return request(Header{ID: id, Opcode: Registration, Flags: RecursionDesired}, name, scope, ttl, addrs, broadcast)
}

// OverwriteDemand returns a NAME OVERWRITE REQUEST & DEMAND (RFC 1002 4.2.3):
// the sender has the name now. Arguments are as for RegistrationRequest.
func OverwriteDemand(id uint16, name netbios.Name, scope netbios.Scope, ttl uint32, addrs []byte, broadcast bool) Packet {
	return request(Header{ID: id, Opcode: Registration}, name, scope, ttl, addrs, broadcast)
}

// MultiHomedRegistration returns the request with which Windows registers one
// of several addresses of a host at a name server. It is not in RFC 1002.
func MultiHomedRegistration(id uint16, name netbios.Name, scope netbios.Scope, ttl uint32, addrs []byte) Packet {
	return request(Header{ID: id, Opcode: MultiHomed, Flags: RecursionDesired}, name, scope, ttl, addrs, false)
}

// RefreshRequest returns a NAME REFRESH REQUEST (RFC 1002 4.2.4), with the
// opcode that Windows uses: the sender still has the name.
func RefreshRequest(id uint16, name netbios.Name, scope netbios.Scope, ttl uint32, addrs []byte) Packet {
	return request(Header{ID: id, Opcode: Refresh}, name, scope, ttl, addrs, false)
}

// ReleaseRequest returns a NAME RELEASE REQUEST & DEMAND (RFC 1002 4.2.9): the
// sender gives the name up.
func ReleaseRequest(id uint16, name netbios.Name, scope netbios.Scope, addrs []byte, broadcast bool) Packet {
	return request(Header{ID: id, Opcode: Release}, name, scope, 0, addrs, broadcast)
}

// request returns a request about a name with addresses.
func request(h Header, name netbios.Name, scope netbios.Scope, ttl uint32, addrs []byte, broadcast bool) Packet {
	if broadcast {
		h.Flags |= Broadcast
	}
	return Packet{
		Header:     h,
		Question:   Question{Name: name, Scope: scope, Type: TypeNB, Class: Internet},
		Additional: Resource{Name: name, Scope: scope, Type: TypeNB, Class: Internet, TTL: ttl, Data: addrs},
	}
}

// PositiveRegistrationResponse returns a name server's POSITIVE NAME
// REGISTRATION RESPONSE (RFC 1002 4.2.5) to a registration or a refresh, which
// grants the name for ttl seconds.
func PositiveRegistrationResponse(request Packet, ttl uint32) Packet {
	return registered(request, RecursionAvailable, Success, ttl)
}

// NegativeRegistrationResponse returns a NEGATIVE NAME REGISTRATION RESPONSE
// (RFC 1002 4.2.6): of a name server, or of an owner that defends its name,
// which says ActiveError.
func NegativeRegistrationResponse(request Packet, code RCode) Packet {
	return registered(request, RecursionAvailable, code, 0)
}

// ChallengeRegistrationResponse returns an END-NODE CHALLENGE REGISTRATION
// RESPONSE (RFC 1002 4.2.7): the name has an owner, and the sender of the
// request is to find out whether it still has it. The addrs are the owner's.
func ChallengeRegistrationResponse(request Packet, addrs []byte) Packet {
	p := registered(request, 0, Success, 0)
	p.Answer.Data = addrs
	return p
}

// registered returns a response about the record of the request.
func registered(request Packet, flags Flags, code RCode, ttl uint32) Packet {
	p := respond(request, flags|Authoritative|RecursionDesired, TypeNB)
	p.Opcode = Registration // to a refresh as well, and to a multi-homed registration
	p.RCode = code
	p.Answer.TTL = ttl
	p.Answer.Data = request.Additional.Data
	return p
}

// ConflictDemand returns a NAME CONFLICT DEMAND (RFC 1002 4.2.8): more than one
// node owns the unique name. It is a response to nothing.
func ConflictDemand(id uint16, name netbios.Name, scope netbios.Scope) Packet {
	return Packet{
		Header: Header{ID: id, Response: true, Opcode: Registration, Flags: Authoritative | RecursionDesired | RecursionAvailable, RCode: NameInConflict},
		Answer: Resource{Name: name, Scope: scope, Type: TypeNB, Class: Internet, Data: make([]byte, addrSize)},
	}
}

// ReleaseResponse returns a POSITIVE or, with a code, a NEGATIVE NAME RELEASE
// RESPONSE (RFC 1002 4.2.10 and 4.2.11).
func ReleaseResponse(request Packet, code RCode) Packet {
	p := respond(request, Authoritative, TypeNB)
	p.RCode = code
	p.Answer.Data = request.Additional.Data
	return p
}

// WaitResponse returns a name server's WAIT FOR ACKNOWLEDGEMENT RESPONSE (RFC
// 1002 4.2.16): the answer will take up to ttl seconds more.
func WaitResponse(request Packet, ttl uint32) Packet {
	p := respond(request, Authoritative, TypeNULL)
	p.Opcode = WACK
	p.Answer.TTL = ttl
	word, _ := request.Header.word() // it was parsed, or has been appended
	p.Answer.Data = binary.BigEndian.AppendUint16(nil, word)
	return p
}

// Redirect returns the address of the name server that is to be asked instead,
// if the packet is a REDIRECT NAME QUERY RESPONSE (RFC 1002 4.2.15).
func (p Packet) Redirect() (netip.Addr, bool) {
	if !p.Response || p.Opcode != Query || p.RCode != Success || p.Answer.Type != 0 ||
		p.Authority.Type != TypeNS || p.Additional.Type != TypeA || len(p.Additional.Data) != 4 {
		return netip.Addr{}, false
	}
	return netip.AddrFrom4([4]byte(p.Additional.Data)), true
}
