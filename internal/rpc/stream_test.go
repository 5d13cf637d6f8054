package rpc

import (
	"bytes"
	"context"
	"encoding"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/dcerpc/ncacn"
)

// A call over a connection comes as one over datagrams does, and is answered in
// the byte order of its caller.
func TestStreamCall(t *testing.T) {
	for _, rep := range []dcerpc.DataRep{dcerpc.LittleEndian(), {}} {
		synctest.Test(t, func(t *testing.T) {
			l, e := newPipes(), newEcho()
			s := serveStream(t, l, StreamConfig{Interfaces: []Interface{testInterface(e.handle)}})
			p := l.call(t, "10.77.0.2")
			older := dcerpc.SyntaxID{UUID: testID.UUID, Major: 1}
			bind := offer(ncacn.TypeBind, ncacn.Context{ID: 7, Interface: older, Transfer: []dcerpc.SyntaxID{dcerpc.NDR()}})
			bind.DataRep = rep
			p.send(bind)
			_, b := p.read()
			ack, err := ncacn.ParseBindAck(b)
			want := ncacn.BindAck{
				Header:      ncacn.Header{Type: ncacn.TypeBindAck, Flags: ncacn.Whole, DataRep: rep, Length: 60, CallID: 1},
				MaxTransmit: 4280, MaxReceive: 4280, Group: 1, Address: "135",
				Results: []ncacn.Result{{Result: ncacn.Accepted, Transfer: dcerpc.NDR()}},
			}
			if diff := cmp.Diff(want, ack); err != nil || diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			object := dcerpc.UUID{9, 8, 7}
			p.send(ncacn.Request{
				Header:  ncacn.Header{Type: ncacn.TypeRequest, Flags: ncacn.Whole | ncacn.HasObject, DataRep: rep, CallID: 2},
				Context: 7, Opnum: 2, Object: object, Stub: []byte("stub"),
			})
			_, b = p.read()
			response, err := ncacn.ParseResponse(b)
			wantResponse := ncacn.Response{
				Header:    ncacn.Header{Type: ncacn.TypeResponse, Flags: ncacn.Whole, DataRep: rep, Length: 28, CallID: 2},
				AllocHint: 4, Context: 7, Stub: []byte("stub"),
			}
			if diff := cmp.Diff(wantResponse, response); err != nil || diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			wantCall := Call{
				Interface: older, Opnum: 2, Object: object, DataRep: rep,
				From: netip.MustParseAddrPort("10.77.0.2:1024"), Local: netip.MustParseAddr("10.77.0.1"), Verified: true,
			}
			if diff := cmp.Diff(wantCall, e.last, cmpopts.IgnoreFields(Call{}, "Stub"), cmpopts.EquateComparable(netip.AddrPort{}, netip.Addr{})); diff != "" {
				t.Errorf("the handler saw (-want +got):\n%s", diff)
			}
			p.nc.Close()
			synctest.Wait()
			wantCounted(t, s, map[string]int64{"connections": 1, "calls": 1, "open": 0, "malformed": 0})
			if got := s.String(); got != "rpc on tcp 10.77.0.1:135" {
				t.Error(got)
			}
		})
	}
}

// Arguments come in as many fragments as the caller likes, results go in as few
// as it takes.
func TestStreamFragments(t *testing.T) {
	for _, tt := range []struct{ receive, most int }{
		{0, ncacn.MustReceive}, {1000, ncacn.MustReceive}, {1432, 1432}, {1439, 1439}, {4280, 4280}, {5840, 5840}, {65535, 5840},
	} {
		synctest.Test(t, func(t *testing.T) {
			l, e := newPipes(), newEcho()
			serveStream(t, l, StreamConfig{Interfaces: []Interface{testInterface(e.handle)}})
			p := l.call(t, "10.77.0.2")
			bind := offer(ncacn.TypeBind)
			bind.MaxReceive, bind.MaxTransmit = uint16(tt.receive), uint16(tt.receive)
			p.send(bind)
			_, b := p.read()
			if ack, err := ncacn.ParseBindAck(b); err != nil || int(ack.MaxTransmit) != tt.most || int(ack.MaxReceive) != tt.most {
				t.Errorf("%d and %d bytes at most, want %d; %v", ack.MaxTransmit, ack.MaxReceive, tt.most, err)
			}
			room := (tt.most - ncacn.ResponseSize) &^ 7
			id := uint32(10)
			for _, n := range []int{0, 1, room - 1, room, room + 1, 2 * room, 2*room + 9, 64 << 10} {
				for _, piece := range []int{tt.most - ncacn.RequestSize, 1 + n/3} {
					id++
					stub := strings.Repeat("0123456789abcdef~", n/16+1)[:n]
					sent, flags := stub, ncacn.First
					for {
						k := min(len(sent), piece, maxStreamFragment-ncacn.RequestSize)
						if k == len(sent) {
							flags |= ncacn.Last
						}
						p.send(fragment(id, flags, sent[:k]))
						if sent, flags = sent[k:], 0; len(sent) == 0 {
							break
						}
					}
					got, fragments := p.response(id, tt.most)
					if want := max(1, (n+room-1)/room); got != stub || fragments != want {
						t.Errorf("%d bytes came back as %d in %d fragments, want %d", n, len(got), fragments, want)
					}
				}
			}
			if n := len(e.from); n != 1 || e.last.Opnum != 1 {
				t.Errorf("calls of %d callers", n)
			}
		})
	}
}

// Each context is taken or not on its own.
func TestContexts(t *testing.T) {
	ndr := []dcerpc.SyntaxID{dcerpc.NDR()}
	ndr64 := dcerpc.SyntaxID{UUID: dcerpc.UUID{0x71, 0x71, 0x05, 0x33}, Major: 1}
	features := dcerpc.SyntaxID{UUID: dcerpc.UUID{0x6c, 0xb7, 0x1c, 0x2c, 0x98, 0x12, 0x45, 0x40, 3}, Major: 1}
	accepted := ncacn.Result{Result: ncacn.Accepted, Transfer: dcerpc.NDR()}
	rejected := func(r ncacn.Reason) ncacn.Result {
		return ncacn.Result{Result: ncacn.ProviderRejection, Reason: r}
	}
	other := testID
	other.Major++
	newer := testID
	newer.Minor++
	older := testID
	older.Minor = 0
	synctest.Test(t, func(t *testing.T) {
		l, e := newPipes(), newEcho()
		s := serveStream(t, l, StreamConfig{Interfaces: []Interface{testInterface(e.handle)}})
		p := l.call(t, "10.77.0.2")
		for _, bindType := range []ncacn.Type{ncacn.TypeBind, ncacn.TypeAlterContext} {
			p.send(offer(bindType,
				ncacn.Context{ID: 0, Interface: dcerpc.SyntaxID{UUID: dcerpc.UUID{1}, Major: 1}, Transfer: ndr},
				ncacn.Context{ID: 1, Interface: other, Transfer: ndr},
				ncacn.Context{ID: 2, Interface: newer, Transfer: ndr},
				ncacn.Context{ID: 3, Interface: older, Transfer: []dcerpc.SyntaxID{ndr64, dcerpc.NDR()}},
				ncacn.Context{ID: 4, Interface: testID, Transfer: []dcerpc.SyntaxID{ndr64}},
				ncacn.Context{ID: 5, Interface: testID, Transfer: []dcerpc.SyntaxID{features}},
				ncacn.Context{ID: 6, Interface: testID},
				ncacn.Context{ID: 65535, Interface: testID, Transfer: ndr},
			))
			h, b := p.read()
			ack, err := ncacn.ParseBindAck(b)
			want := []ncacn.Result{
				rejected(ncacn.InterfaceNotSupported), rejected(ncacn.InterfaceNotSupported), rejected(ncacn.InterfaceNotSupported),
				accepted,
				rejected(ncacn.TransferSyntaxesNotSupported), rejected(ncacn.TransferSyntaxesNotSupported), rejected(ncacn.TransferSyntaxesNotSupported),
				accepted,
			}
			if diff := cmp.Diff(want, ack.Results); err != nil || diff != "" {
				t.Errorf("%v: %v (-want +got):\n%s", h.Type, err, diff)
			}
			if address := map[ncacn.Type]string{ncacn.TypeBindAck: "135"}[h.Type]; ack.Address != address || ack.Group != 1 {
				t.Errorf("%v: group %d at %q", h.Type, ack.Group, ack.Address)
			}
		}
		for id, known := range map[uint16]bool{0: false, 3: true, 4: false, 7: false, 65535: true} {
			q := fragment(9, ncacn.Whole, "x")
			q.Context = id
			p.send(q)
			if known {
				p.response(9, 4280)
			} else {
				p.expectFault(dcerpc.StatusUnknownInterface, ncacn.DidNotExecute)
			}
		}
		wantCounted(t, s, map[string]int64{"unknown_interface": 9, "calls": 2, "faults": 0})
	})
}

// A connection has room for 32 interfaces.
func TestContextLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		serveStream(t, l, StreamConfig{Interfaces: []Interface{testInterface(newEcho().handle)}})
		p := l.call(t, "10.77.0.2").bind()
		taken := 1
		for i := range 3 {
			contexts := make([]ncacn.Context, 20)
			for j := range contexts {
				contexts[j] = ncacn.Context{ID: uint16(20*i + j), Interface: testID, Transfer: []dcerpc.SyntaxID{dcerpc.NDR()}}
			}
			p.send(offer(ncacn.TypeAlterContext, contexts...))
			_, b := p.read()
			ack, err := ncacn.ParseBindAck(b)
			if err != nil {
				t.Fatal(err)
			}
			for j, r := range ack.Results {
				if id := 20*i + j; id > 0 && r.Result == ncacn.Accepted {
					taken++
				} else if id > 0 && r.Reason != ncacn.ContextLimitExceeded {
					t.Errorf("context %d: %v", id, r)
				}
			}
		}
		if taken != maxContexts {
			t.Errorf("%d interfaces were bound to", taken)
		}
		p.echo("still here")
	})
}

// What is wrong with a bind ends the connection, and the peer is told why.
func TestBadBinds(t *testing.T) {
	change := func(at int, to ...byte) raw {
		b, err := offer(ncacn.TypeBind).AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		copy(b[at:], to)
		return b
	}
	noContext := offer(ncacn.TypeBind)
	noContext.Contexts = nil
	for _, tt := range []struct {
		comment string
		sent    encoding.BinaryAppender
		reason  ncacn.RejectReason
		counter string
	}{
		{"authentication", change(10, 16), ncacn.RejectAuthenticationType, "authenticated"},
		{"version 4", change(0, 4), ncacn.RejectProtocolVersion, "malformed"},
		{"version 5.2", change(1, 2), ncacn.RejectProtocolVersion, "malformed"},
		{"a first fragment", change(3, 1), ncacn.RejectProtocolVersion, "malformed"},
		{"contexts that are not there", change(24, 200), ncacn.RejectProtocolVersion, "malformed"},
		{"no contexts", noContext, ncacn.RejectProtocolVersion, "malformed"},
		{"an HTTP request", raw("GET / HTTP/1.1\r\nHost: 10.77.0.1\r\n\r\n"), ncacn.RejectProtocolVersion, "malformed"},
	} {
		t.Run(tt.comment, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newPipes()
				s := serveStream(t, l, StreamConfig{Interfaces: []Interface{testInterface(newEcho().handle)}})
				p := l.call(t, "10.77.0.2")
				p.send(tt.sent)
				_, b := p.read()
				nak, err := ncacn.ParseBindNak(b)
				if err != nil || nak.Reason != tt.reason || len(nak.Versions) != 2 {
					t.Errorf("%+v, %v; want reason %d", nak, err, tt.reason)
				}
				p.expectEnd()
				synctest.Wait()
				wantCounted(t, s, map[string]int64{tt.counter: 1, "open": 0})
			})
		})
	}
}

// A second bind, and what else comes out of turn, ends the connection, and so
// does garbage.
func TestOutOfTurn(t *testing.T) {
	encode := func(p encoding.BinaryAppender) raw {
		b, err := p.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	authenticated := encode(fragment(2, ncacn.Whole, "0123456789abcdef01234567"))
	authenticated[10] = 16
	long := encode(fragment(2, ncacn.Whole, strings.Repeat("x", maxStreamFragment)))
	header := func(t ncacn.Type) ncacn.Header {
		return ncacn.Header{Type: t, Flags: ncacn.Whole, DataRep: dcerpc.LittleEndian(), CallID: 2}
	}
	alterAuth := encode(offer(ncacn.TypeAlterContext))
	alterAuth[10] = 16
	const silent dcerpc.Status = 0
	for _, tt := range []struct {
		comment string
		bound   bool
		sent    []encoding.BinaryAppender
		status  dcerpc.Status // of the fault before the end
		counter string
	}{
		{"a call before a bind", false, packets(fragment(2, ncacn.Whole, "x")), dcerpc.StatusProtocolError, "malformed"},
		{"a first fragment before a bind", false, packets(fragment(2, ncacn.First, "x")), dcerpc.StatusProtocolError, "malformed"},
		{"an alter_context before a bind", false, packets(offer(ncacn.TypeAlterContext)), dcerpc.StatusProtocolError, "malformed"},
		{"no first fragment", true, packets(fragment(2, ncacn.Last, "x")), dcerpc.StatusProtocolError, "malformed"},
		{"a fragment of another call", true, packets(fragment(2, ncacn.First, "x"), fragment(3, 0, "x")), dcerpc.StatusProtocolError, "malformed"},
		{"a call within another", true, packets(fragment(2, ncacn.First, "x"), fragment(3, ncacn.Whole, "x")), dcerpc.StatusProtocolError, "malformed"},
		{"an authenticated call", true, packets(authenticated), dcerpc.FaultAccessDenied, "authenticated"},
		{"an authenticated alter_context", true, packets(alterAuth), dcerpc.FaultAccessDenied, "authenticated"},
		{"an object that is not there", true, packets(raw("\x05\x00\x00\x83\x10\x00\x00\x00\x1a\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00xx")), dcerpc.StatusProtocolError, "malformed"},
		{"a response", true, packets(ncacn.Response{Header: header(ncacn.TypeResponse)}), silent, "malformed"},
		{"a fault", true, packets(ncacn.Fault{Header: header(ncacn.TypeFault)}), silent, "malformed"},
		{"a bind_ack", true, packets(ncacn.BindAck{Header: header(ncacn.TypeBindAck)}), silent, "malformed"},
		{"a shutdown", true, packets(header(ncacn.TypeShutdown)), silent, "malformed"},
		{"an auth3", true, packets(header(ncacn.TypeAuth3)), silent, "malformed"},
		{"a type that does not exist", true, packets(header(77)), silent, "malformed"},
		{"a packet that is too long", true, packets(long[:ncacn.HeaderSize]), silent, "malformed"},
		{"a length of nothing", true, packets(raw("\x05\x00\x00\x03\x10\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00")), silent, "malformed"},
		{"garbage", true, packets(raw("GET / HTTP/1.1\r\n")), silent, "malformed"},
	} {
		t.Run(tt.comment, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, e := newPipes(), newEcho()
				s := serveStream(t, l, StreamConfig{Interfaces: []Interface{testInterface(e.handle)}})
				p := l.call(t, "10.77.0.2")
				if tt.bound {
					p.bind()
				}
				p.send(tt.sent...)
				if tt.status != silent {
					p.expectFault(tt.status, ncacn.DidNotExecute)
				}
				p.expectEnd()
				synctest.Wait()
				e.once(t, 0)
				wantCounted(t, s, map[string]int64{tt.counter: 1, "open": 0, "calls": 0})
			})
		})
	}
	t.Run("a second bind", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newPipes()
			serveStream(t, l, StreamConfig{Interfaces: []Interface{testInterface(newEcho().handle)}})
			p := l.call(t, "10.77.0.2").bind()
			p.send(offer(ncacn.TypeBind))
			_, b := p.read()
			if nak, err := ncacn.ParseBindNak(b); err != nil || nak.Reason != ncacn.RejectProtocolVersion {
				t.Errorf("%+v, %v", nak, err)
			}
			p.expectEnd()
		})
	})
}

func packets(p ...encoding.BinaryAppender) []encoding.BinaryAppender { return p }

// A call that fails leaves the connection for the next.
func TestStreamFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, e := newPipes(), newEcho()
		s := serveStream(t, l, StreamConfig{Interfaces: []Interface{testInterface(e.handle)}, MaxStub: 100})
		p := l.call(t, "10.77.0.2").bind()

		q := fragment(2, ncacn.Whole, "x")
		q.Opnum = 3
		p.send(q)
		p.expectFault(dcerpc.StatusOperationRange, ncacn.DidNotExecute)
		q = fragment(3, ncacn.Whole, "x")
		q.DataRep[0] |= 1
		p.send(q)
		p.expectFault(dcerpc.StatusUnsupportedType, ncacn.DidNotExecute)
		p.send(fragment(4, ncacn.Whole, "fault"))
		p.expectFault(dcerpc.FaultNDR, 0)

		// Too much of it, at once or bit by bit.
		p.send(fragment(5, ncacn.Whole, strings.Repeat("x", 101)))
		p.expectFault(dcerpc.FaultNoMemory, ncacn.DidNotExecute)
		p.send(fragment(6, ncacn.First, strings.Repeat("x", 60)))
		for range 1000 {
			p.send(fragment(6, 0, strings.Repeat("x", 60)))
		}
		p.send(fragment(6, ncacn.Last, ""))
		p.expectFault(dcerpc.FaultNoMemory, ncacn.DidNotExecute)
		p.echo(strings.Repeat("x", 100))

		// A fault for a call in fragments comes when the call has come.
		q = fragment(7, ncacn.First, "x")
		q.Opnum = 9
		p.send(q, fragment(7, ncacn.Last, "x"))
		p.expectFault(dcerpc.StatusOperationRange, ncacn.DidNotExecute)

		// Whoever says maybe gets nothing: the next answer is that of the next.
		p.send(fragment(8, ncacn.Whole|ncacn.Maybe, "maybe"), fragment(9, ncacn.Whole|ncacn.Maybe, "fault"))
		q = fragment(10, ncacn.Whole|ncacn.Maybe, "x")
		q.Opnum = 9
		p.send(q)
		p.echo("last")
		if e.seen["maybe"] != 1 || e.seen["fault"] != 2 {
			t.Errorf("%v", e.seen)
		}
		wantCounted(t, s, map[string]int64{"calls": 5, "faults": 2, "unknown_operation": 3, "too_long": 2, "malformed": 0})
	})
}

// A call that its caller has given up is forgotten; to give up another, or one
// that has been answered, is nothing.
func TestCancelAndOrphaned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, e := newPipes(), newEcho()
		s := serveStream(t, l, StreamConfig{Interfaces: []Interface{testInterface(e.handle)}})
		p := l.call(t, "10.77.0.2").bind()
		about := func(t ncacn.Type, id uint32) ncacn.Header {
			return ncacn.Header{Type: t, Flags: ncacn.Whole, DataRep: dcerpc.LittleEndian(), CallID: id}
		}
		p.send(fragment(2, ncacn.First, "no"), about(ncacn.TypeOrphaned, 2))
		p.send(fragment(3, ncacn.First, "ye"), about(ncacn.TypeOrphaned, 2), about(ncacn.TypeCancel, 3), fragment(3, ncacn.Last, "s"))
		if got, _ := p.response(3, 4280); got != "yes" {
			t.Errorf("got %q", got)
		}
		p.send(about(ncacn.TypeOrphaned, 3), about(ncacn.TypeCancel, 3))
		p.echo("next")
		wantCounted(t, s, map[string]int64{"calls": 2, "malformed": 0})
	})
}

// Peers that take their time lose the connection: by saying nothing, by saying
// it byte by byte, by never ending a call, by not taking an answer.
func TestSlowPeers(t *testing.T) {
	bytewise := func(p *streamPeer, b []byte, pause time.Duration) {
		for _, c := range b {
			p.send(raw{c})
			time.Sleep(pause)
		}
	}
	for _, tt := range []struct {
		comment   string
		do        func(p *streamPeer)
		from, to  time.Duration
		notCalled bool
	}{
		{"silence", func(*streamPeer) {}, 90 * time.Second, 91 * time.Second, true},
		{"silence after a bind", func(p *streamPeer) { p.bind() }, 90 * time.Second, 91 * time.Second, true},
		{"a header byte by byte", func(p *streamPeer) { bytewise(p, make([]byte, 15), 10*time.Second) }, 90 * time.Second, 150 * time.Second, true},
		{"half a call", func(p *streamPeer) { p.bind().send(fragment(2, ncacn.First, "x")) }, 30 * time.Second, 31 * time.Second, true},
		{"a call without an end", func(p *streamPeer) {
			p.bind().send(fragment(2, ncacn.First, "x"))
			for range 60 {
				time.Sleep(time.Second)
				p.send(fragment(2, 0, "x"))
			}
		}, 30 * time.Second, 62 * time.Second, true},
		{"answers that are not taken", func(p *streamPeer) { p.bind().send(fragment(2, ncacn.Whole, "x")) }, 4 * time.Second, 5 * time.Second, false},
	} {
		t.Run(tt.comment, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newPipes()
				s := serveStream(t, l, StreamConfig{Interfaces: []Interface{testInterface(newEcho().handle)}})
				start := time.Now()
				p := l.call(t, "10.77.0.2")
				tt.do(p)
				synctest.Wait()
				for s.Counters()["open"] != 0 {
					if time.Sleep(time.Second / 4); time.Since(start) > time.Hour {
						t.Fatal("it never ended")
					}
				}
				if took := time.Since(start); took < tt.from || took > tt.to {
					t.Errorf("it ended after %v", took)
				}
				calls := int64(1)
				if tt.notCalled {
					calls = 0
				}
				wantCounted(t, s, map[string]int64{"too_slow": 1, "calls": calls})
			})
		})
	}
}

// What is done every minute goes on for ever.
func TestPatientPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		s := serveStream(t, l, StreamConfig{Interfaces: []Interface{testInterface(newEcho().handle)}})
		p := l.call(t, "10.77.0.2").bind()
		for i := range 60 {
			time.Sleep(time.Minute)
			p.echo(fmt.Sprint(i))
		}
		wantCounted(t, s, map[string]int64{"calls": 60, "open": 1, "too_slow": 0})
	})
}

// Connections are bounded, in all and for each source. The one that has been
// without a call for the longest time makes room.
func TestStreamBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		s := serveStream(t, l, StreamConfig{Interfaces: []Interface{testInterface(newEcho().handle)}, MaxConnections: 5, MaxPerSource: 2})
		var peers []*streamPeer
		for _, source := range []string{"10.77.0.2", "10.77.0.2", "10.77.0.3", "10.77.0.4", "10.77.0.5"} {
			peers = append(peers, l.call(t, source).bind())
			time.Sleep(time.Second)
		}
		peers[0].echo("I am of use")
		l.call(t, "10.77.0.2").bind() // takes the place of its own second
		peers[1].expectEnd()
		l.call(t, "10.77.0.6").bind() // takes that of the third
		peers[2].expectEnd()
		for _, i := range []int{3, 0, 4} {
			time.Sleep(time.Second)
			peers[i].echo("still here")
		}
		synctest.Wait()
		wantCounted(t, s, map[string]int64{"open": 5, "evicted": 2, "connections": 7})
		// Two have not made any call; then the one whose call is the longest ago
		// goes.
		for _, source := range []string{"10.77.0.7", "10.77.0.8", "10.77.0.9"} {
			l.call(t, source).bind().echo("new")
		}
		peers[3].expectEnd()
		peers[4].echo("still here")
	})
}

// A flood of connections that do nothing does not keep a caller out, nor does
// one of connections whose calls last.
func TestStreamFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, release := newPipes(), make(chan struct{})
		handle := func(_ context.Context, c Call) ([]byte, dcerpc.Status) {
			if string(c.Stub) == "wait" {
				<-release
			}
			return c.Stub, 0
		}
		s := serveStream(t, l, StreamConfig{Interfaces: []Interface{testInterface(handle)}, MaxConnections: 20, MaxPerSource: 10})
		for i := range 200 {
			l.call(t, fmt.Sprintf("10.77.1.%d", i%7))
			time.Sleep(time.Millisecond)
		}
		p := l.call(t, "10.77.0.2").bind()
		p.echo("hello")
		var busy []*streamPeer
		for range 10 {
			time.Sleep(time.Millisecond)
			b := l.call(t, "10.77.0.3").bind()
			b.send(fragment(1, ncacn.Whole, "wait"))
			busy = append(busy, b)
		}
		synctest.Wait()
		l.call(t, "10.77.0.3").expectEnd() // all of its own are in use
		p.echo("still here")
		close(release)
		for _, b := range busy {
			if got, _ := b.response(1, 4280); got != "wait" {
				t.Errorf("got %q", got)
			}
		}
		synctest.Wait()
		if n := s.Counters()["open"]; n != 20 {
			t.Errorf("%d connections", n)
		}
	})
}

// Sources that are not served get nothing.
func TestStreamCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		s := serveStream(t, l, StreamConfig{
			Interfaces: []Interface{testInterface(newEcho().handle)},
			Check: func(a, _ netip.Addr) error {
				if a.String() != "10.77.0.2" {
					return errors.New("not served")
				}
				return nil
			},
		})
		l.call(t, "10.77.0.3").expectEnd()
		l.call(t, "10.77.0.2").bind().echo("hello")
		wantCounted(t, s, map[string]int64{"refused_source": 1, "connections": 2, "open": 1})
	})
}

// A call that has begun when the server ends is answered; who waits is not
// waited for.
func TestStreamShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, release := newPipes(), make(chan struct{})
		handle := func(ctx context.Context, c Call) ([]byte, dcerpc.Status) {
			<-release
			if ctx.Err() != nil {
				return nil, dcerpc.FaultCancel
			}
			return c.Stub, 0
		}
		s := NewStreamServer(l, StreamConfig{Interfaces: []Interface{testInterface(handle)}})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.Run(ctx) }()
		idle, half, busy := l.call(t, "10.77.0.2").bind(), l.call(t, "10.77.0.2").bind(), l.call(t, "10.77.0.2").bind()
		half.send(fragment(1, ncacn.First, "x"))
		busy.send(fragment(1, ncacn.Whole, "busy"))
		synctest.Wait()
		cancel()
		idle.expectEnd()
		half.expectEnd()
		synctest.Wait()
		select {
		case err := <-ended:
			t.Fatalf("it has ended with %v, before its last call", err)
		default:
		}
		close(release)
		if got, _ := busy.response(1, 4280); got != "busy" {
			t.Errorf("got %q", got)
		}
		busy.expectEnd()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// Over TCP: one that has nothing more to say still gets its answer, and one that
// goes away leaves nothing behind.
func TestStreamTCP(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := newEcho()
	s := serveStream(t, ln, StreamConfig{Interfaces: []Interface{testInterface(e.handle)}})
	dial := func() *streamPeer {
		nc, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { nc.Close() })
		return newStreamPeer(t, nc)
	}
	p := dial()
	p.send(offer(ncacn.TypeBind), fragment(2, ncacn.First, "ha"), fragment(2, ncacn.Last, "lf"))
	if err := p.nc.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	p.read()
	if got, _ := p.response(2, 4280); got != "half" {
		t.Errorf("got %q", got)
	}
	p.expectEnd()
	if want := netip.MustParseAddr("127.0.0.1"); e.last.Local != want || e.last.From.Addr() != want {
		t.Errorf("from %v to %v", e.last.From, e.last.Local)
	}
	q := dial().bind()
	q.send(fragment(2, ncacn.First, "x"))
	q.nc.(*net.TCPConn).SetLinger(0)
	q.nc.Close()
	for deadline := time.Now().Add(10 * time.Second); s.Counters()["open"] != 0; {
		if time.Sleep(time.Millisecond); time.Now().After(deadline) {
			t.Fatal("a connection is left")
		}
	}
}

// Whatever comes, the connection ends, and no call is executed that did not
// come whole.
func FuzzStream(f *testing.F) {
	var seed []byte
	for _, p := range packets(offer(ncacn.TypeBind), fragment(1, ncacn.Whole, "x"), fragment(2, ncacn.First, "y"), fragment(2, ncacn.Last, "z"), offer(ncacn.TypeAlterContext)) {
		seed, _ = p.AppendBinary(seed)
		f.Add(seed)
	}
	s := NewStreamServer(newPipes(), StreamConfig{MaxStub: 1 << 10, Interfaces: []Interface{testInterface(func(_ context.Context, c Call) ([]byte, dcerpc.Status) {
		if len(c.Stub) > 1<<10 {
			panic("a stub that is too long")
		}
		return c.Stub, 0
	})}})
	f.Fuzz(func(t *testing.T, b []byte) {
		m := &memoryStream{in: iotest.HalfReader(bytes.NewReader(b))}
		newStream(s, s.conns.NewConn(m)).serve(t.Context())
		// What went out is packets.
		for out := ncacn.NewReader(&m.out, 1<<16); ; {
			h, _, err := out.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%v %v", h, err)
			}
		}
	})
}

// A memoryStream is a connection that is all there, and then at its end.
type memoryStream struct {
	in  io.Reader
	out bytes.Buffer
}

func (m *memoryStream) Read(b []byte) (int, error)       { return m.in.Read(b) }
func (m *memoryStream) Write(b []byte) (int, error)      { return m.out.Write(b) }
func (m *memoryStream) Close() error                     { return nil }
func (m *memoryStream) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (m *memoryStream) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (m *memoryStream) SetDeadline(time.Time) error      { return nil }
func (m *memoryStream) SetReadDeadline(time.Time) error  { return nil }
func (m *memoryStream) SetWriteDeadline(time.Time) error { return nil }

func BenchmarkStreamCall(b *testing.B) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	serveStream(b, ln, StreamConfig{Interfaces: []Interface{testInterface(func(_ context.Context, c Call) ([]byte, dcerpc.Status) { return c.Stub, 0 })}})
	nc, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	p := newStreamPeer(b, nc).bind()
	call, _ := fragment(1, ncacn.Whole, strings.Repeat("x", 116)).AppendBinary(nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := nc.Write(call); err != nil {
			b.Fatal(err)
		}
		if _, _, err := p.in.Next(); err != nil {
			b.Fatal(err)
		}
	}
}
