package listener

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"net/netip"
	"sync/atomic"

	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/dcerpc/epm"
	"github.com/messngr/messngr/internal/rpc"
)

// An Endpoint is where an interface is served.
type Endpoint struct {
	Interface  dcerpc.SyntaxID
	Protocol   epm.Protocol
	Port       uint16
	Annotation string // what a person is to read
}

// RPCMapConfig is what an RPCMap is told.
type RPCMapConfig struct {
	// Endpoints returns what is in the map, and must be set. It is called by
	// many goroutines at once.
	Endpoints func() []Endpoint

	Log *slog.Logger
}

// An RPCMap executes the calls of the endpoint mapper that ask: [C706] appendix
// O. Nobody can put anything into the map by a call.
type RPCMap struct {
	cfg                      RPCMapConfig
	maps, lookups            atomic.Int64
	notRegistered, malformed atomic.Int64
}

// NewRPCMap returns an RPCMap.
func NewRPCMap(cfg RPCMapConfig) *RPCMap { return &RPCMap{cfg: cfg} }

// Interface returns the interface to serve. To ask changes nothing, so that
// callers need not be asked back; what they get is little more than they sent.
func (s *RPCMap) Interface() rpc.Interface {
	return rpc.Interface{ID: epm.Interface(), Operations: epm.Operations, Handle: s.handle, Idempotent: true}
}

// Counters returns what has been counted, by name.
func (s *RPCMap) Counters() map[string]int64 {
	return map[string]int64{
		"maps":           s.maps.Load(),
		"lookups":        s.lookups.Load(),
		"not_registered": s.notRegistered.Load(),
		"malformed_call": s.malformed.Load(),
	}
}

// handle executes a call.
func (s *RPCMap) handle(_ context.Context, c rpc.Call) (response []byte, fault dcerpc.Status) {
	var err error
	switch c.Opnum {
	case epm.OpMap:
		s.maps.Add(1)
		response, err = s.find(c)
	case epm.OpLookup:
		s.lookups.Add(1)
		response, err = s.lookup(c)
	case epm.OpLookupHandleFree:
		response, err = free(c)
	default: // those that change the map
		return nil, dcerpc.FaultAccessDenied
	}
	if err != nil {
		s.malformed.Add(1)
		s.cfg.Log.Debug("a call of the endpoint mapper is not understood", "from", c.From, "opnum", c.Opnum, "error", err)
		return nil, dcerpc.FaultNDR
	}
	return response, dcerpc.StatusOK
}

// find executes ept_map: where is this interface, by that protocol sequence?
func (s *RPCMap) find(c rpc.Call) ([]byte, error) {
	q, err := epm.ParseMapRequest(c.Stub, c.DataRep)
	if err != nil {
		return nil, err
	}
	p := epm.MapResponse{Max: q.MaxTowers, Status: dcerpc.StatusNotRegistered}
	want, err := epm.ParseTower(q.Tower)
	if err != nil && !errors.Is(err, epm.ErrProtocol) {
		return nil, err
	}
	for _, e := range s.cfg.Endpoints() {
		if err != nil || e.Protocol != want.Protocol || want.Transfer != dcerpc.NDR() || !e.Interface.Serves(want.Interface) {
			continue
		}
		p.Status = dcerpc.StatusOK
		if len(p.Towers) < int(min(p.Max, epm.MaxResults)) {
			octets, err := e.tower(c.Local)
			if err != nil {
				return nil, err
			}
			p.Towers = append(p.Towers, octets)
		}
	}
	if p.Status != dcerpc.StatusOK {
		s.notRegistered.Add(1)
	}
	return p.AppendBinary(nil, c.DataRep)
}

// lookup executes ept_lookup: what is in the map? A caller that gets as many as
// it has room for gets a handle with them, to go on: rpcclient asks for one at a
// time, and until it is told that there are no more.
func (s *RPCMap) lookup(c rpc.Call) ([]byte, error) {
	q, err := epm.ParseLookupRequest(c.Stub, c.DataRep)
	if err != nil {
		return nil, err
	}
	p := epm.LookupResponse{Max: q.MaxEntries, Status: dcerpc.StatusNotRegistered}
	given, ok := givenOf(q.Handle)
	for _, e := range s.cfg.Endpoints() {
		// No entry has an object.
		if !ok || q.Inquiry == epm.ByObject || q.Inquiry == epm.ByBoth || q.Inquiry == epm.ByInterface && !matches(e.Interface, q) {
			continue
		}
		if given > 0 {
			given--
			continue
		}
		if len(p.Entries) >= int(min(p.Max, epm.MaxResults)) {
			break
		}
		octets, err := e.tower(c.Local)
		if err != nil {
			return nil, err
		}
		p.Entries = append(p.Entries, epm.Entry{Tower: octets, Annotation: []byte(e.Annotation)})
	}
	switch n := uint32(len(p.Entries)); n {
	case 0:
		s.notRegistered.Add(1)
	case p.Max: // perhaps there is more
		given, _ = givenOf(q.Handle)
		p.Handle, p.Status = handleOf(given+n), dcerpc.StatusOK
	default:
		p.Status = dcerpc.StatusOK
	}
	return p.AppendBinary(nil, c.DataRep)
}

// handleOf returns the handle of a caller that has been given n entries. That is
// all there is to it: nothing is kept for callers, and nobody's handle is worth
// guessing.
func handleOf(n uint32) (h epm.Handle) {
	binary.BigEndian.PutUint32(h.UUID[12:], n)
	return h
}

// givenOf returns n of handleOf; 0 for a caller that begins. ok is false for a
// handle that is not from here.
func givenOf(h epm.Handle) (n uint32, ok bool) {
	n = binary.BigEndian.Uint32(h.UUID[12:])
	return n, h == handleOf(n)
}

// free executes ept_lookup_handle_free. There is nothing to free.
func free(c rpc.Call) ([]byte, error) {
	q, err := epm.ParseFreeRequest(c.Stub, c.DataRep)
	if err != nil {
		return nil, err
	}
	var p epm.FreeResponse
	if _, ok := givenOf(q.Handle); !ok {
		p.Status = dcerpc.StatusInvalidContext
	}
	return p.AppendBinary(nil, c.DataRep)
}

// tower returns the octets of an endpoint at an address of ours.
func (e Endpoint) tower(local netip.Addr) ([]byte, error) {
	local = local.Unmap()
	if !local.Is4() {
		local = netip.IPv4Unspecified() // as it is where it was asked
	}
	return epm.Tower{
		Interface: e.Interface, Transfer: dcerpc.NDR(), Protocol: e.Protocol,
		Addr: netip.AddrPortFrom(local, e.Port),
	}.AppendBinary(nil)
}

// matches reports whether an interface is one that a lookup is for.
func matches(have dcerpc.SyntaxID, q epm.LookupRequest) bool {
	want := q.Interface
	if have.UUID != want.UUID {
		return false
	}
	switch q.Version {
	case epm.Compatible:
		return have.Serves(want)
	case epm.Exact:
		return have == want
	case epm.MajorOnly:
		return have.Major == want.Major
	case epm.UpTo:
		return have.Major < want.Major || have.Major == want.Major && have.Minor <= want.Minor
	}
	return true
}
