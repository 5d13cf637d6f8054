package server

import (
	"log/slog"
	"sync"
	"time"
)

// refusalEvery is the least time between two lines of the log about sources that
// are not served.
const refusalEvery = time.Minute

// refusals tells the log of sources that are not served. Who has forgotten a
// network in the configuration should not have to search for it; but whoever
// likes can be refused, so the lines are few.
type refusals struct {
	mu    sync.Mutex
	next  time.Time // when the log may be told again
	since int       // packets and connections that it was not told of
}

func (r *refusals) tell(log *slog.Logger, refusal error, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Before(r.next) {
		r.since++
		return
	}
	log.Info(refusal.Error(), "not_told", r.since)
	r.next, r.since = now.Add(refusalEvery), 0
}
