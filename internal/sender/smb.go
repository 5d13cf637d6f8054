package sender

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/internal/resolver"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbss"
	"github.com/messngr/messngr/smb"
)

const (
	// maxRetargets bounds how often a session is sent on: RFC 1002 4.3.5.
	maxRetargets = 3
	// maxResponse is the largest response that is read, in bytes.
	maxResponse = 4096
	// storeTimeout is the least time that a recipient has to answer the end of
	// a message: smbd answers when its message command has returned.
	storeTimeout = 30 * time.Second
)

// sendSMB calls the recipient on a NetBIOS session and sends m: [MS-MSRP]
// 3.2.4.4.
func (s *Sender) sendSMB(ctx context.Context, to resolver.Found, m encoded, del *messngr.Delivery) error {
	if n := len(m.text); s.cfg.SingleBlock && n > smb.BlockSize {
		return fmt.Errorf("the text has %d bytes, a single block carries %d: leave --single-block out; nothing was sent", n, smb.BlockSize)
	}
	c, err := s.connect(ctx, to, del)
	if err != nil {
		return unsent(err)
	}
	defer c.close()
	del.Addr = c.nc.RemoteAddr().(*net.TCPAddr).AddrPort() // it may have been retargeted
	if s.cfg.SingleBlock {
		return c.sendSingleBlock(ctx, m)
	}
	return c.sendBlocks(ctx, m)
}

// connect begins a session with the recipient, under the name that it has.
//
// A name that was found as such is called, and no other: its host knows it. An
// address is asked for the name of its messenger. A host of the DNS may have
// any NetBIOS name, so its own is tried first. When the name is not to be had,
// *SMBSERVER is called, which servers answer to.
func (s *Sender) connect(ctx context.Context, to resolver.Found, del *messngr.Delivery) (*call, error) {
	addr := netip.AddrPortFrom(to.Addr, s.cfg.Port)
	try := func(called netbios.Name) (*call, error) {
		del.Called = called.String()
		return s.call(ctx, addr, called)
	}
	if to.From != resolver.FromAddress {
		c, err := try(to.Name)
		if err == nil || to.From != resolver.FromDNS || !errors.Is(err, nbss.CalledNameNotPresent) {
			return c, err
		}
	}
	if status, err := s.cfg.Resolver.NodeStatus(ctx, to.Addr); err == nil {
		if name, ok := resolver.MessengerName(status); ok && name != to.Name {
			return try(name)
		}
	}
	return try(netbios.SMBServer)
}

// A call is a session with a recipient.
type call struct {
	nc      net.Conn
	in      *nbss.Reader
	out     []byte
	timeout time.Duration
	close   func()
}

// newCall returns a call on nc, which ends with ctx.
func newCall(ctx context.Context, nc net.Conn, timeout time.Duration) *call {
	stop := context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) })
	return &call{
		nc: nc, in: nbss.NewReader(nc, maxResponse), timeout: timeout,
		close: func() {
			stop()
			nc.Close()
		},
	}
}

// call connects to addr and begins a session with the called name: RFC 1002
// 5.2.1. It follows retarget responses.
func (s *Sender) call(ctx context.Context, addr netip.AddrPort, called netbios.Name) (*call, error) {
	calling, err := encodeName(s.cfg.Page(netip.Addr{}), s.cfg.Computer)
	if err != nil {
		return nil, fmt.Errorf("the computer name: %w", err)
	}
	request, err := nbss.Request{Called: called, Calling: calling}.AppendBinary(nil)
	if err != nil {
		return nil, err
	}
	for range 1 + maxRetargets {
		dialer := net.Dialer{Timeout: s.cfg.Timeout}
		nc, err := dialer.DialContext(ctx, "tcp", addr.String())
		if err != nil {
			return nil, dialFailure(addr, err)
		}
		c := newCall(ctx, nc, s.cfg.Timeout)
		p, err := c.exchange(ctx, request, c.timeout)
		if err == nil && p.Type == nbss.PositiveResponse {
			return c, nil
		}
		c.close()
		if err != nil {
			return nil, exchangeFailure(sessionRequest, err)
		}
		if addr, err = refused(p, addr, called); err != nil {
			return nil, err
		}
	}
	return nil, failed(messngr.NERRNetworkError, "the session was sent on more than %d times, last to %v", maxRetargets, addr)
}

// refused returns where a retarget response leads, or why a session was
// refused.
func refused(p nbss.Packet, addr netip.AddrPort, called netbios.Name) (netip.AddrPort, error) {
	switch p.Type {
	case nbss.RetargetResponse:
		r, err := nbss.ParseRetarget(p.Trailer)
		if err != nil {
			return addr, failed(messngr.NERRNetworkError, "%v: %w", addr, err)
		}
		return r.Addr, nil
	case nbss.NegativeResponse:
		code, err := nbss.ParseNegative(p.Trailer)
		if err != nil {
			return addr, failed(messngr.NERRNetworkError, "%v: %w", addr, err)
		}
		if code == nbss.InsufficientResources {
			return addr, failed(messngr.NERRBadReceive, "%v takes no more sessions for %v now: %w", addr, called, code)
		}
		return addr, failed(messngr.NERRNameNotFound, "%v answers, but not as %v: %w", addr, called, code)
	}
	return addr, failed(messngr.NERRNetworkError, "%v answered the session request with a %v", addr, p.Type)
}

// sendSingleBlock sends the whole message in one block.
func (c *call) sendSingleBlock(ctx context.Context, m encoded) error {
	body, err := smb.SingleBlock{From: m.from, To: m.to, Text: m.text}.AppendBinary(nil)
	if err != nil {
		return err
	}
	_, err = c.command(ctx, smb.SendMessage, body, max(c.timeout, storeTimeout))
	return err
}

// sendBlocks sends start, text blocks and end, "the next block only after the
// response to the last".
func (c *call) sendBlocks(ctx context.Context, m encoded) error {
	body, err := smb.Start{From: m.from, To: m.to}.AppendBinary(nil)
	if err != nil {
		return err
	}
	response, err := c.command(ctx, smb.SendStartMessage, body, c.timeout)
	switch {
	case errors.Is(err, smb.ErrPaused), errors.Is(err, smb.ErrNoRoom):
		return err // it would say the same to any other
	case err != nil:
		return unsent(err)
	}
	group, err := smb.ParseStartResponse(response)
	if err != nil {
		return failed(messngr.NERRNetworkError, "%w", err)
	}
	text := m.text
	if group.NoGroupID {
		// Only smbd gives no id, and it hands 0x14 through as it is.
		text = m.crlf
	}
	for len(text) > 0 {
		n := min(len(text), smb.BlockSize)
		if body, err = (smb.Text{GroupID: group.GroupID, Text: text[:n]}).AppendBinary(body[:0]); err != nil {
			return err
		}
		if _, err := c.command(ctx, smb.SendTextMessage, body, c.timeout); err != nil {
			return err
		}
		text = text[n:]
	}
	if body, err = (smb.End{GroupID: group.GroupID}).AppendBinary(body[:0]); err != nil {
		return err
	}
	_, err = c.command(ctx, smb.SendEndMessage, body, max(c.timeout, storeTimeout))
	return err
}

// command sends one command and returns the body of the response to it, when
// that is success. The body is valid until the next command.
func (c *call) command(ctx context.Context, command smb.Command, body []byte, timeout time.Duration) ([]byte, error) {
	c.out, _ = nbss.AppendHeader(c.out[:0], nbss.SessionMessage, smb.HeaderSize+len(body)) // blocks are small
	c.out, _ = smb.Header{Command: command}.AppendBinary(c.out)
	c.out = append(c.out, body...)
	p, err := c.exchange(ctx, c.out, timeout)
	if err != nil {
		return nil, exchangeFailure(command.String(), err)
	}
	h, response, err := smb.ParseHeader(p.Trailer)
	switch {
	case p.Type != nbss.SessionMessage:
		return nil, failed(messngr.NERRNetworkError, "%v was answered with a %v", command, p.Type)
	case err != nil:
		return nil, failed(messngr.NERRNetworkError, "%v was answered with %w", command, err)
	case h.Command != command || h.Flags&smb.Reply == 0:
		return nil, failed(messngr.NERRNetworkError, "%v was answered with another message, %v", command, h.Command)
	}
	if err := h.Err(); err != nil {
		return nil, statusFailure(command, err)
	}
	return response, nil
}

// exchange sends a packet and returns the next that is no keepalive.
func (c *call) exchange(ctx context.Context, packet []byte, timeout time.Duration) (nbss.Packet, error) {
	c.nc.SetDeadline(time.Now().Add(timeout))
	if err := ctx.Err(); err != nil {
		return nbss.Packet{}, err // the line above may have undone its deadline
	}
	if _, err := c.nc.Write(packet); err != nil {
		return nbss.Packet{}, err
	}
	for {
		p, err := c.in.Next()
		if err != nil || p.Type != nbss.KeepAlive {
			return p, err
		}
	}
}

// dialFailure says why there is no connection.
func dialFailure(addr netip.AddrPort, err error) error {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return failed(messngr.NERRNameNotFound, "%v refuses TCP port %d: neither a Messenger Service nor Samba listens there", addr.Addr(), addr.Port())
	}
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		err = op.Err
	}
	return failed(messngr.NERRNetworkError, "cannot connect to %v: %w", addr, err)
}

// sessionRequest is the first thing that is sent.
const sessionRequest = "the session request"

// exchangeFailure says why what was sent was not answered. Before a session
// nobody closes but who does not serve the caller.
func exchangeFailure(what string, err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return failed(messngr.NERRBadReceive, "the recipient did not answer %s in time", what)
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE):
		if what == sessionRequest {
			return failed(messngr.NERRBadReceive, "the recipient closed the connection on %s: it does not serve this computer's network; Messngr serves those in its [guard] networks", what)
		}
		return failed(messngr.NERRBadReceive, "the recipient closed the connection on %s; Samba does so unless its smb.conf has \"server min protocol = NT1\"", what)
	}
	return failed(messngr.NERRNetworkError, "%s: %w", what, err)
}

// statusFailure says what a response that is no success means.
func statusFailure(command smb.Command, err error) error {
	switch {
	case errors.Is(err, smb.ErrPaused):
		return failed(messngr.NERRPausedRemote, "%v: %w", command, err)
	case errors.Is(err, smb.ErrNotAccepted), errors.Is(err, smb.ErrMessagesOff):
		return failed(messngr.NERRBadReceive, "%v: %w; Samba answers so unless its smb.conf has a \"message command\"", command, err)
	}
	return failed(messngr.NERRBadReceive, "%v: %w", command, err)
}
