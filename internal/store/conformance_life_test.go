package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/messngr/messngr"
)

// testConcurrent has every message added twice, at about the same time.
func testConcurrent(t *testing.T, open func(*testing.T, Config) Store) {
	const senders, each = 32, 40
	var mu sync.Mutex
	var committed []messngr.ID
	told := make(map[messngr.ID]bool)
	s := open(t, Config{Committed: func(messages []*messngr.Message) {
		mu.Lock()
		defer mu.Unlock()
		for _, m := range messages {
			committed = append(committed, m.ID)
			told[m.ID] = true
		}
	}})
	messages := make([]*messngr.Message, senders*each/2)
	for i := range messages {
		messages[i] = newMessage()
		messages[i].Text = fmt.Sprint(i)
	}
	var wait sync.WaitGroup
	for sender := range senders {
		wait.Go(func() {
			for i := range each {
				m := messages[(sender*each+i)%len(messages)]
				if err := s.Add(t.Context(), m); err != nil {
					t.Error(err)
				}
				mu.Lock()
				if !told[m.ID] {
					t.Errorf("Add of %v returned before Committed was told", m.ID)
				}
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	var stored []messngr.ID
	for _, e := range all(t, s) {
		stored = append(stored, e.ID)
	}
	if !slices.Equal(stored, committed) {
		t.Errorf("Entries and Committed disagree about the order of %d and %d messages", len(stored), len(committed))
	}
	if len(told) != len(messages) || len(stored) != len(messages) {
		t.Errorf("stored %d times %d messages, want %d", len(stored), len(told), len(messages))
	}
}

// testCommitted reads the store from inside Committed.
func testCommitted(t *testing.T, open func(*testing.T, Config) Store) {
	var s Store
	var calls int
	s = open(t, Config{Committed: func(messages []*messngr.Message) {
		calls++
		entries, err := s.Entries(context.Background(), Query{})
		if err != nil || len(entries) != calls || entries[calls-1].ID != messages[0].ID {
			t.Errorf("call %d with %v: Entries: %v, %v", calls, messages[0].ID, entries, err)
		}
	}})
	mustAdd(t, s, newMessage(), newMessage())
	if calls != 2 {
		t.Errorf("%d calls, want 2", calls)
	}
}

func testCancelled(t *testing.T, open func(*testing.T, Config) Store) {
	s := open(t, Config{})
	m := newMessage()
	mustAdd(t, s, m)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Add(ctx, newMessage()); !errors.Is(err, context.Canceled) {
		t.Errorf("Add: %v", err)
	}
	if err := s.AddReceipts(ctx, messngr.Receipt{Message: m.ID, State: messngr.Displayed}); !errors.Is(err, context.Canceled) {
		t.Errorf("AddReceipts: %v", err)
	}
	if _, err := s.Entries(ctx, Query{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Entries: %v", err)
	}
	if _, err := s.Receipts(ctx, m.ID); !errors.Is(err, context.Canceled) {
		t.Errorf("Receipts: %v", err)
	}
	if diff := cmp.Diff([]messngr.Entry{entryOf(m)}, all(t, s), compareAddr); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func testClosed(t *testing.T, open func(*testing.T, Config) Store) {
	s := open(t, Config{})
	m := newMessage()
	mustAdd(t, s, m)
	all(t, s)
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	err := s.Add(t.Context(), newMessage())
	if !errors.Is(err, ErrClosed) || !errors.Is(err, messngr.ErrNoRoom) {
		t.Errorf("Add: %v", err)
	}
	if err := s.AddReceipts(t.Context(), messngr.Receipt{Message: m.ID}); !errors.Is(err, ErrClosed) {
		t.Errorf("AddReceipts: %v", err)
	}
	if _, err := s.Entries(t.Context(), Query{}); !errors.Is(err, ErrClosed) {
		t.Errorf("Entries: %v", err)
	}
	if _, err := s.Receipts(t.Context(), m.ID); !errors.Is(err, ErrClosed) {
		t.Errorf("Receipts: %v", err)
	}
}

// testCloseMeanwhile closes the store under its senders' and readers' feet.
func testCloseMeanwhile(t *testing.T, open func(*testing.T, Config) Store) {
	var mu sync.Mutex
	committed := 0
	busy := make(chan struct{})
	var once sync.Once
	s := open(t, Config{Committed: func(m []*messngr.Message) {
		mu.Lock()
		defer mu.Unlock()
		if committed += len(m); committed >= 100 {
			once.Do(func() { close(busy) })
		}
	}})
	var wait sync.WaitGroup
	acknowledged := make([]int, 16)
	for i := range acknowledged {
		wait.Go(func() {
			for {
				err := s.Add(t.Context(), newMessage())
				if errors.Is(err, ErrClosed) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				acknowledged[i]++
			}
		})
	}
	wait.Go(func() {
		for {
			if _, err := s.Entries(t.Context(), Query{Last: 10}); errors.Is(err, ErrClosed) {
				return
			} else if err != nil {
				t.Error(err)
				return
			}
		}
	})
	<-busy
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	wait.Wait()
	sum := 0
	for _, n := range acknowledged {
		sum += n
	}
	if sum != committed || sum == 0 {
		t.Errorf("%d acknowledged, %d committed", sum, committed)
	}
}
