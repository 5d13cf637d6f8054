package listener

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/smb"
)

// A peer may be silent, between packets or inside one, for IdleTimeout; a tenth
// less at the worst.
func TestIdleTimeout(t *testing.T) {
	for name, sent := range map[string][][]byte{
		"nothing":                nil,
		"after a message":        {single("A", "B", "x")},
		"half a header":          {unhex("0000")},
		"half a session request": {request("LEGACY", netbios.Messenger)[:20]},
		"half a message":         {single("A", "B", "x"), single("A", "B", "x")[:40]},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newPipes()
				r := serve(t, l, nil)
				c := l.call(t, "10.77.0.1")
				c.keepSending(0, nil) // it only reads
				for _, b := range sent {
					c.nc.Write(b)
				}
				silent := time.Now()
				r.waitClosed(t)
				if took := time.Since(silent); took < 81*time.Second || took > 91*time.Second {
					t.Errorf("ended after %v", took)
				}
				if n := r.Counters()["too_slow"]; n != 1 {
					t.Errorf("counted %d times as too slow", n)
				}
			})
		})
	}
}

// A byte every now and then does not keep a packet coming for ever.
func TestSlowPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		r := serve(t, l, nil)
		start := time.Now()
		l.call(t, "10.77.0.1").keepSending(10*time.Second, bytes.SplitAfter(single("ALICE", "LEGACY", "hello"), nil))
		r.waitClosed(t)
		if took := time.Since(start); took > 91*time.Second {
			t.Errorf("ended after %v", took)
		}
		r.texts(t)
		r.counted(t, map[string]int64{"connections": 1, "too_slow": 1})
	})
}

// One that is slow, and within the limits, is served.
func TestPatientPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		r := serve(t, l, nil)
		c := l.call(t, "10.77.0.1")
		c.send(request("LEGACY", netbios.Messenger))
		c.expect(positive)
		for range 100 { // keepalives, as RFC 1002 6 has them: SSN_KEEP_ALIVE 60 s
			time.Sleep(time.Minute)
			c.send(keepAlive)
		}
		c.send(begin("ALICE", "LEGACY"))
		c.expect(started(1))
		for range 4 {
			time.Sleep(7 * time.Second)
			c.send(block(1, "x"))
			c.expect(answer(0xD7, success))
		}
		c.send(end(1))
		c.expect(answer(0xD6, success))
		r.texts(t, "xxxx")
		c.nc.Close()
		r.counted(t, map[string]int64{"connections": 1, "messages": 1})
	})
}

// A sender that closes its half after the last packet still gets its answers.
func TestHalfClosedPeer(t *testing.T) {
	for _, sent := range [][][]byte{
		multi("ALICE", "LEGACY", "hello"),
		append([][]byte{request("LEGACY", netbios.Messenger)}, multi("ALICE", "LEGACY", "hello")...),
	} {
		r := listen(t, func(cfg *SMBConfig) {
			deliver := cfg.Deliver
			cfg.Deliver = func(ctx context.Context, m *messngr.Message) error {
				time.Sleep(10 * time.Millisecond) // the end of the stream has arrived
				return deliver(ctx, m)
			}
		})
		c := r.call(t)
		c.send(sent...)
		if err := c.nc.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if len(sent) == 4 {
			c.expect(positive)
		}
		c.expect(yes(1, 1)...)
		c.expectEnd()
		r.texts(t, "hello")
		r.counted(t, map[string]int64{"connections": 1, "messages": 1})
	}
}

// A sender that goes away inside a packet is one malformed packet; one that
// goes between two is none. Neither leaves a message.
func TestPeerGoes(t *testing.T) {
	whole := bytes.Join(multi("ALICE", "LEGACY", "hello"), nil)
	borders := map[int]bool{0: true}
	n := 0
	for _, p := range multi("ALICE", "LEGACY", "hello") {
		n += len(p)
		borders[n] = true
	}
	for n := range whole { // not all of it
		r := listen(t, nil)
		c := r.call(t)
		c.send(whole[:n])
		c.nc.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, c.nc)
		r.texts(t)
		want := map[string]int64{"connections": 1}
		if !borders[n] {
			want["malformed"] = 1
		}
		r.counted(t, want)
		if n := r.held.Load(); n != 0 {
			t.Errorf("%d bytes held", n)
		}
	}
}

// A peer that sends and sends and never reads is stopped by its own full
// buffers; meanwhile it costs little, and others are served.
func TestPeerThatNeverReads(t *testing.T) {
	// What is logged of it is kept too, by the test.
	r := listen(t, func(cfg *SMBConfig) { cfg.Log = slog.New(slog.DiscardHandler) })
	c := r.call(t)
	c.nc.(*net.TCPConn).SetReadBuffer(4096)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	sent := 0
	packets := bytes.Repeat(frame(smb.Header{Command: 0x72}, unhex("00 0000")), 1000)
	for sent < 256<<20 {
		c.nc.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
		n, err := c.nc.Write(packets)
		sent += n
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if sent >= 256<<20 {
		t.Errorf("%d bytes were taken", sent)
	}
	r.call(t).deliver("hello")
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 1<<20 {
		t.Errorf("%d bytes kept for it", grown)
	}
}

// A connection that has carried a big message and waits for the next keeps
// little of its room.
func TestBigMessageLeavesLittle(t *testing.T) {
	const n = 50
	r := listen(t, func(cfg *SMBConfig) {
		cfg.Deliver = func(context.Context, *messngr.Message) error { return nil }
	})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	text := strings.Repeat("x", 60_000)
	for range n {
		c := r.call(t)
		for i, p := range multi("ALICE", "LEGACY", text) {
			c.send(p)
			c.expect(yes(1, 1)[i])
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if each := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / n; each > 32<<10 {
		t.Errorf("%d bytes for each", each)
	}
}

// A peer that does not take a response has a few seconds, not the time of an
// idle one: it holds a message that has been delivered.
func TestPeerThatDoesNotTakeItsResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		r := serve(t, l, nil)
		c := l.call(t, "10.77.0.1")
		c.send(single("ALICE", "LEGACY", "hello"))
		start := time.Now()
		r.waitClosed(t)
		if took := time.Since(start); took < 2*time.Second || took > 5*time.Second {
			t.Errorf("ended after %v", took)
		}
		r.texts(t, "hello")
		r.counted(t, map[string]int64{"connections": 1, "messages": 1, "too_slow": 1})
	})
}

// Bytes of other protocols, and of none, end the connection without a word.
func TestGarbage(t *testing.T) {
	for name, sent := range map[string][]byte{
		"HTTP":                     []byte("GET / HTTP/1.1\r\nHost: LEGACY\r\n\r\n"),
		"TLS":                      unhex("16030100 05 0100000100"),
		"SMB without a session":    append([]byte("\xffSMB\xd0"), make([]byte, 30)...),
		"SMB2":                     packet("fe534d42 4000", strings.Repeat("00", 58), strings.Repeat("00", 36)),
		"no SMB":                   packet(strings.Repeat("41", 40)),
		"a header cut short":       packet("ff534d42 d0", strings.Repeat("00", 26)),
		"an empty message":         unhex("00000000"),
		"more than a message has":  unhex("00010041"),
		"all that a length can be": unhex("0001ffff"),
		"a long session request":   append(unhex("8101ffff"), make([]byte, 100)...),
	} {
		t.Run(name, func(t *testing.T) {
			r := listen(t, nil)
			c := r.call(t)
			c.send(sent)
			c.expectEnd()
			r.counted(t, map[string]int64{"connections": 1, "malformed": 1})
		})
	}
}

// Random packets of all types, whole, cut and changed, on a hundred
// connections, while a sender sends: nothing that they do reaches it.
func TestRandomPackets(t *testing.T) {
	r := listen(t, func(cfg *SMBConfig) { cfg.MaxText = 2000 })
	good := r.call(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	packets := append(multi("ALICE", "LEGACY", "one", "two"),
		request("LEGACY", netbios.Messenger), request("OTHER", 0), keepAlive, positive, negative,
		single("ALICE", "LEGACY", "hello"), block(1, strings.Repeat("x", 1000)),
		frame(smb.Header{Command: 0x72}, unhex("00 0000")), unhex("0001ffff"))
	for range 100 {
		var sent []byte
		for range 1 + rnd.IntN(20) {
			p := bytes.Clone(packets[rnd.IntN(len(packets))])
			switch rnd.IntN(4) {
			case 0:
				p[rnd.IntN(len(p))] = byte(rnd.Uint32())
			case 1:
				p = p[:rnd.IntN(len(p))]
			}
			sent = append(sent, p...)
		}
		c := r.call(t)
		c.nc.SetDeadline(time.Now().Add(patience))
		if _, err := c.nc.Write(sent); err != nil {
			continue // it has been closed already
		}
		c.nc.(*net.TCPConn).CloseWrite()
		if _, err := io.Copy(io.Discard, c.nc); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the connection did not end after %x", sent)
		}
		good.deliver("I am here")
	}
	good.nc.Close()
	r.stop(t)
	if n := r.held.Load(); n != 0 {
		t.Errorf("%d bytes held", n)
	}
	if n := r.Counters()["open"]; n != 0 {
		t.Errorf("%d connections open", n)
	}
}
