package listener

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/internal/conns"
	"github.com/messngr/messngr/internal/oem"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbss"
	"github.com/messngr/messngr/smb"
)

// maxPacket is the largest session packet that is taken: the header of a
// message, its one word and the 65,535 bytes of ByteCount, rounded up for
// senders that pad.
const maxPacket = 1<<16 + 64

// maxName is the most bytes of a name that are taken. smbclient sends what the
// user typed, which may be longer than a NetBIOS name.
const maxName = 255

// maxKept is the most room in bytes that a connection keeps from one message
// for the text of the next.
const maxKept = 8 << 10

// maxResponse is the size of the largest response in bytes: that to a start.
const maxResponse = nbss.HeaderSize + smb.HeaderSize + 5

// writeTimeout is the time that a peer has to take a response, half of it at
// the least. It is short because a connection that has a message to answer
// keeps its place. The peer's system takes responses for it, unless it has left
// very many unread.
const writeTimeout = 4 * time.Second

// What goes wrong with a message beside what a package says of its bytes.
var (
	errEnd      = errors.New("end of connection") // nothing to say of it
	errHeld     = errors.New("too many bytes of unfinished messages over all connections")
	errNoGroup  = fmt.Errorf("%w: a block or an end without its start", smb.ErrInvalid) // ERRDOS/87, as smbd answers
	errLongName = fmt.Errorf("%w: a name of more than %d bytes", smb.ErrInvalid, maxName)
)

// A conn is one connection of an SMB listener.
type conn struct {
	*conns.Conn // in use while a message is delivered and answered; it holds the group's text, as counted in smb.held
	smb         *SMB
	in          *nbss.Reader
	out         []byte // the response being written

	called, calling string    // of the session request, as text
	readDeadline    time.Time // as set on Conn
	writeDeadline   time.Time // as set on Conn
	group           group
	lastGroup       uint16
}

// A group is a multi-block message that has started and not ended.
type group struct {
	open     bool
	id       uint16
	page     *oem.Page
	from, to string
	text     []byte // as it came; a block's end may be inside a character
	started  time.Time
}

func newConn(s *SMB, nc *conns.Conn) *conn {
	c := &conn{Conn: nc, smb: s, in: s.readers.Get().(*nbss.Reader), out: make([]byte, 0, maxResponse)}
	c.in.Reset(nc)
	return c
}

// free gives back what the connection holds.
func (c *conn) free() {
	c.dropGroup()
	c.in.Reset(nil)
	c.smb.readers.Put(c.in)
}

// serve reads packets and answers them until the connection ends.
func (c *conn) serve(ctx context.Context) {
	for {
		c.extendDeadline()
		if c.Ended() {
			return
		}
		if c.in.Buffered() == 0 {
			c.in.Reset(c.Conn) // gives up the room of a big packet
		}
		p, err := c.in.Next()
		if err != nil {
			c.note(err)
			return
		}
		if err := c.packet(ctx, p); err != nil {
			c.note(err)
			return
		}
	}
}

// extendDeadline gives the peer IdleTimeout for its next packet, and no more
// than is left of MessageTimeout when it has a message to end. To set a
// deadline is not free, so a later one is set when a tenth of the time has gone.
func (c *conn) extendDeadline() {
	idle := c.smb.cfg.IdleTimeout
	want := time.Now().Add(idle)
	if c.group.open {
		if last := c.group.started.Add(c.smb.cfg.MessageTimeout); last.Before(want) {
			want = last
		}
	}
	if later := want.Sub(c.readDeadline); later > idle/10 || later < 0 {
		c.readDeadline = want
		c.SetReadDeadline(want)
	}
}

// note counts why a connection ended.
func (c *conn) note(err error) {
	stats := &c.smb.stats
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, errEnd) || c.Ended():
		return
	case errors.Is(err, os.ErrDeadlineExceeded):
		stats.tooSlow.Add(1)
	case errors.Is(err, nbss.ErrInvalid) || errors.Is(err, netbios.ErrInvalid) || errors.Is(err, smb.ErrInvalid) || errors.Is(err, io.ErrUnexpectedEOF):
		stats.malformed.Add(1)
	}
	c.smb.cfg.Log.Debug("connection ended", "from", c.Remote, "error", err)
}

// packet acts on one session packet. An error ends the connection.
func (c *conn) packet(ctx context.Context, p nbss.Packet) error {
	switch p.Type {
	case nbss.SessionRequest:
		return c.sessionRequest(p.Trailer)
	case nbss.SessionMessage:
		// Deliberately lax: RFC 1002 4.3 wants a session request first.
		// smbclient leaves it out when it is told to use another port than 139.
		return c.message(ctx, p.Trailer)
	case nbss.KeepAlive:
		return nil // "the receiver of a keepalive discards it": RFC 1002 5.2.2
	}
	// A caller has no business sending responses.
	return nbss.ErrInvalid
}

// sessionRequest answers a session request: RFC 1002 5.2.1.
func (c *conn) sessionRequest(trailer []byte) error {
	q, err := nbss.ParseRequest(trailer)
	if err != nil {
		c.write(nbss.AppendNegative(c.out[:0], nbss.CalledNameNotPresent))
		return err
	}
	if c.called != "" { // a session has begun already
		return nbss.ErrInvalid
	}
	if !c.smb.cfg.Owned(q.Called) {
		c.smb.stats.refusedName.Add(1)
		c.smb.cfg.Log.Debug("called name is not ours", "from", c.Remote, "called", q.Called)
		c.write(nbss.AppendNegative(c.out[:0], nbss.CalledNameNotPresent))
		return errEnd
	}
	c.called, c.calling = q.Called.String(), q.Calling.String()
	b, _ := nbss.AppendHeader(c.out[:0], nbss.PositiveResponse, 0)
	return c.write(b)
}

// message acts on one SMB message and answers it.
func (c *conn) message(ctx context.Context, b []byte) error {
	h, body, err := smb.ParseHeader(b)
	if err != nil {
		return err
	}
	switch h.Command {
	case smb.SendMessage:
		err = c.singleBlock(ctx, body)
	case smb.SendStartMessage:
		var id uint16
		if id, err = c.startGroup(body); err == nil {
			return c.respond(h, smb.Error{}, &id)
		}
	case smb.SendTextMessage:
		err = c.addText(body)
	case smb.SendEndMessage:
		err = c.endGroup(ctx, body)
	default:
		err = smb.ErrBadCommand
	}
	if errors.Is(err, errEnd) {
		return err
	}
	err = c.respond(h, c.errorCode(h.Command, err), nil)
	c.Done()
	return err
}

// errorCode counts err and returns the code that tells the sender of it.
func (c *conn) errorCode(command smb.Command, err error) smb.Error {
	if err == nil {
		return smb.Error{}
	}
	if errors.Is(err, messngr.ErrPaused) {
		c.smb.stats.paused.Add(1)
		return smb.ErrPaused
	}
	c.smb.cfg.Log.Debug("message refused", "from", c.Remote, "command", command, "error", err)
	stats := &c.smb.stats
	switch {
	case errors.Is(err, smb.ErrBadCommand):
		stats.refusedCommand.Add(1)
		return smb.ErrBadCommand
	case errors.Is(err, oem.ErrTooLong) || errors.Is(err, errHeld):
		stats.tooLong.Add(1)
		return smb.ErrNoRoom
	case errors.Is(err, messngr.ErrRefused):
		stats.refusedSource.Add(1)
		return smb.ErrAccess
	case errors.Is(err, smb.ErrInvalid) || errors.Is(err, io.ErrUnexpectedEOF):
		stats.malformed.Add(1)
		return smb.ErrInvalidParameter
	}
	stats.notStored.Add(1)
	return smb.ErrNoRoom // [MS-MSRP] 3.2.4.5: cannot buffer
}

// respond writes the response to h: e, and the group id if there is one.
func (c *conn) respond(h smb.Header, e smb.Error, group *uint16) error {
	b := append(c.out[:0], make([]byte, nbss.HeaderSize)...)
	b, _ = h.Response(e).AppendBinary(b)
	if group != nil {
		b, _ = smb.StartResponse{GroupID: *group}.AppendBinary(b)
	} else {
		b = smb.AppendEmpty(b)
	}
	nbss.AppendHeader(b[:0], nbss.SessionMessage, len(b)-nbss.HeaderSize)
	return c.write(b)
}

// write sends b, whose room is kept for the next response.
func (c *conn) write(b []byte) error {
	c.out = b
	if now := time.Now(); c.writeDeadline.Sub(now) < writeTimeout/2 {
		c.writeDeadline = now.Add(writeTimeout)
		c.SetWriteDeadline(c.writeDeadline)
	}
	_, err := c.Write(b)
	return err
}

// singleBlock takes a whole message: [MS-MSRP] 2.2.3.1.
func (c *conn) singleBlock(ctx context.Context, body []byte) error {
	m, err := smb.ParseSingleBlock(body)
	if err != nil {
		return err
	}
	page, from, to, err := c.names(m.From, m.To)
	if err != nil {
		return err
	}
	return c.deliver(ctx, page, from, to, m.Text)
}

// startGroup begins a multi-block message. As with smbd, one that has begun and
// not ended is forgotten: a session carries one message at a time.
func (c *conn) startGroup(body []byte) (id uint16, err error) {
	c.dropGroup()
	m, err := smb.ParseStart(body)
	if err != nil {
		return 0, err
	}
	page, from, to, err := c.names(m.From, m.To)
	if err != nil {
		return 0, err
	}
	if c.lastGroup++; c.lastGroup == 0 {
		c.lastGroup = 1 // 0 is what senders give that keep no id
	}
	c.group = group{open: true, id: c.lastGroup, page: page, from: from, to: to, text: c.group.text[:0], started: time.Now()}
	return c.group.id, nil
}

// addText takes a block of a multi-block message. The message of a block that
// is not taken is forgotten, so that it is not delivered with a hole.
func (c *conn) addText(body []byte) error {
	m, err := smb.ParseText(body)
	if err != nil {
		c.dropGroup()
		return err
	}
	if err := c.checkGroup(m.GroupID); err != nil {
		return err
	}
	// Two bytes, CR LF, may become one, or none at the end; more than twice the
	// limit and those cannot fit.
	if len(c.group.text)+len(m.Text) > 2*c.smb.cfg.MaxText+2 {
		c.dropGroup()
		return oem.ErrTooLong
	}
	if !c.hold(len(m.Text)) {
		c.dropGroup()
		return errHeld
	}
	c.group.text = append(c.group.text, m.Text...)
	return nil
}

// endGroup ends a multi-block message and delivers it.
func (c *conn) endGroup(ctx context.Context, body []byte) error {
	m, err := smb.ParseEnd(body)
	if err != nil {
		return err
	}
	if err := c.checkGroup(m.GroupID); err != nil {
		return err
	}
	defer c.dropGroup()
	return c.deliver(ctx, c.group.page, c.group.from, c.group.to, c.group.text)
}

// checkGroup returns nil when id is the group that has begun.
//
// Deliberately lax: 0 also means that group, because smbclient gives 0 to a
// server whose response it found no id in.
func (c *conn) checkGroup(id uint16) error {
	if !c.group.open || id != c.group.id && id != 0 {
		return errNoGroup
	}
	return nil
}

// hold counts n more bytes of the unfinished message. Past MaxHeld, the
// largest of all unfinished messages makes room; hold reports false when that
// is this one.
func (c *conn) hold(n int) bool {
	c.Held.Add(int64(n))
	held := c.smb.held.Add(int64(n))
	for held > int64(c.smb.cfg.MaxHeld) {
		victim := c.smb.conns.EvictLarger(c.Conn)
		if victim == nil {
			return false
		}
		held = c.smb.held.Add(-victim.Held.Swap(0))
		c.smb.stats.evicted.Add(1)
		c.smb.cfg.Log.Debug("connection closed to make room for another's message", "from", victim.Remote, "for", c.Remote)
	}
	return true
}

// dropGroup forgets the message that has begun, if there is one.
func (c *conn) dropGroup() {
	c.smb.held.Add(-c.Held.Swap(0))
	text := c.group.text[:0]
	if cap(text) > maxKept {
		text = nil
	}
	c.group = group{text: text}
}

// names decodes the names of a message and returns the page in which its text
// is written.
func (c *conn) names(from, to []byte) (page *oem.Page, f, t string, err error) {
	if len(from) > maxName || len(to) > maxName {
		return nil, "", "", errLongName
	}
	page = c.smb.cfg.Page(c.Remote.Addr(), from)
	return page, page.DecodeName(from), page.DecodeName(to), nil
}

// deliver gives a message to the one door. The connection is busy until the
// sender has its answer.
func (c *conn) deliver(ctx context.Context, page *oem.Page, from, to string, raw []byte) error {
	text, err := page.DecodeText(raw, c.smb.cfg.MaxText)
	if err != nil {
		return err
	}
	now := time.Now()
	m := &messngr.Message{
		ID:   messngr.NewID(now),
		From: from, To: to, Text: text,
		Priority: messngr.Normal,
		Sent:     now, Received: now,
		Source: messngr.Source{
			Transport: messngr.SMB, Addr: c.Remote,
			Called: c.called, Calling: c.calling,
		},
		Provenance: messngr.Claimed,
	}
	if !c.Use() {
		return errEnd
	}
	if err := c.smb.cfg.Deliver(ctx, m); err != nil {
		return err
	}
	c.smb.stats.messages.Add(1)
	return nil
}
