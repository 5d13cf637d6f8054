package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/messngr/messngr/internal/api"
)

// The target of calls.
const callTarget = 0.5 // at least, of the floor

// A callMode is a way to call NetrSendMessage.
type callMode string

const (
	askedBack callMode = "asked back" // each call is the first of its caller: two round trips
	known     callMode = "known"      // all calls but the first of a caller: one
	oneWay    callMode = "one-way"    // idempotent calls, whose messages are quarantined: one
)

// A callRate is a cell of calls of NetrSendMessage a second.
type callRate struct {
	Mode           callMode `json:"mode"`
	Callers        int      `json:"callers"`
	Floor          summary  `json:"floor"`
	Durable        summary  `json:"durable_floor"`
	Ours           summary  `json:"ours"`
	DurableToFloor summary  `json:"durable_floor_to_floor"`
	OursToDurable  summary  `json:"ours_to_durable_floor"`
	OursToFloor    summary  `json:"ours_to_floor"`
}

// calls measures NetrSendMessage. It needs no privilege: nothing but the RPC door
// is open, at free ports of the loopback.
func (b *bench) calls(ctx context.Context) (err error) {
	p := place{command: exec.CommandContext, name: "BENCH", config: filepath.Join(b.dir, "calls.toml")}
	var ports [2]int
	for i := range ports {
		free, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return err
		}
		defer free.Close()
		ports[i] = free.LocalAddr().(*net.UDPAddr).Port
		free.Close()
	}
	p.addr = fmt.Sprintf("127.0.0.1:%d", ports[1])
	config := fmt.Sprintf("[smb]\nlisten = []\n[mailslot]\nlisten = []\n[names]\nlisten = ''\n"+
		"[rpc]\nenabled = true\none_way = 'quarantine'\nquarantine_per_day = 1000000000\nlisten = '127.0.0.1:%d'\nport = %d\n", ports[0], ports[1])
	if err := os.WriteFile(p.config, []byte(config), 0o600); err != nil {
		return err
	}
	floor, err := b.floor(ctx, p, "calls")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, floor.stop(nil)) }()
	durable, err := b.floor(ctx, p, "calls", "-log", filepath.Join(b.dir, "calls.log"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, durable.stop(nil)) }()
	for _, mode := range []callMode{askedBack, known, oneWay} {
		for _, callers := range b.Senders {
			b.progress("calls a second: %s, callers %d", mode, callers)
			if err := b.callRate(ctx, p, callLoad{Mode: mode, Callers: callers, slice: b.Slice}, floor, durable); err != nil {
				return fmt.Errorf("calls, %s, callers %d: %w", mode, callers, err)
			}
		}
	}
	return nil
}

// callRate measures one cell, all servers in turns.
func (b *bench) callRate(ctx context.Context, p place, l callLoad, floor, durable *server) (err error) {
	ours, err := b.serve(ctx, p)
	if err != nil {
		return err
	}
	defer func() {
		ended := ours.end()
		if err != nil {
			ended = errors.Join(ended, fmt.Errorf("messngr serve said: %s", ours.stderr))
		}
		err = errors.Join(err, ended)
	}()
	var runs [3][]float64
	sent := 0
	for round := range b.Rounds {
		for i := range runs {
			if round%2 == 1 {
				i = len(runs) - 1 - i
			}
			s := []*server{floor, durable, ours}[i]
			l.Addr, l.Floor, l.First = s.addr, s != ours, sent
			r, err := b.call(ctx, p, l)
			if err != nil {
				return err
			}
			runs[i] = append(runs[i], r.Rate)
			if s == ours {
				sent += r.Accepted
			}
		}
	}
	b.report.Calls = append(b.report.Calls, callRate{
		Mode: l.Mode, Callers: l.Callers,
		Floor: summarize(runs[0]), Durable: summarize(runs[1]), Ours: summarize(runs[2]),
		DurableToFloor: ratios(runs[1], runs[0]),
		OursToDurable:  ratios(runs[2], runs[1]),
		OursToFloor:    ratios(runs[2], runs[0]),
	})
	return ours.stored(ctx, l.Mode, sent)
}

// call runs a calling process to its end.
func (b *bench) call(ctx context.Context, p place, l callLoad) (loaded, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute+l.For)
	defer cancel()
	cmd := p.command(ctx, b.self, l.args()...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return loaded{}, fmt.Errorf("%w: %s", err, &stderr)
	}
	var r loaded
	return r, json.Unmarshal(stdout.Bytes(), &r)
}

// stored compares what messngr serve has counted with what was answered.
func (s *server) stored(ctx context.Context, mode callMode, sent int) error {
	st, err := api.NewClient(s.data).Status(ctx)
	if err != nil {
		return err
	}
	counter := "messages"
	if mode == oneWay {
		counter = "quarantined"
	}
	if got := st.Listeners[0].Counters[counter]; int(got) != sent {
		return fmt.Errorf("messngr serve has %d messages, %d calls were answered", got, sent)
	}
	return nil
}

// writeCalls writes the report for people.
func (r *report) writeCalls(b *strings.Builder) {
	fmt.Fprintf(b, "\nCalls of NetrSendMessage a second, durable; target: %.1f of the floor.\n"+
		"The floor echoes as many packets. The durable floor syncs before the last one: where it\n"+
		"is below %.1[1]f of the floor itself, the disk alone misses the target.\n\n", callTarget)
	t := table{right: 1}
	t.row("caller", "callers", "floor", "durable", "ours", "durable/floor", "ours/durable", "ours/floor", "(min to max)", "")
	for _, c := range r.Calls {
		verdict := atLeast(c.OursToFloor.Median, callTarget)
		if verdict == missed && c.DurableToFloor.Median < callTarget {
			verdict += ", so does the disk"
		}
		t.row(string(c.Mode), fmt.Sprint(c.Callers), number(c.Floor.Median), number(c.Durable.Median), number(c.Ours.Median),
			ratio(c.DurableToFloor.Median), ratio(c.OursToDurable.Median), ratio(c.OursToFloor.Median), spread(c.OursToFloor), verdict)
	}
	t.write(b)
}
