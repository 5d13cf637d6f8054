package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/messngr/messngr/internal/lab"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbns"
)

// A namesLAN is where the name service is measured: ours on HOST2, nmbd on
// HOST4, the floor on HOST5; HOST3 asks.
type namesLAN struct {
	*bench
	size                     namesSize
	t                        testing.TB
	ours, asker, nmbd, floor *lab.Host
	config, wins             string // configuration files: the defaults, and a name server
	conf                     string // smb.conf of the asker
	asking                   *net.UDPConn
}

// names measures the name service on a LAN of its own.
func (b *bench) names(ctx context.Context) error {
	return withLab(ctx, func(t testing.TB) error {
		for program, pkg := range map[string]string{"nmbd": "samba", "smbtorture": "samba-testsuite", "nbtscan": "nbtscan"} {
			lab.NeedProgram(t, program, pkg)
		}
		lan := lab.NewLAN(t)
		n := &namesLAN{
			bench: b, size: b.namesSize(), t: t,
			ours: lan.Host(t, 2, "HOST2"), asker: lan.Host(t, 3, "HOST3"), nmbd: lan.Host(t, 4, "HOST4"), floor: lan.Host(t, 5, "HOST5"),
			config: filepath.Join(b.dir, "names.toml"), wins: filepath.Join(b.dir, "wins.toml"),
		}
		n.conf = n.asker.SMBConf(t)
		if err := os.WriteFile(n.config, nil, 0o600); err != nil {
			return err
		}
		if err := os.WriteFile(n.wins, []byte("[wins]\nserve = true\n"), 0o600); err != nil {
			return err
		}
		n.asker.Do(t, func() (err error) {
			n.asking, err = net.ListenUDP("udp4", &net.UDPAddr{IP: n.asker.Addr.AsSlice()})
			return err
		})
		t.Cleanup(func() { n.asking.Close() })
		b.report.Names = new(namesReport)
		return n.measure(ctx, lan.Broadcast())
	})
}

func (n *namesLAN) measure(ctx context.Context, everyone netip.Addr) error {
	nmbd, err := n.startNMBD(ctx, everyone)
	if err != nil {
		return err
	}
	for _, f := range []func(context.Context) error{n.asks, n.scans, n.records} {
		if err := f(ctx); err != nil {
			return err
		}
	}
	if err := n.starts(ctx, everyone); err != nil {
		return err
	}
	return n.torture(ctx, nmbd.PID())
}

// place returns a host as a place for our own processes.
func (n *namesLAN) place(h *lab.Host) place { return place{command: h.Command, name: h.Name} }

// nameServer starts messngr serve on HOST2 and says when. It does not wait.
func (n *namesLAN) nameServer(ctx context.Context, config, data string) (*server, time.Time, error) {
	begin := time.Now()
	proc, err := start(n.ours.Command(ctx, n.program, "serve", "--config", config, "--data", data, "--name", n.ours.Name))
	return &server{process: proc, data: data}, begin, err
}

// served calls f while messngr serves with new data, from when it answers.
func (n *namesLAN) served(ctx context.Context, config string, f func(*server) error) (err error) {
	data, err := os.MkdirTemp(n.dir, "data-")
	if err != nil {
		return err
	}
	s, _, err := n.nameServer(ctx, config, data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.end()) }()
	if _, err := n.found(ctx, n.ours.Addr, messengerName(n.ours)); err != nil {
		return err
	}
	return f(s)
}

func messengerName(h *lab.Host) netbios.Name {
	name, err := netbios.NewName(h.Name, netbios.Messenger)
	if err != nil {
		panic(err) // the names are in names
	}
	return name
}

// found asks for a name until there is an answer, and returns when it came. The
// question goes to everyone when the address is that of a broadcast.
func (n *namesLAN) found(ctx context.Context, to netip.Addr, name netbios.Name) (time.Time, error) {
	const every, limit = 5 * time.Millisecond, 30 * time.Second
	id := uint16(os.Getpid()) ^ uint16(time.Now().UnixNano())
	question, err := nbns.NameQuery(id, name, "", to.As4()[3] == 255).AppendBinary(nil)
	if err != nil {
		return time.Time{}, err
	}
	in := make([]byte, 2048)
	for begin := time.Now(); time.Since(begin) < limit && ctx.Err() == nil; {
		// A host that has its port closed says so: the next one will tell.
		n.asking.WriteToUDPAddrPort(question, netip.AddrPortFrom(to, 137))
		for again := time.Now().Add(every); ; {
			n.asking.SetReadDeadline(again)
			size, _, err := n.asking.ReadFromUDPAddrPort(in)
			if err != nil {
				time.Sleep(time.Until(again))
				break
			}
			p, err := nbns.Parse(in[:size])
			if err == nil && p.Response && p.ID == id && p.RCode == nbns.Success && p.Answer.Name == name {
				return time.Now(), nil
			}
		}
	}
	if ctx.Err() != nil {
		return time.Time{}, context.Cause(ctx)
	}
	return time.Time{}, fmt.Errorf("nobody has answered for %v within %v", name, limit)
}

// startNMBD starts nmbd as a name server and measures until its name is found.
func (n *namesLAN) startNMBD(ctx context.Context, everyone netip.Addr) (*lab.Process, error) {
	n.progress("starting nmbd")
	conf := n.nmbd.SMBConf(n.t, "wins support = yes")
	begin := time.Now()
	p := n.nmbd.Start(n.t, "nmbd", "-F", "--debug-stdout", "-d1", "-s", conf)
	at, err := n.found(ctx, everyone, messengerName(n.nmbd))
	n.report.Names.Start.NMBD = milliseconds(at.Sub(begin))
	return p, err
}

// starts measures from the start of messngr serve until its name is found.
func (n *namesLAN) starts(ctx context.Context, everyone netip.Addr) error {
	n.progress("messngr serve: from start to the first name, %d times", n.size.Starts)
	var took []float64
	for range n.size.Starts {
		data, err := os.MkdirTemp(n.dir, "data-")
		if err != nil {
			return err
		}
		s, begin, err := n.nameServer(ctx, n.config, data)
		if err != nil {
			return err
		}
		at, err := n.found(ctx, everyone, messengerName(n.ours))
		if err := errors.Join(err, s.end()); err != nil {
			return err
		}
		took = append(took, milliseconds(at.Sub(begin)))
	}
	n.report.Names.Start.Ours = summarize(took)
	return nil
}
