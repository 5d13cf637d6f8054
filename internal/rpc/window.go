package rpc

import (
	"math/bits"

	"github.com/messngr/messngr/dcerpc/ncadg"
)

const (
	// maxWindow is how many fragments may be on their way at once.
	maxWindow = 32
	// firstWindow is how many are sent before anything is known of the way.
	firstWindow = 4
	// receiveWindow is what is offered to who sends to us, in KiB: maxWindow
	// fragments.
	receiveWindow = (maxWindow*ncadg.MustReceive + 1023) / 1024
	// noFragment is the number in a fack of who does not even have the first.
	noFragment = 0xFFFF
)

// An outgoing is a body that is sent in fragments, through a window that
// slides: C706 9.5.5, [MS-RPCE] 3.2.1.5.3. Those of its methods that return a
// uint32 say which fragments to send now: bit i stands for fragment base+i.
type outgoing struct {
	fragments ncadg.Fragments
	count     int
	base      int // the first that the receiver does not have
	next      int // the first that has never been sent
	window    int // how many may be on their way
	offer     int // how many the receiver is ready for

	arrived uint32            // those from base on that the receiver has all the same
	serial  uint16            // of the last packet sent
	sent    [maxWindow]uint16 // the serials of those from base on, by number mod maxWindow
}

// newOutgoing returns a body of which nothing has been sent.
func newOutgoing(body []byte) outgoing {
	o := outgoing{fragments: ncadg.Split(body, ncadg.MaxBody), window: firstWindow, offer: maxWindow}
	o.count = o.fragments.Len()
	return o
}

// put puts fragment i in p: its number, serial number, flags and bytes. ask
// says that the receiver shall say what it has.
func (o *outgoing) put(p *ncadg.Packet, i int, ask bool) {
	o.serial++
	o.sent[i%maxWindow] = o.serial
	p.Serial, p.Fragment, p.Body = o.serial, uint16(i), o.fragments.At(i)
	p.Flags1 &^= ncadg.Fragment | ncadg.LastFragment | ncadg.NoFack
	if o.count == 1 {
		return
	}
	p.Flags1 |= ncadg.Fragment
	if i == o.count-1 {
		p.Flags1 |= ncadg.LastFragment
	}
	if !ask {
		p.Flags1 |= ncadg.NoFack
	}
}

// done reports whether the receiver has everything.
func (o *outgoing) done() bool { return o.base == o.count }

// more returns the fragments that have never been sent and now may be.
func (o *outgoing) more() (send uint32) {
	for ; o.next < min(o.count, o.base+min(o.window, o.offer)); o.next++ {
		send |= 1 << (o.next - o.base)
	}
	return send
}

// again returns the fragments to send when nothing has been heard for a while,
// or the receiver asks for them: those that have not arrived, in half the
// window.
func (o *outgoing) again() (send uint32) {
	o.window = max(1, o.window/2)
	for i := o.base; i < min(o.next, o.base+o.window); i++ {
		send |= 1 << (i - o.base)
	}
	return send &^ o.arrived
}

// fack takes what the receiver says that it has, in a fack or in a nocall with
// a body, and returns the fragments to send now: new ones, and those that were
// sent before one that has arrived and so must have been lost. progress says
// that the receiver has more than before.
func (o *outgoing) fack(p *ncadg.Packet) (send uint32, progress bool) {
	inOrder := int(p.Fragment) // all up to this one have arrived
	if p.Fragment == noFragment {
		inOrder = -1
	}
	if n := inOrder + 1 - o.base; n > 0 && o.base+n <= o.next {
		o.base += n
		o.arrived >>= n
		o.window = min(maxWindow, 2*o.window)
		progress = true
	}
	body, err := ncadg.ParseFack(p.Body, p.DataRep)
	if err != nil || len(p.Body) < 16 || ncadg.SerialLess(o.serial, body.Serial) {
		return o.more(), progress // it says no more, or speaks of what was never sent
	}
	o.offer = max(1, min(maxWindow, int(body.Window)*1024/ncadg.MustReceive))
	if inOrder+1 == o.base {
		arrived := body.SelAck[0] &^ 1 // bit 0 is the first that is missing
		if n := o.next - o.base; n < 32 {
			arrived &= 1<<n - 1
		}
		progress = progress || arrived&^o.arrived != 0
		o.arrived |= arrived
	}
	for i := range bits.Len32(o.arrived) {
		before := ncadg.SerialLess(o.sent[(o.base+i)%maxWindow], body.Serial)
		if o.arrived>>i&1 == 0 && before {
			send |= 1 << i
		}
	}
	return send | o.more(), progress
}

// fackBody returns what to tell the sender of a fragment with that serial
// number of what has arrived.
func fackBody(a *ncadg.Assembler, serial uint16) ncadg.FackBody {
	return ncadg.FackBody{
		Window: receiveWindow, MaxTSDU: ncadg.MustReceive, MaxFragment: ncadg.MustReceive,
		Serial: serial, SelAck: a.SelAck(),
	}
}
