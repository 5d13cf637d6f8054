package store

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/messngr/messngr"
)

// childEnv names the file that a child process is to fill.
const childEnv = "MESSNGR_STORE_CHILD"

// A crash consists of some rounds in one file, each of which ends with the
// sudden death of the process that adds.
const (
	rounds          = 5
	childSenders    = 16
	childMessages   = 2000 // a round
	messageIDsALine = 60   // of text, to make the log long enough to be copied within a round
)

// child adds messages from some senders, prints the ID of each once it has
// been acknowledged, and waits to be killed; at the latest, its parent's end
// closes its standard input.
func child(path string) error {
	s, err := OpenSQLite(path, Config{})
	if err != nil {
		return err
	}
	var wait sync.WaitGroup
	for range childSenders {
		wait.Go(func() {
			for range childMessages / childSenders {
				m := newMessage()
				m.Text = crashText(m.ID)
				if err := s.Add(context.Background(), m); err != nil {
					fmt.Fprintln(os.Stderr, err)
					return
				}
				fmt.Println(m.ID) // one write
			}
		})
	}
	wait.Wait()
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func crashText(id messngr.ID) string { return strings.Repeat(id.String(), messageIDsALine) }

// TestKill kills a process that adds messages, at a random moment, some times
// over: each acknowledged message must be there, once and whole.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "messngr.db")
	acknowledged := make(map[messngr.ID]bool)
	for round := range rounds {
		until := 1 + rand.IntN(childMessages)
		n := killRound(t, path, until, acknowledged)

		s := openSQLite(t, path, Config{}) // the dead process's lock is gone
		stored := make(map[messngr.ID]bool)
		for _, e := range all(t, s) {
			if stored[e.ID] {
				t.Errorf("%v is there twice", e.ID)
			}
			stored[e.ID] = true
			if e.Text != crashText(e.ID) {
				t.Errorf("%v has another text: %q", e.ID, e.Text)
			}
		}
		for id := range acknowledged {
			if !stored[id] {
				t.Errorf("%v was acknowledged and is lost", id)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		t.Logf("round %d: killed after %d acknowledgements; %d in all, %d stored", round, n, len(acknowledged), len(stored))
	}
}

// killRound starts a child on the file at path, kills it once it has written
// until lines, and adds all that it wrote to acknowledged.
func killRound(t *testing.T, path string, until int, acknowledged map[messngr.ID]bool) (n int) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), childEnv+"="+path)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait() // its error says that it was killed
	defer cmd.Process.Kill()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		id, err := messngr.ParseID(lines.Text())
		if err != nil {
			t.Fatal(err)
		}
		acknowledged[id] = true
		if n++; n == 1 {
			refused(t, path, "in use by another Messngr", "stop it")
		}
		if n == until {
			time.Sleep(rand.N(2 * time.Millisecond)) // the kill must not follow a commit each time
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n < until {
		t.Fatalf("the child ended after %d acknowledgements, before %d", n, until)
	}
	return n
}
