package store

import (
	"context"
	"slices"
	"sync"

	"github.com/messngr/messngr"
)

// A Memory is a Store that forgets everything when the process ends. It is
// for tests and has no bounds.
type Memory struct {
	cfg    Config
	commit sync.Mutex // one Add at a time, so that Committed is called in order

	mu       sync.RWMutex
	entries  []messngr.Entry
	receipts map[messngr.ID][]messngr.Receipt
	position map[messngr.ID]int // in entries
	names    []string
	records  map[messngr.NameKey]messngr.NameRecord
	settings map[string]string
	closed   bool
}

// NewMemory returns an empty Memory.
func NewMemory(cfg Config) *Memory {
	return &Memory{
		cfg:      cfg,
		receipts: make(map[messngr.ID][]messngr.Receipt),
		position: make(map[messngr.ID]int),
	}
}

// Add implements Store.
func (s *Memory) Add(ctx context.Context, m ...*messngr.Message) error {
	if err := check(m); err != nil {
		return err
	}
	s.commit.Lock()
	defer s.commit.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	added, err := s.add(m)
	if len(added) > 0 && s.cfg.Committed != nil {
		s.cfg.Committed(added)
	}
	return err
}

// add returns those of the messages that were not there before.
func (s *Memory) add(messages []*messngr.Message) (added []*messngr.Message, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	return s.insert(messages), nil
}

// insert is add with the lock held.
func (s *Memory) insert(messages []*messngr.Message) (added []*messngr.Message) {
	for _, m := range messages {
		if _, ok := s.position[m.ID]; ok {
			continue
		}
		e := messngr.Entry{Message: *m, State: messngr.Received}
		e.Sent, e.Received = plain(m.Sent), plain(m.Received)
		s.position[m.ID] = len(s.entries)
		s.entries = append(s.entries, e)
		added = append(added, m)
	}
	return added
}

// AddReceipts implements Store.
func (s *Memory) AddReceipts(ctx context.Context, receipts ...messngr.Receipt) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	for _, r := range receipts {
		if _, ok := s.position[r.Message]; !ok {
			return unknown(r.Message)
		}
	}
	for _, r := range receipts {
		s.receipt(r)
	}
	return nil
}

// receipt appends a receipt for a message that is there, with the lock held.
func (s *Memory) receipt(r messngr.Receipt) {
	r.At = plain(r.At)
	s.receipts[r.Message] = append(s.receipts[r.Message], r)
	s.entries[s.position[r.Message]].State = r.State
}

// Entries implements Store.
func (s *Memory) Entries(ctx context.Context, q Query) ([]messngr.Entry, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, ErrClosed
	}
	entries := s.entries
	if q.After != (messngr.ID{}) {
		i, ok := s.position[q.After]
		if !ok {
			return nil, unknown(q.After)
		}
		entries = entries[i+1:]
	}
	if q.State != "" {
		entries = slices.DeleteFunc(slices.Clone(entries), func(e messngr.Entry) bool { return e.State != q.State })
	}
	if q.Last > 0 {
		entries = entries[max(0, len(entries)-q.Last):]
	}
	if q.Limit > 0 {
		entries = entries[:min(q.Limit, len(entries))]
	}
	return slices.Clone(entries), nil
}

// Receipts implements Store.
func (s *Memory) Receipts(ctx context.Context, id messngr.ID) ([]messngr.Receipt, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, ErrClosed
	}
	if _, ok := s.position[id]; !ok {
		return nil, unknown(id)
	}
	return slices.Clone(s.receipts[id]), nil
}

// Close implements Store.
func (s *Memory) Close() error {
	s.commit.Lock() // wait for Committed
	defer s.commit.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}
