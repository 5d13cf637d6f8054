package rpc

import (
	"encoding/binary"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/dcerpc/ncadg"
)

// numbered returns the n-th of many ids.
func numbered(n int) (u dcerpc.UUID) {
	binary.BigEndian.PutUint64(u[:], uint64(n)+1)
	return u
}

// address returns the n-th of many addresses.
func address(n int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}), 4000)
}

// A million activities, from as many addresses and from one, cost no more than
// the table has room for, nor more bytes than they bring; and who answers gets
// through all the while.
func TestFloodOfActivities(t *testing.T) {
	for _, tt := range []struct {
		comment string
		many    int
		from    func(n int) netip.AddrPort
		most    int64
	}{
		{"from everywhere", 1_000_000, address, 16384},
		{"from one address", 100_000, func(int) netip.AddrPort { return mallory }, 1024},
		{"from one network of 64 bits", 100_000, func(n int) netip.AddrPort {
			a := netip.MustParseAddr("fd00::1").As16()
			binary.BigEndian.PutUint32(a[12:], uint32(n))
			return netip.AddrPortFrom(netip.AddrFrom16(a), 4000)
		}, 1024},
	} {
		t.Run(tt.comment, func(t *testing.T) {
			b := newBench(t, Config{})
			b.verify()
			before := heapInUse()
			start := time.Now()
			raw, _ := request(0, stub).AppendBinary(nil)
			for n := range tt.many {
				binary.BigEndian.PutUint64(raw[48:], uint64(n)) // of the activity
				b.in += len(raw)
				b.m.receive(b.now, raw, tt.from(n), path{}, &b.out)
				b.sent += len(b.out.buffer)
				b.out.reset()
				if n%(tt.many/10) == tt.many/10-1 {
					b.now = b.now.Add(time.Second)
					q := b.from(alice, with(request(0, stub), func(p *ncadg.Packet) { p.Activity = numbered(-n) }))
					b.want("who is there", q, "request")
					b.from(alice, yes(q[0], 0))
					b.want("is served", b.execute("response", 0), "response")
				}
			}
			took := time.Since(start) / time.Duration(tt.many)
			grown := heapInUse() - before
			c := b.m.counters()
			t.Logf("%v a packet, %d KiB more, %v", took, grown>>10, c)
			if c["activities"] > tt.most+20 {
				t.Errorf("%d activities, want at most %d", c["activities"], tt.most)
			}
			if grown > 32<<20 {
				t.Errorf("%d bytes more are in use", grown)
			}
			if b.sent > b.in {
				t.Errorf("%d bytes came and %d were sent", b.in, b.sent)
			}
			b.count(map[string]int64{"calls": 11, "verified": 11, "executing": 0})
			b.want("alice goes on", b.from(alice, request(1, stub)), "")
			b.execute("response", 0)
			b.from(alice, about(ncadg.Ack, 1))
			b.after(10 * time.Minute)
			b.count(map[string]int64{"activities": 0, "held_bytes": 0})
			if len(b.m.sources)+len(b.m.asked)+len(b.m.timers) != 0 {
				t.Errorf("%d sources, %d questions, %d timers are left", len(b.m.sources), len(b.m.asked), len(b.m.timers))
			}
			runtime.KeepAlive(b)
		})
	}
}

func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Long requests that never become whole hold no more bytes than they may.
func TestFloodOfFragments(t *testing.T) {
	b := newBench(t, Config{MaxBytes: 1 << 20})
	body := strings.Repeat("x", ncadg.MaxBody)
	for n := range 1000 {
		for i := range uint16(10) {
			b.from(address(n), with(request(0, body), func(p *ncadg.Packet) {
				p.Activity, p.Flags1, p.Fragment = numbered(n), ncadg.Fragment|ncadg.NoFack, i
			}))
		}
		if held := b.m.counters()["held_bytes"]; held > 1<<20 {
			t.Fatalf("%d bytes are held", held)
		}
	}
	if b.sent > b.in {
		t.Errorf("%d bytes came and %d were sent", b.in, b.sent)
	}
	b.verify()
	b.after(10 * time.Minute)
	b.count(map[string]int64{"activities": 0, "held_bytes": 0, "calls": 1})
}

// Of one source no more calls are executed at once than may be, and others have
// room.
func TestBoundsOfCalls(t *testing.T) {
	b := newBench(t, Config{MaxCalls: 6, MaxCallsPerSource: 4})
	known := func(from netip.AddrPort, n int) ncadg.Packet {
		p := with(request(0, stub), func(p *ncadg.Packet) { p.Activity = numbered(n) })
		q := b.from(from, p)
		if got := types(q); got != "request" {
			t.Fatalf("the machine sent %q", got)
		}
		got := b.from(from, yes(q[0], 0))
		if len(got) == 0 {
			return ncadg.Packet{}
		}
		return got[0]
	}
	for n := range 6 {
		got := known(mallory, n)
		if full := n >= 4; full != (got.Type == ncadg.Reject) {
			t.Errorf("call %d: %v", n, got)
		}
	}
	for n := range 4 {
		got := known(alice, 10+n)
		if full := n >= 2; full != (got.Type == ncadg.Reject) {
			t.Errorf("alice's call %d: %v", n, got)
		}
	}
	// It stays rejected, so that the caller may believe it.
	b.execute("response", 0)
	b.want("the rejected call", b.from(mallory, with(request(0, stub), func(p *ncadg.Packet) { p.Activity = numbered(5) })), "reject nca_server_too_busy")
	b.want("the next call", b.from(mallory, with(request(1, stub), func(p *ncadg.Packet) { p.Activity = numbered(5) })), "")
	for range 6 {
		b.execute("response", 0)
	}
	b.count(map[string]int64{"executing": 0, "too_busy": 4, "calls": 7})
}

// A table full of callers that are known has room for new ones: the one that
// has been silent for the longest time goes.
func TestWhoMakesRoom(t *testing.T) {
	b := newBench(t, Config{MaxActivities: 8, MaxPerSource: 8})
	call := func(from netip.AddrPort, n int, sequence uint32) []ncadg.Packet {
		b.now = b.now.Add(time.Second)
		return b.from(from, with(request(sequence, stub), func(p *ncadg.Packet) { p.Activity = numbered(n) }))
	}
	for n := range 8 {
		q := call(address(n), n, 0)
		b.from(address(n), yes(q[0], 0))
		b.execute("response", 0)
		b.from(address(n), with(about(ncadg.Ack, 0), func(p *ncadg.Packet) { p.Activity = numbered(n) }))
	}
	call(address(0), 0, 1) // it is executing now
	q := call(address(20), 20, 0)
	b.want("a new one", q, "request")
	b.want("another", call(address(21), 21, 0), "request")
	b.from(address(20), yes(q[0], 0))
	if len(b.jobs) != 2 {
		t.Error("the second new one has pushed the first one out")
	}
	b.want("1 had to go", call(address(1), 1, 1), "request")
	b.want("7 is known", call(address(7), 7, 1), "")
	b.want("0 is still working", call(address(0), 0, 1), "working")

	// When all are busy there is no room.
	b = newBench(t, Config{MaxActivities: 2, MaxPerSource: 2})
	for n := range 2 {
		q := call(address(n), n, 0)
		b.from(address(n), yes(q[0], 0))
	}
	b.want("full", call(address(5), 5, 0), "reject nca_server_too_busy")
	b.count(map[string]int64{"no_room": 1})
}
