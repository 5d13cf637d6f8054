//go:build linux

package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A Host is a machine on a LAN: a namespace with eth0 and lo.
type Host struct {
	Name string     // its NetBIOS name
	Addr netip.Addr // of eth0
	Dir  string     // its data; every user can enter it
	lan  *LAN
	ns   string
}

// Command returns a command that runs on the host. When ctx ends, the program
// is killed together with its children.
func (h *Host) Command(ctx context.Context, prog string, args ...string) *exec.Cmd {
	// "ip netns exec" becomes the program: the process id is the program's.
	cmd := exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", h.ns, prog}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 2 * time.Second // for a grandchild that holds our pipes
	return cmd
}

// An Output is what a program wrote and how it ended.
type Output struct {
	Stdout, Stderr string
	Code           int // exit status; -1 if a signal ended it
}

// Run runs a program on the host to its end. The test fails if it cannot be
// started or takes more than a minute; any exit status is fine.
func (h *Host) Run(t testing.TB, prog string, args ...string) Output {
	t.Helper()
	return h.RunInput(t, "", prog, args...)
}

// RunInput is Run with a standard input.
func (h *Host) RunInput(t testing.TB, stdin, prog string, args ...string) Output {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := h.Command(ctx, prog, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && (!errors.As(err, &exit) || ctx.Err() != nil) {
		t.Fatalf("%s: %s %s: %v, %v\n%s%s", h.Name, prog, strings.Join(args, " "), err, ctx.Err(), &stdout, &stderr)
	}
	return Output{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// Do calls f on a thread that is in the host's namespace: the sockets that f
// opens are the host's, then and later. f must not open them in goroutines of
// its own; dialling an address, not a name, is fine.
func (h *Host) Do(t testing.TB, f func() error) {
	t.Helper()
	done := make(chan error)
	go func() { done <- h.do(f) }()
	if err := <-done; err != nil {
		t.Fatalf("%s: %v", h.Name, err)
	}
}

func (h *Host) do(f func() error) error {
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer home.Close()
	host, err := os.Open("/run/netns/" + h.ns)
	if err != nil {
		return err
	}
	defer host.Close()

	runtime.LockOSThread()
	if err := unix.Setns(int(host.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("enter namespace %s: %w", h.ns, err)
	}
	ferr := f()
	if err := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); err != nil {
		// Still locked: the thread ends with its goroutine and serves nobody else.
		return fmt.Errorf("leave namespace %s: %w", h.ns, err)
	}
	runtime.UnlockOSThread()
	return ferr
}

// Dial connects from the host to an address such as "10.77.0.2:139". The
// connection is closed when the test ends.
func (h *Host) Dial(t testing.TB, network, address string) net.Conn {
	t.Helper()
	var conn net.Conn
	h.Do(t, func() (err error) {
		conn, err = net.DialTimeout(network, address, 10*time.Second)
		return err
	})
	t.Cleanup(func() { conn.Close() })
	return conn
}

// WaitPort waits until a program on the host has bound a port; network is
// "tcp" or "udp". The test fails when p ends before, or after 30 seconds.
func (h *Host) WaitPort(t testing.TB, p *Process, network string, port int) {
	t.Helper()
	list := map[string]string{"tcp": "-lntH", "udp": "-lnuH"}[network]
	p.await(t, fmt.Sprintf("bind %s port %d", network, port), func() bool {
		return h.Run(t, "ss", list, fmt.Sprintf("sport = :%d", port)).Stdout != ""
	})
}
