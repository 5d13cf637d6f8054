package wins

import (
	"net/netip"
	"testing"
	"time"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/netbios/nbns"
)

// Whatever a host asks, a reply can be read and is no larger than a real
// server's.
func FuzzHandle(f *testing.F) {
	for _, p := range []nbns.Packet{
		query("ALICE<03>"), register("ALICE<03>", controller(1)), refresh("ALICE<03>", controller(1)), release("ALICE<03>", controller(1)),
		group("GROUP<1C>", controller(2)), multiHomed("BOB<03>", controller(1), controller(2)), register("BOB<03>"),
	} {
		b, err := p.AppendBinary(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, byte(1))
	}
	l := newLab(f)
	f.Fuzz(func(t *testing.T, packet []byte, host byte) {
		p, err := nbns.Parse(packet)
		if err != nil {
			return
		}
		reply, ok := l.Handle(p, netip.AddrPortFrom(controller(int(host)), 137), time.Now())
		if !ok {
			return
		}
		b, err := reply.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		if p, err := nbns.Parse(b); err != nil || !p.Response || len(b) > nbns.MaxSize {
			t.Errorf("%x is answered with %x, %v", packet, b, err)
		}
	})
}

// An answer to a query costs no allocation, so that a flood of them costs no
// more than its packets.
func TestAllocations(t *testing.T) {
	s := newServer(t, Config{})
	now := time.Now()
	for i, n := range []string{"ALICE<03>", "GROUP<00>", "DOMAIN<1C>"} {
		e := activeEntry(alice.As4(), seconds(now.Add(time.Hour)))
		switch i {
		case 1:
			e.kind = messngr.NormalGroup
		case 2:
			e.kind, e.addrs = messngr.InternetGroup, append(e.addrs, activeEntry(bob.As4(), seconds(now.Add(time.Hour))).addrs...)
		}
		s.table.put(key{name: name(n)}, e)
	}
	for n, want := range map[string]nbns.RCode{"ALICE<03>": nbns.Success, "GROUP<00>": nbns.Success, "DOMAIN<1C>": nbns.Success, "NOBODY<03>": nbns.NameError} {
		p := query(n)
		from := netip.AddrPortFrom(carol, 137)
		if got := testing.AllocsPerRun(100, func() {
			reply, ok := s.Handle(p, from, now)
			if !ok || reply.RCode != want {
				t.Fatalf("%s: %+v, %v", n, reply, ok)
			}
		}); got != 0 {
			t.Errorf("%s: %v allocations", n, got)
		}
	}
}
