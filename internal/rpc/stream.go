package rpc

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/messngr/messngr/dcerpc/ncacn"
	"github.com/messngr/messngr/internal/conns"
)

// StreamConfig is what a stream server is told.
type StreamConfig struct {
	Interfaces []Interface
	// Check returns nil for the sources that are served; local is the address
	// that was called. If it is nil, all are.
	Check func(source, local netip.Addr) error

	// MaxConnections and MaxPerSource bound the connections, in all and from
	// one address. Past a bound, the connection that has been without a call
	// for the longest time makes room for the new one. Zero means 256 and 32.
	MaxConnections, MaxPerSource int
	// MaxStub bounds the arguments of a call, in bytes. Zero means 64 KiB. With
	// 6 KiB more, it is what a connection can hold.
	MaxStub int
	// IdleTimeout bounds the time for which a peer may be silent, CallTimeout
	// that from the first fragment of a call to its last. Zero means 90 and 30
	// seconds.
	IdleTimeout, CallTimeout time.Duration

	// Log may be nil.
	Log *slog.Logger
}

// setDefaults fills in what is zero.
func (c *StreamConfig) setDefaults() {
	c.MaxConnections = cmp.Or(c.MaxConnections, 256)
	c.MaxPerSource = cmp.Or(c.MaxPerSource, 32)
	c.MaxStub = cmp.Or(c.MaxStub, 64<<10)
	c.IdleTimeout = cmp.Or(c.IdleTimeout, 90*time.Second)
	c.CallTimeout = cmp.Or(c.CallTimeout, 30*time.Second)
	c.Log = cmp.Or(c.Log, slog.New(slog.DiscardHandler))
	if c.Check == nil {
		c.Check = func(source, local netip.Addr) error { return nil }
	}
}

// streamStats count what a stream server has seen.
type streamStats struct {
	open             atomic.Int64 // connections that are open now; all others only grow
	connections      atomic.Int64 // connections accepted
	calls            atomic.Int64 // handed to a handler
	faults           atomic.Int64 // those of them that failed
	refusedSource    atomic.Int64 // connections from sources that are not served
	unknownInterface atomic.Int64 // contexts and calls of interfaces that are not served
	unknownOperation atomic.Int64 // calls of operations that there are not
	authenticated    atomic.Int64 // packets with authentication, which is not supported
	malformed        atomic.Int64 // packets that do not parse, or out of turn
	tooLong          atomic.Int64 // calls with too many arguments
	tooSlow          atomic.Int64 // connections silent, or a call unfinished, for too long
	evicted          atomic.Int64 // connections that made room for others
}

// A StreamServer takes calls over connections: ncacn_ip_tcp, [C706] 12.6.
type StreamServer struct {
	cfg    StreamConfig
	ln     net.Listener
	ready  chan struct{}
	stats  streamStats
	conns  *conns.Table
	groups atomic.Uint32 // the last association group
	wg     sync.WaitGroup

	readers sync.Pool // of *ncacn.Reader: what one connection leaves to the next
}

// NewStreamServer returns a server that accepts on ln, which Run closes.
func NewStreamServer(ln net.Listener, cfg StreamConfig) *StreamServer {
	cfg.setDefaults()
	return &StreamServer{
		cfg:   cfg,
		ln:    ln,
		ready: make(chan struct{}),
		conns: conns.NewTable(cfg.MaxConnections, cfg.MaxPerSource),

		readers: sync.Pool{New: func() any { return ncacn.NewReader(nil, maxStreamFragment) }},
	}
}

// String names the server in logs.
func (s *StreamServer) String() string { return "rpc on tcp " + s.ln.Addr().String() }

// Ready is closed when the server accepts connections.
func (s *StreamServer) Ready() <-chan struct{} { return s.ready }

// Counters returns what the server has counted, by name.
func (s *StreamServer) Counters() map[string]int64 {
	return map[string]int64{
		"open":              s.stats.open.Load(),
		"connections":       s.stats.connections.Load(),
		"calls":             s.stats.calls.Load(),
		"faults":            s.stats.faults.Load(),
		"refused_source":    s.stats.refusedSource.Load(),
		"unknown_interface": s.stats.unknownInterface.Load(),
		"unknown_operation": s.stats.unknownOperation.Load(),
		"authenticated":     s.stats.authenticated.Load(),
		"malformed":         s.stats.malformed.Load(),
		"too_long":          s.stats.tooLong.Load(),
		"too_slow":          s.stats.tooSlow.Load(),
		"evicted":           s.stats.evicted.Load(),
	}
}

// Run serves until ctx is done or the socket fails. Calls that handlers have
// then are answered first.
func (s *StreamServer) Run(ctx context.Context) error {
	defer s.wg.Wait()
	defer s.conns.Interrupt()
	close(s.ready)
	return conns.Accept(ctx, s.ln, s.cfg.Log, s, func(nc net.Conn) { s.accept(ctx, nc) })
}

// accept starts to serve a connection, or refuses it.
func (s *StreamServer) accept(ctx context.Context, nc net.Conn) {
	s.stats.connections.Add(1)
	entry := s.conns.NewConn(nc)
	if err := s.cfg.Check(entry.Remote.Addr(), localAddr(nc).Addr()); err != nil {
		s.stats.refusedSource.Add(1)
		s.cfg.Log.Debug("connection refused", "listener", s, "from", entry.Remote, "error", err)
		nc.Close()
		return
	}
	victim, ok := s.conns.Add(entry)
	if victim != nil {
		s.stats.evicted.Add(1)
		s.cfg.Log.Debug("connection closed to make room", "listener", s, "from", victim.Remote, "for", entry.Remote)
	}
	if !ok { // all are in the middle of a call
		s.stats.evicted.Add(1)
		nc.Close()
		return
	}
	s.stats.open.Add(1)
	s.wg.Go(func() {
		newStream(s, entry).serve(context.WithoutCancel(ctx))
		s.conns.Remove(entry)
		s.stats.open.Add(-1)
		nc.Close()
	})
}
