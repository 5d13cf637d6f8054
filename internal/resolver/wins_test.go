package resolver

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/messngr/messngr/netbios/nbns"
)

// A winsAnswer is what a server answers to a query.
type winsAnswer func(query nbns.Packet, before int, send func([]byte))

// known answers with addresses, as a name server does.
func known(t testing.TB, flags nbns.NameFlags, addrs ...string) winsAnswer {
	return func(query nbns.Packet, _ int, send func([]byte)) {
		p := positive(query, flags, addrs...)
		p.Flags |= nbns.RecursionAvailable
		send(appended(t, p))
	}
}

func unknown(t testing.TB, code nbns.RCode) winsAnswer {
	return func(query nbns.Packet, _ int, send func([]byte)) {
		p := nbns.NegativeQueryResponse(query, code)
		p.Flags |= nbns.RecursionAvailable
		send(appended(t, p))
	}
}

// waiting says that the answer takes a while, and then answers.
func waiting(t testing.TB, ttl uint32, change func(*nbns.Packet), after time.Duration, then winsAnswer) winsAnswer {
	return func(query nbns.Packet, before int, send func([]byte)) {
		p := nbns.WaitResponse(query, ttl)
		change(&p)
		send(appended(t, p))
		if before == 0 {
			time.Sleep(after)
			then(query, before, send)
		}
	}
}

// sendOn is a redirect to addr: RFC 1002 4.2.15.
func sendOn(query nbns.Packet, addr string) nbns.Packet {
	q := query.Question
	a := ip(addr).As4()
	return nbns.Packet{
		Header:     nbns.Header{ID: query.ID, Response: true, Opcode: nbns.Query, Flags: nbns.RecursionDesired},
		Authority:  nbns.Resource{Name: q.Name, Scope: q.Scope, Type: nbns.TypeNS, Class: nbns.Internet, TTL: 60, Data: []byte{0xC0, 0x0C}},
		Additional: nbns.Resource{Name: q.Name, Scope: q.Scope, Type: nbns.TypeA, Class: nbns.Internet, TTL: 60, Data: a[:]},
	}
}

// newServers starts name servers on one port of 127.0.0.1, 127.0.0.2 and so on.
func newServers(t testing.TB, answers ...winsAnswer) (peers []*testPeer, addrs []netip.AddrPort) {
	t.Helper()
	port := uint16(0)
	for i, answer := range answers {
		p := newPeer(t, fmt.Sprintf("127.0.0.%d:%d", i+1, port), answer)
		port = p.port()
		peers = append(peers, p)
		addrs = append(addrs, netip.AddrPortFrom(ip(fmt.Sprintf("127.0.0.%d", i+1)), port))
	}
	return peers, addrs
}

// askingServers returns a Resolver that asks them, and nobody by broadcast.
func askingServers(addrs ...netip.AddrPort) *Resolver {
	r := asking(addrs[0].Port())
	r.Servers = addrs
	r.ServerRetry = 40 * time.Millisecond
	r.Order = []string{FromWINS}
	return r
}

func TestWINS(t *testing.T) {
	now := func(*nbns.Packet) {}
	tests := []struct {
		comment string
		answers []winsAnswer
		want    string // addresses, source; else the error, with PORT for the port
		queries []int32
	}{
		{"known", []winsAnswer{known(t, nbns.HNode, "10.77.0.2")}, "10.77.0.2 by wins 127.0.0.1:PORT", []int32{1}},
		{"several addresses", []winsAnswer{known(t, nbns.HNode, "192.0.2.1", "10.77.0.2", "192.0.2.1")}, "192.0.2.1 10.77.0.2 by wins 127.0.0.1:PORT", []int32{1}},
		{"a group", []winsAnswer{known(t, nbns.Group, "10.77.0.2", "0.0.0.0", "10.77.0.3")}, "10.77.0.2 10.77.0.3 by wins 127.0.0.1:PORT, a group", []int32{1}},
		{"a group of 255.255.255.255", []winsAnswer{known(t, nbns.Group, "255.255.255.255"), known(t, 0, "10.77.0.66")}, "tried wins 127.0.0.1:PORT (a group whose members it does not list)", []int32{1, 0}},
		{"unknown ends it", []winsAnswer{unknown(t, nbns.NameError), known(t, 0, "10.77.0.2")}, "tried wins 127.0.0.1:PORT", []int32{1, 0}},
		{"a server that fails", []winsAnswer{unknown(t, nbns.ServerFailure), known(t, 0, "10.77.0.2")}, "10.77.0.2 by wins 127.0.0.2:PORT", []int32{1, 1}},
		{"a server that refuses", []winsAnswer{unknown(t, nbns.Refused)}, "tried wins 127.0.0.1:PORT (it refuses with code 5)", []int32{1}},
		{"silent", []winsAnswer{silent}, "tried wins 127.0.0.1:PORT (no answer)", []int32{3}},
		{"silent, then known", []winsAnswer{silent, known(t, 0, "10.77.0.2")}, "10.77.0.2 by wins 127.0.0.2:PORT", []int32{3, 1}},
		{"silent, then unknown", []winsAnswer{silent, unknown(t, nbns.NameError)}, "tried wins 127.0.0.1:PORT (no answer), wins 127.0.0.2:PORT", []int32{3, 1}},
		{"a server's own loopback", []winsAnswer{known(t, 0, "127.0.0.1")}, "127.0.0.1 by wins 127.0.0.1:PORT", []int32{1}},

		// RFC 1002 4.2.16: it is waited for, without asking again.
		{"it asks to wait", []winsAnswer{waiting(t, 5, now, 100*time.Millisecond, known(t, 0, "10.77.0.2"))}, "10.77.0.2 by wins 127.0.0.1:PORT", []int32{1}},
		{"it asks to wait for nothing", []winsAnswer{waiting(t, 1, now, 0, silent)}, "tried wins 127.0.0.1:PORT (no answer)", []int32{1}},
		{"it asks to wait no time", []winsAnswer{waiting(t, 0, now, 0, silent)}, "tried wins 127.0.0.1:PORT (no answer)", []int32{3}},
		{"somebody else is to wait", []winsAnswer{waiting(t, 5, func(p *nbns.Packet) { p.ID++ }, 0, silent)}, "tried wins 127.0.0.1:PORT (no answer)", []int32{3}},
		{"another name is to wait", []winsAnswer{waiting(t, 5, func(p *nbns.Packet) { p.Answer.Name[0]++ }, 0, silent)}, "tried wins 127.0.0.1:PORT (no answer)", []int32{3}},
		{"a registration is to wait", []winsAnswer{waiting(t, 5, func(p *nbns.Packet) { p.Answer.Data = []byte{0x29, 0} }, 0, silent)}, "tried wins 127.0.0.1:PORT (no answer)", []int32{3}},

		// RFC 1002 4.2.15.
		{"sent on", []winsAnswer{redirect(t, "127.0.0.2"), known(t, 0, "10.77.0.2")}, "10.77.0.2 by wins 127.0.0.2:PORT", []int32{1, 1}},
		{"sent on twice", []winsAnswer{redirect(t, "127.0.0.3"), silent, redirect(t, "127.0.0.4"), known(t, 0, "10.77.0.2")}, "10.77.0.2 by wins 127.0.0.4:PORT", []int32{1, 0, 1, 1}},
		{"sent on to itself", []winsAnswer{redirect(t, "127.0.0.1")}, "tried wins 127.0.0.1:PORT (sends on without end)", []int32{1}},
		{"sent on in a circle", []winsAnswer{redirect(t, "127.0.0.2"), redirect(t, "127.0.0.1")}, "tried wins 127.0.0.1:PORT (sends on without end)", []int32{1, 1}},
		{"sent on to everybody", []winsAnswer{redirect(t, "255.255.255.255")}, "tried wins 127.0.0.1:PORT (sends on without end)", []int32{1}},
		{"sent on to silence", []winsAnswer{redirect(t, "127.0.0.2"), silent}, "tried wins 127.0.0.1:PORT (sent on to 127.0.0.2:PORT: no answer), wins 127.0.0.2:PORT (no answer)", []int32{1, 6}},
		{"sent on without end", []winsAnswer{redirect(t, "127.0.0.2"), redirect(t, "127.0.0.3"), redirect(t, "127.0.0.4"), redirect(t, "127.0.0.5"), known(t, 0, "10.77.0.66")}, "", []int32{1, 1, 1, 1, 0}},
	}
	for _, test := range tests {
		t.Run(test.comment, func(t *testing.T) {
			servers, addrs := newServers(t, test.answers...)
			r := askingServers(addrs...)
			if test.comment == "sent on without end" || test.comment == "sent on in a circle" {
				r.Servers = addrs[:1]
				test.want = "tried wins 127.0.0.1:PORT (sends on without end)"
			}
			found, err := r.Resolve(t.Context(), nameOf(t, "HOST2<03>"), "")
			got := joined(found.Addrs) + " by " + found.Source()
			if found.Group {
				got += ", a group"
			}
			if notFound := (*NotFoundError)(nil); errors.As(err, &notFound) {
				got = strings.TrimPrefix(err.Error(), "HOST2<03> was not found: ")
			} else if err != nil {
				t.Fatal(err)
			}
			if got = strings.ReplaceAll(got, fmt.Sprint(addrs[0].Port()), "PORT"); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			for i, want := range test.queries {
				if n := servers[i].queries.Load(); n != want {
					t.Errorf("server %d was asked %d times, want %d", i+1, n, want)
				}
			}
		})
	}
}

func redirect(t testing.TB, addr string) winsAnswer {
	return func(query nbns.Packet, _ int, send func([]byte)) { send(appended(t, sendOn(query, addr))) }
}

// The question is, byte for byte, that of RFC 1002 4.2.12 to a name server.
func TestWINSQuestion(t *testing.T) {
	asked := make(chan nbns.Packet, 3)
	_, addrs := newServers(t, func(query nbns.Packet, _ int, _ func([]byte)) { asked <- query })
	if _, err := askingServers(addrs...).Resolve(t.Context(), nameOf(t, "HOST2<03>"), ""); err == nil {
		t.Error("nobody answered, and it was found")
	}
	for range 3 {
		got := <-asked
		if diff := cmp.Diff(nbns.NameQuery(got.ID, nameOf(t, "HOST2<03>"), "", false), got); diff != "" {
			t.Errorf("asked (-want +got):\n%s", diff)
		}
	}
}

// What is not an answer to the question says nothing, be it positive, negative
// or a redirect; the good one behind it counts.
func TestWINSForged(t *testing.T) {
	good := known(t, 0, "10.77.0.2")
	kinds := map[string]func(query nbns.Packet) nbns.Packet{
		"positive": func(query nbns.Packet) nbns.Packet { return positive(query, 0, "10.77.0.66") },
		"negative": func(query nbns.Packet) nbns.Packet { return nbns.NegativeQueryResponse(query, nbns.NameError) },
		"redirect": func(query nbns.Packet) nbns.Packet { return sendOn(query, "127.0.0.66") },
	}
	about := func(p *nbns.Packet) *nbns.Resource {
		if p.Authority.Type != 0 {
			return &p.Authority
		}
		return &p.Answer
	}
	changes := map[string]func(p *nbns.Packet){
		"another id":     func(p *nbns.Packet) { p.ID++ },
		"another opcode": func(p *nbns.Packet) { p.Opcode = nbns.Registration },
		"another name":   func(p *nbns.Packet) { about(p).Name[0]++ },
		"another suffix": func(p *nbns.Packet) { about(p).Name[15]++ },
		"another scope":  func(p *nbns.Packet) { about(p).Scope = "\x01x" },
		"a request":      func(p *nbns.Packet) { p.Response = false },
		"nothing in it":  func(p *nbns.Packet) { *p = nbns.Packet{Header: p.Header} },
	}
	for kind, make := range kinds {
		for comment, change := range changes {
			t.Run(kind+", "+comment, func(t *testing.T) {
				servers, addrs := newServers(t, func(query nbns.Packet, before int, send func([]byte)) {
					forged := make(query)
					change(&forged)
					send(appended(t, forged))
					send(appended(t, kinds[kind](query))[:20])
					good(query, before, send)
				})
				found, err := askingServers(addrs...).Resolve(t.Context(), nameOf(t, "HOST2<03>"), "")
				if err != nil || found.Addr != ip("10.77.0.2") || servers[0].queries.Load() != 1 {
					t.Errorf("Resolve = %+v, %v after %d questions", found, err, servers[0].queries.Load())
				}
			})
		}
	}
}

// Somebody who is not the server answers with the right id and name, again and
// again: that is nothing to us, and does not keep the question alive.
func TestWINSForger(t *testing.T) {
	forger := newPeer(t, "127.0.0.9:0", silent)
	stop, done := make(chan struct{}), make(chan struct{})
	server := newPeerOf(t, "127.0.0.1:0", func(query nbns.Packet, before int, from netip.AddrPort, _ func([]byte)) {
		if before > 0 {
			return
		}
		var forged [][]byte
		for _, p := range []nbns.Packet{positive(query, 0, "10.77.0.66"), nbns.NegativeQueryResponse(query, nbns.NameError), nbns.WaitResponse(query, 3600), sendOn(query, "127.0.0.66")} {
			forged = append(forged, appended(t, p))
		}
		go func() {
			defer close(done)
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					forger.conn.WriteToUDPAddrPort(forged[i%len(forged)], from)
				}
			}
		}()
	})
	r := askingServers(netip.AddrPortFrom(ip("127.0.0.1"), server.port()))
	begun := time.Now()
	found, err := r.Resolve(t.Context(), nameOf(t, "HOST2<03>"), "")
	took := time.Since(begun)
	close(stop)
	<-done
	if notFound := (*NotFoundError)(nil); !errors.As(err, &notFound) || !strings.Contains(err.Error(), "no answer") {
		t.Errorf("Resolve = %+v, %v; want silence", found, err)
	}
	if took > 20*r.ServerRetry {
		t.Errorf("it took %v, want about three times %v", took, r.ServerRetry)
	}
}

// The server itself cannot keep a question alive for ever either, however long
// and often it asks to wait.
func TestWINSWaitsInVain(t *testing.T) {
	stop := make(chan struct{})
	_, addrs := newServers(t, func(query nbns.Packet, before int, send func([]byte)) {
		for wait := appended(t, nbns.WaitResponse(query, 0xFFFFFFFF)); ; time.Sleep(time.Millisecond) {
			select {
			case <-stop:
				return
			default:
				send(wait)
			}
		}
	})
	r := askingServers(addrs...)
	r.maxWait = 300 * time.Millisecond
	begun := time.Now()
	_, err := r.Resolve(t.Context(), nameOf(t, "HOST2<03>"), "")
	took := time.Since(begun)
	if notFound := (*NotFoundError)(nil); !errors.As(err, &notFound) || took < r.maxWait || took > 10*r.maxWait {
		t.Errorf("Resolve: %v after %v, want nothing after %v", err, took, r.maxWait)
	}
	if !r.leftOut(addrs[0]) {
		t.Error("it is asked again at once")
	}

	// The one who asks can give up.
	r = askingServers(addrs...)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begun = time.Now()
	_, err = r.Resolve(ctx, nameOf(t, "HOST2<03>"), "")
	close(stop)
	if took := time.Since(begun); !errors.Is(err, context.DeadlineExceeded) || took > waitTimeout/2 {
		t.Errorf("Resolve: %v after %v, want the context's error at once", err, took)
	}
	if r.leftOut(addrs[0]) {
		t.Error("a question that was given up leaves the server out")
	}
}

// A silent server is left out for a while, and then asked again.
func TestWINSDown(t *testing.T) {
	var back atomic.Bool
	answer := known(t, 0, "10.77.0.2")
	servers, addrs := newServers(t, func(query nbns.Packet, before int, send func([]byte)) {
		if back.Load() {
			answer(query, before, send)
		}
	}, known(t, 0, "10.77.0.3"))
	r := askingServers(addrs...)
	r.WINSDownTimeout = 500 * time.Millisecond
	resolve := func(want string, queries ...int32) {
		t.Helper()
		found, err := r.Resolve(t.Context(), nameOf(t, "HOST2<03>"), "")
		got := []int32{servers[0].queries.Load(), servers[1].queries.Load()}
		if err != nil || found.Addr != ip(want) || !slices.Equal(got, queries) {
			t.Errorf("%v, %v after %d questions, want %s after %d", found.Addr, err, got, want, queries)
		}
	}
	resolve("10.77.0.3", 3, 1)
	resolve("10.77.0.3", 3, 2)
	r.Servers = addrs[:1]
	_, err := r.Resolve(t.Context(), nameOf(t, "HOST2<03>"), "")
	if want := fmt.Sprintf("HOST2<03> was not found: tried wins %v (silent a moment ago)", addrs[0]); err == nil || err.Error() != want {
		t.Errorf("it alone: %v, want %s", err, want)
	}
	r.Servers = addrs
	time.Sleep(r.WINSDownTimeout)
	back.Store(true)
	resolve("10.77.0.2", 4, 2)
	resolve("10.77.0.2", 5, 2)

	// Where nobody listens, the host says so, and nobody waits.
	servers[0].conn.Close()
	r.ServerRetry = 10 * time.Second
	begun := time.Now()
	found, err := r.Resolve(t.Context(), nameOf(t, "HOST2<03>"), "")
	if took := time.Since(begun); err != nil || found.Addr != ip("10.77.0.3") || took > 5*time.Second {
		t.Errorf("a closed port: %v, %v after %v", found.Addr, err, took)
	}
	if !r.leftOut(addrs[0]) || r.leftOut(addrs[1]) {
		t.Error("the wrong server is left out")
	}
}

// An answer of a server is kept, also that there is no such name; its silence
// says nothing.
func TestWINSCached(t *testing.T) {
	var silence atomic.Bool
	servers, addrs := newServers(t, func(query nbns.Packet, before int, send func([]byte)) {
		switch {
		case silence.Load():
		case query.Question.Name.Base() == "HOST2":
			known(t, 0, "10.77.0.2")(query, before, send)
		default:
			unknown(t, nbns.NameError)(query, before, send)
		}
	})
	r := askingServers(addrs...)
	r.Cache = new(Cache)
	for range 3 {
		if found, err := r.Resolve(t.Context(), nameOf(t, "HOST2<03>"), ""); err != nil || found.From != FromWINS {
			t.Errorf("%+v, %v", found, err)
		}
		if found, err := r.Resolve(t.Context(), nameOf(t, "NOBODY<03>"), ""); err == nil {
			t.Errorf("%+v", found)
		}
	}
	if n := servers[0].queries.Load(); n != 2 {
		t.Errorf("asked %d times, want once for each name", n)
	}
	silence.Store(true)
	r.Cache.Flush()
	if _, err := r.Resolve(t.Context(), nameOf(t, "HOST2<03>"), ""); err == nil || r.Cache.Len() != 0 {
		t.Errorf("silence: %v, and %d names are kept", err, r.Cache.Len())
	}
}
