package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/messngr/messngr/internal/api"
)

// The target of datagrams.
const datagramTarget = 0.5 // at least, of the floor

// A datagramsReport is what was measured of messages in datagrams.
type datagramsReport struct {
	Floor       summary       `json:"floor"`         // datagrams a second that a receiver counts without losing one
	Ours        summary       `json:"ours"`          // and that messngr makes durable
	OursToFloor summary       `json:"ours_to_floor"` // of neighbours in time
	Overload    overload      `json:"overload"`
	Latency     []castLatency `json:"latency"`
}

// An overload is what came of twice as many datagrams as can be stored.
type overload struct {
	Sent    int `json:"sent"`
	Stored  int `json:"stored"`
	Refused int `json:"refused"` // and counted: too many waited
	Lost    int `json:"lost"`    // at the socket, and counted
	Missing int `json:"missing"` // neither
}

// datagrams measures messages in datagrams.
func (b *bench) datagrams(ctx context.Context, p place) (err error) {
	b.progress("datagrams a second: the floor and messngr")
	size := b.datagramsSize()
	r := new(datagramsReport)
	var runs [2][]float64
	for range size.rounds {
		for i, best := range []func(context.Context, place, castSize) (float64, error){b.floorCasts, b.ourCasts} {
			rate, err := best(ctx, p, size)
			if err != nil {
				return err
			}
			runs[i] = append(runs[i], rate)
		}
	}
	r.Floor, r.Ours, r.OursToFloor = summarize(runs[0]), summarize(runs[1]), ratios(runs[1], runs[0])
	b.progress("datagrams: messngr, twice as many as it can store")
	if r.Overload, err = b.overload(ctx, p, 2*int(r.Ours.Median), size); err != nil {
		return err
	}
	for _, rate := range latencyRates {
		b.progress("datagrams: time to a subscriber, %d a second, of the floor and of messngr", rate)
		l, err := b.castLatency(ctx, p, rate, size)
		if err != nil {
			return err
		}
		r.Latency = append(r.Latency, l)
	}
	b.report.Datagrams = r
	return nil
}

// A castSize says how much is measured.
type castSize struct {
	rounds int
	slice  time.Duration // of one rate
	from   int           // the first rate
	steps  int           // how often it is raised, at most
	watch  time.Duration // of one latency
}

func (b *bench) datagramsSize() castSize {
	if b.Quick {
		return castSize{rounds: 1, slice: 50 * time.Millisecond, from: 1000, steps: 8, watch: 100 * time.Millisecond}
	}
	return castSize{rounds: 3, slice: time.Second, from: 100_000, steps: 16, watch: 2 * time.Second}
}

// highest looks for the highest rate at which nothing is lost: down from the
// first one until all arrives, and up from there in smaller steps, until
// something is lost or the sender has no more to give.
func highest(size castSize, try func(rate int) (casted, bool, error)) (best float64, err error) {
	const down, up = 0.7, 1.1
	rate, tooMuch := float64(size.from), math.Inf(1)
	for range size.steps {
		c, whole, err := try(int(rate))
		switch {
		case err != nil:
			return 0, err
		case whole:
			best = max(best, c.Rate)
		case best == 0:
			rate, tooMuch = rate*down, rate
			continue
		}
		if !whole || c.Rate < 0.9*rate || rate*up >= tooMuch {
			break
		}
		rate *= up
	}
	if best == 0 {
		return 0, errors.New("at every rate some datagrams were lost")
	}
	return best, nil
}

// floorCasts returns the highest rate at which the floor counts all.
func (b *bench) floorCasts(ctx context.Context, p place, size castSize) (rate float64, err error) {
	floor, err := b.floor(ctx, p, "datagrams")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, floor.stop(nil)) }()
	return highest(size, func(rate int) (casted, bool, error) {
		c, err := b.cast(ctx, p, castLoad{Addr: floor.addr, Rate: rate, For: size.slice, Ask: true})
		return c, c.Counted == c.Sent, err
	})
}

// mailslotAddr is where ours listens.
const mailslotAddr = "127.0.0.1:138"

// ourCasts returns the highest rate at which ours makes all durable.
func (b *bench) ourCasts(ctx context.Context, p place, size castSize) (rate float64, err error) {
	s, err := b.serve(ctx, p)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.end()) }()
	return highest(size, func(rate int) (casted, bool, error) {
		before, err := s.casts(ctx)
		if err != nil {
			return casted{}, false, err
		}
		c, err := b.cast(ctx, p, castLoad{Addr: mailslotAddr, To: p.name, Rate: rate, For: size.slice})
		if err != nil {
			return c, false, err
		}
		o, err := s.settled(ctx, before, c.Sent)
		return c, o.Stored == c.Sent, err
	})
}

// casts returns what ours has counted so far.
func (s *server) casts(ctx context.Context) (overload, error) {
	st, err := api.NewClient(s.data).Status(ctx)
	if err != nil {
		return overload{}, err
	}
	i := slices.IndexFunc(st.Listeners, func(l api.Listener) bool { return l.Name == "mailslot" })
	if i < 0 || !st.Listeners[i].Open {
		return overload{}, errors.New("messngr serve does not take datagrams")
	}
	n := st.Listeners[i].Counters
	return overload{Stored: int(n["messages"]), Refused: int(n["no_room"]), Lost: int(n["lost_at_socket"])}, nil
}

// settled waits until all that was sent has been counted, and returns what
// became of it.
func (s *server) settled(ctx context.Context, before overload, sent int) (overload, error) {
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		now, err := s.casts(ctx)
		if err != nil {
			return overload{}, err
		}
		o := overload{Sent: sent, Stored: now.Stored - before.Stored, Refused: now.Refused - before.Refused, Lost: now.Lost - before.Lost}
		o.Missing = sent - o.Stored - o.Refused - o.Lost
		if o.Missing == 0 || time.Now().After(deadline) {
			return o, nil
		}
	}
}

// overload sends more than can be stored.
func (b *bench) overload(ctx context.Context, p place, rate int, size castSize) (o overload, err error) {
	s, err := b.serve(ctx, p)
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, s.end()) }()
	c, err := b.cast(ctx, p, castLoad{Addr: mailslotAddr, To: p.name, Rate: rate, For: 2 * size.slice})
	if err != nil {
		return o, err
	}
	return s.settled(ctx, overload{}, c.Sent)
}

// write writes the report for people.
func (r *datagramsReport) write(b *strings.Builder) {
	fmt.Fprintf(b, "\nDatagrams a second without losing one: counted by the floor, and made durable by ours; target: %.1f of the floor.\n\n", datagramTarget)
	t := table{}
	t.row("floor", "ours", "ours/floor", "(min to max)", "")
	t.row(number(r.Floor.Median), number(r.Ours.Median), ratio(r.OursToFloor.Median), spread(r.OursToFloor), atLeast(r.OursToFloor.Median, datagramTarget))
	t.write(b)
	o := r.Overload
	fmt.Fprintf(b, "\nTwice as many as that: what is refused is counted, and nothing else is missing.\n\n")
	t = table{}
	t.row("sent", "stored", "refused", "lost at the socket", "missing", "")
	t.row(fmt.Sprint(o.Sent), fmt.Sprint(o.Stored), fmt.Sprint(o.Refused), fmt.Sprint(o.Lost), fmt.Sprint(o.Missing), atMost(float64(o.Missing), 0))
	t.write(b)
	writeLatency(b, r.Latency)
}
