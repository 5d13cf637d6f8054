package rpc

import (
	"net/netip"
	"testing"
	"time"

	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/dcerpc/ncadg"
)

// A script is what a fuzzer writes: what comes, and when.
type script []byte

// next returns the next byte, 0 at the end.
func (s *script) next() (b byte) {
	if len(*s) > 0 {
		b, *s = (*s)[0], (*s)[1:]
	}
	return b
}

// packet returns a packet that has some sense.
func (s *script) packet(activities []dcerpc.UUID, interfaces []dcerpc.SyntaxID) ncadg.Packet {
	p := ncadg.Packet{
		Type:     ncadg.PacketType(s.next() % 11),
		Flags1:   ncadg.Flags1(s.next()),
		Activity: activities[int(s.next())%len(activities)],
		Sequence: uint32(int8(s.next())),
		Opnum:    uint16(s.next() % 4),
		Fragment: uint16(int8(s.next())),
		Serial:   uint16(s.next()),
	}
	b := s.next()
	p.Interface = interfaces[int(b&3)%len(interfaces)]
	if b&4 != 0 {
		p.DataRep = dcerpc.LittleEndian()
	}
	if b&8 != 0 {
		p.ServerBoot = testBoot
	}
	if b>>4 == 15 {
		p.AuthProto = 1
	}
	n := min(int(s.next()), len(*s))
	p.Body, *s = (*s)[:n], (*s)[n:]
	if b&0x40 != 0 {
		p.Body = append(make([]byte, 1000), p.Body...)
	}
	return p
}

// FuzzMachine: whatever comes in whatever order, the server's side does not
// panic, keeps its books, sends no more to who has not answered than came from
// there, and in the end forgets all.
func FuzzMachine(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x00\x00\x00\x00\x00\x01\x00\x00\x04\x30stubstubstubstubstubstubstubstubstubstubstubstub\x50\x00\x01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := script(data)
		b := newBench(t, Config{MaxActivities: 8, MaxPerSource: 6, MaxCalls: 3, MaxCallsPerSource: 2, MaxBytes: 16 << 10, MaxStub: 8 << 10})
		from := []netip.AddrPort{alice, mallory, netip.MustParseAddrPort("[fe80::1%eth0]:4000")}
		activities := []dcerpc.UUID{aliceID, {2}, {3}, {4}, {5}, {6}}
		interfaces := []dcerpc.SyntaxID{testID, mapID, openID, ncadg.Conv()}
		var question *ncadg.Packet
		remember := func(packets []ncadg.Packet) {
			for _, p := range packets {
				if p.Type == ncadg.Request {
					question = &p
				}
			}
		}
		for len(s) > 0 {
			switch op := s.next(); op >> 4 {
			case 0, 1, 2, 3, 4, 5, 6, 7:
				remember(b.from(from[int(op)%len(from)], s.packet(activities, interfaces)))
			case 8, 9: // somebody answers the last question
				if question != nil {
					remember(b.from(from[int(op)%len(from)], yes(*question, uint32(int8(s.next())))))
				}
			case 10:
				if question != nil {
					remember(b.from(from[int(op)%len(from)], no(*question, dcerpc.StatusOperationRange)))
				}
			case 11, 12:
				if len(b.jobs) > 0 {
					b.execute(string(make([]byte, int(s.next())*40)), dcerpc.Status(op&1))
				}
			case 13:
				remember(b.after(time.Duration(s.next()) * 100 * time.Millisecond))
			default:
				n := min(int(s.next()), len(s))
				b.raw(s[:n], from[int(op)%len(from)])
				s = s[n:]
			}
			check(t, b)
		}
		if b.m.stats.verified == 0 && b.m.stats.calls == 0 && b.sent > b.in {
			t.Errorf("%d bytes came and %d were sent", b.in, b.sent)
		}
		for len(b.jobs) > 0 {
			b.execute("response", 0)
		}
		b.after(20 * time.Minute)
		b.count(map[string]int64{"activities": 0, "held_bytes": 0, "executing": 0})
		if len(b.m.sources)+len(b.m.asked)+len(b.m.timers) != 0 {
			t.Errorf("%d sources, %d questions, %d timers are left", len(b.m.sources), len(b.m.asked), len(b.m.timers))
		}
	})
}

// check compares the machine's books.
func check(t *testing.T, b *bench) {
	t.Helper()
	m := b.m
	held, listed, asked, timers := 0, 0, 0, 0
	for _, a := range m.activities {
		held += a.held
		if (a.nodes[inTable].list == nil) != (a.nodes[inSource].list == nil) {
			t.Error("an activity is in one list and not in the other")
		}
		if a.nodes[inTable].list != nil {
			listed++
		}
		if !a.asking.IsNil() {
			asked++
		}
		if a.place > 0 {
			timers++
		}
		if a.stage == executing && a.job == nil {
			t.Error("a call is executed by nobody")
		}
	}
	sources := 0
	for _, s := range m.sources {
		sources += s.count
	}
	switch {
	case held != m.held || held > m.cfg.MaxBytes+10240:
		t.Errorf("%d bytes are held, %d counted, at most %d", held, m.held, m.cfg.MaxBytes)
	case len(m.activities) > m.cfg.MaxActivities || sources != len(m.activities):
		t.Errorf("%d activities, %d of sources", len(m.activities), sources)
	case listed != m.unverified.count+m.idle.count:
		t.Errorf("%d activities in lists of %d and %d", listed, m.unverified.count, m.idle.count)
	case asked != len(m.asked) || timers != len(m.timers):
		t.Errorf("%d questions of %d, %d timers of %d", asked, len(m.asked), timers, len(m.timers))
	case m.running != len(b.jobs) || m.running > m.cfg.MaxCalls:
		t.Errorf("%d calls are executed, %d of them known", m.running, len(b.jobs))
	}
}

// FuzzCaller: whatever comes, the client's side does not panic, answers nobody
// whom it has not called, and ends its calls.
func FuzzCaller(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x00\x02\x00\x00\x00\x01\x00\x00\x04\x08response"))
	f.Fuzz(fuzzCaller)
}

func fuzzCaller(t *testing.T, data []byte) {
	s := script(data)
	cfg := ClientConfig{MaxResponse: 8 << 10}
	cfg.setDefaults()
	c := newCaller(&cfg, 1, [32]byte{2})
	now := time.Unix(1e9, 0)
	var out output
	var calls []*conversation
	var activities []dcerpc.UUID
	for n := range 3 {
		v := c.call(now, server, testID, 1, make([]byte, n*3000), 0, &out)
		calls = append(calls, v)
		activities = append(activities, v.activity)
	}
	out.reset()
	interfaces := []dcerpc.SyntaxID{testID, ncadg.Conv()}
	from := []netip.AddrPort{server, netip.AddrPortFrom(server.Addr(), 1026), mallory}
	for len(s) > 0 {
		out.reset()
		switch op := s.next(); op >> 5 {
		case 0, 1, 2, 3:
			p := s.packet(activities, interfaces)
			if p.Type == ncadg.Request {
				p.Body = ncadg.WhoAreYou{Activity: activities[int(op)%3], ServerBoot: uint32(s.next())}.AppendBinary(nil, p.DataRep)
			}
			raw, err := p.AppendBinary(nil)
			if err != nil {
				t.Fatal(err)
			}
			peer := from[int(op)%len(from)]
			c.receive(now, raw, peer, &out)
			if peer == mallory && len(out.packets) > 0 {
				t.Error("a stranger got an answer")
			}
		case 4, 5:
			now = now.Add(time.Duration(s.next()) * 100 * time.Millisecond)
			for _, v := range calls {
				if d := c.timeout(now, v, &out); d <= 0 {
					t.Errorf("the next time is in %v", d)
				}
			}
		case 6:
			c.acknowledge(now, false, &out)
		default:
			n := min(int(s.next()), len(s))
			c.receive(now, s[:n], from[int(op)%len(from)], &out)
			s = s[n:]
		}
		for i, v := range calls {
			select {
			case <-v.ended: // another call takes its place
				c.take(now, v)
				calls[i] = c.call(now, server, testID, 1, make([]byte, i*3000), 0, &out)
				activities[i] = calls[i].activity
			default:
			}
		}
	}
	for range 200 {
		now = now.Add(time.Second)
		for _, v := range calls {
			c.timeout(now, v, &out)
		}
		out.reset()
	}
	for _, v := range calls {
		select {
		case <-v.ended:
		default:
			t.Error("a call has not ended")
		}
	}
}
