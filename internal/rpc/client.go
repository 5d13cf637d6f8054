package rpc

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/dcerpc/ncadg"
)

// ErrNoAnswer is wrapped by the error of a call that the server was silent to.
// Whether it was executed is not known.
var ErrNoAnswer = errors.New("no answer")

// ErrRefused is wrapped by the error of a call whose server's host says that
// nobody receives at that port, as syscall.ECONNREFUSED is. The host says so
// always, but systems other than Linux tell it of connected sockets only, and
// Windows does not.
var ErrRefused = errors.New("the port is closed")

// ErrRestarted is wrapped by the error of a call whose server was started again
// meanwhile. Whether the one before it has executed the call is not known.
var ErrRestarted = errors.New("the server was started again")

// A Fault is the error of a call that failed while it was executed.
type Fault struct {
	Server netip.AddrPort
	Status dcerpc.Status
}

func (e *Fault) Error() string {
	return fmt.Sprintf("%s could not execute the call: %v", e.Server, e.Status.Error())
}

// Unwrap returns the status.
func (e *Fault) Unwrap() error { return e.Status }

// A Reject is the error of a call that the server did not take, so that it was
// not executed.
type Reject struct {
	Server netip.AddrPort
	Status dcerpc.Status
}

func (e *Reject) Error() string {
	return fmt.Sprintf("%s did not take the call: %v", e.Server, e.Status.Error())
}

// Unwrap returns the status.
func (e *Reject) Unwrap() error { return e.Status }

// ClientConfig is what a client is told.
type ClientConfig struct {
	// Retry is how long a client waits for a sign of the server before it sends
	// again; then twice as long each time, up to MaxRetry. Zero means one
	// second ([MS-RPCE] 3.2.2.2.1) and four.
	Retry, MaxRetry time.Duration
	// Silence is how long a server may give no sign. Zero means 30 seconds.
	Silence time.Duration
	// Timeout is how long a call may take in all, though the server says that
	// it works on it. Zero means two minutes.
	Timeout time.Duration
	// MaxResponse bounds a response, in bytes. Zero means 64 KiB.
	MaxResponse int
}

// setDefaults fills in what is zero.
func (c *ClientConfig) setDefaults() {
	c.Retry = cmp.Or(c.Retry, time.Second)
	c.MaxRetry = cmp.Or(c.MaxRetry, max(c.Retry, 4*time.Second))
	c.Silence = cmp.Or(c.Silence, 30*time.Second)
	c.Timeout = cmp.Or(c.Timeout, 2*time.Minute)
	c.MaxResponse = cmp.Or(c.MaxResponse, ncadg.DefaultMaxBytes)
}

// pause is how long a client does not receive after an error that says nothing
// to it, lest it do nothing else.
const pause = time.Millisecond

// A Client calls servers over one socket: ncadg_ip_udp. It answers the
// questions that they ask back. It is safe for concurrent use.
type Client struct {
	cfg      ClientConfig
	conn     packetConn
	received chan struct{} // closed when nothing is received any more

	mu     sync.Mutex
	caller *caller
	closed bool
	acks   *time.Timer // sends the acknowledgements that are due

	outputs sync.Pool // of *output
}

// NewClient returns a client that calls through conn, which Close closes. As a
// server may ask back and answer from another port than that which was called,
// conn should not be connected, but for calls of one server that are idempotent.
func NewClient(conn *net.UDPConn, cfg ClientConfig) *Client {
	return newClient(newSocket(conn, false), cfg)
}

func newClient(conn packetConn, cfg ClientConfig) *Client {
	cfg.setDefaults()
	var seed [32]byte
	rand.Read(seed[:])
	c := &Client{
		cfg: cfg, conn: conn, received: make(chan struct{}),
		outputs: sync.Pool{New: func() any { return new(output) }},
	}
	c.caller = newCaller(&c.cfg, uint32(time.Now().Unix()), seed)
	c.acks = time.AfterFunc(time.Hour, c.acknowledge)
	c.acks.Stop()
	go c.receive()
	return c
}

// acknowledge sends the acknowledgements that are due.
func (c *Client) acknowledge() {
	c.do(func(out *output) {
		if next, more := c.caller.acknowledge(time.Now(), false, out); more && !c.closed {
			c.acks.Reset(next)
		}
	})
}

// Close gives up the socket. Calls that are under way end with an error; the
// responses that have come are acknowledged.
func (c *Client) Close() error {
	c.do(func(out *output) {
		c.closed = true
		c.acks.Stop()
		c.caller.abort(net.ErrClosed)
		c.caller.acknowledge(time.Now(), true, out)
	})
	err := c.conn.Close()
	<-c.received
	return err
}

// Counters returns what the client has counted, by name.
func (c *Client) Counters() map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.caller.counters()
}

// receive takes packets until the socket is closed.
func (c *Client) receive() {
	defer close(c.received)
	packet := make([]byte, 1<<16)
	for {
		n, from, _, _, err := c.conn.read(packet)
		if errno := syscall.Errno(0); errors.As(err, &errno) {
			// It is about a packet that was sent, to where there is no way or
			// nobody; the socket goes on.
			if !c.refused() {
				time.Sleep(pause)
			}
			continue
		}
		if err != nil {
			c.mu.Lock()
			c.closed = true
			c.caller.abort(fmt.Errorf("receive: %w", err))
			c.mu.Unlock()
			return
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		c.do(func(out *output) { c.caller.receive(time.Now(), packet[:n], from, out) })
	}
}

// do tells the caller something, and sends what there is to say.
func (c *Client) do(tell func(out *output)) {
	out := c.outputs.Get().(*output)
	defer c.outputs.Put(out)
	out.reset()
	c.mu.Lock()
	tell(out)
	c.mu.Unlock()
	out.each(func(b []byte, to netip.AddrPort, _ path) {
		if c.conn.write(b, to, netip.Addr{}) != nil {
			// The error may be of a packet before. Whether this one arrives is
			// found out: it is sent again.
			c.refused()
			_ = c.conn.write(b, to, netip.Addr{})
		}
	})
}

// refused ends the calls of servers of which their hosts say that they are not
// there, and reports whether there are any.
func (c *Client) refused() bool {
	closed := c.conn.closedPorts()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, server := range closed {
		c.caller.refused(server)
	}
	return len(closed) > 0
}

// Call calls an operation of the server at an address, and returns the stub of
// the response and its data representation. The stub of the request is
// little-endian. An error is a *Fault, a *Reject, wraps ErrNoAnswer, ErrRefused
// or ErrRestarted, or is ctx's.
//
// Of flags, Maybe, Idempotent and Broadcast count: without one the call is
// executed at most once, by a server that asks back. A call that is Maybe has
// no response: Call returns when it is sent.
func (c *Client) Call(ctx context.Context, to netip.AddrPort, iface dcerpc.SyntaxID, opnum uint16, stub []byte, flags ncadg.Flags1) ([]byte, dcerpc.DataRep, error) {
	flags &= ncadg.Maybe | ncadg.Idempotent | ncadg.Broadcast
	if flags&(ncadg.Maybe|ncadg.Broadcast) != 0 && len(stub) > ncadg.MaxBody {
		return nil, dcerpc.DataRep{}, fmt.Errorf("%d bytes in a call of one packet, which has room for %d", len(stub), ncadg.MaxBody)
	}
	if err := ctx.Err(); err != nil {
		return nil, dcerpc.DataRep{}, err
	}
	var v *conversation
	var err error
	c.do(func(out *output) {
		if c.closed {
			err = net.ErrClosed
			return
		}
		v = c.caller.call(time.Now(), to, iface, opnum, stub, flags, out)
	})
	if err != nil {
		return nil, dcerpc.DataRep{}, err
	}
	if flags&ncadg.Maybe != 0 {
		return nil, dcerpc.DataRep{}, nil
	}
	timer := time.NewTimer(c.cfg.Retry)
	defer timer.Stop()
	for {
		select {
		case <-v.ended:
			return c.take(v)
		case <-timer.C:
			c.do(func(out *output) {
				timer.Reset(c.caller.timeout(time.Now(), v, out))
			})
		case <-ctx.Done():
			c.do(func(out *output) { c.caller.cancel(v, ctx.Err(), out) })
		}
	}
}

// take returns what came of a call.
func (c *Client) take(v *conversation) ([]byte, dcerpc.DataRep, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	owed := len(c.caller.owed)
	response, rep, err := c.caller.take(time.Now(), v)
	if owed == 0 && len(c.caller.owed) > 0 {
		c.acks.Reset(ackAfter)
	}
	return response, rep, err
}
