package wins

import (
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/netbios/nbns"
)

// TestForgers: what Bob tries with what is not his.
func TestForgers(t *testing.T) {
	for _, tt := range []struct {
		what    string
		request nbns.Packet
		want    string
		counter string
	}{
		{"registers for another", register("NEW<03>", carol), "AD85", "refused_address"},
		{"refreshes for another", refresh("NEW<03>", carol), "AD85", "refused_address"},
		{"refreshes for the owner", refresh("HOST<03>", alice), "AD85", "refused_address"},
		{"registers for the owner", register("HOST<03>", alice), "AD85", "refused_address"},
		{"gives the owner another address", register("HOST<03>", carol), "AD85", "refused_address"},
		{"takes another into an internet group", group("DOMAIN<1C>", carol), "AD85", "refused_address"},
		{"takes another into an internet group as a multi-homed host", func() nbns.Packet {
			p := multiHomed("DOMAIN<1C>", carol)
			p.Additional.Data[0] |= 0x80
			return p
		}(), "AD85", "refused_address"},
		{"throws a member out", release("DOMAIN<1C>", alice), "B406", "refused_owned"},
		{"releases the owner's name", release("HOST<03>", alice), "B406", "refused_owned"},
		{"releases the owner's name as his", release("HOST<03>", bob), "B406", "refused_owned"},
		{"releases the name of a multi-homed host", release("HOMES<03>", alice2), "B406", "refused_owned"},
		{"releases a static name", release("STATIC<03>", carol), "B406", "refused_owned"},
		{"takes a static name", register("STATIC<03>", bob), "AD85", "refused_static"},
		{"takes the station's name", register("STATION<03>", bob), "AD86", "refused_own"},
		{"takes the station's name for a group", group("STATION<03>", bob), "AD86", "refused_own"},
		{"refreshes the station's name", refresh("STATION<03>", bob), "AD86", "refused_own"},
		{"takes a name that has an owner to loopback", register("HOST<03>", netip.MustParseAddr("127.0.0.1")), "AD86", "refused_owned"},
		{"takes a group for himself", register("GROUP<00>", bob), "AD86", "refused_owned"},
		{"releases a group", func() nbns.Packet {
			p := release("GROUP<00>", alice)
			p.Additional.Data[0] |= 0x80
			return p
		}(), "B400", ""},
		{"takes a name for nobody", register("NEW<03>", netip.MustParseAddr("0.0.0.0")), "AD80", "granted_unkept"},
		{"takes a name for loopback", register("NEW<03>", netip.MustParseAddr("127.64.64.1")), "AD80", "granted_unkept"},
		{"takes a name for everybody", register("NEW<03>", netip.MustParseAddr("255.255.255.255")), "AD80", "granted_unkept"},
		{"takes a name for a multicast group", register("NEW<03>", netip.MustParseAddr("224.0.0.1")), "AD80", "granted_unkept"},
		{"takes a name for himself and loopback", multiHomed("NEW<03>", bob, netip.MustParseAddr("127.0.0.1")), "AD80", "granted_unkept"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, func(cfg *Config) {
					r := messngr.NameRecord{Kind: messngr.UniqueName, Addrs: []messngr.NameAddr{{Addr: carol}}}
					r.Name = name("STATIC<03>")
					cfg.Static = []messngr.NameRecord{r}
				})
				l.want(register("HOST<03>", alice), alice, "AD80")
				l.want(multiHomed("HOMES<03>", alice, alice2), alice, "AD80")
				l.want(group("GROUP<00>", alice), alice, "AD80")
				l.want(group("DOMAIN<1C>", alice), alice, "AD80")
				_, before := l.store.counts()

				l.want(tt.request, bob, tt.want)
				if n := l.Counters()[tt.counter]; tt.counter != "" && n != 1 {
					t.Errorf("%s is %d, want 1", tt.counter, n)
				}
				time.Sleep(time.Minute)
				if sent := l.later(); len(sent) != 0 || l.asksMade() != 0 {
					t.Errorf("sent %+v, asked %v", sent, l.asks)
				}
				if _, after := l.store.counts(); after != before {
					t.Error("something was stored")
				}
				for n, want := range map[string]string{
					"HOST<03>": "8580 10.77.0.2", "HOMES<03>": "8580 10.77.0.2 10.77.1.2", "GROUP<00>": "8580 255.255.255.255",
					"DOMAIN<1C>": "8580 10.77.0.2", "STATIC<03>": "8580 10.77.0.4", "STATION<03>": "8583", "NEW<03>": "8583",
				} {
					l.want(query(n), carol, want)
				}
			})
		})
	}
}

// TestStation: the station of the name server may do with its own names what
// others may not, also over loopback.
func TestStation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		for _, from := range []netip.Addr{station, netip.MustParseAddr("127.0.0.1")} {
			l.want(register("STATION<03>", station), from, "AD80")
			l.want(refresh("STATION<03>", station), from, "AD80")
			l.want(group("DOMAIN<1C>", station), from, "AD80")
			l.want(query("STATION<03>"), carol, "8580 10.77.0.9")
			l.want(release("DOMAIN<1C>", station), from, "B400")
			l.want(release("STATION<03>", station), from, "B400")
			l.want(query("STATION<03>"), carol, "8583")
		}
	})
}

// TestBounds: there are so many names, and so many of one host.
func TestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, func(cfg *Config) { cfg.MaxPerSource, cfg.MaxNames, cfg.MaxTTL = 10, 24, time.Hour })
		for i := range 1000 {
			want := "AD80"
			if i >= 10 {
				want = "AD82"
			}
			l.want(register(fmt.Sprintf("A%d<03>", i), alice), alice, want)
			// To speak for others does not help.
			if i >= 10 {
				l.want(multiHomed(fmt.Sprintf("A%d<03>", i), controller(i%200)), alice, "AD82")
			}
		}
		for i := range 100 {
			want := "AD80"
			if i >= 10 {
				want = "AD82"
			}
			l.want(register(fmt.Sprintf("B%d<03>", i), bob), bob, want)
		}
		for i := range 10 {
			want := "AD80"
			if i >= 4 {
				want = "AD82"
			}
			l.want(register(fmt.Sprintf("C%d<03>", i), carol), carol, want)
		}
		if c := l.Counters(); c["names"] != 24 || c["refused_source"] != 990*2+90 || c["refused_full"] != 6 {
			t.Errorf("counters %v", c)
		}
		// Those who are in can refresh, and others can ask.
		l.want(refresh("A0<03>", alice), alice, "AD80")
		l.want(query("B9<03>"), carol, "8580 10.77.0.3")
		// A full server forgets what is released soon.
		l.want(release("A0<03>", alice), alice, "B400")
		l.want(register("NEW<03>", carol), carol, "AD82")
		time.Sleep(2 * time.Minute)
		l.want(register("NEW<03>", carol), carol, "AD80")
		// Who has released or lost a name may have another.
		l.want(register("A1000<03>", alice), alice, "AD82") // full
		time.Sleep(2 * time.Hour)
		l.want(register("A1000<03>", alice), alice, "AD80")
	})
}

// TestTakeOverCounts: a name that goes to another host counts for that one.
func TestTakeOverCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, func(cfg *Config) { cfg.MaxPerSource = 2 })
		for _, n := range []string{"A<03>", "B<03>"} {
			l.want(register(n, alice), alice, "AD80")
			l.want(release(n, alice), alice, "B400")
			l.want(register(n, bob), bob, "AD80")
		}
		l.want(register("C<03>", bob), bob, "AD82")
		l.want(register("C<03>", alice), alice, "AD80")
		l.want(register("D<03>", alice), alice, "AD80")
		// Bob may not take one more, even if its owner is silent.
		l.want(register("D<03>", bob), bob, "BC00")
		time.Sleep(time.Minute)
		if sent := l.later(); len(sent) != 1 || sent[0].packet.RCode != nbns.ServerFailure {
			t.Errorf("sent %+v", sent)
		}
		if a, b := l.bySource[alice.As4()], l.bySource[bob.As4()]; a != 2 || b != 2 {
			t.Errorf("by source: %d and %d, want 2 and 2", a, b)
		}
	})
}

// TestMalformed changes one thing of a good request.
func TestMalformed(t *testing.T) {
	for what, change := range map[string]func(*nbns.Packet){
		"no record":        func(p *nbns.Packet) { p.Additional = nbns.Resource{} },
		"another name":     func(p *nbns.Packet) { p.Additional.Name[0]++ },
		"another scope":    func(p *nbns.Packet) { p.Additional.Scope = "\x01x" },
		"another type":     func(p *nbns.Packet) { p.Additional.Type = nbns.TypeNULL },
		"another class":    func(p *nbns.Packet) { p.Additional.Class = 2 },
		"another question": func(p *nbns.Packet) { p.Question.Type = nbns.TypeNBSTAT },
		"no address":       func(p *nbns.Packet) { p.Additional.Data = nil },
		"half an address":  func(p *nbns.Packet) { p.Additional.Data = p.Additional.Data[:5] },
		"two addresses":    func(p *nbns.Packet) { p.Additional.Data = rdata(0, alice, alice2) },
		"much":             func(p *nbns.Packet) { p.Additional.Data = make([]byte, 6*1000) },
		"more addresses than a host has": func(p *nbns.Packet) {
			p.Opcode, p.Additional.Data = nbns.MultiHomed, make([]byte, 6*(maxMembers+1))
		},
		"a group and none": func(p *nbns.Packet) {
			p.Opcode, p.Additional.Data = nbns.MultiHomed, append(rdata(0, alice), rdata(nbns.Group, alice2)...)
		},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t)
				p := register("HOST<03>", alice)
				change(&p)
				l.want(p, alice, "AD81")
				if p.Opcode != nbns.MultiHomed {
					p.Opcode = nbns.Release
					l.want(p, alice, "B401")
				}
				l.want(query("HOST<03>"), bob, "8583")
				if n := l.Counters()["malformed"]; n < 1 {
					t.Errorf("malformed is %d", n)
				}
			})
		})
	}
}

// TestNotForUs: what is no request to a name server gets no answer.
func TestNotForUs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		for what, change := range map[string]func(*nbns.Packet){
			"response":   func(p *nbns.Packet) { p.Response = true },
			"broadcast":  func(p *nbns.Packet) { p.Flags |= nbns.Broadcast },
			"class":      func(p *nbns.Packet) { p.Question.Class = 3 },
			"opcode":     func(p *nbns.Packet) { p.Opcode = 4 },
			"WACK":       func(p *nbns.Packet) { p.Opcode = nbns.WACK },
			"question":   func(p *nbns.Packet) { p.Question = nbns.Question{} },
			"status":     func(p *nbns.Packet) { p.Opcode, p.Question.Type = nbns.Query, nbns.TypeNBSTAT },
			"to a node":  func(p *nbns.Packet) { p.Opcode, p.Flags = nbns.Query, 0 },
			"the source": nil,
		} {
			p, from := register("HOST<03>", alice), alice
			if change == nil {
				from = netip.MustParseAddr("fe80::1")
			} else {
				change(&p)
			}
			if got := l.do(p, from); got != "" {
				t.Errorf("%s: answered with %s", what, got)
			}
		}
		if c := l.Counters(); c["names"] != 0 {
			t.Errorf("counters %v", c)
		}
	})
}
