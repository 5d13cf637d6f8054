package names

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"github.com/messngr/messngr/internal/links"
	"github.com/messngr/messngr/netbios/nbns"
)

// A Config says what a Node answers, and to whom.
type Config struct {
	// Listen is the IPv4 address and UDP port to receive on; ":137" if empty.
	// With an address of one interface the node is not found by broadcast.
	Listen string
	// Names are what the node answers to.
	Names []Own
	// Serve reports whether a source gets an answer. If nil, only this host's
	// loopback does.
	Serve func(netip.Addr) bool
}

// counters count what a Node received.
type counters struct {
	queries   atomic.Int64 // questions for names and node status from sources that are served
	answered  atomic.Int64 // those of them that got an answer
	refused   atomic.Int64 // packets from sources that are not served
	malformed atomic.Int64 // packets that could not be read
}

// A Node answers questions about the names of this host. See RFC 1002 5.1.1.5.
type Node struct {
	conn     *net.UDPConn
	serve    func(netip.Addr) bool
	answers  answers
	counters counters
	ready    chan struct{}
}

// Listen binds the socket of a node. Nothing is received until Run is called.
func Listen(ctx context.Context, cfg Config) (*Node, error) {
	if cfg.Listen == "" {
		cfg.Listen = fmt.Sprintf(":%d", port)
	}
	if cfg.Serve == nil {
		cfg.Serve = links.Loopback.Contains
	}
	answers, err := newAnswers(cfg.Names)
	if err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	conn, err := lc.ListenPacket(ctx, "udp4", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("name service: %w", err)
	}
	return &Node{
		conn:    conn.(*net.UDPConn),
		serve:   cfg.Serve,
		answers: answers,
		ready:   make(chan struct{}),
	}, nil
}

// Addr returns the address and port on which the node receives.
func (n *Node) Addr() netip.AddrPort { return n.conn.LocalAddr().(*net.UDPAddr).AddrPort() }

// Counters returns what the node has counted, by name.
func (n *Node) Counters() map[string]int64 {
	return map[string]int64{
		"queries":        n.counters.queries.Load(),
		"answered":       n.counters.answered.Load(),
		"refused_source": n.counters.refused.Load(),
		"malformed":      n.counters.malformed.Load(),
	}
}

// Ready is closed when the node answers.
func (n *Node) Ready() <-chan struct{} { return n.ready }

func (n *Node) String() string { return fmt.Sprintf("name service on udp %s", n.Addr()) }

// Close gives the socket up. Run does so when it ends.
func (n *Node) Close() error { return n.conn.Close() }

// Run answers until ctx is done, and then returns nil. It can be called once.
func (n *Node) Run(ctx context.Context) error {
	defer n.Close()
	stop := context.AfterFunc(ctx, func() { n.conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	close(n.ready)

	// As large as a datagram can be: some systems call one that does not fit
	// an error.
	packet := make([]byte, 1<<16)
	for {
		size, from, err := n.conn.ReadFromUDPAddrPort(packet)
		if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("name service: receive: %w", err)
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		if reply := n.handle(packet[:size], from.Addr(), time.Now()); reply != nil {
			// Whether it arrives is the asker's to find out: it asks again.
			n.conn.WriteToUDPAddrPort(reply, from)
		}
	}
}

// handle returns the reply to a packet, nil if it gets none. The reply is good
// until the next call.
func (n *Node) handle(packet []byte, from netip.Addr, now time.Time) []byte {
	if !n.serve(from) {
		n.counters.refused.Add(1)
		return nil
	}
	query, err := nbns.Parse(packet)
	if err != nil {
		n.counters.malformed.Add(1)
		return nil
	}
	q := query.Question
	if query.Response || query.Opcode != nbns.Query || q.Class != nbns.Internet {
		return nil
	}
	var reply []byte
	switch q.Type {
	case nbns.TypeNB:
		n.counters.queries.Add(1)
		reply = n.answers.nameQuery(query, from, now)
	case nbns.TypeNBSTAT:
		n.counters.queries.Add(1)
		reply = n.answers.statusQuery(query, from, now)
	}
	if reply != nil {
		n.counters.answered.Add(1)
	}
	return reply
}
