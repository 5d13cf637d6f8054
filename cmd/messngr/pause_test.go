//go:build linux

package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/messngr/messngr/internal/lab"
)

// net runs a net command about the service of a station.
func (s *station) net(t testing.TB, args ...string) {
	t.Helper()
	args = append([]string{"net"}, append(args, "--data", s.data)...)
	if out := s.Run(t, s.program, args...); out.Code != 0 {
		t.Errorf("%v: exit status %d\n%s%s", args, out.Code, out.Stdout, out.Stderr)
	}
}

// states returns the state and the text of each message of a station.
func (s *station) states(t testing.TB) (all []string) {
	t.Helper()
	for _, e := range s.inbox(t) {
		all = append(all, e.State+" "+e.Text)
	}
	return all
}

// A station that has paused tells everybody so who waits for an answer, keeps
// what they say through kill -9, and shows it in its order when it continues.
func TestPause(t *testing.T) {
	t.Parallel()
	lan := lab.NewLAN(t)
	h2, h3 := serve(t, lan.Host(t, 2, "HOST2"), `workgroup = "OFFICE"`), lan.Host(t, 3, "HOST3")
	capture := h3.Capture(t)
	h2.net(t, "pause", "messenger")

	// smbclient says what it was told: its own word for ERRSRV/81.
	out, err := h3.Smbclient(t, "HOST2", "from Samba")
	if err == nil || !strings.Contains(out, "cli_message returned NT_STATUS_SHARING_PAUSED") {
		t.Errorf("smbclient: %v\n%s", err, out)
	}
	// net send says what Windows did.
	sent := netSend(t, h3, "", "HOST2", "from net send")
	for _, want := range []string{
		"An error occurred while sending a message to HOST2.\n",
		"\nThe message was sent, but the recipient has paused the Messenger service.\n",
		"\nMore help is available by typing NET HELPMSG 2281.\n",
	} {
		if sent.Code != 1 || sent.Stdout != "" || !strings.Contains(sent.Stderr, want) {
			t.Errorf("net send: exit status %d, %q is not in\n%s%s", sent.Code, want, sent.Stdout, sent.Stderr)
		}
	}
	var delivery struct {
		State string
		NERR  int
	}
	again := netSend(t, h3, "", "--json", "--single-block", "HOST2", "in one block")
	if err := json.Unmarshal([]byte(again.Stdout), &delivery); err != nil || again.Code != 1 || delivery.State != "failed" || delivery.NERR != 2281 {
		t.Errorf("net send --json: exit status %d, %v\n%s", again.Code, err, again.Stdout)
	}
	// Who sends a datagram waits for no answer.
	if out := netSend(t, h3, "", "/domain:OFFICE", "in a datagram"); out.Code != 0 {
		t.Errorf("net send /domain: exit status %d\n%s", out.Code, out.Stderr)
	}
	want := []string{"held from Samba", "held from net send", "held in one block", "held in a datagram"}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		diff := cmp.Diff(want, h2.states(t))
		if diff == "" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("inbox (-want +got):\n%s", diff)
		}
	}
	// smbclient tries again: it is the same message.
	if out, err := h3.Smbclient(t, "HOST2", "from Samba"); err == nil {
		t.Errorf("smbclient again:\n%s", out)
	}

	h2.Kill()
	h2.Stop(t)
	if shown := h2.Stdout(); strings.Contains(shown, "Messenger Service") {
		t.Errorf("shown while paused:\n%s", shown)
	}
	h2.start(t)
	if diff := cmp.Diff(want, h2.states(t)); diff != "" {
		t.Errorf("after kill -9: %s", diff)
	}
	if !strings.Contains(h2.Stderr(), "Paused: messages are held, 4 so far") {
		t.Errorf("the banner:\n%s", h2.Stderr())
	}
	if out := netSend(t, h3, "", "HOST2", "after the restart"); out.Code != 1 || !strings.Contains(out.Stderr, "NET HELPMSG 2281.") {
		t.Errorf("after the restart: exit status %d\n%s", out.Code, out.Stderr)
	}

	h2.net(t, "continue", "messenger")
	if out := netSend(t, h3, "", "HOST2", "now"); out.Code != 0 {
		t.Errorf("after continue: exit status %d\n%s", out.Code, out.Stderr)
	}
	h2.WaitOutput(t, "│ now ")
	at := 0
	for _, text := range []string{"from Samba", "from net send", "in one block", "in a datagram", "after the restart", "now"} {
		shown := h2.Stdout()
		i := strings.Index(shown, "│ "+text+" ")
		if i < at || strings.Count(shown, "│ "+text+" ") != 1 {
			t.Errorf("%q is not there once, in its place, in\n%s", text, shown)
		}
		at = i
	}
	capture.CheckClean(t, clean(h2.Host))
}
