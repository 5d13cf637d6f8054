package wins

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/messngr/messngr/netbios/nbns"
)

var errFull = errors.New("disk full")

// TestDurable: a change is made, and answered, when the store has it.
func TestDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		l.want(register("OLD<03>", alice), alice, "AD80")
		gate := make(chan struct{})
		l.store.set(func(f *fakeStore) { f.gate = gate })
		l.want(register("NEW<03>", alice), alice, "")
		l.want(register("NEW<03>", alice), alice, "") // comes again
		l.want(register("NEW<03>", bob), bob, "")     // too late
		l.want(release("NEW<03>", alice), alice, "")
		l.want(query("NEW<03>"), carol, "8583")
		l.want(release("OLD<03>", alice), alice, "")
		l.want(query("OLD<03>"), carol, "8580 10.77.0.2")
		time.Sleep(time.Minute)
		if sent := l.later(); len(sent) != 0 {
			t.Errorf("sent %+v", sent)
		}
		l.store.set(func(f *fakeStore) { f.gate = nil })
		close(gate)
		time.Sleep(maxPatience)
		sent := l.later()
		if len(sent) != 2 || sent[0].packet.Opcode != nbns.Registration || sent[1].packet.Opcode != nbns.Release ||
			sent[0].packet.RCode != nbns.Success || sent[1].packet.RCode != nbns.Success {
			t.Errorf("sent %+v", sent)
		}
		l.want(query("NEW<03>"), carol, "8580 10.77.0.2")
		l.want(query("OLD<03>"), carol, "8583")
		if n := l.Counters()["dropped_busy"]; n != 3 {
			t.Errorf("dropped_busy is %d, want 3", n)
		}
	})
}

// TestBatch: changes that wait at the same time go to the store together.
func TestBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		gate := make(chan struct{})
		l.store.set(func(f *fakeStore) { f.gate = gate })
		const n = 100
		for i := range n {
			l.want(register(fmt.Sprintf("H%d<03>", i), alice), alice, "")
		}
		close(gate)
		if sent := l.later(); len(sent) != n {
			t.Errorf("%d answers, want %d", len(sent), n)
		}
		if records, puts := l.store.counts(); records != n || puts != 2 {
			t.Errorf("%d records in %d goes, want %d in 2", records, puts, n)
		}
	})
}

// TestCompany: hosts that ask again as soon as they have an answer share their
// commits, and one that is alone waits for nobody.
func TestCompany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const hosts, changes = 10, 200
		var l *lab
		made := 0
		next := func(host uint16) {
			made++
			p := register(fmt.Sprintf("NAME%d<03>", made), alice)
			l.Handle(p, netip.AddrPortFrom(alice, host), time.Now())
		}
		var mu sync.Mutex // Handle is not to be called at the same time
		l = newLab(t, func(cfg *Config) {
			cfg.Send = func(_ nbns.Packet, to netip.AddrPort) {
				time.AfterFunc(time.Duration(to.Port())*100*time.Microsecond, func() {
					mu.Lock()
					defer mu.Unlock()
					if made < changes {
						next(to.Port())
					}
				})
			}
		})
		l.store.set(func(f *fakeStore) { f.takes = time.Millisecond })
		mu.Lock()
		for host := range uint16(hosts) {
			next(host)
		}
		mu.Unlock()
		time.Sleep(time.Minute)
		if records, puts := l.store.counts(); records != changes || puts > changes/hosts*5/4 {
			t.Errorf("%d changes in %d commits, want %d in about %d", records, puts, changes, changes/hosts)
		}
		begin := time.Now()
		mu.Lock()
		next(0)
		mu.Unlock()
		for l.Counters()["registered"] == changes {
			time.Sleep(10 * time.Microsecond)
		}
		if took := time.Since(begin); took > 1100*time.Microsecond {
			t.Errorf("one change alone took %v", took)
		}
	})
}

// TestPendingBound: so many changes wait for the store, and no more.
func TestPendingBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, func(cfg *Config) { cfg.MaxPending = 10 })
		gate := make(chan struct{})
		l.store.set(func(f *fakeStore) { f.gate = gate })
		for i := range 1000 {
			l.want(register(fmt.Sprintf("H%d<03>", i), alice), alice, "")
		}
		if len(l.pending) != 10 || len(l.queue) > 10 {
			t.Errorf("%d changes wait, want 10", len(l.pending))
		}
		close(gate)
		if sent := l.later(); len(sent) != 10 {
			t.Errorf("%d answers, want 10", len(sent))
		}
		if c := l.Counters(); c["names"] != 10 || c["dropped_busy"] != 990 {
			t.Errorf("counters %v", c)
		}
	})
}

// TestStoreFails: what the store does not take does not happen, and who asked
// is told so.
func TestStoreFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		l := newLab(t, func(cfg *Config) { cfg.Log = slog.New(slog.NewTextHandler(&log, nil)) })
		l.want(register("OLD<03>", alice), alice, "AD80")
		l.want(group("DOMAIN<1C>", alice), alice, "AD80")
		l.store.set(func(f *fakeStore) { f.fail = errFull })
		for range 3 {
			l.want(register("NEW<03>", alice), alice, "AD82")
			l.want(query("NEW<03>"), carol, "8583")
			l.want(release("OLD<03>", alice), alice, "B402")
			l.want(query("OLD<03>"), carol, "8580 10.77.0.2")
			l.want(group("DOMAIN<1C>", bob), bob, "AD82")
			l.want(query("DOMAIN<1C>"), carol, "8580 10.77.0.2")
			// What need not be stored goes on.
			l.want(refresh("OLD<03>", alice), alice, "AD80")
		}
		if c := l.Counters(); c["names"] != 2 || l.bySource[alice.As4()] != 2 || len(l.bySource) != 1 || c["refused_by_store"] != 9 {
			t.Errorf("counters %v, sources %v", c, l.bySource)
		}
		l.store.set(func(f *fakeStore) { f.fail = nil })
		l.want(register("NEW<03>", alice), alice, "AD80")
		l.want(query("NEW<03>"), carol, "8580 10.77.0.2")
		if n := strings.Count(log.String(), "cannot keep names"); n != 1 || !strings.Contains(log.String(), "disk full") || !strings.Contains(log.String(), "keeps names again") {
			t.Errorf("logged %q", log.String())
		}
	})
}

// TestStoreFailsToForget: a name that cannot be deleted is tried again.
func TestStoreFailsToForget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, func(cfg *Config) { cfg.MaxTTL, cfg.Extinct = time.Hour, time.Hour })
		l.want(register("HOST<03>", alice), alice, "AD80")
		l.store.set(func(f *fakeStore) { f.fail = errFull })
		time.Sleep(3 * time.Hour)
		states(t, l, "HOST<03> released")
		l.store.set(func(f *fakeStore) { f.fail = nil })
		time.Sleep(2 * time.Minute)
		states(t, l)
		if sent := l.later(); len(sent) != 0 {
			t.Errorf("sent %+v", sent)
		}
	})
}

// TestRunEnds in the middle of a change and of a challenge: nobody is told
// anything, and nothing is left running.
func TestRunEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		l.want(register("HOST<03>", alice), alice, "AD80")
		l.want(register("HOST<03>", bob), bob, "BC00")
		l.store.set(func(f *fakeStore) { f.gate = make(chan struct{}) })
		l.want(register("NEW<03>", alice), alice, "")
		t.Cleanup(func() { // after newLab's own, which ends Run
			if sent := l.later(); len(sent) != 0 {
				t.Errorf("sent %+v", sent)
			}
		})
	})
}

// TestReplyBuffer: an answer that goes out later has its own copy of what it
// repeats, because the buffer of the request is used again.
func TestReplyBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		l.want(register("TAKEN<03>", alice), alice, "AD80")
		first, second := register("HOST<03>", bob), register("TAKEN<03>", bob)
		for _, p := range []nbns.Packet{first, second} {
			l.Handle(p, netip.AddrPortFrom(bob, 137), time.Now())
			clear(p.Additional.Data)
		}
		time.Sleep(time.Minute)
		sent := l.later()
		if len(sent) != 2 {
			t.Fatalf("sent %+v", sent)
		}
		for _, s := range sent {
			if !bytes.Equal(s.packet.Answer.Data, rdata(0, bob)) {
				t.Errorf("%v: answered with %x", s.packet.Answer.Name, s.packet.Answer.Data)
			}
		}
	})
}
