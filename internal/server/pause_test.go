package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/internal/api"
	"github.com/messngr/messngr/internal/store"
)

// stored returns the state and the text of each message of s.
func (s *server) stored(t *testing.T) (all []string) {
	t.Helper()
	entries, err := s.store.Entries(context.Background(), store.Query{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, string(e.State)+" "+e.Text)
	}
	return all
}

// shown starts to show messages, until stop is called, and returns what has been
// shown: the texts.
func (s *server) shown(t *testing.T) (texts func() []string, stop func()) {
	t.Helper()
	var out syncBuffer
	s.opt.Out = &out
	stop, err := s.show()
	if err != nil {
		t.Fatal(err)
	}
	return func() (texts []string) {
		for block := range strings.SplitSeq(out.String(), "┌─") {
			if lines := strings.Split(block, "\n"); len(lines) > 3 {
				texts = append(texts, strings.Trim(lines[3], "│ "))
			}
		}
		return texts
	}, stop
}

// While the recipient has paused, every message is kept, whichever way it came,
// nobody sees it, and who waits for an answer is told; what is said again is kept
// once.
func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.opt.Terminal = true
		shown, stop := s.shown(t)
		defer stop()
		deliver := func(m *messngr.Message, want error) {
			t.Helper()
			if err := s.deliver(t.Context(), m); !errors.Is(err, want) || (err == nil) != (want == nil) {
				t.Errorf("%s: %v, want %v", m.Text, err, want)
			}
		}
		datagrams := func(repeated int, messages ...*messngr.Message) {
			t.Helper()
			if n, err := s.deliverDatagrams(t.Context(), messages...); n != repeated || err != nil {
				t.Errorf("%s: %d repeated, %v, want %d", messages[0].Text, n, err, repeated)
			}
		}
		deliver(said(messngr.SMB, "before"), nil)
		for range 2 { // again is no error
			if err := s.Pause(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		deliver(said(messngr.SMB, "session"), messngr.ErrPaused)
		deliver(said(messngr.SMB, "session"), messngr.ErrPaused)
		datagrams(0, said(messngr.Mailslot, "datagram"), said(messngr.Mailslot, "another"))
		datagrams(1, said(messngr.Mailslot, "session"))
		deliver(said(messngr.SMB, "another"), messngr.ErrPaused) // a copy is answered as its first is
		deliver(from("192.0.2.9:1025", "a stranger"), messngr.ErrRefused)
		if id, err := s.post(t.Context(), api.Draft{From: "UPS", Text: "local"}); id == (messngr.ID{}) || !errors.Is(err, messngr.ErrPaused) {
			t.Errorf("post: %v, %v", id, err)
		}
		time.Sleep(copyWindow + time.Second) // as senders do that try again
		deliver(said(messngr.SMB, "session"), messngr.ErrPaused)
		datagrams(2, said(messngr.Mailslot, "datagram"), said(messngr.Mailslot, "another"))
		synctest.Wait()
		want := []string{"displayed before", "held session", "held datagram", "held another", "held local"}
		if diff := cmp.Diff(want, s.stored(t)); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if diff := cmp.Diff([]string{"before"}, shown()); diff != "" {
			t.Errorf("shown: %s", diff)
		}
		time.Sleep(repeatWindow)
		deliver(said(messngr.SMB, "session"), messngr.ErrPaused) // is said anew

		for range 2 {
			if err := s.Continue(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		deliver(said(messngr.SMB, "after"), nil)
		synctest.Wait()
		want = []string{"before", "session", "datagram", "another", "local", "session", "after"}
		if diff := cmp.Diff(want, shown()); diff != "" {
			t.Errorf("shown: %s", diff)
		}
		for i := range want {
			want[i] = "displayed " + want[i]
		}
		if diff := cmp.Diff(want, s.stored(t)); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}

		// What was said before a pause that has ended is not what is held now.
		if err := s.Pause(t.Context()); err != nil {
			t.Fatal(err)
		}
		deliver(said(messngr.SMB, "session"), messngr.ErrPaused)
		if got := s.stored(t); got[len(got)-1] != "held session" {
			t.Errorf("stored %q", got)
		}
	})
}

// A pause outlives the service; so does what a killed one had yet to show.
func TestPauseIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.opt.Terminal = true
		stop := func() {}
		defer func() { stop() }()
		restart := func() (shown func() []string) {
			t.Helper()
			stop()
			var err error
			if s.pause, err = newPause(t.Context(), s.store); err != nil {
				t.Fatal(err)
			}
			shown, stop = s.shown(t)
			return shown
		}
		if err := s.Pause(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i := range 3 * heldPage { // pages of them
			if err := s.deliver(t.Context(), said(messngr.SMB, fmt.Sprint(i))); !errors.Is(err, messngr.ErrPaused) {
				t.Fatal(err)
			}
		}
		shown := restart()
		synctest.Wait()
		if got := shown(); len(got) != 0 {
			t.Errorf("shown while paused: %q", got)
		}
		// It continues and is killed at once.
		if err := s.store.Set(t.Context(), settingPaused, ""); err != nil {
			t.Fatal(err)
		}
		shown = restart()
		synctest.Wait()
		if got := shown(); len(got) != 3*heldPage || got[0] != "0" || got[len(got)-1] != fmt.Sprint(3*heldPage-1) {
			t.Errorf("shown: %q", got)
		}
		for _, e := range s.stored(t) {
			if !strings.HasPrefix(e, "displayed ") {
				t.Errorf("stored %q", e)
			}
		}
		shown = restart()
		synctest.Wait()
		if got := shown(); len(got) != 0 {
			t.Errorf("shown twice: %q", got)
		}
	})
}

// What had come before the pause and waited for the terminal comes first.
func TestContinueKeepsTheOrder(t *testing.T) {
	s := newServer(t)
	gate := &gatedWriter{open: make(chan struct{})}
	s.opt.Out = gate
	stop, err := s.show()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	say := func(text string, want error) {
		t.Helper()
		if err := s.deliver(t.Context(), said(messngr.SMB, text)); !errors.Is(err, want) {
			t.Fatal(err)
		}
	}
	say("1 is being written", nil)
	await(t, "the first", func() bool { return gate.waiting() })
	say("2 before the pause", nil)
	if err := s.Pause(t.Context()); err != nil {
		t.Fatal(err)
	}
	say("3 held", messngr.ErrPaused)
	say("4 held", messngr.ErrPaused)
	if err := s.Continue(t.Context()); err != nil {
		t.Fatal(err)
	}
	say("5 after", nil)
	close(gate.open)
	await(t, "the last", func() bool { return strings.Contains(gate.String(), "│ 5 after") })
	at := 0
	for _, text := range []string{"1 is", "2 before", "3 held", "4 held", "5 after"} {
		i := strings.Index(gate.String(), "│ "+text)
		if i < at {
			t.Errorf("%q is out of order in\n%s", text, gate.String())
		}
		at = i
	}
	// Without a terminal nothing is displayed; it is not held for ever either.
	await(t, "the states", func() bool {
		return slices.Equal(s.stored(t), []string{
			"received 1 is being written", "received 2 before the pause", "received 3 held", "received 4 held", "received 5 after",
		})
	})
}

// A gatedWriter waits until it is open.
type gatedWriter struct {
	syncBuffer
	open chan struct{}

	mu    sync.Mutex
	waits bool
}

func (w *gatedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	w.waits = true
	w.mu.Unlock()
	<-w.open
	return w.syncBuffer.Write(p)
}

func (w *gatedWriter) waiting() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.waits
}

// When the terminal has gone, what was held is held no longer.
func TestContinueWithoutATerminal(t *testing.T) {
	s := newServer(t)
	s.opt.Out, s.opt.Terminal = broken{}, true
	stop, err := s.show()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if err := s.Pause(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.deliver(t.Context(), said(messngr.SMB, "x")); !errors.Is(err, messngr.ErrPaused) {
		t.Fatal(err)
	}
	if err := s.Continue(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, "the state", func() bool { return slices.Equal(s.stored(t), []string{"received x"}) })
}

// Whoever pauses and continues meanwhile: in the end all has been shown, once.
func TestPauseMeanwhile(t *testing.T) {
	s := newServer(t)
	s.opt.Terminal = true
	shown, stop := s.shown(t)
	defer stop()
	const senders, each = 8, 100
	var wait sync.WaitGroup
	for i := range senders {
		wait.Go(func() {
			for j := range each {
				if err := s.deliver(t.Context(), said(messngr.SMB, fmt.Sprint(i, "-", j))); err != nil && !errors.Is(err, messngr.ErrPaused) {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { wait.Wait(); close(done) }()
	for paused := false; ; paused = !paused {
		change := s.Pause
		if paused {
			change = s.Continue
		}
		if err := change(t.Context()); err != nil {
			t.Error(err)
		}
		select {
		case <-done:
			if err := s.Continue(t.Context()); err != nil {
				t.Error(err)
			}
			await(t, "the last", func() bool { return len(shown()) >= senders*each })
			count := map[string]int{}
			for _, text := range shown() {
				if count[text]++; count[text] > 1 {
					t.Errorf("%q was shown %d times", text, count[text])
				}
			}
			if len(count) != senders*each {
				t.Errorf("%d messages were shown, want %d", len(count), senders*each)
			}
			return
		case <-time.After(time.Millisecond):
		}
	}
}

// A store that is full holds nothing, and the one who tries again is not told
// that it did.
func TestPauseFullStore(t *testing.T) {
	s := newServer(t)
	if err := s.Pause(t.Context()); err != nil {
		t.Fatal(err)
	}
	memory := s.store
	full := store.NewMemory(store.Config{})
	if err := full.Close(); err != nil {
		t.Fatal(err)
	}
	s.store = full
	for range 2 {
		if err := s.deliver(t.Context(), said(messngr.SMB, "x")); !errors.Is(err, messngr.ErrNoRoom) {
			t.Errorf("full: %v", err)
		}
	}
	if err := s.Continue(t.Context()); !errors.Is(err, store.ErrClosed) || !s.pause.on.Load() {
		t.Errorf("continue: %v", err)
	}
	s.store = memory
	if err := s.deliver(t.Context(), said(messngr.SMB, "x")); !errors.Is(err, messngr.ErrPaused) {
		t.Errorf("with room: %v", err)
	}
	if diff := cmp.Diff([]string{"held x"}, s.stored(t)); diff != "" {
		t.Error(diff)
	}
}

// What is quarantined is not shown before a person releases it, and then as any
// other message is.
func TestQuarantine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.opt.Terminal = true
		shown, stop := s.shown(t)
		defer stop()
		quarantine := func(text string, want error) *messngr.Message {
			t.Helper()
			m := said(messngr.SMB, text)
			if strings.Contains(text, "stranger") {
				m.Source = from("192.0.2.9:1", "").Source
			}
			if err := s.quarantine(t.Context(), m, "for the test"); !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", text, err, want)
			}
			return m
		}
		first := quarantine("first", nil)
		quarantine("first", nil) // once is enough
		second := quarantine("second", nil)
		quarantine("a stranger", messngr.ErrRefused)
		// It does not stand in the way of the same, said by one who is admitted.
		if err := s.deliver(t.Context(), said(messngr.SMB, "second")); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		check := func(stored, screen []string) {
			t.Helper()
			synctest.Wait()
			if diff := cmp.Diff(stored, s.stored(t)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if diff := cmp.Diff(screen, shown()); diff != "" {
				t.Errorf("shown: %s", diff)
			}
		}
		check([]string{"quarantined first", "quarantined second", "displayed second"}, []string{"second"})

		for _, tt := range []struct {
			ids  []messngr.ID
			want error
		}{
			{[]messngr.ID{first.ID, messngr.NewID(time.Now())}, store.ErrUnknown},
			{[]messngr.ID{first.ID, lastID(t, s)}, api.ErrState},
		} {
			if n, err := s.Release(t.Context(), tt.ids...); n != 0 || !errors.Is(err, tt.want) {
				t.Errorf("released %d, %v, want %v", n, err, tt.want)
			}
		}
		check([]string{"quarantined first", "quarantined second", "displayed second"}, []string{"second"})
		if n, err := s.Release(t.Context(), second.ID, second.ID); n != 1 || err != nil {
			t.Errorf("released %d, %v", n, err)
		}
		check([]string{"quarantined first", "displayed second", "displayed second"}, []string{"second", "second"})
		receipts, err := s.store.Receipts(t.Context(), second.ID)
		if err != nil {
			t.Fatal(err)
		}
		var life []string
		for _, r := range receipts {
			life = append(life, string(r.State)+" by "+r.By)
		}
		if diff := cmp.Diff([]string{"quarantined by for the test", "held by inbox release", "displayed by terminal"}, life); diff != "" {
			t.Error(diff)
		}

		// While the recipient has paused, what is released waits.
		if err := s.Pause(t.Context()); err != nil {
			t.Fatal(err)
		}
		quarantine("third", nil)
		if n, err := s.Release(t.Context()); n != 2 || err != nil {
			t.Errorf("released %d, %v", n, err)
		}
		check([]string{"held first", "displayed second", "displayed second", "held third"}, []string{"second", "second"})
		if err := s.Continue(t.Context()); err != nil {
			t.Fatal(err)
		}
		check([]string{"displayed first", "displayed second", "displayed second", "displayed third"}, []string{"second", "second", "first", "third"})
		if n, err := s.Release(t.Context()); n != 0 || err != nil {
			t.Errorf("released %d, %v", n, err)
		}
	})
}

// lastID returns the ID of the last message.
func lastID(t *testing.T, s *server) messngr.ID {
	t.Helper()
	entries, err := s.store.Entries(t.Context(), store.Query{Last: 1})
	if err != nil || len(entries) != 1 {
		t.Fatal(entries, err)
	}
	return entries[0].ID
}

// A copy of a message that was held is answered as that was, though the pause is
// over: it has been shown once.
func TestCopyOfWhatWasHeld(t *testing.T) {
	s := newServer(t)
	if err := s.Pause(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.deliverDatagrams(t.Context(), said(messngr.Mailslot, "x")); err != nil {
		t.Fatal(err)
	}
	if err := s.Continue(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.deliver(t.Context(), said(messngr.SMB, "x")); !errors.Is(err, messngr.ErrPaused) {
		t.Errorf("the copy: %v", err)
	}
	if got := s.stored(t); len(got) != 1 {
		t.Errorf("stored %q", got)
	}
}

// A late store keeps what it is told to hold after something else has happened.
type late struct {
	store.Store
	first func()
}

func (l *late) Withhold(ctx context.Context, state messngr.State, by string, m ...*messngr.Message) error {
	l.first()
	return l.Store.Withhold(ctx, state, by, m...)
}

// A message that is being held while the recipient continues is shown too.
func TestContinueMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.opt.Terminal = true
		shown, stop := s.shown(t)
		defer stop()
		if err := s.Pause(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.store = &late{s.store, func() {
			if err := s.Continue(t.Context()); err != nil {
				t.Error(err)
			}
			synctest.Wait() // what is held so far has been shown
		}}
		if err := s.deliver(t.Context(), said(messngr.SMB, "x")); !errors.Is(err, messngr.ErrPaused) {
			t.Error(err)
		}
		synctest.Wait()
		if diff := cmp.Diff([]string{"x"}, shown()); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"displayed x"}, s.stored(t)); diff != "" {
			t.Error(diff)
		}
	})
}
