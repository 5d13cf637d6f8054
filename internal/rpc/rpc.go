// Package rpc carries remote procedure calls: DCE 1.1 RPC ([C706]) over
// datagrams, as a server and as a client, and over streams, as a server. What
// the calls mean is nothing to it, but for those of the conversation manager
// with which a server asks whether its caller is there.
//
// # Datagrams
//
// A call over datagrams (ncadg_ip_udp) belongs to an activity, a thread of
// calls that a client numbers:
//
//	client                          server
//	   | request, sequence 0          |     the server does not know the activity
//	   |----------------------------->|
//	   |        conv_who_are_you2     |     so it asks the caller, at the address
//	   |<-----------------------------|     that the request came from
//	   | response: sequence 0         |
//	   |----------------------------->|     the caller is there: the call is executed
//	   |                    response  |
//	   |<-----------------------------|     sent again until it is acknowledged
//	   | ack                          |
//	   |----------------------------->|
//	   | request, sequence 1          |     from here on nobody need ask
//	   |----------------------------->|
//
// A call so taken is executed at most once, and its caller has shown that it
// receives at the address that it sends from. Calls that are marked maybe,
// broadcast or idempotent are executed without a question, if the interface
// allows it at all.
//
// # Streams
//
// A call over a connection (ncacn_ip_tcp) comes after a bind, in which the
// caller says what interfaces it wants. A connection carries one call at a
// time; that it is there at all has shown that the caller is. Nobody is
// authenticated.
package rpc

import (
	"context"
	"net/netip"

	"github.com/messngr/messngr/dcerpc"
)

// A Call is one call of an operation.
type Call struct {
	Interface dcerpc.SyntaxID
	Opnum     uint16
	Object    dcerpc.UUID    // nil if the caller names none
	DataRep   dcerpc.DataRep // of Stub, and of the response to it
	Stub      []byte         // the arguments; valid until the handler returns

	From  netip.AddrPort
	Local netip.Addr // the address that was called; invalid if the system does not say

	// Verified says that the caller has shown that it receives at From: it is
	// not somebody else who writes From on a packet.
	Verified bool
}

// A Handler executes a call. It returns the stub of the response, in the data
// representation of the call, or a fault other than 0, with which the call
// fails. It may block, and many run at once; the response must not be changed
// afterwards.
type Handler func(ctx context.Context, c Call) (response []byte, fault dcerpc.Status)

// An Interface is a set of operations that is served.
type Interface struct {
	ID         dcerpc.SyntaxID // a call may ask for an older minor version
	Operations uint16          // numbered from 0
	Handle     Handler

	// Idempotent says that all operations are so by nature: they change
	// nothing. Calls that are marked idempotent are executed for whoever asks;
	// the response must fit in one packet, and should not be much larger than
	// the request. Over datagrams only.
	Idempotent bool
	// OneWay says what becomes of calls that come without a way to ask the
	// caller whether it is there. Over datagrams only.
	OneWay OneWay
}

// OneWay says what becomes of calls over datagrams that are marked maybe,
// broadcast or, for an interface that is not so by nature, idempotent.
type OneWay uint8

const (
	// Refuse drops what is marked maybe or broadcast, and rejects the rest.
	Refuse OneWay = iota
	// Execute executes them, as calls that are not Verified.
	Execute
)

// find returns the interface that a call is for.
func find(interfaces []Interface, id dcerpc.SyntaxID) *Interface {
	for i := range interfaces {
		if interfaces[i].ID.Serves(id) {
			return &interfaces[i]
		}
	}
	return nil
}
