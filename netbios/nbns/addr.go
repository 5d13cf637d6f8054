package nbns

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// NameFlags say what kind of name it is and how its owner resolves names: the
// NB_FLAGS of an address and, with the lower four, the NAME_FLAGS of a node
// status. See RFC 1002 4.2.1.3 and 4.2.18.
type NameFlags uint16

// The flags of a name.
const (
	Group NameFlags = 0x8000 // G: a group name; unique without it

	OwnerNodeType NameFlags = 0x6000 // ONT: the mask of the next four
	BNode         NameFlags = 0x0000 // B: by broadcast
	PNode         NameFlags = 0x2000 // P: by name server
	MNode         NameFlags = 0x4000 // M: by broadcast, then by name server
	HNode         NameFlags = 0x6000 // by name server, then by broadcast; reserved in RFC 1002, used by Windows

	Deregister NameFlags = 0x1000 // DRG: about to be given up
	Conflict   NameFlags = 0x0800 // CNF: another node claims it too
	Active     NameFlags = 0x0400 // ACT: in use
	Permanent  NameFlags = 0x0200 // PRM: of the node itself
)

// An Addr is one entry of an NB record: an address of a name. See RFC 1002
// 4.2.13, ADDR_ENTRY.
type Addr struct {
	Flags NameFlags
	Addr  netip.Addr // IPv4
}

// addrSize is the size of an Addr in bytes.
const addrSize = 6

// AppendBinary appends the entry, six bytes, to b. An address that is not IPv4
// is an error.
func (a Addr) AppendBinary(b []byte) ([]byte, error) {
	if !a.Addr.Is4() {
		return b, fmt.Errorf("%w: address %s, want IPv4", ErrInvalid, a.Addr)
	}
	ip := a.Addr.As4()
	return append(binary.BigEndian.AppendUint16(b, uint16(a.Flags)), ip[:]...), nil
}

// ParseAddrs appends the addresses of an NB record's RDATA to dst. There is at
// least one. On an error it returns nil.
func ParseAddrs(dst []Addr, rdata []byte) ([]Addr, error) {
	if len(rdata) == 0 || len(rdata)%addrSize != 0 {
		return nil, fmt.Errorf("%w: NB record with %d bytes of RDATA, want a multiple of %d", ErrInvalid, len(rdata), addrSize)
	}
	for ; len(rdata) > 0; rdata = rdata[addrSize:] {
		dst = append(dst, Addr{
			// NB_FLAGS (16 bits), NB_ADDRESS (32 bits)
			Flags: NameFlags(binary.BigEndian.Uint16(rdata)),
			Addr:  netip.AddrFrom4([4]byte(rdata[2:addrSize])),
		})
	}
	return dst, nil
}
