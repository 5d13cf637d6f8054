package conns

import (
	"math"
	"net"
	"net/netip"
	"sync/atomic"
	"time"
)

// What a Conn's lastUse holds instead of a time.
const (
	busy    = math.MaxInt64 // in use: not to be evicted
	evicted = -1            // not to be used any more
)

// A Conn is a connection in a Table.
type Conn struct {
	net.Conn
	// Remote is the address of the peer, as IPv4 where it is IPv4, without a
	// zone; invalid for a socket that is not TCP.
	Remote netip.AddrPort
	// Held is how many bytes the connection keeps of what is unfinished. It
	// counts for EvictLarger; its user sets it.
	Held atomic.Int64

	start   time.Time    // from which lastUse counts
	lastUse atomic.Int64 // when it was last of use
	ended   atomic.Bool
}

// Use marks the connection as in use until Done, so that it is not closed to
// make room. It reports false when it has been closed already.
func (c *Conn) Use() bool {
	at := c.lastUse.Load()
	return at != evicted && c.lastUse.CompareAndSwap(at, busy)
}

// Done ends what Use began, if it has begun.
func (c *Conn) Done() {
	if c.lastUse.Load() == busy {
		c.lastUse.Store(int64(time.Since(c.start)))
	}
}

// Ended reports whether the connection has been closed to make room, or is to
// end since the table has been interrupted.
func (c *Conn) Ended() bool { return c.ended.Load() }

// interrupt makes the connection end: at once if it waits for its peer, else
// after what it is doing.
func (c *Conn) interrupt() {
	c.ended.Store(true)
	c.SetReadDeadline(aLongTimeAgo)
}

// evict closes the connection, unless it has been of use since lastUse was at.
func (c *Conn) evict(at int64) bool {
	if !c.lastUse.CompareAndSwap(at, evicted) {
		return false
	}
	c.ended.Store(true)
	c.Close()
	return true
}

// aLongTimeAgo is a deadline that ends a blocking read at once.
var aLongTimeAgo = time.Unix(1, 0)

// addrPort returns a's address and port, as Conn has them.
func addrPort(a net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := tcp.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
}
