// Package listener turns what arrives on sockets into messages, one file for
// each transport. It knows nothing of what becomes of a message: it gives each
// to Deliver, and answers the sender as Deliver says.
package listener

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/internal/conns"
	"github.com/messngr/messngr/internal/oem"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbss"
)

// SMBConfig is what an SMB listener is told. The functions must be set; they
// are called by many goroutines at once.
type SMBConfig struct {
	// Deliver takes a message through the one door. The sender gets its "yes"
	// when Deliver returns nil, so it must not do so before the message is
	// durable. messngr.ErrPaused says that it is, but not shown for now.
	Deliver func(context.Context, *messngr.Message) error
	// Check returns nil for the sources that are served.
	Check func(netip.Addr) error
	// Owned reports whether a called name is ours.
	Owned func(netbios.Name) bool
	// Page returns the code page of what a sender writes; from are the bytes
	// of its name.
	Page func(addr netip.Addr, from []byte) *oem.Page

	// MaxConnections and MaxPerSource bound the connections, in all and from
	// one address. Past a bound, the connection that has been without a
	// message for the longest time makes room for the new one.
	MaxConnections, MaxPerSource int
	// MaxText bounds the text of a message, in bytes of UTF-8 after expansion.
	MaxText int
	// MaxHeld bounds the bytes of unfinished messages, over all connections.
	// Past it, the connection with the largest of them makes room.
	MaxHeld int
	// IdleTimeout bounds the time for which a peer may be silent,
	// MessageTimeout the time from the start of a message to its end.
	IdleTimeout, MessageTimeout time.Duration

	Log *slog.Logger
}

// smbStats counts what an SMB listener has seen.
type smbStats struct {
	open           atomic.Int64 // connections that are open now; all others only grow
	connections    atomic.Int64 // connections accepted
	messages       atomic.Int64 // messages delivered and acknowledged
	paused         atomic.Int64 // messages kept while the recipient has paused, whose senders were told so
	refusedSource  atomic.Int64 // connections from sources that are not served
	refusedName    atomic.Int64 // called names that are not ours
	refusedCommand atomic.Int64 // commands that are not known
	malformed      atomic.Int64 // packets that do not parse, and blocks out of turn
	tooLong        atomic.Int64 // messages past a limit of length
	tooSlow        atomic.Int64 // connections silent, or a message unfinished, for too long
	notStored      atomic.Int64 // messages that could not be made durable
	evicted        atomic.Int64 // connections that made room for others
}

// An SMB is a listener for messages over NetBIOS sessions (TCP 139): [MS-MSRP]
// 2.1.1 and 2.2.3.
type SMB struct {
	cfg   SMBConfig
	ln    net.Listener
	ready chan struct{}
	stats smbStats
	conns *conns.Table
	held  atomic.Int64 // bytes of unfinished messages
	wg    sync.WaitGroup

	readers sync.Pool // of *nbss.Reader: what one connection leaves to the next
}

// NewSMB returns a listener that serves ln, which Run closes.
func NewSMB(ln net.Listener, cfg SMBConfig) *SMB {
	return &SMB{
		cfg:   cfg,
		ln:    ln,
		ready: make(chan struct{}),
		conns: conns.NewTable(cfg.MaxConnections, cfg.MaxPerSource),

		readers: sync.Pool{New: func() any { return nbss.NewReader(nil, maxPacket) }},
	}
}

// String names the listener in logs.
func (s *SMB) String() string { return "smb " + s.ln.Addr().String() }

// Ready is closed when the listener accepts connections.
func (s *SMB) Ready() <-chan struct{} { return s.ready }

// Counters returns what the listener has counted, by name.
func (s *SMB) Counters() map[string]int64 {
	return map[string]int64{
		"open":            s.stats.open.Load(),
		"connections":     s.stats.connections.Load(),
		"messages":        s.stats.messages.Load(),
		"paused":          s.stats.paused.Load(),
		"refused_source":  s.stats.refusedSource.Load(),
		"refused_name":    s.stats.refusedName.Load(),
		"refused_command": s.stats.refusedCommand.Load(),
		"malformed":       s.stats.malformed.Load(),
		"too_long":        s.stats.tooLong.Load(),
		"too_slow":        s.stats.tooSlow.Load(),
		"not_stored":      s.stats.notStored.Load(),
		"evicted":         s.stats.evicted.Load(),
	}
}

// Run serves until ctx is done or the socket fails. Messages that are being
// delivered then are still delivered and answered.
func (s *SMB) Run(ctx context.Context) error {
	defer s.wg.Wait()
	defer s.conns.Interrupt()
	close(s.ready)
	return conns.Accept(ctx, s.ln, s.cfg.Log, s, func(nc net.Conn) { s.accept(ctx, nc) })
}

// accept starts to serve a connection, or refuses it.
func (s *SMB) accept(ctx context.Context, nc net.Conn) {
	s.stats.connections.Add(1)
	entry := s.conns.NewConn(nc)
	remote := entry.Remote
	if err := s.cfg.Check(remote.Addr()); err != nil {
		s.stats.refusedSource.Add(1)
		s.cfg.Log.Debug("connection refused", "from", remote, "error", err)
		nc.Close()
		return
	}
	victim, ok := s.conns.Add(entry)
	if victim != nil {
		s.stats.evicted.Add(1)
		s.cfg.Log.Debug("connection closed to make room", "from", victim.Remote, "for", remote)
	}
	if !ok { // all are in the middle of a delivery
		s.stats.evicted.Add(1)
		nc.Close()
		return
	}
	c := newConn(s, entry)
	s.stats.open.Add(1)
	s.wg.Go(func() {
		c.serve(context.WithoutCancel(ctx))
		s.conns.Remove(entry)
		s.stats.open.Add(-1)
		nc.Close()
		c.free()
	})
}
