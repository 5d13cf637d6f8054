package store

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/messngr/messngr"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// pageRows is the number of rows that are read in one go. The end of a long
// write-ahead log waits for readers, so they must be quick.
const pageRows = 256

// A reader is the connection that reads, and its statements. SQLite.reading
// guards it.
type reader struct {
	conn                     *sqlite.Conn
	findSeq, newest, fromEnd *sqlite.Stmt
	entries, receipts        *sqlite.Stmt
	withheld, countWithheld  *sqlite.Stmt
}

const (
	// entryColumns are what entry reads, but for the state, which follows.
	entryColumns = `seq, id, sender, recipient, text, priority, sent, received,
		transport, addr, called, calling, provenance`
	// latestWithheld is true of the receipt r of a message that is kept back.
	// The first part is what the index has.
	latestWithheld = `r.state IN ('held', 'quarantined')
		AND NOT EXISTS (SELECT 1 FROM receipts AS later WHERE later.message = r.message AND later.n > r.n)`
)

func openReader(path string) (_ *reader, err error) {
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadOnly)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			conn.Close()
		}
	}()
	conn.SetBusyTimeout(busyTimeout)
	if err := sqlitex.ExecuteTransient(conn, "PRAGMA cache_size = -256", nil); err != nil { // KiB
		return nil, err
	}
	r := &reader{conn: conn}
	err = prepare(conn, map[**sqlite.Stmt]string{
		&r.findSeq: "SELECT seq FROM messages WHERE id = ?",
		&r.newest:  "SELECT coalesce(max(seq), 0) FROM messages",
		&r.fromEnd: "SELECT seq FROM messages WHERE seq > ? AND seq <= ? ORDER BY seq DESC LIMIT 1 OFFSET ?",
		&r.entries: "SELECT " + entryColumns + `,
			(SELECT state FROM receipts WHERE message = seq ORDER BY n DESC LIMIT 1)
			FROM messages WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?`,
		&r.withheld: "SELECT " + entryColumns + `, r.state FROM receipts AS r JOIN messages ON seq = r.message
			WHERE ` + latestWithheld + ` AND r.message > ? AND r.message <= ? AND r.state = ?4
			ORDER BY r.message LIMIT ?3`,
		&r.countWithheld: "SELECT count(*) FROM receipts AS r WHERE " + latestWithheld + " AND r.state = ?",
		&r.receipts:      "SELECT state, at, by FROM receipts WHERE message = ? ORDER BY n",
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// read calls f with the reader while nobody else has it.
func (s *SQLite) read(ctx context.Context, f func(*reader) error) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.reading.Lock()
	defer s.reading.Unlock()
	if s.closed {
		return ErrClosed
	}
	if s.reader == nil {
		if s.reader, err = openReader(s.path); err != nil {
			return fmt.Errorf("store %s: open for reading: %w", s.path, err)
		}
	}
	if err := f(s.reader); err != nil {
		return fmt.Errorf("store %s: %w", s.path, err)
	}
	return nil
}

// Entries implements Store. It reads page by page and lets the committer in
// between.
func (s *SQLite) Entries(ctx context.Context, q Query) (entries []messngr.Entry, err error) {
	if q.State != "" {
		return s.entriesIn(ctx, q)
	}
	var after, until int64
	err = s.read(ctx, func(r *reader) (err error) {
		after, until, err = r.span(q)
		return err
	})
	for err == nil && after < until && (q.Limit <= 0 || len(entries) < q.Limit) {
		n := pageRows
		if q.Limit > 0 {
			n = min(n, q.Limit-len(entries))
		}
		err = s.read(ctx, func(r *reader) (err error) {
			entries, after, err = r.page(r.entries, entries, after, until, n)
			return err
		})
	}
	if err != nil {
		return nil, err
	}
	return entries, nil
}

// Receipts implements Store.
func (s *SQLite) Receipts(ctx context.Context, id messngr.ID) (receipts []messngr.Receipt, err error) {
	err = s.read(ctx, func(r *reader) error {
		seq, err := seqOf(r.findSeq, id)
		if err != nil {
			return err
		}
		r.receipts.BindInt64(1, seq)
		return each(r.receipts, func(row *sqlite.Stmt) error {
			receipts = append(receipts, messngr.Receipt{
				Message: id,
				State:   messngr.State(row.ColumnText(0)),
				At:      fromNanos(row.ColumnInt64(1)),
				By:      row.ColumnText(2),
			})
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return receipts, nil
}

// span returns what q asks for, but for its Limit, as two sequence numbers:
// after the one, up to and with the other.
func (r *reader) span(q Query) (after, until int64, err error) {
	if q.After != (messngr.ID{}) {
		if after, err = seqOf(r.findSeq, q.After); err != nil {
			return 0, 0, err
		}
	}
	if until, _, err = first(r.newest); err != nil {
		return 0, 0, err
	}
	if q.Last > 0 {
		r.fromEnd.BindInt64(1, after)
		r.fromEnd.BindInt64(2, until)
		r.fromEnd.BindInt64(3, int64(q.Last))
		seq, ok, err := first(r.fromEnd)
		if err != nil {
			return 0, 0, err
		}
		if ok {
			after = seq
		}
	}
	return after, until, nil
}

// page appends up to n entries, by a statement whose first parameters are after,
// until and n, and returns the last one's sequence number, or until when there
// are no more.
func (r *reader) page(stmt *sqlite.Stmt, entries []messngr.Entry, after, until int64, n int) ([]messngr.Entry, int64, error) {
	stmt.BindInt64(1, after)
	stmt.BindInt64(2, until)
	stmt.BindInt64(3, int64(n))
	last := until
	err := each(stmt, func(row *sqlite.Stmt) error {
		e, err := entry(row)
		entries, last = append(entries, e), row.ColumnInt64(0)
		return err
	})
	return entries, last, err
}

func entry(row *sqlite.Stmt) (e messngr.Entry, err error) {
	row.ColumnBytes(1, e.ID[:])
	e.From = row.ColumnText(2)
	e.To = row.ColumnText(3)
	e.Text = row.ColumnText(4)
	e.Priority = messngr.Priority(row.ColumnInt64(5))
	e.Sent = fromNanos(row.ColumnInt64(6))
	e.Received = fromNanos(row.ColumnInt64(7))
	e.Source.Transport = messngr.Transport(row.ColumnText(8))
	if addr := row.ColumnText(9); addr != "" {
		if e.Source.Addr, err = netip.ParseAddrPort(addr); err != nil {
			return messngr.Entry{}, fmt.Errorf("message %v: %w", e.ID, err)
		}
	}
	e.Source.Called = row.ColumnText(10)
	e.Source.Calling = row.ColumnText(11)
	e.Provenance = messngr.Provenance(row.ColumnText(12))
	e.State = messngr.Received
	if state := row.ColumnText(13); state != "" { // NULL: no receipt
		e.State = messngr.State(state)
	}
	return e, nil
}
