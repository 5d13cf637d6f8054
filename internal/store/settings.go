package store

import (
	"context"

	"zombiezen.com/go/sqlite"
)

// Set implements Settings.
func (s *SQLite) Set(ctx context.Context, name, value string) error {
	return s.group.submit(ctx, request{other: func(w *writer) (refused, err error) {
		stmt, err := w.conn.Prepare("INSERT INTO settings (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2")
		if err != nil {
			return nil, err
		}
		stmt.BindText(1, name)
		stmt.BindText(2, value)
		return nil, run(stmt)
	}})
}

// Setting implements Settings.
func (s *SQLite) Setting(ctx context.Context, name string) (value string, err error) {
	err = s.read(ctx, func(r *reader) error {
		stmt, err := r.conn.Prepare("SELECT value FROM settings WHERE name = ?")
		if err != nil {
			return err
		}
		stmt.BindText(1, name)
		return each(stmt, func(row *sqlite.Stmt) error {
			value = row.ColumnText(0)
			return nil
		})
	})
	return value, err
}

// Set implements Settings.
func (s *Memory) Set(ctx context.Context, name, value string) error {
	return s.change(ctx, func() error {
		if s.settings == nil {
			s.settings = make(map[string]string)
		}
		s.settings[name] = value
		return nil
	})
}

// Setting implements Settings.
func (s *Memory) Setting(ctx context.Context, name string) (value string, err error) {
	err = s.change(ctx, func() error {
		value = s.settings[name]
		return nil
	})
	return value, err
}
