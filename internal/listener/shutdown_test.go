package listener

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/smb"
)

// Run ends at once when its connections wait for their peers.
func TestStopIdle(t *testing.T) {
	r := listen(t, nil)
	var callers []*caller
	for i := range 10 {
		c := r.call(t)
		switch i {
		case 0:
			c.send(request("LEGACY", netbios.Messenger))
			c.expect(positive)
		case 1:
			c.deliver("hello")
		case 2:
			c.send(begin("ALICE", "LEGACY"), block(1, "not all of a message"))
			c.expect(started(1), answer(0xD7, success))
		case 3:
			c.send(single("ALICE", "LEGACY", "half a packet")[:20])
		}
		callers = append(callers, c)
	}
	r.waitCount(t, "open", 10)
	start := time.Now()
	r.stop(t)
	if took := time.Since(start); took > time.Second {
		t.Errorf("it took %v", took)
	}
	for _, c := range callers {
		c.expectEnd()
	}
	if _, err := net.Dial("tcp", r.ln.Addr().String()); err == nil {
		t.Error("the port is still open")
	}
	r.texts(t, "hello")
	r.counted(t, map[string]int64{"connections": 10, "messages": 1})
}

// A message that is being delivered is delivered and answered, and no other is
// begun. Its context does not end.
func TestStopWhileDelivering(t *testing.T) {
	for _, wait := range []time.Duration{0, time.Second, 10 * time.Second, time.Hour} {
		t.Run(wait.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				deliver := make(chan error)
				l := newPipes()
				r := serve(t, l, func(cfg *SMBConfig) {
					cfg.Deliver = gated(t, deliver)
				})
				c := l.call(t, "10.77.0.1")
				c.send(single("ALICE", "LEGACY", "one"), single("ALICE", "LEGACY", "two"))
				synctest.Wait()
				r.cancel()
				synctest.Wait()
				time.Sleep(wait)
				select {
				case <-r.ended:
					t.Fatal("it ended with a message half delivered")
				default:
				}
				deliver <- nil
				c.expect(answer(smb.SendMessage, success))
				c.expectEnd()
				r.counted(t, map[string]int64{"connections": 1, "messages": 1})
			})
		})
	}
}

// A peer that does not read does not hold up the end for more than seconds.
func TestStopWithPeerThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		r := serve(t, l, nil)
		l.call(t, "10.77.0.1").send(single("ALICE", "LEGACY", "hello"))
		synctest.Wait() // it answers, and nobody takes the answer
		start := time.Now()
		r.stop(t)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// A peer that goes on talking does not hold it up either.
func TestStopWithBusyPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		r := serve(t, l, nil)
		l.call(t, "10.77.0.1").keepSending(time.Millisecond, [][]byte{single("A", "B", "x")})
		time.Sleep(time.Second)
		start := time.Now()
		r.stop(t)
		if took := time.Since(start); took > time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// Run of a context that is done serves nobody.
func TestStoppedBeforeStart(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := NewSMB(ln, defaults(t)).Run(ctx); err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", ln.Addr().String()); err == nil {
		t.Error("the port is still open")
	}
}

// When the socket fails for good Run ends, and with it every connection.
func TestSocketFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		s := NewSMB(l, defaults(t))
		ended := make(chan error, 1)
		go func() { ended <- s.Run(t.Context()) }()
		c := l.call(t, "10.77.0.1")
		c.send(request("LEGACY", netbios.Messenger))
		c.expect(positive)
		l.Close()
		c.expectEnd()
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Run: %v, want %v", err, net.ErrClosed)
		}
	})
}

// failing is a listener whose first Accepts fail, as with too many open files.
type failing struct {
	*pipes
	fails int
}

func (f *failing) Accept() (net.Conn, error) {
	if f.fails > 0 {
		f.fails--
		return nil, errors.New("too many open files")
	}
	return f.pipes.Accept()
}

// An error that passes is waited for, longer each time, and not for ever.
func TestAcceptFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &failing{newPipes(), 12}
		r := serve(t, l, nil)
		start := time.Now()
		l.call(t, "10.77.0.1").deliver("hello")
		if took := time.Since(start); took < time.Second || took > 12*time.Second {
			t.Errorf("it took %v", took)
		}
		r.texts(t, "hello")
	})
	synctest.Test(t, func(t *testing.T) {
		r := serve(t, &failing{newPipes(), 1e9}, nil)
		time.Sleep(time.Minute)
		start := time.Now()
		r.stop(t)
		if took := time.Since(start); took > 100*time.Millisecond {
			t.Errorf("stopped after %v", took)
		}
	})
}
