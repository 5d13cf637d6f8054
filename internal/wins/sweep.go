package wins

import (
	"context"
	"time"
)

// A sweep looks at some shards of the table every so often, and so at all of
// them within about a minute. A name that has expired is not given out from
// that second on: to forget it is not urgent.
const (
	sweepEvery  = 15 * time.Second
	sweepShards = 64
	// maxForgotten is the most names that one shard loses at once.
	maxForgotten = 256
)

// sweep forgets the names that have been released or expired for long enough,
// until ctx is done.
func (s *Server) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for at := 0; ; at += sweepShards {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now, extinct := seconds(time.Now()), s.extinct()
		for i := range sweepShards {
			s.forget(s.table.shards[(at+i)%shards].due(now, extinct), now, extinct)
		}
	}
}

// extinct returns for how many seconds released names are remembered now: not
// at all if there are too many.
func (s *Server) extinct() uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.names >= s.cfg.MaxNames-s.cfg.MaxNames/8 {
		return 0
	}
	return uint32(s.cfg.Extinct / time.Second)
}

// forgetAt returns when a record is forgotten, if released names are remembered
// for extinct seconds.
func (r record) forgetAt(extinct uint32) uint32 {
	switch {
	case r.static():
		return never
	case r.marks&markReleased != 0 && extinct == 0:
		return 0
	case r.marks&markReleased != 0:
		return r.expires
	}
	return r.expires + extinct
}

// due returns names of a shard that are to be forgotten.
func (sh *shard) due(now, extinct uint32) (due []key) {
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	for name, r := range sh.plain {
		if r.forgetAt(extinct) <= now && len(due) < maxForgotten {
			due = append(due, key{name: name})
		}
	}
	for k, r := range sh.scoped {
		if r.forgetAt(extinct) <= now && len(due) < maxForgotten {
			due = append(due, k)
		}
	}
	return due
}

// forget queues names to be forgotten, if they still are to be.
func (s *Server) forget(due []key, now, extinct uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range due {
		r, there := s.table.get(k)
		if !there || r.forgetAt(extinct) > now || s.pending[k] != nil || s.challenges[k] != nil || len(s.pending) >= s.cfg.MaxPending {
			continue
		}
		s.enqueue(&change{claim: claim{key: k}, count: forgotten, gone: true})
	}
}
