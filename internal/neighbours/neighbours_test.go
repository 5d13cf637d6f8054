package neighbours

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/messngr/messngr/mailslot/browse"
)

var (
	now   = time.Date(2026, 11, 23, 8, 40, 0, 0, time.UTC)
	addr9 = netip.MustParseAddr("10.77.0.9")
	addr8 = netip.MustParseAddr("10.77.0.8")
)

func text(b []byte) string { return string(b) }

// host returns an announcement of a host.
func host(name string) browse.Announcement {
	return browse.Announcement{
		Command: browse.HostAnnouncement, Periodicity: 60_000, Name: []byte(name),
		OSMajor: 6, OSMinor: 1, ServerType: browse.Workstation | browse.Server, Comment: []byte("a comment"),
	}
}

func names(t *Table, at time.Time) []string {
	var all []string
	for _, n := range t.List(at) {
		all = append(all, n.Workgroup+"/"+n.Name)
	}
	return all
}

func TestTable(t *testing.T) {
	var table Table
	table.Announced(addr9, "OFFICE", host("HOST9"), text, now)
	table.Announced(addr8, "OFFICE", host("HOST8"), text, now)
	table.Announced(addr8, "LAB", host("ALAB"), text, now)
	want := Neighbour{
		Name: "HOST9", Workgroup: "OFFICE", Addr: addr9, OSMajor: 6, OSMinor: 1,
		Type: browse.Workstation | browse.Server, Comment: "a comment", Seen: now, expires: now.Add(3 * time.Minute),
	}
	all := table.List(now)
	if len(all) != 3 || all[2] != want || all[0].Workgroup != "LAB" || all[1].Name != "HOST8" {
		t.Errorf("got %+v", all)
	}
	// One who announces himself again stays, the others have gone after three
	// times.
	table.Announced(addr9, "OFFICE", host("HOST9"), text, now.Add(2*time.Minute))
	if got := names(&table, now.Add(4*time.Minute)); !slices.Equal(got, []string{"OFFICE/HOST9"}) {
		t.Errorf("after four minutes %q", got)
	}
	goodbye := host("HOST9")
	goodbye.ServerType, goodbye.Periodicity = 0, 0
	table.Announced(addr9, "OFFICE", goodbye, text, now.Add(2*time.Minute))
	if got := names(&table, now.Add(2*time.Minute)); got != nil {
		t.Errorf("after his goodbye %q", got)
	}
}

// Who masters a workgroup says so in the name of the workgroup.
func TestMaster(t *testing.T) {
	var table Table
	domain := browse.Announcement{
		Command: browse.DomainAnnouncement, Periodicity: 60_000, Name: []byte("OFFICE"),
		ServerType: browse.DomainEnum | browse.NT, Comment: []byte("HOST9"),
	}
	table.Announced(addr9, "\x01\x02__MSBROWSE__\x02", domain, text, now)
	all := table.List(now)
	if len(all) != 1 || all[0].Name != "HOST9" || all[0].Workgroup != "OFFICE" || all[0].Comment != "" || all[0].Type != browse.NT|browse.MasterBrowser {
		t.Fatalf("got %+v", all)
	}
	// What the host says of itself is worth more.
	table.Announced(addr9, "OFFICE", host("HOST9"), text, now)
	table.Announced(addr9, "\x01\x02__MSBROWSE__\x02", domain, text, now.Add(time.Minute))
	if all = table.List(now); len(all) != 1 || all[0].Comment != "a comment" || !all[0].Seen.Equal(now.Add(time.Minute)) {
		t.Errorf("got %+v", all)
	}
}

// Nobody can take a name from one who is there, fill the table, or have a name
// that is none.
func TestForgers(t *testing.T) {
	var table Table
	table.Announced(addr9, "OFFICE", host("HOST9"), text, now)
	forged := host("HOST9")
	forged.Comment = []byte("forged")
	table.Announced(addr8, "OFFICE", forged, text, now)
	forged.ServerType = 0
	table.Announced(addr8, "OFFICE", forged, text, now)
	table.Announced(addr8, "OFFICE", host(""), text, now)
	if all := table.List(now); len(all) != 1 || all[0].Comment != "a comment" {
		t.Errorf("got %+v", all)
	}
	for i := range 100 {
		table.Announced(addr8, "OFFICE", host(fmt.Sprint(i)), text, now)
	}
	if n := len(table.List(now)); n != 1+maxOfOne {
		t.Errorf("%d neighbours after many of one address", n)
	}
	for i := range 5000 {
		a := netip.AddrFrom4([4]byte{10, 78, byte(i >> 8), byte(i)})
		forever := host(fmt.Sprint("F", i))
		forever.Periodicity = 1<<32 - 1
		table.Announced(a, "OFFICE", forever, text, now)
	}
	if n := len(table.List(now)); n != maxNeighbours {
		t.Errorf("%d neighbours, want %d", n, maxNeighbours)
	}
	if n := len(table.List(now.Add(missed*maxPeriod + time.Second))); n != 0 {
		t.Errorf("%d stay for ever", n)
	}
}
