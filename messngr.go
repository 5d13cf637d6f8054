// Package messngr holds the values that every part of Messngr speaks of: a
// [Message], where it came from, what happened to it. It does no I/O.
//
// The life of a message: a listener or the API turns what arrived into a
// Message; the guard admits it; the store makes it durable and only then is
// its sender told "yes"; the hub hands it to whoever shows it. What happens to
// it afterwards is a sequence of [Receipt] values, which is only ever appended
// to.
package messngr

import (
	"errors"
	"net/netip"
	"time"
)

// Errors with which the one door (guard, store) refuses a message, or says that
// nobody sees it now. A listener translates them into the codes of its transport.
var (
	// ErrRefused says that the guard does not serve this source.
	ErrRefused = errors.New("refused")
	// ErrNoRoom says that the message is too large or that it could not be
	// stored; nothing of it was kept.
	ErrNoRoom = errors.New("no room")
	// ErrPaused says that the recipient has paused. Unlike with the others, the
	// message is durable: it is held, and shown when the recipient continues.
	ErrPaused = errors.New("the recipient has paused")
)

// A Transport names the way by which a message came or goes.
type Transport string

// The transports.
const (
	SMB      Transport = "smb"      // SMB_COM_SEND_* commands on a NetBIOS session (TCP 139)
	Mailslot Transport = "mailslot" // a write to \MAILSLOT\MESSNGR in a NetBIOS datagram (UDP 138)
	RPC      Transport = "rpc"      // NetrSendMessage over connectionless RPC (UDP 135 and the port that it maps)
	Local    Transport = "local"    // the service's own unix socket
)

// A Provenance says what is known of a sender. None but Authenticated
// authorises anything.
type Provenance string

// The grades of provenance.
const (
	Authenticated Provenance = "authenticated" // native, by key, token or the permissions of a local socket
	Claimed       Provenance = "claimed"       // what the sender said of itself; nobody checked
)

// A Priority runs from 1, lowest, to 5, highest.
type Priority uint8

// Normal is the priority of a message whose transport carries none.
const Normal Priority = 3

// A Source says how a message came.
type Source struct {
	Transport Transport
	// Addr is the remote address and port; invalid for Local.
	Addr netip.AddrPort
	// Called and Calling are the NetBIOS names of the session as text, such as
	// "HOST2<03>"; empty where the transport has none.
	Called, Calling string
}

// A Message is what was said.
type Message struct {
	ID       ID
	From, To string // as the sender wrote them, UTF-8, no control characters
	// Text is UTF-8 with "\n" for line ends and with no other control
	// character. The line end after the last line is dropped.
	Text       string
	Priority   Priority
	Sent       time.Time // the sender's clock; equal to Received where the transport carries none
	Received   time.Time // when the last byte of it was here
	Source     Source
	Provenance Provenance
}

// A State is a step in the life of a message at a recipient.
type State string

// The states. A message that is held or quarantined comes with its first
// receipt; one that has been kept back is Displayed when it is shown at last, or
// Received where there is no screen to show it on.
const (
	Received    State = "received"    // durable here; the state of a message without a receipt
	Displayed   State = "displayed"   // put on a screen
	Held        State = "held"        // kept back until the recipient continues
	Quarantined State = "quarantined" // kept back until a person releases it
)

// Withheld reports whether a message in that state is kept and not shown.
func (s State) Withheld() bool { return s == Held || s == Quarantined }

// A Receipt says that a message has reached a state. Receipts are appended,
// never changed.
type Receipt struct {
	Message ID
	State   State
	At      time.Time
	// By names who or what brought the message there, such as "terminal".
	By string
}

// An Entry is a message as the store keeps it: with its latest state.
type Entry struct {
	Message
	State State
}

// A DeliveryState says how far a delivery has come.
type DeliveryState string

// The states of a delivery.
const (
	Accepted DeliveryState = "accepted" // the host took it: it says nothing about reading
	Failed   DeliveryState = "failed"
)

// A Delivery is the sender's side of a message, for one recipient.
type Delivery struct {
	To        string // as the sender named the recipient
	State     DeliveryState
	Transport Transport
	Addr      netip.AddrPort // where it went; invalid when no address was found
	Called    string         // the NetBIOS name that was called
	FoundBy   string         // how the address was found: lmhosts, broadcast, dns, address
	CodePage  int            // in which the text went
	Lost      int            // characters that the code page does not have, sent as '?'
	NERR      NERR           // why it failed; 0 when it did not
	Detail    string         // what happened and what to do, in one line
	At        time.Time
}
