package listener

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/internal/rpc"
	"github.com/messngr/messngr/msgsvc"
)

// ErrNoName is what the functions of RPCNamesConfig wrap when they are given
// what cannot be a name.
var ErrNoName = errors.New("not a name")

// RPCNamesConfig is what an RPCNames is told. The functions must be set; they
// are called by many goroutines at once. Their errors wrap the messngr.NERR
// that the caller gets, or ErrNoName; all others are internal to it.
type RPCNamesConfig struct {
	// Trusted reports whether a source may ask for names and change them.
	Trusted func(netip.Addr) bool
	// Names returns the names under which messages are received, the computer
	// name first.
	Names func() []string
	// Add adds a name, Delete deletes one; in upper case or not.
	Add, Delete func(ctx context.Context, name string) error

	Log *slog.Logger
}

// An RPCNames executes the calls of the interface msgsvc, which ask for the
// names under which messages are received, and change them: [MS-MSRP] 3.1.4.
type RPCNames struct {
	cfg                      RPCNamesConfig
	calls, denied, malformed atomic.Int64
	namesAdded, namesDeleted atomic.Int64
}

// NewRPCNames returns an RPCNames.
func NewRPCNames(cfg RPCNamesConfig) *RPCNames { return &RPCNames{cfg: cfg} }

// Interface returns the interface to serve.
func (s *RPCNames) Interface() rpc.Interface {
	return rpc.Interface{ID: msgsvc.NameInterface(), Operations: msgsvc.NameOperations, Handle: s.handle}
}

// Counters returns what has been counted, by name.
func (s *RPCNames) Counters() map[string]int64 {
	return map[string]int64{
		"name_calls":     s.calls.Load(),
		"names_added":    s.namesAdded.Load(),
		"names_deleted":  s.namesDeleted.Load(),
		"access_denied":  s.denied.Load(),
		"malformed_call": s.malformed.Load(),
	}
}

// handle executes a call.
func (s *RPCNames) handle(ctx context.Context, c rpc.Call) (response []byte, fault dcerpc.Status) {
	s.calls.Add(1)
	// "the message server SHOULD check an internal ACL": before anything else,
	// [MS-MSRP] 3.1.4.6 and those after it.
	denied := !s.cfg.Trusted(c.From.Addr())
	if denied {
		s.denied.Add(1)
	}
	var err error
	switch c.Opnum {
	case msgsvc.OpNameAdd, msgsvc.OpNameDel:
		response, err = s.change(ctx, c, denied)
	case msgsvc.OpNameEnum:
		response, err = s.enum(c, denied)
	case msgsvc.OpNameGetInfo:
		response, err = s.info(c, denied)
	default:
		return nil, dcerpc.StatusOperationRange
	}
	if err != nil {
		s.malformed.Add(1)
		s.cfg.Log.Debug("a call for message names is not understood", "from", c.From, "opnum", c.Opnum, "error", err)
		if errors.Is(err, msgsvc.ErrLevel) {
			return nil, dcerpc.FaultInvalidTag // NDR has no form for the response
		}
		return nil, dcerpc.FaultNDR
	}
	return response, dcerpc.StatusOK
}

// change executes NetrMessageNameAdd and NetrMessageNameDel: [MS-MSRP] 3.1.4.6
// and 3.1.4.12.
func (s *RPCNames) change(ctx context.Context, c rpc.Call, denied bool) ([]byte, error) {
	q, err := msgsvc.ParseNameRequest(c.Stub, c.DataRep)
	if err != nil {
		return nil, err
	}
	change, counter := s.cfg.Add, &s.namesAdded
	if c.Opnum == msgsvc.OpNameDel {
		change, counter = s.cfg.Delete, &s.namesDeleted
	}
	status := uint32(errorAccessDenied)
	if !denied {
		if status = statusOf(change(ctx, truncated(q.Name))); status == 0 {
			counter.Add(1)
		}
	}
	return msgsvc.NameResponse{Status: status}.AppendBinary(nil, c.DataRep)
}

// statusOf returns what a caller is told of an error.
func statusOf(err error) uint32 {
	number := messngr.NERR(0)
	switch {
	case err == nil:
		return 0
	case errors.As(err, &number):
		return uint32(number)
	case errors.Is(err, ErrNoName):
		return errorInvalidName
	}
	return uint32(messngr.NERRInternalError)
}

// truncated returns a name as it is taken: "Server MUST truncate MsgName to 15
// characters", [MS-MSRP] 3.1.4.6.
func truncated(name string) string {
	if runes := []rune(name); len(runes) > 15 {
		name = string(runes[:15])
	}
	return strings.TrimRight(name, " ")
}

// What a name takes in the buffer that PrefMaxLen measures: a MSG_INFO_0 or
// MSG_INFO_1 of 32-bit Windows, and the name in UTF-16 with its NUL.
const (
	sizeInfo0 = 4
	sizeInfo1 = 12
	// maxPrefMaxLen is the largest PrefMaxLen of level 0: [MS-MSRP] 3.1.4.8.
	maxPrefMaxLen = 11776
)

// enum executes NetrMessageNameEnum: [MS-MSRP] 3.1.4.8.
func (s *RPCNames) enum(c rpc.Call, denied bool) ([]byte, error) {
	q, err := msgsvc.ParseNameEnumRequest(c.Stub, c.DataRep)
	if err != nil {
		return nil, err
	}
	p := msgsvc.NameEnumResponse{Level: q.Level, Resume: q.Resume}
	room := int64(q.PrefMaxLen)
	switch {
	case denied:
		p.Status = errorAccessDenied
	case q.PrefMaxLen != msgsvc.AllEntries && q.Level == 0 && q.PrefMaxLen > maxPrefMaxLen:
		p.Status = errorInvalidParameter
	default:
		names := s.cfg.Names()
		if q.Resume != nil {
			names = names[min(int64(*q.Resume), int64(len(names))):]
		}
		size := sizeInfo0
		if q.Level == 1 {
			size = sizeInfo1
		}
		for _, name := range names {
			if room -= int64(size + 2*(len([]rune(name))+1)); room < 0 {
				p.Status = uint32(messngr.NERRBufTooSmall)
				break
			}
			p.Names = append(p.Names, name)
		}
		p.Total = uint32(len(p.Names))
		if q.Resume != nil {
			next := *q.Resume + p.Total
			if p.Status == 0 {
				next = 0 // all have been given
			}
			p.Resume = &next
		}
	}
	return p.AppendBinary(nil, c.DataRep)
}

// info executes NetrMessageNameGetInfo: [MS-MSRP] 3.1.4.10.
func (s *RPCNames) info(c rpc.Call, denied bool) ([]byte, error) {
	q, err := msgsvc.ParseNameInfoRequest(c.Stub, c.DataRep)
	if err != nil {
		return nil, err
	}
	p := msgsvc.NameInfoResponse{Level: q.Level}
	name := strings.ToUpper(truncated(q.Name))
	switch {
	case denied:
		p.Status = errorAccessDenied
	case name == "":
		p.Status = errorInvalidName
	case !slices.Contains(s.cfg.Names(), name):
		p.Status = uint32(messngr.NERRNotLocalName)
	default:
		p.Found, p.Name = true, name
	}
	return p.AppendBinary(nil, c.DataRep)
}
