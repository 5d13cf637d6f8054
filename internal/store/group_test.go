package store

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/messngr/messngr"
)

// A gate is a commit that waits to be let through and remembers what it was
// given.
type gate struct {
	open    chan struct{} // one value lets one batch through; closed: all
	batches [][]*messngr.Message
}

func (g *gate) commit(requests []request) {
	<-g.open
	var messages []*messngr.Message
	for _, r := range requests {
		messages = append(messages, r.messages...)
	}
	g.batches = append(g.batches, messages)
}

// submitting submits m in a goroutine, waits until everything stands still,
// and returns the channel of the answer.
func submitting(ctx context.Context, g *group, m *messngr.Message) <-chan error {
	answer := make(chan error, 1)
	go func() { answer <- g.submit(ctx, request{messages: []*messngr.Message{m}}) }()
	synctest.Wait()
	return answer
}

func TestGroupShares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := &gate{open: make(chan struct{})}
		g := newGroup(gate.commit, func() {})
		var want []*messngr.Message
		var answers []<-chan error
		for range 1 + 2*maxBatch + 10 {
			m := newMessage()
			want = append(want, m)
			answers = append(answers, submitting(t.Context(), g, m))
		}
		close(gate.open)
		for _, answer := range answers {
			if err := <-answer; err != nil {
				t.Error(err)
			}
		}
		g.close()
		var sizes []int
		for _, b := range gate.batches {
			sizes = append(sizes, len(b))
		}
		// The first was alone; the rest came while it was being committed.
		if !slices.Equal(sizes, []int{1, maxBatch, maxBatch, 10}) {
			t.Errorf("batches of %v", sizes)
		}
		if !slices.Equal(slices.Concat(gate.batches...), want) {
			t.Error("committed in another order than submitted")
		}
	})
}

// Senders that come back within the patience of a batch share the next one.
func TestGroupExpects(t *testing.T) {
	const took = 100 * time.Microsecond
	for name, tt := range map[string]struct {
		senders int
		away    time.Duration // between a sender's answer and its next request
		each    int           // requests of a sender
		want    []int         // sizes of the batches
		lasted  time.Duration
	}{
		"alone": {1, 0, 3, []int{1, 1, 1}, 3 * took},
		// The last batch waits in vain for the sender that was the first.
		"quick":   {8, took / 2, 3, []int{1, 8, 8, 7}, 4*took + took/2 + took/2 + patience*took},
		"slow":    {8, 3 * took, 2, []int{1, 8, 7}, 3*took + 3*took + patience*took},
		"no more": {8, 0, 1, []int{1, 7}, 2*took + patience*took},
		// Nobody waits for those who did not come back in time.
		"too slow": {2, 9 * took, 2, []int{1, 1, 1, 1}, 3*took + 9*took + patience*took},
		// One of ten or more is not waited for.
		"many": {11, 0, 1, []int{1, 10}, 2 * took},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var sizes []int
				g := newGroup(func(requests []request) {
					sizes = append(sizes, len(requests))
					time.Sleep(took)
				}, func() {})
				begin := time.Now()
				var wait sync.WaitGroup
				for range tt.senders {
					synctest.Wait() // the first gets a commit of its own
					wait.Go(func() {
						for i := range tt.each {
							if i > 0 {
								time.Sleep(tt.away)
							}
							if err := g.submit(t.Context(), request{messages: []*messngr.Message{newMessage()}}); err != nil {
								t.Error(err)
							}
						}
					})
				}
				wait.Wait()
				lasted := time.Since(begin)
				g.close()
				if !slices.Equal(sizes, tt.want) || lasted != tt.lasted {
					t.Errorf("batches of %v in %v, want %v in %v", sizes, lasted, tt.want, tt.lasted)
				}
			})
		})
	}
}

func TestGroupCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := &gate{open: make(chan struct{})}
		g := newGroup(gate.commit, func() {})
		defer g.close()
		ctx, cancel := context.WithCancel(t.Context())
		inCommit, queued, other := newMessage(), newMessage(), newMessage()
		first := submitting(ctx, g, inCommit)
		second := submitting(ctx, g, queued)
		third := submitting(t.Context(), g, other)
		cancel()
		for _, answer := range []<-chan error{first, second} {
			if err := <-answer; !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled: %v", err)
			}
		}
		close(gate.open)
		if err := <-third; err != nil {
			t.Errorf("not cancelled: %v", err)
		}
		// What was being committed is; what was waiting is not.
		if got := slices.Concat(gate.batches...); !slices.Equal(got, []*messngr.Message{inCommit, other}) {
			t.Errorf("committed %v", got)
		}
	})
}

func TestGroupClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := &gate{open: make(chan struct{})}
		g := newGroup(gate.commit, func() {})
		first := submitting(t.Context(), g, newMessage())
		second := submitting(t.Context(), g, newMessage())
		closed := make(chan struct{})
		go func() {
			g.close()
			close(closed)
		}()
		synctest.Wait()
		if err := <-submitting(t.Context(), g, newMessage()); !errors.Is(err, ErrClosed) {
			t.Errorf("submitted after close: %v", err)
		}
		select {
		case <-closed:
			t.Error("close did not wait")
		default:
		}
		close(gate.open)
		for _, answer := range []<-chan error{first, second} {
			if err := <-answer; err != nil {
				t.Errorf("submitted before close: %v", err)
			}
		}
		<-closed
		if n := len(slices.Concat(gate.batches...)); n != 2 {
			t.Errorf("committed %d, want 2", n)
		}
	})
}
