package server

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/internal/display"
	"github.com/messngr/messngr/internal/hub"
	"github.com/messngr/messngr/internal/store"
)

// showBuffer is how many bytes of messages are written to Out at once.
const showBuffer = 16 << 10

// show starts to show messages on Out, until the function that it returns is
// called.
func (s *server) show() (stop func(), err error) {
	out := bufio.NewWriterSize(s.opt.Out, showBuffer)
	terminal, err := display.NewTerminal(out, s.cfg.Display)
	if err != nil {
		return nil, err
	}
	// The context is the display's own, so that what comes in the last moment
	// is shown as well.
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	screen := &screen{server: s, out: out, terminal: terminal, seen: s.opt.Terminal, news: s.hub.Subscribe()}
	if !s.pause.on.Load() {
		s.showHeld() // what an earlier service held and could not show any more
	}
	go func() {
		defer close(done)
		if err := screen.showAll(ctx); err != nil {
			s.log.Error("messages are no longer shown here; messngr inbox lists them", "error", err)
			screen.showNoMore(ctx)
		}
	}()
	return func() {
		cancel()
		select {
		case <-done:
		case <-time.After(time.Second): // a terminal that is held (Ctrl-S) never returns
		}
	}, nil
}

// A screen is where the service shows messages. The terminal writes to out, which
// is flushed when all that has come is there: one write for many messages.
type screen struct {
	*server
	out      *bufio.Writer
	terminal *display.Terminal // nil when it has gone
	seen     bool              // what is shown counts as displayed
	news     *hub.Subscription

	receipts []messngr.Receipt // of what is in out
}

// showNoMore is showAll without a terminal: what was held is held no longer.
func (s *screen) showNoMore(ctx context.Context) {
	s.terminal, s.seen, s.receipts = nil, false, nil
	s.out.Reset(io.Discard)
	if !s.pause.on.Load() {
		s.showHeld() // of which some may have been in out
	}
	_ = s.showAll(ctx) // nothing is written
}

// showAll shows what the hub brings, and what was held when it need not be any
// longer.
func (s *screen) showAll(ctx context.Context) error {
	var messages []*messngr.Message
	for {
		var missed int
		var err error
		messages, missed, err = s.news.Next(ctx, messages[:0])
		if err != nil {
			return nil // the service ends
		}
		if s.terminal != nil && s.opt.Width != nil {
			s.terminal.Resize(s.opt.Width())
		}
		if missed > 0 && s.terminal != nil {
			if err := s.terminal.Missed(missed); err != nil {
				return err
			}
		}
		rest := messages
		if s.pause.due.CompareAndSwap(true, false) {
			if rest, err = s.showHeldAnd(ctx, messages); err != nil {
				return err
			}
		}
		if err := s.show(rest...); err != nil {
			return err
		}
		if err := s.flush(ctx); err != nil {
			return err
		}
		clear(messages) // they may be large, and the next may be long in coming
	}
}

// show writes messages.
func (s *screen) show(messages ...*messngr.Message) error {
	if s.terminal == nil {
		return nil
	}
	for _, m := range messages {
		if err := s.terminal.Show(m); err != nil {
			return err
		}
		if s.seen {
			s.receipts = append(s.receipts, messngr.Receipt{Message: m.ID, State: messngr.Displayed, At: time.Now(), By: "terminal"})
		}
	}
	return nil
}

// flush brings what was written to where it is read, and notes that it is there.
func (s *screen) flush(ctx context.Context) error {
	if err := s.out.Flush(); err != nil {
		return fmt.Errorf("show messages: %w", err)
	}
	if len(s.receipts) == 0 {
		return nil
	}
	if err := s.store.AddReceipts(ctx, s.receipts...); err != nil && ctx.Err() == nil {
		s.log.Error("it was not stored that messages were displayed", "error", err)
	}
	s.receipts = nil
	return nil
}

// heldPage is the number of held messages that are read at once.
const heldPage = 64

// showHeldAnd shows what is held, and before each of it those of messages that
// had come earlier; it returns the rest of them.
//
// A message is held until it has been shown, so that what was not shown when the
// service is killed is shown by the next one.
func (s *screen) showHeldAnd(ctx context.Context, messages []*messngr.Message) (rest []*messngr.Message, err error) {
	q := store.Query{State: messngr.Held, Limit: heldPage}
	for !s.pause.on.Load() {
		held, err := s.store.Entries(ctx, q)
		if err != nil && ctx.Err() == nil {
			s.log.Error("messages that were held are not shown; they stay held until the next start or net continue", "error", err)
		}
		if err != nil || len(held) == 0 {
			return messages, nil
		}
		for i := range held {
			earlier := 0
			for earlier < len(messages) && messages[earlier].Received.Before(held[i].Received) {
				earlier++
			}
			if err := s.show(messages[:earlier]...); err != nil {
				return nil, err
			}
			messages = messages[earlier:]
			if err := s.show(&held[i].Message); err != nil {
				return nil, err
			}
			if !s.seen { // what is written to a file or a pipe may be shown or not
				s.receipts = append(s.receipts, messngr.Receipt{Message: held[i].ID, State: messngr.Received, At: time.Now(), By: "output"})
			}
		}
		if err := s.flush(ctx); err != nil {
			return nil, err
		}
		q.After = held[len(held)-1].ID
	}
	return messages, nil
}
