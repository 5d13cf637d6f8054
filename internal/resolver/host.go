package resolver

import (
	"net/netip"

	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbns"
)

// A Host is a host by its node status.
type Host struct {
	Addr   netip.Addr
	Status nbns.NodeStatus
}

// Computer returns the name of the computer, its first unique <00>.
func (h Host) Computer() (netbios.Name, bool) {
	return h.first(func(e Entry) bool { return !e.Group && e.Name.Suffix() == netbios.Workstation })
}

// Workgroup returns the name of its workgroup or domain, its first group <00>.
func (h Host) Workgroup() (netbios.Name, bool) {
	return h.first(func(e Entry) bool { return e.Group && e.Name.Suffix() == netbios.Workstation })
}

// User returns the name of the user that is logged on: the first of Users.
func (h Host) User() (netbios.Name, bool) {
	users := h.Users()
	if len(users) == 0 {
		return netbios.Name{}, false
	}
	return users[0], true
}

// Users returns the names that messages can be sent to but the computer's: each
// unique <03>. An alias looks as a user does.
func (h Host) Users() []netbios.Name {
	computer, _ := h.Computer()
	var users []netbios.Name
	h.first(func(e Entry) bool {
		if !e.Group && e.Name.Suffix() == netbios.Messenger && e.Name != computer.WithSuffix(netbios.Messenger) {
			users = append(users, e.Name)
		}
		return false
	})
	return users
}

// FileServer reports whether it has a unique <20>: it shares files or printers.
func (h Host) FileServer() bool {
	_, ok := h.first(func(e Entry) bool { return !e.Group && e.Name.Suffix() == netbios.FileServer })
	return ok
}

// Hardware returns the address of its network interface; false if it does not
// tell, as Samba does not.
func (h Host) Hardware() ([6]byte, bool) {
	return h.Status.UnitID, h.Status.UnitID != [6]byte{}
}

// first returns the first name that is neither in conflict nor about to be
// given up, for which is holds.
func (h Host) first(is func(Entry) bool) (netbios.Name, bool) {
	for _, n := range h.Status.Names {
		if e := newEntry(n); !e.Conflict && !e.Deregister && is(e) {
			return e.Name, true
		}
	}
	return netbios.Name{}, false
}

// Entries returns the names as the host has registered them.
func (h Host) Entries() []Entry {
	entries := make([]Entry, len(h.Status.Names))
	for i, n := range h.Status.Names {
		entries[i] = newEntry(n)
	}
	return entries
}

// An Entry is one name of a node status, with its flags in words: RFC 1002
// 4.2.18.
type Entry struct {
	Name       netbios.Name
	Group      bool
	NodeType   string // "B", "P", "M" or "H"
	Deregister bool   // about to be given up
	Conflict   bool   // another host claims it too
	Active     bool   // in use
	Permanent  bool   // of the host itself
}

func newEntry(n nbns.NodeName) Entry {
	nodeType := "B"
	switch n.Flags & nbns.OwnerNodeType {
	case nbns.PNode:
		nodeType = "P"
	case nbns.MNode:
		nodeType = "M"
	case nbns.HNode:
		nodeType = "H"
	}
	has := func(f nbns.NameFlags) bool { return n.Flags&f != 0 }
	return Entry{n.Name, has(nbns.Group), nodeType, has(nbns.Deregister), has(nbns.Conflict), has(nbns.Active), has(nbns.Permanent)}
}
