package server

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/internal/store"
)

// said returns a message that came that way.
func said(transport messngr.Transport, text string) *messngr.Message {
	m := from("10.77.0.9:138", text)
	m.Source.Transport, m.Received = transport, time.Now()
	return m
}

// What comes again in a short time is a copy, unless two sessions carried it.
func TestCopies(t *testing.T) {
	const (
		smb  = messngr.SMB
		slot = messngr.Mailslot
	)
	for _, tt := range []struct {
		name          string
		first, second messngr.Transport
		after         time.Duration
		change        func(*messngr.Message)
		copy          bool
	}{
		{"two datagrams", slot, slot, 0, nil, true},
		{"a session, then a datagram", smb, slot, time.Second, nil, true},
		{"a datagram, then a session", slot, smb, time.Second, nil, true},
		{"two sessions", smb, smb, 0, nil, false},
		{"a datagram much later", slot, slot, copyWindow + time.Millisecond, nil, false},
		{"another text", slot, slot, 0, func(m *messngr.Message) { m.Text += "." }, false},
		{"another sender", slot, slot, 0, func(m *messngr.Message) { m.From = "BOB" }, false},
		{"another recipient", slot, slot, 0, func(m *messngr.Message) { m.To = "OFFICE" }, false},
		{"another address of the sender", slot, slot, 0, func(m *messngr.Message) { m.Source.Addr = from("10.77.1.9:138", "").Source.Addr }, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t)
			s.store = store.NewMemory(store.Config{})
			deliver := func(m *messngr.Message) {
				t.Helper()
				var err error
				if m.Source.Transport == slot {
					_, err = s.deliverDatagrams(t.Context(), m)
				} else {
					err = s.storeOnce(t.Context(), m)
				}
				if err != nil {
					t.Errorf("%s: %v", tt.name, err)
				}
			}
			deliver(said(tt.first, "hello"))
			time.Sleep(tt.after)
			again := said(tt.second, "hello")
			if tt.change != nil {
				tt.change(again)
			}
			deliver(again)
			entries, err := s.store.Entries(t.Context(), store.Query{})
			if want := map[bool]int{true: 1, false: 2}[tt.copy]; err != nil || len(entries) != want {
				t.Errorf("%s: %d messages, want %d", tt.name, len(entries), want)
			}
			if got := s.copies.count() == 1; got != tt.copy {
				t.Errorf("%s: %d copies", tt.name, s.copies.count())
			}
		})
	}
}

// Within what is delivered together there can be copies, too.
func TestCopiesTogether(t *testing.T) {
	s := newServer(t)
	var steps []string
	s.store = &watched{Store: store.NewMemory(store.Config{}), steps: &steps}
	copies, err := s.deliverDatagrams(t.Context(), said(messngr.Mailslot, "a"), said(messngr.Mailslot, "b"), said(messngr.Mailslot, "a"))
	if copies != 1 || err != nil || !slices.Equal(steps, []string{"store a", "store b"}) {
		t.Errorf("%d copies, %v, %q", copies, err, steps)
	}
}

// A message that was not stored has no copies: it must be able to come again.
func TestCopiesOfWhatWasNotStored(t *testing.T) {
	s := newServer(t)
	var steps []string
	w := &watched{Store: store.NewMemory(store.Config{}), steps: &steps, full: store.ErrClosed}
	s.store = w
	for _, m := range []*messngr.Message{said(messngr.Mailslot, "x"), said(messngr.SMB, "y")} {
		var err error
		if m.Source.Transport == messngr.Mailslot {
			_, err = s.deliverDatagrams(t.Context(), m)
		} else {
			err = s.storeOnce(t.Context(), m)
		}
		if !errors.Is(err, messngr.ErrNoRoom) {
			t.Errorf("%v", err)
		}
	}
	w.full = nil
	if copies, err := s.deliverDatagrams(t.Context(), said(messngr.Mailslot, "x"), said(messngr.Mailslot, "y")); copies != 0 || err != nil {
		t.Errorf("%d copies, %v", copies, err)
	}
}

// A session that says what a datagram says gets its "yes" when the datagram's
// message is durable, and stores it itself if that fails.
func TestCopyWaitsForItsOriginal(t *testing.T) {
	for _, fails := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t)
			memory := store.NewMemory(store.Config{})
			s.store = memory
			o := &outcome{done: make(chan struct{})}
			if s.copies.note(said(messngr.Mailslot, "hello"), o) != nil {
				t.Fatal("the first is a copy")
			}
			answer := make(chan error, 1)
			go func() { answer <- s.storeOnce(t.Context(), said(messngr.SMB, "hello")) }()
			synctest.Wait()
			select {
			case err := <-answer:
				t.Fatalf("it was answered too early: %v", err)
			default:
			}
			if fails {
				o.err = store.ErrClosed
				s.copies.forget(said(messngr.Mailslot, "hello"))
			}
			close(o.done)
			if err := <-answer; err != nil {
				t.Error(err)
			}
			entries, err := memory.Entries(t.Context(), store.Query{})
			if stored := len(entries) == 1; err != nil || stored != fails || (s.copies.count() == 0) != fails {
				t.Errorf("%d messages, %d copies", len(entries), s.copies.count())
			}
			// What is stored in the end has copies, whoever brought it.
			if fails {
				if copies, err := s.deliverDatagrams(t.Context(), said(messngr.Mailslot, "hello")); copies != 1 || err != nil {
					t.Errorf("a datagram after it: %d copies, %v", copies, err)
				}
			}
		})
	}
}

// However many different messages come, so many are remembered.
func TestCopiesAreBounded(t *testing.T) {
	c := newCopies(copyWindow)
	o := new(outcome)
	now := time.Now()
	for range 2 * maxSaid {
		m := &messngr.Message{Text: messngr.NewID(now).String(), Received: now}
		if c.note(m, o) != nil {
			t.Fatal("a new message is a copy")
		}
	}
	if len(c.all) > maxSaid || len(c.order) > maxSaid {
		t.Errorf("%d are remembered, %d in order", len(c.all), len(c.order))
	}
}
