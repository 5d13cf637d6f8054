package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
)

// A cell is one way to send many messages.
type cell struct {
	Multi   bool `json:"multi_block"`
	Keep    bool `json:"connection_kept"`
	Senders int  `json:"senders"`
}

func (c cell) String() string {
	form, connection := "single-block", "one connection a message"
	if c.Multi {
		form = "multi-block"
	}
	if c.Keep {
		connection = "kept open"
	}
	return fmt.Sprintf("%s, %s, senders %d", form, connection, c.Senders)
}

// The targets of rates.
const (
	floorTarget = 0.7 // at least, of the floor
	smbdTarget  = 20  // at least, times smbd
)

// rates compares ours with the floors in every cell.
func (b *bench) rates(ctx context.Context, p place) (err error) {
	floor, err := b.floor(ctx, p)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, floor.stop(nil)) }()
	durable, err := b.floor(ctx, p, "-log", filepath.Join(b.dir, "floor.log"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, durable.stop(nil)) }()
	for _, multi := range []bool{false, true} {
		for _, keep := range []bool{false, true} {
			for _, senders := range b.Senders {
				c := cell{multi, keep, senders}
				b.progress("messages a second: %v", c)
				if err := b.rate(ctx, p, c, floor, durable); err != nil {
					return fmt.Errorf("%v: %w", c, err)
				}
			}
		}
	}
	return nil
}

// rate measures one cell.
func (b *bench) rate(ctx context.Context, p place, c cell, floor, durable *server) (err error) {
	ours, err := b.serve(ctx, p)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ours.end()) }()
	runs, accepted, err := b.turns(ctx, p, c, floor, durable, ours)
	if err != nil {
		return err
	}
	b.report.Rates = append(b.report.Rates, rate{
		cell: c, Floor: summarize(runs[0]), Durable: summarize(runs[1]), Ours: summarize(runs[2]),
		DurableToFloor: ratios(runs[1], runs[0]),
		OursToDurable:  ratios(runs[2], runs[1]),
		OursToFloor:    ratios(runs[2], runs[0]),
	})
	return ours.counted(ctx, accepted[2])
}

// turns puts the servers under the same load in turns and returns the rates of
// each, round by round, and the messages that each accepted. Every other round
// goes backwards, so that none is always the first or the last.
func (b *bench) turns(ctx context.Context, p place, c cell, servers ...*server) (runs [][]float64, accepted []int, err error) {
	runs, accepted = make([][]float64, len(servers)), make([]int, len(servers))
	for round := range b.Rounds {
		for i := range servers {
			if round%2 == 1 {
				i = len(servers) - 1 - i
			}
			r, err := b.load(ctx, p, load{
				Addr: servers[i].addr, Called: p.name, Multi: c.Multi, Keep: c.Keep, Senders: c.Senders, slice: b.Slice,
			})
			if err != nil {
				return nil, nil, err
			}
			runs[i] = append(runs[i], r.Rate)
			accepted[i] += r.Accepted
		}
	}
	return runs, accepted, nil
}
