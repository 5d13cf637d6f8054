//go:build unix

package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/internal/api"
	"github.com/messngr/messngr/internal/hub"
	"github.com/messngr/messngr/internal/store"
)

// withNames opens the door of [names] on a port of loopback, with a name server
// behind it, and returns its address. There is no link there, so that a name is
// owned as soon as it is claimed.
func (s *station) withNames() string {
	s.t.Helper()
	conn, err := net.ListenPacket("udp4", fmt.Sprintf("127.0.0.1:%d", s.port))
	if err != nil {
		s.t.Fatal(err)
	}
	addr := conn.LocalAddr().String()
	conn.Close()
	conf, err := os.ReadFile(s.conf)
	if err != nil {
		s.t.Fatal(err)
	}
	const closed = "[names]\nlisten = ''\n"
	if strings.Count(string(conf), closed) != 1 {
		s.t.Fatalf("%q does not stand in\n%s", closed, conf)
	}
	writeFile(s.t, s.conf, strings.Replace(string(conf), closed, "[names]\nlisten = '"+addr+"'\n[wins]\nserve = true\n", 1))
	return addr
}

// names is net name, for this station.
func (s *station) names(args ...string) result {
	s.t.Helper()
	return s.run(append([]string{"net", "name"}, args...)...)
}

// listed is what net name says of lines, as Windows does.
func listed(lines ...string) result {
	return result{out: "\nName\n" + strings.Repeat("-", 79) + "\n" + strings.Join(append(lines, "The command completed successfully."), "\n") + "\n\n"}
}

// refusal is what net name says of a number: first as Windows does, then which
// name it is about.
func refusal(number messngr.NERR, ours string) result {
	text, _ := number.Text()
	return result{err: fmt.Sprintf("%s\n\nMore help is available by typing NET HELPMSG %d.\n\nmessngr: %s\n", text, number, ours), code: 1}
}

// TestNetName: names are listed, added and deleted as Windows does it, are on
// the wire at once, and are kept over a restart and a kill.
func TestNetName(t *testing.T) {
	s := newStation(t)
	addr := s.withNames()
	aliases, err := os.ReadFile(s.conf)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, s.conf, "aliases = ['ups']\n"+string(aliases))
	serve := s.serve()
	onWire := func(name, want string) {
		t.Helper()
		got := s.run("lookup", "--config", s.conf, "--server", addr, name)
		if want == "" && (got.code != 1 || got.out != "") || want != "" && !strings.HasPrefix(got.out, want+" ") {
			t.Errorf("lookup %s: %+v, want %q", name, got, want)
		}
	}
	added := func(name string) result {
		return result{out: "The message name " + name + " was added successfully.\n"}
	}
	for _, tt := range []struct {
		args []string
		want result
	}{
		{nil, listed("HOST1", "UPS")},
		{[]string{"alice"}, added("ALICE")},
		{[]string{"Bob", "/add"}, added("BOB")},
		{[]string{"Bob Smith", "/ADD"}, added("BOB SMITH")},
		{[]string{"müller"}, added("MÜLLER")},
		{[]string{" carol ", "/add"}, added("CAROL")},
		{nil, listed("HOST1", "UPS", "ALICE", "BOB", "BOB SMITH", "MÜLLER", "CAROL")},
		{[]string{"ALICE"}, refusal(2276, "ALICE is a name of this computer already")},
		{[]string{"alice", "/ADD"}, refusal(2276, "ALICE is a name of this computer already")},
		{[]string{"host1"}, refusal(2276, "HOST1 is a name of this computer already")},
		{[]string{"ups"}, refusal(2276, "UPS is a name of this computer already")},
		{[]string{"host1", "/delete"}, refusal(2278, "HOST1 is the computer name: it is changed in the configuration")},
		{[]string{"nobody", "/delete"}, refusal(2285, "NOBODY is no name of this computer")},
		{[]string{"workgroup", "/delete"}, refusal(2285, "WORKGROUP is no name of this computer")},
		{[]string{"ups", "/delete"}, result{err: "messngr: not a name that can be deleted: UPS stands in the configuration; take it out of aliases there\n", code: 1}},
		{[]string{" carol ", "/Delete"}, result{out: "CAROL was deleted successfully.\n"}},
		{[]string{"carol", "/delete"}, refusal(2285, "CAROL is no name of this computer")},
		{[]string{"müller", "/delete"}, result{out: "MÜLLER was deleted successfully.\n"}},
		{nil, listed("HOST1", "UPS", "ALICE", "BOB", "BOB SMITH")},
	} {
		if got := s.names(tt.args...); got != tt.want {
			t.Errorf("net name %q:\n got %+v\nwant %+v", tt.args, got, tt.want)
		}
	}
	onWire("ALICE", "127.0.0.1")
	onWire("CAROL", "")

	// As on Windows, by the name of net and in any case.
	bob := command(t, s.data, "net", "NAME", "bob", "/DELETE")
	if got := run(t, bob); got != (result{out: "BOB was deleted successfully.\n"}) {
		t.Errorf("net NAME: %+v", got)
	}
	onWire("BOB", "")

	for _, end := range []func(){
		func() { serve.interrupt(t) },
		func() { serve.Process.Kill(); serve.Wait() },
	} {
		end()
		serve = s.serve()
		if got := s.names(); got != listed("HOST1", "UPS", "ALICE", "BOB SMITH") {
			t.Errorf("after a restart: %+v", got)
		}
		onWire("ALICE", "127.0.0.1")
		onWire("BOB", "")
		if !strings.Contains(serve.err.String(), "Answers to HOST1<00>, HOST1<03>, WORKGROUP<00> (group), UPS<03>, ALICE<03>, BOB SMITH<03>.\n") {
			t.Errorf("the service does not say its names:\n%s", serve.err.String())
		}
	}
	s.send("x") // the door for messages is there too
}

// TestNetNameTakesMessages: a name that was added is one that messages can be
// sent to, until it is deleted.
func TestNetNameTakesMessages(t *testing.T) {
	s := newStation(t)
	writeFile(t, filepath.Join(s.data, "lmhosts"), "127.0.0.1 HOST1\n127.0.0.1 ALICE\n")
	s.withNames()
	s.serve()
	send := func() result { return s.run("net", "send", "--config", s.conf, "ALICE", "hello") }
	if got := send(); got.code != 1 {
		t.Errorf("before it is added: %+v", got)
	}
	if got := s.names("ALICE"); got.code != 0 {
		t.Fatalf("%+v", got)
	}
	if got := send(); got.code != 0 || got.err != "" {
		t.Errorf("%+v", got)
	}
	if all := decode(t, s.run("inbox", "--json").out); len(all) != 1 || all[0]["called"] != "ALICE<03>" {
		t.Errorf("inbox: %v", all)
	}
	if got := s.names("ALICE", "/delete"); got.code != 0 {
		t.Fatalf("%+v", got)
	}
	if got := send(); got.code != 1 {
		t.Errorf("after it was deleted: %+v", got)
	}
}

// TestNetNameBadNames: what cannot be a name is refused in one line, and
// nothing is kept of it.
func TestNetNameBadNames(t *testing.T) {
	s := newStation(t)
	s.withNames()
	s.serve()
	for name, want := range map[string]string{
		"":                 "not a name: the name is empty",
		"   ":              "not a name: the name is empty",
		"ABCDEFGHIJKLMNOP": `not a name: invalid NetBIOS name "ABCDEFGHIJKLMNOP": 16 bytes, at most 15 fit`,
		"*":                `not a name: "*": a name has none of \ / : * ? " < > |`,
		"A:B":              `not a name: "A:B": a name has none of \ / : * ? " < > |`,
		"A/B":              `not a name: "A/B": a name has none of \ / : * ? " < > |`,
		"A<03>":            `not a name: "A<03>": a name has none of \ / : * ? " < > |`,
		"A\x1b[31mB":       `not a name: name "A\x1b[31mB": "\x1b" cannot be part of a name`,
		"A\nB":             `not a name: name "A\nB": "\n" cannot be part of a name`,
		"漢字":               `not a name: name "漢字": code page 850 has no '漢' (U+6F22)`,
	} {
		for _, more := range [][]string{nil, {"/add"}, {"/delete"}} {
			got := s.names(append([]string{name}, more...)...)
			if want := (result{err: "messngr: " + want + "\n", code: 1}); got != want {
				t.Errorf("net name %q %q:\n got %+v\nwant %+v", name, more, got, want)
			}
		}
	}
	if got := s.names(); got != listed("HOST1") {
		t.Errorf("after all of these: %+v", got)
	}
}

// TestNetNameOddNames: what can be added can be deleted, although it does not
// look like a name.
func TestNetNameOddNames(t *testing.T) {
	s := newStation(t)
	s.withNames()
	s.serve()
	for _, name := range []string{".", "..", "%", "%41", "#", "A B", "A+B", "A;B", "A&B=C", "-A", "é", "~{}[]()!$'@^_`"} {
		if got := s.names("--", name); got.code != 0 {
			t.Errorf("%s: %+v", name, got)
			continue
		}
		upper := strings.ToUpper(name)
		if got, want := s.names("--", name, "/delete"), (result{out: upper + " was deleted successfully.\n"}); got != want {
			t.Errorf("%s /delete: got %+v, want %+v", name, got, want)
		}
	}
	if got := s.names(); got != listed("HOST1") {
		t.Errorf("what is left: %+v", got)
	}
}

// TestNetNameTooMany: the list of names has an end.
func TestNetNameTooMany(t *testing.T) {
	s := newStation(t)
	s.withNames()
	s.serve()
	want := []string{"HOST1"}
	for i := range 16 {
		name := fmt.Sprintf("NAME%02d", i)
		want = append(want, name)
		if got := s.names(name); got.code != 0 {
			t.Fatalf("%s: %+v", name, got)
		}
	}
	if got, want := s.names("ONE MORE"), refusal(2277, "16 names have been added, which is the most: delete one first"); got != want {
		t.Errorf("one more:\n got %+v\nwant %+v", got, want)
	}
	if got := s.names(); got != listed(want...) {
		t.Errorf("%+v", got)
	}
	if got := s.names("NAME07", "/delete"); got.code != 0 {
		t.Errorf("%+v", got)
	}
	if got := s.names("ONE MORE"); got.code != 0 {
		t.Errorf("when there is room again: %+v", got)
	}
}

// TestNetNameUnheard: without a name service a name is kept, and it is said that
// nobody can find it.
func TestNetNameUnheard(t *testing.T) {
	s := newStation(t)
	const warning = "not known to the network: the name service is not open"
	for _, args := range [][]string{nil, {"ALICE"}, {"ALICE", "/delete"}, {"--json"}} {
		want := refusal(2284, strings.TrimSuffix(strings.TrimPrefix(noService(s.data).err, "messngr: "), "\n"))
		if got := s.names(args...); got != want {
			t.Errorf("net name %q without a service:\n got %+v\nwant %+v", args, got, want)
		}
	}
	s.serve()
	if got, want := s.names("ALICE"), (result{out: "The message name ALICE was added successfully.\n", err: "messngr: " + warning + "\n"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := s.names(); got != listed("HOST1  "+warning, "ALICE  "+warning) {
		t.Errorf("%+v", got)
	}
	if got := s.names("--json"); got.code != 0 || got.err != "" || !cmp.Equal(decode(t, got.out), []map[string]any{
		{"name": "HOST1", "origin": "computer", "warning": warning},
		{"name": "ALICE", "origin": "command", "warning": warning},
	}) {
		t.Errorf("--json: %+v", got)
	}
}

// A fakeService has the names that a test wants.
type fakeService struct {
	all []api.Alias

	mu    sync.Mutex
	alias api.Alias // what AddAlias returns
	err   error     // or what it and DeleteAlias do
}

func (f *fakeService) Aliases() []api.Alias { return f.all }

func (f *fakeService) AddAlias(context.Context, string) (api.Alias, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.alias, f.err
}

func (f *fakeService) DeleteAlias(ctx context.Context, _ string) error {
	_, err := f.AddAlias(ctx, "")
	return err
}

// answer has it answer so from now on.
func (f *fakeService) answer(alias api.Alias, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.alias, f.err = alias, err
}

// serveFake serves it in a data directory until the test ends.
func serveFake(t *testing.T, f *fakeService) (data string) {
	t.Helper()
	data = t.TempDir()
	ln, err := api.Listen(data)
	if err != nil {
		t.Fatal(err)
	}
	h := hub.New()
	server := api.New(ln, api.Config{
		Store: store.NewMemory(store.Config{Committed: h.Publish}), Hub: h, Names: f, Log: slog.New(slog.DiscardHandler),
		Status: func() api.Status { return api.Status{} },
		Post:   func(context.Context, api.Draft) (messngr.ID, error) { return messngr.ID{}, errors.New("not here") },
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	<-server.Ready()
	return data
}

// netName is net name for the service in data.
func netName(t *testing.T, data string, args ...string) result {
	t.Helper()
	return run(t, command(t, data, "messngr", append([]string{"net", "name"}, args...)...))
}

// on is a state on one of two interfaces.
func on(n int, state string) api.NameState {
	return api.NameState{Interface: fmt.Sprintf("eth%d", n), Address: fmt.Sprintf("10.77.%d.2", n), State: state}
}

// TestNetNameStates: beside a name stands what is not as it should be, on each
// network where it is not.
func TestNetNameStates(t *testing.T) {
	granted, taken, refused := on(0, "owned"), on(1, "conflict"), on(0, "conflict")
	granted.Server = "10.77.0.9"
	taken.Holder, taken.HeldAs, taken.HolderMAC, taken.RetryIn = "10.77.1.3", []string{"BOB<00>", "BOB<03>"}, "02:00:00:00:00:03", 15
	refused.RetryIn = 240
	data := serveFake(t, &fakeService{all: []api.Alias{
		{Name: "HOST1", Origin: api.OfComputer, States: []api.NameState{granted, on(1, "owned")}},
		{Name: "UPS", Origin: api.OfConfiguration, States: []api.NameState{on(0, "claiming"), on(1, "released")}},
		{Name: "BOB", Origin: api.OfCommand, States: []api.NameState{on(0, "owned"), taken}},
		{Name: "CAROL", Origin: api.OfCommand, States: []api.NameState{refused}},
		{Name: "DAVE", Origin: api.OfCommand},
	}})
	if got, want := netName(t, data), listed(
		"HOST1",
		"UPS    claiming on eth0 (10.77.0.2); released on eth1 (10.77.1.2)",
		"BOB    conflict on eth1 (10.77.1.2): 10.77.1.3 has it (BOB<00>, BOB<03>, 02:00:00:00:00:03), tried again in 15 s",
		"CAROL  conflict on eth0 (10.77.0.2), tried again in 240 s",
		"DAVE",
	); got != want {
		t.Errorf("got %s\nwant %s%s", got.out, want.out, got.err)
	}
	got := netName(t, data, "--json")
	objects := decode(t, got.out)
	if got.code != 0 || got.err != "" || len(objects) != 5 {
		t.Fatalf("--json: %+v", got)
	}
	if diff := cmp.Diff([]any{
		map[string]any{"interface": "eth0", "address": "10.77.0.2", "state": "owned"},
		map[string]any{"interface": "eth1", "address": "10.77.1.2", "state": "conflict", "holder": "10.77.1.3", "held_as": []any{"BOB<00>", "BOB<03>"}, "holder_mac": "02:00:00:00:00:03", "retry_in_s": 15.},
	}, objects[2]["states"]); diff != "" {
		t.Errorf("--json: -want +got:\n%s", diff)
	}
	if objects[0]["states"].([]any)[0].(map[string]any)["server"] != "10.77.0.9" {
		t.Errorf("--json does not say who granted it: %v", objects[0])
	}
	// Words that can come next: only names that can be deleted are offered.
	for line, want := range map[string]string{
		"net name ":      "BOB\nCAROL\nDAVE\n:4\n",
		"net name BOB ":  "/add\n/delete\n:4\n",
		"net name A / ":  ":4\n",
		"net name --js":  "--json\tlist as JSON, one object a line\n:4\n",
		"net name BOB /": "/add\n/delete\n:4\n",
	} {
		args := append([]string{"__complete"}, strings.Split(line, " ")...)
		if got := run(t, command(t, data, "messngr", args...)); got.code != 0 || got.out != want {
			t.Errorf("%q is completed by %q, want %q", line, got.out, want)
		}
	}
}

// TestNetNameRefused: the number of the service is said in Windows' words, with
// what it is about in ours, and the exit status is 1.
func TestNetNameRefused(t *testing.T) {
	f := &fakeService{}
	data := serveFake(t, f)
	const whose = "the name ALICE<03> belongs to 10.77.0.2 (HOST2<00>, ALICE<03>) on eth0"
	for _, tt := range []struct {
		err  error
		want result
	}{
		{fmt.Errorf("%s%w", whose, empty{2297}), refusal(2297, whose)},
		{fmt.Errorf("too many%w", empty{2277}), refusal(2277, "too many")},
		{fmt.Errorf("not from all%w", empty{2299}), refusal(2299, "not from all")},
		{errors.New("ALICE was not added: disk full\nor so"), result{err: "messngr: ALICE was not added: disk full; or so\n", code: 1}},
	} {
		f.answer(api.Alias{}, tt.err)
		for _, args := range [][]string{{"ALICE"}, {"ALICE", "/add"}, {"ALICE", "/delete"}, {"ALICE", "--json"}} {
			if got := netName(t, data, args...); got != tt.want {
				t.Errorf("%q:\n got %+v\nwant %+v", args, got, tt.want)
			}
		}
	}
	f.answer(api.Alias{Name: "ALICE", Origin: api.OfCommand, States: []api.NameState{on(0, "owned")}}, nil)
	if got := netName(t, data, "alice", "--json"); got.code != 0 || got.err != "" ||
		got.out != `{"name":"ALICE","origin":"command","states":[{"interface":"eth0","address":"10.77.0.2","state":"owned"}]}`+"\n" {
		t.Errorf("--json: %+v", got)
	}
	// It is kept, but nobody finds it yet.
	waiting := on(0, "claiming")
	waiting.RetryIn = 15
	f.answer(api.Alias{Name: "ALICE", Origin: api.OfCommand, States: []api.NameState{waiting}}, nil)
	if got, want := netName(t, data, "alice"), (result{
		out: "The message name ALICE was added successfully.\n", err: "messngr: claiming on eth0 (10.77.0.2), tried again in 15 s\n",
	}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// An empty is a number without a text of its own.
type empty struct{ messngr.NERR }

func (empty) Error() string   { return "" }
func (e empty) Unwrap() error { return e.NERR }

// TestNetNameUsage: what is not a call of net name exits with 2 and asks nobody.
func TestNetNameUsage(t *testing.T) {
	for _, tt := range []struct {
		args string
		want string
	}{
		{"/delete", "the NAME is missing before /delete"},
		{"/add ALICE", `"ALICE" is neither /add nor /delete`},
		{"ALICE BOB", `"BOB" is neither /add nor /delete`},
		{"ALICE /add /delete", `"/delete" is one word too many`},
		{"ALICE /frob", `"/frob" is neither /add nor /delete`},
		{"--frob", "unknown flag: --frob"},
		{"--json=x", `--json "x": it takes true, false or nothing`},
	} {
		want := result{err: "messngr: " + tt.want + "; see messngr net name --help\n", code: 2}
		if got := netName(t, t.TempDir(), strings.Fields(tt.args)...); got != want {
			t.Errorf("%s:\n got %+v\nwant %+v", tt.args, got, want)
		}
	}
}

// TestNamePages: the commands of the name service have help, a manual page and
// completion as the others do.
func TestNamePages(t *testing.T) {
	dir := t.TempDir()
	if got := run(t, command(t, t.TempDir(), "messngr", "man", dir)); got.code != 0 {
		t.Fatal(got.err)
	}
	for _, tt := range []struct {
		command string
		flags   []string
	}{
		{"net name", []string{"config", "data", "json"}},
		{"wins", []string{"config", "data", "json"}},
		{"lookup", []string{"config", "status", "group", "server", "timeout", "rate", "tries", "port", "json"}},
	} {
		file := "messngr-" + strings.ReplaceAll(tt.command, " ", "-") + ".1"
		page, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Error(err)
			continue
		}
		if title := `.TH "` + strings.ToUpper(strings.TrimSuffix(file, ".1")) + `" "1"`; !strings.Contains(string(page), title) {
			t.Errorf("%s lacks %s", file, title)
		}
		help := run(t, command(t, t.TempDir(), "messngr", append(strings.Fields(tt.command), "--help")...))
		if help.code != 0 || help.err != "" || !strings.Contains(help.out, "\nExamples:\n") {
			t.Errorf("%s --help: %+v", tt.command, help)
		}
		args := append([]string{"__complete"}, append(strings.Fields(tt.command), "--")...)
		words := run(t, command(t, t.TempDir(), "messngr", args...)).out
		for _, flag := range tt.flags {
			if !strings.Contains(help.out, "--"+flag+" ") || !strings.Contains(words, "--"+flag+"\t") && !strings.Contains(words, "--"+flag+"=\t") || !strings.Contains(string(page), `--`+flag) {
				t.Errorf("%s: --%s is not in the help, the page and the completion\n%s%s", tt.command, flag, help.out, words)
			}
		}
	}
	root := run(t, command(t, t.TempDir(), "messngr")).out
	if !slices.ContainsFunc(strings.Split(root, "\n"), func(l string) bool { return strings.HasPrefix(l, "  lookup ") }) {
		t.Errorf("lookup is not among the commands:\n%s", root)
	}
}
