package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/internal/api"
	"github.com/messngr/messngr/internal/config"
	"github.com/messngr/messngr/internal/resolver"
	"github.com/messngr/messngr/internal/sender"
	"github.com/messngr/messngr/internal/store"
)

// freePort returns a TCP port of loopback that nobody has. Ports that the system
// gives away by itself are left alone.
func freePort(t *testing.T) string {
	t.Helper()
	for port := 20000 + os.Getpid()%10000; port < 32000; port++ {
		addr := fmt.Sprintf("127.0.0.1:%d", port)
		ln, err := net.Listen("tcp", addr)
		if err == nil {
			ln.Close()
			return addr
		}
	}
	t.Fatal("no free port")
	return ""
}

// TestRun is the life of a service: it opens, receives, shows, keeps, and ends.
func TestRun(t *testing.T) {
	addr := freePort(t)
	data := filepath.Join(t.TempDir(), "state", "messngr") // is made
	file := filepath.Join(t.TempDir(), "messngr.toml")
	if err := os.WriteFile(file, []byte("smb.listen = ['"+addr+"']\nmailslot.listen = []\nnames.listen = ''\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(config.Options{File: file, Data: data, Name: "HOST1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, round := range []struct {
		text     string
		terminal bool
		state    messngr.State
	}{
		{"first", false, messngr.Received},
		{"second", true, messngr.Displayed},
	} {
		var out, banner, log syncBuffer
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			done <- Run(ctx, cfg, Options{Version: "1.2", Program: "messngr", Out: &out, Terminal: round.terminal, Banner: &banner, Log: slog.New(slog.NewTextHandler(&log, nil))})
		}()
		await(t, "the banner", func() bool { return strings.HasSuffix(banner.String(), "Ctrl-C ends it.\n") })

		bob := sender.New(sender.Config{
			Resolver: &resolver.Resolver{}, Computer: "HOST3", Port: netip.MustParseAddrPort(addr).Port(), Timeout: 5 * time.Second, MaxText: 4095, Page: cfg.SendPage,
		})
		if del := bob.Send(ctx, sender.Draft{From: "BOB", To: "127.0.0.1", Text: round.text}); del.State != messngr.Accepted {
			t.Fatalf("%+v", del)
		}
		await(t, "the popup", func() bool { return strings.Contains(out.String(), "│ "+round.text+" ") })
		client := api.NewClient(data)
		last := func() (m api.Message) {
			if err := client.Messages(ctx, api.Query{Last: 1}, func(got api.Message) error { m = got; return nil }); err != nil {
				t.Error(err)
			}
			return m
		}
		await(t, "the state "+string(round.state), func() bool { m := last(); return m.Text == round.text && m.State == round.state })
		st, err := client.Status(ctx)
		if err != nil || st.Computer != "HOST1" || st.PID != os.Getpid() || len(turnedOn(st.Listeners)) != 1 || st.Listeners[0].Counters["messages"] != 1 {
			t.Errorf("status %+v, %v", st, err)
		}
		// The data directory is taken: messages of two services in one file would mix.
		err = Run(ctx, cfg, Options{Out: io.Discard, Banner: io.Discard, Log: slog.New(slog.DiscardHandler)})
		if err == nil || !strings.Contains(err.Error(), "in use by another Messngr") {
			t.Errorf("a second service on the same data: %v", err)
		}
		if _, err := client.Status(ctx); err != nil {
			t.Errorf("after a second one has tried: %v", err)
		}

		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if log.String() != "" {
			t.Errorf("the log:\n%s", log.String())
		}
		if _, err := os.Lstat(filepath.Join(data, api.SocketName)); err == nil {
			t.Error("the socket is there after the end")
		}
	}
}

// TestStop: a service that is asked to stop ends as one whose context does, and
// who has asked is told when another can have its data.
func TestStop(t *testing.T) {
	data := t.TempDir()
	file := filepath.Join(t.TempDir(), "messngr.toml")
	if err := os.WriteFile(file, []byte("smb.listen = []\nmailslot.listen = []\nnames.listen = ''\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(config.Options{File: file, Data: data, Name: "HOST1"})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		var banner syncBuffer
		done := make(chan error, 1)
		go func() {
			done <- Run(context.Background(), cfg, Options{Out: io.Discard, Banner: &banner, Log: slog.New(slog.DiscardHandler)})
		}()
		await(t, "the banner", func() bool { return strings.HasSuffix(banner.String(), "Ctrl-C ends it.\n") })
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		if err := api.NewClient(data).Stop(ctx); err != nil {
			t.Error(err)
		}
		cancel()
		st, err := store.OpenSQLite(filepath.Join(data, "messngr.db"), store.Config{})
		if err != nil {
			t.Fatalf("after the stop: %v", err)
		}
		st.Close()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

// A broken writer is a terminal that has gone.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("input/output error") }

// TestShowFails: a terminal that is gone is said in the log, and costs nobody a
// message.
func TestShowFails(t *testing.T) {
	s := newServer(t)
	var log syncBuffer
	s.log = slog.New(slog.NewTextHandler(&log, nil))
	s.opt.Out, s.opt.Terminal = broken{}, true
	stop, err := s.show()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for range 2 {
		if err := s.deliver(t.Context(), from("10.77.0.9:1025", "x")); err != nil {
			t.Error(err)
		}
	}
	await(t, "the log", func() bool { return strings.Contains(log.String(), "messages are no longer shown here") })
}

// await polls for what is to come.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s does not come", what)
		}
	}
}
