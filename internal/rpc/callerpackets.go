package rpc

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/dcerpc/ncadg"
)

// errTooLong is the error of a call whose response is longer than it may be.
var errTooLong = errors.New("the response is too long")

// receive takes a packet.
func (c *caller) receive(now time.Time, b []byte, from netip.AddrPort, out *output) {
	c.now, c.out = now, out
	p, err := ncadg.Parse(b)
	switch {
	case err != nil:
		c.stats.malformed++
		return
	case p.Type == ncadg.Request:
		c.question(&p, from)
		return
	}
	v := c.conversations[p.Activity]
	switch {
	case v == nil:
		c.stats.stray++
	case v.server.Addr() != from.Addr():
		c.stats.foreign++
	case p.Sequence != v.header.Sequence:
		c.stats.stray++
	case v.progress == over:
		if v.header.Flags1&ncadg.Idempotent == 0 && (p.Type == ncadg.Response || p.Type == ncadg.Fault) {
			v.peer = from
			c.ack(v) // the last one was lost
			return
		}
		c.stats.stray++
	default:
		c.answer(v, &p, from)
	}
}

// answer takes a packet of the server about the call that is under way.
func (c *caller) answer(v *conversation, p *ncadg.Packet, from netip.AddrPort) {
	// The endpoint mapper may hand a call to the server that it is for, which
	// answers from its own port.
	v.peer, v.heard = from, c.now
	// One that was started again knows nothing of what the one before it did.
	switch p.Type {
	case ncadg.Reject:
		if why, err := ncadg.ParseStatus(p.Body, p.DataRep); err == nil && why == dcerpc.StatusWrongBootTime && (v.boot != 0 || v.anew) {
			c.wrongBoot(v, p)
			return
		}
		fallthrough
	case ncadg.Working, ncadg.NoCall, ncadg.Fack:
		if v.boot != 0 && p.ServerBoot != 0 && p.ServerBoot != v.boot && v.header.Flags1&ncadg.Idempotent == 0 {
			c.end(v, nil, dcerpc.DataRep{}, fmt.Errorf("%s: %w", v.server, ErrRestarted))
			return
		}
	}
	v.uncertain = true
	if p.ServerBoot != 0 && p.Type != ncadg.Reject {
		v.boot = p.ServerBoot
	}
	switch p.Type {
	case ncadg.Working:
		if v.progress == sending {
			v.progress = waiting
		}
		v.due = c.now.Add(v.wait)
	case ncadg.NoCall, ncadg.Fack:
		c.fack(v, p)
	case ncadg.Response:
		c.collect(v, p)
	case ncadg.Fault:
		status, err := ncadg.ParseStatus(p.Body, p.DataRep)
		if err != nil {
			c.stats.malformed++
			return
		}
		c.stats.faults++
		c.end(v, nil, dcerpc.DataRep{}, &Fault{v.server, status})
	case ncadg.Reject:
		status, err := ncadg.ParseStatus(p.Body, p.DataRep)
		if err != nil {
			c.stats.malformed++
			return
		}
		c.stats.rejects++
		c.end(v, nil, dcerpc.DataRep{}, &Reject{v.server, status})
	default: // a cancel_ack to who has gone
		c.stats.stray++
	}
}

// wrongBoot takes it that a packet of the call was meant for the server before
// this one. If each of its packets was sent but once, the server before cannot
// have had the call whole, and it is begun again. Else that one may have
// executed it: nobody is left who knows, and it is not executed twice.
func (c *caller) wrongBoot(v *conversation, p *ncadg.Packet) {
	idempotent := v.header.Flags1&ncadg.Idempotent != 0
	switch {
	case v.anew && (v.boot == 0 || v.boot == p.ServerBoot): // about a packet from before it was begun again
		c.stats.stray++
	case v.anew || v.uncertain && !idempotent:
		c.end(v, nil, dcerpc.DataRep{}, fmt.Errorf("%s: %w", v.server, ErrRestarted))
	default:
		v.boot, v.anew = 0, true
		c.begin(v)
	}
}

// fack takes what the server has of the request.
func (c *caller) fack(v *conversation, p *ncadg.Packet) {
	switch {
	case v.progress == collecting:
	case p.Type == ncadg.NoCall && len(p.Body) == 0: // it has nothing
		c.stats.resent++
		c.begin(v)
	case v.out.count == 1: // it comes whole or not at all
	default:
		send, progress := v.out.fack(p)
		if progress {
			v.wait = c.cfg.Retry
			v.due = c.now.Add(v.wait)
		}
		if v.out.done() && v.progress == sending {
			v.progress = waiting
		}
		c.transmit(v, send)
	}
}

// collect takes a fragment of the response.
func (c *caller) collect(v *conversation, p *ncadg.Packet) {
	if p.Flags1&ncadg.Fragment == 0 {
		if v.progress == collecting {
			c.stats.stray++ // there are several
			return
		}
		if len(p.Body) > c.cfg.MaxResponse {
			c.tooLong(v)
			return
		}
		c.end(v, slices.Clone(p.Body), p.DataRep, nil)
		return
	}
	if v.progress != collecting {
		v.progress, v.wait = collecting, c.cfg.Retry
	}
	v.due = c.now.Add(v.wait)
	stub, outcome := v.fragments.Add(p.Fragment, p.Flags1&ncadg.LastFragment != 0, p.Body)
	switch outcome {
	case ncadg.Whole:
		c.end(v, stub, p.DataRep, nil)
		return
	case ncadg.TooLong:
		c.tooLong(v)
		return
	}
	if p.Flags1&ncadg.NoFack == 0 {
		c.sendFack(v, p.Serial)
	}
}

// tooLong ends a call whose response nobody wants to have.
func (c *caller) tooLong(v *conversation) {
	c.ack(v)
	c.end(v, nil, dcerpc.DataRep{}, fmt.Errorf("%s: %w: more than %d bytes", v.server, errTooLong, c.cfg.MaxResponse))
}

// sendFack tells the server what of the response has come; serial is that of the
// packet because of which it is told, 0 if there is none.
func (c *caller) sendFack(v *conversation, serial uint16) {
	p := v.header
	p.Type, p.ServerBoot, p.Fragment = ncadg.Fack, v.boot, v.fragments.InOrder()
	v.out.serial++
	p.Serial = v.out.serial
	var room [64]byte
	p.Body = fackBody(&v.fragments, serial).AppendBinary(room[:0], p.DataRep)
	c.put(&p, v.peer)
}

// ack tells the server that the answer has come.
func (c *caller) ack(v *conversation) {
	v.ackDue = time.Time{}
	c.send(v, ncadg.Ack, nil)
}

// question answers a server that asks whether we have made a call: C706
// appendix P. Only who was called is answered, and only about that.
func (c *caller) question(p *ncadg.Packet, from netip.AddrPort) {
	conv := ncadg.Conv()
	if p.Interface.UUID != conv.UUID || p.Interface.Major != conv.Major || p.Flags1&ncadg.Fragment != 0 {
		c.stats.stray++
		return
	}
	q, err := ncadg.ParseWhoAreYou(p.Body, p.DataRep)
	if err != nil {
		c.stats.malformed++
		return
	}
	v := c.conversations[q.Activity]
	switch {
	case v == nil:
		c.stats.stray++
		return
	case v.server.Addr() != from.Addr():
		c.stats.foreign++
		return
	}
	c.stats.questions++
	out := ncadg.Packet{
		Type: ncadg.Response, DataRep: p.DataRep, Object: p.Object, Interface: p.Interface, Activity: p.Activity,
		ServerBoot: c.boot, Sequence: p.Sequence, Opnum: p.Opnum,
		InterfaceHint: ncadg.NoHint, ActivityHint: ncadg.NoHint, Serial: p.Serial,
	}
	status, sequence := dcerpc.StatusOK, v.header.Sequence
	switch {
	case v.boot != 0 && q.ServerBoot != v.boot:
		status = dcerpc.StatusYouCrashed
	case v.progress == over:
		sequence++ // the last call has been answered: it must not be executed again
	default:
		v.boot, v.heard, v.uncertain = q.ServerBoot, c.now, true
	}
	var room [24]byte
	switch p.Opnum {
	case ncadg.ConvWhoAreYou, ncadg.ConvAreYouThere:
		out.Body = ncadg.WhoAreYouResponse{Sequence: sequence, Status: status}.AppendBinary(room[:0], out.DataRep)
	case ncadg.ConvWhoAreYou2:
		out.Body = ncadg.WhoAreYou2Response{Sequence: sequence, AddressSpace: c.space, Status: status}.AppendBinary(room[:0], out.DataRep)
	default: // those with authentication
		out.Type = ncadg.Reject
		out.Body = ncadg.AppendStatus(room[:0], out.DataRep, dcerpc.StatusOperationRange)
	}
	c.put(&out, from)
}
