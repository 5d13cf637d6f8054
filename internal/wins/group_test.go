package wins

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbns"
)

// controller returns the address of the nth domain controller.
func controller(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, 78, 0, byte(n)}) }

// TestInternetGroup fills a group with members, which come and go.
func TestInternetGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, func(cfg *Config) { cfg.MaxTTL = time.Hour })
		members := func(from, to int) string {
			want := "8580"
			for i := from; i <= to; i++ {
				want += " " + controller(i).String()
			}
			return want
		}
		for i := 1; i <= maxMembers; i++ {
			l.want(group("DOMAIN<1C>", controller(i)), controller(i), "AD80")
			l.want(query("DOMAIN<1C>"), carol, members(1, i))
			time.Sleep(time.Minute)
		}
		// It is full, but not for those who are in it.
		l.want(group("DOMAIN<1C>", controller(100)), controller(100), "AD82")
		l.want(group("DOMAIN<1C>", controller(25)), controller(25), "AD80")
		if n := l.Counters()["refused_members"]; n != 1 {
			t.Errorf("refused_members is %d, want 1", n)
		}
		// A member that leaves makes room, and one that expires.
		l.want(release("DOMAIN<1C>", controller(25)), controller(25), "B400")
		l.want(release("DOMAIN<1C>", controller(25)), controller(25), "B400") // again
		l.want(query("DOMAIN<1C>"), carol, members(1, 24))
		l.want(group("DOMAIN<1C>", controller(25)), controller(25), "AD80")
		time.Sleep(35 * time.Minute)
		l.want(query("DOMAIN<1C>"), carol, members(2, 25))
		l.want(group("DOMAIN<1C>", controller(26)), controller(26), "AD80")
		l.want(query("DOMAIN<1C>"), carol, members(2, 26))
		// The last one takes the group with it.
		for i := 2; i <= 26; i++ {
			l.want(release("DOMAIN<1C>", controller(i)), controller(i), "B400")
		}
		l.want(query("DOMAIN<1C>"), carol, "8583")
		states(t, l, "DOMAIN<1C> released")
	})
}

// TestLargestReply: with all members and the longest scope, an answer is not
// larger than RFC 1002 allows.
func TestLargestReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		label := "\x3f" + strings.Repeat("x", 63)
		scope := netbios.Scope(label + label + label + "\x2d" + strings.Repeat("x", 45))
		n := name("DOMAIN<1C>")
		want := "8580"
		for i := range maxMembers {
			want += " " + controller(i).String()
			l.want(nbns.RegistrationRequest(1, n, scope, asked, rdata(nbns.Group, controller(i)), false), controller(i), "AD80")
		}
		l.want(nbns.NameQuery(1, n, scope, false), carol, want) // words looks at the size
	})
}

// TestMultiHomed: a host adds and gives up its addresses.
func TestMultiHomed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		l.want(multiHomed("HOST<03>", alice), alice, "AD80")
		l.want(multiHomed("HOST<03>", alice2), alice, "AD80") // from one of her addresses
		l.want(query("HOST<03>"), carol, "8580 10.77.0.2 10.77.1.2")
		l.want(refresh("HOST<03>", alice2), alice, "AD80")
		l.want(release("HOST<03>", alice), alice, "B400")
		l.want(query("HOST<03>"), carol, "8580 10.77.1.2")
		// She has registered the name: it is hers, whatever its addresses.
		l.want(release("HOST<03>", alice2), alice, "B400")
		l.want(query("HOST<03>"), carol, "8583")

		// All at once, some of them twice.
		l.want(multiHomed("HOST<03>", alice2, alice, alice2), alice, "AD80")
		l.want(query("HOST<03>"), carol, "8580 10.77.1.2 10.77.0.2")
		// More than there is room for.
		for i := range maxMembers {
			want := "AD80"
			if i >= maxMembers-2 {
				want = "AD82"
			}
			l.want(multiHomed("HOST<03>", controller(i)), alice, want)
		}
	})
}

// TestFlags: the node type of an owner comes back as it was registered, and
// nothing else of what stands beside it.
func TestFlags(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		for i, tt := range []struct{ sent, want nbns.NameFlags }{
			{nbns.BNode, nbns.BNode}, {nbns.PNode, nbns.PNode}, {nbns.MNode, nbns.MNode}, {nbns.HNode, nbns.HNode},
			{nbns.HNode | nbns.Active | nbns.Permanent | nbns.Conflict | nbns.Deregister | 0x1FF, nbns.HNode},
			{nbns.Group | nbns.PNode, nbns.Group | nbns.PNode},
		} {
			n := fmt.Sprintf("H%d<00>", i)
			p := register(n, alice)
			p.Additional.Data, _ = nbns.Addr{Flags: tt.sent, Addr: alice}.AppendBinary(nil)
			l.want(p, alice, "AD80")
			reply, _ := l.Handle(query(n), netip.AddrPortFrom(bob, 137), time.Now())
			addrs, err := nbns.ParseAddrs(nil, reply.Answer.Data)
			if err != nil || len(addrs) != 1 || addrs[0].Flags != tt.want {
				t.Errorf("%#x: %+v, %v", tt.sent, addrs, err)
			}
		}
	})
}
