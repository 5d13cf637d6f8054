package rpc

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/dcerpc/ncadg"
)

const serverAddr = "10.77.0.1:135"

var server = netip.MustParseAddrPort(serverAddr)

// The first call of an activity is executed when its caller has answered; the
// second is, without a question.
func TestCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, e := newLAN(1), newEcho()
		c := NewConversations(Config{Interfaces: []Interface{testInterface(e.handle)}})
		defer serve(t, c, l.listen(serverAddr))()
		client := newClient(l.listen("10.77.0.2:4000"), ClientConfig{})
		defer client.Close()
		for i := range 2 {
			stub := fmt.Sprintf("call %d, longer than the question", i)
			got, rep, err := client.Call(t.Context(), server, testID, 1, []byte(stub), 0)
			if err != nil || string(got) != stub || rep != dcerpc.LittleEndian() {
				t.Fatalf("got %q %v %v, want %q", got, rep, err, stub)
			}
			synctest.Wait()
		}
		e.once(t, 2)
		want := Call{
			Interface: testID, Opnum: 1, DataRep: dcerpc.LittleEndian(),
			From: netip.MustParseAddrPort("10.77.0.2:4000"), Local: server.Addr(), Verified: true,
		}
		e.last.Stub = nil
		if fmt.Sprint(e.last) != fmt.Sprint(want) {
			t.Errorf("the handler saw\n%v, want\n%v", e.last, want)
		}
		// Request, question, answer, response; request, which acknowledges the
		// first one, response, and an ack when no other call follows.
		time.Sleep(time.Second)
		if n, _ := l.sent(); n != 7 {
			t.Errorf("%d packets, want 7", n)
		}
		wantCounted(t, c, map[string]int64{"calls": 2, "verified": 1, "questions": 1, "activities": 1, "held_bytes": 0})
	})
}

// wantCounted compares counters.
func wantCounted(t *testing.T, of interface{ Counters() map[string]int64 }, want map[string]int64) {
	t.Helper()
	got := of.Counters()
	for name, n := range want {
		if g, ok := got[name]; !ok || g != n {
			t.Errorf("%s: %d, want %d", name, g, n)
		}
	}
	if t.Failed() {
		t.Log(got)
	}
}

// On a network that loses, doubles and mixes up a tenth of all packets every
// call is executed once and answered.
func TestLossyNetwork(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, e := newLAN(seed), newEcho()
				l.loss, l.double, l.delay = 0.10, 0.10, 20*time.Millisecond
				c := NewConversations(Config{Interfaces: []Interface{testInterface(e.handle)}})
				defer serve(t, c, l.listen(serverAddr))()
				const clients, calls = 8, 40
				var group sync.WaitGroup
				for i := range clients {
					client := newClient(l.listen(fmt.Sprintf("10.77.0.%d:4000", 2+i)), ClientConfig{})
					for j := range 2 { // at once, in activities of their own
						random := rand.New(rand.NewPCG(seed, uint64(2*i+j)))
						group.Go(func() {
							for k := range calls {
								stub := fmt.Sprintf("%d.%d.%d ", i, j, k)
								if random.IntN(3) == 0 || k == 0 {
									stub += strings.Repeat(string(rune('a'+k%26)), random.IntN(60000))
								}
								got, _, err := client.Call(t.Context(), server, testID, 1, []byte(stub), 0)
								if err != nil || string(got) != stub {
									t.Errorf("call %.20s…: %d bytes, %v", stub, len(got), err)
								}
							}
						})
					}
					defer client.Close()
				}
				group.Wait()
				e.once(t, clients*2*calls)
				n, lost := l.sent()
				t.Logf("%d packets, %d lost, %v", n, lost, c.Counters())
			})
		})
	}
}

// Faults and rejections come as errors that say what they are.
func TestErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, e := newLAN(1), newEcho()
		c := NewConversations(Config{Interfaces: []Interface{testInterface(e.handle)}})
		defer serve(t, c, l.listen(serverAddr))()
		client := newClient(l.listen("10.77.0.2:4000"), ClientConfig{})
		defer client.Close()
		var fault *Fault
		var reject *Reject
		_, _, err := client.Call(t.Context(), server, testID, 1, []byte("fault"), 0)
		if !errors.As(err, &fault) || !errors.Is(err, dcerpc.FaultNDR) {
			t.Errorf("a fault: %v", err)
		}
		for _, tt := range []struct {
			comment string
			iface   dcerpc.SyntaxID
			opnum   uint16
			flags   ncadg.Flags1
			want    dcerpc.Status
		}{
			{"another interface", dcerpc.SyntaxID{UUID: dcerpc.UUID{9}, Major: 1}, 0, 0, dcerpc.StatusUnknownInterface},
			{"a later minor version", dcerpc.SyntaxID{UUID: testID.UUID, Major: 1, Minor: 3}, 0, 0, dcerpc.StatusUnknownInterface},
			{"another major version", dcerpc.SyntaxID{UUID: testID.UUID, Major: 2}, 0, 0, dcerpc.StatusUnknownInterface},
			{"no such operation", testID, 3, 0, dcerpc.StatusOperationRange},
			{"idempotent", testID, 1, ncadg.Idempotent, dcerpc.StatusUnspecifiedReject},
		} {
			_, _, err := client.Call(t.Context(), server, tt.iface, tt.opnum, []byte("stub"), tt.flags)
			if !errors.As(err, &reject) || !errors.Is(err, tt.want) {
				t.Errorf("%s: %v, want %v", tt.comment, err, tt.want)
			}
		}
		if _, _, err := client.Call(t.Context(), server, testID, 1, []byte("maybe"), ncadg.Maybe); err != nil {
			t.Errorf("maybe: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		if _, _, err := client.Call(ctx, server, testID, 1, []byte("broadcast"), ncadg.Broadcast); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("broadcast: %v", err)
		}
		e.once(t, 1)
		wantCounted(t, c, map[string]int64{"refused_one_way": 3, "unknown_interface": 3, "unknown_operation": 1, "one_way": 0})

		start := time.Now()
		_, _, err = client.Call(t.Context(), netip.MustParseAddrPort("10.77.0.9:135"), testID, 1, nil, 0)
		if took := time.Since(start); !errors.Is(err, ErrNoAnswer) || took < 30*time.Second || took > 35*time.Second {
			t.Errorf("nobody there: %v in %v", err, took)
		}
	})
}
