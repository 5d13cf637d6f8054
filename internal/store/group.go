package store

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/messngr/messngr"
)

// maxBatch is the number of requests that share one commit at most: enough to
// make the price of the sync invisible, few enough that the first of them does
// not wait for long.
const maxBatch = 512

// A batch waits for company patience times as long as the last commit took, at
// most, and never longer than maxPatience.
const (
	patience    = 4
	maxPatience = 2 * time.Millisecond
)

// A request is messages, receipts or something else that somebody wants to see
// durable. One that was given up before its commit is zero.
type request struct {
	messages []*messngr.Message
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
// committed, the next one gathers.
//
// Who has an answer often has more to send. If the first to be back got a commit
// of its own, all others would wait for its end, and then for that of the one
// that they share: twice the syncs, with nothing to do meanwhile. So a batch
// waits for most of those who were about at the last commit, though not for
// long; who was alone then waits for nobody.
type group struct {
	commit func([]request) // makes a batch durable, or fills in err
	settle func()          // what can wait until the senders have their answer

	mu      sync.Mutex
	work    sync.Cond // a batch is ready, or closing became true
	queue   []*batch
	want    int         // requests that make a batch ready
	enough  *time.Timer // ends the wait for more than one
	closing bool
	stopped chan struct{}
}

// newGroup starts the one goroutine that calls commit and settle.
func newGroup(commit func([]request), settle func()) *group {
	g := &group{commit: commit, settle: settle, stopped: make(chan struct{})}
	g.work.L = &g.mu
	g.enough = time.AfterFunc(0, g.expectNone)
	go g.run()
	return g
}

func (g *group) run() {
	defer close(g.stopped)
	for b := g.next(); b != nil; b = g.next() {
		begin := time.Now()
		g.commit(b.requests)
		g.expect(b, time.Since(begin))
		close(b.done)
		runtime.Gosched() // who has its answer goes first
		g.settle()
	}
}

// expect makes the next batch wait for most of those who are about: those of
// the batch that has just been committed, and those who came meanwhile.
func (g *group) expect(committed *batch, took time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := len(committed.requests)
	for _, b := range g.queue {
		n += len(b.requests)
	}
	g.want = min(n-n/10, maxBatch)
	if !g.ready() {
		g.enough.Reset(min(patience*took, maxPatience))
	}
}

// expectNone ends the wait of the next batch.
func (g *group) expectNone() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.want = 1
	g.work.Signal()
}

// ready reports whether a batch is queued and waits for no more requests.
func (g *group) ready() bool {
	return len(g.queue) > 0 && (len(g.queue[0].requests) >= g.want || g.closing)
}

// next waits for a batch; nil says that there will be none.
func (g *group) next() *batch {
	g.mu.Lock()
	defer g.mu.Unlock()
	for !g.ready() {
		if g.closing {
			return nil
		}
		g.work.Wait()
	}
	g.enough.Stop()
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
	}
	b.requests = append(b.requests, r)
	if g.ready() {
		g.work.Signal()
	}
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
