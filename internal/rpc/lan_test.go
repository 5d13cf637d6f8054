package rpc

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/messngr/messngr/dcerpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A lan is a network in memory that loses, doubles and delays packets as it is
// told to.
type lan struct {
	loss, double float64
	delay        time.Duration // at most; packets overtake each other

	mu    sync.Mutex
	rand  *rand.Rand
	conns map[netip.AddrPort]*memoryConn
	count int // packets sent
	lost  int
}

func newLAN(seed uint64) *lan {
	return &lan{rand: rand.New(rand.NewPCG(seed, 0)), conns: map[netip.AddrPort]*memoryConn{}}
}

type memoryPacket struct {
	b    []byte
	from netip.AddrPort
}

// A memoryConn is a socket on a lan.
type memoryConn struct {
	lan    *lan
	addr   netip.AddrPort
	queue  chan memoryPacket
	closed chan struct{}
	once   sync.Once
	past   chan struct{} // closed when the read deadline has passed
	dead   sync.Once
}

// listen returns a socket.
func (l *lan) listen(addr string) *memoryConn {
	c := &memoryConn{
		lan: l, addr: netip.MustParseAddrPort(addr), queue: make(chan memoryPacket, 4096),
		closed: make(chan struct{}), past: make(chan struct{}),
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conns[c.addr] != nil {
		panic(addr + " is taken")
	}
	l.conns[c.addr] = c
	return c
}

func (c *memoryConn) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(c.addr) }

func (c *memoryConn) Close() error {
	c.once.Do(func() {
		close(c.closed)
		c.lan.mu.Lock()
		delete(c.lan.conns, c.addr)
		c.lan.mu.Unlock()
	})
	return nil
}

// SetReadDeadline knows one deadline, that which has passed.
func (c *memoryConn) SetReadDeadline(time.Time) error {
	c.dead.Do(func() { close(c.past) })
	return nil
}

func (c *memoryConn) read(b []byte) (int, netip.AddrPort, netip.Addr, int, error) {
	select {
	case p := <-c.queue:
		return copy(b, p.b), p.from, c.addr.Addr(), 1, nil
	case <-c.past:
		return 0, netip.AddrPort{}, netip.Addr{}, 0, os.ErrDeadlineExceeded
	case <-c.closed:
		return 0, netip.AddrPort{}, netip.Addr{}, 0, net.ErrClosed
	}
}

func (c *memoryConn) closedPorts() []netip.AddrPort { return nil }

func (c *memoryConn) write(b []byte, to netip.AddrPort, _ netip.Addr) error {
	l := c.lan
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conns[c.addr] != c {
		return net.ErrClosed
	}
	l.count++
	if l.rand.Float64() < l.loss {
		l.lost++
		return nil
	}
	p := memoryPacket{append([]byte(nil), b...), c.addr}
	copies := 1
	if l.rand.Float64() < l.double {
		copies++
	}
	for range copies {
		deliver := func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			if to := l.conns[to]; to != nil {
				select {
				case to.queue <- p:
				default:
				}
			}
		}
		if l.delay == 0 {
			go deliver()
		} else {
			time.AfterFunc(time.Duration(l.rand.Int64N(int64(l.delay))), deliver)
		}
	}
	return nil
}

// sent returns how many packets were sent, and how many of them were lost.
func (l *lan) sent() (count, lost int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count, l.lost
}

// testInterface returns an interface with that handler.
func testInterface(handle Handler) Interface {
	return Interface{ID: testID, Operations: 3, Handle: handle}
}

var testID = dcerpc.SyntaxID{UUID: dcerpc.UUID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, Major: 1, Minor: 2}

// serve runs a server on a lan until the test calls what it returns.
func serve(t testing.TB, c *Conversations, conn packetConn) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	s := newDatagramServer(conn, c)
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	<-s.Ready()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	}
}

// echo returns its arguments, and counts how often it has seen each.
type echo struct {
	mu   sync.Mutex
	seen map[string]int
	from map[netip.AddrPort]int
	last Call
}

func newEcho() *echo { return &echo{seen: map[string]int{}, from: map[netip.AddrPort]int{}} }

func (e *echo) handle(_ context.Context, c Call) ([]byte, dcerpc.Status) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.seen[string(c.Stub)]++
	e.from[c.From]++
	e.last = c
	if string(c.Stub) == "fault" {
		return nil, dcerpc.FaultNDR
	}
	return append([]byte(nil), c.Stub...), dcerpc.StatusOK
}

func (e *echo) once(t testing.TB, calls int) {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.seen) != calls {
		t.Errorf("%d calls were executed, want %d", len(e.seen), calls)
	}
	for stub, n := range e.seen {
		if n != 1 {
			t.Errorf("call %s… was executed %d times", fmt.Sprintf("%.20s", stub), n)
		}
	}
}
