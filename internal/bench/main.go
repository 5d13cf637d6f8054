// Command bench measures Messngr against real peers and against the floor of
// the machine, all in one run, and prints the ratios with their targets.
//
// Rates on a busy machine say little, ratios of neighbours in time say more:
// what is compared runs in turns, a fraction of a second each, and the ratio of
// a pair is the median over all rounds.
//
// The load comes from a process of its own (load.go) and goes over loopback to
// one of:
//
//   - the floor (floor.go): a server that reads session packets, answers each
//     with fixed bytes and keeps nothing. Nobody can be faster with these round
//     trips on this machine.
//   - the durable floor: the same server, but before it accepts a message it
//     writes it to a file and syncs that, one sync for all messages that wait.
//     Nobody who keeps a promise can be faster on this disk.
//   - ours (ours.go): messngr serve as it is shipped, with its default
//     configuration.
//   - smbd with a "message command" (lan_linux.go).
//
// As root on Linux, each server is on a host of its own, a network namespace.
// Elsewhere ours listens on another port than 139, and what needs root is left
// out and said.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"
)

// Options say how long the bench measures.
type options struct {
	Dir   string // of its data: on a real disk
	JSON  string // a file for the report
	Quick bool
	Parts []string // what to measure, of partNames; none: all

	Senders  []int
	Rounds   int    // of every comparison of rates
	Slice    slice  // of one server in one round
	SMBD     slice  // the same for smbd, which is slow
	Sends    int    // processes of each kind that send one message
	Messages int    // before memory is measured
	GoBench  string // go test -benchtime
}

// partNames are the parts of the bench, in the order in which they are measured.
const partNames = "datagrams sessions memory smbd sends calls packages names"

// wants reports whether one of some parts is measured.
func (o *options) wants(parts ...string) bool {
	return len(o.Parts) == 0 || slices.ContainsFunc(parts, func(p string) bool { return slices.Contains(o.Parts, p) })
}

func (o *options) set() {
	o.Senders = []int{1, 8, 64}
	o.Rounds, o.Slice, o.SMBD = 7, slice{For: 500 * time.Millisecond}, slice{For: 2 * time.Second}
	o.Sends, o.Messages, o.GoBench = 30, 100_000, "100ms"
	if o.Quick {
		o.Rounds, o.Slice, o.SMBD = 1, slice{N: 128}, slice{N: 16}
		o.Sends, o.Messages, o.GoBench = 2, 1000, "1x"
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run is the program: the bench, or one of the processes that it starts.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case "load":
			return loadMain(args[1:], stdout)
		case "ask":
			return askMain(args[1:], stdout)
		case "cast":
			return castMain(args[1:], stdout)
		case "call":
			return callMain(args[1:], stdout)
		case "floor":
			return floorMain(args[1:], os.Stdin, stdout)
		}
	}
	var o options
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.Dir, "dir", "", "measure with data in a new directory in `DIR`, which must be on a real disk (default /var/tmp)")
	f.StringVar(&o.JSON, "json", "", "write the report to `FILE` too")
	f.BoolVar(&o.Quick, "quick", false, "go through everything once, too quickly for numbers that mean anything")
	f.Usage = func() {
		fmt.Fprintf(stderr, "Usage: bench [FLAG...] [PART...]\nThe parts are %s; without any all are measured.\n", partNames)
		f.PrintDefaults()
	}
	if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	for _, part := range f.Args() {
		if !slices.Contains(strings.Fields(partNames), part) {
			return fmt.Errorf("%q is no part of the bench; the parts are %s", part, partNames)
		}
	}
	o.Parts = f.Args()
	o.set()
	return o.run(ctx, stdout, stderr)
}

// run measures, and writes the report.
func (o options) run(ctx context.Context, stdout, stderr io.Writer) error {
	r, err := measure(ctx, o, stderr)
	if err != nil {
		return err
	}
	if err := r.write(stdout); err != nil {
		return err
	}
	if o.JSON != "" {
		return r.writeJSON(o.JSON)
	}
	return nil
}

// A bench is a run of all measurements.
type bench struct {
	options
	dir     string // where everything is
	program string // messngr
	self    string
	said    io.Writer
	began   time.Time
	report  *report
}

// measure measures everything that can be measured here.
func measure(ctx context.Context, o options, said io.Writer) (r *report, err error) {
	b := &bench{options: o, said: said, began: time.Now(), report: &report{Quick: o.Quick}}
	if b.self, err = os.Executable(); err != nil {
		return nil, err
	}
	if b.dir, err = dataDir(o.Dir); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if err := b.build(ctx); err != nil {
		return nil, err
	}
	if err := b.report.describe(b); err != nil {
		return nil, err
	}
	if err := b.onHosts(ctx); err != nil {
		return nil, err
	}
	if b.wants("calls") {
		if err := b.calls(ctx); err != nil {
			return nil, err
		}
	}
	if b.wants("packages") {
		if err := b.goBenchmarks(ctx); err != nil {
			return nil, err
		}
	}
	if b.wants("names") {
		if err := b.names(ctx); errors.Is(err, errLeftOut) {
			b.report.LeftOut = append(b.report.LeftOut, "the name service: "+err.Error())
		} else if err != nil {
			return nil, err
		}
	}
	b.report.Took = time.Since(b.began).Round(time.Second).String()
	return b.report, nil
}

// onHosts measures messages: on a LAN, or what can be without one.
func (b *bench) onHosts(ctx context.Context) error {
	if !b.wants("datagrams", "sessions", "memory", "smbd", "sends") {
		return nil
	}
	err := b.onLAN(ctx)
	if !errors.Is(err, errLeftOut) {
		return err
	}
	b.report.LeftOut = append(b.report.LeftOut, err.Error())
	return b.onLoopback(ctx)
}

// errLeftOut is wrapped by what cannot be measured here.
var errLeftOut = errors.New("left out")

// onLoopback measures what can be measured without a LAN.
func (b *bench) onLoopback(ctx context.Context) error {
	p, err := b.loopback()
	if err != nil {
		return err
	}
	if b.wants("sessions") {
		if err := b.rates(ctx, p); err != nil {
			return err
		}
	}
	if !b.wants("memory") {
		return nil
	}
	return b.memory(ctx, p)
}

// progress says what is being done, for those who wait.
func (b *bench) progress(format string, args ...any) {
	fmt.Fprintf(b.said, "bench: %4.0fs  %s\n", time.Since(b.began).Seconds(), fmt.Sprintf(format, args...))
}
