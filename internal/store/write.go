package store

import (
	"errors"

	"github.com/messngr/messngr"
	"zombiezen.com/go/sqlite"
)

// walPages is the length of the write-ahead log, in pages of 4 KiB, at which
// it is copied into the file. The longer it is, the more often has a page been
// written meanwhile that needs to be copied only once.
const walPages = 1000

// askEvery is the number of requests after which the length of the log is
// looked at.
const askEvery = 64

// A writer is the connection that writes, and its statements. One goroutine
// uses it.
type writer struct {
	conn                            *sqlite.Conn
	begin, commit, rollback         *sqlite.Stmt
	addMessage, findSeq, addReceipt *sqlite.Stmt
	logLength, checkpoint           *sqlite.Stmt

	unasked      int                // messages and other requests since logLength was asked
	checkpointAt int                // pages in the log
	added        []*messngr.Message // reused from batch to batch
	addr         []byte
}

func newWriter(conn *sqlite.Conn) (*writer, error) {
	w := &writer{conn: conn, checkpointAt: walPages}
	err := prepare(conn, map[**sqlite.Stmt]string{
		&w.begin:    "BEGIN IMMEDIATE",
		&w.commit:   "COMMIT",
		&w.rollback: "ROLLBACK",
		&w.addMessage: `INSERT INTO messages (id, sender, recipient, text, priority, sent, received,
			transport, addr, called, calling, provenance)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
		&w.findSeq: "SELECT seq FROM messages WHERE id = ?",
		&w.addReceipt: `INSERT INTO receipts (message, n, state, at, by)
			VALUES (?1, (SELECT coalesce(max(n), 0) + 1 FROM receipts WHERE message = ?1), ?2, ?3, ?4)`,
		&w.logLength:  "PRAGMA wal_checkpoint(NOOP)",
		&w.checkpoint: "PRAGMA wal_checkpoint(PASSIVE)",
	})
	if err != nil {
		return nil, err
	}
	return w, nil
}

// write makes requests durable in one transaction and returns the messages
// that were not there before, in a slice that the next call uses again. After
// an error, nothing of any request has been kept; the err of a request is for
// what concerns that one alone.
func (w *writer) write(requests []request) (added []*messngr.Message, err error) {
	clear(w.added) // do not keep them from the garbage collector
	w.added = w.added[:0]
	if err := run(w.begin); err != nil {
		return nil, err
	}
	defer func() {
		// Some errors have made SQLite roll back by itself.
		if err != nil && !w.conn.AutocommitEnabled() {
			run(w.rollback) // cannot fail: it only forgets
		}
	}()
	for i := range requests {
		r := &requests[i]
		w.unasked += max(1, len(r.messages))
		switch {
		case len(r.messages) > 0:
			err = w.messages(r.messages)
		case r.other != nil:
			r.err, err = r.other(w)
		default:
			r.err, err = w.receipts(r.receipts)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := run(w.commit); err != nil {
		return nil, err
	}
	return w.added, nil
}

func (w *writer) messages(messages []*messngr.Message) error {
	for _, m := range messages {
		if err := w.message(m); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) message(m *messngr.Message) error {
	w.addr = w.addr[:0]
	if m.Source.Addr.IsValid() {
		w.addr = m.Source.Addr.AppendTo(w.addr)
	}
	s := w.addMessage
	s.BindBytes(1, m.ID[:])
	s.BindText(2, m.From)
	s.BindText(3, m.To)
	s.BindText(4, m.Text)
	s.BindInt64(5, int64(m.Priority))
	s.BindInt64(6, nanos(m.Sent))
	s.BindInt64(7, nanos(m.Received))
	s.BindText(8, string(m.Source.Transport))
	s.BindText(9, string(w.addr))
	s.BindText(10, m.Source.Called)
	s.BindText(11, m.Source.Calling)
	s.BindText(12, string(m.Provenance))
	if err := run(s); err != nil {
		return err
	}
	if w.conn.Changes() > 0 {
		w.added = append(w.added, m)
	}
	return nil
}

// receipts appends all of receipts, or returns the reason not to as refused,
// having changed nothing.
func (w *writer) receipts(receipts []messngr.Receipt) (refused, err error) {
	seqs := make([]int64, len(receipts))
	for i, r := range receipts {
		seqs[i], err = seqOf(w.findSeq, r.Message)
		if errors.Is(err, ErrUnknown) {
			return err, nil
		}
		if err != nil {
			return nil, err
		}
	}
	s := w.addReceipt
	for i, r := range receipts {
		s.BindInt64(1, seqs[i])
		s.BindText(2, string(r.State))
		s.BindInt64(3, nanos(r.At))
		s.BindText(4, r.By)
		if err := run(s); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// due reports whether the write-ahead log is long enough for copyLog. It is
// right a little late, because to ask SQLite costs as much as two messages.
func (w *writer) due() (bool, error) {
	if w.unasked < askEvery {
		return false, nil
	}
	w.unasked = 0
	length, _, err := counts(w.logLength)
	return length >= w.checkpointAt, err
}

// copyLog copies the write-ahead log into the file. If all of it could be
// copied, the next transaction starts to overwrite it from its beginning.
func (w *writer) copyLog() error {
	length, copied, err := counts(w.checkpoint)
	if err != nil || copied < length {
		// The disk is full, or another program reads. Try again, but not at
		// each commit.
		w.checkpointAt += walPages
		return err
	}
	w.checkpointAt = walPages
	return nil
}

// counts executes a checkpoint pragma, which says how many pages are in the
// log and how many of them have been copied.
func counts(stmt *sqlite.Stmt) (length, copied int, err error) {
	defer stmt.Reset()
	if _, err := stmt.Step(); err != nil {
		return 0, 0, err
	}
	return stmt.ColumnInt(1), stmt.ColumnInt(2), nil
}
