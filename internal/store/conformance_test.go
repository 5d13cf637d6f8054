package store

import (
	"errors"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/messngr/messngr"
)

func TestMemory(t *testing.T) {
	testStore(t, func(t *testing.T, cfg Config) Store { return NewMemory(cfg) })
}

func TestSQLite(t *testing.T) {
	testStore(t, func(t *testing.T, cfg Config) Store {
		return openSQLite(t, filepath.Join(t.TempDir(), "messngr.db"), cfg)
	})
}

// compareAddr lets cmp look at addresses, whose fields it cannot see.
var compareAddr = cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })

// testStore is what every Store must do.
func testStore(t *testing.T, open func(*testing.T, Config) Store) {
	for name, test := range map[string]func(*testing.T, func(*testing.T, Config) Store){
		"RoundTrip":       testRoundTrip,
		"CommitOrder":     testCommitOrder,
		"SameIDTwice":     testSameIDTwice,
		"Together":        testTogether,
		"NoID":            testNoID,
		"Concurrent":      testConcurrent,
		"Committed":       testCommitted,
		"Receipts":        testReceipts,
		"UnknownReceipts": testUnknownReceipts,
		"Withhold":        testWithhold,
		"QueryState":      testQueryState,
		"Settings":        testSettings,
		"Query":           testQuery,
		"Cancelled":       testCancelled,
		"Closed":          testClosed,
		"CloseMeanwhile":  testCloseMeanwhile,
	} {
		t.Run(name, func(t *testing.T) { test(t, open) })
	}
}

func testRoundTrip(t *testing.T, open func(*testing.T, Config) Store) {
	s := open(t, Config{})
	if got := all(t, s); len(got) != 0 {
		t.Errorf("a new store has %v", got)
	}
	change := func(f func(*messngr.Message)) *messngr.Message {
		m := newMessage()
		f(m)
		return m
	}
	var want []messngr.Entry
	for name, m := range map[string]*messngr.Message{
		"ordinary": newMessage(),
		"empty":    {ID: messngr.NewID(time.Now())},
		"Unicode": change(func(m *messngr.Message) {
			m.From, m.To, m.Text = "Zoë", "МАША", "日本語 \U0001F4E8 \u202Eabc\u202C é e\u0301 \uFFFD"
		}),
		"what text must not have": change(func(m *messngr.Message) {
			m.From, m.To, m.Text = "a\x00b", "\x00", "x\x00\x00\r\n\xff\xfe'; DROP TABLE messages; --"
		}),
		"long":   change(func(m *messngr.Message) { m.Text = strings.Repeat("0123456789é\n", 100_000) }),
		"urgent": change(func(m *messngr.Message) { m.Priority = 5 }),
		"IPv6":   change(func(m *messngr.Message) { m.Source.Addr = netip.MustParseAddrPort("[fe80::1%eth0]:139") }),
		"mapped": change(func(m *messngr.Message) { m.Source.Addr = netip.MustParseAddrPort("[::ffff:10.0.0.1]:139") }),
		"local": change(func(m *messngr.Message) {
			m.Source = messngr.Source{Transport: messngr.Local}
			m.Provenance = messngr.Authenticated
		}),
		"other zone": change(func(m *messngr.Message) { m.Sent = m.Sent.In(time.FixedZone("", -5*3600)) }),
		"old clock":  change(func(m *messngr.Message) { m.Sent = time.Date(1980, 1, 1, 0, 0, 0, 1, time.UTC) }),
		"no clock":   change(func(m *messngr.Message) { m.Sent = time.Time{} }),
		"1970":       change(func(m *messngr.Message) { m.Sent = time.Unix(0, 0) }),
	} {
		mustAdd(t, s, m)
		want = append(want, entryOf(m))
		if diff := cmp.Diff(want, all(t, s), compareAddr); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", name, diff)
		}
	}
	all(t, s)[0].Text = "changed by a reader"
	if diff := cmp.Diff(want, all(t, s), compareAddr); diff != "" {
		t.Errorf("after a reader's change (-want +got):\n%s", diff)
	}
}

func testCommitOrder(t *testing.T, open func(*testing.T, Config) Store) {
	s := open(t, Config{})
	first, second, third := newMessage(), newMessage(), newMessage()
	mustAdd(t, s, third, first, second)
	want := []messngr.Entry{entryOf(third), entryOf(first), entryOf(second)}
	if diff := cmp.Diff(want, all(t, s), compareAddr); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Messages that are added together are all there, in their order, or none is.
func testTogether(t *testing.T, open func(*testing.T, Config) Store) {
	var committed []*messngr.Message
	s := open(t, Config{Committed: func(m []*messngr.Message) { committed = append(committed, m...) }})
	first, second, third := newMessage(), newMessage(), newMessage()
	mustAdd(t, s, second)
	if err := s.Add(t.Context(), first, second, third, third); err != nil {
		t.Fatal(err)
	}
	if err := s.Add(t.Context()); err != nil {
		t.Errorf("no message: %v", err)
	}
	if err := s.Add(t.Context(), newMessage(), &messngr.Message{}); !errors.Is(err, messngr.ErrNoRoom) {
		t.Errorf("one without an ID: %v", err)
	}
	want := []messngr.Entry{entryOf(second), entryOf(first), entryOf(third)}
	if diff := cmp.Diff(want, all(t, s), compareAddr); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if want := []*messngr.Message{second, first, third}; !slices.Equal(committed, want) {
		t.Errorf("committed %v, want %v", committed, want)
	}
}

func testSameIDTwice(t *testing.T, open func(*testing.T, Config) Store) {
	committed := 0
	s := open(t, Config{Committed: func(m []*messngr.Message) { committed += len(m) }})
	m := newMessage()
	again := *m
	again.Text = "something else"
	mustAdd(t, s, m, m, &again)
	if diff := cmp.Diff([]messngr.Entry{entryOf(m)}, all(t, s), compareAddr); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if committed != 1 {
		t.Errorf("Committed was told of %d messages, want 1", committed)
	}
}

func testNoID(t *testing.T, open func(*testing.T, Config) Store) {
	s := open(t, Config{})
	m := newMessage()
	m.ID = messngr.ID{}
	if err := s.Add(t.Context(), m); !errors.Is(err, messngr.ErrNoRoom) {
		t.Errorf("Add: %v, want an error that wraps %v", err, messngr.ErrNoRoom)
	}
	if got := all(t, s); len(got) != 0 {
		t.Errorf("kept %v", got)
	}
}

func testReceipts(t *testing.T, open func(*testing.T, Config) Store) {
	s := open(t, Config{})
	a, b := newMessage(), newMessage()
	mustAdd(t, s, a, b)
	at := time.Date(2026, 11, 23, 8, 40, 0, 1, time.UTC)
	add := func(r ...messngr.Receipt) {
		t.Helper()
		if err := s.AddReceipts(t.Context(), r...); err != nil {
			t.Fatal(err)
		}
	}
	check := func(m *messngr.Message, state messngr.State, want ...messngr.Receipt) {
		t.Helper()
		got, err := s.Receipts(t.Context(), m.ID)
		if err != nil {
			t.Fatal(err)
		}
		if len(got)+len(want) > 0 && !slices.Equal(got, want) {
			t.Errorf("Receipts: %v, want %v", got, want)
		}
		for _, e := range all(t, s) {
			if e.ID == m.ID && e.State != state {
				t.Errorf("State is %q, want %q", e.State, state)
			}
		}
	}
	add()
	check(a, messngr.Received)

	displayed := messngr.Receipt{Message: a.ID, State: messngr.Displayed, At: at, By: "terminal"}
	add(displayed)
	check(a, messngr.Displayed, displayed)
	check(b, messngr.Received)

	// The latest is the one that was added last, whatever its clock says.
	onB := messngr.Receipt{Message: b.ID, State: messngr.Displayed}
	earlier := messngr.Receipt{Message: a.ID, State: "acknowledged", At: at.Add(-time.Hour), By: "Zoë\x00"}
	add(onB, earlier, onB)
	check(a, "acknowledged", displayed, earlier)
	check(b, messngr.Displayed, onB, onB)

	zone := earlier
	zone.At = at.In(time.FixedZone("", 3600))
	add(zone)
	zone.At = at
	check(a, "acknowledged", displayed, earlier, zone)
}

func testUnknownReceipts(t *testing.T, open func(*testing.T, Config) Store) {
	s := open(t, Config{})
	known, stranger := newMessage(), newMessage()
	mustAdd(t, s, known)
	err := s.AddReceipts(t.Context(),
		messngr.Receipt{Message: known.ID, State: messngr.Displayed},
		messngr.Receipt{Message: stranger.ID, State: messngr.Displayed})
	if !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), stranger.ID.String()) {
		t.Errorf("AddReceipts: %v, want an error about %v that wraps %v", err, stranger.ID, ErrUnknown)
	}
	if got := all(t, s); len(got) != 1 || got[0].State != messngr.Received {
		t.Errorf("kept one of the receipts: %v", got)
	}
	if r, err := s.Receipts(t.Context(), stranger.ID); !errors.Is(err, ErrUnknown) {
		t.Errorf("Receipts: %v, %v, want an error that wraps %v", r, err, ErrUnknown)
	}
	if e, err := s.Entries(t.Context(), Query{After: stranger.ID}); !errors.Is(err, ErrUnknown) {
		t.Errorf("Entries: %v, %v, want an error that wraps %v", e, err, ErrUnknown)
	}
}

func testQuery(t *testing.T, open func(*testing.T, Config) Store) {
	s := open(t, Config{})
	const n = 2*pageRows + 88
	addMany(t, s, n)
	ids := make([]messngr.ID, 0, n)
	for _, e := range all(t, s) {
		ids = append(ids, e.ID)
	}
	if len(ids) != n {
		t.Fatalf("%d entries, want %d", len(ids), n)
	}
	sizes := []int{0, 1, 2, pageRows - 1, pageRows, pageRows + 1, n - 1, n, n + 1}
	for _, after := range []int{0, 1, pageRows, n - 1, n} { // number of messages not wanted
		for _, last := range sizes {
			for _, limit := range sizes {
				q := Query{Last: last, Limit: limit}
				if after > 0 {
					q.After = ids[after-1]
				}
				want := ids[after:]
				if last > 0 && last < len(want) {
					want = want[len(want)-last:]
				}
				if limit > 0 && limit < len(want) {
					want = want[:limit]
				}
				entries, err := s.Entries(t.Context(), q)
				if err != nil {
					t.Fatalf("after %d, last %d, limit %d: %v", after, last, limit, err)
				}
				got := make([]messngr.ID, 0, n)
				for _, e := range entries {
					got = append(got, e.ID)
				}
				if !slices.Equal(got, want) {
					t.Errorf("after %d, last %d, limit %d: got %d other entries, want %d", after, last, limit, len(got), len(want))
				}
			}
		}
	}
}
