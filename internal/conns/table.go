// Package conns accepts connections and sees to their bounds, for all listeners
// of streams.
package conns

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// A Table holds the open connections and sees to their bounds.
//
// A peer that opens connections and keeps them can take the place of its own
// connections only, and of those that are of no use: past a bound, the one that
// has been without use for the longest time is closed. So a peer that comes and
// speaks is served however many others sit and wait.
type Table struct {
	max, maxPerSource int
	start             time.Time

	mu        sync.Mutex
	conns     map[*Conn]struct{}
	perSource map[netip.Prefix]int
	closed    bool
}

// NewTable returns a table with room for limit connections, of which one source
// has perSource at most.
func NewTable(limit, perSource int) *Table {
	return &Table{
		max: limit, maxPerSource: perSource, start: time.Now(),
		conns:     make(map[*Conn]struct{}),
		perSource: make(map[netip.Prefix]int),
	}
}

// NewConn returns a connection that is not in the table yet.
func (t *Table) NewConn(nc net.Conn) *Conn {
	c := &Conn{Conn: nc, Remote: addrPort(nc.RemoteAddr()), start: t.start}
	c.lastUse.Store(int64(time.Since(t.start)))
	return c
}

// Add adds c. victim is the connection that was closed to make room, if any.
// ok is false when no room could be made, because all are in use, or the table
// has been interrupted.
func (t *Table) Add(c *Conn) (victim *Conn, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, false
	}
	source := sourceOf(c.Remote.Addr())
	switch {
	case t.perSource[source] >= t.maxPerSource:
		victim = t.evict(func(o *Conn) bool { return sourceOf(o.Remote.Addr()) == source })
		ok = victim != nil
	case len(t.conns) >= t.max:
		victim = t.evict(func(*Conn) bool { return true })
		ok = victim != nil
	default:
		ok = true
	}
	if ok {
		t.conns[c] = struct{}{}
		t.perSource[source]++
	}
	return victim, ok
}

// evict closes the connection, of those that match, whose last use is the
// longest ago, and returns it. Those that are in use are left alone; it returns
// nil when there is no other.
func (t *Table) evict(match func(*Conn) bool) *Conn {
	for {
		var victim *Conn
		since := int64(busy)
		for c := range t.conns {
			if at := c.lastUse.Load(); at < since && match(c) {
				victim, since = c, at
			}
		}
		if victim == nil {
			return nil
		}
		if victim.evict(since) {
			t.delete(victim)
			return victim
		}
	}
}

// EvictLarger closes the connection that holds the most of all, and returns it.
// It returns nil when none that is not in use holds more than c.
func (t *Table) EvictLarger(c *Conn) *Conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		var victim *Conn
		var since int64
		size := c.Held.Load()
		for o := range t.conns {
			if at, n := o.lastUse.Load(), o.Held.Load(); n > size && at != busy {
				victim, since, size = o, at, n
			}
		}
		if victim == nil {
			return nil
		}
		if victim.evict(since) {
			t.delete(victim)
			return victim
		}
	}
}

// Remove takes c out of the table; it may have gone already.
func (t *Table) Remove(c *Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.delete(c)
}

func (t *Table) delete(c *Conn) {
	if _, ok := t.conns[c]; !ok {
		return
	}
	delete(t.conns, c)
	source := sourceOf(c.Remote.Addr())
	if t.perSource[source]--; t.perSource[source] == 0 {
		delete(t.perSource, source)
	}
}

// Len returns the number of connections, and of the sources that they are from.
func (t *Table) Len() (conns, sources int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.conns), len(t.perSource)
}

// Interrupt makes every connection end after what it is doing, and refuses new
// ones.
func (t *Table) Interrupt() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for c := range t.conns {
		c.interrupt()
	}
}

// sourceOf returns what counts as one source: an IPv4 address, or an IPv6
// network of 64 bits, in which one host has as many addresses as it likes.
func sourceOf(a netip.Addr) netip.Prefix {
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // a valid address has that many bits; the zero Addr makes one group
	return p
}
