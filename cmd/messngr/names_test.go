//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/messngr/messngr/internal/lab"
)

// The name service against those who know it best: Samba's own tests, nmbd and
// the tools that ask for names.

// hybrid are the lines with which a station uses a name server.
func hybrid(server *lab.Host) string {
	return fmt.Sprintf("[names]\nwins_servers = [%q]\n", server.Addr)
}

// A nameStatus is what status --json says of a name.
type nameStatus struct {
	Name   string
	States []struct{ Interface, Address, State, Server, Holder string }
}

// nameStates returns the states of the station's names, such as
// "HOST2<03> eth0 owned".
func (s *station) nameStates(t testing.TB) map[string]string {
	t.Helper()
	out := s.Run(t, s.program, "status", "--json", "--data", s.data)
	var st struct{ Names []nameStatus }
	if err := json.Unmarshal([]byte(out.Stdout), &st); err != nil {
		t.Fatalf("status: %v in %s%s", err, out.Stdout, out.Stderr)
	}
	states := map[string]string{}
	for _, n := range st.Names {
		for _, on := range n.States {
			states[n.Name+" "+on.Interface] = strings.TrimSpace(on.State + " " + on.Server + on.Holder)
		}
	}
	return states
}

// awaitState waits until a name is in a state.
func (s *station) awaitState(t testing.TB, name, want string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		got := s.nameStates(t)[name]
		if got == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is %q, want %q\n%s", name, got, want, s.Stderr())
		}
	}
}

// lookup asks with our own program and returns the answer's line.
func lookup(t testing.TB, from *lab.Host, args ...string) string {
	t.Helper()
	out := from.Run(t, lab.Build(t), append([]string{"lookup", "--config", os.DevNull}, args...)...)
	return out.Stdout + out.Stderr
}

// Samba's tests of a name's owner.
func TestSmbtortureRegister(t *testing.T) {
	t.Parallel()
	lan := lab.NewLAN(t)
	// The tests are about the name of a file server.
	h2, h3 := serve(t, lan.Host(t, 2, "HOST2"), "[names]\nextra = [\"HOST2#20\"]"), lan.Host(t, 3, "HOST3")
	h2.awaitState(t, "HOST2<20> eth0", "owned")
	capture := h3.Capture(t)
	for _, test := range []string{"nbt.register.register_own", "nbt.register.refresh_own"} {
		if said, err := h3.Smbtorture(t, "HOST2", h3.SMBConf(t), test); err != nil {
			t.Errorf("%v\n%s", err, said)
		}
	}
	capture.CheckClean(t, clean(h2.Host))
}

// Samba's tests of a name server.
func TestSmbtortureWINS(t *testing.T) {
	t.Parallel()
	lan := lab.NewLAN(t)
	h2, h3 := serve(t, lan.Host(t, 2, "HOST2"), "[wins]\nserve = true"), lan.Host(t, 3, "HOST3")
	capture := h3.Capture(t)
	if said, err := h3.Smbtorture(t, h2.Addr.String(), h3.SMBConf(t), "nbt.wins.wins"); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
	// Names that a shell would obey. All that it asks for must be granted; that
	// its own "wins hook" of Samba was not called is the one thing it may mind.
	said, err := h3.Smbtorture(t, h2.Addr.String(), h3.SMBConf(t), "nbt.wins.wins_bad_names")
	if err == nil || !strings.Contains(said, "wins hook failure") || strings.Contains(said, "tests for") || strings.Contains(said, "WARNING") ||
		strings.Count(said, "register the name with a wrong address") != 7 {
		t.Errorf("%v\n%s", err, said)
	}
	capture.CheckClean(t, clean(h2.Host))
}

// nmap reads our names and our hardware address.
func TestFoundByProbes(t *testing.T) {
	t.Parallel()
	lab.NeedProgram(t, "nmap", "nmap")
	lan := lab.NewLAN(t)
	h2, h3 := serve(t, lan.Host(t, 2, "HOST2"), `workgroup = "OFFICE"`), lan.Host(t, 3, "HOST3")
	h2.awaitState(t, "HOST2<03> eth0", "owned")
	out := h3.Run(t, "nmap", "-n", "-Pn", "-sU", "-p137", "--script", "nbstat.nse", "--script-args", "vulns.short", "-v", h2.Addr.String()).Stdout
	for _, want := range []string{"HOST2<00>", "HOST2<03>", "OFFICE<00>", h2.mac(t)} {
		if !strings.Contains(strings.ToLower(out), strings.ToLower(want)) {
			t.Errorf("nmap does not say %s:\n%s", want, out)
		}
	}
}

// mac returns the address of the host's interface.
func (s *station) mac(t testing.TB) string {
	t.Helper()
	out := s.Run(t, "cat", "/sys/class/net/eth0/address")
	return strings.TrimSpace(out.Stdout)
}

// nmbd has the name first: we say who has it, keep our other names, and take it
// when nmbd has gone.
func TestNameTakenByNMBD(t *testing.T) {
	t.Parallel()
	lan := lab.NewLAN(t)
	h2, h3 := lan.Host(t, 2, "SHARED"), lan.Host(t, 3, "HOST3")
	nmbd := h2.StartNMBD(t, h2.SMBConf(t))
	h3.Name = "SHARED"
	s := serve(t, h3, `aliases = ["MINE"]`)
	capture := h2.Capture(t)
	s.awaitState(t, "SHARED<03> eth0", "conflict 10.77.0.2")
	s.awaitState(t, "MINE<03> eth0", "owned")
	if !regexp.MustCompile(`SHARED<03>.*10\.77\.0\.2`).MatchString(s.Stderr()) {
		t.Errorf("it does not say who has the name:\n%s", s.Stderr())
	}
	if got := lookup(t, h2, "SHARED"); !strings.Contains(got, "10.77.0.2") || strings.Contains(got, "10.77.0.3") {
		t.Errorf("SHARED is\n%s", got)
	}
	out := netSend(t, h2, "", "MINE", "to the name that is free")
	if out.Code != 0 {
		t.Errorf("to MINE: %s", out.Stderr)
	}
	nmbd.Stop(t)
	// A change of the network is a reason to try at once.
	h3.Run(t, "ip", "address", "add", "10.77.0.33/24", "brd", "+", "dev", "eth0")
	s.awaitState(t, "SHARED<03> eth0", "owned")
	capture.CheckClean(t, clean(h3))
}

// We have the name first: nmbd does not get it, and we are found by it still.
func TestNameDefendedAgainstNMBD(t *testing.T) {
	t.Parallel()
	lan := lab.NewLAN(t)
	h2, h3, h4 := serve(t, lan.Host(t, 2, "SHARED")), lan.Host(t, 3, "SHARED"), lan.Host(t, 4, "HOST4")
	h2.awaitState(t, "SHARED<03> eth0", "owned")
	capture := h2.Capture(t)
	conf := h3.SMBConf(t)
	nmbd := h3.Start(t, "nmbd", "-F", "--debug-stdout", "-d1", "-s", conf)
	nmbd.WaitOutput(t, "name SHARED<") // "register_name_response: … rejected"
	h2.awaitState(t, "SHARED<03> eth0", "owned")
	out := h4.Run(t, "nmblookup", "-s", h4.SMBConf(t), "SHARED#03").Stdout
	if !strings.Contains(out, "10.77.0.2 SHARED<03>") || strings.Contains(out, "10.77.0.3 SHARED<03>") {
		t.Errorf("SHARED is\n%s", out)
	}
	capture.CheckClean(t, clean(h2.Host))
}

// Two segments that no broadcast crosses: they find each other through our name
// server, and so do nmbd and smbclient.
func TestWINSAcrossARouter(t *testing.T) {
	t.Parallel()
	near, far := lab.NewRouted(t)
	server := near.Host(t, 9, "WINS1")
	networks := "[guard]\nnetworks = [\"10.77.0.0/16\"]\n"
	w := serve(t, server, networks, "[wins]\nserve = true")
	h2 := serve(t, near.Host(t, 2, "HOST2"), networks, hybrid(server))
	h3 := serve(t, far.Host(t, 3, "HOST3"), networks, hybrid(server))
	h2.awaitState(t, "HOST2<03> eth0", "owned 10.77.0.9")
	h3.awaitState(t, "HOST3<03> eth0", "owned 10.77.0.9")
	capture := server.Capture(t)

	for _, pair := range [][2]*station{{h2, h3}, {h3, h2}} {
		from, to := pair[0], pair[1]
		out := from.Run(t, from.program, "net", "send", "--config", from.config, "--name", from.Name, to.Name, "through the router")
		if out.Code != 0 {
			t.Errorf("%s to %s: exit status %d\n%s%s", from.Name, to.Name, out.Code, out.Stdout, out.Stderr)
		}
		if all := to.inbox(t); len(all) != 1 || all[0].Called != to.Name+"<03>" {
			t.Errorf("%s got %+v", to.Name, all)
		}
	}

	// nmbd registers there, is found there, and finds others there.
	h4 := far.Host(t, 4, "SAMBA4")
	conf := h4.SMBConf(t, "wins server = "+server.Addr.String())
	h4.StartNMBD(t, conf)
	h5 := near.Host(t, 5, "HOST5")
	deadline := time.Now().Add(30 * time.Second)
	for !strings.Contains(lookup(t, h5, "--server", server.Addr.String(), "SAMBA4#20"), "10.77.1.4") {
		if time.Now().After(deadline) {
			t.Fatalf("SAMBA4 is not at the name server: %s", lookup(t, h5, "--server", server.Addr.String(), "SAMBA4#20"))
		}
		time.Sleep(200 * time.Millisecond)
	}
	out := h5.Run(t, "nmblookup", "-s", h5.SMBConf(t), "-R", "--unicast="+server.Addr.String(), "HOST2#03").Stdout
	if !strings.Contains(out, "10.77.0.2 HOST2<03>") {
		t.Errorf("nmblookup found\n%s", out)
	}
	if _, err := h4.Smbclient(t, "HOST2", "from Samba", "-R", "wins", "--option=wins server="+server.Addr.String()); err != nil {
		t.Error(err)
	}
	capture.CheckClean(t, clean(server))

	// Its administrator sees who has registered what.
	listed := w.Run(t, w.program, "wins", "--data", w.data).Stdout
	for _, want := range []string{`HOST2<03> +unique +active +[-0-9]+ [:0-9]+ +10\.77\.0\.2`, `SAMBA4<20> +unique +active +[-0-9]+ [:0-9]+ +10\.77\.1\.4`, `WORKGROUP<00> +group +active`} {
		if !regexp.MustCompile(want).MatchString(listed) {
			t.Errorf("%s is not in the list of the name server:\n%s", want, listed)
		}
	}

	// What was granted survives the end of the server, whatever its kind.
	w.Kill()
	w.Stop(t)
	w.start(t)
	if got := lookup(t, h5, "--server", server.Addr.String(), "HOST3#03"); !strings.Contains(got, "10.77.1.3") {
		t.Errorf("after a kill, HOST3 is\n%s", got)
	}
	// A name that is released is not found any more.
	h3.Stop(t)
	if got := lookup(t, h5, "--server", server.Addr.String(), "HOST3#03"); strings.Contains(got, "10.77.1.3") {
		t.Errorf("after its release, HOST3 is\n%s", got)
	}
}

// Two stations on different segments want one name: the name server has the
// second wait while it asks the first, and gives it the name when the first has
// died without a word.
func TestNameTakenAcrossARouter(t *testing.T) {
	t.Parallel()
	near, far := lab.NewRouted(t)
	server := near.Host(t, 9, "WINS1")
	networks := "[guard]\nnetworks = [\"10.77.0.0/16\"]\n"
	w := serve(t, server, networks, "[wins]\nserve = true")
	first := serve(t, near.Host(t, 2, "SHARED"), networks, hybrid(server))
	first.awaitState(t, "SHARED<03> eth0", "owned 10.77.0.9")
	capture := server.Capture(t)
	second := serve(t, far.Host(t, 3, "SHARED"), `aliases = ["MINE"]`, networks, hybrid(server))
	second.awaitState(t, "MINE<03> eth0", "owned 10.77.0.9")
	second.awaitState(t, "SHARED<03> eth0", "conflict 10.77.0.2")
	says := regexp.MustCompile(`SHARED<03>.*belongs to 10\.77\.0\.2 \(SHARED<00>, SHARED<03>, WORKGROUP<00>, ` + first.mac(t) + `\)`)
	if !says.MatchString(second.Stderr()) {
		t.Errorf("it does not say who has the name:\n%s", second.Stderr())
	}
	if got := w.counters(t, "names")["wins_challenges_lost"]; got < 2 {
		t.Errorf("%d claims were lost, want those of <00> and <03>", got)
	}

	first.Kill()
	first.Stop(t)
	// A change of the network is a reason to try at once.
	second.Run(t, "ip", "address", "add", "10.77.1.33/24", "brd", "+", "dev", "eth0")
	second.awaitState(t, "SHARED<03> eth0", "owned 10.77.0.9")
	if got := lookup(t, server, "--server", "127.0.0.1", "SHARED"); !strings.Contains(got, "10.77.1.3") || strings.Contains(got, "10.77.0.2") {
		t.Errorf("SHARED is\n%s", got)
	}
	capture.CheckClean(t, clean(server))
}

// We register with nmbd's name server and find others through it.
func TestWithNMBDsWINS(t *testing.T) {
	t.Parallel()
	near, far := lab.NewRouted(t)
	server := near.Host(t, 9, "SAMBA9")
	server.StartNMBD(t, server.SMBConf(t, "wins support = yes"))
	networks := "[guard]\nnetworks = [\"10.77.0.0/16\"]\n"
	h2 := serve(t, near.Host(t, 2, "HOST2"), networks, hybrid(server))
	h3 := serve(t, far.Host(t, 3, "HOST3"), networks, hybrid(server))
	capture := server.Capture(t)
	h2.awaitState(t, "HOST2<03> eth0", "owned 10.77.0.9")
	h3.awaitState(t, "HOST3<03> eth0", "owned 10.77.0.9")
	out := h2.Run(t, h2.program, "net", "send", "--config", h2.config, "HOST3", "through nmbd's table")
	if out.Code != 0 || len(h3.inbox(t)) != 1 {
		t.Errorf("exit status %d\n%s%s", out.Code, out.Stdout, out.Stderr)
	}
	h3.Stop(t)
	if got := lookup(t, h2.Host, "--server", server.Addr.String(), "HOST3#03"); strings.Contains(got, "10.77.1.3") {
		t.Errorf("after its release, HOST3 is\n%s", got)
	}
	capture.CheckClean(t, clean(h2.Host)+" || "+clean(h3.Host))
}

// net name: added, at once on the wire, kept over a restart, deleted.
func TestNetName(t *testing.T) {
	t.Parallel()
	lan := lab.NewLAN(t)
	h2, h3 := serve(t, lan.Host(t, 2, "HOST2"), `aliases = ["UPS"]`), lan.Host(t, 3, "HOST3")
	h2.awaitState(t, "HOST2<03> eth0", "owned")
	name := func(s *station, args ...string) lab.Output {
		return s.Run(t, s.program, append([]string{"net", "name", "--data", s.data}, args...)...)
	}
	if out := name(h2, "alice"); out.Code != 0 || out.Stdout != "The message name ALICE was added successfully.\n" {
		t.Fatalf("exit status %d\n%s%s", out.Code, out.Stdout, out.Stderr)
	}
	if got := lookup(t, h3, "ALICE"); !strings.Contains(got, "10.77.0.2") {
		t.Errorf("ALICE is\n%s", got)
	}
	h2.Kill()
	h2.Stop(t)
	h2.start(t)
	want := "\nName\n" + strings.Repeat("-", 79) + "\nHOST2\nUPS\nALICE\nThe command completed successfully.\n\n"
	h2.awaitState(t, "ALICE<03> eth0", "owned")
	if out := name(h2); out.Stdout != want {
		t.Errorf("got %q, want %q", out.Stdout, want)
	}
	if out := netSend(t, h3, "", "ALICE", "to a name that was added"); out.Code != 0 {
		t.Errorf("to ALICE: %s", out.Stderr)
	}

	// Another station cannot have it.
	s3 := serve(t, h3)
	s3.awaitState(t, "HOST3<03> eth0", "owned")
	for _, tt := range []struct {
		on     *station
		args   []string
		number string
		says   string
	}{
		{h2, []string{"ALICE", "/add"}, "2276", "ALICE is a name of this computer already"},
		{h2, []string{"HOST2", "/delete"}, "2278", "computer name"},
		{h2, []string{"NOBODY", "/DELETE"}, "2285", "NOBODY is no name of this computer"},
		{s3, []string{"ALICE"}, "2297", "10.77.0.2"},
	} {
		out := name(tt.on, tt.args...)
		if out.Code != 1 || out.Stdout != "" || !strings.Contains(out.Stderr, "NET HELPMSG "+tt.number+".") || !strings.Contains(out.Stderr, tt.says) {
			t.Errorf("%v: exit status %d\n%s%s", tt.args, out.Code, out.Stdout, out.Stderr)
		}
	}
	if out := name(h2, "ALICE", "/delete"); out.Code != 0 || out.Stdout != "ALICE was deleted successfully.\n" {
		t.Errorf("exit status %d\n%s%s", out.Code, out.Stdout, out.Stderr)
	}
	if got := lookup(t, h3, "ALICE"); !strings.Contains(got, "ALICE<03> was not found") {
		t.Errorf("ALICE is still\n%s", got)
	}
	// Now it is free for the other.
	if out := name(s3, "ALICE"); out.Code != 0 {
		t.Errorf("exit status %d\n%s%s", out.Code, out.Stdout, out.Stderr)
	}
}

// A cable that comes later, that is pulled out and put in again, a new address:
// the names follow.
func TestNamesFollowTheNetwork(t *testing.T) {
	t.Parallel()
	lan := lab.NewLAN(t)
	h2, h3 := lan.Host(t, 2, "HOST2"), lan.Host(t, 3, "HOST3")
	h2.Run(t, "ip", "link", "set", "eth0", "down")
	s := serve(t, h2)
	if got := s.nameStates(t)["HOST2<03> eth0"]; got != "" {
		t.Errorf("without a network the name is %q", got)
	}
	h2.Run(t, "ip", "link", "set", "eth0", "up")
	s.awaitState(t, "HOST2<03> eth0", "owned")
	if got := lookup(t, h3, "HOST2"); !strings.Contains(got, "10.77.0.2") {
		t.Errorf("HOST2 is\n%s", got)
	}
	h2.PullCable(t)
	s.awaitState(t, "HOST2<03> eth0", "")
	if out := s.Run(t, s.program, "status", "--data", s.data).Stdout; !strings.Contains(out, "HOST2<03>            unique  not known to any network\n") {
		t.Errorf("without a cable the status is\n%s", out)
	}
	h2.PlugIn(t)
	s.awaitState(t, "HOST2<03> eth0", "owned")
	h2.Run(t, "ip", "address", "delete", "10.77.0.2/24", "dev", "eth0")
	h2.Run(t, "ip", "address", "add", "10.77.0.22/24", "brd", "+", "dev", "eth0")
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		got := lookup(t, h3, "HOST2")
		if strings.Contains(got, "10.77.0.22") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("after the change of its address HOST2 is\n%s", got)
		}
	}
}
