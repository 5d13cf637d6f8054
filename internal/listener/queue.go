package listener

import (
	"slices"
	"sync"

	"github.com/messngr/messngr"
)

const (
	// maxTogether is the most messages that are delivered at once: they share a
	// commit.
	maxTogether = 512
	// maxWaitingText is the most bytes of text that wait to be delivered.
	maxWaitingText = 16 << 20
)

// A queue is messages that wait to be delivered, bounded in number and in bytes
// of text. One goroutine fills it, one takes from it.
type queue struct {
	most int // messages

	mu      sync.Mutex
	waiting []*messngr.Message
	text    int           // bytes of the texts that wait
	news    chan struct{} // something waits; holds at most one
}

func newQueue(most int) queue { return queue{most: most, news: make(chan struct{}, 1)} }

// put appends a message to those that wait, if there is room.
func (q *queue) put(m *messngr.Message) bool {
	q.mu.Lock()
	if len(q.waiting) >= q.most || q.text+len(m.Text) > maxWaitingText {
		q.mu.Unlock()
		return false
	}
	q.waiting = append(q.waiting, m)
	q.text += len(m.Text)
	q.mu.Unlock()
	select {
	case q.news <- struct{}{}:
	default:
	}
	return true
}

// take returns the messages that wait, at most maxTogether.
func (q *queue) take() []*messngr.Message {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.waiting), maxTogether)
	together := slices.Clone(q.waiting[:n])
	for _, m := range together {
		q.text -= len(m.Text)
	}
	left := copy(q.waiting, q.waiting[n:])
	clear(q.waiting[left:])
	q.waiting = q.waiting[:left]
	return together
}
