package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"
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
	runs, err := b.turns(ctx, p, c, floor, durable, ours)
	if err != nil {
		return err
	}
	b.report.Rates = append(b.report.Rates, rate{
		cell: c, Floor: summarize(runs[0].rate), Durable: summarize(runs[1].rate), Ours: summarize(runs[2].rate),
		DurableToFloor: ratios(runs[1].rate, runs[0].rate),
		OursToDurable:  ratios(runs[2].rate, runs[1].rate),
		OursToFloor:    ratios(runs[2].rate, runs[0].rate),
		FloorCPU:       runs[0].cpuEach(), DurableCPU: runs[1].cpuEach(), OursCPU: runs[2].cpuEach(),
	})
	return ours.counted(ctx, runs[2].accepted)
}

// A tally is what came of all turns of a server.
type tally struct {
	rate     []float64 // of each round
	accepted int
	cpu      time.Duration // of the server
}

// cpuEach returns the server's processor time for a message, in microseconds.
func (r tally) cpuEach() float64 { return float64(r.cpu.Microseconds()) / float64(r.accepted) }

// turns puts the servers under the same load in turns. Every other round goes
// backwards, so that none is always the first or the last.
func (b *bench) turns(ctx context.Context, p place, c cell, servers ...*server) ([]tally, error) {
	runs := make([]tally, len(servers))
	for round := range b.Rounds {
		for i := range servers {
			if round%2 == 1 {
				i = len(servers) - 1 - i
			}
			s, r := servers[i], &runs[i]
			before, err := cpuTime(s.cmd.Process.Pid)
			if err != nil {
				return nil, err
			}
			took, err := b.load(ctx, p, load{
				Addr: s.addr, Called: p.name, Multi: c.Multi, Keep: c.Keep, Senders: c.Senders, slice: b.Slice,
			})
			if err != nil {
				return nil, err
			}
			after, err := cpuTime(s.cmd.Process.Pid)
			if err != nil {
				return nil, err
			}
			r.rate = append(r.rate, took.Rate)
			r.accepted += took.Accepted
			r.cpu += after - before
		}
	}
	return runs, nil
}
