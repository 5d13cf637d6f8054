package store

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/messngr/messngr"
)

func testWithhold(t *testing.T, open func(*testing.T, Config) Store) {
	told := 0
	s := open(t, Config{Committed: func(m []*messngr.Message) { told += len(m) }})
	shown, held, quarantined, again := newMessage(), newMessage(), newMessage(), newMessage()
	mustAdd(t, s, shown)
	withhold := func(state messngr.State, by string, m ...*messngr.Message) {
		t.Helper()
		if err := s.Withhold(t.Context(), state, by, m...); err != nil {
			t.Fatal(err)
		}
	}
	withhold(messngr.Held, "net pause", held, again, held)
	withhold(messngr.Quarantined, "a reason", quarantined)
	withhold(messngr.Held, "nobody")
	// What is there stays as it is, whichever way it comes again.
	withhold(messngr.Quarantined, "again", shown, again)
	mustAdd(t, s, held)
	if told != 1 {
		t.Errorf("Committed was told of %d messages, want 1", told)
	}

	in := func(m *messngr.Message, state messngr.State) messngr.Entry {
		e := entryOf(m)
		e.State = state
		return e
	}
	want := []messngr.Entry{
		entryOf(shown), in(held, messngr.Held), in(again, messngr.Held), in(quarantined, messngr.Quarantined),
	}
	if diff := cmp.Diff(want, all(t, s), compareAddr); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	receipts, err := s.Receipts(t.Context(), quarantined.ID)
	first := messngr.Receipt{Message: quarantined.ID, State: messngr.Quarantined, At: want[3].Received, By: "a reason"}
	if diff := cmp.Diff([]messngr.Receipt{first}, receipts); err != nil || diff != "" {
		t.Errorf("receipts: %v\n%s", err, diff)
	}
	if r, err := s.Receipts(t.Context(), shown.ID); err != nil || len(r) != 0 {
		t.Errorf("one that was there has receipts: %v, %v", r, err)
	}

	count := func(wantHeld, wantQuarantined int) {
		t.Helper()
		if h, q, err := s.Withheld(t.Context()); err != nil || h != wantHeld || q != wantQuarantined {
			t.Errorf("%d held, %d quarantined, %v; want %d and %d", h, q, err, wantHeld, wantQuarantined)
		}
	}
	count(2, 1)
	for _, r := range []messngr.Receipt{
		{Message: held.ID, State: messngr.Displayed},
		{Message: quarantined.ID, State: messngr.Held},
	} {
		if err := s.AddReceipts(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	count(2, 0)
	if err := s.Withhold(t.Context(), messngr.Held, "", &messngr.Message{}); !errors.Is(err, messngr.ErrNoRoom) {
		t.Errorf("one without an ID: %v", err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Withhold(cancelled, messngr.Held, "", newMessage()); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	count(2, 0)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Withhold(t.Context(), messngr.Held, "", newMessage()); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if _, _, err := s.Withheld(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

// testQueryState asks for messages in a state, of which there are pages.
func testQueryState(t *testing.T, open func(*testing.T, Config) Store) {
	s := open(t, Config{})
	const n = 3*pageRows + 30
	states := []messngr.State{messngr.Received, messngr.Held, messngr.Displayed, messngr.Quarantined, messngr.Held, messngr.Held}
	ids := map[messngr.State][]messngr.ID{}
	var order []messngr.ID
	for i := range n {
		m, state := newMessage(), states[i%len(states)]
		var err error
		switch {
		case !state.Withheld():
			err = s.Add(t.Context(), m)
		case i%12 < 6:
			err = s.Withhold(t.Context(), state, "", m)
		default: // what counts is the latest receipt
			first := messngr.Held
			if state == messngr.Held {
				first = messngr.Quarantined
			}
			if err = s.Withhold(t.Context(), first, "", m); err == nil {
				err = s.AddReceipts(t.Context(), messngr.Receipt{Message: m.ID, State: state})
			}
		}
		if err == nil && state == messngr.Displayed {
			err = s.AddReceipts(t.Context(), messngr.Receipt{Message: m.ID, State: messngr.Held}, messngr.Receipt{Message: m.ID, State: state})
		}
		if err != nil {
			t.Fatal(err)
		}
		ids[state], order = append(ids[state], m.ID), append(order, m.ID)
	}
	for _, state := range []messngr.State{messngr.Received, messngr.Displayed, messngr.Held, messngr.Quarantined, "none"} {
		for _, after := range []int{0, 1, n / 2, n} {
			for _, last := range []int{0, 2, pageRows} {
				for _, limit := range []int{0, 1, pageRows + 1} {
					q := Query{State: state, Last: last, Limit: limit}
					if after > 0 {
						q.After = order[after-1]
					}
					var want, got []messngr.ID
					for _, id := range order[after:] {
						if slices.Contains(ids[state], id) {
							want = append(want, id)
						}
					}
					if last > 0 && last < len(want) {
						want = want[len(want)-last:]
					}
					if limit > 0 && limit < len(want) {
						want = want[:limit]
					}
					entries, err := s.Entries(t.Context(), q)
					if err != nil {
						t.Fatal(err)
					}
					for _, e := range entries {
						got = append(got, e.ID)
						if e.State != state || e.Text == "" {
							t.Fatalf("%s after %d, last %d, limit %d: got %v", state, after, last, limit, e)
						}
					}
					if !slices.Equal(got, want) {
						t.Errorf("%s after %d, last %d, limit %d: %d entries, want %d", state, after, last, limit, len(got), len(want))
					}
				}
			}
		}
	}
}

func testSettings(t *testing.T, open func(*testing.T, Config) Store) {
	s := open(t, Config{})
	check := func(name, want string) {
		t.Helper()
		if got, err := s.Setting(t.Context(), name); err != nil || got != want {
			t.Errorf("%s is %q, %v; want %q", name, got, err, want)
		}
	}
	check("paused", "")
	for _, value := range []string{"1", "2", "", "Zoë\x00"} {
		if err := s.Set(t.Context(), "paused", value); err != nil {
			t.Fatal(err)
		}
		check("paused", value)
	}
	check("other", "")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Set(t.Context(), "paused", "1"); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if _, err := s.Setting(t.Context(), "paused"); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

// What is withheld, and what was set, is there after a restart.
func TestWithheldIsDurable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "messngr.db")
	s := openSQLite(t, path, Config{})
	m := newMessage()
	if err := s.Withhold(t.Context(), messngr.Held, "net pause", m); err != nil {
		t.Fatal(err)
	}
	if err := s.Set(t.Context(), "paused", "1"); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openSQLite(t, path, Config{})
	if got := all(t, s); len(got) != 1 || got[0].ID != m.ID || got[0].State != messngr.Held {
		t.Errorf("got %v", got)
	}
	if v, err := s.Setting(t.Context(), "paused"); err != nil || v != "1" {
		t.Errorf("the setting is %q, %v", v, err)
	}
}

// The few that are withheld are found by their index, however many are not.
func TestWithheldIsIndexed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "messngr.db")
	openSQLite(t, path, Config{})
	conn := foreign(t, path)
	for _, query := range []string{
		"SELECT count(*) FROM receipts AS r WHERE " + latestWithheld + " AND r.state = 'held'",
		"SELECT " + entryColumns + ", r.state FROM receipts AS r JOIN messages ON seq = r.message WHERE " +
			latestWithheld + " AND r.message > 1 AND r.message <= 9 AND r.state = ?4 ORDER BY r.message LIMIT 5",
	} {
		stmt, _, err := conn.PrepareTransient("EXPLAIN QUERY PLAN " + query)
		if err != nil {
			t.Fatal(err)
		}
		var plan []string
		for {
			ok, err := stmt.Step()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			plan = append(plan, stmt.ColumnText(3))
		}
		stmt.Finalize()
		got := strings.Join(plan, "\n")
		if !strings.Contains(got, "r USING COVERING INDEX receipts_withheld") || strings.Contains(got, "SCAN messages") || strings.Contains(got, "TEMP") {
			t.Errorf("%s\n%s", query, got)
		}
	}
}

// What is withheld shares commits with what is not.
func TestWithheldShareACommit(t *testing.T) {
	s := openSQLite(t, filepath.Join(t.TempDir(), "messngr.db"), Config{})
	errs := make(chan error)
	var want int
	for i := range 200 {
		m := newMessage()
		m.Received = m.Received.Add(time.Duration(i))
		want++
		go func() {
			switch i % 3 {
			case 0:
				errs <- s.Add(t.Context(), m)
			case 1:
				errs <- s.Withhold(t.Context(), messngr.Held, "", m)
			default:
				errs <- s.Withhold(t.Context(), messngr.Quarantined, "", m)
			}
		}()
	}
	for range want {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	count := map[messngr.State]int{}
	for _, e := range all(t, s) {
		count[e.State]++
	}
	if diff := cmp.Diff(map[messngr.State]int{messngr.Received: 67, messngr.Held: 67, messngr.Quarantined: 66}, count); diff != "" {
		t.Error(diff)
	}
}
