package ncacn

import (
	"fmt"

	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/dcerpc/ndr"
)

// RequestSize is the size in bytes of a request's header and what stands before
// its stub, without an object.
const RequestSize = HeaderSize + 8

// A Request is a fragment of a call's arguments: [C706] 12.6.4.9.
type Request struct {
	Header
	AllocHint uint32 // how many bytes of the stub there are from here on; 0 says nothing
	Context   uint16 // the ID of the interface's context
	Opnum     uint16
	Object    dcerpc.UUID // on the wire when Flags has HasObject
	Stub      []byte      // of this fragment
}

// AppendBinary appends the whole PDU. It fails when the header is of another
// type, or when the PDU is longer than 65,535 bytes.
func (p Request) AppendBinary(b []byte) ([]byte, error) {
	w, err := p.begin(b, TypeRequest)
	if err != nil {
		return nil, err
	}
	w.Uint32(p.AllocHint)
	w.Uint16(p.Context)
	w.Uint16(p.Opnum)
	if p.Flags&HasObject != 0 {
		w.UUID(p.Object)
	} else if !p.Object.IsNil() {
		return nil, fmt.Errorf("request: %w: an object, and no flag that says so", ErrInvalid)
	}
	return p.finish(append(w.Bytes(), p.Stub...), len(b))
}

// ParseRequest reads the request that b holds. Its stub aliases b.
func ParseRequest(b []byte) (Request, error) {
	h, r, err := open(b, TypeRequest)
	if err != nil {
		return Request{}, err
	}
	// alloc_hint: u_int32; p_cont_id: u_int16; opnum: u_int16
	p := Request{Header: h, AllocHint: r.Uint32("alloc_hint"), Context: r.Uint16("p_cont_id"), Opnum: r.Uint16("opnum")}
	// object: uuid_t, if the PFC_OBJECT_UUID is set
	if h.Flags&HasObject != 0 {
		p.Object = r.UUID("object")
	}
	p.Stub = r.Bytes("stub", r.Len())
	if r.Err() != nil {
		return Request{}, r.Err()
	}
	return p, nil
}

// ResponseSize is the size in bytes of a response's header and what stands
// before its stub.
const ResponseSize = HeaderSize + 8

// A Response is a fragment of a call's results: [C706] 12.6.4.10.
type Response struct {
	Header
	AllocHint   uint32 // how many bytes of the stub there are from here on; 0 says nothing
	Context     uint16 // of the request
	CancelCount uint8
	Stub        []byte // of this fragment
}

// AppendBinary appends the whole PDU. It fails when the header is of another
// type, or when the PDU is longer than 65,535 bytes.
func (p Response) AppendBinary(b []byte) ([]byte, error) {
	w, err := p.begin(b, TypeResponse)
	if err != nil {
		return nil, err
	}
	appendOutcome(&w, p.AllocHint, p.Context, p.CancelCount)
	return p.finish(append(w.Bytes(), p.Stub...), len(b))
}

// ParseResponse reads the response that b holds. Its stub aliases b.
func ParseResponse(b []byte) (Response, error) {
	h, r, err := open(b, TypeResponse)
	if err != nil {
		return Response{}, err
	}
	p := Response{Header: h}
	p.AllocHint, p.Context, p.CancelCount = readOutcome(&r)
	p.Stub = r.Bytes("stub", r.Len())
	if r.Err() != nil {
		return Response{}, r.Err()
	}
	return p, nil
}

// A Fault says that a call failed: [C706] 12.6.4.7. Its flag DidNotExecute says
// that the call was not begun.
type Fault struct {
	Header
	AllocHint   uint32
	Context     uint16 // of the request
	CancelCount uint8
	Status      dcerpc.Status
}

// AppendBinary appends the whole PDU. It fails when the header is of another
// type.
func (p Fault) AppendBinary(b []byte) ([]byte, error) {
	w, err := p.begin(b, TypeFault)
	if err != nil {
		return nil, err
	}
	appendOutcome(&w, p.AllocHint, p.Context, p.CancelCount)
	w.Uint32(uint32(p.Status))
	w.Uint32(0)
	return p.finish(w.Bytes(), len(b))
}

// ParseFault reads the fault that b holds.
//
// Deliberately lax: a stub may follow, where [MS-RPCE] 2.2.2.8 puts what
// Windows says of the error.
func ParseFault(b []byte) (Fault, error) {
	h, r, err := open(b, TypeFault)
	if err != nil {
		return Fault{}, err
	}
	p := Fault{Header: h}
	p.AllocHint, p.Context, p.CancelCount = readOutcome(&r)
	// status: u_int32; reserved2: u_int8[4]
	p.Status = dcerpc.Status(r.Uint32("status"))
	r.Uint32("reserved2")
	if r.Err() != nil {
		return Fault{}, r.Err()
	}
	return p, nil
}

// readOutcome reads what responses and faults begin with: alloc_hint, u_int32;
// p_cont_id, u_int16; cancel_count, u_int8; reserved, u_int8.
func readOutcome(r *ndr.Reader) (hint uint32, context uint16, cancels uint8) {
	hint, context, cancels = r.Uint32("alloc_hint"), r.Uint16("p_cont_id"), r.Uint8("cancel_count")
	r.Uint8("reserved")
	return hint, context, cancels
}

func appendOutcome(w *ndr.Writer, hint uint32, context uint16, cancels uint8) {
	w.Uint32(hint)
	w.Uint16(context)
	w.Uint8(cancels)
	w.Uint8(0)
}
