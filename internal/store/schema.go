package store

import (
	"fmt"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// applicationID marks a SQLite file as ours ("Msgr"); other programs' files
// are left alone.
const applicationID = 0x4D736772

// migrations bring a file from version i to i+1. What has been released is
// never changed again: a change is a new migration at the end.
//
// Times are nanoseconds since 1970 in UTC. Addresses are text, empty when
// there is none.
var migrations = [...]string{
	`
PRAGMA application_id = 0x4D736772;
CREATE TABLE messages (
	seq        INTEGER PRIMARY KEY, -- the order of the commits
	id         BLOB NOT NULL UNIQUE,
	sender     TEXT NOT NULL,
	recipient  TEXT NOT NULL,
	text       TEXT NOT NULL,
	priority   INTEGER NOT NULL,
	sent       INTEGER NOT NULL,
	received   INTEGER NOT NULL,
	transport  TEXT NOT NULL,
	addr       TEXT NOT NULL,
	called     TEXT NOT NULL,
	calling    TEXT NOT NULL,
	provenance TEXT NOT NULL
) STRICT;
`,
	`
CREATE TABLE receipts (
	message INTEGER NOT NULL REFERENCES messages (seq),
	n       INTEGER NOT NULL, -- 1, 2, 3 ... of this message
	state   TEXT NOT NULL,
	at      INTEGER NOT NULL,
	by      TEXT NOT NULL,
	PRIMARY KEY (message, n)
) STRICT, WITHOUT ROWID;
`,
	`
CREATE TABLE own_names (
	n    INTEGER PRIMARY KEY, -- the order in which they were added
	name TEXT NOT NULL UNIQUE
) STRICT;
`,
	`
CREATE TABLE name_records (
	name    BLOB NOT NULL,    -- 16 bytes
	scope   BLOB NOT NULL,    -- as in a packet, empty for none
	kind    INTEGER NOT NULL, -- 1 unique, 2 multi-homed, 3 group, 4 internet group
	state   INTEGER NOT NULL, -- 1 active, 2 released
	static  INTEGER NOT NULL,
	expires INTEGER NOT NULL,
	source  TEXT NOT NULL,
	addrs   BLOB NOT NULL,    -- for each 4 bytes address, 2 bytes flags, 8 bytes expires
	PRIMARY KEY (name, scope)
) STRICT, WITHOUT ROWID;
`,
	`
CREATE TABLE settings (
	name  TEXT NOT NULL PRIMARY KEY,
	value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX receipts_withheld ON receipts (message, state)
	WHERE state IN ('held', 'quarantined'); -- finds them among many that are not
`,
}

// identify returns the version of the schema of the file, 0 for an empty one,
// or an error that refuses the file. It changes nothing.
func identify(conn *sqlite.Conn) (version int, err error) {
	app, err := pragma(conn, "application_id")
	if err != nil {
		return 0, err
	}
	if version, err = pragma(conn, "user_version"); err != nil {
		return 0, err
	}
	stmt, _, err := conn.PrepareTransient("SELECT count(*) FROM sqlite_schema")
	if err != nil {
		return 0, err
	}
	defer stmt.Finalize()
	objects, err := sqlitex.ResultInt(stmt)
	if err != nil {
		return 0, err
	}
	switch {
	case app == 0 && version == 0 && objects == 0:
		return 0, nil
	case app != applicationID || version < 1:
		return 0, fmt.Errorf("a SQLite file of another program: move it away or choose another data directory")
	case version > len(migrations):
		return 0, fmt.Errorf("written by a newer Messngr (schema %d, this one knows up to %d): use the newer Messngr or choose another data directory", version, len(migrations))
	}
	return version, nil
}

// migrate brings a file from version to the latest, a transaction a step.
func migrate(conn *sqlite.Conn, version int) error {
	for i, ddl := range migrations[version:] {
		ddl = fmt.Sprintf("%s PRAGMA user_version = %d;", ddl, version+i+1)
		if err := sqlitex.ExecuteScript(conn, ddl, nil); err != nil {
			return fmt.Errorf("migrate to schema %d: %w", version+i+1, err)
		}
	}
	return nil
}

// probe reads the youngest of everything, to find now, and not with the first
// message, that the file is damaged. It does not read all of the file, which
// would take long.
func probe(conn *sqlite.Conn) error {
	for _, query := range []string{
		"SELECT seq FROM messages WHERE id = (SELECT id FROM messages ORDER BY seq DESC LIMIT 1)",
		"SELECT max(message) FROM receipts",
		"SELECT max(n) FROM own_names",
		"SELECT max(name) FROM name_records",
		"SELECT max(name) FROM settings",
	} {
		if err := sqlitex.ExecuteTransient(conn, query, nil); err != nil {
			return err
		}
	}
	return nil
}

// pragma returns the value of a pragma that is a number.
func pragma(conn *sqlite.Conn, name string) (int, error) {
	stmt, _, err := conn.PrepareTransient("PRAGMA " + name)
	if err != nil {
		return 0, err
	}
	defer stmt.Finalize()
	return sqlitex.ResultInt(stmt)
}
