//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/messngr/messngr/internal/lab"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A station is a host that runs our service.
type station struct {
	*lab.Host
	program, data, config string
	*lab.Process
}

// serve starts our service on a host with the lines as its configuration, and
// returns when it has said what is open.
func serve(t testing.TB, h *lab.Host, lines ...string) *station {
	t.Helper()
	s := &station{Host: h, program: lab.Build(t), data: filepath.Join(h.Dir, "data"), config: filepath.Join(h.Dir, "messngr.toml")}
	writeFile(t, s.config, strings.Join(lines, "\n")+"\n")
	s.start(t)
	return s
}

// start starts the service, again perhaps.
func (s *station) start(t testing.TB, args ...string) {
	t.Helper()
	s.Process = s.Start(t, s.program, append([]string{"serve", "--name", s.Name, "--data", s.data, "--config", s.config}, args...)...)
	s.WaitOutput(t, "Ctrl-C ends it.")
	// Others find it by name when that has been claimed. Without a network, or
	// without the port, it never is.
	for begin := time.Now(); time.Since(begin) < 10*time.Second; time.Sleep(20 * time.Millisecond) {
		states := slices.Collect(maps.Values(s.nameStates(t)))
		if len(states) > 0 && !slices.Contains(states, "claiming") || len(states) == 0 && time.Since(begin) > time.Second {
			return
		}
	}
	t.Fatalf("the names are still being claimed: %v", s.nameStates(t))
}

// An entry is what inbox --json says of a message.
type entry struct {
	From, To, Text, Transport, Source, Called, Calling, Provenance, State string
}

// inbox returns the messages of a station.
func (s *station) inbox(t testing.TB) []entry {
	t.Helper()
	out := s.Run(t, s.program, "inbox", "--json", "--data", s.data)
	if out.Code != 0 {
		t.Fatalf("inbox: exit status %d: %s", out.Code, out.Stderr)
	}
	var entries []entry
	for line := range strings.Lines(out.Stdout) {
		var e entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("inbox: %v in %s", err, line)
		}
		entries = append(entries, e)
	}
	return entries
}

// netSend sends from a host that has no service.
func netSend(t testing.TB, from *lab.Host, stdin string, args ...string) lab.Output {
	t.Helper()
	args = append([]string{"net", "send", "--name", from.Name}, args...)
	return from.RunInput(t, stdin, lab.Build(t), args...)
}

// texts are what every pair of programs must be able to say to each other.
var texts = []struct{ name, text string }{
	{"one line", "Server restarts in five minutes."},
	{"many lines", "Server restarts\nin five minutes.\n\nSave your work."},
	{"1,598 bytes", strings.Repeat("0123456789abcde.", 100)[:1598]},
	{"code page 850", "café fermé à midi: 5 £"},
	{"empty", ""},
}

// clean is what tshark must have nothing against: the packets of a host.
func clean(h *lab.Host) string {
	return fmt.Sprintf("(nbss || nbns || tcp.port == 139) && ip.src == %s", h.Addr)
}

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
