package links

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A world is what a Watcher reads.
type world struct {
	mu    sync.Mutex
	links []Link
	err   error
	reads int
}

func (w *world) read() ([]Link, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reads++
	return w.links, w.err
}

func (w *world) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.reads
}

func (w *world) set(links []Link, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.links, w.err = links, err
}

// next returns what comes from a Watcher now.
func next(w *Watcher) []Link {
	synctest.Wait()
	select {
	case l := <-w.Changes():
		return l
	default:
		return nil
	}
}

func wantLinks(t *testing.T, what string, got []Link, want ...Link) {
	t.Helper()
	if diff := cmp.Diff(names(want), names(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func names(links []Link) (all []string) {
	for _, l := range links {
		all = append(all, l.Name)
	}
	return all
}

var eth0, eth1 = Link{Name: "eth0"}, Link{Name: "eth1"}

// Where the system tells of changes, the links are read when it does, once for
// changes that come together.
func TestWatchTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := &world{links: []Link{eth0}}
		told := make(chan struct{}, 1)
		w := watch(host.read, told)
		defer w.Close()
		wantLinks(t, "at first", next(w), eth0)

		time.Sleep(time.Hour)
		if host.count() != 1 {
			t.Errorf("without a change the links were read %d times, want once", host.count())
		}
		for range 3 {
			select {
			case told <- struct{}{}:
			default:
			}
			synctest.Wait()
		}
		host.set([]Link{eth0, eth1}, nil)
		wantLinks(t, "before it is settled", next(w))
		time.Sleep(settle)
		wantLinks(t, "with eth1", next(w), eth0, eth1)
		time.Sleep(time.Hour)
		if host.count() != 2 {
			t.Errorf("for changes that came together the links were read %d times, want once", host.count()-1)
		}

		told <- struct{}{}
		time.Sleep(settle)
		wantLinks(t, "told of what is no change", next(w))

		// The links cannot be read: they are until they can.
		host.set(nil, errors.New("no"))
		told <- struct{}{}
		time.Sleep(settle)
		wantLinks(t, "while they cannot be read", next(w))
		host.set([]Link{eth1}, nil)
		time.Sleep(poll)
		wantLinks(t, "when they can be read again", next(w), eth1)

		// The system ceases to tell: the links are polled.
		close(told)
		time.Sleep(settle)
		host.set([]Link{eth0}, nil)
		time.Sleep(poll)
		wantLinks(t, "polled", next(w), eth0)
		reads := host.count()
		time.Sleep(10 * poll)
		if n := host.count() - reads; n < 9 || n > 11 {
			t.Errorf("polled %d times in 10 rounds", n)
		}
	})
}

// A slice that nobody took does not stand in the way of a later one.
func TestWatchSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := &world{links: []Link{eth0}}
		told := make(chan struct{}, 1)
		w := watch(host.read, told)
		defer w.Close()
		for _, l := range [][]Link{{eth0, eth1}, nil, {eth1}} {
			host.set(l, nil)
			told <- struct{}{}
			time.Sleep(settle)
			synctest.Wait()
		}
		wantLinks(t, "after all changes", next(w), eth1)
		wantLinks(t, "and then", next(w))
	})
}

func TestWatchPolled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := &world{links: []Link{eth0}}
		w := watch(host.read, nil)
		defer w.Close()
		wantLinks(t, "at first", next(w), eth0)
		host.set([]Link{eth1}, nil)
		time.Sleep(poll)
		wantLinks(t, "after one round", next(w), eth1)
		time.Sleep(time.Hour)
		wantLinks(t, "without a change", next(w))
	})
}

// The first list is there at once, and it is that of Read.
func TestWatchThisHost(t *testing.T) {
	w := Watch()
	defer w.Close()
	want, err := Read()
	if err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-w.Changes():
		wantLinks(t, "this host", got, want...)
	case <-time.After(10 * time.Second):
		t.Error("nothing after 10 seconds")
	}
}
