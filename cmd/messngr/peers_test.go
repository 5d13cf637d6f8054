//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/messngr/messngr/internal/lab"
)

// A real smbclient finds us by name, and by address, and we have what it said.
func TestFromSmbclient(t *testing.T) {
	t.Parallel()
	lan := lab.NewLAN(t)
	h2, h3 := serve(t, lan.Host(t, 2, "HOST2")), lan.Host(t, 3, "HOST3")
	capture := h3.Capture(t)

	var want []entry
	for _, how := range [][]string{nil, {"-I", h2.Addr.String()}} {
		for _, tt := range texts {
			if _, err := h3.Smbclient(t, "HOST2", tt.text, how...); err != nil {
				t.Errorf("%s %v: %v", tt.name, how, err)
			}
			want = append(want, entry{
				From: "alice", To: "HOST2", Text: tt.text, Transport: "smb", Source: "10.77.0.3",
				Called: "HOST2<03>", Calling: "HOST3<00>", Provenance: "claimed", State: "received",
			})
		}
	}
	if diff := cmp.Diff(want, h2.inbox(t)); diff != "" {
		t.Errorf("inbox (-want +got):\n%s", diff)
	}
	h2.WaitOutput(t, "│ café fermé à midi: 5 £")
	h2.WaitOutput(t, "│ Message from alice to HOST2 on ")
	capture.CheckClean(t, clean(h2.Host))

	// The last line end that a person typed is not part of the text.
	if _, err := h3.Smbclient(t, "HOST2", "typed\n"); err != nil {
		t.Error(err)
	}
	if all := h2.inbox(t); all[len(all)-1].Text != "typed" {
		t.Errorf("the text is %q", all[len(all)-1].Text)
	}
}

// A name that is not ours is refused, and smbclient says so.
func TestSmbclientIsRefusedAForeignName(t *testing.T) {
	t.Parallel()
	lan := lab.NewLAN(t)
	h2, h3 := serve(t, lan.Host(t, 2, "HOST2"), `aliases = ["UPS"]`), lan.Host(t, 3, "HOST3")
	// smbclient falls back to *SMBSERVER, which is ours; so ask for it by hand.
	conn := h3.Dial(t, "tcp", h2.Addr.String()+":139")
	request := "\x81\x00\x00\x44\x20" + encode("NOSUCH         \x03") + "\x00\x20" + encode("HOST3          \x00") + "\x00"
	if _, err := conn.Write([]byte(request)); err != nil {
		t.Fatal(err)
	}
	reply := make([]byte, 16)
	n, err := conn.Read(reply)
	if got := string(reply[:n]); got != "\x83\x00\x00\x01\x82" {
		t.Errorf("answer % x, %v; want 83 00 00 01 82", got, err)
	}
	if n, err := conn.Read(reply); n != 0 || err == nil {
		t.Errorf("the connection goes on: %d bytes, %v", n, err)
	}
	if _, err := h3.Smbclient(t, "UPS", "to an alias"); err != nil {
		t.Error(err)
	}
	if _, err := h3.Smbclient(t, "NOSUCH", "to nobody"); err == nil {
		t.Error("smbclient reached NOSUCH")
	}
}

func encode(name string) string {
	var b strings.Builder
	for _, c := range []byte(name) {
		b.WriteByte('A' + c>>4)
		b.WriteByte('A' + c&15)
	}
	return b.String()
}

// We find a real smbd by its name, which nmbd answers for, and by its address,
// and its message command gets what we said.
func TestToSMBD(t *testing.T) {
	t.Parallel()
	lan := lab.NewLAN(t)
	h2, h3 := lan.Host(t, 2, "SAMBA"), lan.Host(t, 3, "HOST3")
	conf := h2.SMBConf(t)
	h2.StartSMBD(t, conf)
	h2.StartNMBD(t, conf)
	capture := h2.Capture(t)

	var want []lab.SMBDMessage
	for _, to := range []string{"SAMBA", h2.Addr.String()} {
		for _, tt := range texts {
			out := netSend(t, h3, tt.text, "--from", "alice", to)
			if out.Code != 0 || out.Stdout != "The message was successfully sent to "+to+".\n" {
				t.Errorf("%s to %s: exit status %d\n%s%s", tt.name, to, out.Code, out.Stdout, out.Stderr)
			}
			want = append(want, lab.SMBDMessage{From: "ALICE", Machine: "host3", Text: tt.text})
		}
	}
	if diff := cmp.Diff(want, h2.SMBDMessages(t)); diff != "" {
		t.Errorf("smbd's messages (-want +got):\n%s", diff)
	}
	capture.CheckClean(t, clean(h3))

	// smbd closes the connection on a single block; the report says so.
	out := netSend(t, h3, "", "--single-block", "SAMBA", "short")
	if out.Code != 1 || !strings.Contains(out.Stderr, "closed the connection on SMB_COM_SEND_MESSAGE") {
		t.Errorf("a single block to smbd: exit status %d, %s", out.Code, out.Stderr)
	}
}

// smbd without its settings for messages is the mistake that everybody makes:
// smbclient says nothing of it; we do.
func TestToSMBDThatIsNotSetUp(t *testing.T) {
	t.Parallel()
	lan := lab.NewLAN(t)
	h2, h3, h4 := lan.Host(t, 2, "MODERN"), lan.Host(t, 3, "HOST3"), lan.Host(t, 4, "NOCMD")
	h2.StartSMBD(t, h2.SMBConf(t, "server min protocol = SMB2_02"))
	h4.StartSMBD(t, h4.SMBConf(t, "message command ="))
	for _, tt := range []struct {
		to   *lab.Host
		want []string
	}{
		{h2, []string{"NET HELPMSG 2282.", "server min protocol = NT1"}},
		{h4, []string{"NET HELPMSG 2282.", "message command"}},
	} {
		out := netSend(t, h3, "", tt.to.Addr.String(), "hello")
		if out.Code != 1 || out.Stdout != "" {
			t.Errorf("%s: exit status %d, standard output %q", tt.to.Name, out.Code, out.Stdout)
		}
		for _, want := range append(tt.want, "An error occurred while sending a message to "+tt.to.Addr.String()+".") {
			if !strings.Contains(out.Stderr, want) {
				t.Errorf("%s: %q is not in\n%s", tt.to.Name, want, out.Stderr)
			}
		}
	}
}

// Two of us, both forms; the sender has no service of its own.
func TestToOurselves(t *testing.T) {
	t.Parallel()
	lan := lab.NewLAN(t)
	h2, h3 := serve(t, lan.Host(t, 2, "HOST2"), `aliases = ["OPERATOR"]`), lan.Host(t, 3, "HOST3")
	capture := h2.Capture(t)
	var want []entry
	send := func(called, text string, args ...string) {
		t.Helper()
		if out := netSend(t, h3, text, args...); out.Code != 0 {
			t.Errorf("%v: exit status %d\n%s%s", args, out.Code, out.Stdout, out.Stderr)
		}
		to := args[len(args)-1]
		want = append(want, entry{
			From: "HOST3", To: to, Text: text, Transport: "smb", Source: "10.77.0.3",
			Called: called, Calling: "HOST3<03>", Provenance: "claimed", State: "received",
		})
	}
	for _, tt := range texts {
		send("HOST2<03>", tt.text, "HOST2")
	}
	send("HOST2<03>", "one block", "--single-block", "HOST2")
	send("OPERATOR<03>", "to an alias", "OPERATOR")
	send("HOST2<03>", "to an address", h2.Addr.String())
	if diff := cmp.Diff(want, h2.inbox(t)); diff != "" {
		t.Errorf("inbox (-want +got):\n%s", diff)
	}
	capture.CheckClean(t, clean(h2.Host)+" || "+clean(h3))
	if out := netSend(t, h3, "", "NOBODY", "hello"); out.Code != 1 ||
		!strings.Contains(out.Stderr, "The message alias could not be found on the network.") ||
		!strings.Contains(out.Stderr, "broadcast on eth0 (10.77.0.255)") {
		t.Errorf("to nobody: exit status %d\n%s", out.Code, out.Stderr)
	}
	if code := h2.Stop(t); code != 0 {
		t.Errorf("the service ended with exit status %d", code)
	}
}

// Those who ask for names find us, and tshark reads our answers.
func TestFoundByOthers(t *testing.T) {
	t.Parallel()
	lab.NeedProgram(t, "nmblookup", "samba-common-bin")
	lab.NeedProgram(t, "nbtscan", "nbtscan")
	lan := lab.NewLAN(t)
	h2, h3 := serve(t, lan.Host(t, 2, "HOST2"), `workgroup = "OFFICE"`), lan.Host(t, 3, "HOST3")
	h2.awaitState(t, "OFFICE<00> eth0", "owned")
	capture := h3.Capture(t)
	conf := h3.SMBConf(t)
	for _, tt := range []struct {
		args []string
		want []string
	}{
		{[]string{"nmblookup", "-s", conf, "HOST2#03"}, []string{"10.77.0.2 HOST2<03>"}},
		{[]string{"nmblookup", "-s", conf, "HOST2#00"}, []string{"10.77.0.2 HOST2<00>"}},
		{[]string{"nmblookup", "-s", conf, "OFFICE#00"}, []string{"10.77.0.2 OFFICE<00>"}},
		{[]string{"nmblookup", "-s", conf, "-A", "10.77.0.2"}, []string{"HOST2           <00>", "HOST2           <03>", "OFFICE          <00> - <GROUP>"}},
		{[]string{"nbtscan", "10.77.0.2"}, []string{"10.77.0.2", "HOST2"}},
	} {
		out := h3.Run(t, tt.args[0], tt.args[1:]...)
		for _, want := range tt.want {
			if !strings.Contains(out.Stdout, want) {
				t.Errorf("%v: %q is not in\n%s%s", tt.args, want, out.Stdout, out.Stderr)
			}
		}
	}
	capture.CheckClean(t, clean(h2.Host))
}

// A source that is not on one of this host's own private networks is not
// served, unless the configuration names it.
func TestGuard(t *testing.T) {
	t.Parallel()
	lan := lab.NewLAN(t)
	h2, h3 := lan.Host(t, 2, "HOST2"), lan.Host(t, 3, "HOST3")
	for _, h := range []*lab.Host{h2, h3} {
		// A public network on the same wire.
		if out := h.Run(t, "ip", "address", "add", fmt.Sprintf("203.0.113.%d/24", h.Addr.As4()[3]), "dev", "eth0"); out.Code != 0 {
			t.Fatal(out.Stderr)
		}
	}
	s := serve(t, h2)
	if out := netSend(t, h3, "", "203.0.113.2", "from a public address"); out.Code != 1 {
		t.Errorf("a public source was served:\n%s", out.Stdout)
	}
	if out := netSend(t, h3, "", "10.77.0.2", "from a private address"); out.Code != 0 {
		t.Errorf("a private source was refused:\n%s", out.Stderr)
	}
	if out := lookup(t, h3, "-A", "203.0.113.2"); !strings.Contains(out, "no answer") {
		t.Errorf("a public source was told our names:\n%s", out)
	}
	if got := s.counters(t, "names")["refused_source"]; got == 0 {
		t.Error("nobody has counted its questions")
	}
	s.Stop(t)
	if err := os.WriteFile(s.config, []byte("[guard]\nnetworks = [\"on-link\", \"203.0.113.0/24\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start(t)
	if out := netSend(t, h3, "", "203.0.113.2", "from a network that is named"); out.Code != 0 {
		t.Errorf("a named source was refused:\n%s", out.Stderr)
	}
	if out := lookup(t, h3, "-A", "203.0.113.2"); !strings.Contains(out, "HOST2      <03>") {
		t.Errorf("a named source is told\n%s", out)
	}
	var got []string
	for _, e := range s.inbox(t) {
		got = append(got, e.Source+" "+e.Text)
	}
	want := []string{"10.77.0.3 from a private address", "203.0.113.3 from a network that is named"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Where Samba has the ports, the service says who has them and runs all the
// same; when Samba goes, it takes over.
func TestPortsTakenBySamba(t *testing.T) {
	t.Parallel()
	lan := lab.NewLAN(t)
	h2 := lan.Host(t, 2, "HOST2")
	conf := h2.SMBConf(t)
	smbd, nmbd := h2.StartSMBD(t, conf), h2.StartNMBD(t, conf)
	s := serve(t, h2)
	status := s.Run(t, s.program, "status", "--data", s.data).Stdout
	for _, said := range []string{s.Stderr(), status} {
		for _, want := range []string{
			fmt.Sprintf("port 139 is taken by smbd (process %d)", smbd.PID()),
			fmt.Sprintf("port 137 is taken by nmbd (process %d)", nmbd.PID()),
			"systemctl stop smbd",
		} {
			if !strings.Contains(said, want) {
				t.Errorf("%q is not in\n%s", want, said)
			}
		}
	}
	smbd.Stop(t)
	nmbd.Stop(t)
	h2.WaitPort(t, s.Process, "tcp", 139)
	h2.WaitPort(t, s.Process, "udp", 137)
}

// With the privilege, the greeting comes the way of all messages; without it,
// the service says what is missing and greets over what it has.
func TestGreeting(t *testing.T) {
	t.Parallel()
	lan := lab.NewLAN(t)
	h2, h3 := lan.Host(t, 2, "HOST2"), lan.Host(t, 3, "HOST3")
	root := &station{Host: h2, program: lab.Build(t), data: filepath.Join(h2.Dir, "data"), config: os.DevNull}
	root.start(t, "--greet")
	root.WaitOutput(t, "Message from MESSNGR to HOST2 on ")
	if e := root.inbox(t)[0]; e.Transport != "smb" || e.Called != "HOST2<03>" {
		t.Errorf("the greeting came over %s, called %s", e.Transport, e.Called)
	}

	data := filepath.Join(h3.Dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	const nobody = 65534
	if err := os.Chown(data, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	p := h3.Start(t, "setpriv", "--reuid", fmt.Sprint(nobody), "--regid", fmt.Sprint(nobody), "--clear-groups",
		lab.Build(t), "serve", "--greet", "--name", "HOST3", "--data", data)
	p.WaitOutput(t, "Message from MESSNGR to HOST3 on ")
	for _, want := range []string{"no privilege for port 139", "no privilege for port 137", "setcap cap_net_bind_service=+ep"} {
		if !strings.Contains(p.Stderr(), want) {
			t.Errorf("%q is not in\n%s", want, p.Stderr())
		}
	}
	if code := p.Stop(t); code != 0 {
		t.Errorf("exit status %d", code)
	}
}
