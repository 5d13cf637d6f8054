package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/internal/store"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbns"
)

// window is the number of questions of a socket that wait at the same time.
// Those of 8 sockets fit in the receive buffer that a socket has by default.
const window = 16

// floorPort is where the floor is on the host of ours.
const floorPort = "13137"

// asks puts ours and the floor, on the same host, under our own load.
func (n *namesLAN) asks(ctx context.Context) error {
	return n.served(ctx, n.config, func(ours *server) (err error) {
		addr := netip.AddrPortFrom(n.ours.Addr, torturePort).String()
		for _, c := range []askCell{{false, 1}, {false, 8}, {true, 1}, {true, 8}} {
			n.progress("answers a second: the floor and messngr, %v, sockets %d", c, c.Sockets)
			a := ask{Addr: addr, Name: n.ours.Name, Status: c.Status, Sockets: c.Sockets, Window: window, slice: n.size.Slice}
			r, err := n.ask(ctx, n.place(n.ours), ask{Addr: addr, Name: a.Name, Status: a.Status, Sockets: 1, Window: 1, slice: slice{N: 1}})
			if err != nil {
				return err
			}
			if err := n.askBoth(ctx, ours, c, a, r.Size); err != nil {
				return err
			}
		}
		return nil
	})
}

// askBoth puts the floor, whose answers have so many bytes, and ours under a
// load in turns.
func (n *namesLAN) askBoth(ctx context.Context, ours *server, c askCell, a ask, size int) (err error) {
	at := net.JoinHostPort(n.ours.Addr.String(), floorPort)
	floor, err := n.bench.floor(ctx, n.place(n.ours), "names", "-status", fmt.Sprint(size), at)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, floor.stop(nil)) }()
	servers := []struct {
		addr string
		pid  int
	}{{at, floor.cmd.Process.Pid}, {a.Addr, ours.cmd.Process.Pid}}
	runs := make([]nameRuns, len(servers))
	for round := range n.size.Asks {
		for i := range servers {
			if round%2 == 1 {
				i = len(servers) - 1 - i
			}
			a.Addr = servers[i].addr
			before, err := cpuTime(servers[i].pid)
			if err != nil {
				return err
			}
			r, err := n.ask(ctx, n.place(n.ours), a)
			if err != nil {
				return err
			}
			after, err := cpuTime(servers[i].pid)
			if err != nil {
				return err
			}
			runs[i].add(r.Rate, float64(r.Answers), after-before, 0)
		}
	}
	n.report.Names.Asked = append(n.report.Names.Asked, askedRate{
		askCell: c, Floor: runs[0].summary(), Ours: runs[1].summary(), OursToFloor: ratios(runs[1].rate, runs[0].rate),
	})
	return nil
}

// records measures a name server that knows many names: what they cost in
// memory and in time at the start, and how long an answer takes.
func (n *namesLAN) records(ctx context.Context) error {
	m := &n.report.Names.Records
	m.Names = n.size.Records
	empty, data := filepath.Join(n.dir, "records-none"), filepath.Join(n.dir, "records")
	for _, dir := range []string{empty, data} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
	}
	n.progress("a name server with %d names: storing them", m.Names)
	begin := time.Now()
	if err := fill(ctx, filepath.Join(data, "messngr.db"), m.Names); err != nil {
		return err
	}
	m.Fill = milliseconds(time.Since(begin))

	n.progress("a name server with %d names: its memory and its answers", m.Names)
	var err error
	if m.Empty, err = n.started(ctx, empty, messengerName(n.ours), func(s *server) (err error) {
		m.Before, err = sizeOf(s.cmd.Process.Pid)
		return err
	}); err != nil {
		return err
	}
	m.Start, err = n.started(ctx, data, recordName(m.Names-1), func(s *server) error { return n.recordsAsked(ctx, s, m) })
	m.Each = float64(m.After.RSS-m.Before.RSS) / float64(m.Names)
	return err
}

// started calls f while messngr is a name server with that data, and returns
// the milliseconds from its start until it knows a name.
func (n *namesLAN) started(ctx context.Context, data string, name netbios.Name, f func(*server) error) (ms float64, err error) {
	s, begin, err := n.nameServer(ctx, n.wins, data)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.end()) }()
	at, err := n.found(ctx, n.ours.Addr, name)
	if err != nil {
		return 0, err
	}
	return milliseconds(at.Sub(begin)), f(s)
}

// recordsAsked measures a name server that has all its records.
func (n *namesLAN) recordsAsked(ctx context.Context, s *server, m *recordsUse) (err error) {
	pid := s.cmd.Process.Pid
	if m.After, err = sizeOf(pid); err != nil {
		return err
	}
	if m.Peak, err = field(pid, "status", "VmHWM"); err != nil {
		return err
	}
	at := net.JoinHostPort(n.ours.Addr.String(), floorPort)
	floor, err := n.bench.floor(ctx, n.place(n.ours), "names", at)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, floor.stop(nil)) }()
	for _, on := range []struct {
		addr string
		into *waits
	}{{netip.AddrPortFrom(n.ours.Addr, torturePort).String(), &m.Ours}, {at, &m.Floor}} {
		var rate, p50, p99 []float64
		for range n.size.Waits {
			r, err := n.ask(ctx, n.place(n.ours), ask{Addr: on.addr, Name: n.ours.Name, Records: m.Names, Sockets: 1, Window: 1, slice: n.size.Slice})
			if err != nil {
				return err
			}
			rate, p50, p99 = append(rate, r.Rate), append(p50, r.P50), append(p99, r.P99)
		}
		*on.into = waits{summarize(rate), summarize(p50), summarize(p99)}
	}
	return nil
}

// fill stores so many names, each of a host of its own.
func fill(ctx context.Context, path string, count int) (err error) {
	s, err := store.OpenSQLite(path, store.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	expires := time.Now().Add(24 * time.Hour)
	const batch = 10_000
	records := make([]messngr.NameRecord, 0, batch)
	for i := range count {
		host := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		records = append(records, messngr.NameRecord{
			NameKey: messngr.NameKey{Name: recordName(i)}, Kind: messngr.UniqueName, State: messngr.NameActive,
			Expires: expires, Source: host, Addrs: []messngr.NameAddr{{Addr: host, Flags: uint16(nbns.HNode), Expires: expires}},
		})
		if len(records) == batch || i == count-1 {
			if err := s.PutRecords(ctx, records...); err != nil {
				return err
			}
			records = records[:0]
		}
	}
	return nil
}
