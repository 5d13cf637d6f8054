package store

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"

	"github.com/messngr/messngr"
	"golang.org/x/sys/unix"
	"zombiezen.com/go/sqlite"
)

// TestIOError puts a file that cannot be written to under SQLite's hands, in
// place of the write-ahead log.
func TestIOError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "messngr.db")
	s := openSQLite(t, path, Config{})
	kept := make(map[messngr.ID]bool)
	for range 3 {
		m := newMessage()
		mustAdd(t, s, m)
		kept[m.ID] = true

		repair := breakFile(t, path+"-wal")
		for range 3 {
			m = newMessage()
			err := s.Add(t.Context(), m)
			if !errors.Is(err, messngr.ErrNoRoom) || sqlite.ErrCode(err) != sqlite.ResultIOErrWrite {
				t.Errorf("Add: %v, want an error that wraps %v and SQLITE_IOERR_WRITE", err, messngr.ErrNoRoom)
			}
			kept[m.ID] = false
		}
		sameAs(t, s, kept)
		repair()
	}
	m := newMessage()
	mustAdd(t, s, m)
	kept[m.ID] = true
	sameAs(t, s, kept)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	sameAs(t, openSQLite(t, path, Config{}), kept)
}

// breakFile makes every descriptor of this process that writes to the file at
// path one that only reads.
func breakFile(t *testing.T, path string) (repair func()) {
	t.Helper()
	broken, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer broken.Close()
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	var writers []int // all of them, before the first new descriptor
	for _, link := range links {
		fd, err := strconv.Atoi(filepath.Base(link))
		if err != nil {
			t.Fatal(err)
		}
		if name, err := os.Readlink(link); err != nil || name != path {
			continue // the descriptor that Glob had is gone by now
		}
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		if err != nil {
			t.Fatal(err)
		}
		if flags&unix.O_ACCMODE != unix.O_RDONLY {
			writers = append(writers, fd)
		}
	}
	saved := make(map[int]int)
	for _, fd := range writers {
		if saved[fd], err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0); err != nil {
			t.Fatal(err)
		}
		if err := unix.Dup3(int(broken.Fd()), fd, unix.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
	}
	if len(saved) == 0 {
		t.Fatalf("nobody writes to %s", path)
	}
	return func() {
		for fd, was := range saved {
			if err := errors.Join(unix.Dup3(was, fd, unix.O_CLOEXEC), unix.Close(was)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestNoPermission opens files as a user who may not. When this user may do
// all, it becomes another one for the purpose: the kernel keeps a user for
// file access alone, by thread.
func TestNoPermission(t *testing.T) {
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"closed": 0o000, "readonly": 0o555} {
		if err := os.Mkdir(filepath.Join(dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	mine := filepath.Join(dir, "mine")
	if err := os.Mkdir(mine, 0o777); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(mine, "messngr.db")
	s := openSQLite(t, file, Config{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(file + "-lock"); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o400); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 {
		// TempDir's are closed to others.
		for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
			if err := os.Chmod(d, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(mine, 0o777); err != nil {
			t.Fatal(err)
		}
		const nobody = 65534
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := unix.Setfsuid(nobody); err != nil {
			t.Fatal(err)
		}
		defer unix.Setfsuid(0)
	}
	for _, path := range []string{
		filepath.Join(dir, "closed", "messngr.db"),
		filepath.Join(dir, "readonly", "messngr.db"),
		file,
	} {
		err := refused(t, path, "permission denied", "run as a user who may write there", "another data directory")
		if !errors.Is(err, syscall.EACCES) {
			t.Error(err)
		}
	}
}
