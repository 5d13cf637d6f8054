package rpc

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"
)

// An answer leaves from the address that was called, the question before it
// too, and the handler and the guard are told of it.
func TestAddressThatWasCalled(t *testing.T) {
	for _, tt := range []struct{ listen, client string }{
		{"0.0.0.0:0", "127.0.0.1:0"},
		{"[::]:0", "127.0.0.1:0"},
		{"[::]:0", "[::1]:0"},
	} {
		t.Run(tt.listen+" "+tt.client, func(t *testing.T) {
			network := map[byte]string{'0': "udp4", '[': "udp"}[tt.listen[0]] // "udp" carries both
			conn, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(netip.MustParseAddrPort(tt.listen)))
			if err != nil {
				t.Skip(err)
			}
			e := newEcho()
			interfaces := make(chan int, 64)
			c := NewConversations(Config{
				Interfaces: []Interface{testInterface(e.handle)},
				Check:      func(_ netip.Addr, ifindex int) error { interfaces <- ifindex; return nil },
			})
			defer serve(t, c, newSocket(conn, true))()
			for _, called := range []string{"127.0.0.1", "127.0.0.77", "::1"} {
				to := netip.AddrPortFrom(netip.MustParseAddr(called), addrOf(conn).Port())
				own, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(tt.client)))
				if err != nil {
					t.Skip(err)
				}
				if to.Addr().Is4() != addrOf(own).Addr().Is4() {
					own.Close()
					continue
				}
				client := NewClient(own, ClientConfig{})
				got, _, err := client.Call(context.Background(), to, testID, 1, []byte(stub), 0)
				if err != nil || string(got) != stub {
					t.Errorf("%s: %q, %v", called, got, err)
				}
				client.Close()
				e.mu.Lock()
				if e.last.Local != to.Addr() || e.last.From != addrOf(own) || !e.last.Verified {
					t.Errorf("%s: the call was %+v", called, e.last)
				}
				e.mu.Unlock()
				if i := <-interfaces; i == 0 {
					t.Error("the interface is not known")
				}
			}
		})
	}
}

// A packet costs no allocation, in and out.
func TestSocketAllocates(t *testing.T) {
	s, peer := newSocket(listenUDP(t, "0.0.0.0:0"), true), listenUDP(t, "127.0.0.1:0")
	defer s.Close()
	defer peer.Close()
	to := netip.AddrPortFrom(addrOf(peer).Addr(), addrOf(s.UDPConn).Port())
	b := make([]byte, 2048)
	n := testing.AllocsPerRun(100, func() {
		peer.WriteToUDPAddrPort(b[:200], to)
		_, from, local, _, err := s.read(b)
		if err != nil || local != addrOf(peer).Addr() {
			t.Fatal(local, err)
		}
		if err := s.write(b[:100], from, local); err != nil {
			t.Fatal(err)
		}
		if _, _, err := peer.ReadFromUDPAddrPort(b); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A call to a closed port ends at once, and others go on.
func TestClosedPort(t *testing.T) {
	e := newEcho()
	c := NewConversations(Config{Interfaces: []Interface{testInterface(e.handle)}})
	conn := listenUDP(t, "127.0.0.1:0")
	defer serve(t, c, newSocket(conn, true))()
	gone := listenUDP(t, "127.0.0.1:0")
	closed := addrOf(gone)
	gone.Close()
	for _, network := range []string{"udp4", "udp"} {
		own, err := net.ListenUDP(network, nil)
		if err != nil {
			t.Skip(err)
		}
		client := NewClient(own, ClientConfig{})
		var calls sync.WaitGroup
		for range 20 {
			calls.Go(func() {
				start := time.Now()
				_, _, err := client.Call(context.Background(), closed, testID, 1, []byte(stub), 0)
				if took := time.Since(start); !errors.Is(err, ErrRefused) || took > 10*time.Second {
					t.Errorf("%s: %v in %v", network, err, took)
				}
			})
			calls.Go(func() {
				if _, _, err := client.Call(context.Background(), addrOf(conn), testID, 1, []byte(stub), 0); err != nil {
					t.Errorf("%s: %v", network, err)
				}
			})
		}
		calls.Wait()
		for range 200 { // in a row
			if _, _, err := client.Call(context.Background(), closed, testID, 1, []byte(stub), 0); !errors.Is(err, ErrRefused) {
				t.Fatalf("%s: %v", network, err)
			}
		}
		client.Close()
	}
}
