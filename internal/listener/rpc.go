package listener

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/internal/oem"
	"github.com/messngr/messngr/internal/rpc"
	"github.com/messngr/messngr/msgsvc"
)

// ErrQuarantineFull is what Quarantine of an RPCConfig wraps when it has no room
// for a message.
var ErrQuarantineFull = errors.New("the quarantine is full")

// RPCConfig is what an RPC is told. The functions must be set; they are called
// by many goroutines at once.
type RPCConfig struct {
	// Deliver takes a message through the one door; the caller is answered when
	// it returns.
	Deliver func(context.Context, *messngr.Message) error
	// Quarantine takes one whose caller may be anybody: kept, but not shown.
	Quarantine func(context.Context, *messngr.Message) error
	// Reached reports whether a message to a name, or to an address, is for us.
	Reached func(to string) bool
	// Page returns the code page of what a sender writes; from are the bytes of
	// its name.
	Page func(addr netip.Addr, from []byte) *oem.Page
	// OneWay says what becomes of calls whose sender cannot be asked back: if
	// they are executed, their messages are quarantined.
	OneWay rpc.OneWay
	// MaxText bounds the text of a message, in bytes of UTF-8 after expansion.
	// What is longer is cut, and its sender is told.
	MaxText int

	Log *slog.Logger
}

// rpcStats counts what an RPC has seen.
type rpcStats struct {
	messages    atomic.Int64 // messages that are durable and will be shown
	quarantined atomic.Int64 // messages of callers who may be anybody, kept
	full        atomic.Int64 // those for which there was no room
	paused      atomic.Int64 // messages that came while the service paused, kept
	truncated   atomic.Int64 // texts that were cut
	refusedName atomic.Int64 // names that are not ours
	refused     atomic.Int64 // sources that the guard does not serve
	malformed   atomic.Int64 // arguments that do not parse
	notStored   atomic.Int64 // messages that could not be made durable
}

// An RPC executes NetrSendMessage, the one call of the interface msgsvcsend:
// [MS-MSRP] 3.2.4.1. Whoever carries calls hands them to it.
type RPC struct {
	cfg   RPCConfig
	stats rpcStats
}

// NewRPC returns an RPC.
func NewRPC(cfg RPCConfig) *RPC { return &RPC{cfg: cfg} }

// Interface returns the interface to serve.
func (s *RPC) Interface() rpc.Interface {
	return rpc.Interface{ID: msgsvc.SendInterface(), Operations: msgsvc.SendOperations, Handle: s.handle, OneWay: s.cfg.OneWay}
}

// Counters returns what has been counted, by name.
func (s *RPC) Counters() map[string]int64 {
	return map[string]int64{
		"messages":        s.stats.messages.Load(),
		"quarantined":     s.stats.quarantined.Load(),
		"quarantine_full": s.stats.full.Load(),
		"paused":          s.stats.paused.Load(),
		"truncated":       s.stats.truncated.Load(),
		"refused_name":    s.stats.refusedName.Load(),
		"refused_source":  s.stats.refused.Load(),
		"malformed_call":  s.stats.malformed.Load(),
		"not_stored":      s.stats.notStored.Load(),
	}
}

// Numbers of Windows that calls return beside those of LAN Manager: [MS-ERREF]
// 2.2.
const (
	errorAccessDenied     = 5   // ERROR_ACCESS_DENIED
	errorInvalidParameter = 87  // ERROR_INVALID_PARAMETER
	errorInvalidName      = 123 // ERROR_INVALID_NAME
	errorInvalidLevel     = 124 // ERROR_INVALID_LEVEL
)

// handle executes a call. Its arguments are looked at before anything is made
// of them: stubs lie.
func (s *RPC) handle(ctx context.Context, c rpc.Call) ([]byte, dcerpc.Status) {
	said, err := msgsvc.ParseSend(c.Stub, c.DataRep)
	if err != nil {
		s.stats.malformed.Add(1)
		s.cfg.Log.Debug("NetrSendMessage is not understood", "from", c.From, "error", err)
		return nil, dcerpc.FaultNDR
	}
	response, err := msgsvc.SendResponse{Status: s.send(ctx, c, said)}.AppendBinary(nil, c.DataRep)
	if err != nil {
		return nil, dcerpc.FaultUnspecified
	}
	return response, dcerpc.StatusOK
}

// send delivers a message and returns what its sender is told.
func (s *RPC) send(ctx context.Context, c rpc.Call, said msgsvc.Send) uint32 {
	page := s.cfg.Page(c.From.Addr(), said.From)
	from := page.DecodeName(said.From)
	if from == "" {
		s.stats.malformed.Add(1)
		return errorInvalidParameter
	}
	to := page.DecodeName(said.To)
	// "it MUST check the table of names [...] to see if the name supplied in
	// the To parameter matches": [MS-MSRP] 3.2.4.3.
	if !s.cfg.Reached(to) {
		s.stats.refusedName.Add(1)
		return uint32(messngr.NERRNameNotFound)
	}
	text, err := page.DecodeText(said.Text, s.cfg.MaxText)
	cut := err != nil
	if cut { // no byte of a code page becomes more than three of UTF-8
		text, err = page.DecodeText(page.Cut(said.Text, s.cfg.MaxText/3), s.cfg.MaxText)
		if err != nil {
			return uint32(messngr.NERRBadReceive)
		}
	}
	now := time.Now()
	m := &messngr.Message{
		ID:   messngr.NewID(now),
		From: from, To: to, Text: text,
		Priority: messngr.Normal,
		Sent:     now, Received: now,
		Source:     messngr.Source{Transport: messngr.RPC, Addr: c.From},
		Provenance: messngr.Claimed,
	}
	deliver, counter := s.cfg.Deliver, &s.stats.messages
	if !c.Verified {
		deliver, counter = s.cfg.Quarantine, &s.stats.quarantined
	}
	switch err := deliver(ctx, m); {
	case err == nil:
		counter.Add(1)
	case errors.Is(err, messngr.ErrPaused):
		s.stats.paused.Add(1)
		return uint32(messngr.NERRPausedRemote)
	case errors.Is(err, messngr.ErrRefused):
		s.stats.refused.Add(1)
		return errorAccessDenied
	case errors.Is(err, ErrQuarantineFull):
		s.stats.full.Add(1)
		return uint32(messngr.NERRBadReceive)
	default:
		s.stats.notStored.Add(1)
		return uint32(messngr.NERRBadReceive)
	}
	if cut {
		s.stats.truncated.Add(1)
		return uint32(messngr.NERRTruncated)
	}
	return 0
}
