package names

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/messngr/messngr/internal/links"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbns"
)

// A testLAN is a network in memory: 10.77.0.0/24, and hosts elsewhere, which
// it reaches but whose broadcasts do not.
type testLAN struct {
	t     *testing.T
	mu    sync.Mutex
	hosts map[netip.Addr]*testConn
	sent  []sentPacket
	begin time.Time
}

// A sentPacket is what a host has sent, and when.
type sentPacket struct {
	at       time.Duration
	from, to netip.Addr
	nbns.Packet
}

// String returns such as "250ms 2910 HOST2<03> to 10.77.0.255".
func (p sentPacket) String() string {
	b, err := p.AppendBinary(nil)
	if err != nil {
		return err.Error()
	}
	name := p.Question.Name
	if p.Question.Type == 0 {
		name = p.Answer.Name
	}
	return fmt.Sprintf("%v %04X %v to %v", p.at, binary.BigEndian.Uint16(b[2:]), name, p.to)
}

// A testConn is a host's socket.
type testConn struct {
	lan    *testLAN
	addr   netip.Addr
	in     chan datagram
	closed chan struct{}
	once   sync.Once
	// answer, if it is not nil, is called with each packet instead of a node.
	answer func(p nbns.Packet, from netip.AddrPort) []nbns.Packet
}

type datagram struct {
	bytes []byte
	from  netip.AddrPort
}

func newTestLAN(t *testing.T) *testLAN {
	return &testLAN{t: t, hosts: map[netip.Addr]*testConn{}, begin: time.Now()}
}

func (l *testLAN) conn(addr string) *testConn { return l.peer(addr, nil) }

// peer adds a host that does what a test wants.
func (l *testLAN) peer(addr string, answer func(p nbns.Packet, from netip.AddrPort) []nbns.Packet) *testConn {
	c := &testConn{lan: l, addr: ip(addr), in: make(chan datagram, 1<<13), closed: make(chan struct{}), answer: answer}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hosts[c.addr] = c
	return c
}

func (c *testConn) LocalAddr() net.Addr { return &net.UDPAddr{IP: net.IPv4zero, Port: Port} }

func (c *testConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}

func (c *testConn) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	select {
	case d := <-c.in:
		return copy(b, d.bytes), d.from, nil
	case <-c.closed:
		return 0, netip.AddrPort{}, net.ErrClosed
	}
}

func (c *testConn) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	p, err := nbns.Parse(slices.Clone(b))
	if err != nil || len(b) > nbns.MaxSize {
		c.lan.t.Errorf("%v sent %d bytes: %v", c.addr, len(b), err)
	}
	c.lan.deliver(netip.AddrPortFrom(c.addr, Port), to.Addr(), p, b)
	return len(b), nil
}

// send sends a packet in the name of any host, such as 10.77.0.9, or
// 10.77.0.9:1024 for a program there that does not have the name service's port.
func (l *testLAN) send(from, to string, p nbns.Packet) {
	b, err := p.AppendBinary(nil)
	if err != nil {
		l.t.Fatal(err)
	}
	port, err := netip.ParseAddrPort(from)
	if err != nil {
		port = netip.AddrPortFrom(ip(from), Port)
	}
	l.deliver(port, ip(to), p, b)
}

func (l *testLAN) deliver(port netip.AddrPort, to netip.Addr, p nbns.Packet, b []byte) {
	from := port.Addr()
	l.mu.Lock()
	l.sent = append(l.sent, sentPacket{time.Since(l.begin), from, to, p})
	var receivers []*testConn
	for addr, c := range l.hosts {
		if addr == to || to == ip("10.77.0.255") && segment.Contains(addr) && segment.Contains(from) {
			receivers = append(receivers, c)
		}
	}
	l.mu.Unlock()
	for _, c := range receivers {
		if c.answer == nil {
			c.in <- datagram{slices.Clone(b), port}
			continue
		}
		if c.addr == from {
			continue
		}
		for _, reply := range c.answer(p, port) {
			l.send(c.addr.String(), from.String(), reply)
		}
	}
}

// take returns what a host has sent since the last time, such as
// "250ms 2910 HOST2<03> to 10.77.0.255".
func (l *testLAN) take(from string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var said []string
	for _, p := range l.sent {
		if p.from == ip(from) {
			said = append(said, p.String())
		}
	}
	l.sent = nil
	l.begin = time.Now()
	return said
}

var segment = netip.MustParsePrefix("10.77.0.0/24")

// linkOf returns the link of a host, on eth0.
func linkOf(addr string) links.Link {
	return links.Link{Name: "eth0", Addr: ip(addr), Prefix: segment, Broadcast: ip("10.77.0.255"), Hardware: [6]byte{2, 0, 0, 0, 0, ip(addr).As4()[3]}}
}

// A testNode is a running node.
type testNode struct {
	*Node
	conn    *testConn
	changes chan []links.Link
	stop    func() // and waits
}

// node runs a node with one link and these names, each such as "HOST2<03>" or
// "WORKGROUP<00> group".
func (l *testLAN) node(addr string, change func(*Config), names ...string) *testNode {
	l.t.Helper()
	cfg := Config{Serve: func(a netip.Addr) bool { return a != ip("10.77.0.66") }}
	for _, text := range names {
		text, group := strings.CutSuffix(text, " group")
		cfg.Names = append(cfg.Names, Own{nameOf(l.t, text), group})
	}
	if change != nil {
		change(&cfg)
	}
	n := &testNode{conn: l.conn(addr), changes: make(chan []links.Link, 1)}
	var err error
	if n.Node, err = newNode(cfg, n.conn); err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := contextWithCancel()
	done := make(chan error, 1)
	go func() { done <- n.run(ctx, n.changes) }()
	n.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			l.t.Error(err)
		}
	})
	n.changes <- []links.Link{linkOf(addr)}
	synctest.Wait()
	return n
}

// stands returns how a name stands, such as "conflict 10.77.0.9".
func (n *testNode) stands(name string) string {
	var all []string
	for _, s := range n.States() {
		if s.Name.String() != name {
			continue
		}
		text := s.Stage.String()
		if s.Server.IsValid() {
			text += " by " + s.Server.String()
		}
		if s.Holder.Addr.IsValid() {
			text += " " + s.Holder.String()
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

// after lets so much time pass.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// answers returns what a host elsewhere on the LAN is answered to a packet.
func (l *testLAN) answers(from, to string, p nbns.Packet) []nbns.Packet {
	var got []nbns.Packet
	c := l.peer(from, func(p nbns.Packet, _ netip.AddrPort) []nbns.Packet {
		if p.Response {
			got = append(got, p)
		}
		return nil
	})
	l.send(from, to, p)
	synctest.Wait()
	l.mu.Lock()
	delete(l.hosts, c.addr)
	l.mu.Unlock()
	return got
}

func addrOf(flags nbns.NameFlags, addr string) []byte { return appendAddr(nil, flags, ip(addr)) }

// owner returns a host that has a name: it answers queries for it and its node
// status.
func owner(name netbios.Name, addr string, status bool) func(nbns.Packet, netip.AddrPort) []nbns.Packet {
	return func(p nbns.Packet, _ netip.AddrPort) []nbns.Packet {
		switch {
		case p.Response:
		case p.Question.Type == nbns.TypeNBSTAT && status:
			b, _ := nbns.NodeStatus{Names: []nbns.NodeName{{Name: name, Flags: nbns.Active}}}.AppendBinary(nil)
			return []nbns.Packet{nbns.StatusResponse(p, b)}
		case p.Opcode == nbns.Query && p.Question.Type == nbns.TypeNB && p.Question.Name == name:
			return []nbns.Packet{nbns.PositiveQueryResponse(p, 0, addrOf(0, addr))}
		}
		return nil
	}
}
