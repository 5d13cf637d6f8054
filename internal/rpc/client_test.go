package rpc

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/dcerpc/ncadg"
)

// A callBench drives a caller by hand.
type callBench struct {
	t   *testing.T
	c   *caller
	now time.Time
	out output
	v   *conversation
	to  netip.AddrPort // where the last packet went
}

func newCallBench(t *testing.T) *callBench {
	cfg := ClientConfig{}
	cfg.setDefaults()
	return &callBench{t: t, c: newCaller(&cfg, 77, [32]byte{2}), now: time.Unix(1e9, 0)}
}

func (b *callBench) take() (packets []ncadg.Packet) {
	b.out.each(func(raw []byte, to netip.AddrPort, _ path) {
		p, err := ncadg.Parse(raw)
		if err != nil {
			b.t.Fatal(err)
		}
		p.Body = append([]byte(nil), p.Body...)
		packets = append(packets, p)
		b.to = to
	})
	b.out.reset()
	return packets
}

// call begins a call.
func (b *callBench) call(stub string, flags ncadg.Flags1) []ncadg.Packet {
	b.v = b.c.call(b.now, server, testID, 1, []byte(stub), flags, &b.out)
	return b.take()
}

// from tells the caller of a packet.
func (b *callBench) from(from netip.AddrPort, p ncadg.Packet) []ncadg.Packet {
	b.t.Helper()
	raw, err := p.AppendBinary(nil)
	if err != nil {
		b.t.Fatal(err)
	}
	b.c.receive(b.now, raw, from, &b.out)
	return b.take()
}

// after lets time go by.
func (b *callBench) after(d time.Duration) (packets []ncadg.Packet) {
	end := b.now.Add(d)
	for b.v.progress != over && !b.v.due.After(end) {
		b.now = b.v.due
		b.c.timeout(b.now, b.v, &b.out)
		packets = append(packets, b.take()...)
	}
	b.now = end
	return packets
}

// about returns a packet of the server about the call.
func (b *callBench) about(t ncadg.PacketType, body string) ncadg.Packet {
	p := b.v.header
	p.Type, p.Flags1, p.ServerBoot, p.Body = t, 0, testBoot, []byte(body)
	return p
}

// asks returns a question of the server.
func (b *callBench) asks(opnum uint16, boot uint32) ncadg.Packet {
	return ncadg.Packet{
		Type: ncadg.Request, Flags1: ncadg.Idempotent, DataRep: dcerpc.LittleEndian(), Interface: ncadg.Conv(), Opnum: opnum,
		Activity: dcerpc.UUID{0x99}, Body: ncadg.WhoAreYou{Activity: b.v.activity, ServerBoot: boot}.AppendBinary(nil, dcerpc.LittleEndian()),
	}
}

func (b *callBench) want(comment string, got []ncadg.Packet, want string) {
	b.t.Helper()
	if types(got) != want {
		b.t.Errorf("%s: %q, want %q", comment, types(got), want)
	}
}

// ended returns what came of the call, which must be over.
func (b *callBench) ended() (string, error) {
	b.t.Helper()
	select {
	case <-b.v.ended:
	default:
		b.t.Fatal("the call is not over")
	}
	response, _, err := b.c.take(b.now, b.v)
	return string(response), err
}

// TestClient has what a client gets, and what it makes of it.
func TestClient(t *testing.T) {
	reject := func(b *callBench, why dcerpc.Status) ncadg.Packet {
		return b.about(ncadg.Reject, string(ncadg.AppendStatus(nil, dcerpc.LittleEndian(), why)))
	}
	for _, tt := range []struct {
		comment string
		do      func(b *callBench)
		counted map[string]int64
	}{
		{"a stranger", func(b *callBench) {
			b.call(stub, 0)
			b.want("a response", b.from(mallory, b.about(ncadg.Response, "no")), "")
			b.want("a rejection", b.from(mallory, reject(b, dcerpc.StatusProtocolError)), "")
			b.want("a question", b.from(mallory, b.asks(1, testBoot)), "")
			if b.v.progress == over || b.v.boot != 0 {
				b.t.Error("it is believed")
			}
		}, map[string]int64{"foreign": 3}},
		{"the server's questions", func(b *callBench) {
			b.call(stub, 0)
			for opnum, size := range map[uint16]int{ncadg.ConvWhoAreYou: 8, ncadg.ConvWhoAreYou2: 24, ncadg.ConvAreYouThere: 8} {
				got := b.from(server, b.asks(opnum, testBoot))
				b.want("the answer", got, "response")
				a := got[0]
				if len(a.Body) != size || a.Sequence != 0 || a.Activity != (dcerpc.UUID{0x99}) || a.Opnum != opnum || a.DataRep.Uint32(a.Body) != 0 || a.DataRep.Uint32(a.Body[size-4:]) != 0 {
					b.t.Errorf("the answer to %d is %+v", opnum, a)
				}
			}
			b.want("with authentication", b.from(server, b.asks(ncadg.ConvWhoAreYouAuth, testBoot)), "reject nca_op_rng_error")
			if b.v.boot != testBoot {
				b.t.Error("the boot time is not taken")
			}
			got := b.from(server, b.asks(ncadg.ConvWhoAreYou, testBoot+1))
			if status := dcerpc.Status(got[0].DataRep.Uint32(got[0].Body[4:])); status != dcerpc.StatusYouCrashed {
				b.t.Errorf("to another boot time it says %v", status)
			}
			b.want("about another activity", b.from(server, with(b.asks(1, testBoot), func(p *ncadg.Packet) { p.Body[5]++ })), "")
			b.want("of another interface", b.from(server, with(b.asks(1, testBoot), func(p *ncadg.Packet) { p.Interface = testID })), "")
			b.want("cut off", b.from(server, with(b.asks(1, testBoot), func(p *ncadg.Packet) { p.Body = p.Body[:19] })), "")
		}, map[string]int64{"questions_answered": 5, "stray": 2, "malformed": 1}},
		{"a question about a call that is over", func(b *callBench) {
			b.call(stub, 0)
			b.from(server, b.about(ncadg.Response, "yes"))
			b.ended()
			got := b.from(server, b.asks(ncadg.ConvWhoAreYou, testBoot))
			if next := got[0].DataRep.Uint32(got[0].Body); next != 1 {
				b.t.Errorf("the sequence is %d, so that it is executed again", next)
			}
		}, nil},
		{"a server that is silent", func(b *callBench) {
			b.want("the request", b.call(stub, 0), "request")
			b.want("after 1, 3, 7, 11, … seconds", b.after(29*time.Second), "request, request, request, request, request, request, request, request")
			b.after(10 * time.Second)
			if _, err := b.ended(); !errors.Is(err, ErrNoAnswer) {
				b.t.Error(err)
			}
			if len(b.c.conversations) != 0 {
				b.t.Error("the conversation is kept")
			}
		}, map[string]int64{"no_answers": 1, "resent": 8}},
		{"a server that works", func(b *callBench) {
			b.call(stub, 0)
			b.from(server, b.about(ncadg.Working, ""))
			b.want("at first it is asked sooner", b.after(5*time.Second), "ping, ping")
			for range 10 {
				b.want("it is asked", b.after(5*time.Second), "ping")
				b.want("it works", b.from(server, b.about(ncadg.Working, "")), "")
			}
			b.from(server, b.about(ncadg.Response, "yes"))
			if got, err := b.ended(); got != "yes" || err != nil {
				b.t.Error(got, err)
			}
		}, map[string]int64{"pings": 12}},
		{"a server that works for too long", func(b *callBench) {
			b.call(stub, 0)
			for b.v.progress != over {
				b.from(server, b.about(ncadg.Working, ""))
				b.after(5 * time.Second)
			}
			if _, err := b.ended(); !errors.Is(err, ErrNoAnswer) || !strings.Contains(err.Error(), "works") {
				b.t.Error(err)
			}
		}, nil},
		{"a server that has lost the call", func(b *callBench) {
			b.call(stub, 0)
			b.from(server, b.about(ncadg.Working, ""))
			b.after(5 * time.Second)
			b.want("it says so", b.from(server, b.about(ncadg.NoCall, "")), "request")
		}, nil},
		{"a server that was started again", func(b *callBench) {
			b.call(stub, 0)
			b.from(server, b.about(ncadg.Response, "yes"))
			b.ended()
			got := b.call(stub, 0)
			if got[0].ServerBoot != testBoot || got[0].Sequence != 1 {
				b.t.Errorf("the second call: %+v", got[0])
			}
			got = b.from(server, reject(b, dcerpc.StatusWrongBootTime))
			b.want("the call is made again", got, "request")
			if got[0].ServerBoot != 0 {
				b.t.Error("with a boot time")
			}
			b.want("another rejection of the first packets", b.from(server, reject(b, dcerpc.StatusWrongBootTime)), "")
			b.from(server, b.asks(ncadg.ConvWhoAreYou, testBoot+1))
			b.want("one that was late", b.from(server, with(reject(b, dcerpc.StatusWrongBootTime), func(p *ncadg.Packet) { p.ServerBoot++ })), "")
			b.want("the response", b.from(server, with(b.about(ncadg.Response, "yes"), func(p *ncadg.Packet) { p.ServerBoot++ })), "")
			if got, err := b.ended(); got != "yes" || err != nil {
				b.t.Error(got, err)
			}
		}, map[string]int64{"stray": 2}},
		{"a server that was started again twice", func(b *callBench) {
			b.call(stub, 0)
			b.from(server, b.about(ncadg.Response, "yes"))
			b.ended()
			b.call(stub, 0)
			b.from(server, reject(b, dcerpc.StatusWrongBootTime))
			b.from(server, b.asks(ncadg.ConvWhoAreYou, testBoot+1))
			b.want("the call is not made again", b.from(server, with(reject(b, dcerpc.StatusWrongBootTime), func(p *ncadg.Packet) { p.ServerBoot += 2 })), "")
			if _, err := b.ended(); !errors.Is(err, ErrRestarted) {
				b.t.Error(err)
			}
		}, nil},
		{"a server that was started again after it may have executed the call", func(b *callBench) {
			b.call(stub, 0)
			b.from(server, b.asks(ncadg.ConvWhoAreYou2, testBoot))
			b.want("no response comes", b.after(time.Second), "request")
			b.want("the call is not made again", b.from(server, with(reject(b, dcerpc.StatusWrongBootTime), func(p *ncadg.Packet) { p.ServerBoot++ })), "")
			if _, err := b.ended(); !errors.Is(err, ErrRestarted) {
				b.t.Error(err)
			}
			if len(b.c.conversations) != 0 {
				b.t.Error("the conversation is kept")
			}
		}, nil},
		{"a server that was started again after the call was sent twice", func(b *callBench) {
			b.call(stub, 0)
			b.from(server, b.about(ncadg.Response, "yes"))
			b.ended()
			b.call(stub, 0)
			b.after(time.Second)
			b.want("the call is not made again", b.from(server, with(reject(b, dcerpc.StatusWrongBootTime), func(p *ncadg.Packet) { p.ServerBoot++ })), "")
			if _, err := b.ended(); !errors.Is(err, ErrRestarted) {
				b.t.Error(err)
			}
		}, nil},
		{"a server that was started again and knows nothing of the call", func(b *callBench) {
			b.call(stub, 0)
			b.from(server, b.asks(ncadg.ConvWhoAreYou2, testBoot))
			b.from(server, b.about(ncadg.Working, ""))
			b.want("it is asked", b.after(2*time.Second), "ping")
			b.want("the call is not made again", b.from(server, with(b.about(ncadg.NoCall, ""), func(p *ncadg.Packet) { p.ServerBoot++ })), "")
			if _, err := b.ended(); !errors.Is(err, ErrRestarted) {
				b.t.Error(err)
			}
		}, nil},
		{"a server that was started again and did not believe the caller", func(b *callBench) {
			b.call(stub, 0)
			b.from(server, b.asks(ncadg.ConvWhoAreYou2, testBoot))
			b.from(server, b.asks(ncadg.ConvWhoAreYou2, testBoot+1))
			b.from(server, with(reject(b, dcerpc.StatusWhoAreYouFailed), func(p *ncadg.Packet) { p.ServerBoot++ }))
			if _, err := b.ended(); !errors.Is(err, ErrRestarted) {
				b.t.Error(err)
			}
		}, nil},
		{"a server that was started again, of an idempotent call", func(b *callBench) {
			b.call(stub, ncadg.Idempotent)
			b.from(server, b.about(ncadg.Working, ""))
			b.after(2 * time.Second)
			b.want("the call is made again", b.from(server, with(reject(b, dcerpc.StatusWrongBootTime), func(p *ncadg.Packet) { p.ServerBoot++ })), "request")
		}, nil},
		{"an answer from another port", func(b *callBench) {
			other := netip.AddrPortFrom(server.Addr(), 1026)
			b.call(stub, 0)
			b.from(other, b.about(ncadg.Response, "yes"))
			b.ended()
			b.c.acknowledge(b.now, true, &b.out)
			b.want("the ack", b.take(), "ack")
			if b.to != other {
				b.t.Errorf("it goes to %v", b.to)
			}
		}, nil},
		{"acknowledgements", func(b *callBench) {
			b.call(stub, 0)
			b.from(server, b.about(ncadg.Response, "yes"))
			b.ended()
			if next, more := b.c.acknowledge(b.now, false, &b.out); next != ackAfter || !more || len(b.take()) != 0 {
				b.t.Error("the ack is early", next, more)
			}
			first := b.about(ncadg.Response, "yes")
			b.now = b.now.Add(ackAfter)
			b.c.acknowledge(b.now, false, &b.out)
			b.want("in time", b.take(), "ack")
			b.want("the response again", b.from(server, first), "ack")
			b.call(stub, 0)
			b.want("in the next call", b.from(server, first), "")
			b.from(server, b.about(ncadg.Response, "yes"))
			b.ended()
			b.call(stub, 0) // which acknowledges it
			b.c.acknowledge(b.now, true, &b.out)
			b.want("of the second call", b.take(), "")
		}, map[string]int64{"stray": 1, "calls": 3, "conversations": 1}},
		{"a call that is idempotent", func(b *callBench) {
			b.call(stub, ncadg.Idempotent)
			b.from(server, b.about(ncadg.Response, "yes"))
			b.ended()
			b.c.acknowledge(b.now, true, &b.out)
			b.want("nothing is owed", b.take(), "")
			b.want("though it comes again", b.from(server, b.about(ncadg.Response, "yes")), "")
		}, nil},
		{"a response in fragments", func(b *callBench) {
			b.call(stub, 0)
			piece := func(n uint16, flags ncadg.Flags1, body string) ncadg.Packet {
				return with(b.about(ncadg.Response, body), func(p *ncadg.Packet) { p.Fragment, p.Flags1 = n, flags|ncadg.Fragment })
			}
			b.want("the last one first", b.from(server, piece(2, ncadg.LastFragment, "c")), "fack")
			b.want("a fragment", b.from(server, piece(0, ncadg.NoFack, "aaaaaaaa")), "")
			b.want("other bytes", b.from(server, piece(0, ncadg.NoFack, "AAAAAAAA")), "")
			b.want("all in one", b.from(server, b.about(ncadg.Response, "no")), "")
			b.want("when nothing comes", b.after(2*time.Second), "fack")
			b.from(server, piece(1, ncadg.NoFack, "bbbbbbbb"))
			if got, err := b.ended(); got != "aaaaaaaabbbbbbbbc" || err != nil {
				b.t.Error(got, err)
			}
		}, nil},
		{"a response that is too long", func(b *callBench) {
			b.call(stub, 0)
			b.from(server, with(b.about(ncadg.Response, "x"), func(p *ncadg.Packet) { p.Fragment, p.Flags1 = 1024, ncadg.Fragment }))
			if _, err := b.ended(); !errors.Is(err, errTooLong) {
				b.t.Error(err)
			}
		}, nil},
		{"a call that is not wanted any more", func(b *callBench) {
			b.call(stub, 0)
			b.c.cancel(b.v, context.Canceled, &b.out)
			b.want("the server is told", b.take(), "cl_cancel")
			if _, err := b.ended(); !errors.Is(err, context.Canceled) {
				b.t.Error(err)
			}
		}, map[string]int64{"conversations": 0}},
		{"a call that is maybe", func(b *callBench) {
			b.want("it is sent", b.call(stub, ncadg.Maybe), "request")
			b.want("a response to it", b.from(server, b.about(ncadg.Working, "")), "")
			b.want("the next one", b.call(stub, 0), "request")
			if b.v.header.Sequence != 1 {
				b.t.Errorf("its sequence is %d", b.v.header.Sequence)
			}
		}, map[string]int64{"conversations": 1}},
	} {
		t.Run(tt.comment, func(t *testing.T) {
			b := newCallBench(t)
			tt.do(b)
			for name, n := range tt.counted {
				if got, ok := b.c.counters()[name]; !ok || got != n {
					t.Errorf("%s: %d, want %d", name, got, n)
				}
			}
		})
	}
}

// A server that is started again takes the calls of those who knew it before.
func TestServerStartedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, e := newLAN(1), newEcho()
		client := newClient(l.listen("10.77.0.2:4000"), ClientConfig{})
		defer client.Close()
		for range 3 {
			c := NewConversations(Config{Interfaces: []Interface{testInterface(e.handle)}})
			stop := serve(t, c, l.listen(serverAddr))
			if _, _, err := client.Call(t.Context(), server, testID, 1, []byte(stub), 0); err != nil {
				t.Error(err)
			}
			stop()
			time.Sleep(10 * time.Second)
		}
		if n := e.seen[stub]; n != 3 {
			t.Errorf("%d calls", n)
		}
	})
}

// A call that a server has executed, and not answered before it ended, is not
// executed by the one that takes its place.
func TestServerStartedAgainInCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, e := newLAN(1), newEcho()
		client := newClient(l.listen("10.77.0.2:4000"), ClientConfig{})
		defer client.Close()
		lose := func(part float64) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.loss = part
		}
		mute := func(ctx context.Context, c Call) ([]byte, dcerpc.Status) {
			lose(1)
			return e.handle(ctx, c)
		}
		stop := serve(t, NewConversations(Config{Interfaces: []Interface{testInterface(mute)}}), l.listen(serverAddr))
		called := make(chan error)
		go func() {
			_, _, err := client.Call(t.Context(), server, testID, 1, []byte(stub), 0)
			called <- err
		}()
		time.Sleep(100 * time.Millisecond)
		stop()
		time.Sleep(2 * time.Second)
		lose(0)
		defer serve(t, NewConversations(Config{Interfaces: []Interface{testInterface(e.handle)}}), l.listen(serverAddr))()
		if err := <-called; !errors.Is(err, ErrRestarted) {
			t.Error(err)
		}
		if n := e.seen[stub]; n != 1 {
			t.Errorf("%d calls", n)
		}
	})
}

// A call that a handler has when the server ends is answered.
func TestServerEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLAN(1)
		slow := func(ctx context.Context, c Call) ([]byte, dcerpc.Status) {
			time.Sleep(5 * time.Second)
			if ctx.Err() != nil {
				return nil, dcerpc.FaultCancel
			}
			return []byte("done"), 0
		}
		c := NewConversations(Config{Interfaces: []Interface{testInterface(slow)}})
		stop := serve(t, c, l.listen(serverAddr))
		client := newClient(l.listen("10.77.0.2:4000"), ClientConfig{})
		defer client.Close()
		go func() {
			time.Sleep(time.Second)
			stop()
		}()
		got, _, err := client.Call(t.Context(), server, testID, 1, []byte(stub), 0)
		if string(got) != "done" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		synctest.Wait()
	})
}

// A client that is closed ends its calls.
func TestClientCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := newClient(newLAN(1).listen("10.77.0.2:4000"), ClientConfig{})
		time.AfterFunc(time.Second, func() { client.Close() })
		for range 2 {
			if _, _, err := client.Call(t.Context(), server, testID, 1, []byte(stub), 0); !strings.Contains(err.Error(), "closed") {
				t.Error(err)
			}
		}
	})
}

// One caller reaches one server through two sockets: its activity is known at
// both, and it is answered at that to which it spoke last.
func TestTwoSockets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, e := newLAN(1), newEcho()
		c := NewConversations(Config{Interfaces: []Interface{testInterface(e.handle)}})
		defer serve(t, c, l.listen(serverAddr))()
		defer serve(t, c, l.listen("10.77.0.1:1026"))()
		mine := l.listen(alice.String())
		say := func(p ncadg.Packet, port uint16) (got ncadg.Packet, from netip.AddrPort) {
			raw, _ := p.AppendBinary(nil)
			mine.write(raw, netip.AddrPortFrom(server.Addr(), port), netip.Addr{})
			synctest.Wait()
			select {
			case in := <-mine.queue:
				got, err := ncadg.Parse(in.b)
				if err != nil {
					t.Fatal(err)
				}
				return got, in.from
			default:
				return ncadg.Packet{Type: 99}, from
			}
		}
		var last ncadg.Packet
		for _, step := range []struct {
			port   uint16
			packet func() ncadg.Packet
			want   ncadg.PacketType
		}{
			{135, func() ncadg.Packet { return request(0, stub) }, ncadg.Request},
			{135, func() ncadg.Packet { return yes(last, 0) }, ncadg.Response},
			{1026, func() ncadg.Packet { return about(ncadg.Ping, 0) }, ncadg.Response},
			{1026, func() ncadg.Packet { return request(1, stub+"1") }, ncadg.Response},
			{135, func() ncadg.Packet { return request(1, stub+"1") }, ncadg.Response},
			{135, func() ncadg.Packet { return request(2, stub+"2") }, ncadg.Response},
		} {
			got, from := say(step.packet(), step.port)
			if got.Type != step.want || from.Port() != step.port {
				t.Errorf("to port %d: %v from %v, want %v", step.port, got.Type, from, step.want)
			}
			last = got
		}
		e.once(t, 3)
		wantCounted(t, c, map[string]int64{"questions": 1, "verified": 1, "calls": 3})
	})
}
