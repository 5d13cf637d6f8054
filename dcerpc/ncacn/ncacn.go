// Package ncacn reads and writes the PDUs of connection-oriented DCE/RPC
// (protocol version 5, over TCP ncacn_ip_tcp), as described in [C706] 12.6 and
// [MS-RPCE] 2.2.2.
//
// Every PDU begins with a header of 16 bytes. Its integers, and those of the
// body, are in the byte order that packed_drep says:
//
//	 0               8               16              24            31
//	+---------------+---------------+---------------+---------------+
//	| rpc_vers (5)  | rpc_vers_minor| PTYPE         | pfc_flags     |
//	+---------------+---------------+---------------+---------------+
//	| packed_drep, 4 bytes                                          |
//	+-------------------------------+-------------------------------+
//	| frag_length, of the whole PDU | auth_length                   |
//	+-------------------------------+-------------------------------+
//	| call_id                                                       |
//	+---------------------------------------------------------------+
//	| body, frag_length - 16 bytes                                  |
//	+---------------------------------------------------------------+
//
// A connection begins with a [Bind], in which the caller offers interfaces and
// transfer syntaxes for them, and its [BindAck]. Calls are a [Request] and a
// [Response] or a [Fault], each in as many fragments as it takes.
//
// # Limitations
//
// The package holds no connections: a caller reads PDUs with a [Reader] and acts
// on them. That a PDU carries an authentication verifier is seen, but it is
// neither read nor written: [ErrAuth]. Of what Microsoft adds behind a bind_nak
// or inside a fault, extended error information, nothing is read.
package ncacn

import (
	"errors"
	"fmt"
	"slices"

	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/dcerpc/ndr"
	"github.com/messngr/messngr/internal/wire"
)

// What is wrong with a PDU that is whole. One that ends too early is
// io.ErrUnexpectedEOF.
var (
	ErrInvalid = errors.New("invalid connection-oriented RPC packet") // wrapped by the others
	ErrVersion = fmt.Errorf("%w: not protocol version 5.0 or 5.1", ErrInvalid)
	ErrAuth    = fmt.Errorf("%w: authentication is not supported", ErrInvalid)
)

// HeaderSize is the size of a PDU's header in bytes.
const HeaderSize = 16

// MustReceive is the size in bytes of a fragment that everybody must be able to
// receive: [C706] 12.6.3.1, MustRecvFragSize.
const MustReceive = 1432

// major is the protocol version of the connection-oriented PDUs.
const major = 5

// A Type says what a PDU is: [C706] 12.6.4.
type Type uint8

// The types of connection-oriented PDUs. auth3 is of [MS-RPCE] 2.2.2.10.
const (
	TypeRequest              Type = 0
	TypeResponse             Type = 2
	TypeFault                Type = 3
	TypeBind                 Type = 11
	TypeBindAck              Type = 12
	TypeBindNak              Type = 13
	TypeAlterContext         Type = 14
	TypeAlterContextResponse Type = 15
	TypeAuth3                Type = 16
	TypeShutdown             Type = 17
	TypeCancel               Type = 18
	TypeOrphaned             Type = 19
)

// String returns the type's name in C706.
func (t Type) String() string {
	switch t {
	case TypeRequest:
		return "request"
	case TypeResponse:
		return "response"
	case TypeFault:
		return "fault"
	case TypeBind:
		return "bind"
	case TypeBindAck:
		return "bind_ack"
	case TypeBindNak:
		return "bind_nak"
	case TypeAlterContext:
		return "alter_context"
	case TypeAlterContextResponse:
		return "alter_context_resp"
	case TypeAuth3:
		return "auth3"
	case TypeShutdown:
		return "shutdown"
	case TypeCancel:
		return "co_cancel"
	case TypeOrphaned:
		return "orphaned"
	}
	return fmt.Sprintf("RPC packet type %d", uint8(t))
}

// Flags are the pfc_flags of a PDU: [C706] 12.6.3.1.
type Flags uint8

// The flags of [C706] 12.6.3.1.
const (
	First         Flags = 0x01 // PFC_FIRST_FRAG
	Last          Flags = 0x02 // PFC_LAST_FRAG
	PendingCancel Flags = 0x04 // PFC_PENDING_CANCEL; in a bind, that headers can be signed
	Multiplex     Flags = 0x10 // PFC_CONC_MPX: several calls at once on the connection
	DidNotExecute Flags = 0x20 // PFC_DID_NOT_EXECUTE: a fault before the operation was entered
	Maybe         Flags = 0x40 // PFC_MAYBE: no response is wanted
	HasObject     Flags = 0x80 // PFC_OBJECT_UUID

	// Whole marks a PDU that is not fragmented.
	Whole = First | Last
)

// A Header is what every PDU begins with, 16 bytes: [C706] 12.6.3.1.
type Header struct {
	Minor      uint8 // of the protocol version: 5.0 or 5.1
	Type       Type
	Flags      Flags
	DataRep    dcerpc.DataRep
	Length     uint16 // of the whole PDU in bytes, the header included; not looked at when written
	AuthLength uint16 // of the verifier's credentials in bytes; written as 0
	CallID     uint32
}

// ParseHeader reads the header that b begins with. More bytes may follow. It
// wraps ErrVersion for another version of the protocol.
func ParseHeader(b []byte) (Header, error) {
	r := wire.NewReader("RPC header", b)
	// rpc_vers = 5: u_int8; rpc_vers_minor: u_int8
	version := r.Uint8("rpc_vers")
	h := Header{Minor: r.Uint8("rpc_vers_minor")}
	if r.Err() == nil && (version != major || h.Minor > 1) {
		r.Fail("rpc_vers", fmt.Errorf("%w: %d.%d", ErrVersion, version, h.Minor))
	}
	// PTYPE: u_int8; pfc_flags: u_int8; packed_drep: byte[4]
	h.Type = Type(r.Uint8("PTYPE"))
	h.Flags = Flags(r.Uint8("pfc_flags"))
	copy(h.DataRep[:], r.Bytes("packed_drep", len(h.DataRep)))
	// frag_length: u_int16; auth_length: u_int16; call_id: u_int32
	rest := r.Bytes("frag_length", 8)
	if err := r.Err(); err != nil {
		return Header{}, err
	}
	h.Length, h.AuthLength, h.CallID = h.DataRep.Uint16(rest), h.DataRep.Uint16(rest[2:]), h.DataRep.Uint32(rest[4:])
	if err := h.DataRep.Check(); err != nil {
		return Header{}, fmt.Errorf("RPC header: %w: %w", ErrInvalid, err)
	}
	if h.Length < HeaderSize {
		return Header{}, fmt.Errorf("RPC header: %w: a frag_length of %d", ErrInvalid, h.Length)
	}
	return h, nil
}

// append appends the header with a Length of 0, for finish to fill in.
func (h Header) append(b []byte) []byte {
	b = append(b, major, h.Minor, uint8(h.Type), uint8(h.Flags))
	b = append(b, h.DataRep[:]...)
	b = append(b, 0, 0, 0, 0)
	return h.DataRep.AppendUint32(b, h.CallID)
}

// finish sets the length of the PDU that b has from start on.
func (h Header) finish(b []byte, start int) ([]byte, error) {
	n := len(b) - start
	if n > 0xFFFF {
		return nil, fmt.Errorf("%v: %w: %d bytes, the length field carries %d", h.Type, ErrInvalid, n, 0xFFFF)
	}
	h.DataRep.AppendUint16(b[start+8:start+8], uint16(n)) // in its place
	return b, nil
}

// AppendBinary appends the header as a whole PDU, one without a body: shutdown,
// co_cancel and orphaned are so.
func (h Header) AppendBinary(b []byte) ([]byte, error) {
	w, err := h.begin(b, h.Type)
	if err != nil {
		return nil, err
	}
	return h.finish(w.Bytes(), len(b))
}

// begin appends the header of a PDU that may be of the types.
func (h Header) begin(b []byte, types ...Type) (ndr.Writer, error) {
	switch err := h.DataRep.Check(); {
	case err != nil:
		return ndr.Writer{}, fmt.Errorf("%v: %w: %w", types[0], ErrInvalid, err)
	case h.Minor > 1:
		return ndr.Writer{}, fmt.Errorf("%v: %w: 5.%d", types[0], ErrVersion, h.Minor)
	case !slices.Contains(types, h.Type):
		return ndr.Writer{}, fmt.Errorf("%v: %w: its header says %v", types[0], ErrInvalid, h.Type)
	}
	return ndr.NewWriter(h.append(b), h.DataRep), nil
}

// open reads the header of the one PDU that b holds, which may be of the types,
// and returns a reader of its body.
func open(b []byte, types ...Type) (Header, ndr.Reader, error) {
	h, err := ParseHeader(b)
	if err != nil {
		return Header{}, ndr.Reader{}, err
	}
	switch n := int(h.Length); {
	case !slices.Contains(types, h.Type):
		err = fmt.Errorf("%w: it is no %v", ErrInvalid, types[0])
	case n > len(b):
		err = &wire.TruncatedError{Structure: h.Type.String(), Field: "body", Offset: HeaderSize, Have: len(b) - HeaderSize, Need: n - HeaderSize}
	case n < len(b):
		err = fmt.Errorf("%w: %d bytes after the packet", ErrInvalid, len(b)-n)
	case h.AuthLength != 0:
		err = ErrAuth
	}
	if err != nil {
		return Header{}, ndr.Reader{}, fmt.Errorf("RPC packet %v: %w", h.Type, err)
	}
	return h, ndr.NewReader(h.Type.String(), b[HeaderSize:], h.DataRep), nil
}

// end returns r's error, or one about bytes that are left.
func end(r *ndr.Reader) error {
	if r.Err() == nil && r.Len() != 0 {
		r.Fail("end", fmt.Errorf("%w: %d bytes too many", ErrInvalid, r.Len()))
	}
	return r.Err()
}
