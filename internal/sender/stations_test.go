package sender

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/internal/resolver"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbss"
)

// userOf returns a user of a host.
func userOf(t testing.TB, name, host string) User {
	t.Helper()
	n, err := netbios.NewName(name, netbios.Messenger)
	if err != nil {
		t.Fatal(err)
	}
	return User{name, netip.MustParseAddr(host), n}
}

// Users are called at the host that said to have them, whatever their names
// could mean elsewhere, and reported on in their order.
func TestSendToUsers(t *testing.T) {
	r := newRecipient(t, at(0, func(s *session, p nbss.Packet) { // it does not have MALLORY
		if q, _ := nbss.ParseRequest(p.Trailer); q.Called.Base() == "MALLORY" {
			s.packet(nbss.NegativeResponse, []byte{byte(nbss.CalledNameNotPresent)})
			return
		}
		s.yes(p)
	}))
	s := newSender(t, r, nil)
	users := []User{
		userOf(t, "ALICE", "127.0.0.1"),
		userOf(t, "MALLORY", "127.0.0.1"),
		userOf(t, "127.0.0.99", "127.0.0.1"), // an address
		userOf(t, "HOST2.TEST", "127.0.0.1"), // a host of the DNS
		userOf(t, "HOST2", "127.0.0.98"),     // in LMHOSTS it is at 127.0.0.1
	}
	type outcome struct {
		To, Called string
		Addr       netip.Addr
		State      messngr.DeliveryState
	}
	var got []outcome
	s.SendToUsers(t.Context(), users, Draft{From: "BOB", Text: "x"}, func(d messngr.Delivery) {
		got = append(got, outcome{d.To, d.Called, d.Addr.Addr(), d.State})
	})
	host := netip.MustParseAddr("127.0.0.1")
	want := []outcome{
		{"ALICE", "ALICE<03>", host, messngr.Accepted},
		{"MALLORY", "MALLORY<03>", host, messngr.Failed},
		{"127.0.0.99", "127.0.0.99<03>", host, messngr.Accepted},
		{"HOST2.TEST", "HOST2.TEST<03>", host, messngr.Accepted},
		{"HOST2", "HOST2<03>", netip.MustParseAddr("127.0.0.98"), messngr.Failed},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A host on two networks, which says the same on both, is one station. One that
// only calls itself the same does not hide another's users.
func TestStationsOnTwoNetworks(t *testing.T) {
	host2, alice, bob := own("HOST2", netbios.Workstation, 0), own("ALICE", netbios.Messenger, 0), own("BOB", netbios.Messenger, 0)
	port := newNodeAt(t, "127.0.0.2:0", host2, alice)
	newNodeAt(t, fmt.Sprint("127.0.0.3:", port), host2, alice)
	newNodeAt(t, fmt.Sprint("127.0.0.4:", port), host2, bob)
	newNodeAt(t, fmt.Sprint("127.0.0.5:", port), alice) // has no name of its own
	newNodeAt(t, fmt.Sprint("127.0.0.6:", port))        // is silent
	s := newSender(t, newRecipient(t, nil), func(c *Config) { c.Resolver.Port = port })
	var hosts []resolver.Found
	for i := range 5 {
		hosts = append(hosts, resolver.Found{Addr: netip.AddrFrom4([4]byte{127, 0, 0, byte(2 + i)})})
	}
	stations, err := s.stations(t.Context(), hosts)
	var got []string
	for _, st := range stations {
		line := fmt.Sprint(st.Addr, " ", st.Name)
		for _, u := range st.Users {
			line += " " + u.Name + "@" + u.Host.String()
		}
		got = append(got, line)
	}
	want := []string{"127.0.0.2 HOST2 ALICE@127.0.0.2", "127.0.0.4 HOST2 BOB@127.0.0.4", "127.0.0.5  ALICE@127.0.0.5", "127.0.0.6 "}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
