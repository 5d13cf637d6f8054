package resolver

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/messngr/messngr/netbios/nbns"
)

// Each source knows SELF, and one name of its own: LMHOSTS FILE, the name server
// WINS, the nodes BCAST, the DNS dns. PRE is a line with #PRE.
func TestOrder(t *testing.T) {
	node := newPeer(t, "127.0.0.1:0", func(query nbns.Packet, _ int, send func([]byte)) {
		switch query.Question.Name.Base() {
		case "SELF", "BCAST", "PRE":
			send(appended(t, positive(query, nbns.BNode, "10.77.0.3")))
		}
	})
	_, servers := newServers(t, func(query nbns.Packet, before int, send func([]byte)) {
		switch query.Question.Name.Base() {
		case "SELF", "WINS", "PRE":
			known(t, 0, "10.77.0.2")(query, before, send)
		default:
			unknown(t, nbns.NameError)(query, before, send)
		}
	})
	dir := write(t, map[string]string{"lmhosts": "10.77.0.1 SELF\n10.77.0.1 FILE\n10.77.0.1 PRE #PRE\n"})
	path := filepath.Join(dir, "lmhosts")
	hosts, err := ReadLMHosts(path)
	if err != nil {
		t.Fatal(err)
	}
	wins := fmt.Sprintf("wins %v", servers[0])
	const bcast, dns = "broadcast on test0 (127.0.0.1)", "DNS"
	tests := []struct {
		nodeType   string
		order      []string
		name, host string
		want       string
	}{
		{"", nil, "NOBODY<03>", "nobody", "tried lmhosts, " + wins + ", " + bcast + ", " + dns},
		{"H", nil, "NOBODY<03>", "nobody", "tried lmhosts, " + wins + ", " + bcast + ", " + dns},
		{"M", nil, "NOBODY<03>", "nobody", "tried lmhosts, " + bcast + ", " + wins + ", " + dns},
		{"P", nil, "NOBODY<03>", "nobody", "tried lmhosts, " + wins + ", " + dns},
		{"B", nil, "NOBODY<03>", "nobody", "tried lmhosts, " + bcast + ", " + dns},
		{"B", []string{"dns", "wins"}, "NOBODY<03>", "nobody", "tried DNS, " + wins},

		{"H", nil, "SELF<03>", "", "lmhosts " + path + ":1"},
		{"H", []string{"wins", "broadcast", "lmhosts"}, "SELF<03>", "", wins},
		{"H", []string{"broadcast", "wins", "lmhosts"}, "SELF<03>", "", bcast},
		{"H", nil, "WINS<03>", "", wins},
		{"H", nil, "BCAST<03>", "", bcast},
		{"H", nil, "DNS<03>", "dns", "dns"},
		{"B", nil, "WINS<03>", "", "tried lmhosts, " + bcast},

		// #PRE comes before everything, wherever LMHOSTS stands.
		{"H", []string{"wins", "lmhosts"}, "PRE<03>", "", "lmhosts " + path + ":3"},
		{"H", []string{"wins"}, "PRE<03>", "", "lmhosts " + path + ":3"},
		{"H", []string{"wins", "lmhosts"}, "FILE<03>", "", "lmhosts " + path + ":2"},

		// The DNS has hosts only; one with a dot is looked up there first.
		{"H", nil, "NOBODY<1B>", "nobody", "tried lmhosts, " + wins + ", " + bcast},
		{"H", nil, "NOBODY<1B>", "nobody.example.com", "tried lmhosts, " + wins + ", " + bcast},
		{"H", nil, "NOBODY<20>", "nobody.example.com", "tried DNS, lmhosts, " + wins + ", " + bcast},
		{"H", []string{"dns", "lmhosts"}, "NOBODY<20>", "nobody.example.com", "tried DNS, lmhosts"},
		{"H", []string{"lmhosts"}, "DNS<20>", "dns.example.com", "tried lmhosts"}, // where it is not in the order, never

		{"X", nil, "SELF<03>", "", `"X" is no node type: there are B, P, M and H`},
		{"", []string{"hosts"}, "SELF<03>", "", `"hosts" is nowhere to look names up: there are lmhosts, wins, broadcast and dns`},
	}
	for _, test := range tests {
		r := asking(node.port(), "127.0.0.1")
		r.LMHosts, r.Servers, r.NodeType, r.Order = hosts, servers, test.nodeType, test.order
		found, err := r.Resolve(t.Context(), nameOf(t, test.name), test.host)
		got := found.Source()
		if err != nil {
			got = err.Error()
		}
		if got != test.want && got != test.name+" was not found: "+test.want && got != test.host+" was not found: "+test.want {
			t.Errorf("%s, %v: %s, %q:\n got %s\nwant %s", test.nodeType, test.order, test.name, test.host, got, test.want)
		}
	}

	r := asking(node.port(), "127.0.0.1")
	r.NodeType = "P"
	if _, err := r.Resolve(t.Context(), nameOf(t, "NOBODY<03>"), ""); err == nil || err.Error() != "NOBODY<03> was not found: tried lmhosts, wins (no server is configured)" {
		t.Errorf("a P node without servers: %v", err)
	}
}
