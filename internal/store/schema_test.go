package store

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/messngr/messngr"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// foreign makes another program's connection to the file at path.
func foreign(t *testing.T, path string) *sqlite.Conn {
	t.Helper()
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite|sqlite.OpenCreate)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetBusyTimeout(busyTimeout)
	t.Cleanup(func() { conn.Close() })
	return conn
}

// script executes SQL on a connection.
func script(t *testing.T, conn *sqlite.Conn, sql string) {
	t.Helper()
	if err := sqlitex.ExecuteScript(conn, sql, nil); err != nil {
		t.Fatal(err)
	}
}

// makeFile makes a SQLite file by executing SQL.
func makeFile(t *testing.T, path, sql string) {
	t.Helper()
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite|sqlite.OpenCreate)
	if err != nil {
		t.Fatal(err)
	}
	script(t, conn, sql)
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestMigrateFromVersion1(t *testing.T) {
	path := filepath.Join(t.TempDir(), "messngr.db")
	ddl, err := os.ReadFile(filepath.Join("testdata", "version1.sql"))
	if err != nil {
		t.Fatal(err)
	}
	makeFile(t, path, string(ddl))
	want := []messngr.Entry{
		{Message: messngr.Message{
			ID:   messngr.ID{0x01, 0x9a, 0xb0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 0x0b},
			From: "ALICE", To: "HOST2", Text: "second to be made, first to be stored", Priority: 3,
			Sent: time.Unix(1795423200, 1).UTC(), Received: time.Unix(1795423200, 2).UTC(),
			Source: messngr.Source{
				Transport: messngr.SMB, Addr: netip.MustParseAddrPort("10.1.2.3:49152"),
				Called: "HOST2<03>", Calling: "ALICE<03>",
			},
			Provenance: messngr.Claimed,
		}, State: messngr.Received},
		{Message: messngr.Message{
			ID:   messngr.ID{0x01, 0x9a, 0xb0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 0x0a},
			From: "root", Text: "é\n日本語", Priority: 5,
			Received:   time.Unix(1795423200, 3).UTC(),
			Source:     messngr.Source{Transport: messngr.Local},
			Provenance: messngr.Authenticated,
		}, State: messngr.Received},
	}
	for _, round := range []string{"migrated", "opened again"} {
		s := openSQLite(t, path, Config{})
		if diff := cmp.Diff(want, all(t, s), compareAddr); diff != "" {
			t.Errorf("%s (-want +got):\n%s", round, diff)
		}
		// What version 2 brought works on what version 1 had.
		receipt := messngr.Receipt{Message: want[0].ID, State: messngr.Displayed}
		if err := s.AddReceipts(t.Context(), receipt); err != nil {
			t.Error(err)
		}
		want[0].State = messngr.Displayed
		m := newMessage()
		mustAdd(t, s, m)
		want = append(want, entryOf(m))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	conn := foreign(t, path)
	if v, err := pragma(conn, "user_version"); err != nil || v != len(migrations) {
		t.Errorf("user_version is %d, %v, want %d", v, err, len(migrations))
	}
}

// TestMigrateAllOrNothing fails in the middle of the migration to version 2.
func TestMigrateAllOrNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "messngr.db")
	makeFile(t, path, migrations[0]+"PRAGMA user_version = 1; CREATE TABLE receipts (other)")
	if s, err := OpenSQLite(path, Config{}); err == nil {
		s.Close()
		t.Fatal("opened a file whose migration must fail")
	} else if !strings.Contains(err.Error(), "migrate to schema 2") {
		t.Errorf("error: %v", err)
	}
	conn := foreign(t, path)
	if v, err := pragma(conn, "user_version"); err != nil || v != 1 {
		t.Errorf("user_version is %d, %v, want 1", v, err)
	}
}

// TestApplicationID compares the number in the code with that in the SQL.
func TestApplicationID(t *testing.T) {
	if want := fmt.Sprintf("PRAGMA application_id = 0x%X;", applicationID); !strings.Contains(migrations[0], want) {
		t.Errorf("migration 1 lacks %q", want)
	}
}
