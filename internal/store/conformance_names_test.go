package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/messngr/messngr"
)

func TestNamesOfMemory(t *testing.T) {
	testNameStore(t, func(t *testing.T) Store { return NewMemory(Config{}) })
}

func TestNamesOfSQLite(t *testing.T) {
	testNameStore(t, func(t *testing.T) Store {
		return openSQLite(t, filepath.Join(t.TempDir(), "messngr.db"), Config{})
	})
}

// testNameStore is what every Store must do with names and records.
func testNameStore(t *testing.T, open func(*testing.T) Store) {
	for name, test := range map[string]func(*testing.T, Store){
		"Names":           testNames,
		"RecordRoundTrip": testRecordRoundTrip,
		"RecordOrder":     testRecordOrder,
		"RecordReplaced":  testRecordReplaced,
		"RecordRefused":   testRecordRefused,
		"RecordsStop":     testRecordsStop,
		"RecordsKept":     testRecordsKept,
		"NamesCancelled":  testNamesCancelled,
		"NamesClosed":     testNamesClosed,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

var compareIP = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

// record returns an ordinary record.
func record(base string, suffix byte) messngr.NameRecord {
	var r messngr.NameRecord
	copy(r.Name[:], fmt.Sprintf("%-15s%c", base, suffix))
	r.Kind, r.State = messngr.UniqueName, messngr.NameActive
	r.Expires = time.Unix(1795423200, 0).UTC()
	r.Source = netip.MustParseAddr("10.77.0.3")
	r.Addrs = []messngr.NameAddr{{Addr: r.Source, Flags: 0x6000, Expires: r.Expires}}
	return r
}

func mustPut(t *testing.T, s Store, records ...messngr.NameRecord) {
	t.Helper()
	if err := s.PutRecords(t.Context(), records...); err != nil {
		t.Fatal(err)
	}
}

// allRecords returns all records.
func allRecords(t *testing.T, s Store) (records []messngr.NameRecord) {
	t.Helper()
	err := s.Records(t.Context(), func(r messngr.NameRecord) error {
		records = append(records, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return records
}

func testNames(t *testing.T, s Store) {
	check := func(want ...string) {
		t.Helper()
		got, err := s.Names(t.Context())
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("Names: %q, %v, want %q", got, err, want)
		}
	}
	add := func(name string) {
		t.Helper()
		if err := s.AddName(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	check()
	add("ZOË")
	add("alice")
	add("")
	add("ALICE'; --\x00")
	add("alice") // again: it keeps its place
	check("ZOË", "alice", "", "ALICE'; --\x00")

	for _, name := range []string{"ALICE", "NOBODY"} {
		err := s.DeleteName(t.Context(), name)
		if !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), fmt.Sprintf("unknown name %q", name)) {
			t.Errorf("DeleteName(%q): %v, want an error that wraps %v", name, err, ErrUnknown)
		}
	}
	if err := s.DeleteName(t.Context(), "alice"); err != nil {
		t.Fatal(err)
	}
	check("ZOË", "", "ALICE'; --\x00")
	if err := s.DeleteName(t.Context(), "alice"); !errors.Is(err, ErrUnknown) {
		t.Errorf("deleted twice: %v", err)
	}
	add("alice")
	check("ZOË", "", "ALICE'; --\x00", "alice")
}

func testRecordRoundTrip(t *testing.T, s Store) {
	if got := allRecords(t, s); len(got) != 0 {
		t.Errorf("a new store has %v", got)
	}
	var want []messngr.NameRecord
	for i, change := range []func(*messngr.NameRecord){
		func(*messngr.NameRecord) {},
		func(r *messngr.NameRecord) { r.Scope = "\x07example\x03com" },
		func(r *messngr.NameRecord) { r.Scope = "\x01\x00\x02\xff." },
		func(r *messngr.NameRecord) { r.Kind, r.State = messngr.NormalGroup, messngr.NameReleased },
		func(r *messngr.NameRecord) { r.Static, r.Expires, r.Source = true, time.Time{}, netip.Addr{} },
		func(r *messngr.NameRecord) { r.Addrs = nil },
		func(r *messngr.NameRecord) { r.Addrs[0].Flags = 0xFFFF },
		func(r *messngr.NameRecord) {
			r.Kind = messngr.InternetGroup
			for i := range 24 {
				r.Addrs = append(r.Addrs, messngr.NameAddr{
					Addr:    netip.AddrFrom4([4]byte{byte(i), 0, 255, 1}),
					Expires: time.Unix(int64(i), 1).UTC(),
				})
			}
		},
	} {
		r := record("HOST", byte(i))
		change(&r)
		mustPut(t, s, r)
		want = append(want, r)
		if diff := cmp.Diff(want, allRecords(t, s), compareIP); diff != "" {
			t.Fatalf("record %d (-want +got):\n%s", i, diff)
		}
	}
	allRecords(t, s)[0].Addrs[0].Flags = 7
	if diff := cmp.Diff(want, allRecords(t, s), compareIP); diff != "" {
		t.Errorf("after a reader's change (-want +got):\n%s", diff)
	}
}

// testRecordOrder puts more records than are read in one go, in any order.
func testRecordOrder(t *testing.T, s Store) {
	var want []messngr.NameRecord
	for i := range 3 * pageRows / 2 { // two of each name, so that a page can end between them
		r := record(fmt.Sprintf("%05d", i), byte(i))
		want = append(want, r)
		r.Scope = "\x01a"
		want = append(want, r)
	}
	for _, name := range []string{"\x00", "\xff", "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"} {
		r := record("", 0)
		copy(r.Name[:], name)
		want = append(want, r)
	}
	mixed := slices.Clone(want)
	rand.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
	mustPut(t, s, mixed...)
	slices.SortFunc(want, func(a, b messngr.NameRecord) int {
		if n := bytes.Compare(a.Name[:], b.Name[:]); n != 0 {
			return n
		}
		return strings.Compare(a.Scope, b.Scope)
	})
	if diff := cmp.Diff(want, allRecords(t, s), compareIP); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func testRecordReplaced(t *testing.T, s Store) {
	a, b, lower := record("A", 3), record("B", 3), record("a", 3)
	scoped := a
	scoped.Scope = "\x01x"
	mustPut(t, s, a, b, lower, scoped)
	a.State, a.Addrs = messngr.NameReleased, nil
	again := a
	again.Kind = messngr.NormalGroup
	mustPut(t, s, a, again) // the last one counts
	if diff := cmp.Diff([]messngr.NameRecord{again, scoped, b, lower}, allRecords(t, s), compareIP); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if err := s.DeleteRecords(t.Context(), again.NameKey, record("NOBODY", 0).NameKey, lower.NameKey); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]messngr.NameRecord{scoped, b}, allRecords(t, s), compareIP); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if err := errors.Join(s.PutRecords(t.Context()), s.DeleteRecords(t.Context())); err != nil {
		t.Errorf("nothing: %v", err)
	}
}

func testRecordRefused(t *testing.T, s Store) {
	for _, addr := range []netip.Addr{{}, netip.MustParseAddr("fe80::1"), netip.MustParseAddr("::ffff:10.0.0.1")} {
		bad := record("BAD", 3)
		bad.Addrs = append(bad.Addrs, messngr.NameAddr{Addr: addr})
		if err := s.PutRecords(t.Context(), record("GOOD", 3), bad); !errors.Is(err, messngr.ErrNoRoom) {
			t.Errorf("%v: PutRecords: %v, want an error that wraps %v", addr, err, messngr.ErrNoRoom)
		}
	}
	if got := allRecords(t, s); len(got) != 0 {
		t.Errorf("kept %v", got)
	}
}

func testRecordsStop(t *testing.T, s Store) {
	mustPut(t, s, record("A", 3), record("B", 3))
	stop, calls := errors.New("stop"), 0
	err := s.Records(t.Context(), func(messngr.NameRecord) error {
		calls++
		return stop
	})
	if !errors.Is(err, stop) || calls != 1 {
		t.Errorf("Records: %v after %d calls", err, calls)
	}
	// The reader may use the store.
	err = s.Records(t.Context(), func(r messngr.NameRecord) error {
		return s.DeleteRecords(t.Context(), r.NameKey)
	})
	if got := allRecords(t, s); err != nil || len(got) != 0 {
		t.Errorf("Records: %v, left %v", err, got)
	}
}

// testRecordsKept: the store does not share memory with who puts.
func testRecordsKept(t *testing.T, s Store) {
	r := record("A", 3)
	want := record("A", 3)
	mustPut(t, s, r)
	r.Addrs[0].Flags = 7
	if diff := cmp.Diff([]messngr.NameRecord{want}, allRecords(t, s), compareIP); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// allOf calls every method about names and records.
func allOf(ctx context.Context, s Store) map[string]error {
	_, names := s.Names(ctx)
	return map[string]error{
		"AddName":       s.AddName(ctx, "B"),
		"DeleteName":    s.DeleteName(ctx, "A"),
		"Names":         names,
		"PutRecords":    s.PutRecords(ctx, record("B", 3)),
		"DeleteRecords": s.DeleteRecords(ctx, record("A", 3).NameKey),
		"Records":       s.Records(ctx, func(messngr.NameRecord) error { return nil }),
	}
}

func testNamesCancelled(t *testing.T, s Store) {
	if err := s.AddName(t.Context(), "A"); err != nil {
		t.Fatal(err)
	}
	mustPut(t, s, record("A", 3))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for method, err := range allOf(ctx, s) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", method, err)
		}
	}
	if names, err := s.Names(t.Context()); err != nil || !slices.Equal(names, []string{"A"}) {
		t.Errorf("Names: %q, %v", names, err)
	}
	if got := allRecords(t, s); len(got) != 1 || got[0].NameKey != record("A", 3).NameKey {
		t.Errorf("Records: %v", got)
	}
}

func testNamesClosed(t *testing.T, s Store) {
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for method, err := range allOf(t.Context(), s) {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s: %v", method, err)
		}
	}
}
