package nbdgm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"

	"github.com/messngr/messngr/internal/wire"
	"github.com/messngr/messngr/netbios"
)

// ErrInvalid is wrapped by every error about a packet that is whole and wrong.
// A packet that ends too early is io.ErrUnexpectedEOF.
var ErrInvalid = errors.New("invalid datagram packet")

// A Type says what a packet is: RFC 1002 4.4.1, MSG_TYPE.
type Type uint8

// The types of datagram packets.
const (
	DirectUnique     Type = 0x10 // DIRECT_UNIQUE DATAGRAM
	DirectGroup      Type = 0x11 // DIRECT_GROUP DATAGRAM
	Broadcast        Type = 0x12 // BROADCAST DATAGRAM
	DatagramError    Type = 0x13 // DATAGRAM ERROR
	QueryRequest     Type = 0x14 // DATAGRAM QUERY REQUEST
	PositiveResponse Type = 0x15 // DATAGRAM POSITIVE QUERY RESPONSE
	NegativeResponse Type = 0x16 // DATAGRAM NEGATIVE QUERY RESPONSE
)

// IsDatagram reports whether packets of the type carry data from one name to
// another, whole or in fragments.
func (t Type) IsDatagram() bool { return DirectUnique <= t && t <= Broadcast }

// String returns the type's name in RFC 1002.
func (t Type) String() string {
	switch t {
	case DirectUnique:
		return "DIRECT_UNIQUE DATAGRAM"
	case DirectGroup:
		return "DIRECT_GROUP DATAGRAM"
	case Broadcast:
		return "BROADCAST DATAGRAM"
	case DatagramError:
		return "DATAGRAM ERROR"
	case QueryRequest:
		return "DATAGRAM QUERY REQUEST"
	case PositiveResponse:
		return "DATAGRAM POSITIVE QUERY RESPONSE"
	case NegativeResponse:
		return "DATAGRAM NEGATIVE QUERY RESPONSE"
	}
	return fmt.Sprintf("datagram packet type 0x%02X", uint8(t))
}

// Flags is the FLAGS field: RFC 1002 4.4.1.
type Flags uint8

// The flags. Two bits, NodeMask, are the type of the node that sent.
const (
	More     Flags = 0x01 // M: more fragments follow
	First    Flags = 0x02 // F: the first, and possibly only, fragment
	BNode    Flags = 0x00 // SNT 00: broadcast node
	PNode    Flags = 0x04 // SNT 01: point-to-point node
	MNode    Flags = 0x08 // SNT 10: mixed node
	NBDD     Flags = 0x0C // SNT 11: datagram distribution server; of Windows, a hybrid node
	NodeMask Flags = 0x0C
)

// An ErrorCode is the reason in a DATAGRAM ERROR packet: RFC 1002 4.4.3.
type ErrorCode uint8

// The reasons of RFC 1002 4.4.3.
const (
	DestinationNotPresent  ErrorCode = 0x82 // DESTINATION NAME NOT PRESENT
	InvalidSourceName      ErrorCode = 0x83 // INVALID SOURCE NAME FORMAT
	InvalidDestinationName ErrorCode = 0x84 // INVALID DESTINATION NAME FORMAT
)

// Error returns the text of RFC 1002 4.4.3.
func (c ErrorCode) Error() string {
	switch c {
	case DestinationNotPresent:
		return "destination name not present"
	case InvalidSourceName:
		return "invalid source name format"
	case InvalidDestinationName:
		return "invalid destination name format"
	}
	return fmt.Sprintf("datagram error 0x%02X", uint8(c))
}

// A Packet is a packet of the datagram service. Which fields it has depends on
// its type.
type Packet struct {
	Type   Type
	Flags  Flags
	ID     uint16         // DGM_ID: of all fragments of a datagram, and of the error about it
	Source netip.AddrPort // SOURCE_IP and SOURCE_PORT: what the sender says it is; IPv4

	// Of datagrams: RFC 1002 4.4.2.
	Offset      uint16 // PACKET_OFFSET: the place of Data in the data of the datagram, in bytes
	SourceName  netbios.Name
	SourceScope netbios.Scope
	Data        []byte // USER_DATA, of this fragment; Parse lets it alias its input

	// Of datagrams and of queries with their responses: RFC 1002 4.4.4.
	DestinationName  netbios.Name
	DestinationScope netbios.Scope

	// Of errors: RFC 1002 4.4.3.
	ErrorCode ErrorCode
}

const (
	// headerSize is the size of what all packets begin with.
	headerSize = 10
	// datagramHeaderSize is the size of what stands before a datagram's names.
	datagramHeaderSize = headerSize + 4
)

// AppendBinary appends the packet. It fails for a type that is not known, a
// source that is not IPv4, a scope that is not well formed, and for names and
// data that are too long for DGM_LENGTH, 65,535 bytes.
func (p Packet) AppendBinary(b []byte) ([]byte, error) {
	if !p.Source.Addr().Is4() {
		return nil, fmt.Errorf("%w: source address %v is not IPv4", ErrInvalid, p.Source.Addr())
	}
	ip := p.Source.Addr().As4()
	b = append(b, uint8(p.Type), uint8(p.Flags))
	b = binary.BigEndian.AppendUint16(b, p.ID)
	b = append(b, ip[:]...)
	b = binary.BigEndian.AppendUint16(b, p.Source.Port())
	switch {
	case p.Type.IsDatagram():
		return p.appendDatagram(b)
	case p.Type == DatagramError:
		return append(b, uint8(p.ErrorCode)), nil
	case QueryRequest <= p.Type && p.Type <= NegativeResponse:
		return appendName(b, "destination name", p.DestinationName, p.DestinationScope)
	}
	return nil, fmt.Errorf("%w: unknown type 0x%02X", ErrInvalid, uint8(p.Type))
}

// appendDatagram appends what a datagram has behind its SOURCE_PORT.
func (p Packet) appendDatagram(b []byte) ([]byte, error) {
	b = append(b, 0, 0)
	b = binary.BigEndian.AppendUint16(b, p.Offset)
	start := len(b)
	b, err := appendName(b, "source name", p.SourceName, p.SourceScope)
	if err != nil {
		return nil, err
	}
	if b, err = appendName(b, "destination name", p.DestinationName, p.DestinationScope); err != nil {
		return nil, err
	}
	b = append(b, p.Data...)
	if n := len(b) - start; n > 0xFFFF {
		return nil, fmt.Errorf("%w: names and data of %d bytes, DGM_LENGTH carries 65535", ErrInvalid, n)
	}
	binary.BigEndian.PutUint16(b[start-4:], uint16(len(b)-start))
	return b, nil
}

func appendName(b []byte, what string, n netbios.Name, s netbios.Scope) ([]byte, error) {
	b, err := netbios.AppendName(b, n, s)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrInvalid, what, err)
	}
	return b, nil
}

// Parse reads a packet. Its data aliases b.
//
// Deliberately lax: the reserved bits of FLAGS are kept and not looked at, as
// Windows sets one of them; and bytes behind the packet are left alone, since
// the lengths in it say where it ends.
func Parse(b []byte) (Packet, error) {
	r := wire.NewReader("datagram packet", b)
	var p Packet

	// MSG_TYPE, FLAGS (8 bits each), DGM_ID (16 bits), SOURCE_IP (32 bits),
	// SOURCE_PORT (16 bits)
	p.Type = Type(r.Uint8("MSG_TYPE"))
	if r.Err() == nil && (p.Type < DirectUnique || p.Type > NegativeResponse) {
		r.Fail("MSG_TYPE", fmt.Errorf("%w: unknown type 0x%02X", ErrInvalid, uint8(p.Type)))
	}
	p.Flags = Flags(r.Uint8("FLAGS"))
	p.ID = r.BE16("DGM_ID")
	var ip [4]byte
	copy(ip[:], r.Bytes("SOURCE_IP", len(ip)))
	p.Source = netip.AddrPortFrom(netip.AddrFrom4(ip), r.BE16("SOURCE_PORT"))

	var err error
	switch {
	case p.Type.IsDatagram():
		err = parseDatagram(&r, &p)
	case p.Type == DatagramError:
		p.ErrorCode = ErrorCode(r.Uint8("ERROR_CODE"))
	default:
		// DESTINATION_NAME
		if r.Err() == nil {
			p.DestinationName, p.DestinationScope, _, err = parseName("DESTINATION_NAME", r.Rest())
		}
	}
	if r.Err() != nil {
		return Packet{}, r.Err()
	}
	if err != nil {
		return Packet{}, err
	}
	return p, nil
}

// parseDatagram reads what a datagram has behind its SOURCE_PORT.
func parseDatagram(r *wire.Reader, p *Packet) error {
	// DGM_LENGTH, PACKET_OFFSET (16 bits each): "the number of bytes following
	// the PACKET_OFFSET field".
	length := int(r.BE16("DGM_LENGTH"))
	p.Offset = r.BE16("PACKET_OFFSET")
	rest := r.Bytes("names and USER_DATA", length)
	if r.Err() != nil {
		return nil // Parse returns the reader's
	}
	// SOURCE_NAME, DESTINATION_NAME, USER_DATA
	var err error
	if p.SourceName, p.SourceScope, rest, err = parseName("SOURCE_NAME", rest); err != nil {
		return err
	}
	p.DestinationName, p.DestinationScope, p.Data, err = parseName("DESTINATION_NAME", rest)
	return err
}

// parseName reads the name at the start of b and returns what stands behind it.
func parseName(field string, b []byte) (netbios.Name, netbios.Scope, []byte, error) {
	n, s, size, err := netbios.ParseName(b)
	if err != nil {
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			err = fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		return netbios.Name{}, "", nil, fmt.Errorf("datagram packet: %s: %w", field, err)
	}
	return n, s, b[size:], nil
}
