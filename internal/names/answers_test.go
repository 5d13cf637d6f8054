package names

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbns"
)

// Who asks for the name that stands for everybody is answered by each host
// whose computer name is its own.
func TestEverybodyAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := newTestLAN(t)
		n := lan.node("10.77.0.2", nil, "WORKGROUP<00> group", "HOST2<00>", "ALICE<03>")
		defer n.stop()
		query := nbns.NameQuery(7, netbios.Wildcard, "", true)
		if got := lan.answers("10.77.0.9", "10.77.0.255", query); len(got) > 0 {
			t.Errorf("before the name is owned it says %+v", got)
		}
		after(2 * time.Second)
		want := []nbns.Packet{nbns.PositiveQueryResponse(query, grantedTTL, addrOf(nbns.BNode, "10.77.0.2"))}
		if diff := cmp.Diff(want, lan.answers("10.77.0.9", "10.77.0.255", query)); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		scoped := nbns.NameQuery(8, netbios.Wildcard, "\x01X", true)
		if got := lan.answers("10.77.0.9", "10.77.0.255", scoped); len(got) > 0 {
			t.Errorf("in another scope it says %+v", got)
		}
	})
}

// A host without a name of its own has nothing to say for itself.
func TestNobodyAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := newTestLAN(t)
		n := lan.node("10.77.0.2", nil, "WORKGROUP<00> group")
		defer n.stop()
		after(2 * time.Second)
		if got := lan.answers("10.77.0.9", "10.77.0.255", nbns.NameQuery(7, netbios.Wildcard, "", true)); len(got) > 0 {
			t.Errorf("it says %+v", got)
		}
	})
}
