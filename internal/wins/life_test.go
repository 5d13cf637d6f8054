package wins

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/internal/store"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbns"
)

// grantedTTL registers a name and returns for how long.
func (l *lab) grantedTTL(p nbns.Packet, from netip.Addr) uint32 {
	l.t.Helper()
	l.id++
	p.ID = l.id
	reply, ok := l.Handle(p, netip.AddrPortFrom(from, 137), time.Now())
	if !ok {
		sent := l.later()
		if len(sent) != 1 {
			l.t.Fatalf("sent %+v", sent)
		}
		reply = sent[0].packet
	}
	if reply.RCode != nbns.Success {
		l.t.Errorf("%v: %+v", requestWords(p), reply)
	}
	return reply.Answer.TTL
}

func TestTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, func(cfg *Config) { cfg.MinTTL, cfg.MaxTTL = time.Minute, time.Hour })
		for asked, want := range map[uint32]uint32{
			0: 3600, 1: 60, 59: 60, 60: 60, 61: 61, 3600: 3600, 3601: 3600, 0xFFFFFFFF: 3600,
		} {
			n := name(fmt.Sprintf("T%d<03>", asked))
			if got := l.grantedTTL(nbns.RegistrationRequest(1, n, "", asked, rdata(0, alice), false), alice); got != want {
				t.Errorf("asked for %d, got %d, want %d", asked, got, want)
			}
			if got := l.grantedTTL(nbns.RefreshRequest(1, n, "", asked, rdata(0, alice)), alice); got != want {
				t.Errorf("asked for %d again, got %d, want %d", asked, got, want)
			}
		}
		// A query says what is left of it.
		time.Sleep(20 * time.Second)
		reply, _ := l.Handle(query("T3600<03>"), netip.AddrPortFrom(bob, 137), time.Now())
		if reply.Answer.TTL != 3580 {
			t.Errorf("after 20 seconds the TTL is %d, want 3580", reply.Answer.TTL)
		}
	})
	for _, bad := range []Config{{MinTTL: time.Millisecond}, {MinTTL: time.Hour, MaxTTL: time.Minute}, {MaxTTL: 50 * 365 * 24 * time.Hour}} {
		if _, err := New(t.Context(), bad); err == nil {
			t.Errorf("New took a TTL from %v to %v", bad.MinTTL, bad.MaxTTL)
		}
	}
}

// TestLife follows a name from its registration until it is forgotten.
func TestLife(t *testing.T) {
	for _, tt := range []struct {
		what string
		end  func(*lab) // of its time as an active name
	}{
		{"expired", func(*lab) { time.Sleep(time.Hour) }},
		{"released", func(l *lab) { l.want(release("HOST<03>", alice), alice, "B400") }},
	} {
		t.Run(tt.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, func(cfg *Config) { cfg.MaxTTL, cfg.Extinct = time.Hour, 24*time.Hour })
				l.want(register("HOST<03>", alice), alice, "AD80")
				time.Sleep(30 * time.Minute)
				l.want(refresh("HOST<03>", alice), alice, "AD80")
				time.Sleep(59 * time.Minute)
				l.want(query("HOST<03>"), bob, "8580 10.77.0.2")
				time.Sleep(30 * time.Second)

				tt.end(l)
				l.want(query("HOST<03>"), bob, "8583")
				states(t, l, "HOST<03> released")
				time.Sleep(23 * time.Hour)
				states(t, l, "HOST<03> released")
				if n, _ := l.store.counts(); n != 1 {
					t.Errorf("the store has %d records, want 1", n)
				}
				time.Sleep(time.Hour + 2*time.Minute)
				synctest.Wait()
				states(t, l)
				if n, _ := l.store.counts(); n != 0 {
					t.Errorf("the store has %d records, want none", n)
				}
				if c := l.Counters(); c["names"] != 0 || c["forgotten"] != 1 || len(l.bySource) != 0 {
					t.Errorf("counters %v, sources %v", c, l.bySource)
				}
				l.want(register("HOST<03>", bob), bob, "AD80")
			})
		})
	}
}

// states compares all names and their states.
func states(t *testing.T, l *lab, want ...string) {
	t.Helper()
	var got []string
	for r := range l.Records(nil) {
		got = append(got, fmt.Sprintf("%v %v", netbios.Name(r.Name), r.State))
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("names %v, want %v", got, want)
	}
}

// TestRefreshIsCheap: a refresh goes to the store only when a quarter of the
// time has passed.
func TestRefreshIsCheap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		put := func(want int) {
			t.Helper()
			if _, got := l.store.counts(); got != want {
				t.Errorf("%d times in the store, want %d", got, want)
			}
		}
		l.want(register("HOST<03>", alice), alice, "AD80")
		l.want(group("GROUP<00>", alice), alice, "AD80")
		l.want(group("DOMAIN<1C>", alice), alice, "AD80")
		put(3)
		time.Sleep(asked / 4 * time.Second)
		for range 3 {
			l.want(refresh("HOST<03>", alice), alice, "AD80")
			l.want(register("HOST<03>", alice), alice, "AD80")
			l.want(group("GROUP<00>", alice), alice, "AD80")
			l.want(group("GROUP<00>", bob), bob, "AD80")
			l.want(group("DOMAIN<1C>", alice), alice, "AD80")
		}
		put(3)
		time.Sleep(time.Second)
		l.want(refresh("HOST<03>", alice), alice, "AD80")
		l.want(group("GROUP<00>", bob), bob, "AD80")
		l.want(group("DOMAIN<1C>", alice), alice, "AD80")
		put(6)
		// Another node type is a change.
		p := refresh("HOST<03>", alice)
		p.Additional.Data[0] = 0
		l.want(p, alice, "AD80")
		put(7)
	})
}

// TestRestart ends a server in the middle of things, as kill -9 does, and
// starts another on the same file.
func TestRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "messngr.db")
	round := func(f func(t *testing.T, l *lab)) {
		t.Helper()
		s, err := store.OpenSQLite(path, store.Config{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		t.Run("round", func(t *testing.T) { f(t, newLab(t, func(cfg *Config) { cfg.Store = s })) })
	}
	// Outside of a bubble, because SQLite is no part of it: wait for answers.
	do := func(t *testing.T, l *lab, p nbns.Packet, from netip.Addr) {
		t.Helper()
		_, ok := l.Handle(p, netip.AddrPortFrom(from, 137), time.Now())
		for deadline := time.Now().Add(10 * time.Second); !ok; time.Sleep(time.Millisecond) {
			l.mu.Lock()
			ok = len(l.sent) > 0
			l.sent = nil
			l.mu.Unlock()
			if time.Now().After(deadline) {
				t.Fatalf("%s: no answer", requestWords(p))
			}
		}
	}
	scoped := nbns.RegistrationRequest(1, name("SCOPED<03>"), "\x01x", asked, rdata(0, alice), false)
	round(func(t *testing.T, l *lab) {
		do(t, l, register("HOST<03>", alice), alice)
		do(t, l, multiHomed("HOMES<03>", alice, alice2), alice)
		do(t, l, group("GROUP<00>", alice), alice)
		do(t, l, group("DOMAIN<1C>", alice), alice)
		do(t, l, group("DOMAIN<1C>", bob), bob)
		do(t, l, register("GONE<03>", alice), alice)
		do(t, l, release("GONE<03>", alice), alice)
		do(t, l, scoped, alice)
	})
	want := map[string]string{
		"HOST<03>": "8580 10.77.0.2", "HOMES<03>": "8580 10.77.0.2 10.77.1.2", "GROUP<00>": "8580 255.255.255.255",
		"DOMAIN<1C>": "8580 10.77.0.2 10.77.0.3", "GONE<03>": "8583", "SCOPED<03>": "8583",
	}
	var before map[string]messngr.NameRecord
	for range 3 {
		round(func(t *testing.T, l *lab) {
			for n, answer := range want {
				l.want(query(n), carol, answer)
			}
			l.want(nbns.NameQuery(1, name("SCOPED<03>"), "\x01x", false), carol, "8580 10.77.0.2")
			// The owner is still the owner, without being asked.
			do(t, l, refresh("HOST<03>", alice), alice)
			if n := l.asksMade(); n != 0 {
				t.Errorf("asked %d times", n)
			}
			if c := l.Counters()["names"]; c != 6 || l.bySource[alice.As4()] != 6 {
				t.Errorf("%d names, by source %v", c, l.bySource)
			}
			after := make(map[string]messngr.NameRecord)
			for r := range l.Records(nil) {
				n := netbios.Name(r.Name).String()
				after[n] = r
				promised := time.Now().Add(asked * time.Second)
				// HOST has just been refreshed.
				if r.State == messngr.NameActive && n != "HOST<03>" && (r.Expires.Before(promised.Add(-time.Minute)) || r.Expires.After(promised.Add(asked/4*time.Second))) {
					t.Errorf("%s expires at %v, promised %v", n, r.Expires, promised)
				}
				if before != nil && n != "HOST<03>" && !r.Expires.Equal(before[n].Expires) {
					t.Errorf("%s expires at %v, at %v before the restart", n, r.Expires, before[n].Expires)
				}
			}
			before = after
		})
	}
}

// TestLoad starts a server on what others may have left in the store.
func TestLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		record := func(n string, change func(*messngr.NameRecord)) messngr.NameRecord {
			r := messngr.NameRecord{Kind: messngr.UniqueName, State: messngr.NameActive, Expires: now.Add(time.Hour), Source: alice}
			r.Name = name(n)
			r.Addrs = []messngr.NameAddr{{Addr: alice, Flags: 0x2000, Expires: r.Expires}}
			change(&r)
			return r
		}
		f := &fakeStore{records: make(map[messngr.NameKey]messngr.NameRecord)}
		err := f.PutRecords(t.Context(),
			record("GOOD<03>", func(*messngr.NameRecord) {}),
			record("NONE<03>", func(r *messngr.NameRecord) { r.Addrs = nil }),
			record("MANY<03>", func(r *messngr.NameRecord) { r.Addrs = make([]messngr.NameAddr, maxMembers+1) }),
			record("NOADDR<03>", func(r *messngr.NameRecord) { r.Addrs[0].Addr = netip.Addr{} }),
			record("STATIC<03>", func(*messngr.NameRecord) {}),
			record("OLDSTATIC<03>", func(r *messngr.NameRecord) { r.Static = true }),
			record("OLD<03>", func(r *messngr.NameRecord) { r.Addrs[0].Expires = now.Add(-time.Hour) }),
			record("ANCIENT<03>", func(r *messngr.NameRecord) { r.Addrs[0].Expires = now.Add(-1000 * time.Hour) }),
		)
		if err != nil {
			t.Fatal(err)
		}
		l := newLab(t, func(cfg *Config) {
			cfg.Store = f
			cfg.Static = []messngr.NameRecord{
				record("STATIC<03>", func(r *messngr.NameRecord) { r.Addrs[0].Addr = bob }),
				record("DC<1C>", func(r *messngr.NameRecord) {
					r.Kind = messngr.InternetGroup
					r.Addrs = append(r.Addrs, messngr.NameAddr{Addr: carol, Flags: 0x8000})
				}),
			}
		})
		for n, want := range map[string]string{
			"GOOD<03>": "8580 10.77.0.2", "NONE<03>": "8583", "MANY<03>": "8583", "NOADDR<03>": "8583", "OLDSTATIC<03>": "8583",
			"STATIC<03>": "8580 10.77.0.3", "DC<1C>": "8580 10.77.0.2 10.77.0.4", "OLD<03>": "8583", "ANCIENT<03>": "8583",
		} {
			l.want(query(n), carol, want)
		}
		time.Sleep(2 * time.Minute)
		states(t, l, "DC<1C> active", "GOOD<03> active", "OLD<03> released", "STATIC<03> active")
		// Static names are there for ever.
		time.Sleep(200 * time.Hour)
		states(t, l, "DC<1C> active", "STATIC<03> active")
		l.want(query("STATIC<03>"), carol, "8580 10.77.0.3")
		l.want(group("DC<1C>", bob), bob, "AD80")
		l.want(query("DC<1C>"), carol, "8580 10.77.0.2 10.77.0.4")
	})

	f := &fakeStore{}
	good := messngr.NameRecord{Kind: messngr.UniqueName, Addrs: []messngr.NameAddr{{Addr: alice}}}
	for what, static := range map[string][]messngr.NameRecord{
		"twice": {good, good}, "no address": {{}}, "IPv6": {{Addrs: []messngr.NameAddr{{Addr: netip.IPv6Loopback()}}}},
	} {
		if _, err := New(t.Context(), Config{Store: f, Static: static}); err == nil {
			t.Errorf("%s: New took it", what)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := store.NewMemory(store.Config{})
	defer s.Close()
	if _, err := New(ctx, Config{Store: s}); err == nil {
		t.Error("New with a store that cannot be read")
	}
}
