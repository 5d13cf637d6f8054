package listener

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/messngr/messngr/smb"
)

// Whoever fills the listener with connections takes the place of connections
// that bring nothing. A sender that comes and speaks gets through at once.
func TestFloodOfSilentConnections(t *testing.T) {
	const most, perSource = 40, 15
	for _, tt := range []struct {
		comment string
		sources []string // in turn
		open    int64    // with that of the sender, which is 127.0.0.1
	}{
		{"from many sources", []string{"127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"}, most},
		{"from one", []string{"127.0.0.2"}, perSource + 1},
		{"from the sender's own", []string{"127.0.0.1"}, perSource},
		{"from all, the sender's own too", []string{"127.0.0.1", "127.0.0.2", "127.0.0.3"}, most},
	} {
		t.Run(tt.comment, func(t *testing.T) {
			r := listen(t, func(cfg *SMBConfig) { cfg.MaxConnections, cfg.MaxPerSource = most, perSource })
			var flood []*caller
			for i := range 2 * most {
				c := r.call(t, tt.sources[i%len(tt.sources)])
				switch i % 3 {
				case 0:
					c.nc.Write(request("LEGACY", 3)) // some begin
				case 1:
					c.nc.Write(begin("ALICE", "LEGACY"))
				}
				flood = append(flood, c)
			}
			start := time.Now()
			c := r.call(t, "127.0.0.1")
			c.send(request("LEGACY", 3))
			c.expect(positive)
			c.send(multi("ALICE", "LEGACY", "hello")...)
			c.expect(yes(1, 1)...)
			if took := time.Since(start); took > time.Second {
				t.Errorf("it took %v", took)
			}
			r.waitCount(t, "open", tt.open) // those that made room have gone
			// More of them push each other out, not the one that brings messages.
			for i := range 2 * most {
				r.call(t, tt.sources[i%len(tt.sources)])
				r.waitCount(t, "connections", int64(2*most+1+i+1))
				if i%10 == 0 {
					c.deliver("still here")
				}
			}
			if n := len(r.delivered); n != 1+2*most/10 {
				t.Errorf("%d messages", n)
			}
			for _, c := range flood {
				c.nc.SetReadDeadline(time.Now().Add(patience))
				if _, err := io.Copy(io.Discard, c.nc); errors.Is(err, os.ErrDeadlineExceeded) {
					t.Error("a connection of the flood was not closed to make room")
				}
			}
		})
	}
}

// No source has more than its share, whatever the others leave.
func TestShareOfASource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		r := serve(t, l, func(cfg *SMBConfig) { cfg.MaxConnections, cfg.MaxPerSource = 100, 3 })
		open := func() int64 {
			synctest.Wait()
			return r.Counters()["open"]
		}
		for i := range 10 {
			l.call(t, "10.77.0.1")
			if got, want := open(), min(int64(i+1), 3); got != want {
				t.Errorf("%d open after %d calls, want %d", got, i+1, want)
			}
		}
		// A host has as many IPv6 addresses as it likes in its network of 64 bits.
		for i := range 10 {
			l.call(t, fmt.Sprintf("fd00::77:%x:1", i))
		}
		if got := open(); got != 6 {
			t.Errorf("%d open with those of one IPv6 network, want 6", got)
		}
		l.call(t, "fd00:0:0:1::1")
		l.call(t, "10.77.0.2")
		if got := open(); got != 8 {
			t.Errorf("%d open with those of two more sources, want 8", got)
		}
		r.counted(t, map[string]int64{"connections": 22, "evicted": 14})
	})
}

// The connection that goes is the one without a message for the longest time.
func TestWhoMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		r := serve(t, l, func(cfg *SMBConfig) { cfg.MaxConnections = 3 })
		var c []*caller
		for range 3 {
			c = append(c, l.call(t, "10.77.0.1"))
			time.Sleep(time.Second)
		}
		c[0].deliver("I am the first, and of use") // the second is older now
		time.Sleep(time.Second)
		c[2].send(request("LEGACY", 3), begin("ALICE", "LEGACY"), block(1, "no message yet"))
		c[2].expect(positive, started(1), answer(0xD7, success))
		l.call(t, "10.77.0.2").deliver("new")
		c[1].expectEnd()
		l.call(t, "10.77.0.3").deliver("new")
		c[2].expectEnd()
		c[0].deliver("again")
		r.counted(t, map[string]int64{"connections": 5, "messages": 4, "evicted": 2})
	})
}

// One that has ended has no place to give up.
func TestEndedConnectionsTakeNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		r := serve(t, l, func(cfg *SMBConfig) { cfg.MaxConnections, cfg.MaxPerSource = 3, 2 })
		for range 10 {
			c := l.call(t, "10.77.0.1")
			c.deliver("hello")
			c.nc.Close()
			synctest.Wait()
		}
		if open, sources := r.conns.Len(); open != 0 || sources != 0 {
			t.Errorf("%d connections, %d sources", open, sources)
		}
		r.counted(t, map[string]int64{"connections": 10, "messages": 10})
	})
}

// One whose message is being delivered stays, until its answer has been taken:
// when all are, the new one is closed.
func TestAllBusy(t *testing.T) {
	for name, limit := range map[string]func(*SMBConfig){
		"in all":     func(cfg *SMBConfig) { cfg.MaxConnections = 3 },
		"per source": func(cfg *SMBConfig) { cfg.MaxPerSource = 3 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				deliver := make(chan error)
				l := newPipes()
				r := serve(t, l, func(cfg *SMBConfig) {
					limit(cfg)
					cfg.Deliver = gated(t, deliver)
				})
				var busy []*caller
				for range 3 {
					c := l.call(t, "10.77.0.1")
					c.send(single("ALICE", "LEGACY", "hello"))
					busy = append(busy, c)
				}
				synctest.Wait()
				l.call(t, "10.77.0.1").expectEnd()
				for range busy {
					deliver <- nil
				}
				synctest.Wait() // now they are about to answer
				l.call(t, "10.77.0.1").expectEnd()
				for _, c := range busy {
					c.expect(answer(smb.SendMessage, success))
					time.Sleep(time.Second)
				}
				c := l.call(t, "10.77.0.1")
				go func() { deliver <- nil }()
				c.deliver("there is room")
				busy[0].expectEnd()
				r.counted(t, map[string]int64{"connections": 6, "messages": 4, "evicted": 3})
			})
		})
	}
}

// That a peer does not take its answer does not keep its place for long.
func TestBusyWithItsAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		serve(t, l, func(cfg *SMBConfig) { cfg.MaxConnections = 2 })
		for range 2 {
			l.call(t, "10.77.0.1").send(single("ALICE", "LEGACY", "hello"))
		}
		synctest.Wait()
		time.Sleep(5 * time.Second)
		l.call(t, "10.77.0.2").deliver("hello")
	})
}

// The bytes of unfinished messages are bounded too. Whoever hoards them makes
// room for a smaller message; a larger one does not take the room of others.
func TestUnfinishedMessages(t *testing.T) {
	const block128 = 128
	r := listen(t, func(cfg *SMBConfig) { cfg.MaxHeld = 50 * block128 })
	var hoard []*caller
	for range 5 {
		c := r.call(t, "127.0.0.2")
		c.send(begin("MALLORY", "LEGACY"))
		c.expect(started(1))
		for range 10 {
			c.send(block(1, strings.Repeat("x", block128)))
			c.expect(answer(0xD7, success))
		}
		hoard = append(hoard, c)
	}
	if n := r.held.Load(); n != 50*block128 {
		t.Errorf("%d bytes held", n)
	}
	// One more of its own is more than there is room for, and is forgotten.
	hoard[4].send(block(1, "x"), end(1))
	hoard[4].expect(answer(0xD7, noRoom), answer(0xD6, invalidParameter))
	if n := r.held.Load(); n != 40*block128 {
		t.Errorf("%d bytes held", n)
	}
	hoard[4].send(multi("MALLORY", "LEGACY", strings.Repeat("x", 10*block128), "x")[:2]...)
	hoard[4].expect(started(2), answer(0xD7, success))

	c := r.call(t, "127.0.0.1")
	c.send(multi("ALICE", "LEGACY", strings.Repeat("y", block128), "y")...)
	c.expect(yes(1, 2)...)
	r.texts(t, strings.Repeat("y", block128+1))
	if n := r.held.Load(); n != 40*block128 {
		t.Errorf("%d bytes held", n)
	}
	r.counted(t, map[string]int64{"connections": 6, "messages": 1, "too_long": 1, "evicted": 1, "malformed": 1})
	if n := r.held.Load(); n != 0 {
		t.Errorf("%d bytes held at the end", n)
	}
}
