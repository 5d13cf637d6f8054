package rpc

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/messngr/messngr/dcerpc"
)

// callers is how many call at once.
const callers = 64

func listenUDP(b testing.TB, addr string) *net.UDPConn {
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(addr)))
	if err != nil {
		b.Fatal(err)
	}
	return conn
}

func addrOf(conn *net.UDPConn) netip.AddrPort { return conn.LocalAddr().(*net.UDPAddr).AddrPort() }

// BenchmarkCall makes calls of a caller that is known, with a handler that does
// nothing and with one that takes as long as a commit.
func BenchmarkCall(b *testing.B) {
	stub := make([]byte, 200)
	run := func(b *testing.B, handle Handler, fresh bool) {
		c := NewConversations(Config{Interfaces: []Interface{testInterface(handle)}, MaxPerSource: 16384})
		conn := listenUDP(b, "127.0.0.1:0")
		defer serve(b, c, newSocket(conn, true))()
		client := NewClient(listenUDP(b, "127.0.0.1:0"), ClientConfig{})
		defer client.Close()
		parallel(b, func() error {
			if fresh {
				client.mu.Lock()
				clear(client.caller.idle) // so that the server does not know it
				client.mu.Unlock()
			}
			_, _, err := client.Call(context.Background(), addrOf(conn), testID, 1, stub, 0)
			return err
		})
		b.ReportMetric(float64(c.Counters()["resent"]), "resent")
	}
	nothing := func(_ context.Context, c Call) ([]byte, dcerpc.Status) { return make([]byte, 4), 0 }
	commit := committer(b)
	b.Run("known", func(b *testing.B) { run(b, nothing, false) })
	b.Run("unknown", func(b *testing.B) { run(b, nothing, true) })
	b.Run("known, commits", func(b *testing.B) { run(b, commit, false) })
	b.Run("unknown, commits", func(b *testing.B) { run(b, commit, true) })
}

// committer returns a handler that answers when what has gathered is committed,
// which takes as long as writing to a disk does.
func committer(b *testing.B) Handler {
	waiting := make(chan chan struct{}, 1024)
	b.Cleanup(func() { close(waiting) })
	go func() {
		for first := range waiting {
			group := []chan struct{}{first}
			for len(waiting) > 0 {
				group = append(group, <-waiting)
			}
			time.Sleep(300 * time.Microsecond)
			for _, done := range group {
				close(done)
			}
		}
	}()
	return func(context.Context, Call) ([]byte, dcerpc.Status) {
		done := make(chan struct{})
		waiting <- done
		<-done
		return make([]byte, 4), 0
	}
}

// BenchmarkFloor sends packets of the sizes of a call to a socket that answers
// them, from as many goroutines as there are callers, over one socket on each
// side: one round trip, as a call of a known caller has, and two, as the first
// call of an activity has.
func BenchmarkFloor(b *testing.B) {
	for _, trips := range []struct {
		name string
		n    int
	}{{"1 round trip", 1}, {"2 round trips", 2}} {
		b.Run(trips.name, func(b *testing.B) {
			server, client := listenUDP(b, "127.0.0.1:0"), listenUDP(b, "127.0.0.1:0")
			to := addrOf(server)
			var ends sync.WaitGroup
			ends.Go(func() {
				p := make([]byte, 2048)
				for {
					_, from, err := server.ReadFromUDPAddrPort(p)
					if err != nil {
						return
					}
					server.WriteToUDPAddrPort(p[:84], from)
				}
			})
			got := make([]chan struct{}, callers)
			for i := range got {
				got[i] = make(chan struct{}, 1)
			}
			ends.Go(func() {
				p := make([]byte, 2048)
				for {
					if _, _, err := client.ReadFromUDPAddrPort(p); err != nil {
						return
					}
					got[p[0]] <- struct{}{}
				}
			})
			numbers := make(chan byte, callers)
			for i := range callers {
				numbers <- byte(i)
			}
			parallel(b, func() error {
				i := <-numbers
				p := make([]byte, 280)
				p[0] = i
				for range trips.n {
					client.WriteToUDPAddrPort(p, to)
					<-got[i]
				}
				numbers <- i
				return nil
			})
			server.Close()
			client.Close()
			ends.Wait()
		})
	}
}

// parallel does what the benchmark measures, with as many callers at once.
func parallel(b *testing.B, call func() error) {
	b.ReportAllocs()
	b.ResetTimer()
	work := make(chan struct{}, callers)
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			for range work {
				if err := call(); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for range b.N {
		work <- struct{}{}
	}
	close(work)
	group.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}
