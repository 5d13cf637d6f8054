package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// tortures are the loads of smbtorture. Its namequery asks for a name that
// nobody has, and counts that it is told so; its wins registers, releases and
// asks for a thousand names.
var tortures = []string{"nbt.bench.namequery", "nbt.bench-wins"}

// torturePort is where smbtorture finds a name server.
const torturePort = 137

// torture puts the floor, nmbd and ours under the loads of smbtorture, from
// another host. All three are name servers.
func (n *namesLAN) torture(ctx context.Context, nmbd int) (err error) {
	floor, err := n.bench.floor(ctx, n.place(n.floor), "names", netip.AddrPortFrom(n.floor.Addr, torturePort).String())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, floor.stop(nil)) }()
	return n.served(ctx, n.wins, func(ours *server) error {
		servers := []tortured{
			{addr: n.floor.Addr, pid: floor.cmd.Process.Pid},
			{addr: n.nmbd.Addr, pid: nmbd},
			{addr: n.ours.Addr, pid: ours.cmd.Process.Pid},
		}
		for _, test := range tortures {
			n.progress("answers a second: the floor, nmbd and messngr, smbtorture %s", test)
			runs := make([]nameRuns, len(servers))
			for round := range n.size.Torture {
				for i := range servers {
					if round%2 == 1 {
						i = len(servers) - 1 - i
					}
					if err := n.tortureOne(ctx, test, servers[i], &runs[i]); err != nil {
						return err
					}
				}
			}
			n.report.Names.Torture = append(n.report.Names.Torture, tortureRate{
				Test: test, Floor: runs[0].summary(), NMBD: runs[1].summary(), Ours: runs[2].summary(),
				NMBDToFloor: ratios(runs[1].rate, runs[0].rate),
				OursToFloor: ratios(runs[2].rate, runs[0].rate),
				OursToNMBD:  ratios(runs[2].rate, runs[1].rate),
			})
		}
		return nil
	})
}

// A tortured is a server that smbtorture is let loose on.
type tortured struct {
	addr netip.Addr
	pid  int
}

// nameRuns are the values of a server, round by round.
type nameRuns struct {
	rate, cpu, client []float64
	failures          int
}

func (r *nameRuns) summary() nameServe {
	return nameServe{Rate: summarize(r.rate), CPU: summarize(r.cpu), Client: summarize(r.client), Failures: r.failures}
}

// add adds a round: the rate, the number of answers and the processor times.
func (r *nameRuns) add(rate, answers float64, server, client time.Duration) {
	each := func(d time.Duration) float64 { return float64(d.Microseconds()) / answers }
	r.rate = append(r.rate, rate)
	r.cpu, r.client = append(r.cpu, each(server)), append(r.client, each(client))
}

// torturedRate is smbtorture's result, which is the last of its kind.
var torturedRate = regexp.MustCompile(`([0-9.]+) queries per second \(([0-9]+) failures\)`)

// tortureOne runs smbtorture for its shortest time, a second. Its random
// numbers are the same for all.
func (n *namesLAN) tortureOne(ctx context.Context, test string, on tortured, runs *nameRuns) error {
	const seconds = 1
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	cmd := n.asker.Command(ctx, "smbtorture", "//"+on.addr.String()+"/IPC$", "-s", n.conf, "-U%", "--seed=1",
		fmt.Sprintf("--option=torture:timelimit=%d", seconds), "--option=torture:progress=no", test)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	before, err := cpuTime(on.pid)
	if err != nil {
		return err
	}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", cmd, err, lastLine(out.String()))
	}
	after, err := cpuTime(on.pid)
	if err != nil {
		return err
	}
	found := torturedRate.FindAllStringSubmatch(out.String(), -1)
	if found == nil {
		return fmt.Errorf("%s: no rate: %s", cmd, lastLine(out.String()))
	}
	last := found[len(found)-1]
	rate, err := strconv.ParseFloat(last[1], 64)
	if err != nil {
		return err
	}
	failures, err := strconv.Atoi(last[2])
	if err != nil {
		return err
	}
	runs.add(rate, seconds*rate, after-before, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
	runs.failures += failures
	return nil
}

// lastLine returns the last line of what may be much.
func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexAny(s, "\r\n")+1:]
}
