-- A file of schema 2 with a message and its receipt, as it was made then. It
-- never changes.
PRAGMA application_id = 0x4D736772;
CREATE TABLE messages (
	seq        INTEGER PRIMARY KEY,
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
CREATE TABLE receipts (
	message INTEGER NOT NULL REFERENCES messages (seq),
	n       INTEGER NOT NULL,
	state   TEXT NOT NULL,
	at      INTEGER NOT NULL,
	by      TEXT NOT NULL,
	PRIMARY KEY (message, n)
) STRICT, WITHOUT ROWID;
INSERT INTO messages VALUES
	(1, x'019ab00000007000800000000000000b', 'ALICE', 'HOST2', 'good morning', 3,
		1795423200000000001, 1795423200000000002, 'smb', '10.1.2.3:49152', 'HOST2<03>', 'ALICE<03>', 'claimed');
INSERT INTO receipts VALUES (1, 1, 'displayed', 1795423200000000003, 'terminal');
PRAGMA user_version = 2;
