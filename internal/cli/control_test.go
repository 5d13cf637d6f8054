//go:build unix

package cli

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/internal/store"
)

// control is one of net pause, continue, start and stop, for this station.
func (s *station) control(word string) result {
	s.t.Helper()
	return s.run("net", word, "messenger")
}

// shown returns the texts of the popups of a service, of one line each.
func (j *job) shown() (texts []string) {
	for block := range strings.SplitSeq(j.out.String(), "┌─") {
		if lines := strings.Split(block, "\n"); len(lines) > 3 {
			texts = append(texts, strings.Trim(lines[3], "│ "))
		}
	}
	return texts
}

// TestPause: while the service is paused messages are kept, their senders are
// told so in the words of Windows, and nobody sees them before it continues,
// whatever happens to it meanwhile.
func TestPause(t *testing.T) {
	s := newStation(t)
	if got := s.control("pause"); got != refusal(2284, strings.TrimSuffix(strings.TrimPrefix(noService(s.data).err, "messngr: "), "\n")) {
		t.Errorf("net pause without a service: %+v", got)
	}
	serve := s.serve()
	s.send("before")
	paused := result{out: "The Messenger service was paused successfully.\n"}
	if got := s.control("pause"); got != paused {
		t.Errorf("net pause: %+v", got)
	}
	if got := s.run("net", "pause", "MESSENGER"); got != paused {
		t.Errorf("net pause again: %+v", got)
	}

	told := result{
		err: "An error occurred while sending a message to HOST1.\n\nThe message was sent, but the recipient has paused the Messenger service.\n\n" +
			"More help is available by typing NET HELPMSG 2281.\n\nmessngr: DETAIL\n", code: 1,
	}
	send := func(text string) result {
		got := s.run("net", "send", "--config", s.conf, "HOST1", text)
		got.err = regexp.MustCompile(`messngr: .*ERRSRV/81.*\n`).ReplaceAllString(got.err, "messngr: DETAIL\n")
		return got
	}
	for range 2 { // it tries again
		if got := send("first"); got != told {
			t.Errorf("net send to one who has paused:\n got %+v\nwant %+v", got, told)
		}
	}
	if got, want := s.run("inject", "--config", s.conf, "--from", "UPS", "second"), (result{err: "messngr: the message is held: the recipient has paused the Messenger service\n"}); got != want {
		t.Errorf("inject: %+v", got)
	}
	list := func(args ...string) string {
		return dates.ReplaceAllString(s.run(append([]string{"inbox"}, args...)...).out, "DATE")
	}
	const held = "DATE  [held] HOST1 to HOST1 (127.0.0.1): first\nDATE  [held] UPS to HOST1 (local): second\n"
	if diff := cmp.Diff("DATE  HOST1 to HOST1 (127.0.0.1): before\n"+held, list()); diff != "" {
		t.Errorf("inbox: %s", diff)
	}
	if diff := cmp.Diff(held, list("--state", "held")); diff != "" {
		t.Errorf("inbox --state held: %s", diff)
	}

	serve.Process.Kill()
	serve.Wait()
	if got := serve.shown(); len(got) != 1 {
		t.Errorf("shown while paused: %q", got)
	}
	if want := "paused: messages are held until net continue messenger"; !strings.Contains(serve.err.String(), want) {
		t.Errorf("the log lacks %q:\n%s", want, serve.err.String())
	}
	serve = s.serve()
	const line = `Paused: messages are held, 2 so far, until "net continue messenger".` + "\n"
	if !strings.Contains(serve.err.String(), "\n"+line) {
		t.Errorf("the banner after the kill:\n%s", serve.err.String())
	}
	if got := s.run("status").out; !strings.Contains(got, "\n"+line) {
		t.Errorf("status:\n%s", got)
	}
	status := func() (paused bool, held, quarantined int) {
		t.Helper()
		var st struct {
			Paused            bool
			Held, Quarantined int
		}
		if err := json.Unmarshal([]byte(s.run("status", "--json").out), &st); err != nil {
			t.Fatal(err)
		}
		return st.Paused, st.Held, st.Quarantined
	}
	if paused, held, quarantined := status(); !paused || held != 2 || quarantined != 0 {
		t.Errorf("status --json: paused %v, %d held, %d quarantined", paused, held, quarantined)
	}
	if got := send("third"); got != told {
		t.Errorf("after a restart: %+v", got)
	}

	for range 2 {
		if got, want := s.control("continue"), (result{out: "The Messenger service was continued successfully.\n"}); got != want {
			t.Errorf("net continue: %+v", got)
		}
	}
	s.send("after")
	await(t, "the last popup", func() bool { return len(serve.shown()) == 4 })
	if diff := cmp.Diff([]string{"first", "second", "third", "after"}, serve.shown()); diff != "" {
		t.Errorf("shown: %s", diff)
	}
	await(t, "the end of the hold", func() bool { _, held, _ := status(); return held == 0 })
	if got := s.run("status").out; strings.Contains(got, "Paused") {
		t.Errorf("status:\n%s", got)
	}
	if want := "continued: messages are shown again"; !strings.Contains(serve.err.String(), want) {
		t.Errorf("the log lacks %q:\n%s", want, serve.err.String())
	}
}

// TestNetStartStop: as on Windows, as far as there is a service manager in it.
func TestNetStartStop(t *testing.T) {
	s := newStation(t)
	none := strings.TrimSuffix(strings.TrimPrefix(noService(s.data).err, "messngr: "), "\n")
	if got, want := s.control("start"), (result{err: "The Messenger service could not be started.\n\nmessngr: it is a program of its own: start it with \"messngr serve\"\n", code: 1}); got != want {
		t.Errorf("net start: %+v", got)
	}
	for _, word := range []string{"stop", "continue"} {
		if got := s.control(word); got != refusal(2284, none) {
			t.Errorf("net %s without a service: %+v", word, got)
		}
	}
	for range 2 { // another can start at once
		serve := s.serve()
		if got, want := s.control("start"), refusal(2271, fmt.Sprintf("it is process %d, with its data in %s", serve.Process.Pid, s.data)); got != want {
			t.Errorf("net start with a service:\n got %+v\nwant %+v", got, want)
		}
		s.send("x")
		if got, want := s.control("stop"), (result{out: "The Messenger service is stopping.\nThe Messenger service was stopped successfully.\n"}); got != want {
			t.Errorf("net stop: %+v", got)
		}
		if err := serve.Wait(); err != nil {
			t.Errorf("after net stop: %v\n%s", err, serve.err.String())
		}
		if got := serve.shown(); len(got) != 1 {
			t.Errorf("shown: %q", got)
		}
	}
}

// Called as net, what is about another service is another's business.
func TestNetControlGoesOn(t *testing.T) {
	s := newStation(t)
	bin := t.TempDir()
	writeFile(t, filepath.Join(bin, "net"), "#!/bin/sh\necho other net: $*\nexit 7\n")
	if err := os.Chmod(filepath.Join(bin, "net"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args string
		want result
	}{
		{"pause spooler", result{out: "other net: pause spooler\n", code: 7}},
		{"STOP", result{out: "other net: STOP\n", code: 7}},
		{"start", result{out: "other net: start\n", code: 7}},
		{"PAUSE Messenger", refusal(2284, strings.TrimSuffix(strings.TrimPrefix(noService(s.data).err, "messngr: "), "\n"))},
	} {
		cmd := command(t, s.data, "net", strings.Fields(tt.args)...)
		cmd.Env = append(cmd.Env, "PATH="+bin)
		if got := run(t, cmd); got != tt.want {
			t.Errorf("net %s:\n got %+v\nwant %+v", tt.args, got, tt.want)
		}
	}
}

// TestRelease: what is quarantined is listed with its ID, and shown when a person
// says so.
func TestRelease(t *testing.T) {
	s := newStation(t)
	ids := s.quarantined("one", "two", "three", "four")
	serve := s.serve()
	if want := "4 messages are quarantined: \"inbox --state quarantined\" lists them, \"inbox release\" shows them.\n"; !strings.Contains(serve.err.String(), want) {
		t.Errorf("the banner:\n%s", serve.err.String())
	}
	s.send("ordinary")
	await(t, "the popup", func() bool { return len(serve.shown()) == 1 })
	list := dates.ReplaceAllString(s.run("inbox", "--state", "quarantined", "--last", "2").out, "DATE")
	want := fmt.Sprintf("DATE  [quarantined %s] EVE to HOST1 (10.77.0.66): three\nDATE  [quarantined %s] EVE to HOST1 (10.77.0.66): four\n", ids[2], ids[3])
	if diff := cmp.Diff(want, list); diff != "" {
		t.Errorf("inbox --state quarantined: %s", diff)
	}
	if got := s.run("__complete", "inbox", "release", ids[0], "").out; got != ids[1]+"\tEVE: two\n"+ids[2]+"\tEVE: three\n"+ids[3]+"\tEVE: four\n:4\n" {
		t.Errorf("completion: %q", got)
	}
	ordinary := decode(t, s.run("inbox", "--json", "--last", "1").out)[0]["id"].(string)
	unknown := "01a2080f-9dbf-7000-bb17-6b602aa0c0db"
	for _, tt := range []struct {
		args []string
		want result
	}{
		{[]string{ids[0], unknown}, result{err: "messngr: unknown message " + unknown + "; nothing was released\n", code: 1}},
		{[]string{ids[0], ordinary}, result{err: "messngr: not possible: message " + ordinary + " is received, not quarantined; nothing was released\n", code: 1}},
		{[]string{ids[2]}, result{out: "1 message was released.\n"}},
		{[]string{ids[1], ids[0]}, result{out: "2 messages were released.\n"}},
		{[]string{"--all"}, result{out: "1 message was released.\n"}},
		{[]string{"--all"}, result{out: "0 messages were released.\n"}},
	} {
		if got := s.run(append([]string{"inbox", "release"}, tt.args...)...); got != tt.want {
			t.Errorf("inbox release %q:\n got %+v\nwant %+v", tt.args, got, tt.want)
		}
		if len(tt.args) == 1 && tt.args[0] == ids[2] {
			await(t, "the popup", func() bool { return len(serve.shown()) == 2 })
		}
	}
	await(t, "the popups", func() bool { return len(serve.shown()) == 5 })
	if diff := cmp.Diff([]string{"ordinary", "three", "one", "two", "four"}, serve.shown()); diff != "" {
		t.Errorf("shown: %s", diff)
	}
	if got := s.run("inbox", "--state", "quarantined"); got != (result{}) {
		t.Errorf("left: %+v", got)
	}
}

// quarantined puts messages into the store of a service that does not run yet,
// and returns their IDs.
func (s *station) quarantined(texts ...string) (ids []string) {
	s.t.Helper()
	st, err := store.OpenSQLite(filepath.Join(s.data, "messngr.db"), store.Config{})
	if err != nil {
		s.t.Fatal(err)
	}
	defer st.Close()
	for _, text := range texts {
		m := newMessage(text)
		if err := st.Withhold(s.t.Context(), messngr.Quarantined, "a call that nobody vouches for", m); err != nil {
			s.t.Fatal(err)
		}
		ids = append(ids, m.ID.String())
	}
	return ids
}

// newMessage returns a message of a stranger.
func newMessage(text string) *messngr.Message {
	now := time.Now()
	return &messngr.Message{
		ID: messngr.NewID(now), From: "EVE", To: "HOST1", Text: text, Priority: messngr.Normal, Sent: now, Received: now,
		Source:     messngr.Source{Transport: messngr.SMB, Addr: netip.MustParseAddrPort("10.77.0.66:1025")},
		Provenance: messngr.Claimed,
	}
}
