package resolver

import (
	"net/netip"
	"testing"

	"github.com/messngr/messngr/internal/links"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbns"
)

// Whatever answers a question, it is about that question, and the addresses in
// it are some hosts'.
func FuzzAnswers(f *testing.F) {
	query := nbns.NameQuery(7, nameOf(f, "HOST2<03>"), "", true)
	status := nbns.StatusQuery(7, netbios.Wildcard, "")
	for _, p := range []nbns.Packet{
		positive(query, nbns.BNode, "10.77.0.2", "127.0.0.1"), positive(query, nbns.Group, "255.255.255.255"),
		nbns.NegativeQueryResponse(query, nbns.NameError), nbns.WaitResponse(query, 5), sendOn(query, "10.77.0.9"),
		nbns.StatusResponse(status, []byte{0}),
	} {
		f.Add(appended(f, p))
	}
	from := netip.MustParseAddr("10.77.0.2")
	asked := []peer{{links.Localhost, links.Loopback, ""}, {ip("10.77.0.255"), netip.MustParsePrefix("10.77.0.0/24"), ""}}
	r := &Resolver{peersOf: func() ([]peer, error) { return asked, nil }}
	check := func(t *testing.T, packet []byte, found Found) {
		t.Helper()
		if len(found.Addrs) == 0 || len(found.Addrs) > maxHosts || found.Addr != found.Addrs[0] {
			t.Errorf("%x: %+v", packet, found)
		}
		for _, a := range found.Addrs {
			if !isHost(a) || a.IsLoopback() {
				t.Errorf("%x: %v is no other host's address", packet, a)
			}
		}
	}
	f.Fuzz(func(t *testing.T, packet []byte) {
		if a, ok := heardFrom(query, packet, from, asked); ok {
			check(t, packet, a.found)
		}
		if p, wait, ok := response(query, packet); ok {
			if wait != 0 || p.ID != query.ID {
				t.Errorf("%x: %+v, wait %v", packet, p, wait)
			}
			if _, redirected := p.Redirect(); redirected {
				return
			}
			if a, err := r.serverAnswer(query, p, from); err == nil {
				check(t, packet, a.found)
			}
		}
		if status, ok := statusIn(status, packet); ok && len(status.Names) > 255 {
			t.Errorf("%x: %d names", packet, len(status.Names))
		}
	})
}
