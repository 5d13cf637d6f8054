-- A file of schema 1 with two messages, as it was made then. It never changes.
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
INSERT INTO messages VALUES
	(1, x'019ab00000007000800000000000000b', 'ALICE', 'HOST2', 'second to be made, first to be stored', 3,
		1795423200000000001, 1795423200000000002, 'smb', '10.1.2.3:49152', 'HOST2<03>', 'ALICE<03>', 'claimed'),
	(2, x'019ab00000007000800000000000000a', 'root', '', 'é' || char(10) || '日本語', 5,
		-9223372036854775808, 1795423200000000003, 'local', '', '', '', 'authenticated');
PRAGMA user_version = 1;
