package store

import (
	"context"
	"runtime"
	"slices"
	"sync"

	"github.com/messngr/messngr"
)

// maxBatch is the number of requests that share one commit at most: enough to
// make the price of the sync invisible, few enough that the first of them does
// not wait for long.
const maxBatch = 512

// A request is a message, receipts or something else that somebody wants to see
// durable. One
// that was given up before its commit is zero.
type request struct {
	message  *messngr.Message
	receipts []messngr.Receipt
	// other is what neither is: its own statements, in the transaction that it
	// shares. What it refuses must have changed nothing.
	other func(*writer) (refused, err error)
	err   error // written by commit
}

// A batch is the requests that share a commit. Their senders wait together on
// one channel, which is cheaper than a channel each.
type batch struct {
	requests []request
	done     chan struct{} // closed when every request has its err
}

// A group lets many senders share a commit. While one batch is being
// committed, the next one gathers: nobody ever waits for company.
type group struct {
	commit func([]request) // makes a batch durable, or fills in err
	settle func()          // what can wait until the senders have their answer

	mu      sync.Mutex
	work    sync.Cond // a batch was queued, or closing became true
	queue   []*batch
	closing bool
	stopped chan struct{}
}

// newGroup starts the one goroutine that calls commit and settle.
func newGroup(commit func([]request), settle func()) *group {
	g := &group{commit: commit, settle: settle, stopped: make(chan struct{})}
	g.work.L = &g.mu
	go g.run()
	return g
}

func (g *group) run() {
	defer close(g.stopped)
	for b := g.next(); b != nil; b = g.next() {
		g.commit(b.requests)
		close(b.done)
		// Let those who have their answer go first: who comes back with a new
		// request at once shares the next commit, which halves the price of
		// it; nobody is waited for.
		runtime.Gosched()
		g.settle()
	}
}

// next waits for a batch; nil says that there will be none.
func (g *group) next() *batch {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.queue) == 0 {
		if g.closing {
			return nil
		}
		g.work.Wait()
	}
	b := g.queue[0]
	g.queue = slices.Delete(g.queue, 0, 1)
	return b
}

// submit puts r into a batch and waits until it has been committed.
func (g *group) submit(ctx context.Context, r request) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b, i, err := g.enqueue(r)
	if err != nil {
		return err
	}
	select {
	case <-b.done:
		return b.requests[i].err
	case <-ctx.Done():
		g.giveUp(b, i)
		return ctx.Err()
	}
}

// enqueue appends r to the youngest batch and returns where.
func (g *group) enqueue(r request) (b *batch, i int, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closing {
		return nil, 0, ErrClosed
	}
	if n := len(g.queue); n > 0 && len(g.queue[n-1].requests) < maxBatch {
		b = g.queue[n-1]
	} else {
		b = &batch{done: make(chan struct{})}
		g.queue = append(g.queue, b)
		g.work.Signal()
	}
	b.requests = append(b.requests, r)
	return b, len(b.requests) - 1, nil
}

// giveUp takes back a request whose commit has not begun, so that senders that
// come, wait and go cannot fill the queue of a store that hangs.
func (g *group) giveUp(b *batch, i int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if slices.Contains(g.queue, b) {
		b.requests[i] = request{}
	}
}

// close commits what is queued and ends the goroutine.
func (g *group) close() {
	g.mu.Lock()
	g.closing = true
	g.work.Signal()
	g.mu.Unlock()
	<-g.stopped
}
