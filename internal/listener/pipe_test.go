package listener

import (
	"net"
	"net/netip"
	"sync"
	"testing"
)

// pipes is a net.Listener of connections in memory: in a bubble of synctest,
// the bubble's clock rules them, and a write lasts until it has been read.
type pipes struct {
	accepted chan net.Conn
	once     sync.Once
	closed   chan struct{}
}

func newPipes() *pipes {
	return &pipes{accepted: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case nc := <-l.accepted:
		return nc, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 139} }

// call connects from a source, which may be any address.
func (l *pipes) call(t testing.TB, source string) *caller {
	near, far := net.Pipe()
	t.Cleanup(func() { near.Close() })
	l.accepted <- pipeEnd{far, net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(source), 1024))}
	return &caller{t, near}
}

// A pipeEnd is the listener's end of a connection in memory.
type pipeEnd struct {
	net.Conn
	remote net.Addr
}

func (e pipeEnd) RemoteAddr() net.Addr { return e.remote }
