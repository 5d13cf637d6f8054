package wins

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbns"
)

// requests are what hosts ask of a name, as Alice asks it.
var requests = map[string]func(n string) nbns.Packet{
	"register":   func(n string) nbns.Packet { return register(n, alice) },
	"overwrite":  func(n string) nbns.Packet { p := register(n, alice); p.Flags = 0; return p },
	"group":      func(n string) nbns.Packet { return group(n, alice) },
	"multihomed": func(n string) nbns.Packet { return multiHomed(n, alice) },
	"refresh":    func(n string) nbns.Packet { return refresh(n, alice) },
	"refresh9":   func(n string) nbns.Packet { p := refresh(n, alice); p.Opcode = nbns.RefreshAlt; return p },
	"release":    func(n string) nbns.Packet { return release(n, alice) },
	"query":      func(n string) nbns.Packet { return query(n) },
}

// situations are what a name can be like when Alice comes.
var situations = map[string]func(l *lab, n string){
	"unknown": func(*lab, string) {},
	"own":     func(l *lab, n string) { l.want(register(n, alice), alice, "AD80") },
	"other's": func(l *lab, n string) { l.want(register(n, bob), bob, "AD80") },
	"released": func(l *lab, n string) {
		l.want(register(n, bob), bob, "AD80")
		l.want(release(n, bob), bob, "B400")
	},
	"expired": func(l *lab, n string) {
		l.want(register(n, bob), bob, "AD80")
		time.Sleep(time.Hour)
	},
	"group": func(l *lab, n string) { l.want(group(n, bob), bob, "AD80") },
	"expired-group": func(l *lab, n string) {
		l.want(group(n, bob), bob, "AD80")
		time.Sleep(time.Hour)
	},
	"homes":    func(l *lab, n string) { l.want(multiHomed(n, bob, carol), bob, "AD80") },
	"my-homes": func(l *lab, n string) { l.want(multiHomed(n, alice, alice2), alice2, "AD80") },
	"static": func(l *lab, n string) {
		l.table.put(key{name: name(n)}, entry{kind: messngr.UniqueName, static: true, addrs: []member{{addr: bob.As4(), expires: never}}})
	},
	"my-static": func(l *lab, n string) {
		l.table.put(key{name: name(n)}, entry{kind: messngr.UniqueName, static: true, addrs: []member{{addr: alice.As4(), expires: never}}})
	},
	"static-group": func(l *lab, n string) {
		l.table.put(key{name: name(n)}, entry{kind: messngr.NormalGroup, static: true, addrs: []member{{addr: bob.As4(), flags: 0x8000, expires: never}}})
	},
}

// TestStates makes every request in every state. An answer is the word of its
// header; "WACK" is BC00.
func TestStates(t *testing.T) {
	const table = `
state          register overwrite group multihomed refresh refresh9 release query
unknown        AD80     AD80      AD80  AD80       AD80    AD80     B400    8583
own            AD80     AD80      BC00  AD80       AD80    AD80     B400    8580/10.77.0.2
other's        BC00     BC00      BC00  BC00       BC00    BC00     B406    8580/10.77.0.3
released       AD80     AD80      AD80  AD80       AD80    AD80     B400    8583
expired        AD80     AD80      AD80  AD80       AD80    AD80     B400    8583
group          AD86     AD86      AD80  AD86       AD86    AD86     B400    8580/255.255.255.255
expired-group  AD80     AD80      AD80  AD80       AD80    AD80     B400    8583
homes          BC00     BC00      BC00  BC00       BC00    BC00     B406    8580/10.77.0.3/10.77.0.4
my-homes       AD80     AD80      BC00  AD80       AD80    AD80     B400    8580/10.77.0.2/10.77.1.2
static         AD85     AD85      AD85  AD85       AD85    AD85     B406    8580/10.77.0.3
my-static      AD80     AD80      AD85  AD80       AD80    AD80     B400    8580/10.77.0.2
static-group   AD85     AD85      AD80  AD85       AD85    AD85     B400    8580/255.255.255.255
`
	seen := 0
	var columns []string
	for line := range strings.Lines(strings.TrimSpace(table)) {
		fields := strings.Fields(line)
		if columns == nil {
			columns = fields
			continue
		}
		for i, want := range fields[1:] {
			state, request := fields[0], columns[1+i]
			seen++
			t.Run(state+"/"+request, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := newLab(t, func(cfg *Config) { cfg.MaxTTL = time.Hour })
					situations[state](l, "HOST<03>")
					l.want(requests[request]("HOST<03>"), alice, strings.ReplaceAll(want, "/", " "))
				})
			})
		}
	}
	if seen != len(situations)*len(requests) {
		t.Errorf("%d cells, want all of %d states and %d requests", seen, len(situations), len(requests))
	}
}

// TestSuffixes registers names with each suffix that means something to a name
// server, and asks for them.
func TestSuffixes(t *testing.T) {
	for _, tt := range []struct {
		name          string
		unique, group string // the answers to registrations
		query         string // the answer to a query, behind whichever was granted
	}{
		{"ANY<00>", "AD80", "AD86", "8580 10.77.0.2"},
		{"DOMAIN<1B>", "AD80", "AD85", "8580 10.77.0.2"},
		{"DOMAIN<1C>", "AD85", "AD80", "8580 10.77.0.2"},
		{"GROUP<1D>", "AD80", "AD80", "8583"},
		{"GROUP<1E>", "AD85", "AD80", "8580 255.255.255.255"},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(t)
			l.says(alice, alice)
			l.want(register(tt.name, alice), alice, tt.unique)
			if got := l.do(group(tt.name, alice), alice); got == "BC00" {
				time.Sleep(time.Second)
				if sent := l.later(); len(sent) != 1 || sent[0].packet.RCode != nbns.ActiveError {
					t.Errorf("%s as a group: %+v", tt.name, sent)
				}
			} else if got != tt.group {
				t.Errorf("%s as a group: %s, want %s", tt.name, got, tt.group)
			}
			l.want(query(tt.name), bob, tt.query)
		})
	}
}

// TestBytes: names and scopes are the same when all their bytes are.
func TestBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		addr := netip.MustParseAddr("10.0.0.1")
		names := []string{
			"               \x00", "_Test-0.foo    \x03", "_TEST-0.FOO    \x03", "_T\x01-1.foo      \x03", ".              \x03",
			"1-\xff\x80\xc0FOO       \x03", "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", "*\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
		}
		scopes := []string{"", "\x07example", "\x07EXAMPLE", "\x03foo\x07example\x03com", "\x01\x00", "\x0bfoo.example"}
		var all []nbns.Packet
		for _, n := range names {
			for _, scope := range scopes {
				addr = addr.Next()
				p := register("X<03>", addr)
				for _, where := range []*[16]byte{(*[16]byte)(&p.Question.Name), (*[16]byte)(&p.Additional.Name)} {
					copy(where[:], n)
				}
				p.Question.Scope, p.Additional.Scope = netbios.Scope(scope), netbios.Scope(scope)
				all = append(all, p)
				l.want(p, addr, "AD80")
			}
		}
		for i, p := range all {
			addrs, _ := nbns.ParseAddrs(nil, p.Additional.Data)
			q := nbns.NameQuery(1, p.Question.Name, p.Question.Scope, false)
			l.want(q, bob, "8580 "+addrs[0].Addr.String())
			if i%2 == 0 {
				r := nbns.ReleaseRequest(1, p.Question.Name, p.Question.Scope, p.Additional.Data, false)
				l.want(r, addrs[0].Addr, "B400")
				l.want(q, bob, "8583")
			}
		}
		if got, want := l.Counters()["names"], int64(len(all)); got != want {
			t.Errorf("%d names, want %d", got, want)
		}
	})
}

// TestScopeLimit: a scope of 237 bytes as text is taken, one more is not.
func TestScopeLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		label := func(n int) string { return string(rune(n)) + strings.Repeat("x", n) }
		for last, want := range map[int][3]string{
			45: {"AD80", "8580 10.77.0.2", "B400"},
			46: {"AD82", "8583", "B400"},
			62: {"AD82", "8583", "B400"},
		} {
			scope := netbios.Scope(label(63) + label(63) + label(63) + label(last))
			n := name("HOST<03>")
			l.want(nbns.RegistrationRequest(1, n, scope, asked, rdata(0, alice), false), alice, want[0])
			l.want(nbns.NameQuery(1, n, scope, false), alice, want[1])
			l.want(nbns.ReleaseRequest(1, n, scope, rdata(0, alice), false), alice, want[2])
		}
	})
}
