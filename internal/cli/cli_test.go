//go:build unix

package cli

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// asProgram makes the test binary the program itself.
const asProgram = "MESSNGR_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(Main(Process{Version: "test", Args: os.Args, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}))
	}
	os.Exit(m.Run())
}

// command returns the program, called by a name, with a data directory of its
// own.
func command(t *testing.T, data, called string, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Args = append([]string{called}, args...)
	cmd.Env = append(os.Environ(), asProgram+"=1", "MESSNGR_DATA="+data, "LC_ALL=C.UTF-8",
		"GORACE=atexit_sleep_ms=0") // else each takes a second to end under the race detector
	return cmd
}

type result struct {
	out, err string
	code     int
}

func run(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

func TestOutputsAndExitStatuses(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.toml")
	if err := os.WriteFile(bad, []byte("name = \"A\"\nnmae = \"B\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args     string
		code     int
		out, err string // what stands in them
	}{
		{"messngr --version", 0, "messngr test\n", ""},
		{"messngr", 0, "Usage:", ""},
		{"messngr nonsense", 2, "", `unknown command "nonsense"`},
		{"messngr serve --nonsense", 2, "", "unknown flag: --nonsense"},
		{"messngr serve extra", 2, "", "extra"},
		{"messngr config", 0, "[guard]\nnetworks = [\"on-link\"]", ""},
		{"messngr inbox", 1, "", "no service is running"},
		{"messngr inbox --last -3", 2, "", "it takes a number of messages"},
		{"messngr inbox --after 7", 2, "", "invalid message id"},
		{"messngr status", 1, "", "no service is running"},
		{"messngr status --config " + bad, 1, "", bad + `:2: there is no option "nmae"`},
		{"messngr completion bash", 0, "bash completion", ""},
		{"messngr net helpmsg 2273", 0, "The message alias could not be found on the network.", ""},
		{"messngr net helpmsg 3", 1, "", "3 is not a valid Windows network message number"},
		{"messngr net helpmsg x", 2, "", "is not a message number"},
		{"messngr net send", 2, "", "the recipient is missing: a NAME, an ADDRESS, *, /domain[:NAME] or /users"},
		{"messngr net send /domain: hello", 2, "", "the name of the domain is missing"},
		{"messngr net send --code-page 1 HOST2 hello", 2, "", "--code-page"},
		{"net HELPMSG 2282", 0, "The message was sent but not received.", ""},
	} {
		args := strings.Fields(tt.args)
		got := run(t, command(t, t.TempDir(), args[0], args[1:]...))
		if got.code != tt.code || !strings.Contains(got.out, tt.out) || !strings.Contains(got.err, tt.err) {
			t.Errorf("%s: exit status %d, want %d\nstandard output:\n%s\nstandard error:\n%s", tt.args, got.code, tt.code, got.out, got.err)
		}
		if got.code != 0 && (!strings.HasPrefix(got.err, "messngr: ") || strings.Count(got.err, "\n") != 1) {
			t.Errorf("%s: the error is not one line: %q", tt.args, got.err)
		}
	}
}

// What is not ours goes to the next net in PATH, as it was typed.
func TestNetGoesOn(t *testing.T) {
	dir := t.TempDir()
	cmd := command(t, t.TempDir(), "net", "rpc", "Shutdown")
	cmd.Env = append(cmd.Env, "PATH="+dir)
	if got := run(t, cmd); got.code != 2 || !strings.Contains(got.err, "there is no other net in PATH") {
		t.Errorf("without another net: exit status %d, %s", got.code, got.err)
	}
	if err := os.WriteFile(filepath.Join(dir, "net"), []byte("#!/bin/sh\necho other net: $*\nexit 7\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd = command(t, t.TempDir(), "net", "rpc", "Shutdown")
	cmd.Env = append(cmd.Env, "PATH="+dir)
	if got := run(t, cmd); got.code != 7 || got.out != "other net: rpc Shutdown\n" {
		t.Errorf("exit status %d, %q, %s", got.code, got.out, got.err)
	}
}

func TestManualPages(t *testing.T) {
	dir := t.TempDir()
	if got := run(t, command(t, t.TempDir(), "messngr", "man", dir)); got.code != 0 {
		t.Fatal(got.err)
	}
	page, err := os.ReadFile(filepath.Join(dir, "messngr-net-send.1"))
	if err != nil || !bytes.Contains(page, []byte("single-block")) {
		t.Errorf("%v\n%s", err, page)
	}
}

// A whole round without privileges, with a text that attacks the terminal.
func TestRound(t *testing.T) {
	data := t.TempDir()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := ln.Addr().(*net.TCPAddr).Port
	ln.Close()
	config := filepath.Join(data, "messngr.toml")
	text := fmt.Sprintf("name = \"HOST2\"\n[smb]\nlisten = [\"127.0.0.1:%d\"]\n[mailslot]\nlisten = []\n[names]\nlisten = \"\"\n", port)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	serve := command(t, data, "messngr", "serve", "--config", config)
	var shown, said bytes.Buffer // read after its end
	serve.Stdout, serve.Stderr = &shown, &said
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	defer serve.Process.Kill()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if run(t, command(t, data, "messngr", "status")).code == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the service did not start")
		}
	}
	if got := run(t, command(t, data, "messngr", "serve", "--config", config)); got.code != 1 || !strings.Contains(got.err, "another Messngr") {
		t.Errorf("a second service: exit status %d, %s", got.code, got.err)
	}
	send := command(t, data, "net", "SEND", "--name", "CLI", "--port", fmt.Sprint(port), "127.0.0.1")
	send.Stdin = strings.NewReader("-dash \x1b]0;pwn\x07 \u202Eevil\n")
	if got := run(t, send); got.code != 0 || got.out != "The message was successfully sent to 127.0.0.1.\n" {
		t.Errorf("exit status %d, %q, %s", got.code, got.out, got.err)
	}
	long := command(t, data, "messngr", "net", "send", "--port", fmt.Sprint(port), "127.0.0.1")
	long.Stdin = strings.NewReader(strings.Repeat("x", 5000))
	if got := run(t, long); got.code != 1 || !strings.Contains(got.err, "the text has 5000 bytes in code page 850, at most 4095 can be sent") {
		t.Errorf("a text too long: exit status %d, %s", got.code, got.err)
	}
	line := run(t, command(t, data, "messngr", "inbox"))
	object := run(t, command(t, data, "messngr", "inbox", "--json"))
	if err := serve.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := serve.Wait(); err != nil {
		t.Errorf("after an interrupt: %v\n%s", err, &said)
	}
	for name, out := range map[string]string{"popup": shown.String(), "inbox": line.out, "inbox --json": object.out} {
		if !strings.Contains(out, "CLI") || !strings.Contains(out, "-dash") {
			t.Errorf("%s: the message is not in\n%s", name, out)
		}
		if strings.ContainsAny(out, "\x1b\x07\u202e") {
			t.Errorf("%s: raw control characters in %q", name, out)
		}
	}
	if !strings.Contains(object.out, `"transport":"smb"`) || strings.Count(object.out, "\n") != 1 {
		t.Errorf("inbox --json: %s", object.out)
	}
}
