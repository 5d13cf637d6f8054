package rpc

import (
	"errors"
	"slices"
	"strconv"

	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/dcerpc/ncacn"
)

// maxContexts is the most interfaces that are bound to on one connection. A
// caller binds to one or two.
const maxContexts = 32

// A binding is an interface as a caller knows it.
type binding struct {
	*Interface
	id dcerpc.SyntaxID // with the version that the caller asked for
}

// bind begins the association: [C706] 12.6.4.3, 12.6.4.4.
func (c *stream) bind(h ncacn.Header, b []byte) error {
	p, err := ncacn.ParseBind(b)
	switch {
	case c.bound:
		err = errOutOfTurn
	case err == nil && h.Flags&ncacn.Whole != ncacn.Whole:
		err = errNotWhole
	case err == nil && len(p.Contexts) == 0:
		err = errNoContexts
	}
	if err != nil {
		reason := ncacn.RejectProtocolVersion // "detected a protocol error while processing": [MS-RPCE] 2.2.2.5
		if errors.Is(err, ncacn.ErrAuth) {
			reason = ncacn.RejectAuthenticationType
		}
		c.refuse(h, reason)
		return err
	}
	c.bound = true
	c.contexts = make(map[uint16]binding)
	if c.group = p.Group; c.group == 0 {
		c.group = c.server.groups.Add(1)
	}
	c.maxTransmit = fragmentSize(p.MaxReceive)
	return c.acknowledge(p, ncacn.TypeBindAck, strconv.Itoa(int(c.local.Port())))
}

// alter adds interfaces to the association: [C706] 12.6.4.1, 12.6.4.2.
func (c *stream) alter(h ncacn.Header, b []byte) error {
	p, err := ncacn.ParseBind(b)
	switch {
	case !c.bound:
		err = errOutOfTurn
	case err == nil && h.Flags&ncacn.Whole != ncacn.Whole:
		err = errNotWhole
	}
	if err != nil {
		c.giveUp(h, err)
		return err
	}
	return c.acknowledge(p, ncacn.TypeAlterContextResponse, "")
}

// acknowledge says what becomes of each context that was offered.
func (c *stream) acknowledge(p ncacn.Bind, t ncacn.Type, address string) error {
	results := make([]ncacn.Result, len(p.Contexts))
	for i, context := range p.Contexts {
		results[i] = c.offer(context)
	}
	return c.answer(ncacn.BindAck{
		Header:      ncacn.Header{Type: t, Flags: ncacn.Whole, DataRep: p.DataRep, CallID: p.CallID},
		MaxTransmit: uint16(c.maxTransmit), MaxReceive: uint16(fragmentSize(p.MaxTransmit)),
		Group: c.group, Address: address, Results: results,
	})
}

// offer takes a context, if its interface is served and the caller speaks NDR.
// What of a bind is no interface, such as the features that Windows offers, is
// rejected with it.
func (c *stream) offer(o ncacn.Context) ncacn.Result {
	reject := ncacn.Result{Result: ncacn.ProviderRejection}
	iface := find(c.server.cfg.Interfaces, o.Interface)
	_, known := c.contexts[o.ID]
	switch {
	case iface == nil:
		c.server.stats.unknownInterface.Add(1)
		reject.Reason = ncacn.InterfaceNotSupported
	case !slices.Contains(o.Transfer, dcerpc.NDR()):
		reject.Reason = ncacn.TransferSyntaxesNotSupported
	case !known && len(c.contexts) >= maxContexts:
		reject.Reason = ncacn.ContextLimitExceeded
	default:
		c.contexts[o.ID] = binding{iface, o.Interface}
		return ncacn.Result{Result: ncacn.Accepted, Transfer: dcerpc.NDR()}
	}
	return reject
}

// fragmentSize returns the size of a packet for a peer that says it can do with
// n bytes. Everybody must be able to take 1,432: [C706] 12.6.3.1.
func fragmentSize(n uint16) int {
	return max(min(int(n), maxStreamFragment), ncacn.MustReceive)
}

// refuse answers a bind that ends the connection.
func (c *stream) refuse(h ncacn.Header, reason ncacn.RejectReason) {
	c.answer(ncacn.BindNak{
		Header: ncacn.Header{Type: ncacn.TypeBindNak, Flags: ncacn.Whole, DataRep: h.DataRep, CallID: h.CallID},
		Reason: reason, Versions: []ncacn.Version{{Major: 5, Minor: 0}, {Major: 5, Minor: 1}},
	})
}
