package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/messngr/messngr"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// errInUse says that another SQLite has the file open.
var errInUse = errors.New("in use by another Messngr")

// busyTimeout is how long a commit waits for another program, such as the
// sqlite3 shell, that holds the file's write lock.
const busyTimeout = 5 * time.Second

// A SQLite is a Store in a SQLite file in WAL mode: one connection, of one
// goroutine, writes; another, opened when it is first needed, reads.
type SQLite struct {
	cfg    Config
	path   string
	lock   *os.File
	writer *writer
	group  *group

	closing sync.Once

	reading sync.Mutex // guards what follows, and is held during a checkpoint
	reader  *reader    // nil before the first read
	closed  bool
}

// OpenSQLite opens the file at path, makes it (readable and writable by its
// owner alone) when there is none, and brings an older schema up to date. Only
// one SQLite at a time can have a file open, on one machine.
func OpenSQLite(path string, cfg Config) (*SQLite, error) {
	s, err := open(path, cfg)
	if err != nil {
		return nil, fmt.Errorf("store %s: %w%s", path, err, remedy(err))
	}
	return s, nil
}

func open(path string, cfg Config) (_ *SQLite, err error) {
	// SQLite gives a meaning to some names, such as ":memory:"; none of them
	// is absolute.
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	lock, err := lockFile(path + "-lock")
	if err != nil {
		return nil, err
	}
	s := &SQLite{cfg: cfg, path: path, lock: lock}
	if s.writer, err = openWriter(path); err != nil {
		lock.Close()
		return nil, err
	}
	s.group = newGroup(s.commit, s.settle)
	return s, nil
}

// openWriter opens the one connection that writes.
func openWriter(path string) (_ *writer, err error) {
	// SQLite would make a file that all may read. Its other files, -wal and
	// -shm, get the permissions of this one.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	f.Close()

	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			conn.Close()
		}
	}()
	conn.SetBusyTimeout(busyTimeout)
	version, err := identify(conn)
	if err != nil {
		return nil, err
	}
	for _, p := range []string{
		"PRAGMA journal_mode = WAL",
		"PRAGMA synchronous = FULL",           // a commit is durable when it returns
		"PRAGMA fullfsync = ON",               // on macOS, where fsync does not reach the medium
		"PRAGMA wal_autocheckpoint = 0",       // see settle
		"PRAGMA journal_size_limit = 8388608", // a log that a foreign reader has made larger than twice the usual is cut
		"PRAGMA cache_size = -512",            // KiB
		"PRAGMA mmap_size = 0",
	} {
		if err := sqlitex.ExecuteTransient(conn, p, nil); err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
	}
	if err := migrate(conn, version); err != nil {
		return nil, err
	}
	if err := probe(conn); err != nil {
		return nil, err
	}
	return newWriter(conn)
}

// remedy says what somebody can do about an error of open.
func remedy(err error) string {
	const elsewhere = ", or choose another data directory"
	switch {
	case errors.Is(err, errInUse):
		return ": stop it" + elsewhere
	case errors.Is(err, fs.ErrNotExist):
		return ": make the directory first" + elsewhere
	case errors.Is(err, fs.ErrPermission):
		return ": run as a user who may write there" + elsewhere
	}
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultNotADB, sqlite.ResultCorrupt:
		return ": restore it from a backup, or move it away to begin with an empty one"
	case sqlite.ResultCantOpen, sqlite.ResultReadOnly, sqlite.ResultPerm:
		return ": run as a user who may write there" + elsewhere
	case sqlite.ResultBusy:
		return ": end the other program that has it open"
	case sqlite.ResultFull:
		return ": make room on its disk" + elsewhere
	}
	return ""
}

// Add implements Store.
func (s *SQLite) Add(ctx context.Context, m *messngr.Message) error {
	if err := check(m); err != nil {
		return err
	}
	return s.group.submit(ctx, request{message: m})
}

// AddReceipts implements Store.
func (s *SQLite) AddReceipts(ctx context.Context, receipts ...messngr.Receipt) error {
	return s.group.submit(ctx, request{receipts: receipts})
}

// commit makes a batch durable and tells Config.Committed.
func (s *SQLite) commit(requests []request) {
	added, err := s.writer.write(requests)
	if err != nil {
		err = fmt.Errorf("%w: store %s: %w", messngr.ErrNoRoom, s.path, err)
		for i := range requests {
			requests[i].err = err
		}
		return
	}
	if len(added) > 0 && s.cfg.Committed != nil {
		s.cfg.Committed(added)
	}
}

// settle copies the write-ahead log into the file when it has become long. It
// does so with no reader about, because only then can all of the log be copied
// and its space be used again; to overwrite is cheaper than to append. Readers
// are never about for long: see Entries.
func (s *SQLite) settle() {
	due, err := s.writer.due()
	if due {
		s.reading.Lock()
		err = s.writer.copyLog()
		s.reading.Unlock()
	}
	if err != nil && s.cfg.Log != nil {
		s.cfg.Log.Warn("cannot copy the write-ahead log into the file; nothing is lost, but the log grows",
			"store", s.path, "error", err)
	}
}

// Close implements Store.
func (s *SQLite) Close() (err error) {
	s.closing.Do(func() {
		s.group.close()
		s.reading.Lock()
		defer s.reading.Unlock()
		s.closed = true
		if s.reader != nil {
			err = s.reader.conn.Close()
		}
		// The last connection to close copies the log into the file. When it
		// cannot, the log stays and is read by the next OpenSQLite.
		err = errors.Join(err, s.writer.conn.Close(), s.lock.Close())
	})
	if err != nil {
		err = fmt.Errorf("store %s: %w", s.path, err)
	}
	return err
}
