package names

import (
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/messngr/messngr/internal/links"
	"github.com/messngr/messngr/netbios/nbns"
)

// A NodeType says how a node claims names: RFC 1001 10.
type NodeType uint8

// The types of nodes. H is not in RFC 1001: Windows brought it.
const (
	B NodeType = iota // by broadcast
	P                 // at the name servers
	M                 // by broadcast, and then at the servers
	H                 // at the servers and, if none answers, by broadcast
)

func (t NodeType) String() string { return string("BPMH"[t&3]) }

// flags returns the owner node type of the names of such a node.
func (t NodeType) flags() nbns.NameFlags {
	return [...]nbns.NameFlags{nbns.BNode, nbns.PNode, nbns.MNode, nbns.HNode}[t&3]
}

// A Config says what names a Node has, how it claims them, and whom it serves.
type Config struct {
	// Listen is the IPv4 address and UDP port to receive on; if empty, all
	// addresses and Port. With an address of one interface, names are claimed
	// on that alone, and the node does not hear broadcasts.
	Listen string
	// Port is where the other nodes of the links receive; if zero, on the same
	// port as this one.
	Port uint16
	// Names are what the node claims when it starts.
	Names []Own
	// NodeType says how. Its zero value is B. Without servers every node is of
	// type B.
	NodeType NodeType
	// Servers are name servers, in the order in which they are tried. They are
	// served, whatever Serve says.
	Servers []netip.AddrPort
	// Timers may be zero.
	Timers Timers
	// Serve reports whether a source gets an answer. If nil, only this host's
	// loopback does.
	Serve func(netip.Addr) bool
	// Handle answers requests for a name server, if this host has one: queries
	// that desire recursion for names that are not ours, registrations,
	// refreshes and releases, none of them broadcast. It is called by the one
	// goroutine that receives, so it must not block. The request's data is its
	// own to keep; the data of the reply is written before the next call.
	Handle func(request nbns.Packet, from netip.AddrPort, now time.Time) (reply nbns.Packet, ok bool)
	// Log gets what a person should know of, such as names that are taken. If
	// nil, nobody does.
	Log *slog.Logger
}

// setDefaults fills in what is left out.
func (c *Config) setDefaults() {
	if c.Listen == "" {
		c.Listen = fmt.Sprintf(":%d", Port)
		if c.Port != 0 {
			c.Listen = fmt.Sprintf(":%d", c.Port)
		}
	}
	if c.Serve == nil {
		c.Serve = links.Loopback.Contains
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if len(c.Servers) == 0 {
		c.NodeType = B
	}
	c.Timers.setDefaults()
}
