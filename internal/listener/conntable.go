package listener

import (
	"net/netip"
	"sync"
	"time"
)

// A connTable holds the open connections and sees to their bounds.
//
// A peer that opens connections and keeps them can take the place of its own
// connections only, and of those that bring no messages: past a bound, the one
// that has been without a message for the longest time is closed. So a sender
// that comes and speaks is served however many others sit and wait.
type connTable struct {
	max, maxPerSource int

	mu        sync.Mutex
	conns     map[*conn]struct{}
	perSource map[netip.Prefix]int
	closed    bool
}

func newConnTable(limit, perSource int) connTable {
	return connTable{
		max: limit, maxPerSource: perSource,
		conns:     make(map[*conn]struct{}),
		perSource: make(map[netip.Prefix]int),
	}
}

// add adds c. victim is the connection that was closed to make room, if any.
// ok is false when no room could be made, because all are busy.
func (t *connTable) add(c *conn) (victim *conn, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, false
	}
	source := sourceOf(c.remote.Addr())
	switch {
	case t.perSource[source] >= t.maxPerSource:
		victim = t.evict(func(o *conn) bool { return sourceOf(o.remote.Addr()) == source })
		ok = victim != nil
	case len(t.conns) >= t.max:
		victim = t.evict(func(*conn) bool { return true })
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

// evict closes the connection, of those that match, whose last message is the
// longest ago, and returns it. Those that are being served are left alone; it
// returns nil when there is no other.
func (t *connTable) evict(match func(*conn) bool) *conn {
	for {
		var victim *conn
		since := int64(busy)
		for c := range t.conns {
			if at := c.lastMessage.Load(); at < since && match(c) {
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

// evictLarger closes the connection whose unfinished message is the largest of
// all, and returns it. It returns nil when none is larger than that of c.
func (t *connTable) evictLarger(c *conn) *conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		var victim *conn
		var since int64
		size := c.holding.Load()
		for o := range t.conns {
			if at, n := o.lastMessage.Load(), o.holding.Load(); n > size && at != busy {
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

// remove takes c out of the table; it may have gone already.
func (t *connTable) remove(c *conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.delete(c)
}

func (t *connTable) delete(c *conn) {
	if _, ok := t.conns[c]; !ok {
		return
	}
	delete(t.conns, c)
	source := sourceOf(c.remote.Addr())
	if t.perSource[source]--; t.perSource[source] == 0 {
		delete(t.perSource, source)
	}
}

// interrupt makes every connection end after what it is doing, and refuses new
// ones.
func (t *connTable) interrupt() {
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

// aLongTimeAgo is a deadline that ends a blocking read at once.
var aLongTimeAgo = time.Unix(1, 0)
