package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// errInUse says that another SQLite has the file open.
var errInUse = errors.New("in use by another Messngr")

// busyTimeout is how long a commit waits for another program, such as the
// sqlite3 shell, that holds the file's write lock.
const busyTimeout = 5 * time.Second

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
		"PRAGMA synchronous = FULL",     // a commit is durable when it returns
		"PRAGMA fullfsync = ON",         // on macOS, where fsync does not reach the medium
		"PRAGMA wal_autocheckpoint = 0", // settle does it
		// A log that another program's reading has made longer than twice the
		// usual is cut; else it stays, to be overwritten.
		"PRAGMA journal_size_limit = 8388608",
		"PRAGMA cache_size = -512", // KiB
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
	case errors.Is(err, syscall.ENOSPC):
		return ": make room on its disk" + elsewhere
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
