package server

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/messngr/messngr/internal/config"
	"github.com/messngr/messngr/internal/guard"
	"github.com/messngr/messngr/internal/hub"
	"github.com/messngr/messngr/internal/store"
)

func TestMain(m *testing.M) {
	if network := os.Getenv(holdEnv); network != "" {
		holdPort(network)
		return
	}
	goleak.VerifyTestMain(m)
}

// holdEnv makes this program, as a child of the tests, hold a port of that
// network.
const holdEnv = "MESSNGR_TEST_HOLD"

// holdPort writes the address of a port that it holds until its standard input
// ends.
func holdPort(network string) {
	var addr net.Addr
	if network == "udp" {
		conn, err := net.ListenPacket(network, "127.0.0.1:0")
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		addr = conn.LocalAddr()
	} else {
		ln, err := net.Listen(network, "127.0.0.1:0")
		if err != nil {
			panic(err)
		}
		defer ln.Close()
		addr = ln.Addr()
	}
	fmt.Println(addr)
	io.Copy(io.Discard, os.Stdin) // ends without an error when the parent closes it
}

// newServer returns a server named HOST1 on the network 10.77.0.2/24, with
// messages in memory and no door.
func newServer(t *testing.T) *server {
	t.Helper()
	cfg, err := config.Load(config.Options{File: os.DevNull, Name: "HOST1", Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	s := &server{
		cfg: cfg, log: slog.New(slog.DiscardHandler),
		guard: guard.New(cfg.Guard), hub: hub.New(), started: time.Now(),
		copies: newCopies(copyWindow),
		links: &links{
			asked: time.Now().Add(24 * time.Hour), // the answer is good for long
			on:    []netip.Prefix{netip.MustParsePrefix("127.0.0.1/8"), netip.MustParsePrefix("10.77.0.2/24"), netip.MustParsePrefix("fe80::1/64")},
		},
		opt: Options{Version: "1.2", Program: "messngr", Banner: new(bytes.Buffer)},
	}
	s.store = store.NewMemory(store.Config{Committed: s.hub.Publish})
	if s.pause, err = newPause(t.Context(), s.store); err != nil {
		t.Fatal(err)
	}
	if s.aliases, err = newAliases(t.Context(), cfg, s.store); err != nil {
		t.Fatal(err)
	}
	return s
}

// A still is a task that does nothing until it is told to end.
type still struct{ end chan error }

func (s still) Run(ctx context.Context) error {
	select {
	case err := <-s.end:
		return err
	case <-ctx.Done():
		return nil
	}
}
func (still) Ready() <-chan struct{}     { return nil }
func (still) Counters() map[string]int64 { return map[string]int64{"messages": 3} }
func (still) String() string             { return "still" }

// A syncBuffer is a buffer that goroutines may write to.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
