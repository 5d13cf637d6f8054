//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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

// A flood of calls in the names of others, each of which would have to be asked
// whether it has called: who really calls gets through, nothing else is shown,
// and there is an end to what is kept of them.
func TestFloodOfForgedCalls(t *testing.T) {
	t.Parallel()
	lab.NeedProgram(t, "scapy", "python3-scapy")
	lan := lab.NewLAN(t)
	h2 := serve(t, lan.Host(t, 2, "HOST2"), rpcOn)
	mallory, victim := lan.Host(t, 4, "MALLORY"), lan.Host(t, 5, "VICTIM")
	var callers []*lab.Host // none of whom has called before
	for n := range 4 {
		callers = append(callers, lan.Host(t, 6+n, fmt.Sprintf("HOST%d", 6+n)))
	}
	script, err := filepath.Abs("testdata/flood.py")
	if err != nil {
		t.Fatal(err)
	}
	const number, others = 100_000, 239
	args := []string{script, h2.Addr.String(), fmt.Sprint(number), victim.Addr.String()}
	for n := 10; n < 10+others; n++ { // who are not there
		args = append(args, fmt.Sprintf("10.77.0.%d", n))
	}
	capture := victim.Capture(t)
	before := h2.resident(t)
	flood := mallory.Start(t, "/usr/bin/python3", args...)
	flood.WaitOutput(t, "begun")
	var want []string
	for i := 0; i < 2*len(callers) || !strings.Contains(flood.Stdout(), "done"); i++ {
		text := fmt.Sprintf("message %d", i)
		want = append(want, text)
		if out := sendRPC(t, callers[i%len(callers)], text, h2.Addr.String()); out.Code != 0 {
			t.Errorf("%s: exit status %d\n%s", text, out.Code, out.Stderr)
		}
	}
	if diff := cmp.Diff(want, h2.texts(t, len(want))); diff != "" {
		t.Errorf("what has arrived (-want +got):\n%s", diff)
	}
	counters := h2.counters(t, "rpc")
	if counters["messages"] != int64(len(want)) || counters["activities"] > 16384 {
		t.Errorf("%d messages and %d activities are counted after %d messages", counters["messages"], counters["activities"], len(want))
	}
	if grown := h2.resident(t) - before; grown > 64<<20 {
		t.Errorf("the service has grown by %d MiB", grown>>20)
	}
	// Whoever is named gets no more than was said in his name.
	bytes := 0
	for _, p := range capture.Fields(t, "dcerpc && !icmp && ip.dst == 10.77.0.5", "udp.length") {
		n, err := strconv.Atoi(p[0])
		if err != nil {
			t.Fatal(err)
		}
		bytes += n - 8
	}
	if said := number / (1 + others) * forgedSize; bytes > said {
		t.Errorf("%d bytes went to one in whose name %d were sent", bytes, said)
	}
	capture.CheckClean(t, "dcerpc && !icmp && ip.src == 10.77.0.2")
}

// forgedSize is the size of a call of testdata/flood.py: the header, and three
// strings with their counts.
const forgedSize = 80 + 12 + 8 + 12 + 8 + 12 + 20

// resident returns how much memory the service has, in bytes.
func (s *station) resident(t *testing.T) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.PID()))
	if err != nil {
		t.Fatal(err)
	}
	var kib int64
	for line := range strings.Lines(string(status)) {
		fmt.Sscanf(line, "VmRSS: %d kB", &kib)
	}
	return kib << 10
}
