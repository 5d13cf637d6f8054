package server

import (
	"bufio"
	"context"
	"fmt"
	"time"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/internal/display"
	"github.com/messngr/messngr/internal/hub"
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
	news := s.hub.Subscribe()
	go func() {
		defer close(done)
		if err := s.showAll(ctx, out, terminal, news); err != nil {
			s.log.Error("messages are no longer shown here; messngr inbox lists them", "error", err)
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

// showAll shows what news brings. The terminal writes to out, which is flushed
// when all that has come is there: one write for many messages.
func (s *server) showAll(ctx context.Context, out *bufio.Writer, terminal *display.Terminal, news *hub.Subscription) error {
	var messages []*messngr.Message
	for {
		var missed int
		var err error
		messages, missed, err = news.Next(ctx, messages[:0])
		if err != nil {
			return nil // the service ends
		}
		if missed > 0 {
			if err := terminal.Missed(missed); err != nil {
				return err
			}
		}
		var receipts []messngr.Receipt
		for _, m := range messages {
			if err := terminal.Show(m); err != nil {
				return err
			}
			if s.opt.Terminal {
				receipts = append(receipts, messngr.Receipt{Message: m.ID, State: messngr.Displayed, At: time.Now(), By: "terminal"})
			}
		}
		if err := out.Flush(); err != nil {
			return fmt.Errorf("show messages: %w", err)
		}
		clear(messages) // they may be large, and the next may be long in coming
		if len(receipts) == 0 {
			continue
		}
		if err := s.store.AddReceipts(ctx, receipts...); err != nil && ctx.Err() == nil {
			s.log.Error("it was not stored that messages were displayed", "error", err)
		}
	}
}
