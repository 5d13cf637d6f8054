package rpc

import (
	"context"
	"encoding"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/dcerpc/ncacn"
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

func (l *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(10, 77, 0, 1), Port: 135} }

// call connects from a source, which may be any address.
func (l *pipes) call(t testing.TB, source string) *streamPeer {
	near, far := net.Pipe()
	t.Cleanup(func() { near.Close() })
	l.accepted <- pipeEnd{far, net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(source), 1024))}
	return newStreamPeer(t, near)
}

// A pipeEnd is the server's end of a connection in memory.
type pipeEnd struct {
	net.Conn
	remote net.Addr
}

func (e pipeEnd) RemoteAddr() net.Addr { return e.remote }
func (e pipeEnd) LocalAddr() net.Addr  { return &net.TCPAddr{IP: net.IPv4(10, 77, 0, 1), Port: 135} }

// serveStream runs a server on ln until the test ends.
func serveStream(t testing.TB, ln net.Listener, cfg StreamConfig) *StreamServer {
	t.Helper()
	if _, bench := t.(*testing.B); !bench {
		cfg.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	s := NewStreamServer(ln, cfg)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	<-s.Ready()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	return s
}

// A streamPeer is a caller.
type streamPeer struct {
	t  testing.TB
	nc net.Conn
	in *ncacn.Reader
	id uint32 // of the last call
}

func newStreamPeer(t testing.TB, nc net.Conn) *streamPeer {
	return &streamPeer{t: t, nc: nc, in: ncacn.NewReader(nc, 1<<16)}
}

// send sends packets, which the server may not want to have.
func (p *streamPeer) send(packets ...encoding.BinaryAppender) {
	p.t.Helper()
	for _, packet := range packets {
		b, err := packet.AppendBinary(nil)
		if err != nil {
			p.t.Fatal(err)
		}
		p.nc.SetWriteDeadline(time.Now().Add(10 * time.Second))
		if _, err := p.nc.Write(b); err != nil {
			return
		}
	}
}

// raw sends bytes.
type raw []byte

func (r raw) AppendBinary(b []byte) ([]byte, error) { return append(b, r...), nil }

// read returns the next packet.
func (p *streamPeer) read() (ncacn.Header, []byte) {
	p.t.Helper()
	p.nc.SetReadDeadline(time.Now().Add(10 * time.Second))
	h, b, err := p.in.Next()
	if err != nil {
		p.t.Fatalf("no packet: %v", err)
	}
	return h, b
}

// expectEnd waits for the end of the connection, and that nothing comes before.
func (p *streamPeer) expectEnd() {
	p.t.Helper()
	p.nc.SetReadDeadline(time.Now().Add(10 * time.Second))
	if h, _, err := p.in.Next(); !errors.Is(err, io.EOF) {
		p.t.Errorf("the connection goes on: %v %v", h.Type, err)
	}
}

// expectFault reads a fault.
func (p *streamPeer) expectFault(status dcerpc.Status, flags ncacn.Flags) {
	p.t.Helper()
	_, b := p.read()
	f, err := ncacn.ParseFault(b)
	if err != nil || f.Status != status || f.Flags != ncacn.Whole|flags {
		p.t.Errorf("fault %v with flags %02x, %v; want %v with %02x", f.Status, f.Flags, err, status, ncacn.Whole|flags)
	}
}

// offer returns a bind, or an alter_context, to the test's interface.
func offer(t ncacn.Type, contexts ...ncacn.Context) ncacn.Bind {
	if contexts == nil {
		contexts = []ncacn.Context{{Interface: testID, Transfer: []dcerpc.SyntaxID{dcerpc.NDR()}}}
	}
	return ncacn.Bind{
		Header:      ncacn.Header{Type: t, Flags: ncacn.Whole, DataRep: dcerpc.LittleEndian(), CallID: 1},
		MaxTransmit: 4280, MaxReceive: 4280, Contexts: contexts,
	}
}

// bind binds to the test's interface as context 0.
func (p *streamPeer) bind() *streamPeer {
	p.t.Helper()
	p.send(offer(ncacn.TypeBind))
	_, b := p.read()
	ack, err := ncacn.ParseBindAck(b)
	want := []ncacn.Result{{Result: ncacn.Accepted, Transfer: dcerpc.NDR()}}
	if diff := cmp.Diff(want, ack.Results); err != nil || diff != "" {
		p.t.Fatalf("%v (-want +got):\n%s", err, diff)
	}
	return p
}

// fragment returns a fragment of operation 1.
func fragment(id uint32, flags ncacn.Flags, stub string) ncacn.Request {
	return ncacn.Request{
		Header: ncacn.Header{Type: ncacn.TypeRequest, Flags: flags, DataRep: dcerpc.LittleEndian(), CallID: id},
		Opnum:  1, Stub: []byte(stub),
	}
}

// response reads all fragments of a response, which may have max bytes each.
func (p *streamPeer) response(id uint32, max int) (stub string, fragments int) {
	p.t.Helper()
	for {
		h, b := p.read()
		r, err := ncacn.ParseResponse(b)
		if err != nil {
			p.t.Fatalf("%v: %v", h.Type, err)
		}
		last := h.Flags&ncacn.Last != 0
		if len(b) > max || h.CallID != id || (h.Flags&ncacn.First != 0) != (fragments == 0) || !last && len(r.Stub)%8 != 0 {
			p.t.Errorf("fragment %d: %d bytes of %d, call %d, flags %02x", fragments, len(b), max, h.CallID, h.Flags)
		}
		stub += string(r.Stub)
		fragments++
		if last {
			return stub, fragments
		}
	}
}

// echo makes a call that is answered with its own stub.
func (p *streamPeer) echo(stub string) {
	p.t.Helper()
	p.id++
	p.send(fragment(p.id, ncacn.Whole, stub))
	if got, _ := p.response(p.id, 4280); got != stub {
		p.t.Errorf("got %q, want %q", got, stub)
	}
}
