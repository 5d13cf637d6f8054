package server

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/messngr/messngr"
)

const (
	// copyWindow is the time in which a message that says the same is a copy.
	// Copies come with the packets of one moment: by two networks, by two
	// protocols, or over a session as well.
	copyWindow = 2 * time.Second
	// maxSaid is the most messages that are remembered: those of a moment even
	// in a flood. Past it the oldest are forgotten, so that a copy may be shown
	// rather than a message be lost.
	maxSaid = 1 << 13
)

// A saying is what makes two messages the same.
type saying struct{ from, to, text string }

// An outcome is what the store says of messages that came in datagrams: err is
// set when done is closed.
type outcome struct {
	done chan struct{}
	err  error
}

// A first is the message of which others can be copies.
type first struct {
	saying
	at      time.Time
	outcome *outcome // nil for one that came over a session: its sender repeats it when it was not stored
}

// copies tells a message that comes twice from one that is sent twice. A session
// carries each message once, so what two sessions say was said twice; anything
// else that says the same in a short time is a copy.
type copies struct {
	window time.Duration

	mu    sync.Mutex
	all   map[saying]*first
	order []*first // oldest first; some are no longer in all
	found int64
}

func newCopies(window time.Duration) *copies {
	return &copies{window: window, all: make(map[saying]*first)}
}

// count returns how many copies there were.
func (c *copies) count() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.found
}

// note remembers a message, or returns the one of which it is a copy.
func (c *copies) note(m *messngr.Message, o *outcome) (of *first) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.add(m, o)
}

// noteAll remembers messages and returns those that are no copies, in the place
// of the others.
func (c *copies) noteAll(messages []*messngr.Message, o *outcome) (fresh []*messngr.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fresh = messages[:0]
	for _, m := range messages {
		if c.add(m, o) == nil {
			fresh = append(fresh, m)
		}
	}
	return fresh
}

// add is note with the lock held.
func (c *copies) add(m *messngr.Message, o *outcome) (of *first) {
	c.forgetOld(m.Received)
	if f := c.all[saying{m.From, m.To, m.Text}]; f != nil {
		if o == nil && f.outcome == nil {
			return nil
		}
		c.found++
		return f
	}
	c.remember(m, o)
	return nil
}

// remember makes a message the one of which others can be copies, with the lock
// held.
func (c *copies) remember(m *messngr.Message, o *outcome) {
	f := &first{saying{m.From, m.To, m.Text}, m.Received, o}
	c.all[f.saying] = f
	c.order = append(c.order, f)
}

// forgetOld forgets what is no longer of use.
func (c *copies) forgetOld(now time.Time) {
	n := 0
	for n < len(c.order) && (now.Sub(c.order[n].at).Abs() > c.window || len(c.order)-n >= maxSaid) {
		c.drop(c.order[n])
		n++
	}
	if n > 0 {
		clear(c.order[:n])
		c.order = c.order[n:]
	}
}

func (c *copies) drop(f *first) {
	if c.all[f.saying] == f {
		delete(c.all, f.saying)
	}
}

// forget takes back messages that were not stored.
func (c *copies) forget(messages ...*messngr.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range messages {
		delete(c.all, saying{m.From, m.To, m.Text})
	}
}

// forgetAll forgets every message.
func (c *copies) forgetAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.all)
	c.order = nil
}

// instead puts a copy in the place of its original, which was not stored.
func (c *copies) instead(m *messngr.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.found--
	c.remember(m, nil)
}

// storeOnce stores a message that came over a session, unless it is a copy of one
// that came in a datagram and is stored: then its sender gets the same "yes".
func (s *server) storeOnce(ctx context.Context, m *messngr.Message) error {
	if of := s.copies.note(m, nil); of != nil {
		select {
		case <-of.outcome.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := of.outcome.err; err == nil || errors.Is(err, messngr.ErrPaused) {
			return err
		}
		s.copies.instead(m)
	}
	_, err := s.keep(ctx, m)
	if err != nil && !errors.Is(err, messngr.ErrPaused) {
		s.copies.forget(m)
	}
	return err
}

// deliverDatagrams delivers messages that came in datagrams, but for those that
// are copies. Their sources have been checked.
func (s *server) deliverDatagrams(ctx context.Context, messages ...*messngr.Message) (copies int, err error) {
	o := &outcome{done: make(chan struct{})}
	fresh := s.copies.noteAll(messages, o)
	copies = len(messages) - len(fresh)
	if len(fresh) > 0 {
		var repeated int
		repeated, err = s.keep(ctx, fresh...)
		copies += repeated
		if err != nil && !errors.Is(err, messngr.ErrPaused) {
			s.copies.forget(fresh...)
			s.log.Error("messages were not stored; nobody can be told", "messages", len(fresh), "first_from", fresh[0].From, "source", fresh[0].Source.Addr, "error", err)
		}
	}
	o.err = err
	close(o.done)
	if errors.Is(err, messngr.ErrPaused) {
		err = nil // they are durable, and nobody waits for an answer
	}
	return copies, err
}
