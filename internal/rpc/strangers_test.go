package rpc

import (
	"net/netip"
	"testing"
	"time"

	"github.com/messngr/messngr/dcerpc/ncadg"
)

// A flood in the names of two hundred sources that may not be there: few packets
// go to them, and a new caller is asked all the while. Who has answered once
// gets all there is to say.
func TestStrangersAreToldLittle(t *testing.T) {
	const sources, window = 200, 5_000 // and packets
	b := newBench(t, Config{})
	id := 0
	call := func() ncadg.Packet {
		id++
		return with(request(0, stub), func(p *ncadg.Packet) { p.Activity = numbered(id) })
	}
	flood := func() (told int) {
		for n := range window {
			told += len(b.from(address(n%sources), call()))
			b.now = b.now.Add(strangerWindow / (window + 1))
		}
		return told
	}
	for range 3 {
		if told := flood(); told < sources || told > 2*strangersShare+sources*strangerShare {
			t.Errorf("%d packets went to those who have said nothing", told)
		}
		b.now = b.now.Add(time.Second)
	}
	q := b.from(alice, call())
	b.want("a new caller", q, "request")
	b.from(alice, yes(q[0], 0))
	b.want("is served", b.execute("response", 0), "response")
	for range 2 * strangersShare {
		b.want("and from then on asked as often as it calls", b.from(alice, call()), "request")
	}

	// To those of whom there is no activity, such as those who ping for what is
	// not there, goes what is left.
	b.now = b.now.Add(strangerWindow)
	told := 0
	for n := range window {
		told += len(b.from(address(1<<16+n), about(ncadg.Ping, 0)))
	}
	if told != strangersShare {
		t.Errorf("%d of %d pings of strangers are answered", told, window)
	}
	b.want("a caller that is known", b.from(alice, with(about(ncadg.Ping, 0), func(p *ncadg.Packet) { p.Activity = numbered(-1) })), "nocall")

	// Nothing that goes to this computer waits for a neighbour.
	told = 0
	for range 2 * strangersShare {
		told += len(b.from(netip.MustParseAddrPort("127.0.0.1:4000"), call()))
	}
	if told != 2*strangersShare {
		t.Errorf("%d of %d calls of this computer are asked about", told, 2*strangersShare)
	}
}
