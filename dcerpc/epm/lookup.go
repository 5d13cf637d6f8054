package epm

import (
	"bytes"
	"fmt"

	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/dcerpc/ndr"
)

// An Inquiry says what a lookup is for: [C706] appendix O, inquiry_type.
type Inquiry uint32

// The inquiries of [C706], 3.1.19 rpc_mgmt_ep_elt_inq_begin.
const (
	All         Inquiry = 0 // rpc_c_ep_all_elts
	ByInterface Inquiry = 1 // rpc_c_ep_match_by_if
	ByObject    Inquiry = 2 // rpc_c_ep_match_by_obj
	ByBoth      Inquiry = 3 // rpc_c_ep_match_by_both
)

// A VersionOption says which versions of an interface a lookup is for: [C706]
// appendix O, vers_option.
type VersionOption uint32

// The options of [C706], 3.1.19 rpc_mgmt_ep_elt_inq_begin.
const (
	AllVersions VersionOption = 1 // rpc_c_vers_all
	Compatible  VersionOption = 2 // rpc_c_vers_compatible: the same major, the same or a later minor
	Exact       VersionOption = 3 // rpc_c_vers_exact
	MajorOnly   VersionOption = 4 // rpc_c_vers_major_only
	UpTo        VersionOption = 5 // rpc_c_vers_upto
)

// A LookupRequest is the request of ept_lookup: what is in the map?
type LookupRequest struct {
	Inquiry    Inquiry
	Object     dcerpc.UUID     // for ByObject and ByBoth
	Interface  dcerpc.SyntaxID // for ByInterface and ByBoth
	Version    VersionOption   // of the interface
	Handle     Handle
	MaxEntries uint32
}

// ParseLookupRequest reads the stub of a request.
// Bytes may follow.
func ParseLookupRequest(stub []byte, rep dcerpc.DataRep) (LookupRequest, error) {
	r := ndr.NewReader("ept_lookup", stub, rep)
	// [in] unsigned32 inquiry_type, [in, ptr] uuid_p_t object
	q := LookupRequest{Inquiry: Inquiry(r.Uint32("inquiry_type")), Object: readObject(&r)}
	// [in, ptr] rpc_if_id_p_t interface_id: uuid_t uuid; unsigned16 vers_major, vers_minor
	if r.Referent("interface_id") {
		q.Interface = dcerpc.SyntaxID{UUID: r.UUID("interface_id"), Major: r.Uint16("vers_major"), Minor: r.Uint16("vers_minor")}
	}
	// [in] unsigned32 vers_option, [in, out] ept_lookup_handle_t *entry_handle, [in] unsigned32 max_ents
	q.Version = VersionOption(r.Uint32("vers_option"))
	q.Handle = readHandle(&r)
	q.MaxEntries = r.Uint32("max_ents")
	if err := invalid(r.Err()); err != nil {
		return LookupRequest{}, err
	}
	return q, nil
}

// AppendBinary appends the stub of a request.
func (q LookupRequest) AppendBinary(b []byte, rep dcerpc.DataRep) ([]byte, error) {
	w := ndr.NewWriter(b, rep)
	w.Uint32(uint32(q.Inquiry))
	appendObject(&w, q.Object)
	named := q.Interface != dcerpc.SyntaxID{}
	w.Referent(named)
	if named {
		w.UUID(q.Interface.UUID)
		w.Uint16(q.Interface.Major)
		w.Uint16(q.Interface.Minor)
	}
	w.Uint32(uint32(q.Version))
	q.Handle.append(&w)
	w.Uint32(q.MaxEntries)
	return finish(&w)
}

// An Entry is an element of the map: ept_entry_t.
type Entry struct {
	Object     dcerpc.UUID
	Tower      []byte // the octets of one: ParseTower reads them; nil for the null pointer
	Annotation []byte // what a person is to read, at most 63 bytes
}

// A LookupResponse is the response of ept_lookup.
type LookupResponse struct {
	Handle  Handle
	Max     uint32 // max_ents of the request
	Entries []Entry
	Status  dcerpc.Status
}

// ParseLookupResponse reads the stub of a response. What is in its entries
// aliases the stub.
func ParseLookupResponse(stub []byte, rep dcerpc.DataRep) (LookupResponse, error) {
	r := ndr.NewReader("ept_lookup response", stub, rep)
	var p LookupResponse
	// [in, out] ept_lookup_handle_t *entry_handle, [out] unsigned32 *num_ents
	p.Handle = readHandle(&r)
	num := r.Uint32("num_ents")
	// [out, length_is(*num_ents), size_is(max_ents)] ept_entry_t entries[]
	var n int
	p.Max, n = readCounts(&r, "entries", num, entrySize)
	var towers [MaxResults]bool
	if n > 0 {
		p.Entries = make([]Entry, n)
	}
	for i := range n {
		// uuid_t object; twr_p_t tower; [string] char annotation[64]
		p.Entries[i].Object = r.UUID("object")
		towers[i] = r.Referent("tower")
		p.Entries[i].Annotation = readAnnotation(&r)
	}
	for i := range n {
		if towers[i] {
			p.Entries[i].Tower = readTower(&r, "tower")
		}
	}
	// [out] error_status_t *status
	p.Status = dcerpc.Status(r.Uint32("status"))
	if err := end(&r); err != nil {
		return LookupResponse{}, err
	}
	return p, nil
}

// AppendBinary appends the stub of a response. It fails when there are more
// entries than Max or MaxResults, when a tower is longer than MaxTower, and when
// an annotation is longer than 63 bytes or holds a NUL.
func (p LookupResponse) AppendBinary(b []byte, rep dcerpc.DataRep) ([]byte, error) {
	w := ndr.NewWriter(b, rep)
	w.Response() // twr_p_t is a full pointer
	p.Handle.append(&w)
	if err := appendCounts(&w, "entries", p.Max, len(p.Entries)); err != nil {
		return nil, err
	}
	for _, e := range p.Entries {
		if len(e.Annotation) >= maxAnnotation || bytes.IndexByte(e.Annotation, 0) >= 0 {
			return nil, fmt.Errorf("endpoint map response: %w: annotation %q", ErrInvalid, e.Annotation)
		}
		w.UUID(e.Object)
		w.Referent(e.Tower != nil)
		w.Uint32(0)
		w.Uint32(uint32(len(e.Annotation) + 1))
		w.Raw(e.Annotation)
		w.Uint8(0)
	}
	for _, e := range p.Entries {
		if e.Tower == nil {
			continue
		}
		if err := appendTower(&w, e.Tower); err != nil {
			return nil, err
		}
	}
	w.Uint32(uint32(p.Status))
	return finish(&w)
}

// entrySize is the size in bytes of the least entry: object, referent id, and
// the offset, the count and the NUL of its annotation.
const entrySize = 16 + 4 + 4 + 4 + 1

// readAnnotation reads a [string] char[64], a varying array: offset, count,
// characters up to a NUL.
func readAnnotation(r *ndr.Reader) []byte {
	offset := r.Uint32("annotation")
	n := r.Uint32("annotation")
	if r.Err() == nil && (offset != 0 || n == 0 || n > maxAnnotation) {
		r.Fail("annotation", fmt.Errorf("%w: %d characters from %d on in an array of %d", ErrInvalid, n, offset, maxAnnotation))
	}
	s := r.Bytes("annotation", int(n))
	if r.Err() != nil {
		return nil
	}
	if s[n-1] != 0 {
		r.Fail("annotation", fmt.Errorf("%w: no NUL at its end", ErrInvalid))
		return nil
	}
	s, _, _ = bytes.Cut(s, []byte{0})
	return s[:len(s):len(s)]
}
