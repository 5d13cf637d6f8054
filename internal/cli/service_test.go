//go:build unix

package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A station is a service that needs no privilege: HOST1 on a port of loopback.
type station struct {
	t    *testing.T
	data string
	conf string
	port int
}

// lastPort makes the ports of each station its own.
var lastPort atomic.Int64

func newStation(t *testing.T) *station {
	t.Helper()
	s := &station{t: t, data: t.TempDir()}
	for ; s.port == 0; lastPort.Add(1) {
		port := 20000 + (os.Getpid()*16+int(lastPort.Load()))%10000 // below those that the system gives away
		if ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			ln.Close()
			s.port = port
		}
	}
	s.conf = writeFile(t, filepath.Join(s.data, "messngr.toml"),
		fmt.Sprintf("name = 'HOST1'\n[smb]\nlisten = ['127.0.0.1:%d']\n[mailslot]\nlisten = []\n[names]\nlisten = ''\n[send]\nport = %d\nrpc_port = %d\ntimeout = '5s'\n", s.port, s.port, s.port))
	// Without it, net send would ask the network for the name.
	writeFile(t, filepath.Join(s.data, "lmhosts"), "127.0.0.1 HOST1\n")
	return s
}

// command returns a command of messngr for this station.
func (s *station) command(args ...string) *exec.Cmd {
	s.t.Helper()
	cmd := command(s.t, s.data, "messngr", args...)
	cmd.Env = append(cmd.Env, "TZ=UTC")
	return cmd
}

func (s *station) run(args ...string) result {
	s.t.Helper()
	return run(s.t, s.command(args...))
}

// send sends a text to the station, which must take it.
func (s *station) send(text string) {
	s.t.Helper()
	got := s.run("net", "send", "--config", s.conf, "HOST1", text)
	if want := (result{out: "The message was successfully sent to HOST1.\n"}); got != want {
		s.t.Fatalf("net send: got %+v, want %+v", got, want)
	}
}

// A job is a program in the background.
type job struct {
	*exec.Cmd
	out, err output
}

// An output is what a job has written so far.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// start starts cmd; the end of the test kills it, if nothing else has ended it.
func start(t *testing.T, cmd *exec.Cmd) *job {
	t.Helper()
	j := &job{Cmd: cmd}
	if cmd.Stdout == nil {
		cmd.Stdout = &j.out
	}
	if cmd.Stderr == nil {
		cmd.Stderr = &j.err
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if j.ProcessState == nil {
			j.Process.Kill()
			j.Wait()
		}
	})
	return j
}

// serve starts the service and returns when it has said what is open.
func (s *station) serve(args ...string) *job {
	s.t.Helper()
	j := start(s.t, s.command(append([]string{"serve", "--config", s.conf}, args...)...))
	await(s.t, "the banner", func() bool { return strings.HasSuffix(j.err.String(), "Ctrl-C ends it.\n") })
	return j
}

// interrupt ends a job by Ctrl-C and returns its exit status.
func (j *job) interrupt(t *testing.T) int {
	t.Helper()
	if err := j.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	j.Wait() // its status says the same
	return j.ProcessState.ExitCode()
}

// await polls for what is to come.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s does not come", what)
		}
	}
}

// TestServeShows is what a newcomer sees.
func TestServeShows(t *testing.T) {
	s := newStation(t)
	serve := s.serve()
	s.send("Server restarts\nin five minutes.")
	if got := s.run("net", "send", "--config", s.conf, "--from", "boss", "HOST1", "-n", "--dashes", "are", "text"); got.code != 0 {
		t.Errorf("%+v", got)
	}
	await(t, "the second popup", func() bool { return strings.Count(serve.out.String(), "┘") == 2 })

	status := s.run("status")
	for _, want := range []string{
		fmt.Sprintf("messngr test, process %d, up ", serve.Process.Pid), "s, data in " + s.data + "\n",
		"Computer HOST1 in workgroup WORKGROUP, answers to:\n  HOST1<00>            unique  not known to any network\n" +
			"  HOST1<03>            unique  not known to any network\n  WORKGROUP<00>        group   not known to any network\n",
		fmt.Sprintf("open   messages over NetBIOS sessions (127.0.0.1:%d/tcp) on 127.0.0.1\n", s.port),
		"\n  connections  2\n  messages     2\n",
		"\noff    NetrSendMessage (:135/udp): enabled = true in [rpc] opens it\n",
	} {
		if !strings.Contains(status.out, want) {
			t.Errorf("status: %q is not in\n%s%s", want, status.out, status.err)
		}
	}
	var st struct {
		Version, Data, Computer string
		PID                     int
		Listeners               []struct {
			Name     string
			Open     bool
			Counters map[string]int
		}
	}
	if err := json.Unmarshal([]byte(s.run("status", "--json").out), &st); err != nil {
		t.Error(err)
	}
	if st.Version != "test" || st.Data != s.data || st.Computer != "HOST1" || st.PID != serve.Process.Pid ||
		len(st.Listeners) != 2 || !st.Listeners[0].Open || st.Listeners[1].Name != "rpc" || st.Listeners[1].Open || st.Listeners[0].Counters["messages"] != 2 {
		t.Errorf("status --json: %+v", st)
	}

	if code := serve.interrupt(t); code != 0 {
		t.Errorf("after Ctrl-C: exit status %d, %s", code, serve.err.String())
	}
	if _, err := os.Lstat(filepath.Join(s.data, "messngr.sock")); err == nil {
		t.Error("the socket is there after the end")
	}
	want := `┌─ Messenger Service ──────────────────────────────────────────┐
│ Message from HOST1 to HOST1 on DATE │
│                                                              │
│ Server restarts                                              │
│ in five minutes.                                             │
└──────────────────────────────────────────────────────────────┘
┌─ Messenger Service ──────────────────────────────────────────┐
│ Message from BOSS to HOST1 on DATE │
│                                                              │
│ -n --dashes are text                                         │
└──────────────────────────────────────────────────────────────┘
`
	got := dates.ReplaceAllString(serve.out.String(), "DATE")
	if got = regexp.MustCompile(`DATE *│`).ReplaceAllString(got, "DATE │"); got != want {
		t.Errorf("shown:\n%s\nwant:\n%s", got, want)
	}
	if want := fmt.Sprintf(`messngr test, data in %s
  open   messages over NetBIOS sessions (127.0.0.1:%d/tcp) on 127.0.0.1
  open   this computer's commands on %[1]s/messngr.sock
Answers to HOST1<00>, HOST1<03>, WORKGROUP<00> (group).
Send to it:
  messngr net send --port %[2]d 127.0.0.1 "Hello"         from here
  echo Hello | smbclient -M HOST1 -I 127.0.0.1 -p %[2]d   from Samba
Ctrl-C ends it.
`, s.data, s.port); serve.err.String() != want {
		t.Errorf("said:\n%s\nwant:\n%s", serve.err.String(), want)
	}
}

// TestInbox: one line or one object a message, all or the last, and then what
// comes.
func TestInbox(t *testing.T) {
	s := newStation(t)
	s.serve()
	s.send("one")
	s.send("two\nlines")

	lines := dates.ReplaceAllString(s.run("inbox").out, "DATE")
	if want := "DATE  HOST1 to HOST1 (127.0.0.1): one\nDATE  HOST1 to HOST1 (127.0.0.1): two ⏎ lines\n"; lines != want {
		t.Errorf("inbox:\n%swant:\n%s", lines, want)
	}
	entries := decode(t, s.run("inbox", "--json").out)
	if len(entries) != 2 {
		t.Fatalf("inbox --json: %v", entries)
	}
	for _, key := range []string{"id", "from", "to", "text", "transport", "source", "called", "calling", "provenance", "sent", "received", "state"} {
		if entries[0][key] == nil {
			t.Errorf("inbox --json lacks %s: %v", key, entries[0])
		}
	}
	for key, want := range map[string]string{
		"from": "HOST1", "to": "HOST1", "text": "two\nlines", "transport": "smb", "source": "127.0.0.1",
		"called": "HOST1<03>", "calling": "HOST1<03>", "provenance": "claimed", "state": "received",
	} {
		if entries[1][key] != want {
			t.Errorf("%s is %q, want %q", key, entries[1][key], want)
		}
	}
	id := entries[0]["id"].(string)
	if got := decode(t, s.run("inbox", "--json", "--after", id).out); len(got) != 1 || got[0]["text"] != "two\nlines" {
		t.Errorf("after the first: %v", got)
	}
	if got := decode(t, s.run("inbox", "--json", "--last", "1").out); len(got) != 1 || got[0]["text"] != "two\nlines" {
		t.Errorf("the last: %v", got)
	}
	if got := s.run("inbox", "--last", "0"); got != (result{}) {
		t.Errorf("the last 0: %+v", got)
	}
	unknown := "01a2080f-9dbf-7000-bb17-6b602aa0c0db"
	if got, want := s.run("inbox", "--after", unknown), (result{err: "messngr: after: unknown message " + unknown + "\n", code: 1}); got != want {
		t.Errorf("after one that is not there: %+v", got)
	}
	// head goes when it has enough; nobody complains.
	cut := exec.Command("sh", "-c", `"$0" inbox --json | head -n 1`, s.command().Path)
	cut.Env = s.command().Env
	if got := run(t, cut); got.code != 0 || got.err != "" || strings.Count(got.out, "\n") != 1 {
		t.Errorf("into head: %+v", got)
	}

	watch := start(t, s.command("inbox", "--watch", "--last", "1"))
	await(t, "the last line", func() bool { return strings.HasSuffix(watch.out.String(), "two ⏎ lines\n") })
	s.send("three")
	await(t, "the next line", func() bool { return strings.HasSuffix(watch.out.String(), ": three\n") })
	if code := watch.interrupt(t); code != 0 || watch.err.String() != "" || strings.Count(watch.out.String(), "\n") != 2 {
		t.Errorf("inbox --watch: exit status %d, %q, %s", code, watch.out.String(), watch.err.String())
	}
}

// TestWatchEndsWithTheService: the watcher says why it ends, and fails.
func TestWatchEndsWithTheService(t *testing.T) {
	s := newStation(t)
	serve := s.serve()
	s.send("x")
	watch := start(t, s.command("inbox", "--watch", "--json"))
	await(t, "the line", func() bool { return strings.HasSuffix(watch.out.String(), "\n") })
	if code := serve.interrupt(t); code != 0 {
		t.Errorf("serve: exit status %d", code)
	}
	watch.Wait() // its status says the same
	if code := watch.ProcessState.ExitCode(); code != 1 || watch.err.String() != "messngr: the service has stopped\n" {
		t.Errorf("inbox --watch: exit status %d, %q", code, watch.err.String())
	}
}

// TestKilled: what was acknowledged outlives kill -9, and what was left behind
// is in nobody's way.
func TestKilled(t *testing.T) {
	s := newStation(t)
	serve := s.serve()
	s.send("before")
	serve.Process.Kill()
	serve.Wait()
	if got := s.run("inbox"); got != noService(s.data) {
		t.Errorf("without a service: %+v", got)
	}
	s.serve()
	s.send("after")
	var texts []string
	for _, e := range decode(t, s.run("inbox", "--json").out) {
		texts = append(texts, e["text"].(string))
	}
	if got := strings.Join(texts, " "); got != "before after" {
		t.Errorf("kept: %s", got)
	}
}

// TestOneServiceForAData: the second is refused and the first goes on.
func TestOneServiceForAData(t *testing.T) {
	s := newStation(t)
	s.serve()
	got := s.run("serve", "--config", s.conf)
	if want := (result{err: "messngr: store " + s.data + "/messngr.db: in use by another Messngr: stop it, or choose another data directory\n", code: 1}); got != want {
		t.Errorf("the second:\n got %+v\nwant %+v", got, want)
	}
	s.send("x")
	if got := s.run("inbox"); got.code != 0 || !strings.HasSuffix(got.out, ": x\n") {
		t.Errorf("the first: %+v", got)
	}
}

// TestReaderGoes: who shows the service through a pipe and ends it does not end
// the service.
func TestReaderGoes(t *testing.T) {
	s := newStation(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := s.command("serve", "--config", s.conf)
	cmd.Stdout = w
	serve := start(t, cmd)
	w.Close()
	r.Close()
	await(t, "the banner", func() bool { return strings.HasSuffix(serve.err.String(), "Ctrl-C ends it.\n") })
	s.send("one")
	await(t, "the log", func() bool { return strings.Contains(serve.err.String(), "messages are no longer shown here") })
	s.send("two")
	if got := decode(t, s.run("inbox", "--json").out); len(got) != 2 {
		t.Errorf("%v", got)
	}
	if err := serve.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := serve.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
}

// decode returns the objects of JSON lines.
func decode(t *testing.T, lines string) []map[string]any {
	t.Helper()
	var objects []map[string]any
	for line := range strings.Lines(lines) {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		objects = append(objects, object)
	}
	return objects
}
