package resolver

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/messngr/messngr/netbios/nbns"
)

// statusOf returns a node status of names such as "HOST2<00>"; one with a plus
// is a group's.
func statusOf(t testing.TB, names ...string) nbns.NodeStatus {
	t.Helper()
	var s nbns.NodeStatus
	for _, text := range names {
		n := nbns.NodeName{Flags: nbns.Active}
		if text[0] == '+' {
			n.Flags |= nbns.Group
			text = text[1:]
		}
		n.Name = nameOf(t, text)
		s.Names = append(s.Names, n)
	}
	return s
}

func TestHost(t *testing.T) {
	status := func(names ...string) nbns.NodeStatus { return statusOf(t, names...) }
	conflict := status("OLD<00>", "HOST2<00>", "ALICE<03>", "BOB<03>", "HOST2<20>")
	conflict.Names[0].Flags |= nbns.Conflict
	conflict.Names[2].Flags |= nbns.Deregister
	conflict.Names[4].Flags |= nbns.Conflict
	tests := []struct {
		comment                   string
		status                    nbns.NodeStatus
		computer, workgroup, user string
		server                    bool
	}{
		{"Windows", status("HOST2<00>", "+WORKGROUP<00>", "HOST2<03>", "HOST2<20>", "+WORKGROUP<1E>", "ALICE<03>"), "HOST2<00>", "WORKGROUP<00>", "ALICE<03>", true},
		{"a web server", status("HOST2<00>", "IS~HOST2<00>", "+INET~SERVICES<1C>"), "HOST2<00>", "", "", false},
		{"nobody logged on", status("HOST2<00>", "HOST2<03>"), "HOST2<00>", "", "", false},
		{"no computer", status("+WORKGROUP<00>", "ALICE<03>"), "", "WORKGROUP<00>", "ALICE<03>", false},
		{"conflicts", conflict, "HOST2<00>", "", "BOB<03>", false},
		{"nothing", status(), "", "", "", false},
	}
	for _, test := range tests {
		h := Host{Addr: ip("10.77.0.2"), Status: test.status}
		text := func(name interface{ String() string }, ok bool) string {
			if !ok {
				return ""
			}
			return name.String()
		}
		computer, ok := h.Computer()
		got := []string{text(computer, ok)}
		workgroup, ok := h.Workgroup()
		got = append(got, text(workgroup, ok))
		user, ok := h.User()
		got = append(got, text(user, ok))
		if diff := cmp.Diff([]string{test.computer, test.workgroup, test.user}, got); diff != "" || h.FileServer() != test.server {
			t.Errorf("%s: file server %v (-want +got):\n%s", test.comment, h.FileServer(), diff)
		}
	}

	h := Host{Status: nbns.NodeStatus{Names: []nbns.NodeName{
		{Name: nameOf(t, "A<00>"), Flags: nbns.Active | nbns.Permanent},
		{Name: nameOf(t, "B<00>"), Flags: nbns.PNode | nbns.Conflict},
		{Name: nameOf(t, "C<00>"), Flags: nbns.MNode | nbns.Deregister},
		{Name: nameOf(t, "D<00>"), Flags: nbns.HNode | nbns.Group},
	}}}
	want := []Entry{
		{Name: nameOf(t, "A<00>"), NodeType: "B", Active: true, Permanent: true},
		{Name: nameOf(t, "B<00>"), NodeType: "P", Conflict: true},
		{Name: nameOf(t, "C<00>"), NodeType: "M", Deregister: true},
		{Name: nameOf(t, "D<00>"), NodeType: "H", Group: true},
	}
	if diff := cmp.Diff(want, h.Entries()); diff != "" {
		t.Errorf("Entries (-want +got):\n%s", diff)
	}
	if b, ok := h.Hardware(); ok {
		t.Errorf("Hardware = %x of a host that does not tell", b)
	}
	h.Status.UnitID[5] = 1
	if b, ok := h.Hardware(); !ok || b != [6]byte{5: 1} {
		t.Errorf("Hardware = %x, %v", b, ok)
	}
}
