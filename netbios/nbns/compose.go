package nbns

import "github.com/messngr/messngr/netbios"

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
