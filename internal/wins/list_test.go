package wins

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/messngr/messngr"
	"github.com/messngr/messngr/netbios/nbns"
)

func TestRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, func(cfg *Config) { cfg.MaxTTL, cfg.Extinct = time.Hour, 2*time.Hour })
		begin := time.Now().UTC()
		l.want(register("EXPIRED<03>", alice), alice, "AD80")
		time.Sleep(time.Hour)
		l.want(group("DOMAIN<1C>", alice), alice, "AD80")
		l.want(register("GONE<03>", alice), alice, "AD80")
		l.want(release("GONE<03>", alice), alice, "B400")
		time.Sleep(time.Minute)
		l.want(group("DOMAIN<1C>", bob), bob, "AD80")
		time.Sleep(time.Minute)
		l.want(multiHomed("HOMES<03>", alice, alice2), alice, "AD80")
		l.want(group("GROUP<00>", alice), alice, "AD80")

		at := func(d time.Duration) time.Time { return begin.Add(time.Hour + d) }
		record := func(n string, kind messngr.NameKind, state messngr.NameState, expires time.Time, addrs ...messngr.NameAddr) messngr.NameRecord {
			return messngr.NameRecord{NameKey: messngr.NameKey{Name: name(n)}, Kind: kind, State: state, Expires: expires, Source: alice, Addrs: addrs}
		}
		want := []messngr.NameRecord{
			record("DOMAIN<1C>", messngr.InternetGroup, messngr.NameActive, at(61*time.Minute),
				messngr.NameAddr{Addr: alice, Flags: 0xE000, Expires: at(60 * time.Minute)},
				messngr.NameAddr{Addr: bob, Flags: 0xE000, Expires: at(61 * time.Minute)}),
			record("EXPIRED<03>", messngr.UniqueName, messngr.NameReleased, at(2*time.Hour),
				messngr.NameAddr{Addr: alice, Flags: 0x6000, Expires: at(0)}),
			record("GONE<03>", messngr.UniqueName, messngr.NameReleased, at(2*time.Hour),
				messngr.NameAddr{Addr: alice, Flags: 0x6000, Expires: at(2 * time.Hour)}),
			record("GROUP<00>", messngr.NormalGroup, messngr.NameActive, at(62*time.Minute),
				messngr.NameAddr{Addr: alice, Flags: 0xE000, Expires: at(62 * time.Minute)}),
			record("HOMES<03>", messngr.MultiHomed, messngr.NameActive, at(62*time.Minute),
				messngr.NameAddr{Addr: alice, Flags: 0x6000, Expires: at(62 * time.Minute)},
				messngr.NameAddr{Addr: alice2, Flags: 0x6000, Expires: at(62 * time.Minute)}),
		}
		compare := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
		if diff := cmp.Diff(want, slices.Collect(l.Records(nil)), compare); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		for i := range want {
			if diff := cmp.Diff(want[i+1:], slices.Collect(l.Records(&want[i].NameKey)), compare); len(want[i+1:]) > 0 && diff != "" {
				t.Errorf("after record %d (-want +got):\n%s", i, diff)
			}
		}
		for r := range l.Records(nil) {
			if r.NameKey != want[0].NameKey {
				t.Error("went on behind the end")
			}
			break
		}
	})
}

// TestRecordsInOrder reads more names than fit one run, while others come and
// go.
func TestRecordsInOrder(t *testing.T) {
	l := &lab{Server: newServer(t, Config{})}
	const n = 20_000
	for _, i := range rand.Perm(n) {
		k := key{name: name(fmt.Sprintf("%06d<03>", i))}
		if i%10 == 0 {
			k.scope = "\x01x"
		}
		l.table.put(k, activeEntry(alice.As4(), never-1))
	}
	stop := make(chan struct{})
	var others sync.WaitGroup
	others.Go(func() {
		k := key{name: name("999999<03>")}
		for {
			select {
			case <-stop:
				return
			default:
				l.table.put(k, activeEntry(alice.As4(), never-1))
				l.table.delete(k)
			}
		}
	})
	i := 0
	for r := range l.Records(nil) {
		if want := name(fmt.Sprintf("%06d<03>", i)); r.Name != want && i < n {
			t.Fatalf("name %d is %q, want %q", i, r.Name, want[:])
		}
		i++
	}
	close(stop)
	others.Wait()
	if i < n || i > n+1 {
		t.Errorf("%d names, want %d", i, n)
	}
}

// newServer returns a server that does not run.
func newServer(t testing.TB, cfg Config) *Server {
	t.Helper()
	if cfg.Store == nil {
		cfg.Store = &fakeStore{}
	}
	cfg.Send = func(nbns.Packet, netip.AddrPort) {}
	s, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func activeEntry(addr [4]byte, expires uint32) entry {
	return entry{
		kind: messngr.UniqueName, state: messngr.NameActive, source: addr,
		addrs: []member{{addr: addr, flags: 0x6000, expires: expires, kept: expires}},
	}
}
