package sender

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"github.com/messngr/messngr/internal/links"
	"github.com/messngr/messngr/internal/oem"
	"github.com/messngr/messngr/mailslot"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbdgm"
)

// datagramPort is that of the datagram service: RFC 1002 4.4.
const datagramPort = 138

// A Cast is what became of a message to a workgroup. Mailslots are not answered:
// it says where the message went, and who could be seen there, and not who has
// it.
type Cast struct {
	Workgroup string
	Networks  []string     // on which it was broadcast, such as "eth0 (10.77.0.255)"
	Members   []netip.Addr // of other networks, that a name server knows
	Stations  []Station    // that could be seen
	Failed    []string     // where it could not be sent, and why
	CodePage  int          // in which the text went
	Lost      int          // characters that the code page does not have, sent as '?'
	Cut       int          // bytes of the text that were cut off
	At        time.Time
}

// Cast sends a message to everybody in a workgroup: by broadcast on every
// network, and to those members elsewhere that name servers know. See [MS-MAIL]
// 3.1.4.1. A text that is too long is refused or, if the caller wants that, cut.
func (s *Sender) Cast(ctx context.Context, workgroup string, d Draft, cut bool) (c Cast, err error) {
	c.Workgroup = workgroup
	defer func() { c.At = time.Now() }()
	page := s.cfg.Page(netip.Addr{}, workgroup)
	c.CodePage = page.Number()
	group, err := encodeGroup(page, workgroup)
	if err != nil {
		return c, err
	}
	data, err := s.encodeCast(page, d, cut, &c)
	if err != nil {
		return c, err
	}
	on, err := links.Read()
	if err != nil {
		return c, err
	}

	// Who is there is found out meanwhile.
	seen := make(chan []Station, 1)
	go func() {
		stations, _ := s.Stations(ctx, workgroup)
		seen <- stations
	}()
	try := func(to string, from, addr netip.Addr) bool {
		err := s.datagram(from, addr, group, data)
		if err != nil {
			c.Failed = append(c.Failed, fmt.Sprintf("%s: %v", to, cause(err)))
		}
		return err == nil
	}
	for _, l := range on {
		if to := fmt.Sprintf("%s (%v)", l.Name, l.Broadcast); l.Broadcast.IsValid() && try(to, l.Addr, l.Broadcast) {
			c.Networks = append(c.Networks, to)
		}
	}
	for _, member := range s.elsewhere(ctx, group, on) {
		if try(member.String(), netip.Addr{}, member) {
			c.Members = append(c.Members, member)
		}
	}
	c.Stations = <-seen
	switch {
	case ctx.Err() != nil:
		return c, ctx.Err()
	case len(c.Networks)+len(c.Members) > 0:
		return c, nil
	case len(c.Failed) > 0:
		return c, fmt.Errorf("nothing was sent: %s", strings.Join(c.Failed, "; "))
	}
	return c, errors.New("this host is on no network on which it could broadcast: nothing was sent")
}

// cause returns what is wrong, without what Go puts before it.
func cause(err error) error {
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		return op.Err
	}
	return err
}

// encodeGroup returns the name of a workgroup: <00>.
func encodeGroup(page *oem.Page, workgroup string) (netbios.Name, error) {
	b, err := page.EncodeName(workgroup)
	if err == nil && len(bytes.TrimSpace(b)) == 0 {
		err = errors.New("it is empty")
	}
	if err != nil {
		return netbios.Name{}, fmt.Errorf("name of the workgroup: %w", err)
	}
	return netbios.NewName(string(b), netbios.Workstation)
}

// encodeCast returns what is written to the mailslot.
func (s *Sender) encodeCast(page *oem.Page, d Draft, cut bool, c *Cast) ([]byte, error) {
	var m mailslot.Message
	from, err := encodeName(page, d.From)
	if err != nil {
		return nil, fmt.Errorf("sender's name: %w", err)
	}
	m.From = []byte(from.Base())
	if m.To, err = page.EncodeName(d.To); err != nil {
		return nil, fmt.Errorf("recipient's name: %w", err)
	}
	m.Text, c.Lost = page.EncodeText(norm.NFC.String(d.Text), oem.TextNewline)
	room := mailslot.MaxMessage - mailslot.Message{From: m.From, To: m.To}.Size()
	if most := s.cfg.MaxCast; most > 0 {
		room = min(room, most)
	}
	if n := len(m.Text); n > room {
		if !cut {
			return nil, fmt.Errorf("the text has %d bytes in code page %d, a message to a workgroup carries %d: send it to single names, or let it be cut with --truncate; nothing was sent", n, page.Number(), room)
		}
		m.Text = page.Cut(m.Text, room)
		c.Cut = n - len(m.Text)
	}
	body, err := m.AppendBinary(nil)
	if err != nil {
		return nil, err
	}
	return mailslot.Write{Name: []byte(mailslot.Messenger), Class: mailslot.Class2, Data: body}.AppendBinary(nil)
}

// datagram sends a datagram to a group at one address: a broadcast address, or
// a member's. from is this host's address there; if it is invalid the system
// chooses it.
func (s *Sender) datagram(from, to netip.Addr, group netbios.Name, data []byte) error {
	var local *net.UDPAddr
	if from.IsValid() {
		local = net.UDPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
	}
	// Go sets SO_BROADCAST on every UDP socket.
	conn, err := net.DialUDP("udp4", local, net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, s.cfg.datagramPort())))
	if err != nil {
		return err
	}
	defer conn.Close()
	self, err := encodeName(s.cfg.Page(netip.Addr{}), s.cfg.Computer)
	if err != nil {
		return fmt.Errorf("the computer name: %w", err)
	}
	p, err := nbdgm.Packet{
		Type: nbdgm.DirectGroup, Flags: nbdgm.First | s.nodeFlags(), ID: uint16(rand.Uint32()),
		Source:     netip.AddrPortFrom(conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap(), datagramPort),
		SourceName: self.WithSuffix(netbios.Workstation), DestinationName: group, Data: data,
	}.AppendBinary(nil)
	if err != nil {
		return err
	}
	_, err = conn.Write(p)
	return err
}

// datagramPort is where the datagrams go: 138, but in tests.
func (c Config) datagramPort() uint16 {
	if c.DatagramPort == 0 {
		return datagramPort
	}
	return c.DatagramPort
}

// nodeFlags returns the type of this node, as datagrams say it.
func (s *Sender) nodeFlags() nbdgm.Flags {
	switch s.cfg.Resolver.Type() {
	case "P":
		return nbdgm.PNode
	case "M":
		return nbdgm.MNode
	case "H":
		return nbdgm.NBDD // as Windows does
	}
	return nbdgm.BNode
}

// elsewhere returns the members of a group that a broadcast does not reach, as
// far as name servers know them: those of an internet group, [MS-MAIL] 3.1.4.1.
// A B node asks no server.
func (s *Sender) elsewhere(ctx context.Context, group netbios.Name, on []links.Link) []netip.Addr {
	if s.cfg.Resolver.Type() == "B" {
		return nil
	}
	var members []netip.Addr
	for _, suffix := range []netbios.Suffix{netbios.Workstation, netbios.DomainController} {
		for _, addr := range s.cfg.Resolver.AtServers(ctx, group.WithSuffix(suffix)) {
			near := slices.ContainsFunc(on, func(l links.Link) bool { return l.Addr == addr || l.Broadcast.IsValid() && l.Prefix.Contains(addr) })
			if !near && !slices.Contains(members, addr) {
				members = append(members, addr)
			}
		}
	}
	return members
}
