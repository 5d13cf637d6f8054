package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/messngr/messngr"
)

// A SQLite is a Store in a SQLite file in WAL mode: one connection, of one
// goroutine, writes; another, opened when it is first needed, reads.
type SQLite struct {
	cfg    Config
	path   string
	lock   *os.File
	writer *writer
	group  *group

	closing sync.Once

	reading sync.Mutex // guards what follows, and is held during a checkpoint
	reader  *reader    // nil before the first read
	closed  bool
}

// Add implements Store.
func (s *SQLite) Add(ctx context.Context, m ...*messngr.Message) error {
	if err := check(m); err != nil {
		return err
	}
	return s.group.submit(ctx, request{messages: m})
}

// AddReceipts implements Store.
func (s *SQLite) AddReceipts(ctx context.Context, receipts ...messngr.Receipt) error {
	return s.group.submit(ctx, request{receipts: receipts})
}

// commit makes a batch durable and tells Config.Committed.
func (s *SQLite) commit(requests []request) {
	added, err := s.writer.write(requests)
	if err != nil {
		err = fmt.Errorf("%w: store %s: %w", messngr.ErrNoRoom, s.path, err)
		for i := range requests {
			requests[i].err = err
		}
		return
	}
	if len(added) > 0 && s.cfg.Committed != nil {
		s.cfg.Committed(added)
	}
}

// settle copies the write-ahead log into the file when it has become long. It
// does so with no reader about, because only then can all of the log be copied
// and its space be used again; to overwrite is cheaper than to append. Readers
// are never about for long: see Entries.
func (s *SQLite) settle() {
	due, err := s.writer.due()
	if due {
		s.reading.Lock()
		err = s.writer.copyLog()
		s.reading.Unlock()
	}
	if err != nil && s.cfg.Log != nil {
		s.cfg.Log.Warn("cannot copy the write-ahead log into the file; nothing is lost, but the log grows",
			"store", s.path, "error", err)
	}
}

// Close implements Store.
func (s *SQLite) Close() (err error) {
	s.closing.Do(func() {
		s.group.close()
		s.reading.Lock()
		defer s.reading.Unlock()
		s.closed = true
		if s.reader != nil {
			err = s.reader.conn.Close()
		}
		// The last connection to close copies the log into the file. When it
		// cannot, the log stays and is read by the next OpenSQLite.
		err = errors.Join(err, s.writer.conn.Close(), s.lock.Close())
	})
	if err != nil {
		err = fmt.Errorf("store %s: %w", s.path, err)
	}
	return err
}
