package store

import (
	"context"
	"fmt"
	"slices"

	"zombiezen.com/go/sqlite"
)

// unknownName is the error about a name that was not added. It is an
// ErrUnknown.
type unknownName string

func (n unknownName) Error() string      { return fmt.Sprintf("unknown name %q", string(n)) }
func (unknownName) Is(target error) bool { return target == ErrUnknown }

// AddName implements Names.
func (s *SQLite) AddName(ctx context.Context, name string) error {
	return s.group.submit(ctx, request{other: func(w *writer) (refused, err error) {
		stmt, err := w.conn.Prepare("INSERT INTO own_names (name) VALUES (?) ON CONFLICT (name) DO NOTHING")
		if err != nil {
			return nil, err
		}
		stmt.BindText(1, name)
		return nil, run(stmt)
	}})
}

// DeleteName implements Names.
func (s *SQLite) DeleteName(ctx context.Context, name string) error {
	return s.group.submit(ctx, request{other: func(w *writer) (refused, err error) {
		stmt, err := w.conn.Prepare("DELETE FROM own_names WHERE name = ?")
		if err != nil {
			return nil, err
		}
		stmt.BindText(1, name)
		if err := run(stmt); err != nil {
			return nil, err
		}
		if w.conn.Changes() == 0 {
			return unknownName(name), nil
		}
		return nil, nil
	}})
}

// Names implements Names.
func (s *SQLite) Names(ctx context.Context) (names []string, err error) {
	err = s.read(ctx, func(r *reader) error {
		stmt, err := r.conn.Prepare("SELECT name FROM own_names ORDER BY n")
		if err != nil {
			return err
		}
		return each(stmt, func(row *sqlite.Stmt) error {
			names = append(names, row.ColumnText(0))
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return names, nil
}

// AddName implements Names.
func (s *Memory) AddName(ctx context.Context, name string) error {
	return s.change(ctx, func() error {
		if !slices.Contains(s.names, name) {
			s.names = append(s.names, name)
		}
		return nil
	})
}

// DeleteName implements Names.
func (s *Memory) DeleteName(ctx context.Context, name string) error {
	return s.change(ctx, func() error {
		i := slices.Index(s.names, name)
		if i < 0 {
			return unknownName(name)
		}
		s.names = slices.Delete(s.names, i, i+1)
		return nil
	})
}

// Names implements Names.
func (s *Memory) Names(ctx context.Context) (names []string, err error) {
	err = s.change(ctx, func() error {
		names = slices.Clone(s.names)
		return nil
	})
	return names, err
}

// change calls f while nobody else uses s.
func (s *Memory) change(ctx context.Context, f func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	return f()
}
