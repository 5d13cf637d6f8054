package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/messngr/messngr/internal/lab"
)

// scans compares messngr lookup with nbtscan on networks of which nobody and
// some are there.
func (n *namesLAN) scans(ctx context.Context) error {
	const silent, some = "10.78.0.0/24", "10.79.0.0/24"
	var live []string
	for i := range 20 {
		addr := fmt.Sprintf("10.79.0.%d", 10*i+5)
		if err := ranOn(ctx, n.floor, "ip", "address", "add", addr+"/32", "dev", "eth0"); err != nil {
			return err
		}
		live = append(live, addr+":137")
	}
	for _, network := range []string{silent, some} {
		if err := ranOn(ctx, n.asker, "ip", "route", "add", network, "dev", "eth0"); err != nil {
			return err
		}
	}
	floor, err := n.bench.floor(ctx, n.place(n.floor), append([]string{"names"}, live...)...)
	if err != nil {
		return err
	}
	for _, s := range []struct {
		network string
		live    int
	}{{silent, 0}, {some, len(live)}} {
		n.progress("scan of a /24, %d of 254 addresses live: messngr lookup and nbtscan, %d times each", s.live, n.size.Scans)
		var took [2][]float64
		for range n.size.Scans {
			for i, command := range [][]string{
				{n.program, "lookup", "--config", n.config, "--json", s.network},
				{"nbtscan", "-q", s.network},
			} {
				ms, err := n.scan(ctx, s.live, command...)
				if err != nil {
					return errors.Join(err, floor.stop(nil))
				}
				took[i] = append(took[i], ms)
			}
		}
		n.report.Names.Scans = append(n.report.Names.Scans, scanTimes{
			Live: s.live, Ours: summarize(took[0]), NBTScan: summarize(took[1]), OursToNBTScan: ratios(took[0], took[1]),
		})
	}
	return floor.stop(nil)
}

// scan runs a program that writes a line for each host that it finds, and perhaps
// one with an error, and
// returns its time in milliseconds.
func (n *namesLAN) scan(ctx context.Context, live int, command ...string) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	cmd := n.asker.Command(ctx, command[0], command[1:]...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	begin := time.Now()
	err := cmd.Run() // fails when nobody was found
	took := time.Since(begin)
	if found := strings.Count(stdout.String(), "\n") - strings.Count(stdout.String(), `"error"`); found != live || ctx.Err() != nil {
		return 0, fmt.Errorf("%s found %d hosts, there are %d: %w: %s%s", cmd, found, live, err, &stdout, &stderr)
	}
	return milliseconds(took), nil
}

// ranOn runs a program on a host to its end.
func ranOn(ctx context.Context, h *lab.Host, program string, args ...string) error {
	cmd := h.Command(ctx, program, args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", cmd, err, out)
	}
	return nil
}
