// Package hub hands each message to whoever subscribed.
//
// A hub keeps the latest messages in a ring. A subscriber reads from the ring
// at its own pace, so that a slow one holds up nobody: when the ring has passed
// it, it is told how many messages it missed, and can find them in the store.
package hub

import (
	"context"
	"sync"

	"github.com/messngr/messngr"
)

// The bounds of the ring.
const (
	maxMessages = 1024
	maxBytes    = 1 << 20 // of text, so that few large messages do not hold much memory
)

// A Hub fans messages out. Use New.
type Hub struct {
	mu    sync.Mutex
	ring  [maxMessages]*messngr.Message // message n is at n%maxMessages
	first uint64                        // number of the oldest message in the ring
	next  uint64                        // number of the next message
	bytes int                           // of text in the ring
	stirs uint64                        // calls of Stir
	wake  chan struct{}                 // closed at the next message; nil when nobody waits
}

// New returns a Hub without messages.
func New() *Hub { return &Hub{} }

// Publish hands the messages, in this order, to all subscribers. It never
// waits for one. The messages must not change any more.
func (h *Hub) Publish(messages []*messngr.Message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range messages {
		if h.next-h.first == maxMessages {
			h.dropOldest()
		}
		h.ring[h.next%maxMessages] = m
		h.next++
		h.bytes += len(m.Text)
		for h.bytes > maxBytes && h.next-h.first > 1 {
			h.dropOldest()
		}
	}
	h.wakeAll()
}

// Stir wakes all subscribers and hands them nothing: what is kept has changed
// in another way than by messages to be shown.
func (h *Hub) Stir() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stirs++
	h.wakeAll()
}

// wakeAll ends the wait of every subscriber, with the lock held.
func (h *Hub) wakeAll() {
	if h.wake != nil {
		close(h.wake)
		h.wake = nil
	}
}

func (h *Hub) dropOldest() {
	slot := &h.ring[h.first%maxMessages]
	h.bytes -= len((*slot).Text)
	*slot = nil
	h.first++
}

// Subscribe returns a Subscription to all messages that are published from now
// on. There is nothing to release.
func (h *Hub) Subscribe() *Subscription {
	h.mu.Lock()
	defer h.mu.Unlock()
	return &Subscription{hub: h, next: h.next, stirs: h.stirs}
}

// A Subscription is one subscriber's place in the sequence of messages. It is
// for one goroutine.
type Subscription struct {
	hub   *Hub
	next  uint64
	stirs uint64
}

// Next waits for messages, appends them to buf and returns it; after a Stir there
// may be none. missed is the number of messages before them that were published
// and are no longer here.
// The error is ctx's.
func (s *Subscription) Next(ctx context.Context, buf []*messngr.Message) (messages []*messngr.Message, missed int, err error) {
	for {
		s.hub.mu.Lock()
		if s.next < s.hub.next || s.stirs != s.hub.stirs {
			break
		}
		if s.hub.wake == nil {
			s.hub.wake = make(chan struct{})
		}
		wake := s.hub.wake
		s.hub.mu.Unlock()
		select {
		case <-wake:
		case <-ctx.Done():
			return buf, 0, ctx.Err()
		}
	}
	defer s.hub.mu.Unlock()
	s.stirs = s.hub.stirs
	if s.next < s.hub.first {
		missed = int(s.hub.first - s.next)
		s.next = s.hub.first
	}
	for ; s.next < s.hub.next; s.next++ {
		buf = append(buf, s.hub.ring[s.next%maxMessages])
	}
	return buf, missed, nil
}
