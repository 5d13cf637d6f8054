package nbdgm

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/messngr/messngr/netbios"
)

var (
	start  = time.Date(2026, 11, 23, 8, 40, 0, 0, time.UTC)
	sender = netip.MustParseAddr("10.77.0.2")
)

// Whatever the size, the fragments fit it, say what RFC 1002 5.3.1 has them
// say, come through the wire and make the datagram again.
func TestFragments(t *testing.T) {
	const names = datagramHeaderSize + 2*netbios.EncodedSize + 12
	for _, tt := range []struct {
		size, data, want int // want: packets
	}{
		{MaxSize, 0, 1},
		{MaxSize, 1, 1},
		{MaxSize, MaxSize - names, 1},
		{MaxSize, MaxSize - names + 1, 2},
		{MaxSize, 4096, 10},
		{names, 0, 1},
		{names + 1, 3, 3},
		{names + 2, 3, 2},
		{names + 3, 3, 1},
	} {
		whole := fragment(First|More|MNode, 77, string(pattern(0, tt.data)))
		whole.SourceScope = "\x07NETBIOS\x03COM"
		fragments, err := Fragments(whole, tt.size)
		if err != nil {
			t.Errorf("%+v: %v", tt, err)
			continue
		}
		var r Reassembler
		packets := slices.Collect(fragments)
		for i, p := range packets {
			b, err := p.AppendBinary(nil)
			if err != nil || len(b) > tt.size {
				t.Errorf("%+v: packet %d has %d bytes, %v", tt, i, len(b), err)
			}
			last := i == len(packets)-1
			if (p.Flags&First != 0) != (i == 0) || (p.Flags&More != 0) == last || p.Flags&NodeMask != MNode {
				t.Errorf("%+v: packet %d has flags %#x", tt, i, p.Flags)
			}
			if p, err = Parse(b); err != nil {
				t.Fatal(err)
			}
			got, ok := r.Add(p, sender, start)
			if ok != last {
				t.Errorf("%+v: whole after packet %d: %v", tt, i, ok)
			}
			want := whole
			want.Flags, want.Offset = First|MNode, 0
			if diff := cmp.Diff(want, got, equateAddrs); last && diff != "" {
				t.Errorf("%+v (-want +got):\n%s", tt, diff)
			}
		}
		if len(packets) != tt.want || r.Dropped() != (Counters{}) || r.Unfinished() != 0 || r.held != 0 {
			t.Errorf("%+v: %d packets, dropped %v, %d unfinished, %d bytes held", tt, len(packets), r.Dropped(), r.Unfinished(), r.held)
		}
	}
}

func TestFragmentsRefuses(t *testing.T) {
	const names = datagramHeaderSize + 2*netbios.EncodedSize
	for what, tt := range map[string]struct {
		p    Packet
		size int
	}{
		"an error":          {values["error-not-present"], MaxSize},
		"a query":           {values["query-request"], MaxSize},
		"no room for data":  {fragment(0, 0, "x"), names},
		"no room for names": {fragment(0, 0, ""), names - 1},
		"a size below zero": {fragment(0, 0, "x"), -1},
		"too much data":     {fragment(0, 0, string(make([]byte, 0x10000))), 0xFFFF},
	} {
		if fragments, err := Fragments(tt.p, tt.size); !errors.Is(err, ErrInvalid) || fragments != nil {
			t.Errorf("%s: %v, want ErrInvalid", what, err)
		}
	}
}

// A caller may stop in the middle, and begin again.
func TestFragmentsStop(t *testing.T) {
	fragments, err := Fragments(fragment(0, 0, "abcdef"), datagramHeaderSize+2*netbios.EncodedSize+2)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for p := range fragments {
			if string(p.Data) != "ab" || p.Offset != 0 {
				t.Errorf("first fragment %q at %d", p.Data, p.Offset)
			}
			break
		}
	}
}

// Each case is what comes, in order, as a table of one datagram's fragments,
// and what is dropped by reason; want is the data of what comes out.
func TestReassemblerDrops(t *testing.T) {
	other := func(change func(*Packet)) func(Packet) Packet {
		return func(p Packet) Packet { change(&p); return p }
	}
	type add struct {
		p    Packet
		from string
		at   time.Duration
	}
	one, two, three := add{p: fragment(First|More, 0, "one ")}, add{p: fragment(More, 4, "two ")}, add{p: fragment(0, 8, "three")}
	with := func(a add, change func(*Packet)) add { a.p = other(change)(a.p); return a }
	for what, tt := range map[string]struct {
		adds    []add
		want    []string
		dropped Counters
		left    int
	}{
		"in order":             {[]add{one, two, three}, []string{"one two three"}, Counters{}, 0},
		"the middle twice":     {[]add{one, two, two, three}, []string{"one two three"}, Counters{Duplicate: 1}, 0},
		"the first twice":      {[]add{one, one, two, three}, []string{"one two three"}, Counters{Duplicate: 1}, 0},
		"the first late again": {[]add{one, two, one, three}, []string{"one two three"}, Counters{Duplicate: 1}, 0},
		"out of order":         {[]add{one, three, two}, nil, Counters{Gap: 1}, 1},
		"a gap that is filled": {[]add{one, three, two, three}, []string{"one two three"}, Counters{Gap: 1}, 0},
		"no first":             {[]add{two, three}, nil, Counters{Orphan: 2}, 0},
		"the end again":        {[]add{one, two, three, three}, []string{"one two three"}, Counters{Orphan: 1}, 0},
		"no flags, offset 0":   {[]add{with(one, func(p *Packet) { p.Flags = 0 })}, nil, Counters{Orphan: 1}, 0},
		"other bytes at the same place": {
			[]add{one, two, with(two, func(p *Packet) { p.Data = []byte("TWO ") }), three}, nil, Counters{Overlap: 1, Orphan: 1}, 0,
		},
		"over the end of what came": {
			[]add{one, two, with(three, func(p *Packet) { p.Offset, p.Data = 7, []byte(" three") })}, nil, Counters{Overlap: 1}, 0,
		},
		"empty and more": {
			[]add{one, with(two, func(p *Packet) { p.Data = nil }), two, three}, []string{"one two three"}, Counters{Empty: 1}, 0,
		},
		"empty at the end": {
			[]add{one, two, with(three, func(p *Packet) { p.Data = nil })}, []string{"one two "}, Counters{}, 0,
		},
		"nothing but names in the first": {
			[]add{with(one, func(p *Packet) { p.Data = nil }), with(three, func(p *Packet) { p.Offset = 0 })}, []string{"three"}, Counters{}, 0,
		},
		"another destination": {
			[]add{one, with(two, func(p *Packet) { p.DestinationName[0]++ }), two, three}, nil, Counters{Inconsistent: 1, Orphan: 2}, 0,
		},
		"another destination scope": {
			[]add{one, with(two, func(p *Packet) { p.DestinationScope = "\x01x" })}, nil, Counters{Inconsistent: 1}, 0,
		},
		"another type": {
			[]add{one, with(two, func(p *Packet) { p.Type = DirectGroup })}, nil, Counters{Inconsistent: 1}, 0,
		},
		"a first that does not begin at 0": {
			[]add{with(one, func(p *Packet) { p.Offset = 1 }), with(one, func(p *Packet) { p.Offset, p.Flags = 1, First })}, nil, Counters{Inconsistent: 2}, 0,
		},
		"the ID used again": {
			[]add{one, two, with(one, func(p *Packet) { p.Data = []byte("ONE ") }), two, three}, []string{"ONE two three"}, Counters{Inconsistent: 1}, 0,
		},
		"the ID used again for a whole one": {
			[]add{one, with(one, func(p *Packet) { p.Flags, p.Data = First, []byte("x") }), two, three}, []string{"x", "one two three"}, Counters{}, 0,
		},
		"another ID":            {[]add{one, with(two, func(p *Packet) { p.ID++ })}, nil, Counters{Orphan: 1}, 1},
		"another source":        {[]add{one, with(two, func(p *Packet) { p.Source = addrPort("10.77.0.2:139") })}, nil, Counters{Orphan: 1}, 1},
		"another source name":   {[]add{one, with(two, func(p *Packet) { p.SourceName[0]++ })}, nil, Counters{Orphan: 1}, 1},
		"another source scope":  {[]add{one, with(two, func(p *Packet) { p.SourceScope = "\x01x" })}, nil, Counters{Orphan: 1}, 1},
		"another sender":        {[]add{one, {p: two.p, from: "10.77.0.3"}}, nil, Counters{Orphan: 1}, 1},
		"the sender, as IPv6":   {[]add{{p: one.p, from: "::ffff:10.77.0.2"}, two, {p: three.p, from: "::ffff:10.77.0.2"}}, []string{"one two three"}, Counters{}, 0},
		"just in time":          {[]add{one, two, {p: three.p, at: FragmentTimeout - 1}}, []string{"one two three"}, Counters{}, 0},
		"too late":              {[]add{one, two, {p: three.p, at: FragmentTimeout}}, nil, Counters{Timeout: 1, Orphan: 1}, 0},
		"one each second":       {[]add{one, {p: two.p, at: time.Second}, {p: three.p, at: 2 * time.Second}}, nil, Counters{Timeout: 1, Orphan: 1}, 0},
		"a clock a little back": {[]add{one, {p: two.p, at: -time.Millisecond}, three}, []string{"one two three"}, Counters{}, 0},
		"a clock far back":      {[]add{one, {p: two.p, at: -time.Hour}}, nil, Counters{Timeout: 1, Orphan: 1}, 0},
		"too much at once":      {[]add{with(one, func(p *Packet) { p.Data = make([]byte, maxData+1) })}, nil, Counters{TooLong: 1}, 0},
		"too much in the end":   {[]add{one, with(two, func(p *Packet) { p.Data = make([]byte, maxData) })}, nil, Counters{TooLong: 1}, 0},
		"other packets pass":    {[]add{{p: values["error-not-present"]}, {p: values["query-request"]}}, []string{"", ""}, Counters{}, 0},
	} {
		var r Reassembler
		var got []string
		for _, a := range tt.adds {
			from := sender
			if a.from != "" {
				from = netip.MustParseAddr(a.from)
			}
			if p, ok := r.Add(a.p, from, start.Add(a.at)); ok {
				got = append(got, string(p.Data))
			} else if !cmp.Equal(p, Packet{}, equateAddrs) {
				t.Errorf("%s: %+v and nothing to give", what, p)
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
		if r.Dropped() != tt.dropped || r.Unfinished() != tt.left {
			t.Errorf("%s: dropped %v, %d unfinished; want %v, %d", what, r.Dropped(), r.Unfinished(), tt.dropped, tt.left)
		}
		checkHeld(t, &r)
	}
}

// A sender that never ends its datagrams takes its share and no more; others
// are served, until all is taken.
func TestReassemblerLimits(t *testing.T) {
	var r Reassembler
	begin := func(host byte, id uint16, size int) Reason {
		p := fragment(First|More, 0, string(pattern(id, size)))
		p.ID = id
		before := r.Dropped()
		r.Add(p, netip.AddrFrom4([4]byte{10, 77, 1, host}), start)
		for why, n := range r.Dropped() {
			if n != before[why] {
				return Reason(why)
			}
		}
		return reasons // none
	}
	for id := range uint16(maxPerSender) {
		if why := begin(0, id, 1); why != reasons {
			t.Fatalf("datagram %d: %v", id, why)
		}
	}
	if why := begin(0, maxPerSender, 1); why != SenderFull {
		t.Errorf("a datagram more: reason %d, want SenderFull", why)
	}
	for n := maxPerSender; n < maxUnfinished; n++ {
		if why := begin(byte(n/maxPerSender), uint16(n), 1); why != reasons {
			t.Fatalf("datagram %d: %v", n, why)
		}
	}
	if why := begin(200, 0, 1); why != Full {
		t.Errorf("a datagram of another: reason %d, want Full", why)
	}
	r.Expire(start.Add(FragmentTimeout))
	if n := r.Dropped()[Timeout]; n != maxUnfinished || r.Unfinished() != 0 {
		t.Errorf("%d timeouts, %d unfinished", n, r.Unfinished())
	}

	// Bytes run out before datagrams do.
	for n := range maxHeld / maxData {
		if why := begin(byte(n), 0, maxData); why != reasons {
			t.Fatalf("datagram %d of %d bytes: %v", n, maxData, why)
		}
	}
	if why := begin(100, 0, 1); why != Full {
		t.Errorf("a byte more: reason %d, want Full", why)
	}
	if why := begin(100, 0, 0); why != reasons {
		t.Errorf("a first fragment without data: %v", why)
	}
	p := fragment(More, 0, "x")
	p.ID = 0
	if _, ok := r.Add(p, netip.AddrFrom4([4]byte{10, 77, 1, 100}), start); ok || r.Dropped()[Full] != 3 {
		t.Errorf("its second fragment: %v, dropped %v", ok, r.Dropped())
	}
	checkHeld(t, &r)
}

// The data of fragments is copied, since they wait in it; that of a whole
// datagram is not.
func TestReassemblerCopies(t *testing.T) {
	var r Reassembler
	one, two := fragment(First|More, 0, "one "), fragment(0, 4, "two")
	r.Add(one, sender, start)
	copy(one.Data, "XXXX")
	if got, ok := r.Add(two, sender, start); !ok || string(got.Data) != "one two" {
		t.Errorf("%q, %v", got.Data, ok)
	}
	whole := fragment(First, 0, "whole")
	if n := testing.AllocsPerRun(100, func() { r.Add(whole, sender, start) }); n != 0 {
		t.Errorf("a whole datagram: %v allocations", n)
	}
}

// FuzzReassembler feeds fragments of a few datagrams as the bytes say. Where a
// fragment stands decides what is in it, so that whatever comes out must be the
// pattern from its beginning.
func FuzzReassembler(f *testing.F) {
	f.Add([]byte("\x03\x00\x00\x00\x20\x00\x01\x00\x00\x20\x20\x00\x00\x00\x00\x40\x10\x00"))
	f.Add([]byte("\x03\x07\x00\x00\xFF\x01\x03\x08\x00\x00\xFF\x01\x07\x07\x00\x00\xFF\x00\x01\x07\x00\xFF\xFF\xFF"))
	f.Add([]byte("\xC3\x07\x00\x00\xFF\x00\xC1\x07\x03\xFC\xFF\x00\xC1\x07\x07\xF8\xFF\x00\xC1\x07\x0B\xF4\xFF\x00\xC0\x07\x0F\xF0\x10\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r Reassembler
		now, added, whole := start, 0, 0
		for ; len(b) >= 6 && added < 200; b = b[6:] {
			p := fragment(Flags(b[0]&3), uint16(b[2])<<8|uint16(b[3]), "")
			p.ID = uint16(b[1])
			p.Data = pattern(p.ID+p.Offset, int(b[4])*int(1+b[0]>>6))
			now = now.Add(time.Duration(b[5]) * 10 * time.Millisecond)
			got, ok := r.Add(p, netip.AddrFrom4([4]byte{10, 77, 0, b[0] >> 2 & 15}), now)
			added++
			if ok {
				whole++
				if want := pattern(got.ID, len(got.Data)); !bytes.Equal(got.Data, want) || got.Flags != First || got.Offset != 0 {
					t.Fatalf("got %+v, want data %x", got, want)
				}
			}
			if r.held > maxHeld || r.Unfinished() > maxUnfinished {
				t.Fatalf("%d datagrams with %d bytes", r.Unfinished(), r.held)
			}
		}
		checkHeld(t, &r)
		var dropped uint64
		for _, n := range r.Dropped() {
			dropped += n
		}
		if n := uint64(whole + r.Unfinished()); n+dropped > uint64(2*added) {
			t.Fatalf("%d packets made %d datagrams, %d unfinished and %d drops", added, whole, r.Unfinished(), dropped)
		}
	})
}

// checkHeld holds what r has against its bounds.
func checkHeld(t *testing.T, r *Reassembler) {
	t.Helper()
	held, of := 0, map[netip.Addr]int{}
	for _, u := range r.open {
		held += len(u.Data)
		of[u.from]++
		if len(u.Data) > maxData || of[u.from] > maxPerSender {
			t.Fatalf("a datagram of %d bytes, %d of %v", len(u.Data), of[u.from], u.from)
		}
	}
	if held != r.held || held > maxHeld || len(r.open) > maxUnfinished {
		t.Fatalf("%d datagrams with %d bytes, counted %d", len(r.open), held, r.held)
	}
}

// pattern returns n bytes of a sequence in which byte i of from is byte 0 of
// from+i.
func pattern(from uint16, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		x := from + uint16(i)
		b[i] = byte(x) ^ byte(x>>8)
	}
	return b
}

func BenchmarkReassembler(b *testing.B) {
	b.Run("whole", func(b *testing.B) {
		var r Reassembler
		p := fragment(First, 0, string(pattern(0, 500)))
		b.ReportAllocs()
		for b.Loop() {
			if _, ok := r.Add(p, sender, start); !ok {
				b.Fatal("dropped")
			}
		}
	})
	b.Run("fragments", func(b *testing.B) {
		var r Reassembler
		fragments, err := Fragments(fragment(First, 0, string(pattern(0, 1000))), MaxSize)
		if err != nil {
			b.Fatal(err)
		}
		packets := slices.Collect(fragments)
		b.ReportAllocs()
		for b.Loop() {
			whole := false
			for _, p := range packets {
				_, whole = r.Add(p, sender, start)
			}
			if !whole {
				b.Fatal("dropped")
			}
		}
	})
}
