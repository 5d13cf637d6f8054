package hub

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/messngr/messngr"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func text(s string) *messngr.Message { return &messngr.Message{Text: s} }

func TestOrderAndLateSubscriber(t *testing.T) {
	h := New()
	early := h.Subscribe()
	h.Publish([]*messngr.Message{text("a"), text("b")})
	late := h.Subscribe()
	h.Publish([]*messngr.Message{text("c")})
	for name, tt := range map[string]struct {
		s    *Subscription
		want string
	}{"early": {early, "abc"}, "late": {late, "c"}} {
		got, missed, err := tt.s.Next(context.Background(), nil)
		if s := texts(got); s != tt.want || missed != 0 || err != nil {
			t.Errorf("%s: %q, missed %d, %v; want %q", name, s, missed, err, tt.want)
		}
	}
}

func TestNextWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New()
		ctx, cancel := context.WithCancel(t.Context())
		results := make(chan string, 9)
		for range 3 {
			s := h.Subscribe()
			go func() {
				for {
					ms, _, err := s.Next(ctx, nil)
					if err != nil {
						results <- err.Error()
						return
					}
					results <- texts(ms)
				}
			}()
		}
		synctest.Wait()
		if len(results) != 0 {
			t.Fatal("a subscriber returned before there was a message")
		}
		h.Publish([]*messngr.Message{text("x")})
		synctest.Wait()
		for range 3 {
			if got := <-results; got != "x" {
				t.Errorf("got %q", got)
			}
		}
		cancel()
		for range 3 {
			if got := <-results; got != context.Canceled.Error() {
				t.Errorf("got %q", got)
			}
		}
	})
}

func TestSlowSubscriberIsToldWhatItMissed(t *testing.T) {
	h := New()
	s := h.Subscribe()
	for range maxMessages + 7 {
		h.Publish([]*messngr.Message{text("x")})
	}
	got, missed, err := s.Next(context.Background(), nil)
	if len(got) != maxMessages || missed != 7 || err != nil {
		t.Errorf("%d messages, missed %d, %v; want %d and 7", len(got), missed, err, maxMessages)
	}
}

func TestRingIsBoundedInBytes(t *testing.T) {
	h := New()
	s := h.Subscribe()
	big := strings.Repeat("x", maxBytes/4)
	for range 10 {
		h.Publish([]*messngr.Message{text(big)})
	}
	if h.bytes > maxBytes {
		t.Errorf("the ring holds %d bytes, at most %d are allowed", h.bytes, maxBytes)
	}
	if got, missed, _ := s.Next(context.Background(), nil); len(got) != 4 || missed != 6 {
		t.Errorf("%d messages, missed %d; want 4 and 6", len(got), missed)
	}
	// One message larger than all the room still gets through.
	h.Publish([]*messngr.Message{text(strings.Repeat("y", 2*maxBytes))})
	if got, missed, _ := s.Next(context.Background(), nil); len(got) != 1 || missed != 0 {
		t.Errorf("%d messages, missed %d; want 1 and 0", len(got), missed)
	}
}

func TestNextPrefersMessagesToACancelledContext(t *testing.T) {
	h := New()
	s := h.Subscribe()
	ctx, cancel := context.WithCancel(context.Background())
	h.Publish([]*messngr.Message{text("last words")})
	cancel()
	if got, _, err := s.Next(ctx, nil); len(got) != 1 || err != nil {
		t.Errorf("%d messages, %v", len(got), err)
	}
	if _, _, err := s.Next(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
}

func texts(ms []*messngr.Message) string {
	var b strings.Builder
	for _, m := range ms {
		b.WriteString(m.Text)
	}
	return b.String()
}

// Stir wakes every subscriber, once, and takes nothing from what is published.
func TestStir(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New()
		s, late := h.Subscribe(), h.Subscribe()
		h.Stir()
		if got, missed, err := s.Next(t.Context(), nil); len(got) != 0 || missed != 0 || err != nil {
			t.Errorf("%q, missed %d, %v", texts(got), missed, err)
		}
		woken := make(chan string)
		go func() {
			got, _, err := s.Next(t.Context(), nil)
			woken <- texts(got) + fmt.Sprint(err)
		}()
		synctest.Wait()
		select {
		case got := <-woken:
			t.Errorf("woken twice: %s", got)
		default:
		}
		h.Stir()
		if got := <-woken; got != fmt.Sprint(nil) {
			t.Errorf("woken with %s", got)
		}
		h.Publish([]*messngr.Message{text("a")})
		if got, _, err := late.Next(t.Context(), nil); texts(got) != "a" || err != nil {
			t.Errorf("%q, %v", texts(got), err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := late.Next(ctx, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("woken again: %v", err)
		}
	})
}
