package names

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/messngr/messngr/internal/links"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbns"
)

// still returns a node that does not run, whose names are owned.
func still(t testing.TB) *Node {
	t.Helper()
	own, err := OwnNames("HOST2", "WORKGROUP", "ALICE")
	if err != nil {
		t.Fatal(err)
	}
	lan := &testLAN{hosts: map[netip.Addr]*testConn{}}
	n, err := newNode(Config{Names: own, Serve: func(netip.Addr) bool { return true }}, lan.conn("10.77.0.2"))
	if err != nil {
		t.Fatal(err)
	}
	n.table.Store(n.newTable([]links.Link{linkOf("10.77.0.2")}, nil))
	for _, e := range n.table.Load().order {
		for _, c := range e.claims {
			c.set(Owned, netip.Addr{}, Holder{}, time.Time{})
		}
	}
	return n
}

var asker = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 77, 0, 9}), Port)

// Whatever arrives, a reply can be read and is no larger than a real host's.
func FuzzHandle(f *testing.F) {
	host2 := nameOf(f, "HOST2<03>")
	for _, p := range []nbns.Packet{
		nbns.NameQuery(1, host2, "", true), nbns.NameQuery(1, host2, "\x01X", false), nbns.StatusQuery(1, netbios.Wildcard, ""),
		nbns.RegistrationRequest(1, host2, "", 9, addrOf(0, "10.77.0.9"), true), nbns.ReleaseRequest(1, host2, "", nil, false),
		nbns.ConflictDemand(1, host2, ""), nbns.PositiveQueryResponse(nbns.NameQuery(1, host2, "", true), 0, nil),
	} {
		f.Add(appended(f, p))
	}
	n := still(f)
	f.Fuzz(func(t *testing.T, packet []byte) {
		reply, ok := n.handle(packet, asker, time.Now())
		if !ok {
			return
		}
		b := appended(t, reply)
		if p, err := nbns.Parse(b); err != nil || !p.Response || len(b) > nbns.MaxSize {
			t.Errorf("%x is answered with %x, %v", packet, b, err)
		}
	})
}

// What is not answered is counted, by the reason.
func TestCounted(t *testing.T) {
	query := nbns.NameQuery(1, nameOf(t, "HOST2<03>"), "", true)
	changed := func(change func(*nbns.Packet)) []byte {
		p := query
		change(&p)
		return appended(t, p)
	}
	good := appended(t, query)
	loop := slices.Clone(good)
	copy(loop[12:], []byte{0xC0, 12}) // the name begins where it begins
	lying := slices.Clone(good)
	lying[7] = 200 // answers
	for name, tt := range map[string]struct {
		packet []byte
		from   string
		want   string
	}{
		"half a packet":         {good[:len(good)/2], "10.77.0.9", "truncated"},
		"nothing":               {nil, "10.77.0.9", "truncated"},
		"a pointer that loops":  {loop, "10.77.0.9", "malformed"},
		"a count that lies":     {lying, "10.77.0.9", "malformed"},
		"a class of nobody":     {changed(func(p *nbns.Packet) { p.Question.Class = 3 }), "10.77.0.9", "senseless"},
		"a type of nobody":      {changed(func(p *nbns.Packet) { p.Question.Type = nbns.TypeA }), "10.77.0.9", "senseless"},
		"an opcode of nobody":   {changed(func(p *nbns.Packet) { p.Opcode = 3 }), "10.77.0.9", "senseless"},
		"an answer to nothing":  {changed(func(p *nbns.Packet) { *p = nbns.PositiveQueryResponse(query, 0, nil) }), "10.77.0.9", "stray_answers"},
		"from who isn't served": {good, "10.77.0.66", "refused_source"},
		"a good one":            {good, "10.77.0.9", "answered"},
	} {
		n := still(t)
		n.cfg.Serve = func(a netip.Addr) bool { return a != ip("10.77.0.66") }
		reply, ok := n.handle(tt.packet, netip.AddrPortFrom(ip(tt.from), Port), time.Now())
		if c := n.Counters(); c[tt.want] != 1 || ok != (tt.want == "answered") {
			t.Errorf("%s: counted %v, answered %v %v", name, c, reply, ok)
		}
	}
}

// An answer costs no allocation.
func TestAllocations(t *testing.T) {
	n := still(t)
	for name, p := range map[string]nbns.Packet{
		"name query": nbns.NameQuery(1, nameOf(t, "HOST2<03>"), "", true), "node status": nbns.StatusQuery(1, netbios.Wildcard, ""),
		"nobody's name": nbns.NameQuery(1, nameOf(t, "NOBODY<03>"), "", true),
	} {
		packet := appended(t, p)
		if got := testing.AllocsPerRun(100, func() { answerTo(n, packet) }); got != 0 {
			t.Errorf("%s: %v allocations", name, got)
		}
	}
}

func answerTo(n *Node, packet []byte) {
	if reply, ok := n.handle(packet, asker, time.Time{}); ok {
		n.packet, _ = reply.AppendBinary(n.packet[:0])
	}
}

func BenchmarkNameQuery(b *testing.B) {
	benchmark(b, nbns.NameQuery(1, nameOf(b, "HOST2<03>"), "", true))
}

func BenchmarkNodeStatus(b *testing.B) { benchmark(b, nbns.StatusQuery(1, netbios.Wildcard, "")) }

func benchmark(b *testing.B, p nbns.Packet) {
	n, packet := still(b), appended(b, p)
	b.ReportAllocs()
	for b.Loop() {
		answerTo(n, packet)
	}
}
