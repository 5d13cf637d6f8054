package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/messngr/messngr/internal/api"
)

// A castLatency is the time from a datagram to a subscriber, at one rate: of
// the floor, which makes the packet durable and hands it on, and of ours.
type castLatency struct {
	Rate  float64 `json:"rate"` // datagrams a second
	Floor ages    `json:"floor"`
	Ours  ages    `json:"ours"`
	P50   summary `json:"p50_ours_to_floor"` // of neighbours in time
	P99   summary `json:"p99_ours_to_floor"`
}

// Ages are those that messages had when a subscriber got them, in microseconds.
type ages struct {
	P50 summary `json:"p50_us"`
	P99 summary `json:"p99_us"`
}

// latencyRates are the loads under which latency is measured: none, and much.
var latencyRates = []int{50, 10_000}

// castLatency measures one rate.
func (b *bench) castLatency(ctx context.Context, p place, rate int, size castSize) (l castLatency, err error) {
	var p50, p99 [2][]float64
	for range size.rounds {
		for i, measure := range []func(context.Context, place, int, castSize) ([]float64, float64, error){b.floorAges, b.ourAges} {
			all, sent, err := measure(ctx, p, rate, size)
			if err != nil {
				return l, err
			}
			l.Rate = sent
			at := func(part float64) float64 { return all[int(part*float64(len(all)-1))] }
			p50[i], p99[i] = append(p50[i], at(0.5)), append(p99[i], at(0.99))
		}
	}
	l.Floor, l.Ours = ages{summarize(p50[0]), summarize(p99[0])}, ages{summarize(p50[1]), summarize(p99[1])}
	l.P50, l.P99 = ratios(p50[1], p50[0]), ratios(p99[1], p99[0])
	return l, nil
}

// ourAges subscribes to ours.
func (b *bench) ourAges(ctx context.Context, p place, rate int, size castSize) (all []float64, sent float64, err error) {
	s, err := b.serve(ctx, p)
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, s.end()) }()
	load := castLoad{Addr: mailslotAddr, To: p.name, Rate: rate, For: size.watch}
	return b.castAges(ctx, p, load, func(ctx context.Context, got func(stamp string) error) error {
		return api.NewClient(s.data).Messages(ctx, api.Query{Last: 0, Watch: true}, func(m api.Message) error {
			stamp, _, _ := strings.Cut(m.Text, " ")
			return got(stamp)
		})
	})
}

// floorAges subscribes to the floor.
func (b *bench) floorAges(ctx context.Context, p place, rate int, size castSize) (all []float64, sent float64, err error) {
	socket := filepath.Join(b.dir, "floor.sock")
	floor, err := b.floor(ctx, p, "datagrams", "-log", filepath.Join(b.dir, "floor.log"), "-socket", socket)
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, floor.stop(nil)) }()
	load := castLoad{Addr: floor.addr, To: "FLOOR", Rate: rate, For: size.watch}
	packet, at, err := load.packet()
	if err != nil {
		return nil, 0, err
	}
	return b.castAges(ctx, p, load, func(ctx context.Context, got func(stamp string) error) error {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			return err
		}
		stop := context.AfterFunc(ctx, func() { conn.Close() })
		defer stop()
		for {
			if _, err := io.ReadFull(conn, packet); err != nil {
				return err
			}
			if err := got(string(packet[at : at+stampSize])); err != nil {
				return err
			}
		}
	})
}

// castAges sends while somebody subscribes, and returns how old each datagram
// was when it came, the youngest first, and how many a second were sent.
func (b *bench) castAges(ctx context.Context, p place, load castLoad, subscribe func(context.Context, func(stamp string) error) error) (all []float64, sent float64, err error) {
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	var mu sync.Mutex
	ended := make(chan error, 1)
	go func() {
		ended <- subscribe(watching, func(stamp string) error {
			sent, err := strconv.ParseInt(stamp, 10, 64)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, float64(time.Now().UnixNano()-sent)/1000)
			return nil
		})
	}()
	time.Sleep(100 * time.Millisecond) // the subscription
	c, err := b.cast(ctx, p, load)
	if err != nil {
		return nil, 0, err
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		mu.Lock()
		n := len(all)
		mu.Unlock()
		if n == c.Sent {
			break
		}
		if time.Now().After(deadline) {
			return nil, 0, fmt.Errorf("the subscriber got %d of %d messages", n, c.Sent)
		}
	}
	cancel()
	<-ended // an error would have kept messages away
	slices.Sort(all)
	return all, c.Rate, nil
}

// writeLatency writes latencies for people.
func writeLatency(b *strings.Builder, all []castLatency) {
	fmt.Fprintf(b, "\nMicroseconds from a datagram to a subscriber, durable before; the floor syncs and\nhands on, and does nothing else.\n\n")
	t := table{}
	t.row("datagrams a second", "", "floor", "ours", "ours/floor", "(min to max)")
	for _, l := range all {
		t.row(number(l.Rate), "half within", number(l.Floor.P50.Median), number(l.Ours.P50.Median), ratio(l.P50.Median), spread(l.P50))
		t.row("", "99 of 100 within", number(l.Floor.P99.Median), number(l.Ours.P99.Median), ratio(l.P99.Median), spread(l.P99))
	}
	t.write(b)
}
