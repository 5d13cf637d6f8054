package listener

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/internal/oem"
	"github.com/messngr/messngr/internal/udp"
	"github.com/messngr/messngr/mailslot"
	"github.com/messngr/messngr/mailslot/browse"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbdgm"
)

// datagramBuffer is how many bytes may wait in the socket: about 10,000
// messages, those of a moment in which this process does not run.
const datagramBuffer = 8 << 20

// MailslotConfig is what a mailslot listener is told. The functions must be
// set, but for Announced.
type MailslotConfig struct {
	// Deliver takes messages through the one door: all of them, or none when
	// it returns an error. It says how many were copies of messages that had
	// come before. One goroutine calls it.
	Deliver func(context.Context, ...*messngr.Message) (copies int, err error)
	// Check returns nil for the sources that are served.
	Check func(netip.Addr) error
	// Owned reports whether datagrams to a name are for us: a name of our own,
	// a group that we are in, or the name that stands for everybody.
	Owned func(netbios.Name) bool
	// Page returns the code page of what a sender writes; from are the bytes
	// of its name.
	Page func(addr netip.Addr, from []byte) *oem.Page
	// Announced gets what hosts say of themselves in \MAILSLOT\BROWSE, and the
	// name that they said it to. The announcement is valid until it returns.
	// If it is nil nobody does.
	Announced func(from netip.Addr, to netbios.Name, a browse.Announcement)

	// MaxText bounds the text of a message, in bytes of UTF-8 after expansion.
	MaxText int
	// MaxWaiting bounds the messages that wait for the store. What comes when
	// so many wait is not taken: nobody waits for an answer to a datagram.
	MaxWaiting int

	Log *slog.Logger
}

// mailslotStats counts what a mailslot listener has seen.
type mailslotStats struct {
	datagrams      atomic.Int64 // packets that came
	messages       atomic.Int64 // messages that are durable
	copies         atomic.Int64 // messages that had come before, another way
	announcements  atomic.Int64 // of hosts, in \MAILSLOT\BROWSE
	otherMailslots atomic.Int64 // writes to other mailslots
	errors         atomic.Int64 // packets that say that something could not be delivered
	otherPackets   atomic.Int64 // questions to a distribution server, and its answers
	refusedSource  atomic.Int64 // packets from sources that are not served
	refusedName    atomic.Int64 // datagrams to names that are not ours
	tooLong        atomic.Int64 // messages past a limit of length
	noRoom         atomic.Int64 // messages that came while too many waited
	notStored      atomic.Int64 // messages that could not be made durable

	// What does not parse: packets, and in them writes to mailslots, messages
	// and announcements.
	malformed, badWrite, badMessage, badAnnouncement atomic.Int64
}

// A Mailslot is a listener for messages that are written to \MAILSLOT\MESSNGR,
// in datagrams (UDP 138): [MS-MSRP] 2.1.2. Nothing is ever answered, but that a
// name is not here, and that only where this host alone was asked.
type Mailslot struct {
	cfg   MailslotConfig
	conn  *udp.Conn
	ready chan struct{}
	stats mailslotStats
	drops [len(nbdgm.Counters{})]atomic.Int64 // fragments, by nbdgm.Reason

	// Of the one goroutine that receives.
	fragments nbdgm.Reassembler
	out       []byte

	queue
}

// NewMailslot returns a listener that receives on conn, which Run closes.
func NewMailslot(conn *net.UDPConn, cfg MailslotConfig) *Mailslot {
	MakeRoom(conn)
	tellDestination(conn)
	return &Mailslot{cfg: cfg, conn: udp.New(conn), ready: make(chan struct{}), queue: newQueue(cfg.MaxWaiting)}
}

// MakeRoom gives a socket the room that a Mailslot's has, as far as the system
// allows it.
func MakeRoom(conn *net.UDPConn) { makeRoom(conn, datagramBuffer) }

// String names the listener in logs.
func (s *Mailslot) String() string { return "mailslot " + s.conn.LocalAddr().String() }

// Ready is closed when the listener receives.
func (s *Mailslot) Ready() <-chan struct{} { return s.ready }

// Counters returns what the listener has counted, by name.
func (s *Mailslot) Counters() map[string]int64 {
	all := map[string]int64{
		"datagrams":       s.stats.datagrams.Load(),
		"datagram_errors": s.stats.errors.Load(),
		"messages":        s.stats.messages.Load(),
		"copies":          s.stats.copies.Load(),
		"announcements":   s.stats.announcements.Load(),
		"other_mailslots": s.stats.otherMailslots.Load(),
		"other_packets":   s.stats.otherPackets.Load(),
		"refused_source":  s.stats.refusedSource.Load(),
		"refused_name":    s.stats.refusedName.Load(),
		"too_long":        s.stats.tooLong.Load(),
		"no_room":         s.stats.noRoom.Load(),
		"not_stored":      s.stats.notStored.Load(),

		"malformed":              s.stats.malformed.Load(),
		"malformed_write":        s.stats.badWrite.Load(),
		"malformed_message":      s.stats.badMessage.Load(),
		"malformed_announcement": s.stats.badAnnouncement.Load(),
	}
	for why := range s.drops {
		if n := s.drops[why].Load(); n > 0 {
			all["fragments_"+strings.ReplaceAll(nbdgm.Reason(why).String(), " ", "_")] = n
		}
	}
	if n, ok := socketDrops(s.conn.UDPConn); ok {
		all["lost_at_socket"] = n
	}
	return all
}

// Run receives until ctx is done or the socket fails, and delivers what has been
// taken until then.
func (s *Mailslot) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { s.conn.Close() })
	defer stop()
	delivered := make(chan struct{})
	go func() {
		defer close(delivered)
		for range s.news {
			s.deliver(context.WithoutCancel(ctx))
		}
	}()
	close(s.ready)
	err := s.receive()
	close(s.news) // one that is in it is still received
	<-delivered
	if ctx.Err() != nil {
		return nil
	}
	s.conn.Close()
	return err
}

// receive handles packets until the socket is closed.
func (s *Mailslot) receive() error {
	packet, control := make([]byte, 1<<16), make([]byte, controlSize)
	for {
		n, from, toAll, err := receiveFrom(s.conn.UDPConn, packet, control)
		if err != nil {
			return err
		}
		s.stats.datagrams.Add(1)
		s.packet(packet[:n], netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), toAll, time.Now())
	}
}

// packet takes one packet. toAll says that it went to a whole network.
func (s *Mailslot) packet(b []byte, from netip.AddrPort, toAll bool, now time.Time) {
	if err := s.cfg.Check(from.Addr()); err != nil {
		s.stats.refusedSource.Add(1)
		return
	}
	p, err := nbdgm.Parse(b)
	if err != nil {
		s.stats.malformed.Add(1)
		return
	}
	switch {
	case p.Type == nbdgm.DatagramError:
		s.stats.errors.Add(1)
		return
	case !p.Type.IsDatagram():
		s.stats.otherPackets.Add(1)
		return
	}
	p, whole := s.fragments.Add(p, from.Addr(), now)
	s.countDrops()
	if !whole {
		return
	}
	w, err := mailslot.ParseWrite(p.Data)
	if err != nil {
		s.stats.badWrite.Add(1)
		return
	}
	switch {
	case mailslot.Is(w.Name, mailslot.Messenger):
		s.message(p, w.Data, from, toAll, now)
	case mailslot.Is(w.Name, mailslot.Browser):
		s.announcement(p, w.Data, from.Addr())
	default:
		s.stats.otherMailslots.Add(1)
	}
}

// countDrops copies the counters of the fragments to where others may read them.
func (s *Mailslot) countDrops() {
	for why, n := range s.fragments.Dropped() {
		if n > 0 {
			s.drops[why].Store(int64(n))
		}
	}
}

// announcement passes on what a host says of itself.
func (s *Mailslot) announcement(p nbdgm.Packet, data []byte, from netip.Addr) {
	a, err := browse.Parse(data)
	other := browse.NotAnnouncementError(0)
	switch {
	case errors.As(err, &other): // elections and questions are for browsers
		s.stats.otherMailslots.Add(1)
	case err != nil:
		s.stats.badAnnouncement.Add(1)
	default:
		s.stats.announcements.Add(1)
		if s.cfg.Announced != nil && p.DestinationScope == "" {
			s.cfg.Announced(from, p.DestinationName, a)
		}
	}
}

// message takes a message: it waits to be delivered with others.
func (s *Mailslot) message(p nbdgm.Packet, data []byte, from netip.AddrPort, toAll bool, now time.Time) {
	if p.DestinationScope != "" || !s.cfg.Owned(p.DestinationName) {
		s.stats.refusedName.Add(1)
		// To a packet that reached a whole network, all of its hosts would answer.
		if p.Type == nbdgm.DirectUnique && !toAll {
			s.refuse(p, from)
		}
		return
	}
	said, err := mailslot.ParseMessage(data)
	if err != nil {
		s.stats.badMessage.Add(1)
		return
	}
	page := s.cfg.Page(from.Addr(), said.From)
	text, err := page.DecodeText(said.Text, s.cfg.MaxText)
	if err != nil || len(said.From) > maxName || len(said.To) > maxName {
		s.stats.tooLong.Add(1)
		return
	}
	m := &messngr.Message{
		ID:   messngr.NewID(now),
		From: page.DecodeName(said.From), To: page.DecodeName(said.To), Text: text,
		Priority: messngr.Normal,
		Sent:     now, Received: now,
		Source: messngr.Source{
			Transport: messngr.Mailslot, Addr: from,
			Called: p.DestinationName.String(), Calling: p.SourceName.String(),
		},
		Provenance: messngr.Claimed,
	}
	if !s.put(m) {
		s.stats.noRoom.Add(1)
	}
}

// deliver delivers all that waits.
func (s *Mailslot) deliver(ctx context.Context) {
	for {
		together := s.take()
		if len(together) == 0 {
			return
		}
		copies, err := s.cfg.Deliver(ctx, together...)
		if err != nil {
			s.stats.notStored.Add(int64(len(together)))
			continue
		}
		s.stats.messages.Add(int64(len(together) - copies))
		s.stats.copies.Add(int64(copies))
	}
}

// refuse tells the sender of a datagram to one host that its name is not here:
// RFC 1002 5.3.3. It goes where the packet came from, whatever that says of
// itself.
func (s *Mailslot) refuse(p nbdgm.Packet, from netip.AddrPort) {
	local := s.conn.LocalAddr().(*net.UDPAddr).AddrPort()
	own := local.Addr().Unmap()
	if !own.Is4() || own.IsUnspecified() {
		own = netip.IPv4Unspecified()
	}
	var err error
	s.out, err = nbdgm.Packet{
		Type: nbdgm.DatagramError, Flags: nbdgm.First, ID: p.ID,
		Source:    netip.AddrPortFrom(own, local.Port()),
		ErrorCode: nbdgm.DestinationNotPresent,
	}.AppendBinary(s.out[:0])
	if err == nil {
		// Whether it arrives is nothing to us.
		_, _ = s.conn.WriteToUDPAddrPort(s.out, from)
	}
}
