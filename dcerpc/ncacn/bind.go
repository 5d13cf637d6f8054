package ncacn

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/dcerpc/ndr"
)

// A Bind offers interfaces: PDU bind, or alter_context when the association is
// there already. [C706] 12.6.4.3 and 12.6.4.1.
type Bind struct {
	Header
	MaxTransmit, MaxReceive uint16 // of a fragment of the caller in bytes
	Group                   uint32 // assoc_group_id; 0 asks for a new one
	Contexts                []Context
}

// A Context is an interface and the transfer syntaxes that the caller can send
// its arguments in: p_cont_elem_t.
type Context struct {
	ID        uint16 // for the requests of this interface
	Interface dcerpc.SyntaxID
	Transfer  []dcerpc.SyntaxID
}

// contextSize and syntaxSize are sizes on the wire in bytes: of a context
// without its transfer syntaxes, and of a syntax.
const (
	contextSize = 4 + syntaxSize
	syntaxSize  = 20
)

// AppendBinary appends the whole PDU. It fails when the header is of another
// type, and for more than 255 contexts or transfer syntaxes.
func (p Bind) AppendBinary(b []byte) ([]byte, error) {
	w, err := p.begin(b, TypeBind, TypeAlterContext)
	if err != nil {
		return nil, err
	}
	w.Uint16(p.MaxTransmit)
	w.Uint16(p.MaxReceive)
	w.Uint32(p.Group)
	if err := appendCount(&w, "contexts", len(p.Contexts)); err != nil {
		return nil, err
	}
	w.Uint8(0)
	w.Uint16(0)
	for _, c := range p.Contexts {
		w.Uint16(c.ID)
		if err := appendCount(&w, "transfer syntaxes", len(c.Transfer)); err != nil {
			return nil, err
		}
		w.Uint8(0)
		appendSyntax(&w, c.Interface)
		for _, s := range c.Transfer {
			appendSyntax(&w, s)
		}
	}
	return p.finish(w.Bytes(), len(b))
}

// ParseBind reads the bind or alter_context that b holds.
func ParseBind(b []byte) (Bind, error) {
	h, r, err := open(b, TypeBind, TypeAlterContext)
	if err != nil {
		return Bind{}, err
	}
	// max_xmit_frag: u_int16; max_recv_frag: u_int16; assoc_group_id: u_int32
	p := Bind{Header: h, MaxTransmit: r.Uint16("max_xmit_frag"), MaxReceive: r.Uint16("max_recv_frag"), Group: r.Uint32("assoc_group_id")}
	// n_context_elem: u_int8; reserved: u_int8; reserved2: u_short
	contexts := int(r.Uint8("n_context_elem"))
	r.Uint8("reserved")
	r.Uint16("reserved2")
	p.Contexts = make([]Context, 0, min(contexts, r.Len()/contextSize))
	for range contexts {
		// p_cont_id: u_int16; n_transfer_syn: u_int8; reserved: u_int8
		c := Context{ID: r.Uint16("p_cont_id")}
		transfers := int(r.Uint8("n_transfer_syn"))
		r.Uint8("reserved")
		c.Interface = readSyntax(&r, "abstract_syntax")
		c.Transfer = make([]dcerpc.SyntaxID, 0, min(transfers, r.Len()/syntaxSize))
		for range transfers {
			c.Transfer = append(c.Transfer, readSyntax(&r, "transfer_syntaxes"))
			if r.Err() != nil {
				return Bind{}, r.Err()
			}
		}
		p.Contexts = append(p.Contexts, c)
		if r.Err() != nil {
			return Bind{}, r.Err()
		}
	}
	if err := end(&r); err != nil {
		return Bind{}, err
	}
	return p, nil
}

// A BindAck answers a Bind, with a result for each of its contexts, in their
// order: PDU bind_ack, or alter_context_resp. [C706] 12.6.4.4 and 12.6.4.2.
type BindAck struct {
	Header
	MaxTransmit, MaxReceive uint16 // of a fragment of the server in bytes
	Group                   uint32 // assoc_group_id
	Address                 string // sec_addr, such as the port "135"; "" in an alter_context_resp
	Results                 []Result
}

// A Result says what became of a context: p_result_t.
type Result struct {
	Result   Acceptance
	Reason   Reason          // when it was rejected
	Transfer dcerpc.SyntaxID // when it was accepted
}

// An Acceptance is what a server says to a context: p_cont_def_result_t of [C706]
// 12.6.3.1.
type Acceptance uint16

// What a server says to a context. negotiate_ack is of [MS-RPCE] 2.2.2.4.
const (
	Accepted          Acceptance = 0 // acceptance
	UserRejection     Acceptance = 1 // user_rejection
	ProviderRejection Acceptance = 2 // provider_rejection
	NegotiateAck      Acceptance = 3 // negotiate_ack
)

// A Reason is why a context was rejected: p_provider_reason_t of [C706] 12.6.3.1.
type Reason uint16

// The reasons of [C706] 12.6.3.1.
const (
	ReasonNotSpecified           Reason = 0 // reason_not_specified
	InterfaceNotSupported        Reason = 1 // abstract_syntax_not_supported
	TransferSyntaxesNotSupported Reason = 2 // proposed_transfer_syntaxes_not_supported
	ContextLimitExceeded         Reason = 3 // local_limit_exceeded
)

// AppendBinary appends the whole PDU. It fails when the header is of another
// type, for more than 255 results, and for an address of more than 511 bytes or
// with a NUL.
func (p BindAck) AppendBinary(b []byte) ([]byte, error) {
	w, err := p.begin(b, TypeBindAck, TypeAlterContextResponse)
	if err != nil {
		return nil, err
	}
	w.Uint16(p.MaxTransmit)
	w.Uint16(p.MaxReceive)
	w.Uint32(p.Group)
	if n := len(p.Address); n == 0 {
		w.Uint16(0)
	} else if n >= maxAddress || strings.IndexByte(p.Address, 0) >= 0 {
		return nil, fmt.Errorf("bind_ack: %w: an address of %d bytes, at most %d are written, and no NUL", ErrInvalid, n, maxAddress-1)
	} else {
		w.Uint16(uint16(n + 1))
		w.Raw([]byte(p.Address))
		w.Uint8(0)
	}
	w.Align(4)
	if err := appendCount(&w, "results", len(p.Results)); err != nil {
		return nil, err
	}
	w.Uint8(0)
	w.Uint16(0)
	for _, res := range p.Results {
		w.Uint16(uint16(res.Result))
		w.Uint16(uint16(res.Reason))
		appendSyntax(&w, res.Transfer)
	}
	return p.finish(w.Bytes(), len(b))
}

// ParseBindAck reads the bind_ack or alter_context_resp that b holds.
func ParseBindAck(b []byte) (BindAck, error) {
	h, r, err := open(b, TypeBindAck, TypeAlterContextResponse)
	if err != nil {
		return BindAck{}, err
	}
	// max_xmit_frag: u_int16; max_recv_frag: u_int16; assoc_group_id: u_int32
	p := BindAck{Header: h, MaxTransmit: r.Uint16("max_xmit_frag"), MaxReceive: r.Uint16("max_recv_frag"), Group: r.Uint32("assoc_group_id")}
	// sec_addr: u_int16 length, then that many characters with a NUL at the end; [align(4)]
	n := int(r.Uint16("sec_addr length"))
	if r.Err() == nil && n > maxAddress {
		r.Fail("sec_addr", fmt.Errorf("%w: %d bytes, at most %d are read", ErrInvalid, n, maxAddress))
	}
	address, _, _ := bytes.Cut(r.Bytes("sec_addr", n), []byte{0})
	r.Align(4)
	// n_results: u_int8; reserved: u_int8; reserved2: u_int16
	results := int(r.Uint8("n_results"))
	r.Uint8("reserved")
	r.Uint16("reserved2")
	p.Results = make([]Result, 0, min(results, r.Len()/resultSize))
	for range results {
		// result: u_int16; reason: u_int16; transfer_syntax: p_syntax_id_t
		p.Results = append(p.Results, Result{Acceptance(r.Uint16("result")), Reason(r.Uint16("reason")), readSyntax(&r, "transfer_syntax")})
		if r.Err() != nil {
			return BindAck{}, r.Err()
		}
	}
	if err := end(&r); err != nil {
		return BindAck{}, err
	}
	p.Address = string(address)
	return p, nil
}

// A BindNak refuses a Bind, and with it the connection: [C706] 12.6.4.5.
type BindNak struct {
	Header
	Reason   RejectReason
	Versions []Version // that the server speaks; at most 255
}

// A Version is one of the protocol: p_rt_version_t.
type Version struct{ Major, Minor uint8 }

// A RejectReason is why a bind was refused: p_reject_reason_t of [C706]
// 12.6.3.1.
type RejectReason uint16

// The reasons of [C706] 12.6.3.1, and two of [MS-RPCE] 2.2.2.5.
const (
	RejectNotSpecified       RejectReason = 0 // REASON_NOT_SPECIFIED
	RejectCongestion         RejectReason = 1 // TEMPORARY_CONGESTION
	RejectLimitExceeded      RejectReason = 2 // LOCAL_LIMIT_EXCEEDED
	RejectCalledAddress      RejectReason = 3 // CALLED_PADDR_UNKNOWN
	RejectProtocolVersion    RejectReason = 4 // PROTOCOL_VERSION_NOT_SUPPORTED
	RejectDefaultContext     RejectReason = 5 // DEFAULT_CONTEXT_NOT_SUPPORTED
	RejectUserData           RejectReason = 6 // USER_DATA_NOT_READABLE
	RejectNoPSAP             RejectReason = 7 // NO_PSAP_AVAILABLE
	RejectAuthenticationType RejectReason = 8 // authentication_type_not_recognized
	RejectChecksum           RejectReason = 9 // invalid_checksum
)

// AppendBinary appends the whole PDU. It fails when the header is of another
// type, and for more than 255 versions.
func (p BindNak) AppendBinary(b []byte) ([]byte, error) {
	w, err := p.begin(b, TypeBindNak)
	if err != nil {
		return nil, err
	}
	w.Uint16(uint16(p.Reason))
	if err := appendCount(&w, "versions", len(p.Versions)); err != nil {
		return nil, err
	}
	for _, v := range p.Versions {
		w.Uint8(v.Major)
		w.Uint8(v.Minor)
	}
	return p.finish(w.Bytes(), len(b))
}

// ParseBindNak reads the bind_nak that b holds.
//
// Deliberately lax: bytes may follow the versions, where [MS-RPCE] 2.2.2.9 puts
// a signature and what Windows says of the error.
func ParseBindNak(b []byte) (BindNak, error) {
	h, r, err := open(b, TypeBindNak)
	if err != nil {
		return BindNak{}, err
	}
	// provider_reject_reason: u_int16
	p := BindNak{Header: h, Reason: RejectReason(r.Uint16("provider_reject_reason"))}
	// n_protocols: u_int8; p_protocols: (u_int8 major; u_int8 minor)[n_protocols]
	versions := r.Bytes("p_protocols", 2*int(r.Uint8("n_protocols")))
	if r.Err() != nil {
		return BindNak{}, r.Err()
	}
	p.Versions = make([]Version, 0, len(versions)/2)
	for ; len(versions) > 0; versions = versions[2:] {
		p.Versions = append(p.Versions, Version{versions[0], versions[1]})
	}
	return p, nil
}

// maxAddress is the most bytes of a secondary address, its NUL included. A name
// of a pipe is the longest.
const maxAddress = 512

// resultSize is the size of a result on the wire in bytes.
const resultSize = 4 + syntaxSize

// appendCount writes how many of what follow, in 8 bits.
func appendCount(w *ndr.Writer, what string, n int) error {
	if n > 0xFF {
		return fmt.Errorf("RPC packet: %w: %d %s, 255 can be counted", ErrInvalid, n, what)
	}
	w.Uint8(uint8(n))
	return nil
}

// readSyntax reads a p_syntax_id_t: if_uuid, uuid_t; if_version, u_int32.
func readSyntax(r *ndr.Reader, field string) dcerpc.SyntaxID {
	return dcerpc.NewSyntaxID(r.UUID(field), r.Uint32(field))
}

func appendSyntax(w *ndr.Writer, s dcerpc.SyntaxID) {
	w.UUID(s.UUID)
	w.Uint32(s.Version())
}
