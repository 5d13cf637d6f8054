package wins

import (
	"net/netip"
	"testing"
	"time"

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
