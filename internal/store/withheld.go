package store

import (
	"context"
	"slices"

	"github.com/messngr/messngr"
)

// Withhold implements Store.
func (s *SQLite) Withhold(ctx context.Context, state messngr.State, by string, m ...*messngr.Message) error {
	if err := check(m); err != nil {
		return err
	}
	return s.group.submit(ctx, request{other: func(w *writer) (refused, err error) {
		return nil, w.withhold(state, by, m)
	}})
}

// withhold keeps messages with a first receipt.
func (w *writer) withhold(state messngr.State, by string, messages []*messngr.Message) error {
	n := len(w.added)
	defer func() {
		clear(w.added[n:])
		w.added = w.added[:n] // nobody is told of them
	}()
	if err := w.messages(messages); err != nil {
		return err
	}
	var receipts []messngr.Receipt
	for _, m := range w.added[n:] {
		receipts = append(receipts, messngr.Receipt{Message: m.ID, State: state, At: m.Received, By: by})
	}
	refused, err := w.receipts(receipts)
	if err == nil {
		err = refused // cannot be: they are there
	}
	return err
}

// Withheld implements Store.
func (s *SQLite) Withheld(ctx context.Context) (held, quarantined int, err error) {
	err = s.read(ctx, func(r *reader) error {
		count := func(state messngr.State) (int, error) {
			r.countWithheld.BindText(1, string(state))
			n, _, err := first(r.countWithheld)
			return int(n), err
		}
		if held, err = count(messngr.Held); err != nil {
			return err
		}
		quarantined, err = count(messngr.Quarantined)
		return err
	})
	return held, quarantined, err
}

// entriesIn is Entries for a query with a state.
func (s *SQLite) entriesIn(ctx context.Context, q Query) (entries []messngr.Entry, err error) {
	var after, until int64
	err = s.read(ctx, func(r *reader) (err error) {
		after, until, err = r.span(Query{After: q.After})
		return err
	})
	for err == nil && after < until && (q.Last > 0 || q.Limit <= 0 || len(entries) < q.Limit) {
		have := len(entries)
		err = s.read(ctx, func(r *reader) (err error) {
			stmt := r.entries
			if q.State.Withheld() {
				stmt = r.withheld
				stmt.BindText(4, string(q.State))
			}
			entries, after, err = r.page(stmt, entries, after, until, pageRows)
			return err
		})
		// entries finds all, and to look at them here lets the committer in
		// between.
		other := func(e messngr.Entry) bool { return e.State != q.State }
		entries = append(entries[:have], slices.DeleteFunc(entries[have:], other)...)
		if q.Last > 0 && len(entries) > q.Last {
			entries = slices.Delete(entries, 0, len(entries)-q.Last)
		}
	}
	if err != nil {
		return nil, err
	}
	if q.Limit > 0 && len(entries) > q.Limit {
		entries = entries[:q.Limit]
	}
	return entries, nil
}

// Withhold implements Store.
func (s *Memory) Withhold(ctx context.Context, state messngr.State, by string, m ...*messngr.Message) error {
	if err := check(m); err != nil {
		return err
	}
	return s.change(ctx, func() error {
		for _, m := range s.insert(m) {
			s.receipt(messngr.Receipt{Message: m.ID, State: state, At: m.Received, By: by})
		}
		return nil
	})
}

// Withheld implements Store.
func (s *Memory) Withheld(ctx context.Context) (held, quarantined int, err error) {
	err = s.change(ctx, func() error {
		for _, e := range s.entries {
			switch e.State {
			case messngr.Held:
				held++
			case messngr.Quarantined:
				quarantined++
			}
		}
		return nil
	})
	return held, quarantined, err
}
