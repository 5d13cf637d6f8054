package rpc

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// datagramBuffer is how many bytes may wait in the socket: some thousand calls,
// those of a moment in which this process does not run.
const datagramBuffer = 4 << 20

// A packetConn is a socket: a *net.UDPConn, and in tests a network in memory.
type packetConn interface {
	// read reads a packet. local is the address that it was sent to and ifindex
	// the interface that it came in on, as far as they are known.
	read(b []byte) (n int, from netip.AddrPort, local netip.Addr, ifindex int, err error)
	// write sends a packet from the address local, if it is valid.
	write(b []byte, to netip.AddrPort, local netip.Addr) error
	// closedPorts returns where packets were sent to and nobody receives, as
	// hosts have said since it was last called. It may be after an error.
	closedPorts() []netip.AddrPort
	LocalAddr() net.Addr
	SetReadDeadline(time.Time) error
	Close() error
}

// A DatagramServer takes calls over one socket: ncadg_ip_udp.
type DatagramServer struct {
	conversations *Conversations
	conn          packetConn
	ready         chan struct{}

	datagrams     atomic.Int64 // packets that came
	refusedSource atomic.Int64 // those of them from sources that are not served
	sent          atomic.Int64
	sendErrors    atomic.Int64
}

// NewDatagramServer returns a server that receives on conn, which Run closes.
func NewDatagramServer(conn *net.UDPConn, c *Conversations) *DatagramServer {
	return newDatagramServer(newSocket(conn, true), c)
}

func newDatagramServer(conn packetConn, c *Conversations) *DatagramServer {
	return &DatagramServer{conversations: c, conn: conn, ready: make(chan struct{})}
}

// String names the server in logs.
func (s *DatagramServer) String() string { return "rpc on udp " + s.conn.LocalAddr().String() }

// Ready is closed when the server receives.
func (s *DatagramServer) Ready() <-chan struct{} { return s.ready }

// Counters returns what has been counted at this socket, by name. What became
// of the packets the Conversations count.
func (s *DatagramServer) Counters() map[string]int64 {
	return map[string]int64{
		"datagrams":      s.datagrams.Load(),
		"refused_source": s.refusedSource.Load(),
		"sent":           s.sent.Load(),
		"send_errors":    s.sendErrors.Load(),
	}
}

// Run serves until ctx is done or the socket fails. Calls that handlers have
// then are answered first.
func (s *DatagramServer) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { s.conn.SetReadDeadline(aLongTimeAgo) })
	defer stop()
	var handlers sync.WaitGroup
	close(s.ready)
	err := s.receive(context.WithoutCancel(ctx), &handlers)
	handlers.Wait()
	s.conn.Close()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

// receive takes packets until the socket says an error.
func (s *DatagramServer) receive(ctx context.Context, handlers *sync.WaitGroup) error {
	// As large as a datagram can be: some systems call one that does not fit
	// an error.
	packet := make([]byte, 1<<16)
	var out output
	for {
		n, from, local, ifindex, err := s.conn.read(packet)
		if err != nil {
			return err
		}
		s.datagrams.Add(1)
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		if check := s.conversations.cfg.Check; check != nil && check(from.Addr(), ifindex) != nil {
			s.refusedSource.Add(1)
			continue
		}
		for _, j := range s.conversations.receive(packet[:n], from, path{s, local}, &out) {
			handlers.Go(func() {
				response, fault := j.handle(ctx, j.call)
				s.conversations.executed(j, response, fault)
			})
		}
	}
}

// send sends a packet from the address local. Whether it arrives is the
// caller's to find out: it asks again.
func (s *DatagramServer) send(b []byte, to netip.AddrPort, local netip.Addr) {
	s.sent.Add(1)
	if s.conn.write(b, to, local) != nil {
		s.sendErrors.Add(1)
	}
}

// aLongTimeAgo is a deadline that ends a blocking read at once.
var aLongTimeAgo = time.Unix(1, 0)
