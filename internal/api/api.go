// Package api is the HTTP API of the service, on a unix socket in its data
// directory, and the client for it. Who may open the socket may use the API.
//
//	GET  /v1/status                             → Status
//	GET  /v1/messages?after=ID&last=N&watch=1   → one Message a line (NDJSON)
//	GET  /v1/messages?state=held                → those that are in the state
//	POST /v1/messages   Draft                   → 201 Posted
//	GET  /v1/names                              → []Alias
//	POST /v1/names      {"name": "ALICE"}       → 201 Alias, once it is claimed
//	DELETE /v1/names?name=ALICE                 → 204, once it is released
//	GET  /v1/wins                               → one WINSName a line (NDJSON)
//	POST /v1/pause, /v1/continue                → 204
//	POST /v1/release    Release                 → Released
//	POST /v1/stop                               → 200; the answer ends when the service has
//
// Each message comes once to one who watches, with the state that it has then: one
// that is held or quarantined is not to be shown, and does not come again when it
// is.
//
// An error is answered with a 4xx or 5xx code and a Problem.
package api

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/messngr/messngr"
)

// SocketName is the name of the socket in the data directory.
const SocketName = "messngr.sock"

// A Message is a stored message as JSON.
type Message struct {
	ID         messngr.ID         `json:"id"`
	From       string             `json:"from"`
	To         string             `json:"to"`
	Text       string             `json:"text"`
	Transport  messngr.Transport  `json:"transport"`
	Source     string             `json:"source"`  // the sender's address, "" for local
	Called     string             `json:"called"`  // the NetBIOS name called, such as "HOST2<03>"
	Calling    string             `json:"calling"` // and the one that called
	Provenance messngr.Provenance `json:"provenance"`
	Sent       time.Time          `json:"sent"`
	Received   time.Time          `json:"received"`
	State      messngr.State      `json:"state"`
}

func toMessage(e *messngr.Entry) Message {
	m := Message{
		ID: e.ID, From: e.From, To: e.To, Text: e.Text,
		Transport: e.Source.Transport,
		Called:    e.Source.Called, Calling: e.Source.Calling,
		Provenance: e.Provenance,
		Sent:       e.Sent, Received: e.Received,
		State: e.State,
	}
	if a := e.Source.Addr.Addr(); a.IsValid() {
		m.Source = a.String()
	}
	return m
}

// A Draft is a message to post.
type Draft struct {
	From string `json:"from"`
	To   string `json:"to"` // the computer name if empty
	Text string `json:"text"`
}

// ErrDraft is wrapped by every error about a draft that cannot be a message,
// ErrName by that about what cannot be a name, ErrState by that about a message
// with which what was asked for cannot be done any more, or not yet.
var (
	ErrDraft = errors.New("not a message")
	ErrName  = errors.New("not a name")
	ErrState = errors.New("not possible")
)

// Posted answers a Draft.
type Posted struct {
	ID messngr.ID `json:"id"`
	// State is "received", or "held" while the recipient has paused.
	State messngr.State `json:"state"`
}

// A Status is what the service says of itself.
type Status struct {
	Version   string     `json:"version"`
	PID       int        `json:"pid"`
	Started   time.Time  `json:"started"`
	Data      string     `json:"data"`
	Computer  string     `json:"computer"`
	Workgroup string     `json:"workgroup"`
	Names     []Name     `json:"names"`
	Listeners []Listener `json:"listeners"`
	// Paused says that messages are held; Held and Quarantined, how many are
	// kept and not shown.
	Paused      bool  `json:"paused"`
	Held        int   `json:"held"`
	Quarantined int   `json:"quarantined"`
	Copies      int64 `json:"copies"` // messages that came again, another way, and were not shown twice
}

// A Neighbour is a host that has announced itself. Nothing of it is proved.
type Neighbour struct {
	Name      string    `json:"name"`
	Workgroup string    `json:"workgroup"`
	Address   string    `json:"address"`
	OS        string    `json:"os"`   // the version, such as "6.1"
	Type      string    `json:"type"` // what it is and offers, in words
	Comment   string    `json:"comment"`
	Seen      time.Time `json:"seen"` // its last announcement
}

// A Listener is a door of the service.
type Listener struct {
	Name    string   `json:"name"`    // such as "smb"
	What    string   `json:"what"`    // what comes through it, in words
	Address string   `json:"address"` // such as "[::]:139/tcp"
	Open    bool     `json:"open"`
	Off     bool     `json:"off,omitempty"`    // the configuration has not turned it on
	On      []string `json:"on,omitempty"`     // the addresses on which peers reach it
	For     string   `json:"for,omitempty"`    // who is served, in words; "" for those whom the guard serves
	Error   string   `json:"error,omitempty"`  // why it is not open
	Remedy  string   `json:"remedy,omitempty"` // what to do about it
	// Counters are what it has counted since the start.
	Counters map[string]int64 `json:"counters,omitempty"`
}

// Line says in one line whether the listener is open, on which addresses and for
// whom, or why not and what to do.
func (l Listener) Line() string {
	if l.Open {
		line := fmt.Sprintf("%-7s%s (%s)", "open", l.What, l.Address)
		if len(l.On) > 0 {
			line += " on " + strings.Join(l.On, ", ")
		}
		if l.For != "" {
			line += " for " + l.For
		}
		return line
	}
	if l.Off {
		return fmt.Sprintf("%-7s%s (%s): %s", "off", l.What, l.Address, l.Remedy)
	}
	line := fmt.Sprintf("%-7s%s (%s): %s", "closed", l.What, l.Address, l.Error)
	if l.Remedy != "" {
		line += "; " + l.Remedy
	}
	return line
}
