package server

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// hold starts a child of that name that holds a port, and returns the address
// and the child's process id.
func hold(t *testing.T, name, network string) (addr string, pid int) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), name)
	if err := os.Symlink(exe, link); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(link)
	cmd.Env = append(os.Environ(), holdEnv+"="+network)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close(); cmd.Wait() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line), cmd.Process.Pid
}

// TestPortOwner: when a port is taken, the line of the door names the process
// that has it, and how to stop it.
func TestPortOwner(t *testing.T) {
	ctx := t.Context()
	for _, tt := range []struct {
		network, name string
		open          func(addr string) (io.Closer, error)
		remedy        string // %d is the process
	}{
		{"tcp", "smbd", func(addr string) (io.Closer, error) { return new(net.ListenConfig).Listen(ctx, "tcp", addr) }, "systemctl stop smbd"},
		{"udp", "nmbd", func(addr string) (io.Closer, error) { return new(net.ListenConfig).ListenPacket(ctx, "udp", addr) }, "systemctl stop nmbd"},
		{"tcp", "other", func(addr string) (io.Closer, error) { return new(net.ListenConfig).Listen(ctx, "tcp", addr) }, "kill %d"},
	} {
		addr, pid := hold(t, tt.name, tt.network)
		d := newDoor("smb", "messages", tt.network, addr, slog.New(slog.DiscardHandler), nil)
		c, err := tt.open(addr)
		if err == nil {
			c.Close()
			t.Errorf("%s %s is not taken", tt.network, addr)
		}
		d.set(nil, err)
		_, port, err := net.SplitHostPort(addr)
		if err != nil {
			t.Fatal(err)
		}
		remedy := strings.ReplaceAll(tt.remedy, "%d", fmt.Sprint(pid))
		want := fmt.Sprintf("closed messages (%s/%s): port %s is taken by %s (process %d); stop it (%s), or give another address in [smb] listen",
			addr, tt.network, port, tt.name, pid, remedy)
		if got := d.status(newLinks()).Line(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// TestPortWithoutOwner: where the process is not to be seen, the line still
// says what to do.
func TestPortWithoutOwner(t *testing.T) {
	if p, ok := portOwner("tcp", "0"); ok {
		t.Errorf("port 0 belongs to %+v", p)
	}
	if p, ok := portOwner("tcp", "no-port"); ok {
		t.Errorf("no-port belongs to %+v", p)
	}
	d := newDoor("smb", "messages", "tcp", ":0", slog.New(slog.DiscardHandler), nil)
	d.set(nil, os.NewSyscallError("bind", syscall.EADDRINUSE))
	want := "closed messages (:0/tcp): port 0 is taken by another program; stop that program, or give another address in [smb] listen"
	if got := d.status(newLinks()).Line(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
