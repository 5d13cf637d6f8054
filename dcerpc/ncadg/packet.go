package ncadg

import (
	"errors"
	"fmt"

	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/internal/wire"
)

// ErrInvalid is wrapped by every error about a packet that is whole and wrong.
// A packet that ends too early is io.ErrUnexpectedEOF.
var ErrInvalid = errors.New("invalid connectionless RPC packet")

// Sizes in bytes, and other numbers of the protocol.
const (
	Version    = 4  // rpc_vers
	HeaderSize = 80 // of every packet

	// MustReceive is the size of a packet, from the header on, that everybody
	// takes: [C706] appendix K, MustRecvFragSize. Who sends more in one packet
	// has been told in a fack that he may.
	MustReceive = 1464
	// MaxBody is what it leaves for a body.
	MaxBody = MustReceive - HeaderSize

	// NoHint is ihint and ahint of who has no hint.
	NoHint uint16 = 0xFFFF
)

// A PacketType says what a packet is: [C706] 12.1, ptype.
type PacketType uint8

// The types of connectionless packets.
const (
	Request   PacketType = 0  // request: a fragment of a call, to the server
	Ping      PacketType = 1  // ping: what has become of my call?
	Response  PacketType = 2  // response: a fragment of the answer
	Fault     PacketType = 3  // fault: the call failed while it was executed
	Working   PacketType = 4  // working: to a ping, the call is being executed
	NoCall    PacketType = 5  // nocall: to a ping, the call has not come whole
	Reject    PacketType = 6  // reject: the call was not executed
	Ack       PacketType = 7  // ack: the response has come whole
	Cancel    PacketType = 8  // cl_cancel: do not go on with my call
	Fack      PacketType = 9  // fack: fragments have come
	CancelAck PacketType = 10 // cancel_ack: the cancel has come
)

// String returns the type's name in [C706].
func (t PacketType) String() string {
	names := [...]string{"request", "ping", "response", "fault", "working", "nocall", "reject", "ack", "cl_cancel", "fack", "cancel_ack"}
	if int(t) < len(names) {
		return names[t]
	}
	return fmt.Sprintf("packet type %d", uint8(t))
}

// Flags1 is the first set of flags: [C706] 12.5.2.4. The bits without a name
// are of the implementation's own use.
type Flags1 uint8

// The flags of the first set.
const (
	LastFragment Flags1 = 0x02 // lastfrag: the last one of several fragments
	Fragment     Flags1 = 0x04 // frag: one of several fragments
	NoFack       Flags1 = 0x08 // nofack: the sender wants no fack for this fragment
	Maybe        Flags1 = 0x10 // maybe: the caller wants no answer, and to be executed at most once
	Idempotent   Flags1 = 0x20 // idempotent: the call may be executed more than once
	Broadcast    Flags1 = 0x40 // broadcast: sent to everybody, the first answer counts
)

// Flags2 is the second set of flags: [C706] 12.5.2.5.
type Flags2 uint8

// CancelPending says in a fault, response or request that a cancel came, and
// was still to be seen to, when the call ended.
const CancelPending Flags2 = 0x02

// A Packet is a packet of the protocol.
type Packet struct {
	Type    PacketType
	Flags1  Flags1
	Flags2  Flags2
	DataRep dcerpc.DataRep // byte 3 of it is not on the wire

	Object        dcerpc.UUID     // nil if the call is of no object
	Interface     dcerpc.SyntaxID // if_id, if_vers
	Activity      dcerpc.UUID     // act_id
	ServerBoot    uint32          // server_boot: when the server was started; 0 if the caller does not know yet
	Sequence      uint32          // seqnum: of the call in its activity
	Opnum         uint16
	InterfaceHint uint16 // ihint: the server's own number for the interface, or NoHint
	ActivityHint  uint16 // ahint: the server's own number for the activity, or NoHint
	Fragment      uint16 // fragnum: of this fragment; in a fack the last one that came with all before it
	AuthProto     uint8  // auth_proto: 0, none
	Serial        uint16 // serial_hi, serial_lo: of this packet among those of the call

	Body []byte // Parse lets it alias its input
}

// LooksLike reports whether b begins like a packet of this protocol, so that
// what shares a socket with it can be told from it.
func LooksLike(b []byte) bool {
	return len(b) >= HeaderSize && b[0] == Version && b[1] <= uint8(CancelAck) && b[4]>>4 <= 1
}

// Parse reads a packet. Its body aliases b.
//
// Deliberately lax: bytes behind the body are left alone, since there an
// authentication verifier stands.
func Parse(b []byte) (p Packet, err error) {
	if len(b) < HeaderSize {
		return Packet{}, &wire.TruncatedError{Structure: "RPC packet", Field: "header", Have: len(b), Need: HeaderSize}
	}
	h := (*[HeaderSize]byte)(b)
	// rpc_vers, ptype, flags1, flags2 (8 bits each), drep (24 bits)
	switch {
	case h[0] != Version:
		return Packet{}, invalid("rpc_vers", 0, "version %d, want %d", h[0], Version)
	case h[1] > uint8(CancelAck):
		return Packet{}, invalid("ptype", 1, "unknown type %d", h[1])
	case h[4]>>4 > 1:
		return Packet{}, invalid("drep", 4, "unknown integer representation %d", h[4]>>4)
	}
	p.Type, p.Flags1, p.Flags2 = PacketType(h[1]), Flags1(h[2]), Flags2(h[3])
	p.DataRep = dcerpc.DataRep{h[4], h[5], h[6]}
	order := dcerpc.ByteOrder(h[4]>>4 == 0)
	// object, if_id, act_id (128 bits each)
	p.Object = order.UUID(h[8:24])
	p.Interface.UUID = order.UUID(h[24:40])
	p.Activity = order.UUID(h[40:56])
	// server_boot, if_vers, seqnum (32 bits each)
	p.ServerBoot = order.Uint32(h[56:60])
	p.Interface.SetVersion(order.Uint32(h[60:64]))
	p.Sequence = order.Uint32(h[64:68])
	// opnum, ihint, ahint, len, fragnum (16 bits each)
	p.Opnum = order.Uint16(h[68:70])
	p.InterfaceHint = order.Uint16(h[70:72])
	p.ActivityHint = order.Uint16(h[72:74])
	p.Fragment = order.Uint16(h[76:78])
	// auth_proto, serial_lo (8 bits each); serial_hi is behind drep
	p.AuthProto = h[78]
	p.Serial = uint16(h[7])<<8 | uint16(h[79])
	// "len: the length in octets of the PDU body", without the header.
	if n := int(order.Uint16(h[74:76])); n > 0 {
		if len(b)-HeaderSize < n {
			return Packet{}, &wire.TruncatedError{Structure: "RPC packet", Field: "body", Offset: HeaderSize, Have: len(b) - HeaderSize, Need: n}
		}
		p.Body = b[HeaderSize : HeaderSize+n : HeaderSize+n]
	}
	return p, nil
}

// AppendBinary appends the packet. It fails for a type that is not known, a
// body longer than 65,535 bytes and a data representation whose integers are
// unknown.
func (p Packet) AppendBinary(b []byte) ([]byte, error) {
	rep := p.DataRep
	switch {
	case p.Type > CancelAck:
		return nil, fmt.Errorf("%w: unknown type %d", ErrInvalid, p.Type)
	case len(p.Body) > 0xFFFF:
		return nil, fmt.Errorf("%w: a body of %d bytes, len carries 65535", ErrInvalid, len(p.Body))
	case rep.Check() != nil:
		return nil, fmt.Errorf("%w: %w", ErrInvalid, rep.Check())
	}
	b = append(b, Version, uint8(p.Type), uint8(p.Flags1), uint8(p.Flags2))
	b = append(b, rep[0], rep[1], rep[2], uint8(p.Serial>>8))
	b = rep.AppendUUID(b, p.Object)
	b = rep.AppendUUID(b, p.Interface.UUID)
	b = rep.AppendUUID(b, p.Activity)
	b = rep.AppendUint32(b, p.ServerBoot)
	b = rep.AppendUint32(b, p.Interface.Version())
	b = rep.AppendUint32(b, p.Sequence)
	b = rep.AppendUint16(b, p.Opnum)
	b = rep.AppendUint16(b, p.InterfaceHint)
	b = rep.AppendUint16(b, p.ActivityHint)
	b = rep.AppendUint16(b, uint16(len(p.Body)))
	b = rep.AppendUint16(b, p.Fragment)
	b = append(b, p.AuthProto, uint8(p.Serial))
	return append(b, p.Body...), nil
}

func invalid(field string, offset int, format string, args ...any) error {
	return fmt.Errorf("RPC packet: %s at offset %d: %w: %s", field, offset, ErrInvalid, fmt.Sprintf(format, args...))
}

// SequenceLess reports whether the sequence number a comes before b, counting
// round: numbers go on from 0xFFFFFFFF with 0.
func SequenceLess(a, b uint32) bool { return int32(a-b) < 0 }

// SerialLess reports whether the serial number a comes before b, counting
// round as SequenceLess does.
func SerialLess(a, b uint16) bool { return int16(a-b) < 0 }
