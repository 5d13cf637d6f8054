// Package store keeps messages and their receipts, and names: in a SQLite
// file, durable, or in memory, for tests.
//
// Add is the promise of the whole program: once it has returned nil, the
// message outlives the process, the kernel and the power supply, and it is
// there once. Senders that wait at the same time share one commit.
//
// Entries come in commit order: the order in which messages became durable,
// which is not the order of their IDs.
//
// # Limitations
//
// No message is ever deleted. Times before 1678 or after 2262, which do not fit
// 64 bits of nanoseconds, are not kept as they were, except for the zero time.
// When the disk fails in the very last step of a commit, the sync, its senders
// are told so, yet the messages can be there if the process then dies at once.
package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/messngr/messngr"
)

// Errors of a Store.
var (
	// ErrClosed says that the store has been closed. It wraps
	// messngr.ErrNoRoom: a message that comes now is not kept.
	ErrClosed = fmt.Errorf("%w: the store is closed", messngr.ErrNoRoom)
	// ErrUnknown says that there is no message with the ID that was named, or
	// no such name.
	ErrUnknown = errors.New("unknown message")
)

// A Store keeps messages and receipts, and what the name service knows. All
// methods may be called from any goroutine.
type Store interface {
	Names
	Records
	Settings

	// Add keeps messages, all of them or, when it returns an error, none. It
	// returns nil once they are durable (Memory: once they are kept). The
	// store holds on to them; they must not change any more.
	//
	// To add an ID that is already there returns nil and changes nothing, so
	// that a sender that has not heard the answer can try again.
	//
	// An error wraps messngr.ErrNoRoom and its cause; then nothing was kept.
	// The exception is the error of ctx: when ctx ends while Add waits, they
	// may or may not become durable.
	Add(ctx context.Context, m ...*messngr.Message) error

	// Withhold is Add for messages that are not to be shown: each that was not
	// there has its first receipt from the same commit on, with that state, by
	// whom, and the time at which the message was received. Config.Committed is
	// not told of them.
	Withhold(ctx context.Context, state messngr.State, by string, m ...*messngr.Message) error

	// Withheld returns how many messages are held, and how many quarantined.
	Withheld(ctx context.Context) (held, quarantined int, err error)

	// AddReceipts appends receipts, all of them or, when it returns an error,
	// none. The error wraps ErrUnknown when one is for a message that is not
	// here, and otherwise is as Add's.
	AddReceipts(ctx context.Context, r ...messngr.Receipt) error

	// Entries returns the messages that q asks for, in commit order. Who
	// wants many reads page by page, with Query.Limit. The error wraps
	// ErrUnknown when the message that q starts after is not here.
	Entries(ctx context.Context, q Query) ([]messngr.Entry, error)

	// Receipts returns the receipts of one message in the order in which they
	// were added, or an error that wraps ErrUnknown.
	Receipts(ctx context.Context, id messngr.ID) ([]messngr.Receipt, error)

	// Close waits for what was added before it, and gives back the store's
	// resources. After it, all else returns ErrClosed, and Close nil.
	Close() error
}

// Names keeps the names that the service answers to besides those of its
// configuration.
type Names interface {
	// AddName keeps a name. To add one that is there changes nothing. When it
	// returns, and its errors, are as for Store.Add.
	AddName(ctx context.Context, name string) error

	// DeleteName forgets a name, or returns an error that wraps ErrUnknown.
	// Else it is as AddName.
	DeleteName(ctx context.Context, name string) error

	// Names returns the names in the order in which they were added.
	Names(ctx context.Context) ([]string, error)
}

// Settings keeps what a person has told the running service, by name.
type Settings interface {
	// Set keeps the value of a setting. When it returns, and its errors, are
	// as for Store.Add.
	Set(ctx context.Context, name, value string) error

	// Setting returns the value, or "" of a setting that was never set.
	Setting(ctx context.Context, name string) (value string, err error)
}

// Records keeps what a name server knows. It takes what it is given: what the
// fields of a record mean is nothing to it.
type Records interface {
	// PutRecords keeps records, all of them or, when it returns an error,
	// none. A record replaces the one with its key. When it returns, and its
	// errors, are as for Store.Add.
	PutRecords(ctx context.Context, records ...messngr.NameRecord) error

	// DeleteRecords forgets the records with these keys, if they are there.
	// Else it is as PutRecords.
	DeleteRecords(ctx context.Context, keys ...messngr.NameKey) error

	// Records calls f with each record, in the order of the bytes of name and
	// scope, until f returns an error, which it returns. What is put or
	// deleted meanwhile may or may not be seen.
	Records(ctx context.Context, f func(messngr.NameRecord) error) error
}

// A Query says which entries are wanted. The zero Query asks for all.
type Query struct {
	After messngr.ID // only what was committed after this message; zero: from the first
	// State asks only for messages whose latest state it is; zero: for all. Held
	// and Quarantined are quick, for others every message is looked at.
	State messngr.State
	Last  int // of these only the last so many; zero: all
	Limit int // of these only the first so many; zero: all
}

// A Config says how a store works with its surroundings. The zero Config is a
// good one.
type Config struct {
	// Committed is called with the messages that have just become durable, in
	// commit order, once for each, before their Add returns. Calls do not
	// overlap, and the next commit waits for the end of this one: it must be
	// quick, must not add to the store and must not keep the slice. Nil: no
	// call.
	Committed func([]*messngr.Message)
	// Log is told of failures that no caller can be told of. Nil: nobody is.
	Log *slog.Logger
}

// check refuses messages that could not be told from others.
func check(messages []*messngr.Message) error {
	for _, m := range messages {
		if m.ID == (messngr.ID{}) {
			return fmt.Errorf("%w: a message without an ID", messngr.ErrNoRoom)
		}
	}
	return nil
}

// unknown returns an error about the message id that wraps ErrUnknown.
func unknown(id messngr.ID) error { return fmt.Errorf("%w %v", ErrUnknown, id) }

// plain returns t as every store gives it back: in UTC, with nothing but the
// wall clock.
func plain(t time.Time) time.Time { return t.Round(0).UTC() }
