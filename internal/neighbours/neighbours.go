// Package neighbours remembers the hosts that announce themselves on the
// networks of this host, as the browser service of Windows and Samba do:
// [MS-BRWS] 3.2.
//
// Nothing of it is proved: anybody can announce anything. It helps people to
// find whom they can send to, and is bounded.
package neighbours

import (
	"cmp"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/messngr/messngr/mailslot/browse"
)

const (
	// maxNeighbours is the most hosts that are remembered. Past it, the one
	// that has not been heard for the longest time makes room.
	maxNeighbours = 1024
	// maxOfOne is the most that one address can announce.
	maxOfOne = 8
	// A host that has left out so many announcements has gone: [MS-BRWS] 3.2.6.
	missed = 3
	// The time between two announcements is believed within these bounds.
	minPeriod, maxPeriod = time.Minute, 12 * time.Minute
)

// A Neighbour is a host by its last announcement.
type Neighbour struct {
	Name, Workgroup  string
	Addr             netip.Addr
	OSMajor, OSMinor uint8
	Type             browse.ServerType
	Comment          string
	Seen             time.Time
	expires          time.Time
}

// A Table is the hosts that have been heard. The zero value is ready for use,
// by many goroutines.
type Table struct {
	mu  sync.Mutex
	all map[string]*Neighbour // by name
}

// Announced takes what a host at an address said of itself to a workgroup. text
// makes text of what is in the host's code page.
func (t *Table) Announced(from netip.Addr, workgroup string, a browse.Announcement, text func([]byte) string, now time.Time) {
	n := Neighbour{
		Name: text(a.Name), Workgroup: workgroup, Addr: from,
		OSMajor: a.OSMajor, OSMinor: a.OSMinor, Type: a.ServerType, Comment: text(a.Comment), Seen: now,
	}
	if a.Command == browse.DomainAnnouncement { // by the master of the workgroup that it names
		n.Name, n.Workgroup, n.Comment = n.Comment, n.Name, ""
		n.Type |= browse.MasterBrowser
		n.Type &^= browse.DomainEnum
	}
	if n.Name == "" {
		return
	}
	period := time.Duration(a.Periodicity) * time.Millisecond
	n.expires = now.Add(missed * min(max(period, minPeriod), maxPeriod))

	t.mu.Lock()
	defer t.mu.Unlock()
	t.expire(now)
	known := t.all[n.Name]
	switch {
	case known != nil && known.Addr != from && from.IsValid():
		return // who was first keeps the name until he is silent
	case a.ServerType == 0: // it goes
		delete(t.all, n.Name)
		return
	case known == nil && !t.room(from):
		return
	case known != nil && a.Command == browse.DomainAnnouncement:
		known.Seen, known.expires, known.Workgroup = now, n.expires, n.Workgroup
		return
	}
	if t.all == nil {
		t.all = make(map[string]*Neighbour)
	}
	t.all[n.Name] = &n
}

// room reports whether an address may announce one more, and makes room for it.
func (t *Table) room(from netip.Addr) bool {
	ofOne := 0
	var oldest *Neighbour
	for _, n := range t.all {
		if n.Addr == from {
			ofOne++
		}
		if oldest == nil || n.Seen.Before(oldest.Seen) {
			oldest = n
		}
	}
	if ofOne >= maxOfOne {
		return false
	}
	if len(t.all) >= maxNeighbours {
		delete(t.all, oldest.Name)
	}
	return true
}

func (t *Table) expire(now time.Time) {
	for name, n := range t.all {
		if now.After(n.expires) {
			delete(t.all, name)
		}
	}
}

// List returns the neighbours, by workgroup and name.
func (t *Table) List(now time.Time) []Neighbour {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expire(now)
	var all []Neighbour
	for _, n := range t.all {
		all = append(all, *n)
	}
	slices.SortFunc(all, func(a, b Neighbour) int {
		return cmp.Or(cmp.Compare(a.Workgroup, b.Workgroup), cmp.Compare(a.Name, b.Name))
	})
	return all
}
