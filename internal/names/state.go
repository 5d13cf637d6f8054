package names

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/messngr/messngr/internal/links"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbns"
)

// A Stage is how far this host is with a name on a link.
type Stage uint32

// The stages. Only a name that is owned is answered for; this host itself gets
// an answer for one that is being claimed, too.
const (
	Claiming Stage = iota // asking whether somebody else has it, or waiting for a server that answers
	Owned                 // ours
	Conflict              // another's; it will be claimed again
	Released              // being given up
)

func (s Stage) String() string {
	return [...]string{"claiming", "owned", "conflict", "released"}[s&3]
}

// A Holder is a host that has a name that we want.
type Holder struct {
	Addr     netip.Addr // invalid if a name server refused the name and did not say whose it is
	Names    []nbns.NodeName
	Hardware [6]byte // zero if the host does not tell; Names and Hardware are from its node status
}

func (h Holder) String() string {
	var b strings.Builder
	if !h.Addr.IsValid() {
		return "another host"
	}
	b.WriteString(h.Addr.String())
	sep := " ("
	for _, n := range h.Names {
		b.WriteString(sep)
		b.WriteString(n.Name.String())
		sep = ", "
	}
	if h.Hardware != ([6]byte{}) {
		fmt.Fprintf(&b, "%s%02x:%02x:%02x:%02x:%02x:%02x", sep, h.Hardware[0], h.Hardware[1], h.Hardware[2], h.Hardware[3], h.Hardware[4], h.Hardware[5])
		sep = ", "
	}
	if sep == ", " {
		b.WriteByte(')')
	}
	return b.String()
}

// A State is how a name stands on a link.
type State struct {
	Own
	Link   links.Link
	Stage  Stage
	Server netip.Addr // that granted it; invalid if it was claimed by broadcast
	Holder Holder     // in a conflict
	Again  time.Time  // in a conflict, and without a server that answers: when it is claimed again
}

// States returns how every name stands on every link. A host without a link has
// none, and answers to itself alone.
func (n *Node) States() []State {
	var all []State
	for _, e := range n.table.Load().order {
		for _, c := range e.claims {
			all = append(all, c.snapshot())
		}
	}
	return all
}

// A TakenError says that another host has a name.
type TakenError struct {
	Name netbios.Name
	Link links.Link // where
	Holder
}

func (e *TakenError) Error() string {
	return fmt.Sprintf("the name %s belongs to %s on %s", e.Name, e.Holder, e.Link.Name)
}
