package rpc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/dcerpc/ncacn"
)

// maxKept is the most room in bytes that a connection keeps from the arguments
// of one call for those of the next.
const maxKept = 8 << 10

// A streamCall is a call whose fragments are coming.
type streamCall struct {
	open    bool
	header  ncacn.Header // of its first fragment
	context uint16
	binding binding
	opnum   uint16
	object  dcerpc.UUID
	stub    []byte
	fault   dcerpc.Status // why it will not be executed
	started time.Time
}

// close ends the call. Its stub must not be used any more.
func (q *streamCall) close() {
	stub := q.stub[:0]
	if cap(stub) > maxKept {
		stub = nil
	}
	*q = streamCall{stub: stub}
}

// request takes a fragment of a call, and executes the call with its last one:
// [C706] 12.6.4.9.
func (c *stream) request(ctx context.Context, h ncacn.Header, b []byte) error {
	p, err := ncacn.ParseRequest(b)
	q := &c.call
	first, last := h.Flags&ncacn.First != 0, h.Flags&ncacn.Last != 0
	switch {
	case err != nil:
	case !c.bound:
		err = fmt.Errorf("%w: a call before a bind", errOutOfTurn)
	case first && q.open:
		err = fmt.Errorf("%w: a call within another", errOutOfTurn)
	case !first && (!q.open || q.header.CallID != h.CallID):
		err = fmt.Errorf("%w: a fragment without a first", errOutOfTurn)
	}
	if err != nil {
		c.giveUp(h, err)
		return err
	}
	if first {
		c.begin(p)
	}
	stub := p.Stub
	switch {
	case q.fault != 0:
	case len(q.stub)+len(stub) > c.server.cfg.MaxStub:
		c.server.stats.tooLong.Add(1)
		q.fault = dcerpc.FaultNoMemory
	case !first || !last: // the usual one fragment stays where it is
		q.stub = append(q.stub, stub...)
		stub = q.stub
	}
	if !last {
		return nil
	}
	defer q.close()
	if q.fault != 0 {
		return c.fail(q.header, q.context, q.fault, ncacn.DidNotExecute)
	}
	return c.execute(ctx, stub)
}

// begin notes what call it is, and whether it can be.
func (c *stream) begin(p ncacn.Request) {
	b, bound := c.contexts[p.Context]
	stub := c.call.stub
	c.call = streamCall{
		open: true, header: p.Header, context: p.Context, binding: b,
		opnum: p.Opnum, object: p.Object, stub: stub, started: time.Now(),
	}
	switch {
	case !bound:
		c.server.stats.unknownInterface.Add(1)
		c.call.fault = dcerpc.StatusUnknownInterface
	case p.Opnum >= b.Operations:
		c.server.stats.unknownOperation.Add(1)
		c.call.fault = dcerpc.StatusOperationRange
	case p.DataRep.EBCDIC():
		c.call.fault = dcerpc.StatusUnsupportedType
	}
}

// execute executes the call with the arguments stub and answers it. The
// connection is in use until then.
func (c *stream) execute(ctx context.Context, stub []byte) error {
	if !c.Use() {
		return errStreamEnd
	}
	defer c.Done()
	q := &c.call
	c.server.stats.calls.Add(1)
	response, fault := q.binding.Handle(ctx, Call{
		Interface: q.binding.id, Opnum: q.opnum, Object: q.object,
		DataRep: q.header.DataRep, Stub: stub,
		From: c.Remote, Local: c.local.Addr(),
		Verified: true, // a connection has shown that it is there
	})
	if fault != 0 {
		c.server.stats.faults.Add(1)
	}
	switch {
	case q.header.Flags&ncacn.Maybe != 0:
		return nil // PFC_MAYBE: no response is wanted
	case fault != 0:
		return c.fail(q.header, q.context, fault, 0)
	}
	return c.respond(response)
}

// respond sends the results of the call, in as many fragments as it takes:
// [C706] 12.6.4.10.
func (c *stream) respond(stub []byte) error {
	// All but the last have a multiple of 8 bytes, so that what stands in them
	// stays aligned.
	most := (c.maxTransmit - ncacn.ResponseSize) &^ 7
	c.SetWriteDeadline(time.Now().Add(streamWriteTimeout))
	for first := true; ; first = false {
		n := min(len(stub), most)
		p := ncacn.Response{
			Header:    ncacn.Header{Type: ncacn.TypeResponse, DataRep: c.call.header.DataRep, CallID: c.call.header.CallID},
			AllocHint: uint32(len(stub)), Context: c.call.context, Stub: stub[:n],
		}
		if first {
			p.Flags |= ncacn.First
		}
		if stub = stub[n:]; len(stub) == 0 {
			p.Flags |= ncacn.Last
		}
		if err := c.write(p); err != nil || len(stub) == 0 {
			return err
		}
	}
}

// fail answers a call with a fault: [C706] 12.6.4.7.
func (c *stream) fail(h ncacn.Header, context uint16, status dcerpc.Status, flags ncacn.Flags) error {
	if h.Flags&ncacn.Maybe != 0 {
		return nil
	}
	return c.answer(ncacn.Fault{
		Header:  ncacn.Header{Type: ncacn.TypeFault, Flags: ncacn.Whole | flags, DataRep: h.DataRep, CallID: h.CallID},
		Context: context, Status: status,
	})
}

// giveUp says why the connection ends, which err is about, before it does.
func (c *stream) giveUp(h ncacn.Header, err error) {
	status := dcerpc.StatusProtocolError
	if errors.Is(err, ncacn.ErrAuth) {
		status = dcerpc.FaultAccessDenied
	}
	c.fail(h, 0, status, ncacn.DidNotExecute)
}
