package resolver

import (
	"math"
	"sync"
	"time"

	"github.com/messngr/messngr/netbios"
)

// A Cache keeps the answers of name servers and of the owners of names, and
// that nobody knew a name. What files and the DNS say is not kept: files are in
// memory, and the DNS has caches of its own. Its zero value is ready; it may be
// used by many goroutines and Resolvers.
type Cache struct {
	// Timeout is the longest that an answer is kept; an answer with a shorter
	// time to live is kept for that. 10 min if zero, as in Windows.
	Timeout time.Duration
	// SilenceTimeout is how long it is kept that nobody knew a name; 30 s if
	// zero, so that a host which has just been started is soon found.
	SilenceTimeout time.Duration
	// Size is the most names that are kept; 1024 if zero. Past it, the one that
	// would be forgotten first makes room.
	Size int

	mu      sync.Mutex
	entries map[netbios.Name]cached
}

// A cached is an answer, or the zero Found for none.
type cached struct {
	found Found
	until time.Time
}

// Flush forgets everything.
func (c *Cache) Flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries = nil
}

// Len returns the number of names that are kept, of which some may be too old
// to be used.
func (c *Cache) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.entries)
}

// get returns what is known of the name: an answer, or the zero Found if it is
// known that there is none. A nil Cache knows nothing.
func (c *Cache) get(name netbios.Name) (Found, bool) {
	if c == nil {
		return Found{}, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[name]
	if !ok || !time.Now().Before(e.until) {
		return Found{}, false
	}
	return e.found, true
}

// put keeps an answer, or the zero Found. The ttl is in seconds; 0 is for ever
// (INFINITE_TTL of RFC 1002 6).
func (c *Cache) put(name netbios.Name, found Found, ttl uint32) {
	if c == nil {
		return
	}
	keep := orDefault(c.SilenceTimeout, 30*time.Second)
	if found.Addr.IsValid() {
		found.Cached = true
		keep = orDefault(c.Timeout, 10*time.Minute)
		if ttl > 0 && int64(ttl) < math.MaxInt64/int64(time.Second) {
			keep = min(keep, time.Duration(ttl)*time.Second)
		}
	}
	size := c.Size
	if size == 0 {
		size = 1024
	}
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.entries[name]; !ok && len(c.entries) >= size {
		c.makeRoom(now)
	}
	if c.entries == nil {
		c.entries = make(map[netbios.Name]cached)
	}
	c.entries[name] = cached{found, now.Add(keep)}
}

// makeRoom forgets what is too old, else the one that would be next. A question
// to the network costs more than looking at all.
func (c *Cache) makeRoom(now time.Time) {
	var next netbios.Name
	first := true
	room := false
	for name, e := range c.entries {
		if !now.Before(e.until) {
			delete(c.entries, name)
			room = true
		} else if first || e.until.Before(c.entries[next].until) {
			next, first = name, false
		}
	}
	if !room {
		delete(c.entries, next)
	}
}
