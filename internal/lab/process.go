//go:build linux

package lab

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A Process is a program that runs in the background on a host.
type Process struct {
	name           string
	pid            int
	stdout, stderr buffer
	ended          chan struct{} // closed when it has ended
	code           int           // exit status, once ended is closed
}

// Start starts a program in the background. It is ended when the test ends:
// by SIGTERM and, if it is still there after a grace period, by SIGKILL. If
// the test has failed, its output is in the test's log.
func (h *Host) Start(t testing.TB, prog string, args ...string) *Process {
	t.Helper()
	return h.StartEnv(t, nil, prog, args...)
}

// StartEnv is Start with additions to the environment, as in "NAME=value".
func (h *Host) StartEnv(t testing.TB, env []string, prog string, args ...string) *Process {
	t.Helper()
	p := &Process{
		name:  h.Name + ": " + strings.Join(append([]string{prog}, args...), " "),
		ended: make(chan struct{}),
	}
	cmd := h.Command(context.Background(), prog, args...)
	cmd.SysProcAttr.Setpgid = false // smbd makes a session of its own, which the leader of a group may not
	cmd.Env = append(cmd.Environ(), env...)
	cmd.Stdout, cmd.Stderr = &p.stdout, &p.stderr
	if err := cmd.Start(); err != nil {
		t.Fatalf("%s: %v", p.name, err)
	}
	p.pid = cmd.Process.Pid
	go func() {
		cmd.Wait() // its exit status is in ProcessState
		p.code = cmd.ProcessState.ExitCode()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.Stop(t)
		if t.Failed() {
			t.Logf("%s\nexit status %d\nstandard output:\n%s\nstandard error:\n%s", p.name, p.code, p.Stdout(), p.Stderr())
		}
	})
	return p
}

// PID returns the process id.
func (p *Process) PID() int { return p.pid }

// Stdout returns what the process has written to its standard output so far.
func (p *Process) Stdout() string { return p.stdout.String() }

// Stderr returns what the process has written to its standard error so far.
func (p *Process) Stderr() string { return p.stderr.String() }

// Signal sends a signal to the process, if it has not ended.
func (p *Process) Signal(sig syscall.Signal) {
	select {
	case <-p.ended:
	default:
		syscall.Kill(p.pid, sig)
	}
}

// Ended returns a channel that is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Stop ends the process by SIGTERM and returns its exit status: -1 if a signal
// ended it. The test fails if the process is still there after 10 seconds; it
// is killed then.
func (p *Process) Stop(t testing.TB) int {
	t.Helper()
	p.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(10 * time.Second):
		t.Errorf("%s: still there 10 s after SIGTERM", p.name)
		p.Kill()
	}
	return p.code
}

// Kill ends the process by SIGKILL, which it cannot prepare for, and waits for
// its end.
func (p *Process) Kill() {
	p.Signal(syscall.SIGKILL)
	<-p.ended
}

// WaitOutput waits until the standard output or error contains text. The test
// fails when the process ends before, or after 30 seconds.
func (p *Process) WaitOutput(t testing.TB, text string) {
	t.Helper()
	p.await(t, "write "+text, func() bool {
		return strings.Contains(p.Stdout(), text) || strings.Contains(p.Stderr(), text)
	})
}

// await polls for what the process is to do.
func (p *Process) await(t testing.TB, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !done() {
		select {
		case <-p.ended:
			if !done() { // its last words may be the ones
				t.Fatalf("%s: ended with exit status %d, did not %s", p.name, p.code, what)
			}
			return
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: did not %s within 30 s", p.name, what)
		}
	}
}

// A buffer collects the output of a process while others read it.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
