package rpc

import (
	"math/bits"
	"net/netip"

	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/dcerpc/ncadg"
)

// header returns what all packets to the caller have of its request.
func (m *machine) header(p *ncadg.Packet) ncadg.Packet {
	return ncadg.Packet{
		DataRep: p.DataRep, Object: p.Object, Interface: p.Interface, Activity: p.Activity,
		ServerBoot: m.boot, Sequence: p.Sequence, Opnum: p.Opnum,
		InterfaceHint: ncadg.NoHint, ActivityHint: ncadg.NoHint,
	}
}

// send sends a packet to the caller of an activity. Until it is known to be
// there, it gets no more bytes than have come from there: whoever forges an
// address has nothing amplified. But a call that is executed without a question
// gets its answer, which is one packet.
func (m *machine) send(a *activity, p *ncadg.Packet) bool {
	if !a.verified && !m.admitted(a, ncadg.HeaderSize+len(p.Body)) {
		m.stats.unsent++
		return false
	}
	m.put(p, a.key.from, a.via)
	return true
}

// admitted reports whether so many bytes may be sent to the caller of an
// activity that has not answered, and counts them.
func (m *machine) admitted(a *activity, size int) bool {
	free := a.oneWay && a.stage == answered && a.answer != ncadg.Reject
	if !free && size > a.credit || !m.mayTell(a.source) {
		return false
	}
	if !free {
		a.credit -= size
	}
	return true
}

// reply sends a packet for which no activity stands, if it is no longer than
// that to which it is the reply.
func (m *machine) reply(in *inbound, p *ncadg.Packet) {
	if ncadg.HeaderSize+len(p.Body) > in.size || !m.mayTell(m.sources[sourceOf(in.from.Addr())]) {
		m.stats.unsent++
		return
	}
	m.put(p, in.from, in.via)
}

// reject says why a request is not taken, but not to who wants no answer.
func (m *machine) reject(in *inbound, why dcerpc.Status) {
	if in.packet.Flags1&(ncadg.Maybe|ncadg.Broadcast) != 0 {
		return
	}
	m.stats.rejects++
	p := m.header(&in.packet)
	p.Type = ncadg.Reject
	var room [4]byte
	p.Body = ncadg.AppendStatus(room[:0], p.DataRep, why)
	m.reply(in, &p)
}

// put appends a packet to the output.
func (m *machine) put(p *ncadg.Packet, to netip.AddrPort, via path) {
	b, err := p.AppendBinary(m.out.buffer)
	if err != nil {
		return // a packet of ours can be written
	}
	m.out.buffer = b
	m.out.packets = append(m.out.packets, outbound{to, via, len(b)})
}

// finish answers the latest call. A response or a fault to a caller that is
// there is sent until it is acknowledged.
func (m *machine) finish(a *activity, t ncadg.PacketType, body []byte) {
	a.stage, a.answer, a.out = answered, t, newOutgoing(body)
	a.held += len(body)
	m.held += len(body)
	m.transmit(a, a.out.more())
	a.tries = 0
	if t != ncadg.Reject && a.verified && !a.oneWay {
		m.timers.set(a, m.now.Add(resendAfter))
	}
	m.place(a)
	m.relieve(a)
}

// refuse rejects the latest call, now and whenever it comes again.
func (m *machine) refuse(a *activity, why dcerpc.Status) {
	m.clear(a)
	if a.silent {
		a.stage = settled
		m.place(a)
		return
	}
	m.stats.rejects++
	m.finish(a, ncadg.Reject, ncadg.AppendStatus(nil, a.header.DataRep, why))
}

// transmit sends fragments of the answer: bit i is that at a.out.base+i.
func (m *machine) transmit(a *activity, send uint32) {
	for send != 0 {
		i := bits.TrailingZeros32(send)
		send &^= 1 << i
		p := a.header
		p.Type = a.answer
		a.out.put(&p, a.out.base+i, send == 0)
		m.send(a, &p)
	}
}

// repeat says again how the latest call stands, which the caller does not seem
// to know.
func (m *machine) repeat(a *activity) {
	switch a.stage {
	case executing:
		m.stats.duplicates++
		p := a.header
		p.Type = ncadg.Working
		m.send(a, &p)
	case answered:
		m.stats.duplicates++
		m.transmit(a, a.out.again())
	case settled: // the packet was on its way for long
		m.stats.old++
	}
}

// ping says how a call stands: C706 9.5.3, [MS-RPCE] 3.2.3.5.5.
func (m *machine) ping(in *inbound) {
	p := &in.packet
	a := m.activities[activityKey{p.Activity, in.from}]
	switch {
	case a == nil || ncadg.SequenceLess(a.header.Sequence, p.Sequence): // its request was lost
		m.stats.noCall++
		out := m.header(p)
		out.Type = ncadg.NoCall
		m.reply(in, &out)
	case a.header.Sequence != p.Sequence:
		m.stats.old++
	case a.stage != receiving:
		m.heard(a, in)
		m.repeat(a)
	case !a.whole:
		m.heard(a, in)
		m.sendFragments(a, ncadg.NoCall, p.Serial)
	default: // it has not answered our question
		m.heard(a, in)
		if !m.ask(a) {
			out := a.header
			out.Type = ncadg.Working
			m.send(a, &out)
		}
	}
}

// latest returns the activity whose latest call a packet is about, if the call
// has an answer.
func (m *machine) latest(in *inbound) *activity {
	a := m.activities[activityKey{in.packet.Activity, in.from}]
	if a == nil || a.header.Sequence != in.packet.Sequence || a.stage != answered || a.answer == ncadg.Reject {
		m.stats.stray++
		return nil
	}
	m.heard(a, in)
	return a
}

// ack takes it that the caller has the answer.
func (m *machine) ack(in *inbound) {
	if a := m.latest(in); a != nil {
		m.settle(a)
	}
}

// fack takes which fragments of the answer the caller has.
func (m *machine) fack(in *inbound) {
	a := m.latest(in)
	if a == nil {
		return
	}
	send, progress := a.out.fack(&in.packet)
	if a.out.done() {
		m.settle(a)
		return
	}
	if progress && a.place > 0 {
		a.tries = 0
		m.timers.set(a, m.now.Add(resendAfter))
	}
	m.transmit(a, send)
}

// settle ends the latest call.
func (m *machine) settle(a *activity) {
	m.clear(a)
	a.stage = settled
	m.place(a)
}

// cancel says that calls cannot be cancelled: they take a moment only, and a
// message that is stored is not taken back.
func (m *machine) cancel(in *inbound) {
	a := m.activities[activityKey{in.packet.Activity, in.from}]
	if a == nil || a.header.Sequence != in.packet.Sequence || a.stage == settled {
		m.stats.stray++
		return
	}
	m.stats.cancels++
	m.heard(a, in)
	if a.stage == answered {
		m.repeat(a)
		return
	}
	p := a.header
	p.Type = ncadg.CancelAck
	// Windows sends a cancel without a body, and wants one back.
	if c, err := ncadg.ParseCancel(in.packet.Body, in.packet.DataRep); err == nil {
		p.Body = ncadg.CancelAckBody{ID: c.ID}.AppendBinary(nil, p.DataRep)
	}
	m.send(a, &p)
}
