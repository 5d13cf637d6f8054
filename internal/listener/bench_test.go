package listener

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/internal/oem"
	"github.com/messngr/messngr/netbios"
)

// repeated is a connection on which the same packets arrive a number of times.
// It drops the responses.
type repeated struct {
	memory
	packets, rest []byte
	times         int
}

func (r *repeated) Read(b []byte) (int, error) {
	if len(r.rest) == 0 {
		if r.times == 0 {
			return 0, io.EOF
		}
		r.times--
		r.rest = r.packets
	}
	n := copy(b, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (r *repeated) Write(b []byte) (int, error) { return len(b), nil }

// exchanges are what a message is sent with, by its form.
var exchanges = map[string][]byte{
	"single":     single("ALICE", "LEGACY", strings.Repeat("x", 100)),
	"multi":      bytes.Join(multi("ALICE", "LEGACY", strings.Repeat("x", 127), strings.Repeat("y", 127), "z"), nil),
	"connection": bytes.Join(append([][]byte{request("LEGACY", netbios.Messenger)}, multi("ALICE", "LEGACY", "hello")...), nil),
}

// throughput serves n messages, on one connection or on one for each.
func throughput(t testing.TB, form string, n int) {
	cfg := defaults(t)
	latin := page(t, oem.Default)
	cfg.Page = func(netip.Addr, []byte) *oem.Page { return latin }
	cfg.Log = slog.New(slog.DiscardHandler)
	delivered := 0
	cfg.Deliver = func(context.Context, *messngr.Message) error { delivered++; return nil }
	s := NewSMB(newPipes(), cfg)
	connections, each := 1, n
	if form == "connection" {
		connections, each = n, 1
	}
	r := &repeated{packets: exchanges[form]}
	for range connections {
		r.times = each
		c := newConn(s, s.conns.NewConn(r))
		c.serve(context.Background())
		c.free()
	}
	if delivered != n {
		t.Fatalf("%d messages delivered of %d", delivered, n)
	}
}

func BenchmarkConn(b *testing.B) {
	for form := range exchanges {
		b.Run(form, func(b *testing.B) {
			b.ReportAllocs()
			throughput(b, form, b.N)
		})
	}
}

// A message costs what it keeps, itself and its three strings, and no more.
func TestAllocations(t *testing.T) {
	var kept *messngr.Message
	from, to, text := []byte("ALICE"), []byte("LEGACY"), []byte(strings.Repeat("x", 100))
	want := testing.AllocsPerRun(100, func() {
		kept = &messngr.Message{ID: messngr.NewID(time.Now()), From: string(from), To: string(to), Text: string(text)}
	})
	if kept.From != "ALICE" || want < 4 {
		t.Fatalf("%v allocations for %+v", want, kept)
	}
	for _, form := range []string{"single", "multi"} {
		const n = 1000
		none := testing.AllocsPerRun(5, func() { throughput(t, form, 0) })
		got := (testing.AllocsPerRun(5, func() { throughput(t, form, n) }) - none) / n
		if got > want+0.1 {
			t.Errorf("%s: %.2f allocations a message, want %v", form, got, want)
		}
	}
}
