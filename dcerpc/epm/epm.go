// Package epm reads and writes the parameters of the endpoint mapper's calls,
// by which a caller learns at which port an interface is served: [C706]
// appendix O and [MS-RPCE] 2.2.1.2. The endpoint mapper itself is at UDP and TCP
// port 135.
//
// What it tells is towers, one for each way to call an interface: [C706]
// appendices I and L. Whatever the byte order of the call, a tower is in
// little-endian, but for the port and the address:
//
//	floor_count, 2 bytes
//	count, 2 | 0D, UUID (16), major version (2)  | count, 2 | minor version, 2   interface
//	count, 2 | 0D, UUID (16), major version (2)  | count, 2 | minor version, 2   transfer syntax
//	count, 2 | 0A connectionless, 0B connection- | count, 2 | minor version, 2   RPC protocol
//	count, 2 | 08 UDP, 07 TCP                    | count, 2 | port, 2            big-endian
//	count, 2 | 09 IP                             | count, 2 | address, 4         big-endian
//
// # Limitations
//
// Of towers, those of ncadg_ip_udp and ncacn_ip_tcp over IPv4 are read and
// written; the stubs carry others unread. Of the calls, those that ask are here,
// and none that changes the map. The [ptr] pointers of the calls are read as if
// no two pointed to the same thing, as Windows reads them.
package epm

import (
	"errors"
	"fmt"
	"io"

	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/dcerpc/ndr"
)

// ErrInvalid is wrapped by every error about a stub or a tower that is whole
// and wrong. One that ends too early is io.ErrUnexpectedEOF.
var ErrInvalid = errors.New("invalid stub of the endpoint mapper")

// Port is that of the endpoint mapper, over UDP and TCP.
const Port = 135

// Interface returns the name of the endpoint mapper's interface:
// e1af8308-5d1f-11c9-91a4-08002b14a0fa v3.0.
func Interface() dcerpc.SyntaxID {
	return dcerpc.SyntaxID{
		UUID:  dcerpc.UUID{0xe1, 0xaf, 0x83, 0x08, 0x5d, 0x1f, 0x11, 0xc9, 0x91, 0xa4, 0x08, 0x00, 0x2b, 0x14, 0xa0, 0xfa},
		Major: 3,
	}
}

// The operations of the interface that are here, and how many there are, from 0.
const (
	OpLookup           = 2 // ept_lookup
	OpMap              = 3 // ept_map
	OpLookupHandleFree = 4 // ept_lookup_handle_free
	Operations         = 7 // up to ept_mgmt_delete
)

// What is taken of a call.
const (
	MaxTower      = 2048 // bytes of a tower; one of TCP has 75
	MaxResults    = 500  // towers or entries: "range(0,500)", [MS-RPCE] 2.2.1.2.5
	maxAnnotation = 64   // characters with the NUL: ept_max_annotation_size
)

// A Handle is where an enumeration goes on, an ept_lookup_handle_t: a context
// handle, which is zero at the start and at the end.
type Handle struct {
	Attributes uint32
	UUID       dcerpc.UUID
}

func readHandle(r *ndr.Reader) Handle {
	// context_handle_attributes: unsigned32; context_handle_uuid: uuid_t
	return Handle{r.Uint32("entry_handle"), r.UUID("entry_handle")}
}

func (h Handle) append(w *ndr.Writer) {
	w.Uint32(h.Attributes)
	w.UUID(h.UUID)
}

// A FreeRequest is the request of ept_lookup_handle_free, 20 bytes.
type FreeRequest struct {
	Handle Handle
}

// ParseFreeRequest reads the stub of a request.
//
// Deliberately lax, as all of this package are with requests: bytes may follow.
// Some senders round a stub up.
func ParseFreeRequest(stub []byte, rep dcerpc.DataRep) (FreeRequest, error) {
	r := ndr.NewReader("ept_lookup_handle_free", stub, rep)
	// [in, out] ept_lookup_handle_t *entry_handle
	q := FreeRequest{readHandle(&r)}
	if err := invalid(r.Err()); err != nil {
		return FreeRequest{}, err
	}
	return q, nil
}

// AppendBinary appends the stub of a request.
func (q FreeRequest) AppendBinary(b []byte, rep dcerpc.DataRep) ([]byte, error) {
	w := ndr.NewWriter(b, rep)
	q.Handle.append(&w)
	return finish(&w)
}

// A FreeResponse is the response of ept_lookup_handle_free, 24 bytes.
type FreeResponse struct {
	Handle Handle // zero
	Status dcerpc.Status
}

// ParseFreeResponse reads the stub of a response.
func ParseFreeResponse(stub []byte, rep dcerpc.DataRep) (FreeResponse, error) {
	r := ndr.NewReader("ept_lookup_handle_free response", stub, rep)
	// [in, out] ept_lookup_handle_t *entry_handle, [out] error_status_t *status
	p := FreeResponse{readHandle(&r), dcerpc.Status(r.Uint32("status"))}
	if err := end(&r); err != nil {
		return FreeResponse{}, err
	}
	return p, nil
}

// AppendBinary appends the stub of a response.
func (p FreeResponse) AppendBinary(b []byte, rep dcerpc.DataRep) ([]byte, error) {
	w := ndr.NewWriter(b, rep)
	p.Handle.append(&w)
	w.Uint32(uint32(p.Status))
	return finish(&w)
}

// end returns r's error, or one about bytes that are left; it wraps ErrInvalid
// or io.ErrUnexpectedEOF.
func end(r *ndr.Reader) error {
	if r.Err() == nil && r.Len() != 0 {
		r.Fail("end", fmt.Errorf("%w: %d bytes too many", ErrInvalid, r.Len()))
	}
	return invalid(r.Err())
}

// invalid returns err so that it wraps ErrInvalid, unless it is about a stub
// that is too short.
func invalid(err error) error {
	if err == nil || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, ErrInvalid) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrInvalid, err)
}

// finish returns what w has written.
func finish(w *ndr.Writer) ([]byte, error) {
	if err := w.Err(); err != nil {
		return nil, invalid(err)
	}
	return w.Bytes(), nil
}
