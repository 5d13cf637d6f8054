package names

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/messngr/messngr/internal/links"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbns"
)

// testLinks are what the nodes of these tests take for the host's networks.
var testLinks = []links.Link{
	{Name: "eth0", Addr: ip("10.9.9.1"), Prefix: netip.MustParsePrefix("10.9.0.0/16"), Broadcast: ip("10.9.255.255"), Hardware: [6]byte{2, 0, 0, 0, 0, 1}},
	{Name: "eth1", Addr: ip("10.9.8.1"), Prefix: netip.MustParsePrefix("10.9.8.0/24"), Broadcast: ip("10.9.8.255"), Hardware: [6]byte{2, 0, 0, 0, 0, 2}},
}

// newTestNode returns a node that answers for LEGACY, ALICE and WORKGROUP. Its
// socket is on a free port of the loopback.
func newTestNode(t testing.TB, own ...Own) *Node {
	t.Helper()
	if own == nil {
		var err error
		if own, err = OwnNames("LEGACY", "WORKGROUP", "ALICE"); err != nil {
			t.Fatal(err)
		}
	}
	n, err := Listen(t.Context(), Config{
		Listen: "127.0.0.1:0",
		Names:  own,
		Serve:  func(addr netip.Addr) bool { return addr != ip("10.9.9.66") },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	n.answers.readLinks = func() ([]links.Link, error) { return testLinks, nil }
	return n
}

// run runs a node until the test ends.
func run(t testing.TB, n *Node) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- n.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	<-n.Ready()
}

// A node that runs answers on its socket, and ends with its context.
func TestNodeRuns(t *testing.T) {
	n := newTestNode(t)
	run(t, n)
	conn, err := net.Dial("udp4", n.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := conn.Write(appended(t, nbns.NameQuery(7, nameOf(t, "ALICE<03>"), "", true))); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, nbns.MaxSize)
	size, err := conn.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := nbns.Parse(b[:size]); err != nil || p.ID != 7 || !p.Response || p.Answer.Name != nameOf(t, "ALICE<03>") {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestNodeAnswers(t *testing.T) {
	legacy, workgroup, nobody := nameOf(t, "LEGACY<03>"), nameOf(t, "WORKGROUP<00>"), nameOf(t, "NOBODY<03>")
	addrs := func(flags nbns.NameFlags, ips ...string) []nbns.Addr {
		var a []nbns.Addr
		for _, text := range ips {
			a = append(a, nbns.Addr{Flags: flags, Addr: ip(text)})
		}
		return a
	}
	release := nbns.NameQuery(1, legacy, "", true)
	release.Opcode = nbns.Release
	response := nbns.NameQuery(1, legacy, "", true)
	response.Response = true
	otherType := nbns.NameQuery(1, legacy, "", true)
	otherType.Question.Type = nbns.TypeA
	otherClass := nbns.NameQuery(1, legacy, "", true)
	otherClass.Question.Class = 3
	direct := nbns.NameQuery(1, nobody, "", false)
	direct.Flags = 0

	tests := []struct {
		comment string
		query   nbns.Packet
		from    string
		want    []nbns.Addr // nil: no answer
	}{
		{"a name of ours", nbns.NameQuery(1, legacy, "", true), "10.9.9.2", addrs(nbns.BNode, "10.9.9.1")},
		{"without broadcast", nbns.NameQuery(1, legacy, "", false), "10.9.9.2", addrs(nbns.BNode, "10.9.9.1")},
		{"from the smaller of two networks", nbns.NameQuery(1, legacy, "", true), "10.9.8.2", addrs(nbns.BNode, "10.9.8.1")},
		{"from this host", nbns.NameQuery(1, legacy, "", true), "10.9.9.1", addrs(nbns.BNode, "10.9.9.1")},
		{"from the loopback", nbns.NameQuery(1, legacy, "", true), "127.0.0.1", addrs(nbns.BNode, "127.0.0.1")},
		{"from behind a router", nbns.NameQuery(1, legacy, "", false), "192.0.2.1", addrs(nbns.BNode, "10.9.9.1", "10.9.8.1")},
		{"a group", nbns.NameQuery(1, workgroup, "", true), "10.9.9.2", addrs(nbns.Group, "10.9.9.1")},
		{"another suffix", nbns.NameQuery(1, legacy.WithSuffix(netbios.FileServer), "", true), "10.9.9.2", nil},
		{"somebody else's name", nbns.NameQuery(1, nobody, "", true), "10.9.9.2", nil},
		{"somebody else's name, asked of a name server", nbns.NameQuery(1, nobody, "", false), "10.9.9.2", nil},
		{"a scope", nbns.NameQuery(1, legacy, "\x01x", true), "10.9.9.2", nil},
		{"the wildcard", nbns.NameQuery(1, netbios.Wildcard, "", true), "10.9.9.2", nil},
		{"a source that is not served", nbns.NameQuery(1, legacy, "", true), "10.9.9.66", nil},
		{"a response", response, "10.9.9.2", nil},
		{"a release", release, "10.9.9.2", nil},
		{"another type", otherType, "10.9.9.2", nil},
		{"another class", otherClass, "10.9.9.2", nil},
		{"a header alone", nbns.Packet{}, "10.9.9.2", nil},
	}
	n := newTestNode(t)
	for _, test := range tests {
		reply := n.handle(appended(t, test.query), ip(test.from), time.Now())
		if test.want == nil {
			if reply != nil {
				t.Errorf("%s: answered with %x", test.comment, reply)
			}
			continue
		}
		p, err := nbns.Parse(reply)
		if err != nil {
			t.Errorf("%s: %v", test.comment, err)
			continue
		}
		got, err := nbns.ParseAddrs(nil, p.Answer.Data)
		if diff := cmp.Diff(test.want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", test.comment, err, diff)
		}
		if p.ID != 1 || p.Answer.Name != test.query.Question.Name || !p.Response || p.RCode != nbns.Success {
			t.Errorf("%s: reply %+v", test.comment, p)
		}
	}
}

// The questions are those that nmbd 4.17.12 was asked, and the answers its own,
// but for RA, which is a name server's, for the time to live, which is that of
// Windows, and for the names and the hardware address in the status.
func TestNodeBytes(t *testing.T) {
	const legacy = "20454d4546454845424544464a4341434143414341434143414341434143414144" + "00"
	const nobody = "20454f4550454345504545464a4341434143414341434143414341434143414144" + "00"
	const wildcard = "20434b414141414141414141414141414141414141414141414141414141414141" + "00"
	const status = "05" +
		"4c454741435920202020202020202000" + "0400" +
		"4c454741435920202020202020202003" + "0400" +
		"414c4943452020202020202020202003" + "0400" +
		"574f524b47524f555020202020202000" + "8400"
	tests := []struct{ comment, query, want string }{
		{"broadcast", "1001 0110 0001000000000000" + legacy + "00200001", "1001 8500 0000000100000000" + legacy + "00200001 000493e0 0006 0000 0a090901"},
		{"unknown, without recursion desired", "1006 0000 0001000000000000" + nobody + "00200001", "1006 8503 0000000100000000" + nobody + "000a0001 00000000 0000"},
		{"status", "100b 0000 0001000000000000" + legacy + "00210001", "100b 8400 0000000100000000" + legacy + "00210001 00000000 0077" + strings.Replace(status, "05", "04", 1) + "020000000001" + strings.Repeat("00", 40)},
		{"status of *", "100b 0010 0001000000000000" + wildcard + "00210001", "100b 8400 0000000100000000" + wildcard + "00210001 00000000 0077" + strings.Replace(status, "05", "04", 1) + "020000000001" + strings.Repeat("00", 40)},
		{"status of nobody", "100b 0000 0001000000000000" + nobody + "00210001", ""},
	}
	n := newTestNode(t)
	for _, test := range tests {
		query, err := hex.DecodeString(strings.ReplaceAll(test.query, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		got := hex.EncodeToString(n.handle(query, ip("10.9.9.2"), time.Now()))
		if want := strings.ReplaceAll(test.want, " ", ""); got != want {
			t.Errorf("%s:\n%s, want\n%s", test.comment, got, want)
		}
	}
}

func TestNodeUnitID(t *testing.T) {
	n := newTestNode(t)
	query := appended(t, nbns.StatusQuery(1, netbios.Wildcard, ""))
	for from, want := range map[string][6]byte{
		"10.9.9.2":  testLinks[0].Hardware,
		"10.9.8.2":  testLinks[1].Hardware,
		"127.0.0.1": {},
		"192.0.2.1": {},
	} {
		p, err := nbns.Parse(n.handle(query, ip(from), time.Now()))
		if err != nil {
			t.Fatal(err)
		}
		if s, err := nbns.ParseNodeStatus(p.Answer.Data); err != nil || s.UnitID != want {
			t.Errorf("from %s: unit id %x, %v; want %x", from, s.UnitID, err, want)
		}
	}
}

func TestNodeManyNames(t *testing.T) {
	var own []Own
	for i := range 300 {
		own = append(own, Own{Name: nameOf(t, fmt.Sprintf("USER%d<03>", i))})
	}
	n := newTestNode(t, own...)
	reply := n.handle(appended(t, nbns.StatusQuery(1, netbios.Wildcard, "")), ip("10.9.9.2"), time.Now())
	p, err := nbns.Parse(reply)
	if err != nil || len(reply) > nbns.MaxSize || p.Flags&nbns.Truncated == 0 {
		t.Errorf("%d bytes, flags %#x, %v; want at most %d, truncated", len(reply), p.Flags, err, nbns.MaxSize)
	}
	if n.handle(appended(t, nbns.NameQuery(1, own[299].Name, "", true)), ip("10.9.9.2"), time.Now()) == nil {
		t.Error("a name that does not fit in the status is not answered for")
	}
}

func TestNodeManyAddrs(t *testing.T) {
	n := newTestNode(t)
	var several []links.Link
	for i := range 20 {
		addr := netip.AddrFrom4([4]byte{10, 1, byte(i), 1})
		several = append(several, links.Link{Addr: addr, Prefix: netip.PrefixFrom(addr, 24).Masked()})
	}
	n.answers.readLinks = func() ([]links.Link, error) { return several, nil }
	query := appended(t, nbns.NameQuery(1, nameOf(t, "LEGACY<03>"), "", false))
	p, err := nbns.Parse(n.handle(query, ip("192.0.2.1"), time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	if addrs, err := nbns.ParseAddrs(nil, p.Answer.Data); err != nil || len(addrs) != maxAddrs {
		t.Errorf("%d addresses, %v; want %d", len(addrs), err, maxAddrs)
	}

	// Without any address there is nothing to say.
	n = newTestNode(t)
	n.answers.readLinks = func() ([]links.Link, error) { return nil, nil }
	if reply := n.handle(query, ip("192.0.2.1"), time.Now()); reply != nil {
		t.Errorf("answered with %x without an address", reply)
	}
}

func TestNodeReadsLinksSeldom(t *testing.T) {
	n := newTestNode(t)
	reads, fail := 0, false
	n.answers.readLinks = func() ([]links.Link, error) {
		if reads++; fail {
			return nil, errors.New("no")
		}
		return testLinks, nil
	}
	query := appended(t, nbns.NameQuery(1, nameOf(t, "LEGACY<03>"), "", true))
	now := time.Now()
	for i := range 100 {
		n.handle(query, ip("10.9.9.2"), now.Add(time.Duration(i)*linksAge/100))
	}
	if reads != 1 {
		t.Errorf("the addresses were read %d times within %v, want once", reads, linksAge)
	}
	fail = true
	if n.handle(query, ip("10.9.9.2"), now.Add(2*linksAge)) == nil || reads != 2 {
		t.Errorf("after %d reads, the last of which failed, there is no answer; want that of the first", reads)
	}
}

func TestNodeCounters(t *testing.T) {
	n := newTestNode(t)
	good := appended(t, nbns.NameQuery(1, nameOf(t, "LEGACY<03>"), "", true))
	n.handle(good, ip("10.9.9.2"), time.Now())
	n.handle(appended(t, nbns.NameQuery(1, nameOf(t, "NOBODY<03>"), "", true)), ip("10.9.9.2"), time.Now())
	n.handle(good, ip("10.9.9.66"), time.Now())
	for size := range good {
		if reply := n.handle(good[:size], ip("10.9.9.2"), time.Now()); reply != nil {
			t.Errorf("%d bytes of a query were answered with %x", size, reply)
		}
	}
	want := map[string]int64{"queries": 2, "answered": 1, "refused_source": 1, "malformed": int64(len(good))}
	if diff := cmp.Diff(want, n.Counters()); diff != "" {
		t.Error(diff)
	}
}

func TestNodeAllocations(t *testing.T) {
	n := newTestNode(t)
	now := time.Now()
	for comment, packet := range map[string][]byte{
		"name":    appended(t, nbns.NameQuery(1, nameOf(t, "LEGACY<03>"), "", true)),
		"nobody":  appended(t, nbns.NameQuery(1, nameOf(t, "NOBODY<03>"), "", true)),
		"status":  appended(t, nbns.StatusQuery(1, netbios.Wildcard, "")),
		"routed":  nil,
		"refused": nil,
	} {
		from := ip("10.9.9.2")
		switch comment {
		case "routed":
			from, packet = ip("192.0.2.1"), appended(t, nbns.NameQuery(1, nameOf(t, "LEGACY<03>"), "", false))
		case "refused":
			from, packet = ip("10.9.9.66"), appended(t, nbns.NameQuery(1, nameOf(t, "LEGACY<03>"), "", true))
		}
		n.handle(packet, from, now)
		if allocs := testing.AllocsPerRun(100, func() { n.handle(packet, from, now) }); allocs != 0 {
			t.Errorf("%s: %v allocations", comment, allocs)
		}
	}
}

func TestListenErrors(t *testing.T) {
	n := newTestNode(t)
	if _, err := Listen(t.Context(), Config{Listen: n.Addr().String()}); err == nil || !strings.HasPrefix(err.Error(), "name service: listen udp4") {
		t.Errorf("a port that is taken: %v", err)
	}
	name := nameOf(t, "HOST2<03>")
	if _, err := Listen(t.Context(), Config{Listen: "127.0.0.1:0", Names: []Own{{name, false}, {name, true}}}); err == nil || !strings.Contains(err.Error(), "HOST2<03> is there twice") {
		t.Errorf("a name that is there twice: %v", err)
	}
}

func TestNodeServesLoopbackByDefault(t *testing.T) {
	n, err := Listen(t.Context(), Config{Listen: "127.0.0.1:0", Names: []Own{{nameOf(t, "LEGACY<03>"), false}}})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	query := appended(t, nbns.NameQuery(1, nameOf(t, "LEGACY<03>"), "", true))
	if n.handle(query, ip("10.9.9.2"), time.Now()) != nil || n.handle(query, links.Localhost, time.Now()) == nil {
		t.Error("want an answer for the links.Loopback, and none for others")
	}
}

func TestNodeString(t *testing.T) {
	n := newTestNode(t)
	if got, want := n.String(), fmt.Sprintf("name service on udp 127.0.0.1:%d", n.Addr().Port()); got != want {
		t.Errorf("String = %q, want %q", got, want)
	}
}

func TestNodeRunFails(t *testing.T) {
	n := newTestNode(t)
	n.Close()
	if err := n.Run(t.Context()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Run on a closed socket: %v, want net.ErrClosed", err)
	}
}

func FuzzNode(f *testing.F) {
	own, err := OwnNames("LEGACY", "WORKGROUP")
	if err != nil {
		f.Fatal(err)
	}
	a, err := newAnswers(own)
	if err != nil {
		f.Fatal(err)
	}
	a.readLinks = func() ([]links.Link, error) { return testLinks, nil }
	n := &Node{serve: func(netip.Addr) bool { return true }, answers: a}
	f.Add(appended(f, nbns.NameQuery(1, nameOf(f, "LEGACY<03>"), "", true)))
	f.Add(appended(f, nbns.NameQuery(1, nameOf(f, "WORKGROUP<00>"), "", false)))
	f.Add(appended(f, nbns.NameQuery(1, nameOf(f, "NOBODY<03>"), "\x03abc", false)))
	f.Add(appended(f, nbns.StatusQuery(1, netbios.Wildcard, "")))
	f.Fuzz(func(t *testing.T, packet []byte) {
		reply := n.handle(packet, ip("192.0.2.1"), time.Now())
		if reply == nil {
			return
		}
		p, err := nbns.Parse(reply)
		if err != nil || !p.Response || p.ID != uint16(packet[0])<<8|uint16(packet[1]) {
			t.Errorf("%x was answered with %x: %v", packet, reply, err)
		}
		if len(reply) > nbns.MaxSize {
			t.Errorf("%d bytes were answered with %d", len(packet), len(reply))
		}
	})
}

func BenchmarkNodeHandle(b *testing.B) {
	n := newTestNode(b)
	query := appended(b, nbns.NameQuery(1, nameOf(b, "LEGACY<03>"), "", true))
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		if n.handle(query, testLinks[0].Addr, now) == nil {
			b.Fatal("no answer")
		}
	}
}
