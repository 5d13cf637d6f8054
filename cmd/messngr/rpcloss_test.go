//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/messngr/messngr/internal/lab"
)

// Over a wire that loses, doubles and disorders a tenth of all frames, both
// ways, each call is executed once: none is lost, and none comes twice.
func TestCallsOverABadWire(t *testing.T) {
	t.Parallel()
	bad := lab.Loss{Drop: 0.1, Double: 0.1, Hold: 0.1, Seed: 7}
	for _, tt := range []struct {
		name  string
		hosts func(*testing.T, *lab.LAN) (from, to *lab.Host, wire *lab.Wire)
	}{
		{"the sender's", func(t *testing.T, lan *lab.LAN) (from, to *lab.Host, wire *lab.Wire) {
			from, wire = lan.Lossy(t, 3, "HOST3", bad)
			return from, lan.Host(t, 2, "HOST2"), wire
		}},
		{"the recipient's", func(t *testing.T, lan *lab.LAN) (from, to *lab.Host, wire *lab.Wire) {
			to, wire = lan.Lossy(t, 2, "HOST2", bad)
			return lan.Host(t, 3, "HOST3"), to, wire
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			from, to, wire := tt.hosts(t, lab.NewLAN(t))
			s := serve(t, to, rpcOn)
			want := sendMany(t, from, s, 100)
			got := s.texts(t, len(want))
			slices.Sort(want)
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("what has arrived (-want +got):\n%s", diff)
			}
			if messages := s.counters(t, "rpc")["messages"]; messages != int64(len(want)) {
				t.Errorf("%d messages are counted, want %d", messages, len(want))
			}
			// Else nothing has been shown.
			if dropped, doubled, held := wire.Harm(); min(dropped, doubled, held) < 50 {
				t.Errorf("the wire was not bad enough: %v", wire)
			}
		})
	}
}

// sendMany sends n texts from a host, in as many processes, some at once, and
// returns them. Every fifth is longer than a packet.
func sendMany(t *testing.T, from *lab.Host, to *station, n int) (sent []string) {
	t.Helper()
	const atOnce = 20
	texts := make(chan string)
	var senders sync.WaitGroup
	for range atOnce {
		senders.Go(func() {
			for text := range texts {
				begin := time.Now()
				out := sendRPC(t, from, text, to.Addr.String())
				if out.Code != 0 {
					t.Errorf("%.20s: exit status %d after %v\n%s", text, out.Code, time.Since(begin), out.Stderr)
				}
			}
		})
	}
	for i := range n {
		text := fmt.Sprintf("message %d", i)
		if i%5 == 0 {
			text += strings.Repeat(" and so on", 350)
		}
		sent = append(sent, text)
		texts <- text
	}
	close(texts)
	senders.Wait()
	return sent
}
