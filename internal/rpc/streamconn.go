package rpc

import (
	"context"
	"encoding"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/dcerpc/ncacn"
	"github.com/messngr/messngr/internal/conns"
)

// maxStreamFragment is the size of a packet that is taken and sent, in bytes:
// that of Windows.
const maxStreamFragment = 5840

// streamWriteTimeout is the time that a peer has to take an answer. It is short
// because a connection that has a call to answer keeps its place.
const streamWriteTimeout = 4 * time.Second

// What ends a connection beside what a package says of its bytes.
var (
	errStreamEnd  = errors.New("end of connection") // nothing to say of it
	errOutOfTurn  = fmt.Errorf("%w: out of turn", ncacn.ErrInvalid)
	errNotWhole   = fmt.Errorf("%w: a bind in fragments", ncacn.ErrInvalid)
	errNoContexts = fmt.Errorf("%w: a bind to nothing", ncacn.ErrInvalid)
)

// A stream is one connection of a stream server, an association in [C706], on
// which one call is made after another.
type stream struct {
	*conns.Conn // in use while a call is executed and answered
	server      *StreamServer
	in          *ncacn.Reader
	out         []byte // the packet being written
	local       netip.AddrPort

	bound       bool
	group       uint32
	contexts    map[uint16]binding
	maxTransmit int // bytes of a packet that the peer takes

	call         streamCall
	readDeadline time.Time // as set on Conn
}

func newStream(s *StreamServer, nc *conns.Conn) *stream {
	c := &stream{Conn: nc, server: s, in: s.readers.Get().(*ncacn.Reader), maxTransmit: ncacn.MustReceive}
	c.local = localAddr(nc)
	c.in.Reset(nc)
	return c
}

// localAddr returns the address of ours that a peer has called; invalid for a
// connection that is not TCP.
func localAddr(nc net.Conn) netip.AddrPort {
	tcp, ok := nc.LocalAddr().(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := tcp.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
}

// serve reads packets and answers them until the connection ends.
func (c *stream) serve(ctx context.Context) {
	defer func() {
		c.in.Reset(nil)
		c.server.readers.Put(c.in)
	}()
	for {
		c.extendDeadline()
		if c.Ended() {
			return
		}
		h, b, err := c.in.Next()
		if err == nil {
			err = c.packet(ctx, h, b)
		} else if errors.Is(err, ncacn.ErrVersion) && !c.bound {
			c.refuse(ncacn.Header{DataRep: dcerpc.LittleEndian()}, ncacn.RejectProtocolVersion)
		}
		if err != nil {
			c.note(err)
			return
		}
	}
}

// extendDeadline gives the peer IdleTimeout for its next packet, and no more
// than is left of CallTimeout when it has a call to finish. To set a deadline is
// not free, so a later one is set when a tenth of the time has gone.
func (c *stream) extendDeadline() {
	idle := c.server.cfg.IdleTimeout
	want := time.Now().Add(idle)
	if c.call.open {
		if last := c.call.started.Add(c.server.cfg.CallTimeout); last.Before(want) {
			want = last
		}
	}
	if later := want.Sub(c.readDeadline); later > idle/10 || later < 0 {
		c.readDeadline = want
		c.SetReadDeadline(want)
	}
}

// note counts why the connection ended.
func (c *stream) note(err error) {
	stats := &c.server.stats
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, errStreamEnd) || c.Ended():
		return
	case errors.Is(err, os.ErrDeadlineExceeded):
		stats.tooSlow.Add(1)
	case errors.Is(err, ncacn.ErrAuth):
		stats.authenticated.Add(1)
	case errors.Is(err, ncacn.ErrInvalid) || errors.Is(err, io.ErrUnexpectedEOF):
		stats.malformed.Add(1)
	}
	c.server.cfg.Log.Debug("connection ended", "listener", c.server, "from", c.Remote, "error", err)
}

// packet acts on one packet. An error ends the connection.
func (c *stream) packet(ctx context.Context, h ncacn.Header, b []byte) error {
	switch h.Type {
	case ncacn.TypeBind:
		return c.bind(h, b)
	case ncacn.TypeAlterContext:
		return c.alter(h, b)
	case ncacn.TypeRequest:
		return c.request(ctx, h, b)
	case ncacn.TypeCancel:
		return nil // what it is for has been answered: calls are executed one by one
	case ncacn.TypeOrphaned: // the caller does not want the call any more: [C706] 12.6.4.8
		if c.call.open && c.call.header.CallID == h.CallID {
			c.call.close()
		}
		return nil
	}
	// A caller has no business sending answers.
	return fmt.Errorf("%w: %v", errOutOfTurn, h.Type)
}

// write sends the packet p, in the time that is left of the answer.
func (c *stream) write(p encoding.BinaryAppender) error {
	b, err := p.AppendBinary(c.out[:0])
	if err != nil {
		return err
	}
	c.out = b
	_, err = c.Write(b)
	return err
}

// answer sends the one packet p.
func (c *stream) answer(p encoding.BinaryAppender) error {
	c.SetWriteDeadline(time.Now().Add(streamWriteTimeout))
	return c.write(p)
}
