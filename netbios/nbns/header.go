package nbns

import (
	"encoding/binary"
	"fmt"
)

// An Opcode says what a packet is about. See RFC 1002 4.2.1.1, OPCODE.
type Opcode uint8

// The opcodes. The last three are not in RFC 1002: Windows brought them.
const (
	Query        Opcode = 0x0 // query, of a name or of a node's status
	Registration Opcode = 0x5 // registration
	Release      Opcode = 0x6 // release
	WACK         Opcode = 0x7 // WACK: wait for acknowledgement
	Refresh      Opcode = 0x8 // refresh
	RefreshAlt   Opcode = 0x9 // refresh, from hosts that read RFC 1002 4.2.4's 0x9 literally
	MultiHomed   Opcode = 0xF // registration of one more address of a host
)

// Flags are the NM_FLAGS of RFC 1002 4.2.1.1, seven bits of the header.
type Flags uint8

// The flags.
const (
	Broadcast          Flags = 0x01 // B: the packet was sent to everyone
	RecursionAvailable Flags = 0x08 // RA: in responses of a name server only
	RecursionDesired   Flags = 0x10 // RD: in requests that a name server may answer from its table
	Truncated          Flags = 0x20 // TC: what there was to say did not fit
	Authoritative      Flags = 0x40 // AA: in responses of the owner or of a name server
)

// An RCode says how a request went. See RFC 1002 4.2.1.1, RCODE.
type RCode uint8

// The result codes, which RFC 1002 spells out packet by packet.
const (
	Success        RCode = 0x0
	FormatError    RCode = 0x1 // FMT_ERR: the request was not well formed
	ServerFailure  RCode = 0x2 // SRV_ERR: the name server cannot process it
	NameError      RCode = 0x3 // NAM_ERR: the name does not exist
	Unsupported    RCode = 0x4 // IMP_ERR: the name server does not know such requests
	Refused        RCode = 0x5 // RFS_ERR: not to this host, as a matter of policy
	ActiveError    RCode = 0x6 // ACT_ERR: another node owns the name
	NameInConflict RCode = 0x7 // CFT_ERR: a unique name has more than one owner
)

// A Header stands at the start of every packet. The counts of the sections
// follow it on the wire; a Packet knows them by its entries.
type Header struct {
	ID       uint16 // NAME_TRN_ID: a response carries that of its request
	Response bool   // R
	Opcode   Opcode // four bits
	Flags    Flags  // seven bits
	RCode    RCode  // four bits
}

// headerSize is the size of the header with its four counts, and so the place
// of the first name in a packet.
const headerSize = 12

// word returns all but the ID as it stands on the wire. Bits that do not fit
// their field are an error.
func (h Header) word() (uint16, error) {
	if h.Opcode > 0xF || h.Flags > 0x7F || h.RCode > 0xF {
		return 0, fmt.Errorf("%w: header with opcode 0x%X, flags 0x%X, rcode 0x%X: they have 4, 7 and 4 bits", ErrInvalid, h.Opcode, h.Flags, h.RCode)
	}
	word := uint16(h.Opcode)<<11 | uint16(h.Flags)<<4 | uint16(h.RCode)
	if h.Response {
		word |= 0x8000
	}
	return word, nil
}

// parseWord reads what word wrote.
func parseWord(word uint16) Header {
	return Header{
		Response: word&0x8000 != 0,
		Opcode:   Opcode(word >> 11 & 0xF),
		Flags:    Flags(word >> 4 & 0x7F),
		RCode:    RCode(word & 0xF),
	}
}

// ParseWait reads the RDATA of a WACK response, which repeats the header of the
// request that will take a while, without its ID. See RFC 1002 4.2.16. How
// long to wait is the TTL of the record.
func ParseWait(rdata []byte) (Header, error) {
	if len(rdata) != 2 {
		return Header{}, fmt.Errorf("%w: WACK with %d bytes of RDATA, want 2", ErrInvalid, len(rdata))
	}
	return parseWord(binary.BigEndian.Uint16(rdata)), nil
}
