//go:build linux

package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/messngr/messngr/internal/lab"
	"github.com/messngr/messngr/netbios/nbss"
	"github.com/messngr/messngr/smb"
)

// Killed in the middle of a load, five times over, the service has every
// message that a sender was told "yes" of, once.
func TestKilledUnderLoad(t *testing.T) {
	t.Parallel()
	const (
		rounds  = 5
		perLoad = 10_000
		senders = 8
	)
	lan := lab.NewLAN(t)
	s := serve(t, lan.Host(t, 2, "HOST2"))
	accepted := map[string]bool{}
	for round := range rounds {
		var mu sync.Mutex
		var next, yes atomic.Int64
		var wg sync.WaitGroup
		killAt := int64(perLoad / (rounds + 1) * (round + 1))
		kill := sync.OnceFunc(s.Kill)
		for range senders {
			conn := s.Dial(t, "tcp", s.Addr.String()+":139")
			wg.Go(func() {
				in := nbss.NewReader(conn, nbss.MaxLength)
				for {
					n := next.Add(1)
					if n > perLoad {
						return
					}
					text := fmt.Sprintf("round %d message %d", round, n)
					if err := sendBlock(conn, in, text); err != nil {
						return // it was killed
					}
					mu.Lock()
					accepted[text] = true
					mu.Unlock()
					if yes.Add(1) == killAt {
						kill()
					}
				}
			})
		}
		wg.Wait()
		if yes.Load() < killAt {
			t.Fatalf("round %d: %d messages were accepted, the service was to be killed at %d", round, yes.Load(), killAt)
		}
		s.start(t)
	}
	count := map[string]int{}
	for _, e := range s.inbox(t) {
		count[e.Text]++
	}
	for text := range accepted {
		if count[text] != 1 {
			t.Errorf("%q was accepted and is there %d times", text, count[text])
		}
	}
	for text, n := range count {
		if n != 1 {
			t.Errorf("%q is there %d times", text, n)
		}
	}
	t.Logf("%d messages were accepted, %d are there", len(accepted), len(count))
}

// sendBlock sends a single block message and waits for its "yes".
func sendBlock(conn net.Conn, in *nbss.Reader, text string) error {
	body, err := smb.SingleBlock{From: []byte("LOAD"), To: []byte("HOST2"), Text: []byte(text)}.AppendBinary(nil)
	if err != nil {
		return err
	}
	b, err := nbss.AppendHeader(nil, nbss.SessionMessage, smb.HeaderSize+len(body))
	if err != nil {
		return err
	}
	b, _ = smb.Header{Command: smb.SendMessage}.AppendBinary(b)
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := conn.Write(append(b, body...)); err != nil {
		return err
	}
	p, err := in.Next()
	if err != nil {
		return err
	}
	h, _, err := smb.ParseHeader(p.Trailer)
	if err != nil {
		return err
	}
	return h.Err()
}

// On a full disk the sender is told "no", the service stays up, and takes
// messages again when there is room. Nothing that it said "yes" to is lost.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	lan := lab.NewLAN(t)
	h2 := lan.Host(t, 2, "HOST2")
	data := filepath.Join(h2.Dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", data, "tmpfs", 0, "size=3m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(data, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	filler := filepath.Join(data, "filler")
	s := serve(t, h2)
	conn := s.Dial(t, "tcp", s.Addr.String()+":139")
	in := nbss.NewReader(bufio.NewReader(conn), nbss.MaxLength)
	accepted := map[string]bool{}
	send := func(n int) error {
		text := fmt.Sprintf("message %d %s", n, strings.Repeat("x", 1000))
		err := sendBlock(conn, in, text)
		if err == nil {
			accepted[text] = true
		}
		return err
	}
	for cycle := range 3 {
		base := cycle * 100_000
		if err := send(base); err != nil {
			t.Fatalf("cycle %d: with room: %v", cycle, err)
		}
		fill(t, filler)
		refused := 0
		for n := 1; refused < 20; n++ {
			if n > 10_000 {
				t.Fatalf("cycle %d: 10,000 messages of 1 KB went onto a disk of 3 MB", cycle)
			}
			switch err := send(base + n); {
			case err == nil:
			case strings.Contains(err.Error(), "ERRSRV/83"):
				refused++
			default:
				t.Fatalf("cycle %d: on a full disk: %v, want ERRSRV/83", cycle, err)
			}
		}
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
	}
	if err := send(999_999); err != nil {
		t.Errorf("after there was room again: %v", err)
	}
	check := func(when string) {
		t.Helper()
		count := map[string]int{}
		for _, e := range s.inbox(t) {
			count[e.Text]++
		}
		for text := range accepted {
			if count[text] != 1 {
				t.Errorf("%s: %.20q was accepted and is there %d times", when, text, count[text])
			}
		}
	}
	check("still running")
	s.Kill()
	s.start(t)
	check("after kill -9")
}

// fill takes all the room that is left.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, size := range []int{64 << 10, 4 << 10} {
		block := make([]byte, size)
		for {
			if _, err := f.Write(block); err != nil {
				break // no room
			}
		}
	}
}
