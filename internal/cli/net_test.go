//go:build unix

package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestNetLink: called through a symbolic link it is net, whatever the case of
// the word behind it; the link itself is not the next net.
func TestNetLink(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	bin, empty, other := filepath.Join(dir, "bin"), filepath.Join(dir, "empty"), filepath.Join(dir, "other")
	for _, d := range []string{bin, empty, other} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(bin, "net")
	if err := os.Symlink(exe, link); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(empty, "net"), "not to be run\n")
	next := writeFile(t, filepath.Join(other, "net"), `#!/bin/sh
printf '%s' "$0"
for a; do printf '(%s)' "$a"; done
echo
/bin/cat
echo it was here >&2
exit 7
`)
	if err := os.Chmod(next, 0o755); err != nil {
		t.Fatal(err)
	}
	net := func(path string, args ...string) result {
		t.Helper()
		cmd := command(t, dir, link, args...)
		cmd.Path, cmd.Dir = link, other
		time.AfterFunc(10*time.Second, func() { cmd.Process.Kill() }) // should it call itself for ever
		cmd.Env = append(cmd.Env, "PATH="+path)
		cmd.Stdin = strings.NewReader("standard input\n")
		return run(t, cmd)
	}
	both := strings.Join([]string{bin, empty, other}, string(filepath.ListSeparator))
	missing := result{err: "messngr: the recipient is missing: a NAME, an ADDRESS, *, /domain[:NAME] or /users; see messngr net send --help\n", code: 2}
	found := result{out: "\nThe message was sent but not received.\n\n"}
	theirs := func(args string) result {
		return result{out: next + args + "\nstandard input\n", err: "it was here\n", code: 7}
	}
	none := func(args string) result {
		return result{err: "messngr: net" + args + " is not one of net send, net name, net helpmsg, net start|stop|pause|continue messenger, and there is no other net in PATH to ask\n", code: 2}
	}
	for _, tt := range []struct {
		path string
		args []string
		want result
	}{
		{both, []string{"send"}, missing},
		{both, []string{"SEND"}, missing},
		{both, []string{"helpmsg", "2282"}, found},
		{both, []string{"HelpMsg", "2282"}, found},
		{both, []string{"-U%", "rpc", "two words", ""}, theirs("(-U%)(rpc)(two words)()")},
		{both, []string{"Time", "SET"}, theirs("(Time)(SET)")},
		{both, nil, theirs("")},
		{both, []string{"--version"}, theirs("(--version)")},
		{bin + ":" + empty, []string{"use", "x:"}, none(" use x:")},
		{bin, nil, none("")},
		{"", []string{"use"}, none(" use")},
		// As for Go itself, the current directory is not in PATH.
		{bin + ":", []string{"use"}, none(" use")},
		{".:" + bin, []string{"use"}, none(" use")},
	} {
		if got := net(tt.path, tt.args...); got != tt.want {
			t.Errorf("net %q in %s:\n got %+v\nwant %+v", tt.args, tt.path, got, tt.want)
		}
	}
}
