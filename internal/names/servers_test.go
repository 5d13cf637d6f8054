package names

import (
	"bytes"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/messngr/messngr/internal/links"
	"github.com/messngr/messngr/netbios/nbns"
)

// The name servers of the tests are behind a router.
const server1, server2 = "10.99.0.1", "10.99.0.2"

// ofType returns a configuration of a node type, with the name servers.
func ofType(t NodeType) func(*Config) {
	return func(c *Config) {
		c.NodeType = t
		for _, s := range []string{server1, server2} {
			c.Servers = append(c.Servers, netip.AddrPortFrom(ip(s), Port))
		}
	}
}

// grants returns a name server that grants everything for so many seconds.
func grants(ttl uint32) func(nbns.Packet, netip.AddrPort) []nbns.Packet {
	return func(p nbns.Packet, _ netip.AddrPort) []nbns.Packet {
		switch p.Opcode {
		case nbns.Registration, nbns.MultiHomed, nbns.Refresh:
			return []nbns.Packet{nbns.PositiveRegistrationResponse(p, ttl)}
		case nbns.Release:
			return []nbns.Packet{nbns.ReleaseResponse(p, nbns.Success)}
		}
		return nil
	}
}

// says checks what a host has sent since the last time.
func says(t *testing.T, lan *testLAN, from string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, lan.take(from)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Types P and H ask the server alone, M everybody first; the name is refreshed
// at half of its time and released where it was granted: RFC 1002 5.1.2.
func TestGranted(t *testing.T) {
	for _, kind := range []NodeType{P, M, H} {
		t.Run(kind.String(), func(t *testing.T) {
			onLAN(t, func(t *testing.T, lan *testLAN) {
				lan.peer(server1, grants(600))
				n := lan.node("10.77.0.2", ofType(kind), "HOST2<03>")
				defer n.stop()
				if kind == M {
					after(1750 * time.Millisecond)
					if said := lan.take("10.77.0.2"); len(said) != 5 || said[3] != "750ms 2810 HOST2<03> to 10.77.0.255" || said[4] != "1.75s 2900 HOST2<03> to "+server1 {
						t.Errorf("it claims with %q", said)
					}
				} else {
					says(t, lan, "10.77.0.2", "0s 2900 HOST2<03> to "+server1)
				}
				stands(t, n, "HOST2<03>", "owned by "+server1)
				after(299 * time.Second)
				says(t, lan, "10.77.0.2")
				after(2 * time.Second)
				said := lan.take("10.77.0.2")
				if len(said) != 1 || !strings.HasSuffix(said[0], " 4000 HOST2<03> to "+server1) {
					t.Errorf("it refreshes with %q", said)
				}
				n.stop()
				if said := lan.take("10.77.0.2"); len(said) == 0 || !strings.HasSuffix(said[0], " 3000 HOST2<03> to "+server1) {
					t.Errorf("it releases with %q", said)
				}
			})
		})
	}
}

// However little or much a server grants, refreshes are neither a flood nor
// forgotten.
func TestRefreshAfter(t *testing.T) {
	for ttl, want := range map[uint32]time.Duration{
		0: 72 * time.Hour, 1: time.Second, 600: 5 * time.Minute, 1<<32 - 1: 72 * time.Hour,
	} {
		if got := refreshAfter(ttl); got != want {
			t.Errorf("%d seconds are refreshed after %v, want %v", ttl, got, want)
		}
	}
}

// A server that does not answer is left out for a while, the next is asked.
// Without any, a P node waits and an H node asks everybody; both come back to
// the servers.
func TestSilentServers(t *testing.T) {
	t.Run("the next", func(t *testing.T) {
		onLAN(t, func(t *testing.T, lan *testLAN) {
			lan.peer(server2, grants(600))
			n := lan.node("10.77.0.2", ofType(P), "HOST2<03>")
			defer n.stop()
			after(5 * time.Second)
			stands(t, n, "HOST2<03>", "owned by "+server2)
			says(t, lan, "10.77.0.2",
				"0s 2900 HOST2<03> to "+server1, "1.5s 2900 HOST2<03> to "+server1, "3s 2900 HOST2<03> to "+server1,
				"4.5s 2900 HOST2<03> to "+server2)
			if err := n.Add(t.Context(), Own{Name: nameOf(t, "ALICE<03>")}); err != nil {
				t.Error(err)
			}
			says(t, lan, "10.77.0.2", "0s 2900 ALICE<03> to "+server2)
		})
	})
	t.Run("P", func(t *testing.T) {
		onLAN(t, func(t *testing.T, lan *testLAN) {
			n := lan.node("10.77.0.2", ofType(P), "HOST2<03>")
			defer n.stop()
			after(20 * time.Second)
			stands(t, n, "HOST2<03>", "claiming")
			if err := n.Add(t.Context(), Own{Name: nameOf(t, "ALICE<03>")}); err != nil || n.stands("ALICE<03>") != "claiming" {
				t.Errorf("who adds a name is told %v, %s", err, n.stands("ALICE<03>"))
			}
			if s := n.States()[0]; s.Again.IsZero() {
				t.Error("nobody is told when it tries again")
			}
			lan.peer(server1, grants(600))
			after(30 * time.Second)
			stands(t, n, "HOST2<03>", "owned by "+server1)
		})
	})
	t.Run("H", func(t *testing.T) {
		onLAN(t, func(t *testing.T, lan *testLAN) {
			n := lan.node("10.77.0.2", ofType(H), "HOST2<03>")
			defer n.stop()
			after(11 * time.Second)
			stands(t, n, "HOST2<03>", "owned")
			lan.peer(server2, grants(600))
			after(2*time.Minute + 10*time.Second)
			stands(t, n, "HOST2<03>", "owned by "+server2)
		})
	})
	t.Run("it dies", func(t *testing.T) {
		onLAN(t, func(t *testing.T, lan *testLAN) {
			first := lan.peer(server1, grants(600))
			n := lan.node("10.77.0.2", ofType(H), "HOST2<03>")
			defer n.stop()
			lan.peer(server2, grants(600))
			lan.mu.Lock()
			delete(lan.hosts, first.addr)
			lan.mu.Unlock()
			after(302 * time.Second)
			stands(t, n, "HOST2<03>", "owned by "+server1)
			after(10 * time.Second)
			stands(t, n, "HOST2<03>", "owned by "+server2)
		})
	})
}

// The log says once that a server does not answer, and once that it does again,
// however many names wait for it.
func TestServersLogged(t *testing.T) {
	onLAN(t, func(t *testing.T, lan *testLAN) {
		var log bytes.Buffer
		n := lan.node("10.77.0.2", func(c *Config) {
			ofType(P)(c)
			c.Log = slog.New(slog.NewTextHandler(&log, nil))
		}, "HOST2<00>", "HOST2<03>", "WORKGROUP<00> group")
		defer n.stop()
		after(5 * time.Minute)
		lan.peer(server1, grants(600))
		after(time.Minute)
		n.stop()
		var said []string
		for line := range strings.Lines(log.String()) {
			_, line, _ = strings.Cut(line, " level=")
			said = append(said, line[:4]+line[strings.LastIndex(line, " "):])
		}
		want := []string{"WARN server=" + server1 + "\n", "WARN server=" + server2 + "\n", "INFO server=" + server1 + "\n"}
		if diff := cmp.Diff(want, said); diff != "" {
			t.Errorf("%s\n-want +got:\n%s", log.String(), diff)
		}
	})
}

// orders are the packets of a claim by node type and timers, when nobody
// answers: "B" is a broadcast, "1" and "2" are the name servers.
var orders = []struct {
	comment string
	kind    NodeType
	timers  Timers
	want    string
}{
	{"RFC 1002 6, BCAST_REQ_RETRY_TIMEOUT", B, Timers{}, "0s 2910 B, 250ms 2910 B, 500ms 2910 B, 750ms 2810 B"},
	{"Windows' BcastQueryTimeout", B, Timers{Broadcast: 750 * time.Millisecond}, "0s 2910 B, 750ms 2910 B, 1.5s 2910 B, 2.25s 2810 B"},
	{"RFC 1002 6, UCAST_REQ_RETRY_TIMEOUT", P, Timers{Server: 5 * time.Second}, "0s 2900 1, 5s 2900 1, 10s 2900 1, 15s 2900 2"},
	{"M asks everybody first, and the servers when nobody has objected", M, Timers{Server: 5 * time.Second},
		"0s 2910 B, 250ms 2910 B, 500ms 2910 B, 750ms 2810 B, 1.75s 2900 1, 6.75s 2900 1, 11.75s 2900 1, 16.75s 2900 2"},
	// As a Windows 98 did it with one server: at 101.164, 102.666 and 104.168
	// to that, at 105.692, 106.456 and 107.216 to all, at 107.972 the demand.
	{"Windows' H", H, Timers{Broadcast: 750 * time.Millisecond},
		"0s 2900 1, 1.5s 2900 1, 3s 2900 1, 4.5s 2900 2, 6s 2900 2, 7.5s 2900 2, 9s 2910 B, 9.75s 2910 B, 10.5s 2910 B, 11.25s 2810 B"},
}

func TestOrders(t *testing.T) {
	for _, tt := range orders {
		t.Run(tt.comment, func(t *testing.T) {
			onLAN(t, func(t *testing.T, lan *testLAN) {
				n := lan.node("10.77.0.2", func(c *Config) {
					c.Timers = tt.timers
					if tt.kind != B {
						ofType(tt.kind)(c)
					}
				}, "HOST2<03>")
				defer n.stop()
				after(18 * time.Second)
				short := strings.NewReplacer("HOST2<03> to ", "", "10.77.0.255", "B", server1, "1", server2, "2")
				if diff := cmp.Diff(tt.want, short.Replace(strings.Join(lan.take("10.77.0.2"), ", "))); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
			})
		})
	}
}

// What a server can answer to a registration beside yes.
func TestServersAnswer(t *testing.T) {
	refuse := func(p nbns.Packet, rdata []byte) nbns.Packet {
		r := nbns.NegativeRegistrationResponse(p, nbns.ActiveError)
		r.Answer.Data = rdata
		return r
	}
	for name, tt := range map[string]struct {
		answer func(p nbns.Packet, turn int) []nbns.Packet
		owner  bool // 10.77.0.9 is there and has the name
		want   string
	}{
		"no": {
			answer: func(p nbns.Packet, _ int) []nbns.Packet { return []nbns.Packet{refuse(p, addrOf(0, "10.77.0.9"))} },
			want:   "conflict 10.77.0.9",
		},
		"no, not saying whose it is": {
			answer: func(p nbns.Packet, _ int) []nbns.Packet { return []nbns.Packet{refuse(p, nil)} },
			want:   "conflict",
		},
		"no, it is ours": {
			answer: func(p nbns.Packet, _ int) []nbns.Packet { return []nbns.Packet{refuse(p, addrOf(0, "10.77.0.2"))} },
			want:   "conflict",
		},
		"it cannot": { // which says nothing about the name
			answer: func(p nbns.Packet, _ int) []nbns.Packet {
				return []nbns.Packet{nbns.NegativeRegistrationResponse(p, nbns.ServerFailure)}
			},
			want: "claiming",
		},
		"wait, then yes": {
			answer: func(p nbns.Packet, _ int) []nbns.Packet {
				return []nbns.Packet{nbns.WaitResponse(p, 5), nbns.PositiveRegistrationResponse(p, 600)}
			},
			want: "owned by " + server1,
		},
		"ask the owner yourself, who is gone": {
			answer: func(p nbns.Packet, turn int) []nbns.Packet {
				if p.Flags&nbns.RecursionDesired == 0 { // the demand
					return []nbns.Packet{nbns.PositiveRegistrationResponse(p, 600)}
				}
				return []nbns.Packet{nbns.ChallengeRegistrationResponse(p, addrOf(0, "10.77.0.9"))}
			},
			want: "owned by " + server1,
		},
		"ask the owner yourself, who has it": {
			answer: func(p nbns.Packet, _ int) []nbns.Packet {
				return []nbns.Packet{nbns.ChallengeRegistrationResponse(p, addrOf(0, "10.77.0.9"))}
			},
			owner: true,
			want:  "conflict 10.77.0.9 (HOST2<03>)",
		},
		"another id": {
			answer: func(p nbns.Packet, _ int) []nbns.Packet {
				p.ID++
				return []nbns.Packet{nbns.PositiveRegistrationResponse(p, 600)}
			},
			want: "claiming",
		},
	} {
		t.Run(name, func(t *testing.T) {
			onLAN(t, func(t *testing.T, lan *testLAN) {
				turn := 0
				lan.peer(server1, func(p nbns.Packet, _ netip.AddrPort) []nbns.Packet {
					if p.Response {
						return nil
					}
					turn++
					return tt.answer(p, turn)
				})
				if tt.owner {
					lan.peer("10.77.0.9", owner(nameOf(t, "HOST2<03>"), "10.77.0.9", true))
				}
				n := lan.node("10.77.0.2", ofType(P), "HOST2<03>")
				defer n.stop()
				after(14 * time.Second)
				if got := n.stands("HOST2<03>"); got != tt.want {
					t.Errorf("the name is %q, want %q", got, tt.want)
				}
			})
		})
	}
}

// A P node does not listen to broadcasts, and sends none: RFC 1001 10.2.
func TestPNodeIsSilent(t *testing.T) {
	onLAN(t, func(t *testing.T, lan *testLAN) {
		lan.peer(server1, grants(600))
		n := lan.node("10.77.0.2", ofType(P), "HOST2<03>")
		defer n.stop()
		host2 := nameOf(t, "HOST2<03>")
		for _, p := range []nbns.Packet{
			nbns.NameQuery(1, host2, "", true), nbns.RegistrationRequest(1, host2, "", 0, addrOf(0, "10.77.0.9"), true),
		} {
			if got := lan.answers("10.77.0.9", "10.77.0.255", p); got != nil {
				t.Errorf("a broadcast is answered with %v", got)
			}
		}
		if got := lan.answers("10.77.0.9", "10.77.0.2", nbns.NameQuery(1, host2, "", false)); len(got) != 1 {
			t.Errorf("a question to it alone is answered with %v", got)
		}
		after(5 * time.Second)
		n.stop()
		for _, said := range lan.take("10.77.0.2") {
			if strings.Contains(said, "to 10.77.0.255") {
				t.Errorf("it broadcasts %s", said)
			}
		}
	})
}

// A server need not say who has a name that it refuses: then it is asked. The
// log says whose it is, once.
func TestRefusedByServer(t *testing.T) {
	for _, knows := range []bool{true, false} {
		onLAN(t, func(t *testing.T, lan *testLAN) {
			lan.peer(server1, func(p nbns.Packet, _ netip.AddrPort) []nbns.Packet {
				switch {
				case p.Response:
				case p.Opcode == nbns.Query && knows:
					return []nbns.Packet{nbns.PositiveQueryResponse(p, 600, addrOf(0, "10.99.0.9"))}
				case p.Opcode == nbns.Query:
					return []nbns.Packet{nbns.NegativeQueryResponse(p, nbns.NameError)}
				default:
					return []nbns.Packet{nbns.NegativeRegistrationResponse(p, nbns.ActiveError)}
				}
				return nil
			})
			var log bytes.Buffer
			n := lan.node("10.77.0.2", func(c *Config) {
				ofType(P)(c)
				c.Log = slog.New(slog.NewTextHandler(&log, nil))
			}, "HOST2<03>")
			defer n.stop()
			after(10 * time.Minute)
			n.stop()
			want := map[bool]string{true: "belongs to 10.99.0.9 on eth0", false: "belongs to another host on eth0"}[knows]
			if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, want) {
				t.Errorf("the log has\n%s", got)
			}
		})
	}
}

// Only the server that was asked can grant.
func TestForgedGrants(t *testing.T) {
	onLAN(t, func(t *testing.T, lan *testLAN) {
		n := lan.node("10.77.0.2", ofType(P), "HOST2<03>")
		defer n.stop()
		lan.mu.Lock()
		claim := lan.sent[0].Packet
		lan.mu.Unlock()
		for _, from := range []string{"10.77.0.9", server2, "192.168.1.1", server1 + ":1024"} {
			lan.send(from, "10.77.0.2", nbns.PositiveRegistrationResponse(claim, 600))
			lan.send(from, "10.77.0.2", nbns.NegativeRegistrationResponse(claim, nbns.ActiveError))
		}
		after(time.Second)
		stands(t, n, "HOST2<03>", "claiming")
		if got := n.Counters()["forged_answers"]; got != 8 {
			t.Errorf("%d forged answers are counted", got)
		}
	})
}

// WACKs do not hold a claim for ever.
func TestEndlessWACK(t *testing.T) {
	onLAN(t, func(t *testing.T, lan *testLAN) {
		lan.peer(server1, func(p nbns.Packet, _ netip.AddrPort) []nbns.Packet {
			if p.Response {
				return nil
			}
			return []nbns.Packet{nbns.WaitResponse(p, 1<<32-1)}
		})
		lan.peer(server2, grants(600))
		n := lan.node("10.77.0.2", ofType(P), "HOST2<03>")
		defer n.stop()
		after(maxWait + 10*time.Second)
		stands(t, n, "HOST2<03>", "owned by "+server2)
	})
}

// A host on two networks registers each address, so that the server keeps both;
// groups have no such opcode.
func TestMultiHomed(t *testing.T) {
	onLAN(t, func(t *testing.T, lan *testLAN) {
		lan.peer(server1, grants(600))
		n := lan.node("10.77.0.2", ofType(P), "HOST2<03>", "WORKGROUP<00> group")
		defer n.stop()
		lan.take("10.77.0.2")
		other := links.Link{Name: "eth1", Addr: ip("10.88.0.2"), Prefix: netip.MustParsePrefix("10.88.0.0/24"), Broadcast: ip("10.88.0.255")}
		n.changes <- []links.Link{linkOf("10.77.0.2"), other}
		after(time.Second)
		stands(t, n, "HOST2<03>", "owned by "+server1+", owned by "+server1)
		said := lan.take("10.77.0.2")
		if !slices.Contains(said, "0s 7900 HOST2<03> to "+server1) || !slices.Contains(said, "0s 2900 WORKGROUP<00> to "+server1) {
			t.Errorf("it claims with %q", said)
		}
	})
}

// From behind a router, any address may be the one that he reaches; on a link
// it is the one there.
func TestWhereAnswersSend(t *testing.T) {
	onLAN(t, func(t *testing.T, lan *testLAN) {
		n := lan.node("10.77.0.2", nil, "HOST2<03>")
		defer n.stop()
		other := links.Link{Name: "eth1", Addr: ip("10.88.0.2"), Prefix: netip.MustParsePrefix("10.88.0.0/24"), Broadcast: ip("10.88.0.255")}
		n.changes <- []links.Link{linkOf("10.77.0.2"), other}
		after(2 * time.Second)
		for from, want := range map[string][]string{
			"10.77.0.9": {"10.77.0.2"}, "10.88.0.9": {"10.88.0.2"}, "127.0.0.1": {"127.0.0.1"},
			"192.168.1.9": {"10.77.0.2", "10.88.0.2"},
		} {
			var got []string
			for _, p := range lan.answers(from, "10.77.0.2", nbns.NameQuery(1, nameOf(t, "HOST2<03>"), "", false)) {
				addrs, err := nbns.ParseAddrs(nil, p.Answer.Data)
				if err != nil {
					t.Fatal(err)
				}
				for _, a := range addrs {
					got = append(got, a.Addr.String())
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s is sent to %v, want %v", from, got, want)
			}
		}
	})
}

// What goes to the name server of this host, and what the node keeps.
func TestHandle(t *testing.T) {
	onLAN(t, func(t *testing.T, lan *testLAN) {
		var handed []string
		n := lan.node("10.77.0.2", func(c *Config) {
			c.Handle = func(p nbns.Packet, from netip.AddrPort, _ time.Time) (nbns.Packet, bool) {
				handed = append(handed, sentPacket{0, from.Addr(), ip("10.77.0.2"), p}.String())
				return nbns.NegativeQueryResponse(p, nbns.NameError), true
			}
		}, "HOST2<03>")
		defer n.stop()
		after(2 * time.Second)
		host2, other, theirs := nameOf(t, "HOST2<03>"), nameOf(t, "OTHER<03>"), addrOf(0, "10.77.0.9")
		noRecursion := nbns.NameQuery(1, other, "", false)
		noRecursion.Flags &^= nbns.RecursionDesired
		for name, tt := range map[string]struct {
			p      nbns.Packet
			handed bool
			rcode  nbns.RCode
			reply  bool
		}{
			"a query":                  {nbns.NameQuery(1, other, "", false), true, nbns.NameError, true},
			"one for our name":         {nbns.NameQuery(1, host2, "", false), false, nbns.Success, true},
			"one without recursion":    {noRecursion, false, nbns.NameError, true},
			"a broadcast":              {nbns.NameQuery(1, other, "", true), false, 0, false},
			"a registration":           {nbns.RegistrationRequest(1, other, "", 9, theirs, false), true, nbns.NameError, true},
			"one of our name":          {nbns.RegistrationRequest(1, host2, "", 9, theirs, false), false, nbns.ActiveError, true},
			"a broadcast registration": {nbns.RegistrationRequest(1, other, "", 9, theirs, true), false, 0, false},
			"a refresh":                {nbns.RefreshRequest(1, other, "", 9, theirs), true, nbns.NameError, true},
			"a release":                {nbns.ReleaseRequest(1, other, "", theirs, false), true, nbns.NameError, true},
			"from who is not served":   {nbns.ReleaseRequest(1, other, "", theirs, false), false, 0, false},
		} {
			handed = nil
			from := "10.77.0.9"
			if name == "from who is not served" {
				from = "10.77.0.66"
			}
			got := lan.answers(from, "10.77.0.2", tt.p)
			if len(handed) > 0 != tt.handed || len(got) > 0 != tt.reply || tt.reply && got[0].RCode != tt.rcode {
				t.Errorf("%s: handed %v, answered %v", name, handed, got)
			}
		}
	})
}

// So many questions can wait, and no more.
func TestTransactionsAreBounded(t *testing.T) {
	onLAN(t, func(t *testing.T, lan *testLAN) {
		n := lan.node("10.77.0.2", nil)
		defer n.stop()
		var open []*transaction
		for range maxTransactions {
			tr, err := n.transactions.open(nbns.NameQuery(0, nameOf(t, "X<03>"), "", true), segment, Port)
			if err != nil {
				t.Fatal(err)
			}
			open = append(open, tr)
		}
		if _, err := n.Ask(t.Context(), nbns.NameQuery(0, nameOf(t, "X<03>"), "", false), netip.AddrPortFrom(ip("10.77.0.9"), Port)); err == nil {
			t.Error("there is no end of transactions")
		}
		for _, tr := range open {
			n.transactions.close(tr)
		}
		if _, err := n.transactions.open(nbns.NameQuery(0, nameOf(t, "X<03>"), "", true), segment, Port); err != nil {
			t.Error(err)
		}
	})
}
