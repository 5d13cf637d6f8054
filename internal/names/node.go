package names

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/messngr/messngr/internal/links"
	"github.com/messngr/messngr/internal/udp"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbns"
)

// A packetConn is the socket: a *udp.Conn, and in tests a network in memory.
type packetConn interface {
	ReadFromUDPAddrPort(b []byte) (n int, addr netip.AddrPort, err error)
	WriteToUDPAddrPort(b []byte, addr netip.AddrPort) (int, error)
	LocalAddr() net.Addr
	Close() error
}

// receiveBuffer is how many bytes may wait in the socket while one goroutine
// answers: enough for the queries that many hosts send at one moment.
const receiveBuffer = 1 << 20

// A Node claims names, defends them, answers for them and releases them. See
// RFC 1001 15 and RFC 1002 5.
type Node struct {
	cfg      Config
	conn     packetConn
	counters counters
	ready    chan struct{}

	table atomic.Pointer[table]

	transactions transactions
	servers      servers

	// Of the one goroutine that receives.
	rdata, packet []byte

	mu      sync.Mutex
	own     []Own              // as configured, and added
	ctx     context.Context    // of the claims; nil before Run and after it
	cancel  context.CancelFunc // of ctx
	working sync.WaitGroup     // claims and probes
}

// Listen binds the socket of a node. Nothing is received or sent until Run is
// called.
func Listen(ctx context.Context, cfg Config) (*Node, error) {
	cfg.setDefaults()
	var lc net.ListenConfig
	pc, err := lc.ListenPacket(ctx, "udp4", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("name service: %w", err)
	}
	conn := udp.New(pc.(*net.UDPConn))
	_ = conn.SetReadBuffer(receiveBuffer) // the system may not allow so much
	n, err := newNode(cfg, conn)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return n, nil
}

// newNode returns a node on conn.
func newNode(cfg Config, conn packetConn) (*Node, error) {
	cfg.setDefaults()
	if cfg.Port == 0 {
		cfg.Port = conn.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	}
	n := &Node{cfg: cfg, conn: conn, own: slices.Clone(cfg.Names), ready: make(chan struct{})}
	seen := map[netbios.Name]bool{}
	for _, o := range n.own {
		if seen[o.Name] {
			return nil, fmt.Errorf("name %s is there twice: computer, aliases and workgroup must have different names", o.Name)
		}
		seen[o.Name] = true
	}
	n.table.Store(n.newTable(nil, nil))
	return n, nil
}

// Addr returns the address and port on which the node receives.
func (n *Node) Addr() netip.AddrPort { return n.conn.LocalAddr().(*net.UDPAddr).AddrPort() }

// Ready is closed when the node answers this host. Others get an answer about a
// name once it is owned.
func (n *Node) Ready() <-chan struct{} { return n.ready }

func (n *Node) String() string { return fmt.Sprintf("name service on udp %s", n.Addr()) }

// Close gives the socket up. Run does so when it ends.
func (n *Node) Close() error { return n.conn.Close() }

// Run claims the names and answers for them until ctx is done, then releases
// them and returns nil. It can be called once.
func (n *Node) Run(ctx context.Context) error {
	watcher := links.Watch()
	defer watcher.Close()
	return n.run(ctx, watcher.Changes())
}

// run is Run on the links that it is told of.
func (n *Node) run(ctx context.Context, changes <-chan []links.Link) error {
	claims, cancel := context.WithCancel(context.Background())
	defer cancel()
	n.mu.Lock()
	n.ctx, n.cancel = claims, cancel
	n.mu.Unlock()

	failed := make(chan error, 1)
	go func() { failed <- n.receive() }()
	close(n.ready)
	for {
		select {
		case now := <-changes:
			n.relink(now)
		case <-ctx.Done():
			n.shutDown()
			<-failed
			return nil
		case err := <-failed:
			n.mu.Lock()
			n.ctx = nil
			n.mu.Unlock()
			cancel()
			n.working.Wait()
			n.conn.Close()
			return fmt.Errorf("name service: receive: %w", err)
		}
	}
}

// shutDown releases every name and gives up the socket.
func (n *Node) shutDown() {
	n.mu.Lock()
	n.ctx = nil
	n.cancel()
	t := n.table.Load()
	n.mu.Unlock()
	var owned []*claim
	for _, e := range t.order {
		for _, c := range e.claims {
			if c.giveUp() {
				owned = append(owned, c)
			}
		}
	}
	n.release(owned)
	n.working.Wait()
	n.conn.Close()
}

// receive handles packets until the socket is closed.
func (n *Node) receive() error {
	// As large as a datagram can be: some systems call one that does not fit
	// an error.
	packet := make([]byte, 1<<16)
	for {
		size, from, err := n.conn.ReadFromUDPAddrPort(packet)
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		if reply, ok := n.handle(packet[:size], from, time.Now()); ok {
			n.packet, err = reply.AppendBinary(n.packet[:0])
			if err == nil {
				// Whether it arrives is the asker's to find out: it asks again.
				_, err = n.conn.WriteToUDPAddrPort(n.packet, from)
			}
			if err != nil {
				n.counters.sendErrors.Add(1)
			}
		}
	}
}

// Send sends a packet from the node's socket.
func (n *Node) Send(p nbns.Packet, to netip.AddrPort) {
	b, err := p.AppendBinary(nil)
	if err == nil {
		_, err = n.conn.WriteToUDPAddrPort(b, to)
	}
	if err != nil {
		n.counters.sendErrors.Add(1)
	}
}

// relink puts the names on the links that there are now.
func (n *Node) relink(now []links.Link) {
	if addr := n.Addr().Addr().Unmap(); !addr.IsUnspecified() {
		now = slices.DeleteFunc(slices.Clone(now), func(l links.Link) bool { return l.Addr != addr })
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ctx == nil {
		return
	}
	last := n.table.Load()
	n.swap(n.newTable(now, last))
}

// swap puts a table in the place of the last: claims that are no longer in it
// end, new ones begin, and those in conflict try again at once.
func (n *Node) swap(t *table) {
	last := n.table.Swap(t)
	kept := map[*claim]bool{}
	for _, e := range t.order {
		for _, c := range e.claims {
			kept[c] = true
		}
	}
	for _, e := range last.order {
		for _, c := range e.claims {
			if !kept[c] {
				c.cancel()
			} else if !slices.Equal(last.links, t.links) {
				c.hurry()
			}
		}
	}
	for _, e := range t.order {
		for _, c := range e.claims {
			c.start(n.ctx)
		}
	}
}

// Add claims a name on every link, and returns nil when it is owned there; on a
// host without links at once. When another host has it the error is a
// *TakenError, and the name is not kept.
func (n *Node) Add(ctx context.Context, own Own) error {
	n.mu.Lock()
	select {
	case <-n.ready:
		if n.ctx == nil {
			n.mu.Unlock()
			return errors.New("the name service is not running")
		}
	default:
	}
	if slices.ContainsFunc(n.own, func(o Own) bool { return o.Name == own.Name }) {
		n.mu.Unlock()
		return fmt.Errorf("the name %s is there already", own.Name)
	}
	n.own = append(n.own, own)
	if n.ctx == nil { // Run claims it with the others
		n.table.Store(n.newTable(nil, nil))
		n.mu.Unlock()
		return nil
	}
	last := n.table.Load()
	t := n.newTable(last.links, last)
	n.swap(t)
	n.mu.Unlock()

	for _, c := range t.names[own.Name].claims {
		err := c.wait(ctx)
		if err != nil {
			_ = n.Remove(context.WithoutCancel(ctx), own.Name)
			return err
		}
	}
	return nil
}

// Remove releases a name. A name that is not there is an error.
func (n *Node) Remove(_ context.Context, name netbios.Name) error {
	n.mu.Lock()
	i := slices.IndexFunc(n.own, func(o Own) bool { return o.Name == name })
	if i < 0 {
		n.mu.Unlock()
		return fmt.Errorf("the name %s is not there", name)
	}
	n.own = slices.Delete(n.own, i, i+1)
	last := n.table.Load()
	var owned []*claim
	for _, c := range last.names[name].claims {
		if c.giveUp() {
			owned = append(owned, c)
		}
	}
	if n.ctx != nil {
		n.swap(n.newTable(last.links, last))
	}
	n.mu.Unlock()
	n.release(owned)
	return nil
}
