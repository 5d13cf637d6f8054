package rpc

import (
	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/dcerpc/ncadg"
)

// ask asks the caller of the latest call whether it is there, at most every
// askAgainAfter: C706 9.5.5, conv_who_are_you2. It reports whether it did.
func (m *machine) ask(a *activity) bool {
	if a.verified || a.oneWay {
		return false
	}
	if a.asking.IsNil() {
		a.asking, a.op, a.tries = newUUID(m.random), ncadg.ConvWhoAreYou2, 0
		m.asked[a.asking] = a
	} else if m.now.Sub(a.asked) < askAgainAfter {
		return false
	}
	if a.place == 0 {
		m.timers.set(a, m.now.Add(resendAfter<<a.tries))
	}
	return m.sendQuestion(a)
}

// sendQuestion sends the question.
func (m *machine) sendQuestion(a *activity) bool {
	var room [20]byte
	rep := dcerpc.LittleEndian()
	p := ncadg.Packet{
		Type: ncadg.Request, Flags1: ncadg.Idempotent, DataRep: rep,
		Interface: ncadg.Conv(), Opnum: a.op, Activity: a.asking,
		InterfaceHint: ncadg.NoHint, ActivityHint: ncadg.NoHint,
		Body: ncadg.WhoAreYou{Activity: a.key.id, ServerBoot: m.boot}.AppendBinary(room[:0], rep),
	}
	if a.op == ncadg.ConvWhoAreYou { // it comes after the other
		p.Sequence = 1
	}
	if !m.send(a, &p) {
		return false
	}
	m.stats.questions++
	a.asked = m.now
	return true
}

// stopAsking forgets the question.
func (m *machine) stopAsking(a *activity) {
	if !a.asking.IsNil() {
		delete(m.asked, a.asking)
		a.asking = dcerpc.UUID{}
	}
}

// toQuestion takes an answer to a question.
func (m *machine) toQuestion(in *inbound) {
	p := &in.packet
	a := m.asked[p.Activity]
	switch {
	case a == nil:
		m.stats.strayAnswers++
		return
	case a.key.from != in.from:
		m.stats.forged++
		return
	case p.Opnum != a.op || p.Fragment != 0 || p.Flags1&(ncadg.Fragment|ncadg.LastFragment) == ncadg.Fragment:
		m.stats.strayAnswers++
		return
	}
	m.heard(a, in)
	switch p.Type {
	case ncadg.Response:
		m.whoItIs(a, p)
	case ncadg.Fault, ncadg.Reject:
		why, err := ncadg.ParseStatus(p.Body, p.DataRep)
		if err == nil && why == dcerpc.StatusOperationRange && a.op == ncadg.ConvWhoAreYou2 {
			a.op = ncadg.ConvWhoAreYou // it is older than the other question
			m.sendQuestion(a)
			return
		}
		m.notThere(a)
	}
}

// whoItIs takes the response to a question.
func (m *machine) whoItIs(a *activity, p *ncadg.Packet) {
	var said ncadg.WhoAreYouResponse
	var err error
	if a.op == ncadg.ConvWhoAreYou2 {
		var two ncadg.WhoAreYou2Response
		two, err = ncadg.ParseWhoAreYou2Response(p.Body, p.DataRep)
		said = ncadg.WhoAreYouResponse{Sequence: two.Sequence, Status: two.Status}
	} else {
		said, err = ncadg.ParseWhoAreYouResponse(p.Body, p.DataRep)
	}
	switch {
	case err != nil:
		m.stats.malformed++
	case said.Status != dcerpc.StatusOK:
		m.notThere(a)
	case said.Sequence != a.header.Sequence:
		// It has done with this call, whose request was on its way for long.
		m.stats.old++
		m.evict(a)
	default:
		m.stats.verified++
		m.stopAsking(a)
		m.timers.stop(a)
		a.verified, a.source.known = true, true
		m.place(a)
		m.proceed(a)
	}
}

// notThere ends a call whose caller has not answered, or not well.
func (m *machine) notThere(a *activity) {
	m.stats.notThere++
	m.refuse(a, dcerpc.StatusWhoAreYouFailed)
}
