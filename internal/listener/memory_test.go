package listener

import (
	"bytes"
	"net"
	"net/netip"
	"time"
)

// memory is a net.Conn on which everything that the peer will ever send has
// arrived, and which takes every response.
type memory struct {
	in, out bytes.Buffer
	chunk   int // the most bytes that one Read gives; 0 for as many as fit
	remote  netip.AddrPort
}

func newMemory(in []byte) *memory {
	m := &memory{remote: netip.MustParseAddrPort("127.0.0.1:1024")}
	m.in.Write(in)
	return m
}

func (m *memory) Read(b []byte) (int, error) {
	if m.chunk > 0 {
		b = b[:min(m.chunk, len(b))]
	}
	return m.in.Read(b)
}

func (m *memory) Write(b []byte) (int, error)      { return m.out.Write(b) }
func (m *memory) Close() error                     { return nil }
func (m *memory) LocalAddr() net.Addr              { return nil }
func (m *memory) RemoteAddr() net.Addr             { return net.TCPAddrFromAddrPort(m.remote) }
func (m *memory) SetDeadline(time.Time) error      { return nil }
func (m *memory) SetReadDeadline(time.Time) error  { return nil }
func (m *memory) SetWriteDeadline(time.Time) error { return nil }
