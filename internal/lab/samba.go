//go:build linux

package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// SMBConf writes the smb.conf of the host's Samba programs and returns its
// path. The host's name and the workgroup WORKGROUP are its names; its
// directories lie in h.Dir; its "message command" keeps what smbd receives for
// [Host.SMBDMessages]. The lines, such as "wins support = yes", come last and
// so overrule the others.
func (h *Host) SMBConf(t testing.TB, lines ...string) string {
	t.Helper()
	conf := []string{
		"[global]",
		"netbios name = " + h.Name,
		"workgroup = WORKGROUP",
		// Without SMB1 smbd closes the connection on the first message command.
		"server min protocol = NT1",
		"client min protocol = NT1",
		"smb ports = 139",
		"interfaces = eth0 lo",
		"bind interfaces only = yes",
		"map to guest = Bad User",
		"load printers = no",
		"disable spoolss = yes",
		"message command = " + h.messageCommand(t),
	}
	for option, dir := range map[string]string{
		"private dir": "private", "lock directory": "lock", "state directory": "state",
		"cache directory": "cache", "pid directory": "pid", "ncalrpc dir": "ncalrpc",
		// Without these two, the nmbd and winbindd of this machine were meant.
		"nmbd:socket dir": "nmbd", "winbindd socket directory": "winbindd",
	} {
		conf = append(conf, option+" = "+h.mkdir(t, "samba/"+dir, 0o755))
	}
	path := filepath.Join(h.Dir, "smb.conf")
	if err := os.WriteFile(path, []byte(strings.Join(append(conf, lines...), "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// StartSMBD starts a real smbd, which takes messages on TCP port 139, and
// returns when it listens.
func (h *Host) StartSMBD(t testing.TB, conf string) *Process {
	t.Helper()
	NeedProgram(t, "smbd", "samba")
	// smbd leads a process group of its own and ends the whole group when it
	// ends: with --no-process-group that would be the tests'. It passes a
	// message to its command as a file in TMPDIR.
	p := h.StartEnv(t, []string{"TMPDIR=" + h.mkdir(t, "tmp", 0o1777)}, "smbd", "-F", "--debug-stdout", "-d1", "-s", conf)
	h.WaitPort(t, p, "tcp", 139)
	return p
}

// StartNMBD starts a real nmbd, the name and datagram service on UDP ports 137
// and 138, and returns when it owns the host's name: about 4 seconds.
func (h *Host) StartNMBD(t testing.TB, conf string) *Process {
	t.Helper()
	NeedProgram(t, "nmbd", "samba")
	NeedProgram(t, "nmblookup", "samba-common-bin")
	p := h.Start(t, "nmbd", "-F", "--debug-stdout", "-d1", "-s", conf)
	h.WaitPort(t, p, "udp", 137)
	answer := fmt.Sprintf("%s %s<03>", h.Addr, h.Name)
	p.await(t, "own the name "+h.Name, func() bool {
		// By broadcast: nmbd answers a unicast query before it owns the name.
		out := h.Run(t, "nmblookup", "-s", conf, "-B", h.lan.Broadcast().String(), h.Name+"#03")
		return strings.Contains(out.Stdout, answer)
	})
	return p
}

// Smbtorture runs a test of Samba's own suite, such as "nbt.register", from the
// host against another, a name or an address, and returns what it wrote. The error is nil only when
// the test passed.
func (h *Host) Smbtorture(t testing.TB, to, conf, test string, args ...string) (string, error) {
	t.Helper()
	NeedProgram(t, "smbtorture", "samba-testsuite")
	args = append([]string{"//" + to + "/IPC$", "-s", conf, "-U%", test}, args...)
	out := h.Run(t, "smbtorture", args...)
	said := out.Stdout + out.Stderr
	if out.Code != 0 || !strings.Contains(said, "success: ") {
		return said, fmt.Errorf("smbtorture %s: exit status %d", test, out.Code)
	}
	return said, nil
}

// An SMBDMessage is what smbd gave to its message command.
type SMBDMessage struct {
	From    string // the sender's name, as smbd has sanitized it
	Machine string // the calling name
	Text    string // in UTF-8
}

// SMBDMessages returns the messages that the host's smbd has received, the
// oldest first. smbd tells the sender "yes" only when its message is here.
func (h *Host) SMBDMessages(t testing.TB) []SMBDMessage {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(h.Dir, "messages", "[0-9]*"))
	if err != nil {
		t.Fatal(err)
	}
	var messages []SMBDMessage
	for _, dir := range dirs { // sorted: the names are times
		var m SMBDMessage
		for name, field := range map[string]*string{"from": &m.From, "machine": &m.Machine, "text": &m.Text} {
			b, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			*field = string(b)
		}
		messages = append(messages, m)
	}
	return messages
}

// messageCommand writes the script that keeps a message as a directory of
// three files. It gets a directory in which nobody, as whom it runs, can write.
func (h *Host) messageCommand(t testing.TB) string {
	t.Helper()
	script := `#!/bin/sh
# usage: keep-message FILE FROM MACHINE
set -e
new=$(mktemp -d "$(dirname "$0")/messages/new.XXXXXX")
cat "$1" >"$new/text"
rm "$1"
printf %s "$2" >"$new/from"
printf %s "$3" >"$new/machine"
mv "$new" "$(dirname "$0")/messages/$(date +%s.%N).$$"
`
	h.mkdir(t, "messages", 0o1777)
	path := filepath.Join(h.Dir, "keep-message")
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path + " '%s' '%f' '%m'"
}

func (h *Host) mkdir(t testing.TB, name string, mode os.FileMode) string {
	t.Helper()
	dir := filepath.Join(h.Dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, mode&0o777|mode&0o1000/0o1000*os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	return dir
}

// errNotSent is what Smbclient's errors wrap.
var errNotSent = errors.New("smbclient: not sent")

// Smbclient sends text from the host with a real "smbclient -M", as user alice
// unless opts say otherwise, and returns what smbclient has written. The error
// is nil only when the recipient has accepted the message: smbclient itself
// exits 0 even when it failed.
func (h *Host) Smbclient(t testing.TB, to, text string, opts ...string) (string, error) {
	t.Helper()
	NeedProgram(t, "smbclient", "smbclient")
	conf := filepath.Join(h.Dir, "smb.conf")
	if _, err := os.Stat(conf); err != nil {
		conf = h.SMBConf(t)
	}
	out := h.RunInput(t, text, "smbclient", append([]string{"-s", conf, "-M", to, "-U", "alice"}, opts...)...)
	all := out.Stdout + out.Stderr
	if out.Code != 0 {
		return all, fmt.Errorf("%w: exit status %d: %s", errNotSent, out.Code, all)
	}
	for _, sign := range []string{"cli_message returned", "Connection to ", "NT_STATUS_"} {
		if strings.Contains(all, sign) {
			return all, fmt.Errorf("%w: %s", errNotSent, all)
		}
	}
	return all, nil
}
