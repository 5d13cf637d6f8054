package rpc

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/dcerpc/ncadg"
)

const (
	// resendAfter is how long an answer waits to be acknowledged, and a
	// question to the caller to be answered; twice as long each time. C706
	// appendix K has TIMEOUT_RESEND at two seconds, and [MS-RPCE] one.
	resendAfter = time.Second
	// maxTries is how often they are sent after the first time.
	maxTries = 4
	// askAgainAfter is how soon a caller is asked again that sends again.
	askAgainAfter = 250 * time.Millisecond
	// forgetAfter is when an activity is forgotten of which nothing is heard:
	// C706 appendix K, TIMEOUT_IDLE.
	forgetAfter = 300 * time.Second
	// forgetUnverifiedAfter is when, if its caller has never answered.
	forgetUnverifiedAfter = 45 * time.Second
)

// A path is the way that packets of a caller come and that answers go: through
// a socket, to one of our addresses.
type path struct {
	socket *DatagramServer
	local  netip.Addr // invalid if it is not known
}

// An inbound is a packet that has come.
type inbound struct {
	packet ncadg.Packet
	from   netip.AddrPort
	via    path
	size   int // of all of it, in bytes
}

// An outbound is a packet to send: the bytes of its output's buffer up to end.
type outbound struct {
	to  netip.AddrPort
	via path
	end int
}

// An output is what is to be done after a machine was told something.
type output struct {
	packets []outbound
	buffer  []byte
	jobs    []*job // calls to execute
}

// reset makes room for what comes next.
func (o *output) reset() {
	clear(o.jobs)
	*o = output{o.packets[:0], o.buffer[:0], o.jobs[:0]}
}

// each calls send with each of the packets.
func (o *output) each(send func(b []byte, to netip.AddrPort, via path)) {
	start := 0
	for _, p := range o.packets {
		send(o.buffer[start:p.end], p.to, p.via)
		start = p.end
	}
}

// A machine is the server's side of the protocol: C706 10.2. It has no sockets
// and no clock: it is told of packets, of calls that have been executed, and of
// the time, and says what to send and to execute. It is not safe for concurrent
// use.
type machine struct {
	cfg    *Config
	boot   uint32 // tells callers that we are not who we were before: never 0
	random *rand.ChaCha8
	stats  machineStats

	activities map[activityKey]*activity
	asked      map[dcerpc.UUID]*activity // by the activity of the question
	sources    map[netip.Prefix]*source
	unverified list
	idle       list
	timers     timers
	spare      *activity // one that was evicted, for the next: a flood leaves no garbage
	running    int       // calls that handlers have
	held       int       // bytes of requests and answers

	strangersTold  int       // packets to sources that are not known, beside the share of each
	strangersSince time.Time // in the window that began then

	// Of what the machine is being told.
	now time.Time
	out *output
}

// newMachine returns a machine without activities. Its random numbers are as
// good as the seed.
func newMachine(cfg *Config, boot uint32, seed [32]byte) *machine {
	return &machine{
		cfg: cfg, boot: max(boot, 1), random: rand.NewChaCha8(seed),
		activities: make(map[activityKey]*activity),
		asked:      make(map[dcerpc.UUID]*activity),
		sources:    make(map[netip.Prefix]*source),
		unverified: list{which: inTable},
		idle:       list{which: inTable},
	}
}

// receive takes a packet.
func (m *machine) receive(now time.Time, b []byte, from netip.AddrPort, via path, out *output) {
	m.now, m.out = now, out
	p, err := ncadg.Parse(b)
	if err != nil {
		m.stats.malformed++
		m.otherVersion(b, from, via)
		return
	}
	in := &inbound{p, from, via, len(b)}
	switch p.Type {
	case ncadg.Request:
		m.request(in)
	case ncadg.Ping:
		m.ping(in)
	case ncadg.Ack:
		m.ack(in)
	case ncadg.Fack:
		m.fack(in)
	case ncadg.Cancel:
		m.cancel(in)
	case ncadg.CancelAck:
		m.stats.stray++ // we cancel nothing
	default: // to our question whether it is there
		m.toQuestion(in)
	}
}

// otherVersion rejects a request of another version of the protocol, if it is
// one: C706 12.5.2.1.
func (m *machine) otherVersion(b []byte, from netip.AddrPort, via path) {
	if len(b) < ncadg.HeaderSize || b[0]&0x0F == ncadg.Version || ncadg.PacketType(b[1]) != ncadg.Request {
		return
	}
	header := [ncadg.HeaderSize]byte(b)
	header[0], header[74], header[75] = ncadg.Version, 0, 0
	if p, err := ncadg.Parse(header[:]); err == nil {
		m.reject(&inbound{p, from, via, len(b)}, dcerpc.StatusProtocolError)
	}
}

// request takes a fragment of a call.
func (m *machine) request(in *inbound) {
	p := &in.packet
	iface := find(m.cfg.Interfaces, p.Interface)
	silent := p.Flags1&(ncadg.Maybe|ncadg.Broadcast) != 0
	oneWay := silent || p.Flags1&ncadg.Idempotent != 0
	switch {
	case p.AuthProto != 0:
		m.stats.authenticated++
		m.reject(in, dcerpc.StatusProtocolError)
		return
	case p.ServerBoot != 0 && p.ServerBoot != m.boot:
		m.stats.wrongBoot++
		m.reject(in, dcerpc.StatusWrongBootTime)
		return
	case iface == nil:
		m.stats.unknownInterface++
		m.reject(in, dcerpc.StatusUnknownInterface)
		return
	case p.Opnum >= iface.Operations:
		m.stats.unknownOperation++
		m.reject(in, dcerpc.StatusOperationRange)
		return
	case oneWay && iface.OneWay != Execute && (silent || !iface.Idempotent):
		m.stats.refusedOneWay++
		m.reject(in, dcerpc.StatusUnspecifiedReject)
		return
	}
	key := activityKey{p.Activity, in.from}
	a := m.activities[key]
	switch {
	case a == nil:
		if a = m.admit(key); a == nil {
			m.stats.noRoom++
			m.reject(in, dcerpc.StatusServerTooBusy)
			return
		}
		m.heard(a, in)
		m.begin(a, p, iface, oneWay, silent)
	case ncadg.SequenceLess(p.Sequence, a.header.Sequence):
		m.stats.old++
		return
	case p.Sequence != a.header.Sequence: // the caller has done with the last one
		m.heard(a, in)
		m.begin(a, p, iface, oneWay, silent)
	default:
		m.heard(a, in)
		if a.stage != receiving {
			m.repeat(a)
			return
		}
	}
	m.fragment(a, p)
}

// begin makes a call the latest of its activity.
func (m *machine) begin(a *activity, p *ncadg.Packet, iface *Interface, oneWay, silent bool) {
	m.clear(a)
	a.header = m.header(p)
	a.iface, a.oneWay, a.silent = iface, oneWay, silent
	a.stage = receiving
	a.fragments = ncadg.Assembler{MaxBytes: m.cfg.MaxStub}
	if !a.verified && !oneWay {
		m.ask(a)
	}
}

// fragment takes a fragment of the latest call, of which some are missing or
// whose caller has not answered yet.
func (m *machine) fragment(a *activity, p *ncadg.Packet) {
	switch {
	case a.whole:
		m.stats.duplicates++
		m.ask(a) // the answer may be lost
		if p.Flags1&ncadg.Fragment != 0 {
			m.tellFragments(a, p)
		}
		return
	case p.Flags1&ncadg.Fragment != 0:
		before := a.fragments.Held()
		stub, outcome := a.fragments.Add(p.Fragment, p.Flags1&ncadg.LastFragment != 0, p.Body)
		switch outcome {
		case ncadg.Duplicate:
			m.stats.duplicates++
		case ncadg.Contradiction:
			m.stats.contradictions++
			return
		case ncadg.TooLong:
			m.stats.tooLong++
			m.refuse(a, dcerpc.StatusProtocolError)
			return
		}
		if !m.hold(a, a.fragments.Held()-before) {
			return
		}
		m.tellFragments(a, p)
		a.stub, a.whole = stub, outcome == ncadg.Whole
	case a.fragments.Held() > 0:
		m.stats.contradictions++
		return
	case len(p.Body) > m.cfg.MaxStub:
		m.stats.tooLong++
		m.refuse(a, dcerpc.StatusProtocolError)
		return
	default:
		if !m.hold(a, len(p.Body)) {
			return
		}
		a.stub, a.whole = append([]byte(nil), p.Body...), true
	}
	m.proceed(a)
}

// tellFragments tells the caller which fragments have come, if it asks for it
// with this one.
func (m *machine) tellFragments(a *activity, p *ncadg.Packet) {
	if p.Flags1&ncadg.NoFack == 0 {
		m.sendFragments(a, ncadg.Fack, p.Serial)
	}
}

// sendFragments sends a fack or a nocall with what a fack has.
func (m *machine) sendFragments(a *activity, t ncadg.PacketType, serial uint16) {
	out := a.header
	out.Type, out.Fragment = t, a.fragments.InOrder()
	var room [64]byte
	body := fackBody(&a.fragments, serial)
	out.Body = body.AppendBinary(room[:0], out.DataRep)
	m.send(a, &out)
}

// proceed executes the call if it is whole and its caller is there.
func (m *machine) proceed(a *activity) {
	if !a.whole || !a.verified && !a.oneWay {
		return
	}
	if m.running >= m.cfg.MaxCalls || a.source.running >= m.cfg.MaxCallsPerSource {
		m.stats.tooBusy++
		m.refuse(a, dcerpc.StatusServerTooBusy)
		return
	}
	if a.oneWay && !a.iface.Idempotent {
		m.stats.oneWay++
	}
	m.stats.calls++
	m.running++
	a.source.running++
	a.stage = executing
	m.timers.stop(a)
	m.place(a)
	a.job = &job{activity: a, source: a.source, handle: a.iface.Handle, via: a.via, call: Call{
		Interface: a.header.Interface, Opnum: a.header.Opnum, Object: a.header.Object,
		DataRep: a.header.DataRep, Stub: a.stub,
		From: a.key.from, Local: a.via.local,
		Verified: a.verified && (!a.oneWay || a.iface.Idempotent),
	}}
	m.out.jobs = append(m.out.jobs, a.job)
}

// executed takes what a handler has returned.
func (m *machine) executed(now time.Time, j *job, response []byte, fault dcerpc.Status, out *output) {
	m.now, m.out = now, out
	m.running--
	j.source.running--
	a := j.activity
	if a.job != j { // the caller has given it up, or the activity is another by now
		m.stats.abandoned++
		m.forgetSource(j.source)
		return
	}
	a.job = nil
	m.release(a)
	switch {
	case a.silent:
		a.stage = settled
		m.place(a)
		return
	case fault == dcerpc.StatusOK && len(response) > m.maxResponse(a):
		fault = dcerpc.StatusOutArgsTooBig
	}
	if fault != dcerpc.StatusOK {
		m.stats.faults++
		m.finish(a, ncadg.Fault, ncadg.AppendStatus(nil, a.header.DataRep, fault))
		return
	}
	m.finish(a, ncadg.Response, response)
}

// maxResponse returns how long a response may be. One to a caller that has not
// shown that it is there must fit in one packet.
func (m *machine) maxResponse(a *activity) int {
	if a.verified {
		return 1024 * ncadg.MaxBody // as many fragments as anybody's Assembler takes
	}
	return ncadg.MaxBody
}

// newUUID returns a random UUID: RFC 9562 5.4.
func newUUID(r *rand.ChaCha8) (u dcerpc.UUID) {
	binary.BigEndian.PutUint64(u[:], r.Uint64())
	binary.BigEndian.PutUint64(u[8:], r.Uint64())
	u[6] = u[6]&0x0F | 0x40
	u[8] = u[8]&0x3F | 0x80
	return u
}
