package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/messngr/messngr/internal/api"
)

// build builds messngr as it is shipped.
func (b *bench) build(ctx context.Context) error {
	b.progress("building messngr")
	b.program = filepath.Join(b.dir, "messngr")
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-trimpath", "-ldflags", "-s -w -X main.version=bench",
		"-o", b.program, "github.com/messngr/messngr/cmd/messngr")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return nil
}

// dataDir makes the directory of a run. What is durable must be so on a disk.
func dataDir(parent string) (string, error) {
	if parent == "" {
		parent = "/var/tmp" // kept over a restart, and so on a disk: hier(7)
		if _, err := os.Stat(parent); err != nil {
			parent = os.TempDir()
		}
	}
	if inMemory(parent) {
		return "", fmt.Errorf("%s is in memory: name a directory on a disk with -dir", parent)
	}
	return os.MkdirTemp(parent, "messngr-bench-")
}

// A place is a host on which the servers and their load run.
type place struct {
	// command returns a command that is killed when ctx ends.
	command func(ctx context.Context, program string, args ...string) *exec.Cmd
	name    string // NetBIOS name
	config  string // configuration file of messngr
	addr    string // where that listens, as the load calls it
}

// loopback is the place of those who may not listen on port 139.
func (b *bench) loopback() (place, error) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return place{}, err
	}
	free.Close()
	p := place{
		command: exec.CommandContext, name: "BENCH", addr: free.Addr().String(),
		config: filepath.Join(b.dir, "messngr.toml"),
	}
	config := "[smb]\nlisten = [\"" + p.addr + "\"]\n[mailslot]\nlisten = []\n[names]\nlisten = \"\"\n"
	return p, os.WriteFile(p.config, []byte(config), 0o600)
}

// load runs a load process to its end.
func (b *bench) load(ctx context.Context, p place, l load) (loaded, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute+l.For) // a number has to be done in a minute
	defer cancel()
	cmd := p.command(ctx, b.self, l.args()...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return loaded{}, fmt.Errorf("%w: %s", err, &stderr)
	}
	var r loaded
	return r, json.Unmarshal(stdout.Bytes(), &r)
}

// A process is a server in the background.
type process struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	stderr *bytes.Buffer
}

func start(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, stderr: new(bytes.Buffer)}
	cmd.Stderr = p.stderr
	var err error
	if p.stdin, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	return p, cmd.Start()
}

// stop ends the process in its own way: by the end of its input or by a signal.
func (p *process) stop(sig os.Signal) error {
	p.stdin.Close()
	if sig != nil && p.cmd.Process.Signal(sig) != nil {
		p.cmd.Process.Kill() // a system without signals
		p.cmd.Wait()
		return nil
	}
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w: %s", p.cmd, err, p.stderr)
	}
	return nil
}

// A server is one that takes a load.
type server struct {
	*process
	addr string
	data string // of ours
}

// floor starts a floor server.
func (b *bench) floor(ctx context.Context, p place, args ...string) (*server, error) {
	cmd := p.command(ctx, b.self, append([]string{"floor"}, args...)...)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	proc, err := start(cmd)
	if err != nil {
		return nil, err
	}
	var addr string
	if _, err := fmt.Fscanln(stdout, &addr); err != nil {
		return nil, fmt.Errorf("the floor said no address: %w", errors.Join(err, proc.stop(nil)))
	}
	return &server{process: proc, addr: addr}, nil
}

// serve starts messngr serve with an empty store, and returns when it listens.
func (b *bench) serve(ctx context.Context, p place) (*server, error) {
	data, err := os.MkdirTemp(b.dir, "data-")
	if err != nil {
		return nil, err
	}
	proc, err := start(p.command(ctx, b.program, "serve", "--config", p.config, "--data", data, "--name", p.name))
	if err != nil {
		return nil, err
	}
	s := &server{process: proc, addr: p.addr, data: data}
	client := api.NewClient(data)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		st, err := client.Status(ctx)
		if err == nil && len(st.Listeners) > 0 && st.Listeners[0].Open {
			return s, nil
		}
		if err == nil && len(st.Listeners) > 0 && st.Listeners[0].Error != "" {
			err = errors.New(st.Listeners[0].Line())
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("messngr serve does not listen: %w", errors.Join(err, s.end()))
		}
	}
}

// owned waits until messngr serve has its names: others do not find it before.
func (s *server) owned(ctx context.Context) error {
	claiming := func(n api.Name) bool {
		return len(n.States) == 0 || slices.ContainsFunc(n.States, func(st api.NameState) bool { return st.State == "claiming" })
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		st, err := api.NewClient(s.data).Status(ctx)
		if err != nil || !slices.ContainsFunc(st.Names, claiming) {
			return err
		}
		if time.Now().After(deadline) {
			return errors.New("messngr serve does not get its names")
		}
	}
}

// end ends messngr serve. Its data stays until the end of the bench: to remove
// much keeps a disk busy while others are measured.
func (s *server) end() error { return s.stop(os.Interrupt) }

// counted compares what messngr serve has counted with what was accepted.
func (s *server) counted(ctx context.Context, accepted int) error {
	st, err := api.NewClient(s.data).Status(ctx)
	if err != nil {
		return err
	}
	var wrong []string
	for name, n := range st.Listeners[0].Counters {
		switch name {
		case "messages":
			if int(n) != accepted {
				wrong = append(wrong, fmt.Sprintf("%d messages, %d were accepted", n, accepted))
			}
		case "open", "connections":
		default:
			if n != 0 {
				wrong = append(wrong, fmt.Sprintf("%s %d", name, n))
			}
		}
	}
	if wrong != nil {
		return fmt.Errorf("messngr serve has counted %s", strings.Join(wrong, ", "))
	}
	return nil
}
