package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/messngr/messngr"
	"zombiezen.com/go/sqlite/sqlitex"
)

func TestMigrateFromVersion2(t *testing.T) {
	path := filepath.Join(t.TempDir(), "messngr.db")
	ddl, err := os.ReadFile(filepath.Join("testdata", "version2.sql"))
	if err != nil {
		t.Fatal(err)
	}
	makeFile(t, path, string(ddl))
	for _, round := range []string{"migrated", "opened again"} {
		s := openSQLite(t, path, Config{})
		got := all(t, s)
		if len(got) != 1 || got[0].Text != "good morning" || got[0].State != messngr.Displayed {
			t.Errorf("%s: %v", round, got)
		}
		// What versions 3 and 4 brought works.
		if err := s.AddName(t.Context(), round); err != nil {
			t.Fatal(err)
		}
		mustPut(t, s, record(round, 3))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s := openSQLite(t, path, Config{})
	names, err := s.Names(t.Context())
	if diff := cmp.Diff([]string{"migrated", "opened again"}, names); err != nil || diff != "" {
		t.Errorf("Names: %v (-want +got):\n%s", err, diff)
	}
	if n := len(allRecords(t, s)); n != 2 {
		t.Errorf("%d records, want 2", n)
	}
}

// TestFailedNames has the statements about names and records fail.
func TestFailedNames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "messngr.db")
	s := openSQLite(t, path, Config{})
	if err := s.AddName(t.Context(), "A"); err != nil {
		t.Fatal(err)
	}
	mustPut(t, s, record("A", 3))
	conn := foreign(t, path)
	script(t, conn, "ALTER TABLE own_names RENAME TO a; ALTER TABLE name_records RENAME TO b")
	for method, err := range allOf(t.Context(), s) {
		reads := method == "Names" || method == "Records"
		if err == nil || !strings.Contains(err.Error(), "no such table") || !reads && !errors.Is(err, messngr.ErrNoRoom) {
			t.Errorf("%s: %v", method, err)
		}
	}
	script(t, conn, "ALTER TABLE a RENAME TO own_names; ALTER TABLE b RENAME TO name_records")
	mustAdd(t, s, newMessage())
	if got := allRecords(t, s); len(got) != 1 || got[0].NameKey != record("A", 3).NameKey {
		t.Errorf("Records: %v", got)
	}
}

// TestBadRecord reads a record that another program has spoilt.
func TestBadRecord(t *testing.T) {
	path := filepath.Join(t.TempDir(), "messngr.db")
	s := openSQLite(t, path, Config{})
	mustPut(t, s, record("HOST2", 3))
	conn := foreign(t, path)
	for _, spoil := range []string{"source = 'nowhere'", "addrs = x'0a4d00'"} {
		script(t, conn, "UPDATE name_records SET "+spoil)
		err := s.Records(t.Context(), func(messngr.NameRecord) error { return nil })
		if err == nil || !strings.Contains(err.Error(), "HOST2") {
			t.Errorf("%s: Records: %v, want an error about HOST2", spoil, err)
		}
		script(t, conn, "UPDATE name_records SET source = '', addrs = x''")
	}
	if n := len(allRecords(t, s)); n != 1 {
		t.Errorf("%d records, want 1", n)
	}
}

// TestFullNames: a full file keeps nothing of a record that is refused.
func TestFullNames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "messngr.db")
	var s *SQLite
	var limit sync.Once
	s = openSQLite(t, path, Config{Committed: func([]*messngr.Message) {
		limit.Do(func() { // here, where the writer's connection may be used
			if err := sqlitex.ExecuteTransient(s.writer.conn, "PRAGMA max_page_count = 60", nil); err != nil {
				t.Error(err)
			}
		})
	}})
	mustAdd(t, s, newMessage())
	kept, refused := 0, false
	for i := 0; i < 5000 && !refused; i += 8 {
		var records []messngr.NameRecord
		for j := range 8 {
			records = append(records, record(strconv.Itoa(i+j), 3))
		}
		err := s.PutRecords(t.Context(), records...)
		if refused = err != nil; !refused {
			kept += len(records)
		} else if !errors.Is(err, messngr.ErrNoRoom) {
			t.Errorf("PutRecords: %v, want an error that wraps %v", err, messngr.ErrNoRoom)
		}
	}
	if !refused {
		t.Fatal("it is not full")
	}
	if n := len(allRecords(t, s)); n != kept {
		t.Errorf("%d records, want %d", n, kept)
	}
}

// recordsEnv names the file that a child of TestKillRecords is to fill.
const recordsEnv = "MESSNGR_STORE_RECORDS"

// TestKillRecords kills a process that changes records, at a random moment,
// some times over: each must be as it was acknowledged, or younger.
func TestKillRecords(t *testing.T) {
	if path := os.Getenv(recordsEnv); path != "" {
		putRecords(t, path)
		return
	}
	path := filepath.Join(t.TempDir(), "messngr.db")
	acknowledged := make(map[messngr.NameKey]int64)
	for round := range rounds {
		n := killRecords(t, path, 1+rand.IntN(500), acknowledged)
		s := openSQLite(t, path, Config{})
		stored := make(map[messngr.NameKey]int64)
		for _, r := range allRecords(t, s) {
			stored[r.NameKey] = r.Expires.UnixNano()
			if len(r.Addrs) != 1 || !r.Addrs[0].Expires.Equal(r.Expires) {
				t.Errorf("%q is torn: %v", r.Name, r)
			}
		}
		for key, version := range acknowledged {
			if stored[key] < version {
				t.Errorf("%q was acknowledged as version %d and is %d", key.Name, version, stored[key])
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		t.Logf("round %d: killed after %d acknowledgements; %d records", round, n, len(stored))
	}
}

// putRecords changes records from some goroutines, and prints the key and the
// expiry of each once it has been acknowledged.
func putRecords(t *testing.T, path string) {
	s, err := OpenSQLite(path, Config{})
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for worker := range 8 {
		wait.Go(func() {
			for i := range 1000 {
				r := record(fmt.Sprintf("W%dN%d", worker, i%50), 3)
				r.Expires = time.Unix(0, time.Now().UnixNano())
				r.Addrs = []messngr.NameAddr{{Addr: netip.MustParseAddr("10.0.0.1"), Expires: r.Expires}}
				if err := s.PutRecords(context.Background(), r); err != nil {
					t.Error(err)
					return
				}
				fmt.Printf("kept %x %d\n", r.Name, r.Expires.UnixNano()) // one write
			}
		})
	}
	wait.Wait()
	io.Copy(io.Discard, os.Stdin) // to be killed; at the latest, the parent's end closes it
}

// killRecords starts a child on the file at path, kills it once it has written
// until lines, and notes what it wrote in acknowledged.
func killRecords(t *testing.T, path string, until int, acknowledged map[messngr.NameKey]int64) (n int) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-test.run=^TestKillRecords$")
	cmd.Env = append(os.Environ(), recordsEnv+"="+path)
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
		var name []byte
		var version int64
		if _, err := fmt.Sscanf(lines.Text(), "kept %x %d", &name, &version); err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		key := messngr.NameKey{Name: [16]byte(name)}
		acknowledged[key] = max(acknowledged[key], version)
		if n++; n == until {
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
