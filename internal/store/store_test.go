package store

import (
	"fmt"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/messngr/messngr"
	"go.uber.org/goleak"
)

// TestMain also is the program of the child processes: see crash_test.go.
func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		if err := child(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// skip skips a test for a reason that lies in its surroundings, unless the
// surroundings promise that nothing needs to be skipped.
func skip(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv("MESSNGR_TEST_ALL") != "" {
		t.Fatalf("must not be skipped here: %s", reason)
	}
	t.Skip(reason)
}

// openSQLite opens a file and closes it at the end of the test, if not before.
func openSQLite(t *testing.T, path string, cfg Config) *SQLite {
	t.Helper()
	s, err := OpenSQLite(path, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func newMessage() *messngr.Message {
	now := time.Now()
	return &messngr.Message{
		ID:       messngr.NewID(now),
		From:     "ALICE",
		To:       "HOST2",
		Text:     "Server FS1 restarts in five minutes.\nSave your work and log off, please. Questions: extension 4711.",
		Priority: messngr.Normal,
		Sent:     now,
		Received: now,
		Source: messngr.Source{
			Transport: messngr.SMB,
			Addr:      netip.MustParseAddrPort("10.1.2.3:49152"),
			Called:    "HOST2<03>",
			Calling:   "ALICE<03>",
		},
		Provenance: messngr.Claimed,
	}
}

// entryOf returns what a store gives back for m while it has no receipt.
func entryOf(m *messngr.Message) messngr.Entry {
	e := messngr.Entry{Message: *m, State: messngr.Received}
	e.Sent, e.Received = m.Sent.Round(0).UTC(), m.Received.Round(0).UTC()
	return e
}

// mustAdd adds messages one after the other.
func mustAdd(t *testing.T, s Store, messages ...*messngr.Message) {
	t.Helper()
	for _, m := range messages {
		if err := s.Add(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
}

// all returns all entries.
func all(t *testing.T, s Store) []messngr.Entry {
	t.Helper()
	entries, err := s.Entries(t.Context(), Query{})
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

// addMany adds n new messages and returns them.
func addMany(t *testing.T, s Store, n int) []*messngr.Message {
	t.Helper()
	messages := make([]*messngr.Message, n)
	for i := range messages {
		messages[i] = newMessage()
	}
	addAll(t, s, messages)
	return messages
}

// addAll adds messages at the same time, for them to share commits.
func addAll(t *testing.T, s Store, messages []*messngr.Message) {
	t.Helper()
	errs := make(chan error, len(messages))
	for _, m := range messages {
		go func() { errs <- s.Add(t.Context(), m) }()
	}
	for range messages {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
}
