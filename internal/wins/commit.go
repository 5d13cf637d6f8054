package wins

import (
	"context"
	"fmt"
	"time"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/netbios/nbns"
)

// maxBatch is the number of changes that go to the store together at most.
const maxBatch = 512

// After a commit of several changes the next one waits for as many, because who
// has an answer often has more to ask: patience times as long as the last one
// took, at most, and never longer than maxPatience. A sync costs as much as
// hundreds of answers.
const (
	patience    = 4
	maxPatience = 2 * time.Millisecond
)

// A change is a name's new entry, on its way to the store. While it is, the
// name is as it was, and other changes of it have to come again.
type change struct {
	claim                  // whose key it is, and who gets the answer
	entry                  // what the name becomes
	count counter          // what it is, if it succeeds
	isNew bool             // there is nothing to replace
	gone  bool             // the name is to be forgotten; nobody gets an answer
	after func(now uint32) // called when it is done, whatever became of it
}

// change queues a change, or refuses it. There is a reply only if it does.
func (s *Server) change(c claim, o outcome) (reply nbns.Packet, ok bool) {
	old, there := s.table.get(c.key)
	switch moved := !there || old.source != o.entry.source; {
	case len(s.pending) >= s.cfg.MaxPending:
		s.counters.add(busy)
		return nbns.Packet{}, false
	case !there && s.names >= s.cfg.MaxNames:
		s.counters.add(full)
		return c.negative(nbns.ServerFailure), true
	case moved && int(s.bySource[o.entry.source]) >= s.cfg.MaxPerSource:
		s.counters.add(fullSource)
		return c.negative(nbns.ServerFailure), true
	}
	c.keep()
	s.enqueue(&change{claim: c, entry: o.entry, count: o.count, isNew: !there})
	return nbns.Packet{}, false
}

// enqueue puts a change into the queue. A new name counts from now on.
func (s *Server) enqueue(ch *change) {
	if !ch.gone {
		s.bySource[ch.entry.source]++
		if ch.isNew {
			s.names++
		}
	}
	s.pending[ch.key] = ch
	s.queue = append(s.queue, ch)
	s.wakeUp()
}

// wakeUp has commit look at the queue, if it is worth a commit.
func (s *Server) wakeUp() {
	if len(s.queue) == 0 || len(s.queue) < s.company {
		return
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// expectNone ends the wait for company.
func (s *Server) expectNone() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.company = 1
	s.wakeUp()
}

// commit takes changes from the queue to the store, to the table and to those
// who wait for them, until ctx is done.
func (s *Server) commit(ctx context.Context) {
	enough := time.AfterFunc(0, s.expectNone)
	defer enough.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		}
		for batch := s.take(); len(batch) > 0 && ctx.Err() == nil; batch = s.take() {
			begin := time.Now()
			err := s.keep(ctx, batch)
			if ctx.Err() != nil {
				return
			}
			took := time.Since(begin)
			s.settle(batch, err)
			enough.Reset(min(patience*took, maxPatience))
		}
	}
}

// take returns the oldest changes of the queue; none if more are waited for.
func (s *Server) take() []*change {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) < s.company {
		return nil
	}
	n := min(len(s.queue), maxBatch)
	batch := s.queue[:n:n]
	s.queue = s.queue[n:]
	return batch
}

// keep makes a batch durable, all of it or, when it returns an error, nothing
// that anybody has been promised.
func (s *Server) keep(ctx context.Context, batch []*change) error {
	var records []messngr.NameRecord
	var gone []messngr.NameKey
	for _, ch := range batch {
		if ch.gone {
			gone = append(gone, messngr.NameKey{Name: ch.name, Scope: string(ch.scope)})
		} else {
			records = append(records, toRecord(ch.key, ch.entry, true))
		}
	}
	if len(gone) > 0 {
		if err := s.cfg.Store.DeleteRecords(ctx, gone...); err != nil {
			return fmt.Errorf("forget names: %w", err)
		}
	}
	if len(records) > 0 {
		if err := s.cfg.Store.PutRecords(ctx, records...); err != nil {
			return fmt.Errorf("keep names: %w", err)
		}
	}
	return nil
}

// settle puts a batch into the table, unless the store failed, and answers.
func (s *Server) settle(batch []*change, failure error) {
	replies := make([]nbns.Packet, len(batch))
	now := seconds(time.Now())
	s.mu.Lock()
	for i, ch := range batch {
		delete(s.pending, ch.key)
		if failure == nil {
			s.apply(ch)
		} else if !ch.gone {
			s.takeBack(ch)
		}
		replies[i] = ch.reply(failure)
	}
	s.report(failure)
	about := len(batch) + len(s.queue)
	s.company = min(about-about/10, maxBatch) // most of them
	s.mu.Unlock()

	for i, ch := range batch {
		if !ch.gone {
			s.cfg.Send(replies[i], ch.from)
		}
		if ch.after != nil {
			ch.after(now)
		}
	}
}

// apply puts a change into the table.
func (s *Server) apply(ch *change) {
	s.counters.add(ch.count)
	if old, there := s.table.get(ch.key); there {
		s.forgetSource(old.source)
	}
	if ch.gone {
		s.names--
		s.table.delete(ch.key)
		return
	}
	s.table.put(ch.key, ch.entry)
}

// takeBack uncounts what enqueue has counted.
func (s *Server) takeBack(ch *change) {
	s.counters.add(storeFailed)
	s.forgetSource(ch.entry.source)
	if ch.isNew {
		s.names--
	}
}

func (s *Server) forgetSource(source [4]byte) {
	if s.bySource[source]--; s.bySource[source] <= 0 {
		delete(s.bySource, source)
	}
}

// reply returns the answer to who asked for the change.
func (ch *change) reply(failure error) nbns.Packet {
	code := nbns.Success
	if failure != nil {
		code = nbns.ServerFailure
	}
	switch {
	case ch.request.Opcode == nbns.Release:
		return nbns.ReleaseResponse(ch.request, code)
	case failure != nil:
		return ch.negative(code)
	}
	return ch.positive()
}

// report logs when the store begins to fail, and when it works again.
func (s *Server) report(failure error) {
	switch {
	case failure != nil && !s.failing:
		s.cfg.Log.Error("the name server cannot keep names, and refuses them until it can", "error", failure)
	case failure == nil && s.failing:
		s.cfg.Log.Info("the name server keeps names again")
	}
	s.failing = failure != nil
}
