package nbdgm

import (
	"bytes"
	"net/netip"
	"slices"
	"time"

	"github.com/messngr/messngr/netbios"
)

// FragmentTimeout is how long a datagram waits for the rest of its fragments:
// RFC 1002 6, FRAGMENT_TO.
const FragmentTimeout = 2 * time.Second

// What a Reassembler holds at most. NetBIOS itself stops at 512 bytes of data;
// who sends in fragments needs little more.
const (
	maxUnfinished = 64       // datagrams
	maxPerSender  = 4        // datagrams of one address
	maxData       = 4 << 10  // bytes of data of one datagram
	maxHeld       = 64 << 10 // bytes of data of all of them
)

// A Reason says why a Reassembler dropped something.
type Reason uint8

// The reasons. After those marked "all" the whole datagram is dropped, with
// what had come of it; else the fragment alone.
const (
	Orphan       Reason = iota // a fragment without a first one before it
	Gap                        // a fragment that does not follow what has come: one is lost, or out of order
	Duplicate                  // a fragment that had come before
	Empty                      // a fragment without data that says that more follow
	Overlap                    // all: a fragment over other data than had come
	Inconsistent               // all: a fragment that contradicts the first one, or a first one that does not begin at 0
	TooLong                    // all: more data than a datagram may have
	SenderFull                 // all: too many unfinished datagrams of one sender
	Full                       // all: too many unfinished datagrams, or too much data of them
	Timeout                    // all: the rest did not come in time
	reasons
)

// String returns the reason in a few words.
func (r Reason) String() string {
	return [reasons]string{
		"no first fragment", "gap", "duplicate", "empty fragment", "overlap", "inconsistent",
		"too long", "too many of one sender", "too many", "timeout",
	}[r]
}

// Counters say, by Reason, how often a Reassembler dropped something: one for
// each fragment that it did not keep, and one for each unfinished datagram that
// Timeout or a new use of its ID ended.
type Counters [reasons]uint64

// A Reassembler makes datagrams of fragments. The zero value is ready for use.
// It is not safe for concurrent use.
//
// Fragments must come in order; RFC 1002 5.3.3 lets a receiver discard the
// others. What it holds is bounded, whatever comes: 64 unfinished datagrams, 4
// of each sender, 4 KiB of data of each datagram and 64 KiB in all, and scopes
// of 510 bytes for each datagram.
type Reassembler struct {
	open    []*unfinished // the oldest first
	held    int           // bytes of data of all of them
	dropped Counters
}

// An unfinished datagram is the first fragment with the data of those that
// followed it.
type unfinished struct {
	key
	Packet
	size  int // of the data of the first fragment
	since time.Time
}

// A key tells datagrams apart. RFC 1002 5.3.3 takes source address and ID; the
// rest keeps senders from each other's datagrams.
type key struct {
	source netip.AddrPort // in the packet
	from   netip.Addr     // of the UDP packet
	id     uint16
	name   netbios.Name
	scope  netbios.Scope
}

// Dropped returns what has been dropped since the beginning, by reason.
func (r *Reassembler) Dropped() Counters { return r.dropped }

// Unfinished returns the number of datagrams that wait for fragments.
func (r *Reassembler) Unfinished() int { return len(r.open) }

// Add takes a packet that came at the time now from the address from, which is
// the sender of the UDP packet, whatever the packet itself says. It returns a
// whole datagram when the packet is one, or is the last fragment of one; then
// the flags and the offset are those of a packet that was never fragmented.
// Packets that are not datagrams are returned as they are.
//
// The data of a packet that comes whole is not copied: it aliases what p's
// does. That of fragments is.
func (r *Reassembler) Add(p Packet, from netip.Addr, now time.Time) (Packet, bool) {
	r.Expire(now)
	switch first, more := p.Flags&First != 0, p.Flags&More != 0; {
	case !p.Type.IsDatagram(), first && !more && p.Offset == 0:
		return p, true
	case first && p.Offset != 0:
		return r.drop(Inconsistent)
	case first:
		return r.begin(p, from.Unmap(), now)
	}
	return r.follow(p, from.Unmap())
}

// Expire drops the unfinished datagrams that wait since FragmentTimeout or
// longer. Add does it too.
func (r *Reassembler) Expire(now time.Time) {
	for i := 0; i < len(r.open); {
		// A clock that was set back must not make a datagram wait for ever.
		if now.Sub(r.open[i].since).Abs() < FragmentTimeout {
			i++
			continue
		}
		r.close(i)
		r.dropped[Timeout]++
	}
}

// begin takes a first fragment that more are to follow.
func (r *Reassembler) begin(p Packet, from netip.Addr, now time.Time) (Packet, bool) {
	k := keyOf(&p, from)
	if i := r.find(&k); i >= 0 {
		if u := r.open[i]; u.fits(&p) && bytes.Equal(u.Data[:u.size], p.Data) {
			return r.drop(Duplicate)
		}
		// The sender uses the ID again: the old datagram will not be finished.
		r.close(i)
		r.dropped[Inconsistent]++
	}
	if len(p.Data) > maxData {
		return r.drop(TooLong)
	}
	ofSender := 0
	for _, u := range r.open {
		if u.from == from {
			ofSender++
		}
	}
	if ofSender >= maxPerSender {
		return r.drop(SenderFull)
	}
	if len(r.open) >= maxUnfinished || r.held+len(p.Data) > maxHeld {
		return r.drop(Full)
	}
	u := &unfinished{k, p, len(p.Data), now}
	u.Data = slices.Clone(p.Data)
	r.open = append(r.open, u)
	r.held += len(u.Data)
	return Packet{}, false
}

// follow takes a fragment that is not the first.
func (r *Reassembler) follow(p Packet, from netip.Addr) (Packet, bool) {
	k := keyOf(&p, from)
	i := r.find(&k)
	if i < 0 {
		return r.drop(Orphan)
	}
	u, more := r.open[i], p.Flags&More != 0
	at, end, have := int(p.Offset), int(p.Offset)+len(p.Data), len(u.Data)
	switch {
	case !u.fits(&p):
		r.close(i)
		return r.drop(Inconsistent)
	case at > have:
		return r.drop(Gap)
	case len(p.Data) == 0 && more:
		return r.drop(Empty)
	case at < have:
		if end <= have && bytes.Equal(u.Data[at:end], p.Data) {
			return r.drop(Duplicate)
		}
		r.close(i)
		return r.drop(Overlap)
	case end > maxData:
		r.close(i)
		return r.drop(TooLong)
	case r.held+len(p.Data) > maxHeld:
		r.close(i)
		return r.drop(Full)
	}
	u.Data = append(u.Data, p.Data...)
	r.held += len(p.Data)
	if more {
		return Packet{}, false
	}
	r.close(i)
	u.Flags &^= More // First is set
	return u.Packet, true
}

func (r *Reassembler) drop(why Reason) (Packet, bool) {
	r.dropped[why]++
	return Packet{}, false
}

// close forgets the unfinished datagram with that index.
func (r *Reassembler) close(i int) {
	r.held -= len(r.open[i].Data)
	r.open = slices.Delete(r.open, i, i+1)
}

func (r *Reassembler) find(k *key) int {
	for i, u := range r.open {
		if u.key == *k {
			return i
		}
	}
	return -1
}

func keyOf(p *Packet, from netip.Addr) key {
	return key{p.Source, from, p.ID, p.SourceName, p.SourceScope}
}

// fits reports whether p, which has the key of u, goes the same way.
func (u *unfinished) fits(p *Packet) bool {
	return u.Type == p.Type && u.DestinationName == p.DestinationName && u.DestinationScope == p.DestinationScope
}
