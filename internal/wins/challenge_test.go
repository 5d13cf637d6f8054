package wins

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/messngr/messngr/netbios/nbns"
)

// TestChallenge lets Bob claim Alice's name, with what she says to it.
func TestChallenge(t *testing.T) {
	for _, tt := range []struct {
		what   string
		answer []netip.Addr // of Alice; nil: she is silent, empty: she says no
		claim  nbns.Packet
		after  time.Duration // when the claimant gets its answer
		want   string        // which is this
		query  string        // behind it
	}{
		{"silent", nil, register("HOST<03>", bob), 4500 * time.Millisecond, "AD80", "8580 10.77.0.3"},
		{"no", []netip.Addr{}, register("HOST<03>", bob), 10 * time.Millisecond, "AD80", "8580 10.77.0.3"},
		{"yes", []netip.Addr{alice}, register("HOST<03>", bob), 10 * time.Millisecond, "AD86", "8580 10.77.0.2"},
		{"one host", []netip.Addr{alice, bob}, register("HOST<03>", bob), 10 * time.Millisecond, "AD80", "8580 10.77.0.2 10.77.0.3"},
		{"one host, moved", []netip.Addr{bob}, register("HOST<03>", bob), 10 * time.Millisecond, "AD80", "8580 10.77.0.3"},
		{"one host, of several claimed", []netip.Addr{alice, bob}, multiHomed("HOST<03>", bob, carol), 10 * time.Millisecond, "AD86", "8580 10.77.0.2"},
		{"refresh, silent", nil, refresh("HOST<03>", bob), 4500 * time.Millisecond, "AD80", "8580 10.77.0.3"},
		{"refresh, yes", []netip.Addr{alice}, refresh("HOST<03>", bob), 10 * time.Millisecond, "AD86", "8580 10.77.0.2"},
		{"group, silent", nil, group("HOST<03>", bob), 4500 * time.Millisecond, "AD80", "8580 255.255.255.255"},
		{"group, yes", []netip.Addr{alice, bob}, group("HOST<03>", bob), 10 * time.Millisecond, "AD86", "8580 10.77.0.2"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t)
				l.want(register("HOST<03>", alice), alice, "AD80")
				if tt.answer != nil {
					l.says(alice, tt.answer...)
				}
				begin := time.Now()
				reply, ok := l.Handle(tt.claim, netip.AddrPortFrom(bob, 137), begin)
				if !ok || l.words(tt.claim, reply) != "BC00" || reply.Answer.TTL != 10 {
					t.Fatalf("%+v, %v; want WACK at once, for 10 seconds", reply, ok)
				}
				word, err := nbns.ParseWait(reply.Answer.Data)
				if err != nil || word.Opcode != tt.claim.Opcode {
					t.Errorf("WACK for %+v, %v", word, err)
				}
				l.want(query("HOST<03>"), carol, "8580 10.77.0.2") // it is hers until it is decided

				time.Sleep(10 * time.Second)
				sent := l.later()
				if len(sent) != 1 || sent[0].to != netip.AddrPortFrom(bob, 137) {
					t.Fatalf("sent %+v", sent)
				}
				if got := l.words(tt.claim, sent[0].packet); got != tt.want {
					t.Errorf("answer %s, want %s", got, tt.want)
				}
				if got := sent[0].at.Sub(begin); got != tt.after {
					t.Errorf("after %v, want %v", got, tt.after)
				}
				if tt.want == "AD80" && (sent[0].packet.Answer.TTL != asked || !slices.Equal(sent[0].packet.Answer.Data, tt.claim.Additional.Data)) {
					t.Errorf("answer %+v", sent[0].packet)
				}
				l.want(query("HOST<03>"), carol, tt.query)
				if n := l.asksMade(); n != 1 {
					t.Errorf("asked %d times, want once", n)
				}
			})
		})
	}
}

// TestChallengeLimit: an owner that takes too long is silent.
func TestChallengeLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, func(cfg *Config) {
			cfg.Challenge = 2 * time.Second
			cfg.Ask = func(ctx context.Context, _ nbns.Packet, _ netip.AddrPort) (nbns.Packet, error) {
				<-ctx.Done()
				return nbns.Packet{}, ctx.Err()
			}
		})
		l.want(register("HOST<03>", alice), alice, "AD80")
		begin := time.Now()
		l.want(register("HOST<03>", bob), bob, "BC00")
		time.Sleep(time.Minute)
		if sent := l.later(); len(sent) != 1 || sent[0].at.Sub(begin) != 2*time.Second || sent[0].packet.RCode != nbns.Success {
			t.Errorf("sent %+v", sent)
		}
	})
}

// TestChallengeSeveral: all addresses of a host are asked at once, and one that
// says yes is enough.
func TestChallengeSeveral(t *testing.T) {
	for _, answers := range []int{0, 1, 2} {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(t)
			l.want(multiHomed("HOST<03>", alice, alice2), alice, "AD80")
			if answers > 0 {
				l.says(alice2, alice2, alice)
			}
			if answers > 1 {
				l.says(alice) // she says no there
			}
			begin := time.Now()
			l.want(register("HOST<03>", bob), bob, "BC00")
			time.Sleep(time.Minute)
			want, after := "AD86", 10*time.Millisecond
			if answers == 0 {
				want, after = "AD80", 4500*time.Millisecond
			}
			sent := l.later()
			if len(sent) != 1 || sent[0].at.Sub(begin) != after || fmt.Sprintf("AD8%d", sent[0].packet.RCode) != want {
				t.Errorf("%d answers: sent %+v, want %s after %v", answers, sent, want, after)
			}
			if n := l.asksMade(); n != 2 {
				t.Errorf("asked %d times, want at both addresses", n)
			}
		})
	}
}

// TestChallengeBadAnswers: what does not say yes is no.
func TestChallengeBadAnswers(t *testing.T) {
	q := nbns.NameQuery(1, name("HOST<03>"), "", false)
	noAddress := nbns.PositiveQueryResponse(q, 0, nil)
	half := nbns.PositiveQueryResponse(q, 0, []byte{0, 0, 10, 77})
	status := nbns.StatusResponse(q, rdata(0, alice))
	for _, bad := range []nbns.Packet{noAddress, half, status, {}} {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(t)
			l.want(register("HOST<03>", alice), alice, "AD80")
			l.mu.Lock()
			l.owners[alice] = func() (nbns.Packet, error) { return bad, nil }
			l.mu.Unlock()
			l.want(register("HOST<03>", bob), bob, "BC00")
			time.Sleep(time.Minute)
			if sent := l.later(); len(sent) != 1 || sent[0].packet.RCode != nbns.Success {
				t.Errorf("%+v: sent %+v", bad, sent)
			}
		})
	}
}

// TestMeanwhile lets things happen while Alice is asked for 4.5 seconds.
func TestMeanwhile(t *testing.T) {
	claim := register("HOST<03>", bob)
	for _, tt := range []struct {
		what   string
		do     func(*lab)
		answer string // to Bob
		query  string // behind it
	}{
		{"nothing", func(*lab) {}, "AD80", "8580 10.77.0.3"},
		{"the claimant comes again", func(l *lab) {
			for range 3 {
				if got := l.doID(claim, bob); got != "BC00" {
					l.t.Errorf("again: %q, want BC00", got)
				}
			}
		}, "AD80", "8580 10.77.0.3"},
		{"the claimant begins anew", func(l *lab) { l.want(claim, bob, "BC00") }, "AD80", "8580 10.77.0.3"},
		{"another claimant", func(l *lab) { l.want(register("HOST<03>", carol), carol, "BC00") }, "AD80", "8580 10.77.0.3"},
		{"the claimant with another address", func(l *lab) {
			p := multiHomed("HOST<03>", alice2)
			reply, ok := l.Handle(p, netip.AddrPortFrom(bob, 137), time.Now())
			if !ok || l.words(p, reply) != "BC00" || reply.Answer.TTL > 6 {
				l.t.Errorf("answered %+v, %v", reply, ok)
			}
		}, "AD80", "8580 10.77.0.3"},
		{"the owner refreshes", func(l *lab) { l.want(refresh("HOST<03>", alice), alice, "AD80") }, "AD86", "8580 10.77.0.2"},
		{"the owner registers", func(l *lab) { l.want(register("HOST<03>", alice), alice, "AD80") }, "AD86", "8580 10.77.0.2"},
		{"the owner releases", func(l *lab) {
			l.want(release("HOST<03>", alice), alice, "B400")
			l.want(query("HOST<03>"), carol, "8583")
		}, "AD80", "8580 10.77.0.3"},
		{"the owner releases, and another one registers", func(l *lab) {
			l.want(release("HOST<03>", alice), alice, "B400")
			l.want(register("HOST<03>", carol), carol, "AD80")
		}, "AD86", "8580 10.77.0.4"},
		{"the claimant releases", func(l *lab) { l.want(release("HOST<03>", bob), bob, "B406") }, "AD80", "8580 10.77.0.3"},
		{"the store is slow with the owner's release", func(l *lab) {
			gate := make(chan struct{})
			l.store.set(func(f *fakeStore) { f.gate = gate })
			l.want(release("HOST<03>", alice), alice, "")
			time.Sleep(5 * time.Second)
			if sent := l.later(); len(sent) != 0 {
				l.t.Errorf("sent before the store has it: %+v", sent)
			}
			l.store.set(func(f *fakeStore) { f.gate = nil })
			close(gate)
			if sent := l.later(); len(sent) < 1 || sent[0].packet.Opcode != nbns.Release {
				l.t.Errorf("sent %+v", sent)
			} else {
				l.mu.Lock()
				l.sent = sent[1:]
				l.mu.Unlock()
			}
		}, "AD80", "8580 10.77.0.3"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t)
				l.want(register("HOST<03>", alice), alice, "AD80")
				claim.ID = 4711
				if got := l.doID(claim, bob); got != "BC00" {
					t.Fatalf("claim: %q", got)
				}
				time.Sleep(time.Second)
				tt.do(l)
				time.Sleep(time.Minute)
				sent := l.later()
				if len(sent) != 1 || sent[0].to.Addr() != bob || l.words(claim, sent[0].packet) != tt.answer {
					t.Fatalf("sent %+v, want %s", sent, tt.answer)
				}
				if n := l.asksMade(); n != 1 {
					t.Errorf("asked %d times, want once", n)
				}
				l.want(query("HOST<03>"), carol, tt.query)
				if len(l.challenges) != 0 || len(l.pending) != 0 {
					t.Errorf("left: %v, %v", l.challenges, l.pending)
				}
			})
		})
	}
}

// TestChallengeBound: so many owners are asked at a time, and no more.
func TestChallengeBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, func(cfg *Config) { cfg.MaxChallenges = 2 })
		names := []string{"A<03>", "B<03>", "C<03>", "D<03>"}
		for _, n := range names {
			l.want(register(n, alice), alice, "AD80")
		}
		for i, n := range names {
			want := "BC00"
			if i >= 2 {
				want = ""
			}
			l.want(register(n, bob), bob, want)
		}
		if n := l.Counters()["dropped_busy"]; n != 2 {
			t.Errorf("dropped_busy is %d, want 2", n)
		}
		time.Sleep(time.Minute)
		if sent := l.later(); len(sent) != 2 {
			t.Errorf("sent %+v", sent)
		}
		l.want(register("C<03>", bob), bob, "BC00")
	})
}

// TestChallengeStoreFails: who gets a name that cannot be stored does not get
// it.
func TestChallengeStoreFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		l.want(register("HOST<03>", alice), alice, "AD80")
		l.store.set(func(f *fakeStore) { f.fail = errFull })
		l.want(register("HOST<03>", bob), bob, "BC00")
		time.Sleep(time.Minute)
		if sent := l.later(); len(sent) != 1 || sent[0].packet.RCode != nbns.ServerFailure {
			t.Errorf("sent %+v", sent)
		}
		l.want(query("HOST<03>"), carol, "8580 10.77.0.2")
	})
}
