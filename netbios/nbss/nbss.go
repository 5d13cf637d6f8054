// Package nbss reads and writes the packets of the NetBIOS session service
// (TCP port 139), as described in RFC 1002 4.3.
//
// Every packet has a header of 4 bytes and a trailer:
//
//	 0               8             15 16                            31
//	+---------------+--------------+-+------------------------------+
//	|  TYPE         |  FLAGS (0)   |E|  LENGTH                      |
//	+---------------+--------------+-+------------------------------+
//	|  TRAILER, LENGTH bytes; E is the 17th bit of LENGTH           |
//	+---------------------------------------------------------------+
//
// # Limitations
//
// The package holds no sessions: a caller reads packets with a [Reader] and
// acts on them. The redirection of RFC 1002 4.3.5 is read and written, not
// followed.
package nbss

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/messngr/messngr/internal/wire"
	"github.com/messngr/messngr/netbios"
)

// ErrInvalid is wrapped by every error about a packet that is whole and wrong.
// A packet that ends too early is io.ErrUnexpectedEOF.
var ErrInvalid = errors.New("invalid session packet")

// HeaderSize is the size of a packet's header in bytes.
const HeaderSize = 4

// MaxLength is the largest trailer in bytes: 17 bits of LENGTH.
const MaxLength = 1<<17 - 1

// A Type says what a packet is: RFC 1002 4.3.1.
type Type uint8

// The types of session packets.
const (
	SessionMessage   Type = 0x00 // SESSION MESSAGE
	SessionRequest   Type = 0x81 // SESSION REQUEST
	PositiveResponse Type = 0x82 // POSITIVE SESSION RESPONSE
	NegativeResponse Type = 0x83 // NEGATIVE SESSION RESPONSE
	RetargetResponse Type = 0x84 // RETARGET SESSION RESPONSE
	KeepAlive        Type = 0x85 // SESSION KEEPALIVE
)

// String returns the type's name in RFC 1002.
func (t Type) String() string {
	switch t {
	case SessionMessage:
		return "SESSION MESSAGE"
	case SessionRequest:
		return "SESSION REQUEST"
	case PositiveResponse:
		return "POSITIVE SESSION RESPONSE"
	case NegativeResponse:
		return "NEGATIVE SESSION RESPONSE"
	case RetargetResponse:
		return "RETARGET SESSION RESPONSE"
	case KeepAlive:
		return "SESSION KEEPALIVE"
	}
	return fmt.Sprintf("session packet type 0x%02X", uint8(t))
}

// An ErrorCode is the reason in a negative session response: RFC 1002 4.3.4.
type ErrorCode uint8

// The reasons of RFC 1002 4.3.4.
const (
	NotListeningOnCalled   ErrorCode = 0x80 // Not listening on called name
	NotListeningForCalling ErrorCode = 0x81 // Not listening for calling name
	CalledNameNotPresent   ErrorCode = 0x82 // Called name not present
	InsufficientResources  ErrorCode = 0x83 // Called name present, but insufficient resources
	Unspecified            ErrorCode = 0x8F // Unspecified error
)

// Error returns the text of RFC 1002 4.3.4.
func (c ErrorCode) Error() string {
	switch c {
	case NotListeningOnCalled:
		return "not listening on called name"
	case NotListeningForCalling:
		return "not listening for calling name"
	case CalledNameNotPresent:
		return "called name not present"
	case InsufficientResources:
		return "called name present, but insufficient resources"
	case Unspecified:
		return "unspecified error"
	}
	return fmt.Sprintf("session error 0x%02X", uint8(c))
}

// A Packet is a session packet with its trailer unread.
type Packet struct {
	Type    Type
	Trailer []byte // 0 to MaxLength bytes
}

// AppendBinary appends the packet. It fails when the trailer is longer than
// MaxLength.
func (p Packet) AppendBinary(b []byte) ([]byte, error) {
	b, err := AppendHeader(b, p.Type, len(p.Trailer))
	if err != nil {
		return nil, err
	}
	return append(b, p.Trailer...), nil
}

// Parse reads the one packet that b holds.
func Parse(b []byte) (Packet, error) {
	t, n, err := ParseHeader(b)
	if err != nil {
		return Packet{}, err
	}
	r := wire.NewReader("session packet", b)
	r.Bytes("header", HeaderSize)
	trailer := r.Bytes("TRAILER", n)
	if r.Err() == nil && r.Len() != 0 {
		r.Fail("end", fmt.Errorf("%w: %d bytes after the trailer", ErrInvalid, r.Len()))
	}
	if err := r.Err(); err != nil {
		return Packet{}, err
	}
	return Packet{t, trailer}, nil
}

// AppendHeader appends the header of a packet whose trailer has n bytes.
func AppendHeader(b []byte, t Type, n int) ([]byte, error) {
	if n < 0 || n > MaxLength {
		return nil, fmt.Errorf("%w: a trailer of %d bytes, the length field carries %d", ErrInvalid, n, MaxLength)
	}
	return append(b, uint8(t), uint8(n>>16), uint8(n>>8), uint8(n)), nil
}

// ParseHeader reads a header and returns the type and the length of the
// trailer in bytes. More bytes may follow.
func ParseHeader(b []byte) (t Type, length int, err error) {
	r := wire.NewReader("session packet", b)
	t = Type(r.Uint8("TYPE"))
	// "The FLAGS field: bits 0-6 reserved, must be zero; bit 7 E, length
	// extension, used as an additional, high-order bit on the LENGTH field."
	flags := r.Uint8("FLAGS")
	n := r.BE16("LENGTH")
	if r.Err() == nil && flags&^1 != 0 {
		r.Fail("FLAGS", fmt.Errorf("%w: reserved bits set: 0x%02X", ErrInvalid, flags))
	}
	if r.Err() == nil && t != SessionMessage && (t < SessionRequest || t > KeepAlive) {
		r.Fail("TYPE", fmt.Errorf("%w: unknown type 0x%02X", ErrInvalid, uint8(t)))
	}
	if err := r.Err(); err != nil {
		return 0, 0, err
	}
	return t, int(flags&1)<<16 | int(n), nil
}

// A Request is the trailer of a SESSION REQUEST, 68 bytes without scopes:
// RFC 1002 4.3.2.
type Request struct {
	Called, Calling           netbios.Name
	CalledScope, CallingScope netbios.Scope
}

// AppendBinary appends the whole packet, header included.
func (q Request) AppendBinary(b []byte) ([]byte, error) {
	start := len(b)
	b, err := AppendHeader(b, SessionRequest, 0)
	if err != nil {
		return nil, err
	}
	if b, err = netbios.AppendName(b, q.Called, q.CalledScope); err != nil {
		return nil, fmt.Errorf("called name: %w", err)
	}
	if b, err = netbios.AppendName(b, q.Calling, q.CallingScope); err != nil {
		return nil, fmt.Errorf("calling name: %w", err)
	}
	binary.BigEndian.PutUint16(b[start+2:], uint16(len(b)-start-HeaderSize)) // two names: 510 bytes at most
	return b, nil
}

// ParseRequest reads the trailer of a SESSION REQUEST.
func ParseRequest(trailer []byte) (Request, error) {
	var q Request
	var n, m int
	var err error
	if q.Called, q.CalledScope, n, err = netbios.ParseName(trailer); err != nil {
		return Request{}, fmt.Errorf("session request: called name: %w", err)
	}
	if q.Calling, q.CallingScope, m, err = netbios.ParseName(trailer[n:]); err != nil {
		return Request{}, fmt.Errorf("session request: calling name: %w", err)
	}
	if n+m != len(trailer) {
		return Request{}, fmt.Errorf("session request: %w: %d bytes after the names", ErrInvalid, len(trailer)-n-m)
	}
	return q, nil
}

// AppendNegative appends a whole NEGATIVE SESSION RESPONSE packet, 5 bytes.
func AppendNegative(b []byte, code ErrorCode) []byte {
	return append(b, uint8(NegativeResponse), 0, 0, 1, uint8(code))
}

// ParseNegative reads the trailer of a NEGATIVE SESSION RESPONSE, 1 byte.
func ParseNegative(trailer []byte) (ErrorCode, error) {
	r := wire.NewReader("negative session response", trailer)
	code := ErrorCode(r.Uint8("ERROR_CODE"))
	return code, finish(&r)
}

// A Retarget is the trailer of a RETARGET SESSION RESPONSE, 6 bytes: the IPv4
// address and TCP port to call instead. RFC 1002 4.3.5.
type Retarget struct {
	Addr netip.AddrPort
}

// AppendBinary appends the whole packet, 10 bytes. It fails for an address
// that is not IPv4.
func (t Retarget) AppendBinary(b []byte) ([]byte, error) {
	if !t.Addr.Addr().Is4() {
		return nil, fmt.Errorf("%w: retarget address %v is not IPv4", ErrInvalid, t.Addr.Addr())
	}
	b = append(b, uint8(RetargetResponse), 0, 0, 6)
	b = append(b, t.Addr.Addr().AsSlice()...)
	return binary.BigEndian.AppendUint16(b, t.Addr.Port()), nil
}

// ParseRetarget reads the trailer of a RETARGET SESSION RESPONSE.
func ParseRetarget(trailer []byte) (Retarget, error) {
	r := wire.NewReader("retarget session response", trailer)
	ip := r.BE32("RETARGET_IP_ADDRESS")
	port := r.BE16("PORT")
	if err := finish(&r); err != nil {
		return Retarget{}, err
	}
	var a [4]byte
	binary.BigEndian.PutUint32(a[:], ip)
	return Retarget{netip.AddrPortFrom(netip.AddrFrom4(a), port)}, nil
}

// finish returns r's error, or one about bytes that are left.
func finish(r *wire.Reader) error {
	if r.Err() == nil && r.Len() != 0 {
		r.Fail("end", fmt.Errorf("%w: %d bytes too many", ErrInvalid, r.Len()))
	}
	return r.Err()
}
