package resolver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/messngr/messngr/internal/links"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbns"
)

// A testPeer is a name service on the loopback that does what a test wants.
type testPeer struct {
	conn    *net.UDPConn
	queries atomic.Int32
}

// newPeer starts a peer at addr; answer gets each query, how many there were
// before it, and a way to send a packet back.
func newPeer(t testing.TB, addr string, answer func(query nbns.Packet, before int, send func([]byte))) *testPeer {
	t.Helper()
	return newPeerOf(t, addr, func(query nbns.Packet, before int, _ netip.AddrPort, send func([]byte)) { answer(query, before, send) })
}

// newPeerOf is newPeer for an answer that also gets from where it was asked.
func newPeerOf(t testing.TB, addr string, answer func(query nbns.Packet, before int, from netip.AddrPort, send func([]byte))) *testPeer {
	t.Helper()
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(addr)))
	if err != nil {
		t.Fatal(err)
	}
	p := &testPeer{conn: conn}
	done := make(chan struct{})
	t.Cleanup(func() {
		conn.Close()
		<-done
	})
	go func() {
		defer close(done)
		packet := make([]byte, 1024)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(packet)
			if err != nil {
				return
			}
			query, err := nbns.Parse(packet[:n])
			if err != nil {
				t.Errorf("peer got %x: %v", packet[:n], err)
				continue
			}
			answer(query, int(p.queries.Add(1))-1, from, func(b []byte) { conn.WriteToUDPAddrPort(b, from) })
		}
	}()
	return p
}

func (p *testPeer) port() uint16 { return p.conn.LocalAddr().(*net.UDPAddr).AddrPort().Port() }

func silent(nbns.Packet, int, func([]byte)) {}

// positive returns the owner's answer to a query, with the given addresses.
func positive(query nbns.Packet, flags nbns.NameFlags, addrs ...string) nbns.Packet {
	var rdata []byte
	for _, a := range addrs {
		rdata, _ = nbns.Addr{Flags: flags, Addr: ip(a)}.AppendBinary(rdata)
	}
	return nbns.PositiveQueryResponse(query, 300, rdata)
}

// asking returns a Resolver that asks at the given loopback addresses, and whose
// DNS knows dns.example.com only.
func asking(port uint16, addrs ...string) *Resolver {
	return &Resolver{
		Port:  port,
		Retry: 40 * time.Millisecond,
		peersOf: func() ([]peer, error) {
			var all []peer
			for i, a := range addrs {
				all = append(all, peer{ip(a), links.Loopback, fmt.Sprintf("broadcast on test%d (%s)", i, a)})
			}
			return all, nil
		},
		lookupDNS: func(_ context.Context, host string) ([]netip.Addr, error) {
			if host == "dns.example.com" || host == "dns" {
				return []netip.Addr{ip("2001:db8::1"), ip("192.0.2.7")}, nil
			}
			return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
		},
	}
}

func TestResolve(t *testing.T) {
	p := newPeer(t, "127.0.0.1:0", func(query nbns.Packet, _ int, send func([]byte)) {
		if query.Question.Name.Base() == "HOST2" {
			send(appended(t, positive(query, nbns.BNode, "10.77.0.2")))
		}
	})
	r := asking(p.port(), "127.0.0.1")
	dir := write(t, map[string]string{"lmhosts": "10.77.0.9 FILE\n"})
	var err error
	if r.LMHosts, err = ReadLMHosts(filepath.Join(dir, "lmhosts")); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, host string
		want       string // address and source; else the error
		broadcast  bool   // is asked
	}{
		{"HOST2<03>", "host2", "10.77.0.2 broadcast", true},
		{"HOST2<03>", "", "10.77.0.2 broadcast", true},
		{"FILE<03>", "file", "10.77.0.9 lmhosts", false},
		{"FILE<03>", "file.example.com", "10.77.0.9 lmhosts", false},
		{"DNS<03>", "dns", "192.0.2.7 dns", true},
		{"HOST2<03>", "10.77.0.5", "10.77.0.5 address", false},
		{"HOST2<03>", "::ffff:10.77.0.5", "10.77.0.5 address", false},
		{"DNS<03>", "dns.example.com", "192.0.2.7 dns", false},
		{"*SMBSERVER<20>", "dns.example.com", "192.0.2.7 dns", false},
		{"HOST2<03>", "host2.example.com", "10.77.0.2 broadcast", true},
		{"NOBODY<03>", "nobody", "NOBODY<03> was not found: tried lmhosts, broadcast on test0 (127.0.0.1), DNS", true},
		{"NOBODY<03>", "", "NOBODY<03> was not found: tried lmhosts, broadcast on test0 (127.0.0.1)", true},
		{"NOBODY<03>", "nobody.example.com", "nobody.example.com was not found: tried DNS, lmhosts, broadcast on test0 (127.0.0.1)", true},
		{"*SMBSERVER<20>", "nobody.example.com", "nobody.example.com was not found: tried DNS", false},
	}
	for _, test := range tests {
		name := nameOf(t, test.name)
		before := p.queries.Load()
		found, err := r.Resolve(t.Context(), name, test.host)
		got := found.Addr.String() + " " + found.From
		if err != nil {
			got = err.Error()
			if notFound := (*NotFoundError)(nil); !errors.As(err, &notFound) || found.Addr.IsValid() {
				t.Errorf("%s, %s: %+v, %v; want a NotFoundError", test.name, test.host, found, err)
			}
		} else if found.Name != name {
			t.Errorf("%s, %s: the name became %v", test.name, test.host, found.Name)
		}
		if got != test.want {
			t.Errorf("%s, %s: %s, want %s", test.name, test.host, got, test.want)
		}
		if asked := p.queries.Load() != before; asked != test.broadcast {
			t.Errorf("%s, %s: asked by broadcast: %v, want %v", test.name, test.host, asked, test.broadcast)
		}
	}
	if _, err := r.Resolve(t.Context(), netbios.Name{}, "nobody"); err == nil || err.Error() != "nobody was not found: tried DNS" {
		t.Errorf("the zero name: %v, want DNS only", err)
	}
}

// The question is, byte for byte, that of RFC 1002 4.2.12, and stays the same,
// with its id, each time.
func TestResolveAsksThreeTimes(t *testing.T) {
	asked := make(chan nbns.Packet, 10)
	p := newPeer(t, "127.0.0.1:0", func(query nbns.Packet, _ int, _ func([]byte)) { asked <- query })
	r := asking(p.port(), "127.0.0.1")
	start := time.Now()
	_, err := r.Resolve(t.Context(), nameOf(t, "HOST2<03>"), "")
	took := time.Since(start)
	if err == nil || took < 3*r.Retry {
		t.Errorf("a silent peer: %v after %v; want an error after three times %v", err, took, r.Retry)
	}
	first := <-asked
	if diff := cmp.Diff(nbns.NameQuery(first.ID, nameOf(t, "HOST2<03>"), "", true), first); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	for range 2 {
		if diff := cmp.Diff(first, <-asked); diff != "" {
			t.Errorf("asked again (-first +now):\n%s", diff)
		}
	}
	if n := p.queries.Load(); n != 3 {
		t.Errorf("asked %d times, want 3", n)
	}
}

// What is not an answer to the question is passed over, and a good one behind
// it counts.
func TestResolveForged(t *testing.T) {
	change := func(do func(p *nbns.Packet)) func(nbns.Packet) []byte {
		return func(query nbns.Packet) []byte {
			p := positive(query, nbns.BNode, "10.77.0.66")
			do(&p)
			return appended(t, p)
		}
	}
	tests := map[string]func(query nbns.Packet) []byte{
		"nothing":   func(nbns.Packet) []byte { return nil },
		"garbage":   func(nbns.Packet) []byte { return []byte(strings.Repeat("garbage", 100)) },
		"the query": func(query nbns.Packet) []byte { return appended(t, query) },
		"half an answer": func(query nbns.Packet) []byte {
			b := appended(t, positive(query, 0, "10.77.0.66"))
			return b[:len(b)/2]
		},
		"another id":      change(func(p *nbns.Packet) { p.ID++ }),
		"another name":    change(func(p *nbns.Packet) { p.Answer.Name[0]++ }),
		"another suffix":  change(func(p *nbns.Packet) { p.Answer.Name[15]++ }),
		"another scope":   change(func(p *nbns.Packet) { p.Answer.Scope = "\x01x" }),
		"another type":    change(func(p *nbns.Packet) { p.Answer.Type = nbns.TypeA }),
		"another class":   change(func(p *nbns.Packet) { p.Answer.Class = 3 }),
		"another opcode":  change(func(p *nbns.Packet) { p.Opcode = nbns.Registration }),
		"a negative one":  change(func(p *nbns.Packet) { p.RCode = nbns.NameError }),
		"no answer":       change(func(p *nbns.Packet) { p.Answer = nbns.Resource{} }),
		"no address":      change(func(p *nbns.Packet) { p.Answer.Data = nil }),
		"half an address": change(func(p *nbns.Packet) { p.Answer.Data = p.Answer.Data[:3] }),
		"address 0.0.0.0": change(func(p *nbns.Packet) { p.Answer.Data = make([]byte, 6) }),
	}
	for comment, forged := range tests {
		t.Run(comment, func(t *testing.T) {
			p := newPeer(t, "127.0.0.1:0", func(query nbns.Packet, _ int, send func([]byte)) {
				send(forged(query))
				send(appended(t, positive(query, nbns.BNode, "10.77.0.2")))
			})
			found, err := asking(p.port(), "127.0.0.1").Resolve(t.Context(), nameOf(t, "HOST2<03>"), "")
			if err != nil || found.Addr != ip("10.77.0.2") {
				t.Errorf("Resolve = %+v, %v; want the address of the good answer", found, err)
			}
			if n := p.queries.Load(); n != 1 {
				t.Errorf("asked %d times, want once", n)
			}
		})
	}
}

// A program on a host of the network that does not have the port of the name
// service speaks for nobody.
func TestResolveFromAnotherPort(t *testing.T) {
	other, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	p := newPeerOf(t, "127.0.0.1:0", func(query nbns.Packet, _ int, from netip.AddrPort, send func([]byte)) {
		other.WriteToUDPAddrPort(appended(t, positive(query, nbns.BNode, "10.77.0.66")), from)
		send(appended(t, positive(query, nbns.BNode, "10.77.0.2")))
	})
	found, err := asking(p.port(), "127.0.0.1").Resolve(t.Context(), nameOf(t, "HOST2<03>"), "")
	if err != nil || found.Addr != ip("10.77.0.2") {
		t.Errorf("Resolve = %+v, %v; want the address of the good answer", found, err)
	}
}

// A forger who answers without end does not keep the Resolver busy for longer
// than silence would.
func TestResolveFlood(t *testing.T) {
	stop := make(chan struct{})
	p := newPeer(t, "127.0.0.1:0", func(query nbns.Packet, _ int, send func([]byte)) {
		query.ID++
		forged := appended(t, positive(query, nbns.BNode, "10.77.0.66"))
		for range 2000 {
			select {
			case <-stop:
				return
			default:
				send(forged)
			}
		}
	})
	r := asking(p.port(), "127.0.0.1")
	start := time.Now()
	_, err := r.Resolve(t.Context(), nameOf(t, "HOST2<03>"), "")
	close(stop)
	if took := time.Since(start); err == nil || took > 20*r.Retry {
		t.Errorf("%v after %v, want an error after three times %v", err, took, r.Retry)
	}
}

func TestResolveLateAnswer(t *testing.T) {
	// The second question is answered with an answer to the first, and counts.
	p := newPeer(t, "127.0.0.1:0", func(query nbns.Packet, before int, send func([]byte)) {
		if before == 1 {
			send(appended(t, positive(query, nbns.BNode, "10.77.0.2")))
		}
	})
	found, err := asking(p.port(), "127.0.0.1").Resolve(t.Context(), nameOf(t, "HOST2<03>"), "")
	if err != nil || found.Addr != ip("10.77.0.2") {
		t.Errorf("Resolve = %+v, %v", found, err)
	}

	// What comes behind the last question's time does not.
	p = newPeer(t, "127.0.0.1:0", func(query nbns.Packet, before int, send func([]byte)) {
		if before == 2 {
			time.Sleep(120 * time.Millisecond)
			send(appended(t, positive(query, nbns.BNode, "10.77.0.2")))
		}
	})
	found, err = asking(p.port(), "127.0.0.1").Resolve(t.Context(), nameOf(t, "HOST2<03>"), "")
	if notFound := (*NotFoundError)(nil); !errors.As(err, &notFound) {
		t.Errorf("too late: Resolve = %+v, %v; want a NotFoundError", found, err)
	}
}

// One network answers, the other does not: nobody waits for it.
func TestResolveDoesNotWait(t *testing.T) {
	quiet := newPeer(t, "127.0.0.1:0", silent)
	newPeer(t, fmt.Sprintf("127.0.0.2:%d", quiet.port()), func(query nbns.Packet, _ int, send func([]byte)) {
		send(appended(t, positive(query, nbns.BNode, "10.77.0.2")))
	})
	r := asking(quiet.port(), "127.0.0.1", "127.0.0.2")
	r.Retry = 10 * time.Second
	start := time.Now()
	found, err := r.Resolve(t.Context(), nameOf(t, "HOST2<03>"), "")
	if took := time.Since(start); err != nil || found.Addr != ip("10.77.0.2") || took > r.Retry/2 {
		t.Errorf("Resolve = %+v, %v after %v", found, err, took)
	}
}

func TestResolveCancel(t *testing.T) {
	quiet := newPeer(t, "127.0.0.1:0", silent)
	r := asking(quiet.port(), "127.0.0.1")
	r.Retry = 10 * time.Second
	start := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := r.Resolve(ctx, nameOf(t, "HOST2<03>"), "host2")
	if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took > r.Retry/2 {
		t.Errorf("Resolve: %v after %v, want the context's error at once", err, took)
	}
	if _, err := r.NodeStatus(ctx, links.Localhost); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("NodeStatus: %v, want the context's error", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := r.NodeStatus(ctx, links.Localhost); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("NodeStatus: %v, want the context's error", err)
	}
}

func TestResolveTroubles(t *testing.T) {
	name := nameOf(t, "HOST2<03>")
	r := asking(1, "127.0.0.1")
	r.Retry = time.Millisecond
	r.peersOf = func() ([]peer, error) {
		// No IPv4 socket sends to an IPv6 address.
		return []peer{{ip("::1"), links.Loopback, "broadcast on eth0 (::1)"}, {links.Localhost, links.Loopback, "this host"}}, nil
	}
	r.lookupDNS = func(ctx context.Context, host string) ([]netip.Addr, error) {
		<-ctx.Done()
		return nil, &net.DNSError{Err: "i/o timeout", Name: host, IsTimeout: true}
	}
	r.DNSTimeout = time.Millisecond
	_, err := r.Resolve(t.Context(), name, "host2")
	if want := "HOST2<03> was not found: tried lmhosts, broadcast on eth0 (::1): address ::1: non-IPv4 address, this host, DNS (i/o timeout)"; err == nil || err.Error() != want {
		t.Errorf("Resolve: %v, want %s", err, want)
	}

	r.peersOf = func() ([]peer, error) { return nil, errors.New("no interfaces") }
	_, err = r.Resolve(t.Context(), name, "")
	if want := "HOST2<03> was not found: tried lmhosts, broadcast (no interfaces)"; err == nil || err.Error() != want {
		t.Errorf("Resolve: %v, want %s", err, want)
	}
}

func TestHeardFrom(t *testing.T) {
	asked := []peer{
		{links.Localhost, links.Loopback, ""},
		{ip("10.77.0.255"), netip.MustParsePrefix("10.77.0.0/24"), ""},
		{ip("10.77.255.255"), netip.MustParsePrefix("10.77.0.0/16"), ""},
	}
	query := nbns.NameQuery(7, nameOf(t, "HOST2<03>"), "", true)
	tests := []struct {
		comment, from string
		addrs         []string
		want          string // in their order; empty: no answer
	}{
		{"one address", "10.77.0.2", []string{"10.77.0.2"}, "10.77.0.2"},
		{"another than it came from", "10.77.0.2", []string{"10.77.0.3"}, "10.77.0.3"},
		{"the one that it came from", "10.77.0.2", []string{"10.77.0.3", "10.77.0.2", "10.77.0.4"}, "10.77.0.2 10.77.0.3 10.77.0.4"},
		{"the one of the smallest network", "10.77.0.2", []string{"192.0.2.1", "10.77.9.9", "10.77.0.3"}, "10.77.0.3 10.77.9.9 192.0.2.1"},
		{"none of a network that was asked", "10.77.0.2", []string{"192.0.2.2", "192.0.2.1", "192.0.2.2"}, "192.0.2.2 192.0.2.1"},
		{"from nowhere near", "192.0.2.1", []string{"10.77.0.2"}, ""},
		{"from this host", "127.0.0.1", []string{"127.0.0.1"}, "127.0.0.1"},
		{"from this host, of another", "127.0.0.1", []string{"10.77.0.2"}, "10.77.0.2"},
		{"our loopback, from another", "10.77.0.2", []string{"127.0.0.1"}, ""},
		{"a group without addresses", "10.77.0.2", []string{"255.255.255.255"}, ""},
		{"nobody's address", "10.77.0.2", []string{"0.0.0.0", "224.0.0.1", "10.77.0.2"}, "10.77.0.2"},
		{"twenty addresses", "10.77.0.2", strings.Fields(strings.Repeat("192.0.2.1 ", 19) + "10.77.0.2"), "10.77.0.2 192.0.2.1"},
	}
	for _, test := range tests {
		packet := appended(t, positive(query, nbns.BNode, test.addrs...))
		a, ok := heardFrom(query, packet, ip(test.from), asked)
		if got := joined(a.found.Addrs); ok != (test.want != "") || got != test.want {
			t.Errorf("%s: %v, %v; want %q", test.comment, got, ok, test.want)
		}
		if ok && (a.found.Addr != a.found.Addrs[0] || a.ttl != 300 || a.found.Group || a.found.From != FromBroadcast) {
			t.Errorf("%s: %+v", test.comment, a)
		}
	}
	var many []string
	for i := range 5000 {
		many = append(many, fmt.Sprintf("192.0.%d.%d", i/250, i%250+1))
	}
	packet := appended(t, positive(query, nbns.BNode, append(many, "10.77.0.2")...))
	if a, ok := heardFrom(query, packet, ip("10.77.0.2"), asked); !ok || len(a.found.Addrs) != maxHosts || a.found.Addr != ip("10.77.0.2") {
		t.Errorf("5001 addresses: %+v, %v", a, ok)
	}
	packet = appended(t, positive(query, nbns.Group, "10.77.0.2"))
	if a, ok := heardFrom(query, packet, ip("10.77.0.2"), asked); !ok || !a.found.Group {
		t.Errorf("a group: %+v, %v", a, ok)
	}
}

func TestNodeStatus(t *testing.T) {
	want := nbns.NodeStatus{
		Names:  []nbns.NodeName{{Name: nameOf(t, "HOST2<03>"), Flags: nbns.Active}},
		UnitID: [6]byte{1, 2, 3, 4, 5, 6},
	}
	rdata, err := want.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	p := newPeer(t, "127.0.0.1:0", func(query nbns.Packet, before int, send func([]byte)) {
		if diff := cmp.Diff(nbns.StatusQuery(query.ID, netbios.Wildcard, ""), query); diff != "" {
			t.Errorf("asked (-want +got):\n%s", diff)
		}
		send([]byte("garbage"))
		forged := nbns.StatusResponse(query, rdata)
		forged.ID++
		send(appended(t, forged))
		send(appended(t, nbns.StatusResponse(query, rdata[:20])))
		send(appended(t, nbns.PositiveQueryResponse(query, 0, rdata)))
		if before == 1 {
			send(appended(t, nbns.StatusResponse(query, rdata)))
		}
	})
	r := asking(p.port())
	got, err := r.NodeStatus(t.Context(), links.Localhost)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("NodeStatus: %v (-want +got):\n%s", err, diff)
	}
	if n := p.queries.Load(); n != 2 {
		t.Errorf("asked %d times, want 2", n)
	}
}

func TestNodeStatusFails(t *testing.T) {
	quiet := newPeer(t, "127.0.0.1:0", silent)
	r := asking(quiet.port())
	start := time.Now()
	got, err := r.NodeStatus(t.Context(), links.Localhost)
	if took := time.Since(start); !errors.Is(err, errSilent) || got.Names != nil || took < 2*r.Retry {
		t.Errorf("a silent host: %v, %v after %v", got, err, took)
	}
	if n := quiet.queries.Load(); n != statusTries {
		t.Errorf("asked %d times, want %d", n, statusTries)
	}

	// Where nobody listens, the host says so, and nobody waits.
	free := newPeer(t, "127.0.0.1:0", silent)
	r = asking(free.port())
	r.Retry = 10 * time.Second
	free.conn.Close()
	start = time.Now()
	_, err = r.NodeStatus(t.Context(), links.Localhost)
	if took := time.Since(start); err == nil || !strings.HasSuffix(err.Error(), "refused") || took > r.Retry/2 {
		t.Errorf("a closed port: %v after %v", err, took)
	}
	if _, err := r.NodeStatus(t.Context(), ip("::1")); err == nil {
		t.Error("an IPv6 address was asked")
	}
}

// The zero Resolver asks this host at port 137 and all networks. There may be
// anything, but no name such as this.
func TestPeers(t *testing.T) {
	all, err := peers()
	if err != nil || len(all) == 0 || all[0].addr != links.Localhost {
		t.Errorf("peers = %+v, %v; want this host first", all, err)
	}
	for _, p := range all {
		if !p.addr.Is4() || !p.from.Contains(p.addr) || p.text == "" {
			t.Errorf("peer %+v", p)
		}
	}
}
