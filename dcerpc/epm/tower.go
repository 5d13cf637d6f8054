package epm

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/internal/wire"
)

// ErrProtocol is wrapped by the errors about towers of other protocols, such as
// those of named pipes, and wraps ErrInvalid.
var ErrProtocol = fmt.Errorf("%w: neither ncadg_ip_udp nor ncacn_ip_tcp", ErrInvalid)

// A Protocol is a protocol sequence: a form of RPC, and what carries it.
type Protocol uint8

// The protocol sequences of this package.
const (
	UDP Protocol = iota + 1 // ncadg_ip_udp
	TCP                     // ncacn_ip_tcp
)

// String returns the name of the protocol sequence in [C706].
func (p Protocol) String() string {
	switch p {
	case UDP:
		return "ncadg_ip_udp"
	case TCP:
		return "ncacn_ip_tcp"
	}
	return fmt.Sprintf("protocol sequence %d", uint8(p))
}

// A Tower is one way to call an interface: [C706] appendix L. In what a caller
// asks, port and address are 0.
type Tower struct {
	Interface dcerpc.SyntaxID // floor 1
	Transfer  dcerpc.SyntaxID // floor 2
	Protocol  Protocol        // floor 3, and what floor 4 is of
	Addr      netip.AddrPort  // floors 4 and 5: port, IPv4 address
}

// Protocol identifiers: [C706] appendix I.
const (
	idConnectionless = 0x0A
	idConnection     = 0x0B
	idTCP            = 0x07
	idUDP            = 0x08
	idIP             = 0x09
	idUUID           = 0x0D
)

// TowerSize is the size of a tower in bytes.
const TowerSize = 2 + 2*(2+19+2+2) + (2 + 1 + 2 + 2) + (2 + 1 + 2 + 2) + (2 + 1 + 2 + 4)

// AppendBinary appends the octets of the tower, TowerSize bytes. It fails when
// the protocol is not known or the address is not IPv4.
func (t Tower) AppendBinary(b []byte) ([]byte, error) {
	rpc, transport := byte(idConnectionless), byte(idUDP)
	switch {
	case t.Protocol == TCP:
		rpc, transport = idConnection, idTCP
	case t.Protocol != UDP:
		return nil, fmt.Errorf("tower: %w: %v", ErrProtocol, t.Protocol)
	}
	if !t.Addr.Addr().Is4() {
		return nil, fmt.Errorf("tower: %w: the address %v is not IPv4", ErrInvalid, t.Addr.Addr())
	}
	address := t.Addr.Addr().As4()
	little := dcerpc.LittleEndian()
	b = append(b, 5, 0)
	for _, s := range [...]dcerpc.SyntaxID{t.Interface, t.Transfer} {
		b = append(b, 19, 0, idUUID)
		b = little.AppendUUID(b, s.UUID)
		b = little.AppendUint16(b, s.Major)
		b = append(b, 2, 0)
		b = little.AppendUint16(b, s.Minor)
	}
	b = append(b, 1, 0, rpc, 2, 0, 0, 0)
	b = append(b, 1, 0, transport, 2, 0)
	b = binary.BigEndian.AppendUint16(b, t.Addr.Port())
	b = append(b, 1, 0, idIP, 4, 0)
	return append(b, address[:]...), nil
}

// ParseTower reads the octets of a tower. It wraps ErrProtocol for one of
// another protocol sequence.
//
// Deliberately lax: floors may follow, which say nothing of the way.
func ParseTower(octets []byte) (Tower, error) {
	r := wire.NewReader("tower", octets)
	floors := r.LE16("floor_count")
	if r.Err() == nil && floors < 5 {
		r.Fail("floor_count", fmt.Errorf("%w: %d floors", ErrProtocol, floors))
	}
	t := Tower{Interface: readSyntax(&r, "floor 1"), Transfer: readSyntax(&r, "floor 2")}
	rpc, _ := readFloor(&r, "floor 3", 2)
	transport, port := readFloor(&r, "floor 4", 2)
	switch {
	case r.Err() != nil:
	case rpc == idConnectionless && transport == idUDP:
		t.Protocol = UDP
	case rpc == idConnection && transport == idTCP:
		t.Protocol = TCP
	default:
		r.Fail("floor 4", fmt.Errorf("%w: protocols %02X and %02X", ErrProtocol, rpc, transport))
	}
	network, address := readFloor(&r, "floor 5", 4)
	if r.Err() == nil && network != idIP {
		r.Fail("floor 5", fmt.Errorf("%w: protocol %02X", ErrProtocol, network))
	}
	if err := r.Err(); err != nil {
		return Tower{}, err
	}
	t.Addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte(address)), binary.BigEndian.Uint16(port))
	return t, nil
}

// readSyntax reads a floor that names an interface or a transfer syntax.
func readSyntax(r *wire.Reader, field string) dcerpc.SyntaxID {
	// LHS: count, protocol identifier, UUID, major version
	n := r.LE16(field)
	id := r.Uint8(field)
	if r.Err() == nil && (n != 19 || id != idUUID) {
		r.Fail(field, fmt.Errorf("%w: protocol %02X in %d bytes, where a UUID is", ErrInvalid, id, n))
	}
	lhs := r.Bytes(field, 18)
	// RHS: count, minor version
	n = r.LE16(field)
	if r.Err() == nil && n != 2 {
		r.Fail(field, fmt.Errorf("%w: a minor version in %d bytes", ErrInvalid, n))
	}
	minor := r.LE16(field)
	if r.Err() != nil {
		return dcerpc.SyntaxID{}
	}
	little := dcerpc.LittleEndian()
	return dcerpc.SyntaxID{UUID: little.UUID(lhs), Major: little.Uint16(lhs[16:]), Minor: minor}
}

// readFloor reads a floor whose left side is a protocol identifier, and whose
// right side should have size bytes.
func readFloor(r *wire.Reader, field string, size int) (id byte, rhs []byte) {
	n := r.LE16(field)
	if r.Err() == nil && n == 0 {
		r.Fail(field, fmt.Errorf("%w: no protocol identifier", ErrInvalid))
	}
	lhs := r.Bytes(field, int(n))
	rhs = r.Bytes(field, int(r.LE16(field)))
	switch {
	case r.Err() != nil:
		return 0, nil
	case len(lhs) != 1 || len(rhs) != size: // a pipe has a name here, others are longer
		r.Fail(field, fmt.Errorf("%w: protocol %02X with %d bytes", ErrProtocol, lhs[0], len(rhs)))
		return 0, nil
	}
	return lhs[0], rhs
}
