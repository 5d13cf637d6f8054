package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
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

// A castLatency is the time from a datagram to a subscriber of the service, in
// microseconds.
type castLatency struct {
	Rate float64 `json:"rate"` // datagrams a second
	P50  float64 `json:"p50_us"`
	P99  float64 `json:"p99_us"`
}

// latencyRates are the loads under which latency is measured: none, and much.
var latencyRates = []int{50, 10_000}

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
		b.progress("datagrams: time to a subscriber, %d a second", rate)
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
	return castSize{rounds: 3, slice: time.Second, from: 100_000, steps: 16, watch: 3 * time.Second}
}

// highest raises the rate until something is lost, or until the sender has no
// more to give, and returns the last that went well. If already the first is too
// much it goes down.
func highest(size castSize, try func(rate int) (casted, bool, error)) (best float64, err error) {
	factor := 1.15
	for rate, step := float64(size.from), 0; step < size.steps; rate, step = rate*factor, step+1 {
		c, whole, err := try(int(rate))
		switch {
		case err != nil:
			return 0, err
		case !whole && step == 0:
			factor = 0.7
			continue
		case !whole && factor > 1:
			return best, nil
		case !whole:
			continue
		}
		best = max(best, c.Rate)
		if factor < 1 || c.Rate < 0.9*rate { // it is the sender's limit
			break
		}
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

// castLatency subscribes, and looks how old each message is when it comes.
func (b *bench) castLatency(ctx context.Context, p place, rate int, size castSize) (l castLatency, err error) {
	s, err := b.serve(ctx, p)
	if err != nil {
		return l, err
	}
	defer func() { err = errors.Join(err, s.end()) }()
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	var mu sync.Mutex
	var ages []float64
	ended := make(chan error, 1)
	go func() {
		ended <- api.NewClient(s.data).Messages(watching, api.Query{Last: 0, Watch: true}, func(m api.Message) error {
			stamp, _, _ := strings.Cut(m.Text, " ")
			sent, err := strconv.ParseInt(stamp, 10, 64)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			ages = append(ages, float64(time.Now().UnixNano()-sent)/1000)
			return nil
		})
	}()
	time.Sleep(100 * time.Millisecond) // the subscription
	c, err := b.cast(ctx, p, castLoad{Addr: mailslotAddr, To: p.name, Rate: rate, For: size.watch})
	if err != nil {
		return l, err
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		mu.Lock()
		n := len(ages)
		mu.Unlock()
		if n == c.Sent {
			break
		}
		if time.Now().After(deadline) {
			return l, fmt.Errorf("the subscriber got %d of %d messages", n, c.Sent)
		}
	}
	cancel()
	if err := <-ended; err != nil && ctx.Err() == nil && !errors.Is(err, context.Canceled) {
		return l, err
	}
	slices.Sort(ages)
	at := func(part float64) float64 { return ages[int(part*float64(len(ages)-1))] }
	return castLatency{Rate: c.Rate, P50: at(0.5), P99: at(0.99)}, nil
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
	fmt.Fprintf(b, "\nMicroseconds from a datagram to a subscriber, durable before.\n\n")
	t = table{}
	t.row("datagrams a second", "half within", "99 of 100 within")
	for _, l := range r.Latency {
		t.row(number(l.Rate), number(l.P50), number(l.P99))
	}
	t.write(b)
}
