package rpc

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/dcerpc/ncadg"
)

// A bench drives a machine by hand.
type bench struct {
	t   testing.TB
	m   *machine
	now time.Time
	out output

	in, sent int // bytes, in all
	jobs     []*job
}

const testBoot = 0x12345678

func newBench(t testing.TB, cfg Config) *bench {
	if cfg.Interfaces == nil {
		cfg.Interfaces = []Interface{
			testInterface(nil),
			{ID: mapID, Operations: 5, Idempotent: true},
			{ID: openID, Operations: 1, OneWay: Execute},
		}
	}
	cfg.setDefaults()
	return &bench{t: t, m: newMachine(&cfg, testBoot, [32]byte{1}), now: time.Unix(1e9, 0)}
}

// mapID is of an interface that is idempotent by nature, openID of one that
// executes calls without asking.
var (
	mapID  = dcerpc.SyntaxID{UUID: dcerpc.UUID{2, 2}, Major: 3}
	openID = dcerpc.SyntaxID{UUID: dcerpc.UUID{3, 3}, Major: 1}
)

var (
	alice   = netip.MustParseAddrPort("10.77.0.2:4000")
	mallory = netip.MustParseAddrPort("10.77.0.66:4000")
	aliceID = dcerpc.UUID{0xA1, 1}
)

// request returns a request of alice's.
func request(sequence uint32, stub string) ncadg.Packet {
	return ncadg.Packet{
		Type: ncadg.Request, DataRep: dcerpc.LittleEndian(), Interface: testID, Activity: aliceID,
		Sequence: sequence, Opnum: 1, InterfaceHint: ncadg.NoHint, ActivityHint: ncadg.NoHint, Body: []byte(stub),
	}
}

// stub is one that is longer than a question.
var stub = strings.Repeat("stub", 10)

// with returns a packet that was changed.
func with(p ncadg.Packet, change func(*ncadg.Packet)) ncadg.Packet {
	change(&p)
	return p
}

// about returns a packet of a type that is about alice's call.
func about(t ncadg.PacketType, sequence uint32) ncadg.Packet {
	return with(request(sequence, ""), func(p *ncadg.Packet) { p.Type = t })
}

// take returns what the machine wants sent and keeps what it wants executed.
func (b *bench) take() (packets []ncadg.Packet) {
	b.out.each(func(raw []byte, to netip.AddrPort, _ path) {
		p, err := ncadg.Parse(raw)
		if err != nil {
			b.t.Fatal(err)
		}
		p.Body = append([]byte(nil), p.Body...)
		packets = append(packets, p)
		b.sent += len(raw)
	})
	b.jobs = append(b.jobs, b.out.jobs...)
	b.out.reset()
	return packets
}

// raw tells the machine of bytes that came.
func (b *bench) raw(raw []byte, from netip.AddrPort) []ncadg.Packet {
	b.in += len(raw)
	b.m.receive(b.now, raw, from, path{}, &b.out)
	return b.take()
}

// from tells it of a packet.
func (b *bench) from(from netip.AddrPort, p ncadg.Packet) []ncadg.Packet {
	b.t.Helper()
	raw, err := p.AppendBinary(nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.raw(raw, from)
}

// after lets time go by.
func (b *bench) after(d time.Duration) (packets []ncadg.Packet) {
	for end := b.now.Add(d); ; {
		due := b.m.deadline()
		if due.IsZero() || due.After(end) {
			b.now = end
			return packets
		}
		if due.After(b.now) {
			b.now = due
		}
		b.m.tick(b.now, &b.out)
		packets = append(packets, b.take()...)
	}
}

// execute returns from the handler of the first call that has one.
func (b *bench) execute(response string, fault dcerpc.Status) []ncadg.Packet {
	b.t.Helper()
	if len(b.jobs) == 0 {
		b.t.Fatal("no call is to be executed")
	}
	j := b.jobs[0]
	b.jobs = b.jobs[1:]
	b.m.executed(b.now, j, []byte(response), fault, &b.out)
	return b.take()
}

// yes returns the answer to a question.
func yes(q ncadg.Packet, sequence uint32) ncadg.Packet {
	a := q
	a.Type, a.Flags1 = ncadg.Response, 0
	if q.Opnum == ncadg.ConvWhoAreYou2 {
		a.Body = ncadg.WhoAreYou2Response{Sequence: sequence}.AppendBinary(nil, q.DataRep)
	} else {
		a.Body = ncadg.WhoAreYouResponse{Sequence: sequence}.AppendBinary(nil, q.DataRep)
	}
	return a
}

// no returns a rejection of a question.
func no(q ncadg.Packet, why dcerpc.Status) ncadg.Packet {
	a := q
	a.Type, a.Flags1, a.Body = ncadg.Reject, 0, ncadg.AppendStatus(nil, q.DataRep, why)
	return a
}

// verify makes the first call of alice's activity, up to its end.
func (b *bench) verify() {
	b.t.Helper()
	q := b.from(alice, request(0, stub))
	if got := types(q); got != "request" {
		b.t.Fatalf("to a first request the machine sent %q", got)
	}
	b.from(alice, yes(q[0], 0))
	if got := types(b.execute("response", 0)); got != "response" {
		b.t.Fatalf("after the first call it sent %q", got)
	}
	b.from(alice, about(ncadg.Ack, 0))
}

// types says what packets are, with the status of those that have one.
func types(packets []ncadg.Packet) string {
	var words []string
	for _, p := range packets {
		word := p.Type.String()
		if p.Type == ncadg.Fault || p.Type == ncadg.Reject {
			s, err := ncadg.ParseStatus(p.Body, p.DataRep)
			word += fmt.Sprintf(" %s %v", s.String(), err)
			word = strings.TrimSuffix(word, " <nil>")
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}

// want compares packets.
func (b *bench) want(comment string, got []ncadg.Packet, want string) {
	b.t.Helper()
	if diff := cmp.Diff(want, types(got)); diff != "" {
		b.t.Errorf("%s: -want +got\n%s", comment, diff)
	}
}

// count compares counters.
func (b *bench) count(want map[string]int64) {
	b.t.Helper()
	got := b.m.counters()
	for name, n := range want {
		if g, ok := got[name]; !ok || g != n {
			b.t.Errorf("%s: %d, want %d", name, g, n)
		}
	}
}

// The packets that the machine sends have what [MS-RPCE] 4.1 and C706 12.5 want
// in them.
func TestPacketsSent(t *testing.T) {
	b := newBench(t, Config{})
	call := with(request(7, stub), func(p *ncadg.Packet) {
		p.DataRep, p.Object, p.Serial = dcerpc.DataRep{}, dcerpc.UUID{5}, 3 // big-endian
	})
	got := b.from(alice, call)
	question := ncadg.Packet{
		Type: ncadg.Request, Flags1: ncadg.Idempotent, DataRep: dcerpc.LittleEndian(), Interface: ncadg.Conv(),
		Opnum: ncadg.ConvWhoAreYou2, InterfaceHint: ncadg.NoHint, ActivityHint: ncadg.NoHint,
		Body: ncadg.WhoAreYou{Activity: aliceID, ServerBoot: testBoot}.AppendBinary(nil, dcerpc.LittleEndian()),
	}
	if len(got) != 1 || got[0].Activity.IsNil() || got[0].Activity == aliceID {
		t.Fatalf("the question is %v", got)
	}
	question.Activity = got[0].Activity
	if diff := cmp.Diff(question, got[0]); diff != "" {
		t.Errorf("the question: -want +got\n%s", diff)
	}
	b.from(alice, yes(got[0], 7))
	want := Call{
		Interface: testID, Opnum: 1, Object: dcerpc.UUID{5}, DataRep: dcerpc.DataRep{}, Stub: []byte(stub),
		From: alice, Verified: true,
	}
	if diff := cmp.Diff(want, b.jobs[0].call, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("the call: -want +got\n%s", diff)
	}
	response := ncadg.Packet{
		Type: ncadg.Response, Interface: testID, Activity: aliceID, Object: dcerpc.UUID{5},
		ServerBoot: testBoot, Sequence: 7, Opnum: 1, InterfaceHint: ncadg.NoHint, ActivityHint: ncadg.NoHint,
		Serial: 1, Body: []byte("response"),
	}
	if diff := cmp.Diff([]ncadg.Packet{response}, b.execute("response", 0)); diff != "" {
		t.Errorf("the response: -want +got\n%s", diff)
	}
}

// TestServer has what comes to a server, and what it makes of it.
func TestServer(t *testing.T) {
	fragment := func(sequence uint32, number uint16, flags ncadg.Flags1, body string) ncadg.Packet {
		return with(request(sequence, body), func(p *ncadg.Packet) { p.Fragment, p.Flags1 = number, flags|ncadg.Fragment })
	}
	for _, tt := range []struct {
		comment string
		do      func(b *bench)
		counted map[string]int64
	}{
		{"who answers from elsewhere is not there", func(b *bench) {
			q := b.from(alice, request(0, stub))
			b.want("the forged answer", b.from(mallory, yes(q[0], 0)), "")
			b.want("another port", b.from(netip.AddrPortFrom(alice.Addr(), 4001), yes(q[0], 0)), "")
			if len(b.jobs) != 0 {
				b.t.Error("the call is executed")
			}
		}, map[string]int64{"forged_answers": 2, "calls": 0}},
		{"an answer to another question", func(b *bench) {
			q := b.from(alice, request(0, stub))
			b.from(alice, with(yes(q[0], 0), func(p *ncadg.Packet) { p.Activity = dcerpc.UUID{9} }))
			b.from(alice, with(yes(q[0], 0), func(p *ncadg.Packet) { p.Opnum = ncadg.ConvWhoAreYou }))
			b.from(alice, with(yes(q[0], 0), func(p *ncadg.Packet) { p.Body = p.Body[:20] }))
		}, map[string]int64{"stray_answers": 2, "malformed": 1, "calls": 0}},
		{"the caller has done with the call", func(b *bench) {
			q := b.from(alice, request(0, stub))
			b.want("the answer", b.from(alice, yes(q[0], 1)), "")
			b.want("time goes by", b.after(time.Minute), "")
		}, map[string]int64{"calls": 0, "old": 1, "activities": 0}},
		{"the caller knows nothing of the call", func(b *bench) {
			q := b.from(alice, request(0, stub))
			a := yes(q[0], 0)
			binary.LittleEndian.PutUint32(a.Body[20:], uint32(dcerpc.StatusBadActivity))
			b.want("the answer", b.from(alice, a), "reject nca_who_are_you_failed")
			b.want("again", b.from(alice, request(0, stub)), "reject nca_who_are_you_failed")
		}, map[string]int64{"calls": 0, "caller_not_there": 1}},
		{"a caller that knows the older question only", func(b *bench) {
			q := b.from(alice, request(0, stub))
			q = b.from(alice, no(q[0], dcerpc.StatusOperationRange))
			b.want("the older question", q, "request")
			if q[0].Opnum != ncadg.ConvWhoAreYou {
				b.t.Errorf("it is %d", q[0].Opnum)
			}
			b.from(alice, yes(q[0], 0))
			b.want("the response", b.execute("response", 0), "response")
		}, map[string]int64{"verified": 1}},
		{"a caller that knows neither", func(b *bench) {
			q := b.from(alice, request(0, stub+stub))
			q = b.from(alice, no(q[0], dcerpc.StatusOperationRange))
			b.want("refused", b.from(alice, no(q[0], dcerpc.StatusOperationRange)), "reject nca_who_are_you_failed")
		}, map[string]int64{"caller_not_there": 1}},
		{"a caller that says no", func(b *bench) {
			q := b.from(alice, request(0, stub+stub))
			b.want("refused", b.from(alice, no(q[0], dcerpc.StatusUnspecifiedReject)), "reject nca_who_are_you_failed")
		}, map[string]int64{"caller_not_there": 1}},
		{"a caller that is silent", func(b *bench) {
			b.want("the question", b.from(alice, request(0, strings.Repeat("x", 1000))), "request")
			b.want("and then", b.after(time.Minute), "request, request, request, request, reject nca_who_are_you_failed")
			b.after(time.Minute)
		}, map[string]int64{"caller_not_there": 1, "questions": 5, "expired": 1, "activities": 0, "held_bytes": 0}},
		{"a silent caller that sent little", func(b *bench) {
			b.want("the question", b.from(alice, request(0, stub)), "request")
			b.want("and then", b.after(time.Minute), "")
		}, map[string]int64{"questions": 1}},
		{"a request that is shorter than the question", func(b *bench) {
			b.want("the first time", b.from(alice, request(0, "")), "")
			b.now = b.now.Add(time.Second)
			b.want("the second", b.from(alice, request(0, "")), "request")
		}, nil},
		{"sequence numbers", func(b *bench) {
			b.verify()
			b.want("the last one", b.from(alice, request(0, stub)), "")
			b.want("a later one", b.from(alice, request(5, stub)), "")
			b.want("again", b.from(alice, request(5, stub)), "working")
			b.want("a ping", b.from(alice, about(ncadg.Ping, 5)), "working")
			b.want("one between", b.from(alice, request(3, stub)), "")
			b.want("a ping for it", b.from(alice, about(ncadg.Ping, 3)), "")
			b.want("a ping for the next", b.from(alice, about(ncadg.Ping, 6)), "nocall")
			b.want("the response", b.execute("response", 0), "response")
			b.want("the request again", b.from(alice, request(5, stub)), "response")
			b.want("a ping", b.from(alice, about(ncadg.Ping, 5)), "response")
			b.want("the next", b.from(alice, request(6, stub)), "")
			b.want("the one before", b.from(alice, request(5, stub)), "")
			b.want("an ack for it", b.from(alice, about(ncadg.Ack, 5)), "")
			b.want("the response", b.execute("response", 0), "response")
		}, map[string]int64{"calls": 3, "verified": 1, "old": 4, "duplicates": 4, "stray": 1, "no_call": 1}},
		{"round the end of the numbers", func(b *bench) {
			q := b.from(alice, request(0xFFFFFFFF, stub))
			b.from(alice, yes(q[0], 0xFFFFFFFF))
			b.execute("response", 0)
			b.from(alice, request(0, stub))
			b.want("the next", b.execute("response", 0), "response")
			b.want("the one before", b.from(alice, request(0xFFFFFFFF, stub)), "")
		}, map[string]int64{"calls": 2, "verified": 1, "old": 1}},
		{"a response that is not acknowledged", func(b *bench) {
			b.verify()
			b.from(alice, request(1, stub))
			b.want("at once", b.execute("response", 0), "response")
			b.want("then", b.after(40*time.Second), "response, response, response, response")
			b.want("and when asked for", b.from(alice, about(ncadg.Ping, 1)), "response")
			b.from(alice, about(ncadg.Ack, 1))
			b.after(400 * time.Second)
		}, map[string]int64{"resent": 4, "unacknowledged": 1, "held_bytes": 0, "activities": 0}},
		{"a fault", func(b *bench) {
			b.verify()
			b.from(alice, request(1, stub))
			b.want("at once", b.execute("", dcerpc.FaultNDR), "fault nca_s_fault_ndr")
			b.want("again", b.from(alice, request(1, stub)), "fault nca_s_fault_ndr")
			b.want("when not acknowledged", b.after(1500*time.Millisecond), "fault nca_s_fault_ndr")
			b.from(alice, about(ncadg.Ack, 1))
			b.want("then", b.after(time.Minute), "")
		}, map[string]int64{"faults": 1}},
		{"a call that is given up for the next", func(b *bench) {
			b.verify()
			b.from(alice, request(1, stub))
			b.from(alice, request(2, stub))
			b.want("the response to the first", b.execute("one", 0), "")
			b.want("the response to the second", b.execute("two", 0), "response")
		}, map[string]int64{"abandoned": 1, "executing": 0}},
		{"another activity of the same name", func(b *bench) {
			b.verify()
			b.want("mallory is asked", b.from(mallory, request(1, stub)), "request")
			b.want("and cannot acknowledge", b.from(mallory, about(ncadg.Ack, 0)), "")
		}, map[string]int64{"activities": 2, "calls": 1}},
		{"about nothing", func(b *bench) {
			b.verify()
			for _, p := range []ncadg.PacketType{ncadg.Ack, ncadg.Fack, ncadg.Cancel, ncadg.CancelAck} {
				b.want("to nobody", b.from(mallory, about(p, 0)), "")
				b.want("in time to come", b.from(alice, about(p, 9)), "")
				b.want("when all is done", b.from(alice, about(p, 0)), "")
			}
			for _, p := range []ncadg.PacketType{ncadg.Response, ncadg.Fault, ncadg.Reject, ncadg.Working, ncadg.NoCall} {
				b.want("an answer to nothing", b.from(alice, about(p, 0)), "")
			}
		}, map[string]int64{"stray": 12, "stray_answers": 5}},
		{"rejections", func(b *bench) {
			change := func(c func(*ncadg.Packet)) ncadg.Packet { return with(request(0, stub), c) }
			b.want("authentication", b.from(alice, change(func(p *ncadg.Packet) { p.AuthProto = 1 })), "reject nca_proto_error")
			b.want("a boot time", b.from(alice, change(func(p *ncadg.Packet) { p.ServerBoot = testBoot - 1 })), "reject nca_wrong_boot_time")
			b.want("an interface", b.from(alice, change(func(p *ncadg.Packet) { p.Interface.Major++ })), "reject nca_unk_if")
			b.want("an operation", b.from(alice, change(func(p *ncadg.Packet) { p.Opnum = 3 })), "reject nca_op_rng_error")
			b.want("idempotent", b.from(alice, change(func(p *ncadg.Packet) { p.Flags1 = ncadg.Idempotent })), "reject nca_unspec_reject")
			b.want("maybe", b.from(alice, change(func(p *ncadg.Packet) { p.Flags1 = ncadg.Maybe })), "")
			b.want("spam", b.from(alice, change(func(p *ncadg.Packet) { p.Flags1 = 0x78 })), "")
			b.want("spam for nobody", b.from(alice, change(func(p *ncadg.Packet) { p.Flags1, p.Opnum = 0x78, 9 })), "")
			b.want("shorter than the rejection", b.from(alice, with(request(0, ""), func(p *ncadg.Packet) { p.Opnum = 9 })), "")
			raw, _ := request(0, stub).AppendBinary(nil)
			raw[0] = 5
			b.want("another version", b.raw(raw, alice), "reject nca_proto_error")
		}, map[string]int64{
			"activities": 0, "authenticated": 1, "wrong_boot_time": 1, "unknown_interface": 1, "unknown_operation": 3,
			"refused_one_way": 3, "malformed": 1, "unsent": 1,
		}},
		{"an interface that is idempotent by nature", func(b *bench) {
			ask := with(request(0, stub), func(p *ncadg.Packet) { p.Interface, p.Flags1 = mapID, ncadg.Idempotent })
			b.want("the request", b.from(alice, ask), "")
			if b.jobs[0].call.Verified {
				b.t.Error("the caller is verified")
			}
			b.want("the response", b.execute("response", 0), "response")
			b.want("when nothing is heard", b.after(20*time.Second), "")
			b.want("the request again", b.from(alice, ask), "response")
			ask.Sequence++
			b.from(alice, ask)
			b.want("a long response", b.execute(strings.Repeat("x", 2000), 0), "fault nca_out_args_too_big")
			ask.Flags1 |= ncadg.Broadcast
			ask.Sequence++
			b.want("a broadcast", b.from(alice, ask), "")
		}, map[string]int64{"calls": 2, "one_way": 0, "verified": 0, "refused_one_way": 1}},
		{"an interface that is open", func(b *bench) {
			b.from(alice, with(request(0, stub), func(p *ncadg.Packet) { p.Interface, p.Opnum, p.Flags1 = openID, 0, 0x78 }))
			if b.jobs[0].call.Verified {
				b.t.Error("the caller is verified")
			}
			b.want("what spam gets", b.execute("response", 0), "")
			b.want("and later", b.after(30*time.Second), "")
			ask := with(request(1, stub), func(p *ncadg.Packet) { p.Interface, p.Opnum = openID, 0 })
			b.want("who can be asked is asked", b.from(alice, ask), "request")
		}, map[string]int64{"calls": 1, "one_way": 1, "held_bytes": int64(len(stub))}},
		{"what is not executed gets no more than it brought", func(b *bench) {
			open := func(p *ncadg.Packet) { p.Interface, p.Opnum, p.Flags1 = openID, 0, ncadg.Idempotent }
			b.want("a fragment", b.from(alice, with(fragment(0, 1, 0, ""), func(p *ncadg.Packet) { open(p); p.Flags1 |= ncadg.Fragment })), "")
			for n := range 4 { // of which the last are too many
				from := netip.AddrPortFrom(alice.Addr(), uint16(5000+n))
				b.want("a call without a stub", b.from(from, with(request(0, ""), open)), "")
			}
			if b.sent > b.in {
				b.t.Errorf("%d bytes came and %d were sent", b.in, b.sent)
			}
		}, map[string]int64{"calls": 3, "too_busy": 1, "unsent": 2}},
		{"cancels", func(b *bench) {
			b.verify()
			b.from(alice, request(1, stub))
			cancel := with(about(ncadg.Cancel, 1), func(p *ncadg.Packet) { p.Body = ncadg.CancelBody{ID: 3}.AppendBinary(nil, p.DataRep) })
			got := b.from(alice, cancel)
			b.want("a cancel", got, "cancel_ack")
			if c, err := ncadg.ParseCancelAck(got[0].Body, got[0].DataRep); err != nil || c != (ncadg.CancelAckBody{ID: 3}) {
				b.t.Errorf("it says %v, %v", c, err)
			}
			b.want("a cancel of Windows", b.from(alice, about(ncadg.Cancel, 1)), "cancel_ack")
			b.execute("response", 0)
			b.want("too late", b.from(alice, cancel), "response")
		}, map[string]int64{"cancels": 3}},
		{"fragments in any order", func(b *bench) {
			b.verify()
			b.want("2", b.from(alice, fragment(1, 2, ncadg.LastFragment, "c")), "fack")
			b.want("0", b.from(alice, fragment(1, 0, ncadg.NoFack, "aaaaaaaa")), "")
			b.want("a ping", b.from(alice, about(ncadg.Ping, 1)), "nocall")
			got := b.from(alice, fragment(1, 0, 0, "aaaaaaaa"))
			b.want("0 again", got, "fack")
			f, err := ncadg.ParseFack(got[0].Body, got[0].DataRep)
			if err != nil || got[0].Fragment != 0 || f.SelAck[0] != 2 {
				b.t.Errorf("the fack says %d and %v, %v", got[0].Fragment, f, err)
			}
			b.want("1", b.from(alice, fragment(1, 1, ncadg.NoFack, "bbbbbbbb")), "")
			if got := string(b.jobs[0].call.Stub); got != "aaaaaaaabbbbbbbbc" {
				b.t.Errorf("the stub is %q", got)
			}
			b.want("1 again", b.from(alice, fragment(1, 1, ncadg.NoFack, "bbbbbbbb")), "working")
		}, map[string]int64{"calls": 2}},
		{"fragments that lie", func(b *bench) {
			b.verify()
			b.from(alice, fragment(1, 3, ncadg.LastFragment|ncadg.NoFack, "d"))
			b.want("one behind the last", b.from(alice, fragment(1, 4, 0, "e")), "")
			b.want("another last", b.from(alice, fragment(1, 2, ncadg.LastFragment, "c")), "")
			b.from(alice, fragment(1, 0, ncadg.NoFack, "aaaaaaaa"))
			b.want("the same with other bytes", b.from(alice, fragment(1, 0, 0, "AAAAAAAA")), "")
			b.want("all of it in one", b.from(alice, request(1, stub)), "")
			b.want("too far ahead", b.from(alice, fragment(2, 1000, ncadg.NoFack, "x")), "")
			b.want("further than any", b.from(alice, fragment(2, 0xFFFF, ncadg.NoFack, "x")), "reject nca_proto_error")
			b.want("and again", b.from(alice, fragment(2, 0, 0, "x")), "reject nca_proto_error")
			if len(b.jobs) != 0 {
				b.t.Error("a call is executed")
			}
			b.after(400 * time.Second)
		}, map[string]int64{"contradictions": 4, "too_long": 1, "activities": 0, "held_bytes": 0}},
		{"a request that is too long", func(b *bench) {
			b.verify()
			for i := range uint16(47) {
				b.from(alice, fragment(1, i, ncadg.NoFack, strings.Repeat("x", ncadg.MaxBody)))
			}
			b.want("the end of it", b.from(alice, fragment(1, 47, ncadg.LastFragment, strings.Repeat("x", ncadg.MaxBody))), "reject nca_proto_error")
		}, map[string]int64{"too_long": 1, "calls": 1}},
		{"a response in fragments", func(b *bench) {
			b.verify()
			b.from(alice, request(1, stub))
			got := b.execute(strings.Repeat("x", 10*ncadg.MaxBody), 0)
			b.want("the first window", got, "response, response, response, response")
			for i, p := range got {
				if nofack := p.Flags1&ncadg.NoFack != 0; int(p.Fragment) != i || nofack != (i != 3) {
					b.t.Errorf("fragment %d is %d, flags %x", i, p.Fragment, p.Flags1)
				}
			}
			fack := func(inOrder uint16, serial uint16, sel uint32) []ncadg.Packet {
				return b.from(alice, with(about(ncadg.Fack, 1), func(p *ncadg.Packet) {
					p.Fragment = inOrder
					p.Body = ncadg.FackBody{Window: 32, Serial: serial, SelAck: ncadg.SelAck{sel}}.AppendBinary(nil, p.DataRep)
				}))
			}
			b.want("1 was lost", fack(0, 4, 6), "response, response, response, response, response, response")
			b.want("an old fack", fack(0, 2, 2), "")
			b.want("of what was never sent", fack(200, 4, 6), "")
			b.want("of serials to come", fack(0, 4000, 0xFFFFFFFF), "")
			b.want("all the rest", fack(8, 11, 0), "response")
			b.want("the end is lost", b.after(1500*time.Millisecond), "response")
			fack(9, 13, 0)
			b.want("all has come", b.after(time.Minute), "")
		}, map[string]int64{"held_bytes": 0, "resent": 1}},
	} {
		t.Run(tt.comment, func(t *testing.T) {
			b := newBench(t, Config{MaxCallsPerSource: 3})
			tt.do(b)
			b.count(tt.counted)
			if t.Failed() {
				t.Log(b.m.counters())
			}
		})
	}
}
