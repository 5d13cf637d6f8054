package resolver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbns"
)

// statusAnswer answers with a node status.
func statusAnswer(t testing.TB, names ...string) func(query nbns.Packet, before int, send func([]byte)) {
	rdata, err := statusOf(t, names...).AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	return func(query nbns.Packet, _ int, send func([]byte)) {
		send(appended(t, nbns.StatusResponse(query, rdata)))
	}
}

func mustParseRanges(t testing.TB, texts ...string) Ranges {
	t.Helper()
	r, err := ParseRanges(texts...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// scanned returns who was found, in order, as "ADDRESS COMPUTER".
func scanned(t testing.TB, r *Resolver, o ScanOptions, texts ...string) []string {
	t.Helper()
	var got []string
	err := r.Scan(t.Context(), mustParseRanges(t, texts...), o, func(h Host) {
		name, _ := h.Computer()
		got = append(got, h.Addr.String()+" "+name.Base())
	})
	if err != nil {
		t.Error(err)
	}
	slices.Sort(got)
	return got
}

func TestScan(t *testing.T) {
	first := newPeer(t, "127.0.3.5:0", statusAnswer(t, "HOST5<00>", "+WORKGROUP<00>"))
	at := func(addr string) string { return fmt.Sprintf("%s:%d", addr, first.port()) }
	quiet := newPeer(t, at("127.0.3.7"), silent)
	late := newPeer(t, at("127.0.3.9"), func(query nbns.Packet, before int, send func([]byte)) {
		if before == 1 {
			statusAnswer(t, "HOST9<00>")(query, before, send)
		}
	})
	twice := newPeer(t, at("127.0.4.1"), func(query nbns.Packet, before int, send func([]byte)) {
		statusAnswer(t, "HOST1<00>")(query, before, send)
		statusAnswer(t, "AGAIN<00>")(query, before, send)
	})
	other := newPeer(t, at("127.0.4.2"), statusAnswer(t, "OTHER<00>")) // nobody asks it
	r := &Resolver{Port: first.port()}
	var steps []int
	begun := time.Now()
	got := scanned(t, r, ScanOptions{Wait: 150 * time.Millisecond, Progress: func(done, total int) {
		if total != 2*32 {
			t.Errorf("progress %d of %d", done, total)
		}
		steps = append(steps, done)
	}}, "127.0.3.0/27", "127.0.4.1", "127.0.3.31")
	took := time.Since(begun)
	if want := []string{"127.0.3.5 HOST5", "127.0.3.9 HOST9", "127.0.4.1 HOST1"}; !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
	if took < 300*time.Millisecond || took > 2*time.Second {
		t.Errorf("it took %v, want twice the time of a try", took)
	}
	for i, test := range []struct {
		p    *testPeer
		want int32
	}{{first, 1}, {quiet, 2}, {late, 2}, {twice, 1}, {other, 0}} {
		if n := test.p.queries.Load(); n != test.want {
			t.Errorf("peer %d was asked %d times, want %d", i, n, test.want)
		}
	}
	if !slices.IsSorted(steps) || len(steps) < 2 || steps[0] != 0 || steps[len(steps)-1] != 64 {
		t.Errorf("progress %v, want from 0 up to 64", steps)
	}

	// When all have answered nobody waits.
	begun = time.Now()
	if got := scanned(t, r, ScanOptions{Wait: 10 * time.Second}, "127.0.3.5", "127.0.4.1"); len(got) != 2 || time.Since(begun) > 5*time.Second {
		t.Errorf("%q after %v", got, time.Since(begun))
	}
}

// The question is, byte for byte, that of RFC 1002 4.2.17, and an address gets
// the same id each time: so the answer to the first question counts when it
// comes after the second.
func TestScanQuestion(t *testing.T) {
	asked := make(chan nbns.Packet, 10)
	tell := func(query nbns.Packet, _ int, _ func([]byte)) { asked <- query }
	p := newPeer(t, "127.0.3.1:0", tell)
	scanned(t, &Resolver{Port: p.port()}, ScanOptions{Wait: 20 * time.Millisecond, Tries: 3}, "127.0.3.1")
	var all []nbns.Packet
	for range 3 {
		select {
		case q := <-asked:
			all = append(all, q)
		case <-time.After(10 * time.Second):
			t.Fatalf("asked only %+v", all)
		}
	}
	if !equalPackets(all[0], all[1]) || !equalPackets(all[0], all[2]) || !equalPackets(all[0], nbns.StatusQuery(all[0].ID, netbios.Wildcard, "")) {
		t.Errorf("asked %+v", all)
	}
}

func equalPackets(a, b nbns.Packet) bool { return fmt.Sprintf("%+v", a) == fmt.Sprintf("%+v", b) }

// What does not come from the address that was asked, from its port, with the
// id of its question, says nothing, however much of it comes.
func TestScanForged(t *testing.T) {
	rdata, err := statusOf(t, "FORGED<00>").AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	inside := newPeer(t, "127.0.3.66:0", silent) // it is asked too, with another id
	at := func(addr string) string { return fmt.Sprintf("%s:%d", addr, inside.port()) }
	outside := newPeer(t, at("127.0.9.66"), silent)
	otherPort := newPeer(t, "127.0.3.5:0", silent)
	newPeerOf(t, at("127.0.3.5"), func(query nbns.Packet, before int, from netip.AddrPort, send func([]byte)) {
		forged := appended(t, nbns.StatusResponse(query, rdata))
		for range 200 {
			for _, p := range []*testPeer{inside, outside, otherPort} {
				p.conn.WriteToUDPAddrPort(forged, from)
			}
		}
		change := func(do func(p *nbns.Packet)) {
			p := nbns.StatusResponse(query, rdata)
			do(&p)
			send(appended(t, p))
		}
		change(func(p *nbns.Packet) { p.ID++ })
		change(func(p *nbns.Packet) { p.Response = false })
		change(func(p *nbns.Packet) { p.Opcode = nbns.Registration })
		change(func(p *nbns.Packet) { p.RCode = nbns.NameError })
		change(func(p *nbns.Packet) { p.Answer.Type = nbns.TypeNB })
		change(func(p *nbns.Packet) { p.Answer.Data = rdata[:20] })
		send(forged[:30])
		send(nil)
		send([]byte(strings.Repeat("garbage", 200)))
		statusAnswer(t, "HOST5<00>")(query, before, send)
	})
	begun := time.Now()
	got := scanned(t, &Resolver{Port: inside.port()}, ScanOptions{Wait: 200 * time.Millisecond}, "127.0.3.0/24")
	if want := []string{"127.0.3.5 HOST5"}; !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("it took %v", took)
	}
}

// A flood of forged answers does not keep a scan from its end.
func TestScanFlood(t *testing.T) {
	stop, done := make(chan struct{}), make(chan struct{})
	started := make(chan struct{}, 10)
	p := newPeerOf(t, "127.0.3.5:0", func(query nbns.Packet, before int, from netip.AddrPort, send func([]byte)) {
		if before > 0 {
			return
		}
		query.ID++
		forged := appended(t, nbns.StatusResponse(query, make([]byte, 47)))
		started <- struct{}{}
		go func() {
			defer close(done)
			for {
				select {
				case <-stop:
					return
				default:
					send(forged)
				}
			}
		}()
	})
	begun := time.Now()
	got := scanned(t, &Resolver{Port: p.port()}, ScanOptions{Wait: 100 * time.Millisecond}, "127.0.3.0/28")
	took := time.Since(begun)
	<-started
	close(stop)
	<-done
	if len(got) != 0 || took > 2*time.Second {
		t.Errorf("found %q after %v", got, took)
	}
}

// A network without anybody is scanned in less than two seconds, at a rate that
// a network can take.
func TestScanSilentNetwork(t *testing.T) {
	quiet := newPeer(t, "127.0.3.254:0", silent)
	begun := time.Now()
	got := scanned(t, &Resolver{Port: quiet.port()}, ScanOptions{}, "127.0.3.0/24")
	if took := time.Since(begun); len(got) != 0 || took > 2*time.Second || took < 1200*time.Millisecond {
		t.Errorf("found %q after %v", got, took)
	}
	if n := quiet.queries.Load(); n != 2 {
		t.Errorf("asked %d times, want twice", n)
	}

	begun = time.Now()
	scanned(t, &Resolver{Port: quiet.port()}, ScanOptions{Rate: 100, Tries: 1, Wait: time.Millisecond}, "127.0.3.200-220")
	if took := time.Since(begun); took < 200*time.Millisecond || took > time.Second {
		t.Errorf("21 questions at 100 a second took %v", took)
	}
}

func TestPacer(t *testing.T) {
	p := pacer{interval: time.Millisecond, next: time.Now().Add(-time.Hour)}
	begun := time.Now()
	for range maxBurst + 100 {
		p.wait(t.Context())
	}
	if took := time.Since(begun); took < 90*time.Millisecond {
		t.Errorf("%d packets after an hour of rest took %v: want no more than %d at once", maxBurst+100, took, maxBurst)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if p.next = time.Now().Add(time.Hour); p.wait(ctx) {
		t.Error("it waits for what nobody wants any more")
	}
}

func TestScanEnds(t *testing.T) {
	quiet := newPeer(t, "127.0.3.5:0", silent)
	r := &Resolver{Port: quiet.port()}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begun := time.Now()
	for _, rate := range []int{0, 10} { // while waiting, and while asking
		err := r.Scan(ctx, mustParseRanges(t, "127.0.3.0/24"), ScanOptions{Rate: rate, Wait: 10 * time.Second}, func(Host) {})
		if took := time.Since(begun); !errors.Is(err, context.DeadlineExceeded) || took > 5*time.Second {
			t.Errorf("Scan: %v after %v, want the context's error", err, took)
		}
	}
	if err := r.Scan(t.Context(), Ranges{}, ScanOptions{}, func(Host) {}); err == nil {
		t.Error("nobody was asked, without an error")
	}
}

// What cannot be asked is said.
func TestScanCannotAsk(t *testing.T) {
	conn, err := net.ListenUDP("udp4", nil)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	s := &scan{conn: conn, port: 137, ranges: mustParseRanges(t, "127.0.3.0/30"), rate: 1000, tries: 2, progress: func(int, int) {}, heard: make([]uint64, 1)}
	if err := s.send(t.Context()); err == nil || err.Error() != "cannot ask 127.0.3.1: use of closed network connection" {
		t.Errorf("none: %v", err)
	}
	s.heard[0] = 1 // that one has answered before
	if err := s.send(t.Context()); err == nil || err.Error() != "1 of 2 addresses could not be asked, first 127.0.3.2: use of closed network connection" {
		t.Errorf("one of two: %v", err)
	}
	if err := s.receive(func(Host) {}); err == nil {
		t.Error("a socket that cannot be read is read for ever")
	}
}
