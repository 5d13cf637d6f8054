package store

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/messngr/messngr"
	"zombiezen.com/go/sqlite"
)

func TestReopen(t *testing.T) {
	// A name that SQLite, URIs and shells would each like to understand.
	path := filepath.Join(t.TempDir(), "a b#c%41;'d.db")
	want := []messngr.Entry{}
	for range 3 {
		s := openSQLite(t, path, Config{})
		for _, m := range addMany(t, s, 5) {
			if err := s.AddReceipts(t.Context(), messngr.Receipt{Message: m.ID, State: messngr.Displayed}); err != nil {
				t.Fatal(err)
			}
		}
		got := all(t, s)
		if diff := cmp.Diff(want, got[:len(want)], compareAddr); diff != "" || len(got) != len(want)+5 {
			t.Fatalf("%d entries (-want +got):\n%s", len(got), diff)
		}
		want = got
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

// TestOpenRelative opens names to which SQLite gives a meaning of its own.
func TestOpenRelative(t *testing.T) {
	names := []string{"messngr.db"}
	if runtime.GOOS != "windows" { // where no name has a colon
		names = append(names, ":memory:", "file:messngr.db?mode=memory")
	}
	dir := t.TempDir()
	t.Chdir(dir)
	for _, name := range names {
		s, err := OpenSQLite(name, Config{})
		if err != nil {
			t.Error(err)
			continue
		}
		mustAdd(t, s, newMessage())
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("%q: %v, %v", name, info, err)
		}
	}
}

func TestOpenTwice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "messngr.db")
	s := openSQLite(t, path, Config{})
	for range 2 {
		refused(t, path, "in use by another Messngr", "stop it")
	}
	mustAdd(t, s, newMessage())
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n := len(all(t, openSQLite(t, path, Config{}))); n != 1 {
		t.Errorf("%d entries, want 1", n)
	}
}

// refused checks that a file cannot be opened and that the error, of one line,
// names the file, says what is wrong and what to do.
func refused(t *testing.T, path string, parts ...string) error {
	t.Helper()
	s, err := OpenSQLite(path, Config{})
	if err == nil {
		s.Close()
		t.Fatalf("%s was opened", path)
	}
	for _, part := range append(parts, path) {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q lacks %q", err, part)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("error %q has more than one line", err)
	}
	return err
}

func TestOpenRefused(t *testing.T) {
	good := filepath.Join(t.TempDir(), "good.db")
	s := openSQLite(t, good, Config{})
	addMany(t, s, 200)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		content func(path string) []byte // nil: the function has made the file
		errs    []string
		code    sqlite.ResultCode
	}{
		{"text", func(string) []byte { return bytes.Repeat([]byte("Dear diary, "), 1000) },
			[]string{"not a database", "restore", "move it away"}, sqlite.ResultNotADB},
		{"short text", func(string) []byte { return []byte("Dear diary") },
			[]string{"not a database", "restore", "move it away"}, sqlite.ResultNotADB},
		{"header only", func(string) []byte { return content[:100] },
			[]string{"malformed", "restore", "move it away"}, sqlite.ResultCorrupt},
		{"schema overwritten", func(string) []byte {
			return append(append([]byte{}, content[:100]...), bytes.Repeat([]byte{0xA5}, len(content)-100)...)
		}, []string{"malformed", "restore", "move it away"}, sqlite.ResultCorrupt},
		{"tables overwritten", func(string) []byte {
			return append(append([]byte{}, content[:4096]...), bytes.Repeat([]byte{0xA5}, len(content)-4096)...)
		}, []string{"malformed", "restore", "move it away"}, sqlite.ResultCorrupt},
		{"cut off", func(string) []byte { return content[:2*4096] },
			[]string{"malformed", "restore", "move it away"}, sqlite.ResultCorrupt},
		{"newer", func(path string) []byte {
			makeFile(t, path, strings.Join(migrations[:], "")+"CREATE TABLE things (a); PRAGMA user_version = 7")
			return nil
		}, []string{"newer Messngr", "schema 7", fmt.Sprintf("knows up to %d", len(migrations)), "use the newer"}, sqlite.ResultError},
		{"another program's", func(path string) []byte {
			makeFile(t, path, "CREATE TABLE bookmarks (url); PRAGMA user_version = 1")
			return nil
		}, []string{"another program", "move it away"}, sqlite.ResultError},
		{"another program's, unversioned", func(path string) []byte {
			makeFile(t, path, "CREATE TABLE messages (url)")
			return nil
		}, []string{"another program", "move it away"}, sqlite.ResultError},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "messngr.db")
			if c := test.content(path); c != nil {
				if err := os.WriteFile(path, c, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			err = refused(t, path, test.errs...)
			if code := sqlite.ErrCode(err).ToPrimary(); code != test.code {
				t.Errorf("code %v, want %v", code, test.code)
			}
			after, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(before, after) {
				t.Error("the refused file was changed")
			}
		})
	}
	t.Run("no directory", func(t *testing.T) {
		err := refused(t, filepath.Join(t.TempDir(), "missing", "messngr.db"), "make the directory")
		if !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	})
	t.Run("a directory", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "messngr.db")
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		refused(t, path)
	})
}
