package wins

import (
	"iter"
	"slices"
	"time"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/netbios"
)

// Records are looked for in runs of more and more names: who wants the first
// few gets them soon, and who wants all does not look through the table often.
const (
	firstRun = 256
	lastRun  = 1 << 16
)

// Records returns the names that come after a key, nil: all, in the order of
// the bytes of name and scope. Those that come, go or change while they are read
// may or may not be seen so; nobody waits for the reader. A name that has
// expired is shown as released.
func (s *Server) Records(after *messngr.NameKey) iter.Seq[messngr.NameRecord] {
	return func(yield func(messngr.NameRecord) bool) {
		var from *key
		if after != nil {
			from = &key{netbios.Name(after.Name), netbios.Scope(after.Scope)}
		}
		for run := firstRun; ; run = min(4*run, lastRun) {
			keys := s.table.after(from, run)
			now, extinct := seconds(time.Now()), uint32(s.cfg.Extinct/time.Second)
			for _, k := range keys {
				e, there := s.table.open(k)
				if !there {
					continue
				}
				if !e.active(now) && e.state == messngr.NameActive {
					e.state, e.forget = messngr.NameReleased, e.expires()+extinct
				}
				if !yield(toRecord(k, e, false)) {
					return
				}
			}
			if len(keys) < run {
				return
			}
			from = &keys[len(keys)-1]
		}
	}
}

// after returns the first n keys that come after a key, nil: the very first.
func (t *table) after(from *key, n int) []key {
	var keys []key
	var bound *key // n keys are known that are not greater
	consider := func(k key) {
		if from != nil && k.compare(*from) <= 0 || bound != nil && k.compare(*bound) >= 0 {
			return
		}
		if keys = append(keys, k); len(keys) == 2*n {
			slices.SortFunc(keys, key.compare)
			keys = keys[:n]
			last := keys[n-1]
			bound = &last
		}
	}
	for i := range t.shards {
		t.shards[i].each(consider)
	}
	slices.SortFunc(keys, key.compare)
	return keys[:min(len(keys), n)]
}

// each calls f with all keys of a shard.
func (sh *shard) each(f func(key)) {
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	for name := range sh.plain {
		f(key{name: name})
	}
	for k := range sh.scoped {
		f(k)
	}
}
