package nbns

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/messngr/messngr/internal/wire"
	"github.com/messngr/messngr/netbios"
)

// ErrInvalid is wrapped by every error that is not about missing bytes.
var ErrInvalid = errors.New("invalid name service packet")

// MaxSize is the most bytes that a packet should have: RFC 1002 6,
// MAX_DATAGRAM_LENGTH. AppendBinary and Parse do not insist on it.
const MaxSize = 576

// A Type says what a question asks for and what a record holds.
type Type uint16

// The types of RFC 1002 4.2.1.3. Zero is none of them.
const (
	TypeA      Type = 0x0001 // A: an address of a name server
	TypeNS     Type = 0x0002 // NS: a name server
	TypeNULL   Type = 0x000A // NULL: nothing, or a WACK's two bytes
	TypeNB     Type = 0x0020 // NB: addresses of a name
	TypeNBSTAT Type = 0x0021 // NBSTAT: the status of a node
)

// A Class is always Internet.
type Class uint16

// Internet is the one class there is.
const Internet Class = 0x0001 // IN

// A Question is what a request is about. See RFC 1002 4.2.1.2.
type Question struct {
	Name  netbios.Name
	Scope netbios.Scope
	Type  Type // zero if the packet has no question
	Class Class
}

// A Resource is a record about a name. See RFC 1002 4.2.1.3.
type Resource struct {
	Name  netbios.Name // zero if an A record is about an ordinary domain name
	Scope netbios.Scope
	Type  Type // zero if the packet has no such record
	Class Class
	TTL   uint32 // in seconds; zero is for ever
	Data  []byte // RDATA, at most 65,535 bytes; Parse lets it alias its input
}

// A Packet is a packet of the name service. An entry of type zero is not there.
type Packet struct {
	Header
	Question                      Question
	Answer, Authority, Additional Resource
}

// pointer marks, in its two highest bits, the place of a name that stands
// earlier in the packet: RFC 1002 4.1, RFC 883 page 30. The first name of a
// packet is always at the same place.
const (
	pointer        = 0xC000
	firstNamePlace = pointer | headerSize
)

// AppendBinary appends the packet to b. A name that is also the packet's first
// name is written as a pointer to that, as Windows does; the others are
// written whole. The error is about a scope, a header field or an RDATA that
// does not fit.
func (p Packet) AppendBinary(b []byte) ([]byte, error) {
	word, err := p.word()
	if err != nil {
		return b, err
	}
	out := binary.BigEndian.AppendUint16(b, p.ID)
	out = binary.BigEndian.AppendUint16(out, word)
	for _, there := range [...]bool{p.Question.Type != 0, p.Answer.Type != 0, p.Authority.Type != 0, p.Additional.Type != 0} {
		out = append(out, 0, 0)
		if there {
			out[len(out)-1] = 1
		}
	}

	first := p.Question // the name and the scope of the first entry; none yet if the type is zero
	if q := &p.Question; q.Type != 0 {
		if out, err = netbios.AppendName(out, q.Name, q.Scope); err != nil {
			return b, fmt.Errorf("%w: question: %w", ErrInvalid, err)
		}
		out = binary.BigEndian.AppendUint16(out, uint16(q.Type))
		out = binary.BigEndian.AppendUint16(out, uint16(q.Class))
	}
	for i, rr := range [...]*Resource{&p.Answer, &p.Authority, &p.Additional} {
		if rr.Type == 0 {
			continue
		}
		if len(rr.Data) > 0xFFFF {
			return b, fmt.Errorf("%w: %s: %d bytes of RDATA, at most 65535 fit", ErrInvalid, sections[i], len(rr.Data))
		}
		switch {
		case first.Type == 0:
			first = Question{Name: rr.Name, Scope: rr.Scope, Type: rr.Type}
			out, err = netbios.AppendName(out, rr.Name, rr.Scope)
		case first.Name == rr.Name && first.Scope == rr.Scope:
			out = binary.BigEndian.AppendUint16(out, firstNamePlace)
		default:
			out, err = netbios.AppendName(out, rr.Name, rr.Scope)
		}
		if err != nil {
			return b, fmt.Errorf("%w: %s: %w", ErrInvalid, sections[i], err)
		}
		out = binary.BigEndian.AppendUint16(out, uint16(rr.Type))
		out = binary.BigEndian.AppendUint16(out, uint16(rr.Class))
		out = binary.BigEndian.AppendUint32(out, rr.TTL)
		out = binary.BigEndian.AppendUint16(out, uint16(len(rr.Data)))
		out = append(out, rr.Data...)
	}
	return out, nil
}

// sections name the records in errors.
var sections = [...]string{"answer", "authority", "additional"}

// Parse reads a packet. The RDATA of its records aliases b.
//
// Deliberately lax: bytes behind the last entry are not looked at, as nmbd does
// not look at them.
func Parse(b []byte) (Packet, error) {
	r := wire.NewReader("name service packet", b)
	var p Packet

	// NAME_TRN_ID (16 bits), R, OPCODE, NM_FLAGS, RCODE (1, 4, 7 and 4 bits)
	id := r.BE16("NAME_TRN_ID")
	p.Header = parseWord(r.BE16("flags"))
	p.ID = id

	// QDCOUNT, ANCOUNT, NSCOUNT, ARCOUNT (16 bits each)
	var counts [4]uint16
	for i, field := range [...]string{"QDCOUNT", "ANCOUNT", "NSCOUNT", "ARCOUNT"} {
		if counts[i] = r.BE16(field); counts[i] > 1 {
			r.Fail(field, fmt.Errorf("%w: %d entries, want at most 1", ErrInvalid, counts[i]))
		}
	}

	if counts[0] == 1 {
		parseQuestion(&r, b, &p.Question)
	}
	for i, rr := range [...]*Resource{&p.Answer, &p.Authority, &p.Additional} {
		if counts[1+i] == 1 {
			parseResource(&r, b, rr)
		}
	}
	if err := r.Err(); err != nil {
		return Packet{}, err
	}
	return p, nil
}

func parseQuestion(r *wire.Reader, packet []byte, q *Question) {
	// QUESTION_NAME
	var foreign error
	if q.Name, q.Scope, foreign = readName(r, packet); foreign != nil {
		r.Fail("QUESTION_NAME", fmt.Errorf("%w: %w", ErrInvalid, foreign))
	}
	// QUESTION_TYPE (16 bits), QUESTION_CLASS (16 bits)
	q.Type = readType(r)
	q.Class = Class(r.BE16("QUESTION_CLASS"))
}

func parseResource(r *wire.Reader, packet []byte, rr *Resource) {
	// RR_NAME
	var foreign error
	rr.Name, rr.Scope, foreign = readName(r, packet)
	// RR_TYPE (16 bits), RR_CLASS (16 bits), TTL (32 bits)
	rr.Type = readType(r)
	if foreign != nil && rr.Type != TypeA {
		r.Fail("RR_NAME", fmt.Errorf("%w: %w", ErrInvalid, foreign))
	}
	rr.Class = Class(r.BE16("RR_CLASS"))
	rr.TTL = r.BE32("TTL")
	// RDLENGTH (16 bits), RDATA
	rr.Data = r.Bytes("RDATA", int(r.BE16("RDLENGTH")))
}

func readType(r *wire.Reader) Type {
	t := Type(r.BE16("type"))
	if t == 0 {
		r.Fail("type", fmt.Errorf("%w: type 0", ErrInvalid))
	}
	return t
}
