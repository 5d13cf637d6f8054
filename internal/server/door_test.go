package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestDoorIsTriedAgain: a door that cannot be opened is tried until it can,
// and one that ends is opened again.
func TestDoorIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log syncBuffer
		var tries []time.Duration
		began := time.Now()
		var free atomic.Bool
		now := still{make(chan error)}
		d := newDoor("smb", "messages", "tcp", ":139", slog.New(slog.NewTextHandler(&log, nil)),
			func(context.Context) (task, error) {
				tries = append(tries, time.Since(began))
				if !free.Load() {
					return nil, syscall.EADDRNOTAVAIL
				}
				return now, nil
			})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); d.run(ctx) }()

		<-d.tried
		synctest.Wait()
		l := newServer(t).links
		if st := d.status(l); st.Open || st.Error != "no interface has this address" {
			t.Errorf("first: %+v", st)
		}
		time.Sleep(retryAfter + retryAfter/2) // the second try fails, too
		free.Store(true)
		time.Sleep(retryAfter)
		synctest.Wait()
		if st := d.status(l); !st.Open || st.Counters["messages"] != 3 || st.Error != "" {
			t.Errorf("when it can be opened: %+v", st)
		}
		if !strings.Contains(log.String(), "msg=open listener=smb address=:139") {
			t.Errorf("the log does not say that it opened:\n%s", log.String())
		}

		now.end <- errors.New("the socket broke")
		synctest.Wait()
		if st := d.status(l); st.Open || st.Error != "the socket broke" {
			t.Errorf("when it has ended: %+v", st)
		}
		time.Sleep(retryAfter)
		synctest.Wait()
		if st := d.status(l); !st.Open {
			t.Errorf("after that: %+v", st)
		}
		want := []time.Duration{0, retryAfter, 2 * retryAfter, 2*retryAfter + retryAfter/2 + retryAfter}
		if diff := cmp.Diff(want, tries); diff != "" {
			t.Errorf("tries, -want +got:\n%s", diff)
		}
		cancel()
		<-done
	})
}

// TestDoorWaitsForNobody: the end of the service does not wait for the next try.
func TestDoorWaitsForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor("smb", "messages", "tcp", ":139", slog.New(slog.DiscardHandler),
			func(context.Context) (task, error) { return nil, syscall.EACCES })
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); d.run(ctx) }()
		<-d.tried
		began := time.Now()
		cancel()
		<-done
		if took := time.Since(began); took > 0 {
			t.Errorf("it took %v", took)
		}
	})
}

func TestDoorExplains(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	listen := func(err error) error {
		return &net.OpError{Op: "listen", Net: "tcp", Err: os.NewSyscallError("bind", err)}
	}
	for _, tt := range []struct {
		err  error
		want string
	}{
		{listen(syscall.EACCES), "no privilege for port 139; run it as root, or allow it once: sudo setcap cap_net_bind_service=+ep " + exe},
		{listen(syscall.EADDRNOTAVAIL), "no interface has this address; give an address of this host in [smb] listen"},
		{errors.New("something else"), "something else"},
	} {
		d := newDoor("smb", "messages", "tcp", "10.77.0.9:139", slog.New(slog.DiscardHandler), nil)
		d.set(nil, fmt.Errorf("door: %w", tt.err))
		st := d.status(newServer(t).links)
		if want := "closed messages (10.77.0.9:139/tcp): "; !strings.HasPrefix(st.Line(), want) || !strings.HasSuffix(st.Line(), tt.want) {
			t.Errorf("%v:\n got %s\nwant %s…%s", tt.err, st.Line(), want, tt.want)
		}
	}
}

func TestDoorAddresses(t *testing.T) {
	l := newServer(t).links
	for address, want := range map[string]string{
		":139":           "open   messages (:139/tcp) on 127.0.0.1, 10.77.0.2",
		"0.0.0.0:139":    "open   messages (0.0.0.0:139/tcp) on 127.0.0.1, 10.77.0.2",
		"[::]:139":       "open   messages ([::]:139/tcp) on 127.0.0.1, 10.77.0.2",
		"10.77.0.2:1139": "open   messages (10.77.0.2:1139/tcp) on 10.77.0.2",
	} {
		d := newDoor("smb", "messages", "tcp", address, slog.New(slog.DiscardHandler), nil)
		d.set(still{}, nil)
		if got := d.status(l).Line(); got != want {
			t.Errorf("%s:\n got %s\nwant %s", address, got, want)
		}
	}
}
