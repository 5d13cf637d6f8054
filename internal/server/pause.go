package server

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/internal/api"
	"github.com/messngr/messngr/internal/store"
)

const (
	// settingPaused is the store's name of what is "1" while the recipient has paused.
	settingPaused = "paused"
	// repeatWindow is the time in which a message that says the same as one that
	// is kept back is that one again. Its sender has been told that it was not
	// shown, and may try again, over a session too.
	repeatWindow = time.Minute
)

// A pause says whether the recipient has paused, and what it keeps back.
type pause struct {
	changing sync.Mutex  // held while on changes, or messages are released
	on       atomic.Bool // the recipient has paused
	due      atomic.Bool // what is held is to be shown

	held, quarantined *copies // what is said again while it is kept back
}

// newPause returns a pause as it was when the service ended.
func newPause(ctx context.Context, st store.Store) (*pause, error) {
	p := &pause{held: newCopies(repeatWindow), quarantined: newCopies(repeatWindow)}
	on, err := st.Setting(ctx, settingPaused)
	p.on.Store(on != "")
	return p, err
}

// keep makes messages durable: to be shown, or, while the recipient has paused,
// held, with messngr.ErrPaused. repeated is how many of them are held already.
func (s *server) keep(ctx context.Context, messages ...*messngr.Message) (repeated int, err error) {
	if !s.pause.on.Load() {
		return 0, s.store.Add(ctx, messages...)
	}
	repeated, err = s.withhold(ctx, s.pause.held, messngr.Held, "pause", messages...)
	if err != nil {
		return 0, err
	}
	if !s.pause.on.Load() { // what was held until then may have been shown already
		s.showHeld()
	}
	return repeated, messngr.ErrPaused
}

// quarantine is deliver for a message that is not shown before a person releases
// it; why says the reason in a few words.
func (s *server) quarantine(ctx context.Context, m *messngr.Message, why string) error {
	if m.Source.Transport != messngr.Local {
		if err := s.check(m.Source.Addr.Addr()); err != nil {
			return err
		}
	}
	_, err := s.withhold(ctx, s.pause.quarantined, messngr.Quarantined, why, m)
	if err != nil {
		s.log.Error("a message was not stored", "from", m.From, "to", m.To, "source", m.Source.Addr, "error", err)
		return err
	}
	s.log.Debug("quarantined", "message", m.ID, "from", m.From, "source", m.Source.Addr, "why", why)
	return nil
}

// withhold makes messages durable in a state in which they are not shown, except
// for those that repeat what is. Those who follow the hub are told that there is
// something new.
func (s *server) withhold(ctx context.Context, before *copies, state messngr.State, by string, messages ...*messngr.Message) (repeated int, err error) {
	o := &outcome{done: make(chan struct{})}
	var fresh, notes []*messngr.Message
	var again []*first
	for _, m := range messages {
		n := gist(m)
		if of := before.note(n, o); of == nil {
			fresh, notes = append(fresh, m), append(notes, n)
		} else if repeated++; of.outcome != o {
			again = append(again, of)
		}
	}
	if len(fresh) > 0 {
		if err = s.store.Withhold(ctx, state, by, fresh...); err != nil {
			before.forget(notes...)
		}
	}
	o.err = err
	close(o.done)
	for _, of := range again {
		select {
		case <-of.outcome.done:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		if err == nil {
			err = of.outcome.err // its sender tries again
		}
	}
	if len(fresh) > 0 {
		s.hub.Stir()
	}
	return repeated, err
}

// gist returns what of a message tells it from others, for the time of a
// repeatWindow: texts may be long.
func gist(m *messngr.Message) *messngr.Message {
	text := sha256.Sum256([]byte(m.Text))
	return &messngr.Message{From: m.From, To: m.To, Text: string(text[:]), Received: m.Received}
}

// showHeld has the screen show what is held.
func (s *server) showHeld() {
	s.pause.due.Store(true)
	s.hub.Stir()
}

// Pause has messages held from now on, over a restart too, until Continue.
func (s *server) Pause(ctx context.Context) error {
	s.pause.changing.Lock()
	defer s.pause.changing.Unlock()
	if s.pause.on.Load() {
		return nil
	}
	if err := s.store.Set(ctx, settingPaused, "1"); err != nil {
		return fmt.Errorf("not paused: %w", err)
	}
	s.pause.on.Store(true)
	s.log.Info("paused: messages are held until net continue messenger")
	return nil
}

// Continue ends a pause: what was held meanwhile is shown. Without a pause, what
// could not be shown for another reason is.
func (s *server) Continue(ctx context.Context) error {
	s.pause.changing.Lock()
	defer s.pause.changing.Unlock()
	if !s.pause.on.Load() {
		s.showHeld()
		return nil
	}
	if err := s.store.Set(ctx, settingPaused, ""); err != nil {
		return fmt.Errorf("not continued: %w", err)
	}
	s.pause.on.Store(false)
	s.pause.held.forgetAll()
	s.log.Info("continued: messages are shown again")
	s.showHeld()
	return nil
}

// releasePage is the number of messages that are released in one commit.
const releasePage = 256

// Release shows quarantined messages, all of them if none is named: they are held
// until they have been shown, which while the recipient has paused is later.
func (s *server) Release(ctx context.Context, ids ...messngr.ID) (released int, err error) {
	s.pause.changing.Lock()
	defer s.pause.changing.Unlock()
	defer func() {
		if released > 0 && !s.pause.on.Load() {
			s.showHeld()
		}
	}()
	if len(ids) > 0 {
		if err := s.checkQuarantined(ctx, ids); err != nil {
			return 0, err
		}
		return s.releaseNow(ctx, ids)
	}
	for {
		entries, err := s.store.Entries(ctx, store.Query{State: messngr.Quarantined, Limit: releasePage})
		if err != nil || len(entries) == 0 {
			return released, err
		}
		for _, e := range entries {
			ids = append(ids, e.ID)
		}
		n, err := s.releaseNow(ctx, ids)
		released += n
		if err != nil {
			return released, err
		}
		ids = ids[:0]
	}
}

// checkQuarantined returns an error about the first of the messages that is not
// quarantined.
func (s *server) checkQuarantined(ctx context.Context, ids []messngr.ID) error {
	for _, id := range ids {
		receipts, err := s.store.Receipts(ctx, id)
		if errors.Is(err, store.ErrUnknown) { // where it is not is nothing to a person
			return fmt.Errorf("%w %v; nothing was released", store.ErrUnknown, id)
		}
		if err != nil {
			return err
		}
		state := messngr.Received
		if n := len(receipts); n > 0 {
			state = receipts[n-1].State
		}
		if state != messngr.Quarantined {
			return fmt.Errorf("%w: message %v is %s, not quarantined; nothing was released", api.ErrState, id, state)
		}
	}
	return nil
}

// releaseNow releases messages that are quarantined; one that is named twice is
// released once.
func (s *server) releaseNow(ctx context.Context, ids []messngr.ID) (released int, err error) {
	seen := make(map[messngr.ID]bool, len(ids))
	receipts := make([]messngr.Receipt, 0, len(ids))
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			receipts = append(receipts, messngr.Receipt{Message: id, State: messngr.Held, At: time.Now(), By: "inbox release"})
		}
	}
	if err := s.store.AddReceipts(ctx, receipts...); err != nil {
		return 0, fmt.Errorf("not released: %w", err)
	}
	return len(receipts), nil
}
