package server

import (
	"sync"
	"time"
)

// A quota bounds what may come in a day. Who forges addresses has as many as
// they like, so it is one for all: else a flood would fill the disk. Room comes
// back with time, a share of the day's with each moment.
type quota struct {
	perDay int

	mu   sync.Mutex
	used float64
	at   time.Time // when that was
}

// take takes a place, and reports whether there was one.
func (q *quota) take(now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	back := now.Sub(q.at).Hours() / 24 * float64(q.perDay)
	q.used, q.at = max(0, q.used-max(0, back)), now
	if q.used+1 > float64(q.perDay) {
		return false
	}
	q.used++
	return true
}
