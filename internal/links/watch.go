package links

import (
	"slices"
	"time"
)

const (
	// settle is how long changes are waited for after the first: interfaces
	// come up in several steps.
	settle = 100 * time.Millisecond
	// poll is how often the links are read where the system does not tell of
	// changes.
	poll = 3 * time.Second
)

// A Watcher follows the links of this host as interfaces and addresses come,
// go and change.
type Watcher struct {
	changes    chan []Link
	stop, done chan struct{}
}

// Watch returns a Watcher, which is to be closed. It needs no privilege.
func Watch() *Watcher {
	told, end := tell()
	w := watch(Read, told)
	go func() {
		<-w.stop
		end()
	}()
	return w
}

// watch returns a Watcher of what read returns. A value on told says that the
// links may have changed; without that channel, or once it is closed, they are
// polled.
func watch(read func() ([]Link, error), told <-chan struct{}) *Watcher {
	w := &Watcher{
		changes: make(chan []Link, 1),
		stop:    make(chan struct{}),
		done:    make(chan struct{}),
	}
	go w.run(read, told)
	return w
}

// Changes delivers the links as they are, soon, and then again whenever they
// have changed. A slice that nobody took is replaced by the next; the last is
// always delivered.
func (w *Watcher) Changes() <-chan []Link { return w.changes }

// Close ends the watching. It must be called once.
func (w *Watcher) Close() {
	close(w.stop)
	<-w.done
}

func (w *Watcher) run(read func() ([]Link, error), told <-chan struct{}) {
	defer close(w.done)
	var last []Link
	for first := true; ; {
		now, err := read()
		if err == nil && (first || !slices.Equal(last, now)) {
			first, last = false, now
			select {
			case <-w.changes: // nobody has taken it yet
			default:
			}
			w.changes <- now
		}

		wait := poll
		if told != nil && err == nil {
			select {
			case _, tells := <-told:
				if !tells {
					told = nil
				}
			case <-w.stop:
				return
			}
			wait = settle
		}
		select {
		case <-time.After(wait):
		case <-w.stop:
			return
		}
		select {
		case <-told: // what was told meanwhile is in what is read now
		default:
		}
	}
}
