package rpc

import (
	"cmp"
	"crypto/rand"
	"net/netip"
	"sync"
	"time"

	"github.com/messngr/messngr/dcerpc"
)

// Config is what the datagram servers of a process are told.
type Config struct {
	Interfaces []Interface
	// Check returns nil for the sources that are served. ifindex is the index
	// of the interface that the packet came in on, 0 if the system does not
	// say. If Check is nil, all are.
	Check func(source netip.Addr, ifindex int) error

	// MaxActivities bounds the callers of which something is known, in all;
	// MaxPerSource those at one address, or in one IPv6 network of 64 bits.
	// Zero means 16,384 and 1,024.
	MaxActivities, MaxPerSource int
	// MaxCalls bounds the calls that are executed at once, in all;
	// MaxCallsPerSource those of one source. Past that callers are told that
	// the server is too busy. Zero means 256 and 192.
	MaxCalls, MaxCallsPerSource int
	// MaxStub bounds the arguments of a call, in bytes. Zero means 64 KiB.
	MaxStub int
	// MaxBytes bounds the arguments and responses that are held at once.
	// Zero means 16 MiB.
	MaxBytes int
}

// setDefaults fills in what is zero.
func (c *Config) setDefaults() {
	c.MaxActivities = cmp.Or(c.MaxActivities, 16384)
	c.MaxPerSource = cmp.Or(c.MaxPerSource, 1024)
	c.MaxCalls = cmp.Or(c.MaxCalls, 256)
	c.MaxCallsPerSource = cmp.Or(c.MaxCallsPerSource, 192)
	c.MaxStub = cmp.Or(c.MaxStub, 64<<10)
	c.MaxBytes = cmp.Or(c.MaxBytes, 16<<20)
}

// Conversations are what a process knows of its callers. All of its datagram
// servers share them: to a caller they are one server, which it may reach
// through any of the sockets, and which has one boot time.
type Conversations struct {
	cfg Config

	mu      sync.Mutex
	machine *machine
	timer   *time.Timer
	due     time.Time // when it goes off; zero if it is not set

	outputs sync.Pool // of *output
}

// NewConversations returns conversations without callers.
func NewConversations(cfg Config) *Conversations {
	cfg.setDefaults()
	var seed [32]byte
	rand.Read(seed[:])
	c := &Conversations{cfg: cfg, outputs: sync.Pool{New: func() any { return new(output) }}}
	c.machine = newMachine(&c.cfg, uint32(time.Now().Unix()), seed)
	return c
}

// Counters returns what has been counted, by name.
func (c *Conversations) Counters() map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.machine.counters()
}

// receive takes a packet and sends what there is to say. It returns the calls
// to execute, which are valid until the output is used again.
func (c *Conversations) receive(b []byte, from netip.AddrPort, via path, out *output) []*job {
	out.reset()
	c.mu.Lock()
	c.machine.receive(time.Now(), b, from, via, out)
	c.schedule()
	c.mu.Unlock()
	out.each(sendVia)
	return out.jobs
}

// executed takes what the handler of a call has returned.
func (c *Conversations) executed(j *job, response []byte, fault dcerpc.Status) {
	out := c.outputs.Get().(*output)
	defer c.outputs.Put(out)
	out.reset()
	c.mu.Lock()
	c.machine.executed(time.Now(), j, response, fault, out)
	c.schedule()
	c.mu.Unlock()
	out.each(sendVia)
}

// tick does what is due.
func (c *Conversations) tick() {
	out := c.outputs.Get().(*output)
	defer c.outputs.Put(out)
	out.reset()
	c.mu.Lock()
	c.due = time.Time{}
	c.machine.tick(time.Now(), out)
	c.schedule()
	c.mu.Unlock()
	out.each(sendVia)
}

// schedule sees to it that tick is called in time. The timer is not put off
// when less is due: it goes off and finds nothing, which costs less than
// setting it for each call.
func (c *Conversations) schedule() {
	next := c.machine.deadline()
	if next.IsZero() || !c.due.IsZero() && !next.Before(c.due) {
		return
	}
	c.due = next
	if c.timer == nil {
		c.timer = time.AfterFunc(time.Until(next), c.tick)
	} else {
		c.timer.Reset(time.Until(next))
	}
}

// sendVia sends a packet the way that those of its caller came.
func sendVia(b []byte, to netip.AddrPort, via path) { via.socket.send(b, to, via.local) }
