package names

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/messngr/messngr/internal/links"
	"github.com/messngr/messngr/netbios/nbns"
)

func contextWithCancel() (context.Context, context.CancelFunc) {
	return context.WithCancel(context.Background())
}

// onLAN runs a test on a network of its own, with a clock of its own.
func onLAN(t *testing.T, f func(*testing.T, *testLAN)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newTestLAN(t)) })
}

func stands(t *testing.T, n *testNode, name, want string) {
	t.Helper()
	if got := n.stands(name); got != want {
		t.Errorf("%s is %q, want %q", name, got, want)
	}
}

// RFC 1002 5.1.1.1: three requests, then the demand; the name is ours within
// a second. At the end it is released.
func TestClaimByBroadcast(t *testing.T) {
	onLAN(t, func(t *testing.T, lan *testLAN) {
		n := lan.node("10.77.0.2", nil, "HOST2<03>", "WORKGROUP<00> group")
		defer n.stop()
		stands(t, n, "HOST2<03>", "claiming")
		query := nbns.NameQuery(7, nameOf(t, "HOST2<03>"), "", true)
		if got := lan.answers("10.77.0.9", "10.77.0.255", query); got != nil {
			t.Errorf("a name that is being claimed is answered for: %v", got)
		}
		if got := lan.answers("127.0.0.1", "10.77.0.2", query); len(got) != 1 {
			t.Errorf("this host itself is answered %v", got)
		}
		after(749 * time.Millisecond)
		stands(t, n, "HOST2<03>", "claiming")
		after(time.Millisecond)
		stands(t, n, "HOST2<03>", "owned")
		stands(t, n, "WORKGROUP<00>", "owned")
		if got := lan.answers("10.77.0.9", "10.77.0.255", query); len(got) != 1 || got[0].RCode != nbns.Success {
			t.Errorf("a name that is owned is answered with %v", got)
		}
		var said []string
		ids := map[uint16]bool{}
		lan.mu.Lock()
		for _, p := range lan.sent {
			if p.from == ip("10.77.0.2") && p.Question.Name == nameOf(t, "HOST2<03>") && !p.Response {
				said = append(said, p.String())
				ids[p.ID] = true
			}
		}
		lan.mu.Unlock()
		want := []string{
			"0s 2910 HOST2<03> to 10.77.0.255", "250ms 2910 HOST2<03> to 10.77.0.255",
			"500ms 2910 HOST2<03> to 10.77.0.255", "750ms 2810 HOST2<03> to 10.77.0.255",
		}
		if diff := cmp.Diff(want, said); diff != "" || len(ids) != 1 {
			t.Errorf("%d ids, -want +got:\n%s", len(ids), diff)
		}
		after(5 * time.Second)
		lan.take("10.77.0.2")
		begin := time.Now()
		n.stop()
		if took := time.Since(begin); took > time.Second {
			t.Errorf("the end took %v", took)
		}
		said = lan.take("10.77.0.2")
		if len(said) != 6 || said[0] != "0s 3010 HOST2<03> to 10.77.0.255" || said[5] != "500ms 3010 WORKGROUP<00> to 10.77.0.255" {
			t.Errorf("released with %q", said)
		}
	})
}

// A name that another node has: who that is is known, the other names are
// ours, and it is tried again, less and less often.
func TestTaken(t *testing.T) {
	onLAN(t, func(t *testing.T, lan *testLAN) {
		first := lan.node("10.77.0.2", nil, "SHARED<03>", "WORKGROUP<00> group")
		defer first.stop()
		after(2 * time.Second)
		second := lan.node("10.77.0.3", nil, "SHARED<03>", "MINE<03>", "WORKGROUP<00> group")
		defer second.stop()
		after(2 * time.Second)
		const held = "conflict 10.77.0.2 (SHARED<03>, WORKGROUP<00>, 02:00:00:00:00:02)"
		stands(t, second, "SHARED<03>", held)
		stands(t, second, "MINE<03>", "owned")
		stands(t, second, "WORKGROUP<00>", "owned")
		stands(t, first, "SHARED<03>", "owned")
		if got := first.Counters()["defended"]; got != 1 {
			t.Errorf("defended %d times", got)
		}
		lan.take("0.0.0.0")
		after(20 * time.Minute)
		stands(t, second, "SHARED<03>", held)
		lan.mu.Lock()
		var tries []time.Duration
		for _, p := range lan.sent {
			if p.from == ip("10.77.0.3") && p.Opcode == nbns.Registration && !p.Response {
				tries = append(tries, p.at.Round(time.Second))
			}
		}
		lan.mu.Unlock()
		if len(tries) < 6 || len(tries) > 9 || tries[1]-tries[0] < 29*time.Second {
			t.Errorf("tried again at %v", tries)
		}
		first.stop()
		after(6 * time.Minute)
		stands(t, second, "SHARED<03>", "owned")
	})
}

// When the network changes, there is reason to try at once.
func TestTakenUntilTheLinksChange(t *testing.T) {
	onLAN(t, func(t *testing.T, lan *testLAN) {
		first := lan.node("10.77.0.2", nil, "SHARED<03>")
		after(2 * time.Second)
		second := lan.node("10.77.0.3", nil, "SHARED<03>")
		defer second.stop()
		after(2 * time.Second)
		first.stop()
		tunnel := links.Link{Name: "tun0", Addr: ip("10.9.0.1"), Prefix: netip.MustParsePrefix("10.9.0.0/24")}
		second.changes <- []links.Link{linkOf("10.77.0.3"), tunnel}
		after(800 * time.Millisecond)
		stands(t, second, "SHARED<03>", "owned, owned")
		second.changes <- nil
		after(time.Millisecond)
		stands(t, second, "SHARED<03>", "")
		query := nbns.NameQuery(7, nameOf(t, "SHARED<03>"), "", true)
		if got := lan.answers("127.0.0.1", "10.77.0.3", query); len(got) != 1 {
			t.Errorf("without a network this host is answered %v", got)
		}
	})
}

// A group and a unique name do not go together, whoever was first.
func TestGroupAndUnique(t *testing.T) {
	for _, kinds := range [][2]string{{" group", ""}, {"", " group"}} {
		onLAN(t, func(t *testing.T, lan *testLAN) {
			first := lan.node("10.77.0.2", nil, "NAME<00>"+kinds[0])
			defer first.stop()
			after(2 * time.Second)
			second := lan.node("10.77.0.3", nil, "NAME<00>"+kinds[1])
			defer second.stop()
			after(2 * time.Second)
			if got := second.stands("NAME<00>"); !strings.HasPrefix(got, "conflict 10.77.0.2") {
				t.Errorf("%q after %q: %s", kinds[1], kinds[0], got)
			}
		})
	}
}

// What counts as an objection to a claim, and what does not.
func TestForgedObjections(t *testing.T) {
	for name, tt := range map[string]struct {
		from   string
		change func(*nbns.Packet)
		taken  bool
	}{
		"a true one":          {"10.77.0.9", func(*nbns.Packet) {}, true},
		"another id":          {"10.77.0.9", func(p *nbns.Packet) { p.ID++ }, false},
		"another name":        {"10.77.0.9", func(p *nbns.Packet) { p.Answer.Name[0] = 'X' }, false},
		"another scope":       {"10.77.0.9", func(p *nbns.Packet) { p.Answer.Scope = "\x01X" }, false},
		"another opcode":      {"10.77.0.9", func(p *nbns.Packet) { p.Opcode = nbns.Release }, false},
		"from another port":   {"10.77.0.9:1024", func(*nbns.Packet) {}, false},
		"from elsewhere":      {"192.168.1.9", func(*nbns.Packet) {}, false},
		"from ourselves":      {"10.77.0.2", func(*nbns.Packet) {}, false},
		"from who is refused": {"10.77.0.66", func(*nbns.Packet) {}, false},
		"a consent":           {"10.77.0.9", func(p *nbns.Packet) { p.RCode = nbns.Success }, false},
	} {
		t.Run(name, func(t *testing.T) {
			onLAN(t, func(t *testing.T, lan *testLAN) {
				n := lan.node("10.77.0.2", nil, "HOST2<03>")
				defer n.stop()
				lan.mu.Lock()
				claim := lan.sent[0].Packet
				lan.mu.Unlock()
				p := nbns.NegativeRegistrationResponse(claim, nbns.ActiveError)
				tt.change(&p)
				for range 100 {
					lan.send(tt.from, "10.77.0.2", p)
				}
				after(3 * time.Second)
				if got := n.stands("HOST2<03>"); strings.HasPrefix(got, "conflict") != tt.taken {
					t.Errorf("the name is %s", got)
				}
			})
		})
	}
}

// Who objects to the demand, when the name is ours already, must have it: by
// its own node status. That of a conflict never counts.
func TestForgedObjectionsToTheDemand(t *testing.T) {
	for name, tt := range map[string]struct {
		code   nbns.RCode
		status bool
		want   string
	}{
		"somebody says so":         {nbns.ActiveError, false, "owned"},
		"somebody really has it":   {nbns.ActiveError, true, "conflict 10.77.0.9 (HOST2<03>)"},
		"somebody says a conflict": {nbns.NameInConflict, false, "owned"},
	} {
		t.Run(name, func(t *testing.T) {
			onLAN(t, func(t *testing.T, lan *testLAN) {
				owns := owner(nameOf(t, "HOST2<03>"), "10.77.0.9", tt.status)
				lan.peer("10.77.0.9", func(p nbns.Packet, from netip.AddrPort) []nbns.Packet {
					if p.Opcode == nbns.Registration && p.Flags&nbns.RecursionDesired == 0 && !p.Response {
						forged := nbns.NegativeRegistrationResponse(p, tt.code)
						return []nbns.Packet{forged, forged, forged}
					}
					if p.Question.Type == nbns.TypeNB { // it keeps silent about the name
						return nil
					}
					return owns(p, from)
				})
				n := lan.node("10.77.0.2", nil, "HOST2<03>")
				defer n.stop()
				after(5 * time.Second)
				stands(t, n, "HOST2<03>", tt.want)
			})
		})
	}
}

// A name that is ours is defended, in every form of a claim, and against
// nobody else than other hosts.
func TestDefence(t *testing.T) {
	onLAN(t, func(t *testing.T, lan *testLAN) {
		n := lan.node("10.77.0.2", nil, "HOST2<03>", "WORKGROUP<00> group")
		defer n.stop()
		after(2 * time.Second)
		host2, group := nameOf(t, "HOST2<03>"), nameOf(t, "WORKGROUP<00>")
		theirs, ours := addrOf(0, "10.77.0.9"), addrOf(0, "10.77.0.2")
		alt := nbns.RefreshRequest(1, host2, "", 0, theirs)
		alt.Opcode = nbns.RefreshAlt
		for name, tt := range map[string]struct {
			from    string
			p       nbns.Packet
			defence bool
		}{
			"a registration":          {"10.77.0.9", nbns.RegistrationRequest(1, host2, "", 0, theirs, true), true},
			"one to us alone":         {"10.77.0.9", nbns.RegistrationRequest(1, host2, "", 0, theirs, false), true},
			"one from afar":           {"192.168.1.9", nbns.RegistrationRequest(1, host2, "", 0, addrOf(0, "192.168.1.9"), false), true},
			"a demand":                {"10.77.0.9", nbns.OverwriteDemand(1, host2, "", 0, theirs, true), true},
			"a multi-homed one":       {"10.77.0.9", nbns.MultiHomedRegistration(1, host2, "", 0, theirs), true},
			"a refresh":               {"10.77.0.9", nbns.RefreshRequest(1, host2, "", 0, theirs), true},
			"the other refresh":       {"10.77.0.9", alt, true},
			"a group of that name":    {"10.77.0.9", nbns.RegistrationRequest(1, host2, "", 0, addrOf(nbns.Group, "10.77.0.9"), true), true},
			"our group as unique":     {"10.77.0.9", nbns.RegistrationRequest(1, group, "", 0, theirs, true), true},
			"with ours beside theirs": {"10.77.0.9", nbns.RegistrationRequest(1, host2, "", 0, append(addrOf(0, "10.77.0.2"), theirs...), true), true},
			"no address at all":       {"10.77.0.9", nbns.RegistrationRequest(1, host2, "", 0, nil, true), true},
			"our group":               {"10.77.0.9", nbns.RegistrationRequest(1, group, "", 0, addrOf(nbns.Group, "10.77.0.9"), true), false},
			"our own address":         {"10.77.0.9", nbns.RegistrationRequest(1, host2, "", 0, ours, true), false},
			"another name":            {"10.77.0.9", nbns.RegistrationRequest(1, nameOf(t, "OTHER<03>"), "", 0, theirs, true), false},
			"another scope":           {"10.77.0.9", nbns.RegistrationRequest(1, host2, "\x01X", 0, theirs, true), false},
			"from who is not served":  {"10.77.0.66", nbns.RegistrationRequest(1, host2, "", 0, theirs, true), false},
			"a release by a stranger": {"10.77.0.9", nbns.ReleaseRequest(1, host2, "", theirs, true), false},
			"a release in our name":   {"10.77.0.9", nbns.ReleaseRequest(1, host2, "", ours, true), false},
		} {
			got := lan.answers(tt.from, "10.77.0.2", tt.p)
			if tt.defence && (len(got) != 1 || got[0].RCode != nbns.ActiveError || got[0].Opcode != nbns.Registration || got[0].ID != 1) || !tt.defence && got != nil {
				t.Errorf("%s: %v", name, got)
			}
			stands(t, n, "HOST2<03>", "owned")
		}
	})
}

// A conflict demand is a reason to look. Only who answers for the name, and
// says the same in its node status, has it.
func TestConflictDemand(t *testing.T) {
	for name, tt := range map[string]struct {
		answers, status bool
		want            string
	}{
		"nobody has it":            {false, false, "owned"},
		"one says so only once":    {true, false, "owned"},
		"another really has it":    {true, true, "conflict 10.77.0.9 (HOST2<03>)"},
		"its status says so, only": {false, true, "owned"},
	} {
		t.Run(name, func(t *testing.T) {
			onLAN(t, func(t *testing.T, lan *testLAN) {
				n := lan.node("10.77.0.2", nil, "HOST2<03>")
				defer n.stop()
				after(2 * time.Second)
				host2 := nameOf(t, "HOST2<03>")
				answer := owner(host2, "10.77.0.9", tt.status)
				lan.peer("10.77.0.9", func(p nbns.Packet, from netip.AddrPort) []nbns.Packet {
					if !tt.answers && p.Question.Type == nbns.TypeNB {
						return nil
					}
					return answer(p, from)
				})
				for i := range 1000 {
					lan.send("10.77.0.66", "10.77.0.2", nbns.ConflictDemand(uint16(i), host2, ""))
					lan.send("10.77.0.9", "10.77.0.2", nbns.ConflictDemand(uint16(i), host2, ""))
				}
				after(3 * time.Second)
				stands(t, n, "HOST2<03>", tt.want)
				if got := n.Counters()["probes"]; got != 1 {
					t.Errorf("%d probes", got)
				}
			})
		})
	}
}

// Add returns when it is decided whose the name is; Remove gives it up at once.
func TestAddAndRemove(t *testing.T) {
	onLAN(t, func(t *testing.T, lan *testLAN) {
		first := lan.node("10.77.0.2", nil, "HOST2<03>")
		defer first.stop()
		second := lan.node("10.77.0.3", nil, "HOST3<03>")
		defer second.stop()
		after(2 * time.Second)
		alice := Own{Name: nameOf(t, "ALICE<03>")}
		if err := first.Add(t.Context(), alice); err != nil || first.stands("ALICE<03>") != "owned" {
			t.Errorf("%v, %s", err, first.stands("ALICE<03>"))
		}
		if err := first.Add(t.Context(), alice); err == nil {
			t.Error("a name was added twice")
		}
		var taken *TakenError
		const whose = "the name ALICE<03> belongs to 10.77.0.2 (HOST2<03>, ALICE<03>, 02:00:00:00:00:02) on eth0"
		if err := second.Add(t.Context(), alice); !errors.As(err, &taken) || err.Error() != whose || second.stands("ALICE<03>") != "" {
			t.Errorf("%v, %s", err, second.stands("ALICE<03>"))
		}
		lan.take("0.0.0.0")
		if err := first.Remove(t.Context(), alice.Name); err != nil || first.stands("ALICE<03>") != "" {
			t.Errorf("%v, %s", err, first.stands("ALICE<03>"))
		}
		want := []string{"0s 3010 ALICE<03> to 10.77.0.255", "250ms 3010 ALICE<03> to 10.77.0.255", "500ms 3010 ALICE<03> to 10.77.0.255"}
		if diff := cmp.Diff(want, lan.take("10.77.0.2")); diff != "" {
			t.Error(diff)
		}
		if err := first.Remove(t.Context(), alice.Name); err == nil {
			t.Error("a name was removed twice")
		}
		if err := second.Add(t.Context(), alice); err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := second.Add(ctx, Own{Name: nameOf(t, "BOB<03>")}); !errors.Is(err, context.Canceled) || second.stands("BOB<03>") != "" {
			t.Errorf("%v, %s", err, second.stands("BOB<03>"))
		}
	})
}
