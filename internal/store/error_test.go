package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/messngr/messngr"
	"zombiezen.com/go/sqlite"
)

// TestDurable checks the settings on which "durable" rests; no test can pull
// the plug.
func TestDurable(t *testing.T) {
	s := openSQLite(t, filepath.Join(t.TempDir(), "messngr.db"), Config{})
	for name, want := range map[string]int{"synchronous": 2, "fullfsync": 1} { // 2 is FULL
		if got, err := pragma(s.writer.conn, name); err != nil || got != want {
			t.Errorf("%s is %d, %v, want %d", name, got, err, want)
		}
	}
	if _, err := os.Stat(s.path + "-wal"); err != nil {
		t.Errorf("not in WAL mode: %v", err)
	}
}

// TestFailedCommit has every statement that adds fail, for a reason that has
// nothing to do with room.
func TestFailedCommit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "messngr.db")
	s := openSQLite(t, path, Config{})
	first := newMessage()
	mustAdd(t, s, first)
	conn := foreign(t, path)
	for range 3 {
		script(t, conn, "ALTER TABLE messages RENAME TO elsewhere")
		err := s.Add(t.Context(), newMessage())
		if !errors.Is(err, messngr.ErrNoRoom) || !strings.Contains(err.Error(), "no such table") {
			t.Errorf("Add: %v, want an error that wraps %v and SQLite's reason", err, messngr.ErrNoRoom)
		}
		err = s.AddReceipts(t.Context(), messngr.Receipt{Message: first.ID, State: messngr.Displayed})
		if !errors.Is(err, messngr.ErrNoRoom) {
			t.Errorf("AddReceipts: %v, want an error that wraps %v", err, messngr.ErrNoRoom)
		}
		if _, err = s.Entries(t.Context(), Query{}); err == nil || !strings.Contains(err.Error(), "no such table") {
			t.Errorf("Entries: %v", err)
		}
		script(t, conn, "ALTER TABLE elsewhere RENAME TO messages")
		mustAdd(t, s, newMessage())
	}
	if got := all(t, s); len(got) != 4 || got[0].State != messngr.Received {
		t.Errorf("entries: %v, want 4 without receipts", got)
	}
}

// TestBadRow reads a row that another program has spoilt.
func TestBadRow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "messngr.db")
	s := openSQLite(t, path, Config{})
	m := newMessage()
	mustAdd(t, s, m)
	conn := foreign(t, path)
	script(t, conn, "UPDATE messages SET addr = 'nowhere'")
	if _, err := s.Entries(t.Context(), Query{}); err == nil || !strings.Contains(err.Error(), m.ID.String()) {
		t.Errorf("Entries: %v, want an error about %v", err, m.ID)
	}
	script(t, conn, "UPDATE messages SET addr = ''")
	if n := len(all(t, s)); n != 1 {
		t.Errorf("%d entries, want 1", n)
	}
}

// TestLogIsUsedAgain adds messages while others read all the time: the
// write-ahead log must not grow for ever.
func TestLogIsUsedAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "messngr.db")
	s := openSQLite(t, path, Config{})
	stop := make(chan struct{})
	done := make(chan error)
	const readers = 2
	for range readers {
		go func() {
			for {
				select {
				case <-stop:
					done <- nil
					return
				default:
				}
				if _, err := s.Entries(t.Context(), Query{Last: 3 * pageRows}); err != nil {
					done <- err
					return
				}
			}
		}()
	}
	const frame = 4096 + 24
	log, written := int64(0), 0 // the log's size, in bytes
	for written < 8*walPages {  // pages, about one a message
		for range 8 {
			m := make([]*messngr.Message, 64)
			for i := range m {
				m[i] = bulky()
			}
			addAll(t, s, m)
			written += len(m)
		}
		info, err := os.Stat(path + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() < log {
			t.Errorf("the log was cut from %d to %d pages, want it overwritten", log/frame, info.Size()/frame)
		}
		log = info.Size()
	}
	close(stop)
	for range readers {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d pages written, %d in the log", written, log/frame)
	// The commit that passes the limit can be a large one.
	if log > 2*walPages*frame {
		t.Errorf("the log has grown to %d pages, want it used again at %d", log/frame, walPages)
	}
}

// TestForeignReader has another program read for so long that the log cannot
// be used again; everything else goes on, and the log is cut in the end.
func TestForeignReader(t *testing.T) {
	path := filepath.Join(t.TempDir(), "messngr.db")
	s := openSQLite(t, path, Config{})
	mustAdd(t, s, newMessage())
	conn := foreign(t, path)
	begin, err := conn.Prepare("BEGIN")
	if err != nil {
		t.Fatal(err)
	}
	count, err := conn.Prepare("SELECT count(*) FROM messages")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(run(begin), each(count, func(*sqlite.Stmt) error { return nil })); err != nil {
		t.Fatal(err)
	}
	grow := func(pages int) {
		for written := 0; written < pages; written += 256 {
			m := make([]*messngr.Message, 256)
			for i := range m {
				m[i] = bulky()
			}
			addAll(t, s, m)
		}
	}
	size := func() int64 {
		info, err := os.Stat(path + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		return info.Size() / (4096 + 24)
	}
	grow(3 * walPages)
	if n := size(); n < 3*walPages {
		t.Errorf("the log has %d pages: the reader did not read from it", n)
	}
	rollback, err := conn.Prepare("ROLLBACK")
	if err != nil {
		t.Fatal(err)
	}
	if err := run(rollback); err != nil {
		t.Fatal(err)
	}
	grow(2 * walPages)
	if n := size(); n > 2*walPages+100 {
		t.Errorf("the reader is gone, but the log still has %d pages", n)
	}
}
