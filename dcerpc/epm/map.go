package epm

import (
	"fmt"

	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/dcerpc/ndr"
)

// A MapRequest is the request of ept_map: where is the interface of a tower to
// be found, by the protocol sequence of that tower?
type MapRequest struct {
	Object    dcerpc.UUID // nil for any
	Tower     []byte      // the octets of one: ParseTower reads them; nil for the null pointer
	Handle    Handle
	MaxTowers uint32
}

// ParseMapRequest reads the stub of a request. Its tower aliases the stub.
// Bytes may follow.
func ParseMapRequest(stub []byte, rep dcerpc.DataRep) (MapRequest, error) {
	r := ndr.NewReader("ept_map", stub, rep)
	var q MapRequest
	// [in, ptr] UUID* obj
	q.Object = readObject(&r)
	// [in, ptr] twr_p_t map_tower
	if r.Referent("map_tower") {
		q.Tower = readTower(&r, "map_tower")
	}
	// [in, out] ept_lookup_handle_t* entry_handle
	q.Handle = readHandle(&r)
	// [in, range(0,500)] unsigned long max_towers
	//
	// Deliberately lax: [C706] has no range, and more may be asked for.
	q.MaxTowers = r.Uint32("max_towers")
	if err := invalid(r.Err()); err != nil {
		return MapRequest{}, err
	}
	return q, nil
}

// AppendBinary appends the stub of a request. It fails when the tower is longer
// than MaxTower.
func (q MapRequest) AppendBinary(b []byte, rep dcerpc.DataRep) ([]byte, error) {
	w := ndr.NewWriter(b, rep)
	appendObject(&w, q.Object)
	w.Referent(q.Tower != nil)
	if q.Tower != nil {
		if err := appendTower(&w, q.Tower); err != nil {
			return nil, err
		}
	}
	q.Handle.append(&w)
	w.Uint32(q.MaxTowers)
	return finish(&w)
}

// A MapResponse is the response of ept_map.
type MapResponse struct {
	Handle Handle
	Max    uint32   // max_towers of the request
	Towers [][]byte // the octets of each
	Status dcerpc.Status
}

// ParseMapResponse reads the stub of a response. Its towers alias the stub.
func ParseMapResponse(stub []byte, rep dcerpc.DataRep) (MapResponse, error) {
	r := ndr.NewReader("ept_map response", stub, rep)
	var p MapResponse
	// [in, out] ept_lookup_handle_t* entry_handle, [out] unsigned long* num_towers
	p.Handle = readHandle(&r)
	num := r.Uint32("num_towers")
	// [out, ptr, size_is(max_towers), length_is(*num_towers)] twr_p_t* ITowers
	var n int
	p.Max, n = readCounts(&r, "ITowers", num, 4)
	if n > 0 {
		p.Towers = make([][]byte, n)
	}
	for range n {
		if !r.Referent("ITowers") && r.Err() == nil {
			r.Fail("ITowers", fmt.Errorf("%w: the null pointer where a tower is", ErrInvalid))
		}
	}
	for i := range n {
		p.Towers[i] = readTower(&r, "ITowers")
	}
	// [out] error_status* status
	p.Status = dcerpc.Status(r.Uint32("status"))
	if err := end(&r); err != nil {
		return MapResponse{}, err
	}
	return p, nil
}

// AppendBinary appends the stub of a response. It fails when there are more
// towers than Max or MaxResults, or when one is longer than MaxTower.
func (p MapResponse) AppendBinary(b []byte, rep dcerpc.DataRep) ([]byte, error) {
	w := ndr.NewWriter(b, rep)
	w.Response() // twr_p_t is a full pointer
	p.Handle.append(&w)
	if err := appendCounts(&w, "towers", p.Max, len(p.Towers)); err != nil {
		return nil, err
	}
	for range p.Towers {
		w.Referent(true)
	}
	for _, octets := range p.Towers {
		if err := appendTower(&w, octets); err != nil {
			return nil, err
		}
	}
	w.Uint32(uint32(p.Status))
	return finish(&w)
}

// readObject reads [ptr] UUID*, nil for the null pointer.
func readObject(r *ndr.Reader) dcerpc.UUID {
	if !r.Referent("object") {
		return dcerpc.UUID{}
	}
	return r.UUID("object")
}

func appendObject(w *ndr.Writer, object dcerpc.UUID) {
	w.Referent(!object.IsNil())
	if !object.IsNil() {
		w.UUID(object)
	}
}

// readTower reads a twr_t: the count of its array, unsigned32 tower_length,
// [size_is(tower_length)] byte tower_octet_string[].
func readTower(r *ndr.Reader, field string) []byte {
	count := r.Uint32(field)
	n := r.Uint32(field)
	if r.Err() == nil && (count != n || n > MaxTower) {
		r.Fail(field, fmt.Errorf("%w: a tower of %d bytes in an array of %d, at most %d are read", ErrInvalid, n, count, MaxTower))
	}
	return r.Bytes(field, int(n))
}

func appendTower(w *ndr.Writer, octets []byte) error {
	if len(octets) > MaxTower {
		return fmt.Errorf("tower: %w: %d bytes, at most %d are written", ErrInvalid, len(octets), MaxTower)
	}
	w.Uint32(uint32(len(octets)))
	w.Uint32(uint32(len(octets)))
	w.Raw(octets)
	return nil
}

// readCounts reads what stands before a conformant and varying array of num
// elements, of size bytes or more each.
func readCounts(r *ndr.Reader, field string, num uint32, size int) (max uint32, n int) {
	max = r.Uint32(field)
	offset := r.Uint32(field)
	n = r.Count(field, size)
	if r.Err() == nil && (offset != 0 || n > MaxResults || uint32(n) != num || uint32(n) > max) {
		r.Fail(field, fmt.Errorf("%w: %d of %d elements from %d on in an array of %d, at most %d are read", ErrInvalid, n, num, offset, max, MaxResults))
	}
	if r.Err() != nil {
		return 0, 0
	}
	return max, n
}

// appendCounts writes how many elements there are, and what stands before them.
func appendCounts(w *ndr.Writer, what string, max uint32, n int) error {
	if n > MaxResults || uint32(n) > max {
		return fmt.Errorf("endpoint map response: %w: %d %s in an array of %d, at most %d are written", ErrInvalid, n, what, max, MaxResults)
	}
	w.Uint32(uint32(n))
	w.Uint32(max)
	w.Uint32(0)
	w.Uint32(uint32(n))
	return nil
}
