package conns

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// An end is one of a connection in memory.
type end struct {
	net.Conn
	remote string
}

func (e end) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(e.remote))
}

// dial returns the server's end of a connection from a source, as it is in the
// table, and the client's.
func dial(t *testing.T, table *Table, remote string) (c *Conn, peer net.Conn) {
	t.Helper()
	near, far := net.Pipe()
	t.Cleanup(func() { near.Close(); far.Close() })
	return table.NewConn(end{far, remote}), near
}

// closed reports whether the other end of a connection has been closed.
func closed(peer net.Conn) bool {
	peer.SetReadDeadline(time.Now().Add(time.Millisecond))
	_, err := peer.Read(make([]byte, 1))
	return errors.Is(err, io.EOF)
}

// The connection that makes room is the one without use for the longest time,
// of its own source when that has too many.
func TestWhoMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := NewTable(4, 2)
		var conns []*Conn
		var peers []net.Conn
		add := func(remote string) (*Conn, bool) {
			time.Sleep(time.Second)
			c, peer := dial(t, table, remote)
			conns, peers = append(conns, c), append(peers, peer)
			return table.Add(c)
		}
		for i, remote := range []string{"10.77.0.1:1", "10.77.0.1:2", "10.77.0.2:3", "[::ffff:10.77.0.3%eth0]:4"} {
			if victim, ok := add(remote); victim != nil || !ok {
				t.Fatalf("%d: %v %v", i, victim, ok)
			}
		}
		if got := conns[3].Remote; got != netip.MustParseAddrPort("10.77.0.3:4") {
			t.Errorf("remote %v", got)
		}
		if !conns[0].Use() {
			t.Error("the first cannot be used")
		}
		conns[0].Done()
		if victim, ok := add("10.77.0.1:5"); victim != conns[1] || !ok || !closed(peers[1]) || !victim.Ended() || victim.Use() {
			t.Errorf("of one source: %v %v", victim, ok)
		}
		if victim, ok := add("10.77.0.4:6"); victim != conns[2] || !ok || !closed(peers[2]) {
			t.Errorf("of all: %v %v", victim, ok)
		}
		for _, i := range []int{0, 3, 4, 5} {
			if conns[i].Ended() || closed(peers[i]) {
				t.Errorf("connection %d was closed", i)
			}
		}
		if n, sources := table.Len(); n != 4 || sources != 3 {
			t.Errorf("%d connections of %d sources", n, sources)
		}
		for _, c := range conns {
			table.Remove(c)
			table.Remove(c)
		}
		if n, sources := table.Len(); n != 0 || sources != 0 {
			t.Errorf("%d connections of %d sources are left", n, sources)
		}
	})
}

// One in use stays; where all are, there is no room.
func TestInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := NewTable(1, 1)
		c, _ := dial(t, table, "10.77.0.1:1")
		table.Add(c)
		c.Use()
		d, _ := dial(t, table, "10.77.0.1:2")
		if victim, ok := table.Add(d); victim != nil || ok {
			t.Errorf("%v %v", victim, ok)
		}
		e, _ := dial(t, table, "10.77.0.2:2")
		if victim, ok := table.Add(e); victim != nil || ok {
			t.Errorf("%v %v", victim, ok)
		}
		c.Done()
		if victim, ok := table.Add(e); victim != c || !ok {
			t.Errorf("%v %v", victim, ok)
		}
	})
}

// Who holds the most makes room for one who holds less.
func TestEvictLarger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := NewTable(9, 9)
		var conns []*Conn
		for _, held := range []int64{100, 300, 200, 400} {
			c, _ := dial(t, table, "10.77.0.1:1")
			c.Held.Store(held)
			table.Add(c)
			conns = append(conns, c)
		}
		conns[3].Use() // the largest of all is in use
		if got := table.EvictLarger(conns[0]); got != conns[1] {
			t.Errorf("%v made room", got)
		}
		if got := table.EvictLarger(conns[2]); got != nil {
			t.Errorf("%v made room for a larger one", got)
		}
	})
}

// After an interruption those that wait end at once, and no more are taken.
func TestInterrupt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := NewTable(9, 9)
		c, _ := dial(t, table, "10.77.0.1:1")
		table.Add(c)
		ended := make(chan error)
		go func() {
			_, err := c.Read(make([]byte, 1))
			ended <- err
		}()
		synctest.Wait()
		table.Interrupt()
		if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) || !c.Ended() {
			t.Errorf("%v", err)
		}
		d, _ := dial(t, table, "10.77.0.1:2")
		if victim, ok := table.Add(d); victim != nil || ok {
			t.Errorf("%v %v", victim, ok)
		}
	})
}

// A flaky is a listener that has errors between its connections.
type flaky struct {
	errors chan error // nil for a connection
	closed chan struct{}
}

func (l *flaky) Accept() (net.Conn, error) {
	select {
	case err := <-l.errors:
		if err == nil {
			near, _ := net.Pipe()
			return near, nil
		}
		return nil, err
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *flaky) Close() error   { close(l.closed); return nil }
func (l *flaky) Addr() net.Addr { return &net.TCPAddr{} }
func (l *flaky) String() string { return "flaky" }

// What passes is waited for, longer each time.
func TestAccept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		l := &flaky{make(chan error), make(chan struct{})}
		var log strings.Builder
		var served int
		ended := make(chan error)
		go func() {
			ended <- Accept(ctx, l, slog.New(slog.NewTextHandler(&log, nil)), l, func(nc net.Conn) { served++; nc.Close() })
		}()
		tooMany := errors.New("too many open files")
		start := time.Now()
		for _, err := range []error{nil, tooMany, tooMany, tooMany, nil, tooMany, nil} {
			l.errors <- err
		}
		synctest.Wait()
		if took := time.Since(start); served != 3 || took != 40*time.Millisecond {
			t.Errorf("%d served in %v", served, took)
		}
		if got := log.String(); strings.Count(got, "too many open files") != 4 || !strings.Contains(got, "listener=flaky") {
			t.Error(got)
		}
		l.errors <- tooMany
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("after the end: %v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		l := &flaky{make(chan error), make(chan struct{})}
		l.Close()
		if err := Accept(t.Context(), l, slog.New(slog.DiscardHandler), l, nil); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a listener that others have closed: %v", err)
		}
	})
}

func TestSourceOf(t *testing.T) {
	for addr, want := range map[string]string{
		"10.77.0.1":           "10.77.0.1/32",
		"fe80::1:2:3:4":       "fe80::/64",
		"2001:db8:1:2:3::4":   "2001:db8:1:2::/64",
		"2001:db8:1:2:ffff::": "2001:db8:1:2::/64",
	} {
		if got := sourceOf(netip.MustParseAddr(addr)).String(); got != want {
			t.Errorf("%s counts as %s, want %s", addr, got, want)
		}
	}
}
