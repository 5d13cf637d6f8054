package resolver

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/messngr/messngr/internal/links"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbns"
)

func TestCacheExpiry(t *testing.T) {
	name := nameOf(t, "HOST2<03>")
	found := Found{Addr: ip("10.77.0.2"), Name: name, From: FromWINS, By: "wins 10.0.0.1"}
	tests := []struct {
		comment string
		cache   *Cache
		found   Found
		ttl     uint32
		keep    time.Duration
	}{
		{"for ever", &Cache{}, found, 0, 10 * time.Minute},
		{"longer than we keep anything", &Cache{}, found, 300000, 10 * time.Minute},
		{"the longest there is", &Cache{}, found, 0xFFFFFFFF, 10 * time.Minute},
		{"less", &Cache{}, found, 60, time.Minute},
		{"as configured", &Cache{Timeout: time.Hour}, found, 0, time.Hour},
		{"nobody", &Cache{}, Found{}, 0, 30 * time.Second},
		{"nobody, as configured", &Cache{SilenceTimeout: time.Second}, Found{}, 0, time.Second},
	}
	for _, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			c := test.cache
			c.put(name, test.found, test.ttl)
			time.Sleep(test.keep - 1)
			got, ok := c.get(name)
			if !ok || got.Addr != test.found.Addr || got.Cached != test.found.Addr.IsValid() {
				t.Errorf("%s: before %v: %+v, %v", test.comment, test.keep, got, ok)
			}
			if _, ok := c.get(name.WithSuffix(0)); ok {
				t.Errorf("%s: another suffix is there", test.comment)
			}
			time.Sleep(time.Nanosecond)
			if got, ok := c.get(name); ok {
				t.Errorf("%s: after %v: %+v", test.comment, test.keep, got)
			}
		})
	}
}

func TestCacheSize(t *testing.T) {
	host := func(i int) netbios.Name { return netbios.Name{'H', byte(i >> 8), byte(i)} }
	synctest.Test(t, func(t *testing.T) {
		c := &Cache{Size: 10}
		found := Found{Addr: ip("10.77.0.2")}
		for i := range 10 {
			c.put(host(i), found, uint32(100+i))
		}
		c.put(host(3), found, 200) // it is there: nobody makes room
		c.put(host(10), found, 200)
		for i := range 11 {
			if _, ok := c.get(host(i)); ok != (i != 0) {
				t.Errorf("%d is there: %v; want all but that with the shortest time", i, ok)
			}
		}
		time.Sleep(105 * time.Second) // 1, 2, 4 and 5 are too old
		c.put(host(11), found, 200)
		if n := c.Len(); n != 7 {
			t.Errorf("%d names, want those that are not too old, 7", n)
		}
		c.Flush()
		if _, ok := c.get(host(11)); ok || c.Len() != 0 {
			t.Error("Flush has left something")
		}
	})

	// Whatever is asked, its size has a bound.
	c := new(Cache)
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for i := range 1000 {
				c.put(host(g*1000+i), Found{}, 0)
				c.get(host(i))
			}
		})
	}
	all.Wait()
	if n := c.Len(); n != 1024 {
		t.Errorf("%d names after 4000, want 1024", n)
	}
	(*Cache)(nil).put(host(0), Found{}, 0)
	if _, ok := (*Cache)(nil).get(host(0)); ok {
		t.Error("no cache has a name")
	}
}

func TestResolveCached(t *testing.T) {
	p := newPeer(t, "127.0.0.1:0", func(query nbns.Packet, _ int, send func([]byte)) {
		if query.Question.Name.Base() != "FORGED" {
			forged := positive(query, nbns.BNode, "10.77.0.66")
			forged.Answer.Name = nameOf(t, "FORGED<03>")
			send(appended(t, forged))
		}
		if query.Question.Name.Base() == "HOST2" {
			send(appended(t, positive(query, nbns.BNode, "10.77.0.2", "10.77.1.2")))
		}
	})
	r := asking(p.port(), "127.0.0.1")
	r.Cache = new(Cache)
	resolve := func(name, host string) (string, int32) {
		t.Helper()
		before := p.queries.Load()
		found, err := r.Resolve(t.Context(), nameOf(t, name), host)
		if err != nil {
			return err.Error(), p.queries.Load() - before
		}
		return fmt.Sprintf("%s from %s: %s", joined(found.Addrs), found.From, found.Source()), p.queries.Load() - before
	}
	for i, test := range []struct {
		name, host, want string
		asked            int32
	}{
		{"HOST2<03>", "host2", "10.77.0.2 10.77.1.2 from broadcast: broadcast on test0 (127.0.0.1)", 1},
		{"HOST2<03>", "host2", "10.77.0.2 10.77.1.2 from broadcast: cache, from broadcast on test0 (127.0.0.1)", 0},
		{"HOST2<20>", "host2", "10.77.0.2 10.77.1.2 from broadcast: broadcast on test0 (127.0.0.1)", 1},
		{"NOBODY<03>", "", "NOBODY<03> was not found: tried lmhosts, broadcast on test0 (127.0.0.1)", 3},
		{"NOBODY<03>", "", "NOBODY<03> was not found: tried lmhosts, cache (nobody on the network knew it a moment ago)", 0},
		// The DNS is asked all the same, and what it says is not kept.
		{"NOBODY<03>", "dns", "192.0.2.7 from dns: dns", 0},
		{"NOBODY<03>", "nobody", "NOBODY<03> was not found: tried lmhosts, cache (nobody on the network knew it a moment ago), DNS", 0},
		// What nobody asked for is not kept.
		{"FORGED<03>", "", "FORGED<03> was not found: tried lmhosts, broadcast on test0 (127.0.0.1)", 3},
	} {
		if got, asked := resolve(test.name, test.host); got != test.want || asked != test.asked {
			t.Errorf("%d: %s, %s:\n%s after %d questions, want\n%s after %d", i, test.name, test.host, got, asked, test.want, test.asked)
		}
	}

	// What could not be asked is not known to be nobody's.
	r = asking(p.port())
	r.Cache = new(Cache)
	if _, err := r.Resolve(t.Context(), nameOf(t, "NOBODY<03>"), ""); err == nil || r.Cache.Len() != 0 {
		t.Errorf("without a network: %v, and %d names are kept", err, r.Cache.Len())
	}
	r.peersOf = func() ([]peer, error) { return []peer{{ip("::1"), links.Loopback, "x"}}, nil }
	if _, err := r.Resolve(t.Context(), nameOf(t, "NOBODY<03>"), ""); err == nil || r.Cache.Len() != 0 {
		t.Errorf("on a network that fails: %v, and %d names are kept", err, r.Cache.Len())
	}
}
