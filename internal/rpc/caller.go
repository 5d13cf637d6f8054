package rpc

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"syscall"
	"time"

	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/dcerpc/ncadg"
)

const (
	// maxIdle is how many conversations are kept for the next call.
	maxIdle = 1024
	// ackAfter is how long an acknowledgement waits for the next call of its
	// conversation, which makes it unnecessary: C706 appendix K, TIMEOUT_ACK,
	// has one second, after which servers of [MS-RPCE] have sent again.
	ackAfter = 200 * time.Millisecond
)

// A progress says how far a call of ours has come.
type progress uint8

const (
	sending    progress = iota // the server does not have all of the request
	waiting                    // it has, and works on it
	collecting                 // a part of the response has come
	over
)

// A conversation is an activity of ours with one server. It makes one call at a
// time.
type conversation struct {
	activity dcerpc.UUID
	server   netip.AddrPort // as it was called
	peer     netip.AddrPort // where it answers from: of the same address, maybe from another port
	boot     uint32         // what the server says of when it was started; 0 if it has not

	// Of the latest call.
	progress  progress
	header    ncadg.Packet // what all packets of the call have; no body
	stub      []byte
	out       outgoing
	fragments ncadg.Assembler
	uncertain bool // the server may have executed it: it was heard of, or sent more than once
	anew      bool // it was begun again, with a server that had been started again
	begun     time.Time
	heard     time.Time     // when there was a sign of the server
	wait      time.Duration // for the next one
	due       time.Time
	ackDue    time.Time // when to acknowledge the response; zero if there is no need

	ended    chan struct{} // has room for one
	response []byte
	rep      dcerpc.DataRep
	err      error
}

// callerStats count what a caller has seen.
type callerStats struct {
	calls, resent, pings       int64
	questions                  int64 // answered
	stray, foreign, malformed  int64 // packets about nothing; of hosts that were not called
	faults, rejects, noAnswers int64
}

// A caller is the client's side of the protocol: C706 10.1. As a machine does,
// it knows neither sockets nor clock and is not safe for concurrent use.
type caller struct {
	cfg    *ClientConfig
	boot   uint32
	space  dcerpc.UUID // names this client in answers to who_are_you2
	random *rand.ChaCha8
	stats  callerStats

	conversations map[dcerpc.UUID]*conversation
	idle          map[netip.AddrPort][]*conversation
	resting       int // how many are idle
	owed          []owedAck

	now time.Time
	out *output
}

// An owedAck is an acknowledgement that is due then, unless another time has
// taken its place.
type owedAck struct {
	v   *conversation
	due time.Time
}

func newCaller(cfg *ClientConfig, boot uint32, seed [32]byte) *caller {
	c := &caller{
		cfg: cfg, boot: max(boot, 1), random: rand.NewChaCha8(seed),
		conversations: make(map[dcerpc.UUID]*conversation),
		idle:          make(map[netip.AddrPort][]*conversation),
	}
	c.space = newUUID(c.random)
	return c
}

// counters returns all by name.
func (c *caller) counters() map[string]int64 {
	s := &c.stats
	return map[string]int64{
		"calls": s.calls, "resent": s.resent, "pings": s.pings,
		"questions_answered": s.questions,
		"stray":              s.stray, "foreign": s.foreign, "malformed": s.malformed,
		"faults": s.faults, "rejects": s.rejects, "no_answers": s.noAnswers,
		"conversations": int64(len(c.conversations)),
	}
}

// call begins a call. When it is over, take returns what came of it; nothing
// comes of one that is maybe.
func (c *caller) call(now time.Time, to netip.AddrPort, iface dcerpc.SyntaxID, opnum uint16, stub []byte, flags ncadg.Flags1, out *output) *conversation {
	c.now, c.out = now, out
	c.stats.calls++
	v := c.converse(to)
	v.header = ncadg.Packet{
		Flags1: flags, DataRep: dcerpc.LittleEndian(), Interface: iface, Activity: v.activity,
		Sequence: v.header.Sequence + 1, Opnum: opnum,
		InterfaceHint: ncadg.NoHint, ActivityHint: ncadg.NoHint,
	}
	v.stub, v.response, v.err, v.uncertain, v.anew = stub, nil, nil, false, false
	v.begun, v.heard, v.wait, v.ackDue = now, now, c.cfg.Retry, time.Time{}
	c.begin(v)
	if flags&ncadg.Maybe != 0 {
		v.progress, v.stub, v.out = over, nil, outgoing{}
		c.rest(v)
	}
	return v
}

// begin sends the request from its start.
func (c *caller) begin(v *conversation) {
	v.progress = sending
	v.out = newOutgoing(v.stub)
	v.fragments = ncadg.Assembler{MaxBytes: c.cfg.MaxResponse}
	v.due = c.now.Add(v.wait)
	c.transmit(v, v.out.more())
}

// converse returns a conversation with a server that is in no call.
func (c *caller) converse(to netip.AddrPort) *conversation {
	if idle := c.idle[to]; len(idle) > 0 {
		v := idle[len(idle)-1]
		idle[len(idle)-1] = nil
		c.idle[to] = idle[:len(idle)-1]
		if len(idle) == 1 {
			delete(c.idle, to)
		}
		c.resting--
		return v
	}
	v := &conversation{activity: newUUID(c.random), server: to, peer: to, ended: make(chan struct{}, 1)}
	v.header.Sequence = 0xFFFFFFFF // the first call is 0, as [MS-RPCE] 4.1 has it
	c.conversations[v.activity] = v
	return v
}

// rest keeps a conversation for the next call.
func (c *caller) rest(v *conversation) {
	if c.resting >= maxIdle {
		delete(c.conversations, v.activity)
		return
	}
	c.idle[v.server] = append(c.idle[v.server], v)
	c.resting++
}

// end says what came of a call.
func (c *caller) end(v *conversation, response []byte, rep dcerpc.DataRep, err error) {
	v.progress = over
	v.response, v.rep, v.err = response, rep, err
	v.stub, v.out = nil, outgoing{serial: v.out.serial}
	v.fragments = ncadg.Assembler{}
	v.ended <- struct{}{}
}

// take returns what came of a call that has ended. Its conversation is there
// for others after that; one in which a server was silent, or has been given
// up, is not used again.
func (c *caller) take(now time.Time, v *conversation) ([]byte, dcerpc.DataRep, error) {
	response, rep, err := v.response, v.rep, v.err
	v.response = nil
	switch err.(type) {
	case nil, *Fault:
		if v.header.Flags1&ncadg.Idempotent == 0 { // nothing is kept of a call that is
			v.ackDue = now.Add(ackAfter)
			c.owed = append(c.owed, owedAck{v, v.ackDue})
		}
		c.rest(v)
	case *Reject:
		c.rest(v)
	default:
		delete(c.conversations, v.activity)
	}
	return response, rep, err
}

// acknowledge sends the acknowledgements that are due, or all, and returns when
// the next one is.
func (c *caller) acknowledge(now time.Time, all bool, out *output) (next time.Duration, more bool) {
	c.now, c.out = now, out
	sent := 0
	for _, o := range c.owed {
		if left := o.due.Sub(now); left > 0 && !all {
			c.owed = append(c.owed[:0], c.owed[sent:]...)
			return left, true
		}
		sent++
		if o.v.ackDue.Equal(o.due) {
			c.ack(o.v)
		}
	}
	clear(c.owed)
	c.owed = c.owed[:0]
	return 0, false
}

// abort ends all calls.
func (c *caller) abort(err error) {
	for _, v := range c.conversations {
		if v.progress != over {
			c.end(v, nil, dcerpc.DataRep{}, err)
		}
	}
}

// refused takes it that nobody receives where a server was called. Who has given
// a sign of life is believed more than whoever says so.
func (c *caller) refused(server netip.AddrPort) {
	for _, v := range c.conversations {
		if v.server == server && v.progress != over && v.heard.Equal(v.begun) {
			c.stats.noAnswers++
			c.end(v, nil, dcerpc.DataRep{}, fmt.Errorf("%s: %w: %w", server, ErrRefused, syscall.ECONNREFUSED))
		}
	}
}

// cancel ends a call that is not wanted any more, and tells the server: C706
// 9.5.4.
func (c *caller) cancel(v *conversation, why error, out *output) {
	if v.progress == over {
		return
	}
	c.out = out
	p := ncadg.CancelBody{ID: 1}.AppendBinary(nil, v.header.DataRep)
	c.send(v, ncadg.Cancel, p)
	c.end(v, nil, dcerpc.DataRep{}, why)
}

// timeout does what is due in a call, and returns when to call it again.
func (c *caller) timeout(now time.Time, v *conversation, out *output) time.Duration {
	c.now, c.out = now, out
	switch {
	case v.progress == over:
		return c.cfg.MaxRetry
	case now.Before(v.due):
		return v.due.Sub(now)
	case now.Sub(v.heard) >= c.cfg.Silence:
		c.stats.noAnswers++
		c.end(v, nil, dcerpc.DataRep{}, fmt.Errorf("%w from %s in %v", ErrNoAnswer, v.server, c.cfg.Silence))
		return c.cfg.MaxRetry
	case now.Sub(v.begun) >= c.cfg.Timeout:
		c.stats.noAnswers++
		c.end(v, nil, dcerpc.DataRep{}, fmt.Errorf("%w from %s in %v, though it works on the call", ErrNoAnswer, v.server, c.cfg.Timeout))
		return c.cfg.MaxRetry
	}
	v.wait = min(2*v.wait, c.cfg.MaxRetry)
	v.due, v.uncertain = now.Add(v.wait), true
	switch v.progress {
	case sending:
		c.stats.resent++
		c.transmit(v, v.out.again())
	case waiting:
		c.stats.pings++
		c.send(v, ncadg.Ping, nil)
	case collecting:
		c.sendFack(v, 0)
	}
	return v.wait
}

// transmit sends fragments of the request: bit i is that at v.out.base+i.
func (c *caller) transmit(v *conversation, send uint32) {
	for send != 0 {
		i := bits.TrailingZeros32(send)
		send &^= 1 << i
		p := v.header
		p.Type, p.ServerBoot = ncadg.Request, v.boot
		v.out.put(&p, v.out.base+i, send == 0)
		c.put(&p, v.peer)
	}
}

// send sends another packet of the latest call.
func (c *caller) send(v *conversation, t ncadg.PacketType, body []byte) {
	p := v.header
	p.Type, p.ServerBoot, p.Body = t, v.boot, body
	v.out.serial++
	p.Serial = v.out.serial
	c.put(&p, v.peer)
}

// put appends a packet to the output.
func (c *caller) put(p *ncadg.Packet, to netip.AddrPort) {
	b, err := p.AppendBinary(c.out.buffer)
	if err != nil {
		return // a packet of ours can be written
	}
	c.out.buffer = b
	c.out.packets = append(c.out.packets, outbound{to: to, end: len(b)})
}
