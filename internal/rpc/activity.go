package rpc

import (
	"net/netip"
	"time"

	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/dcerpc/ncadg"
)

// An activityKey names an activity. An id from another address is of another
// activity: whoever forges one gets nowhere near its owner's.
type activityKey struct {
	id   dcerpc.UUID
	from netip.AddrPort
}

// A stage is how far the latest call of an activity has come.
type stage uint8

const (
	receiving stage = iota // fragments are missing, or it has not been shown that the caller is there
	executing              // a handler has it
	answered               // there is an answer, which the caller has not acknowledged
	settled                // nothing more is to be done
)

// An activity is a caller's thread of calls: C706 9.5.3. It is in progress with
// its latest call, of which alone anything is known.
type activity struct {
	key    activityKey
	source *source
	via    path      // the way that its last packet came
	last   time.Time // when that was
	nodes  [2]node   // in the lists of the table and of the source

	// verified says that the caller has answered at its address. Until then no
	// more bytes are sent there than came from there: credit is how many may be.
	verified bool
	credit   int

	// Of the latest call.
	stage     stage
	oneWay    bool         // executed without asking the caller
	silent    bool         // the caller wants no answer
	header    ncadg.Packet // what answers have of the request; no body
	iface     *Interface
	fragments ncadg.Assembler
	whole     bool
	stub      []byte // the request, once it is whole
	job       *job   // the handler's; nil unless it has the call
	answer    ncadg.PacketType
	out       outgoing // the answer's body
	held      int      // bytes that the table counts for this activity

	// Of the question whether the caller is there.
	asking dcerpc.UUID // the activity of the callback; nil if nothing was asked
	op     uint16
	asked  time.Time

	// The timer.
	due   time.Time
	place int // in the heap, from 1; 0 if the timer is not set
	tries int // how often it has gone off for the same thing
}

// A job is a call that a handler executes.
type job struct {
	activity *activity
	source   *source
	handle   Handler
	call     Call
	via      path
}

// A source is what activities are counted by: see sourceOf.
type source struct {
	prefix     netip.Prefix
	count      int // of activities
	running    int // calls that handlers have
	unverified list
	idle       list

	known bool      // an activity of it has been verified, or it is this computer
	told  int       // packets that it was sent in a window, before that
	since time.Time // the window
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

// A node is a place in a list.
type node struct {
	list       *list
	prev, next *activity
}

// A list has activities in the order in which they were last heard of, the
// oldest first. One that is in no list must stay.
type list struct {
	which       int // of the activity's nodes
	first, last *activity
	count       int
}

// push appends a.
func (l *list) push(a *activity) {
	n := &a.nodes[l.which]
	*n = node{list: l, prev: l.last}
	if l.last != nil {
		l.last.nodes[l.which].next = a
	} else {
		l.first = a
	}
	l.last = a
	l.count++
}

// unlink takes the activity out of the list that its node is in, if any.
func (a *activity) unlink(which int) {
	n := &a.nodes[which]
	l := n.list
	if l == nil {
		return
	}
	if n.prev != nil {
		n.prev.nodes[which].next = n.next
	} else {
		l.first = n.next
	}
	if n.next != nil {
		n.next.nodes[which].prev = n.prev
	} else {
		l.last = n.prev
	}
	l.count--
	*n = node{}
}
