package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/messngr/messngr"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// TestFull fills a file that SQLite does not let grow, then makes room in it.
func TestFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "messngr.db")
	var s *SQLite
	var limit sync.Once
	s = openSQLite(t, path, Config{Committed: func([]*messngr.Message) {
		limit.Do(func() { // here, where the writer's connection may be used
			if err := sqlitex.ExecuteTransient(s.writer.conn, "PRAGMA max_page_count = 200", nil); err != nil {
				t.Error(err)
			}
		})
	}})
	conn := foreign(t, path)
	script(t, conn, "CREATE TABLE ballast (b); INSERT INTO ballast VALUES (zeroblob(500000))")
	testFull(t, s, func() { script(t, conn, "DROP TABLE ballast") })
}

// testFull adds messages from some senders until there is no room, makes room,
// and adds again. It compares all answers with what is there afterwards.
func testFull(t *testing.T, s *SQLite, makeRoom func()) {
	t.Helper()
	kept := make(map[messngr.ID]bool) // whether, by what the store has said
	for _, e := range all(t, s) {
		kept[e.ID] = true
	}
	before := len(kept)
	fill(t, s, kept)
	sameAs(t, s, kept)
	t.Logf("full after %d messages", len(all(t, s))-before)

	// A full store goes on to refuse, quickly, and to be read.
	for range 20 {
		m := bulky()
		kept[m.ID] = s.Add(t.Context(), m) == nil
	}
	sameAs(t, s, kept)

	makeRoom()
	m := bulky()
	if err := s.Add(t.Context(), m); err != nil {
		t.Errorf("there is room again, but Add: %v", err)
	}
	kept[m.ID] = true
	if err := s.AddReceipts(t.Context(), messngr.Receipt{Message: m.ID, State: messngr.Displayed}); err != nil {
		t.Errorf("there is room again, but AddReceipts: %v", err)
	}
	sameAs(t, s, kept)
}

// bulky returns a message that takes a page of the file.
func bulky() *messngr.Message {
	m := newMessage()
	m.Text = fmt.Sprintf("%3600d", 1)
	return m
}

// fill adds bulky messages from some senders, each of which stops when it is
// refused, and notes in kept what they were told.
func fill(t *testing.T, s *SQLite, kept map[messngr.ID]bool) {
	t.Helper()
	const senders, each = 8, 2500
	var mu sync.Mutex
	var wait sync.WaitGroup
	refused := 0
	for range senders {
		wait.Go(func() {
			for range each {
				m := bulky()
				err := s.Add(t.Context(), m)
				mu.Lock()
				kept[m.ID] = err == nil
				mu.Unlock()
				if err == nil {
					continue
				}
				if !errors.Is(err, messngr.ErrNoRoom) || sqlite.ErrCode(err).ToPrimary() != sqlite.ResultFull {
					t.Errorf("Add: %v: want an error that wraps %v and SQLITE_FULL", err, messngr.ErrNoRoom)
				}
				mu.Lock()
				refused++
				mu.Unlock()
				return
			}
		})
	}
	wait.Wait()
	if refused != senders {
		t.Fatalf("%d of %d senders were refused: it is not full", refused, senders)
	}
}

// sameAs compares what is stored with what should be.
func sameAs(t *testing.T, s *SQLite, kept map[messngr.ID]bool) {
	t.Helper()
	times := make(map[messngr.ID]int)
	for _, e := range all(t, s) {
		times[e.ID]++
	}
	for id, ok := range kept {
		want := 0
		if ok {
			want = 1
		}
		if times[id] != want {
			t.Errorf("%v is there %d times, want %d", id, times[id], want)
		}
		delete(times, id)
	}
	if len(times) > 0 {
		t.Errorf("there are %d messages that nobody added", len(times))
	}
}
