package cli

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/messngr/messngr/internal/resolver"
)

// A row is a host and how it was found.
type row struct {
	resolver.Host
	found resolver.Found
}

// scan lists who answers in the ranges.
func (l *lookup) scan(ctx context.Context, args []string) error {
	ranges, err := resolver.ParseRanges(args...)
	if err != nil {
		return &usageError{err}
	}
	begun := time.Now()
	rows, err := l.ask(ctx, ranges, func(addr netip.Addr) resolver.Found {
		return resolver.Found{Addr: addr, From: "scan", By: "node status"}
	})
	switch {
	case err != nil && len(rows) == 0:
		return l.failed(strings.Join(args, " "), err)
	case len(rows) == 0:
		return l.failed(strings.Join(args, " "), fmt.Errorf("nobody was found: %d addresses were asked for their names, and none answered", ranges.Len()))
	case l.json:
		return err
	}
	if e := l.writeTable(rows); e != nil {
		return e
	}
	fmt.Fprintf(l.Stderr, "%d of %d addresses answered, in %.1f s\n", len(rows), ranges.Len(), time.Since(begun).Seconds())
	return err
}

// members lists who answers for a group: a workgroup, unless it says otherwise.
func (l *lookup) members(ctx context.Context, text string) error {
	name, _, err := resolver.ParseQuery(text, 0x00, l.encode)
	if err != nil {
		return &usageError{err}
	}
	members, err := l.resolve.Members(ctx, name)
	if err != nil {
		return l.failed(text, err)
	}
	by := make(map[netip.Addr]resolver.Found)
	var addrs []netip.Addr
	for _, m := range members {
		by[m.Addr] = m
		addrs = append(addrs, m.Addr)
	}
	ranges, err := resolver.RangesOf(addrs...)
	if err != nil {
		return err
	}
	rows, err := l.ask(ctx, ranges, func(addr netip.Addr) resolver.Found { return by[addr] })
	// One that does not tell its names is a member all the same.
	for _, r := range rows {
		delete(by, r.Addr)
	}
	for addr, m := range by {
		r := row{resolver.Host{Addr: addr}, m}
		rows = append(rows, r)
		if l.json {
			if e := l.writeRow(r); e != nil {
				return e
			}
		}
	}
	if !l.json {
		if e := l.writeTable(rows); e != nil {
			return e
		}
	}
	return err
}

// ask asks addresses for their names, with a progress bar for those who watch.
// With --json it writes each host as it answers.
func (l *lookup) ask(ctx context.Context, ranges resolver.Ranges, found func(netip.Addr) resolver.Found) (rows []row, err error) {
	o := resolver.ScanOptions{Rate: l.rate, Tries: l.tries, Wait: l.timeout}
	bothTerminals := l.json && term.IsTerminal(int(l.Stdout.Fd()))
	if term.IsTerminal(int(l.Stderr.Fd())) && !bothTerminals {
		progress := mpb.New(mpb.WithOutput(l.Stderr), mpb.WithWidth(64))
		bar := progress.AddBar(int64(ranges.Len()*l.tries),
			mpb.BarRemoveOnComplete(),
			mpb.PrependDecorators(decor.Name(fmt.Sprintf("asking %d addresses ", ranges.Len()))),
			mpb.AppendDecorators(decor.Percentage()),
		)
		o.Progress = func(done, _ int) { bar.SetCurrent(int64(done)) }
		defer progress.Wait()
		defer bar.Abort(true)
	}
	var failed error
	err = l.resolve.Scan(ctx, ranges, o, func(h resolver.Host) {
		r := row{h, found(h.Addr)}
		rows = append(rows, r)
		if l.json && failed == nil {
			failed = l.writeRow(r)
		}
	})
	if failed != nil {
		return nil, failed
	}
	slices.SortFunc(rows, func(a, b row) int { return a.Addr.Compare(b.Addr) })
	return rows, err
}
