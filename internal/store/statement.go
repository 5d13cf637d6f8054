package store

import (
	"math"
	"time"

	"github.com/messngr/messngr"
	"zombiezen.com/go/sqlite"
)

// prepare fills in statements, which live as long as conn.
func prepare(conn *sqlite.Conn, statements map[**sqlite.Stmt]string) (err error) {
	for stmt, text := range statements {
		if *stmt, err = conn.Prepare(text); err != nil {
			return err
		}
	}
	return nil
}

// run executes a statement that returns no rows.
func run(stmt *sqlite.Stmt) error {
	if _, err := stmt.Step(); err != nil {
		return err
	}
	return stmt.Reset()
}

// each calls f for every row of a statement until one returns an error.
func each(stmt *sqlite.Stmt, f func(row *sqlite.Stmt) error) error {
	for {
		ok, err := stmt.Step()
		if err == nil && ok {
			err = f(stmt)
		}
		if err != nil || !ok {
			stmt.Reset() // what it returns is the error of Step again
			return err
		}
	}
}

// first returns the number in the first row of a statement, if there is one.
func first(stmt *sqlite.Stmt) (n int64, ok bool, err error) {
	defer stmt.Reset() // what it returns is the error of Step again
	if ok, err = stmt.Step(); ok {
		n = stmt.ColumnInt64(0)
	}
	return n, ok, err
}

// seqOf returns the sequence number of the message id, by a statement whose
// one parameter is the ID, or an error that wraps ErrUnknown.
func seqOf(stmt *sqlite.Stmt, id messngr.ID) (int64, error) {
	stmt.BindBytes(1, id[:])
	seq, ok, err := first(stmt)
	if err == nil && !ok {
		err = unknown(id)
	}
	return seq, err
}

// noTime stands for the zero time, which nanoseconds cannot express.
const noTime = math.MinInt64

func nanos(t time.Time) int64 {
	if t.IsZero() {
		return noTime
	}
	return t.UnixNano()
}

func fromNanos(n int64) time.Time {
	if n == noTime {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}
