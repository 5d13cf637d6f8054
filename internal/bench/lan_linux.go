package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/messngr/messngr/internal/lab"
)

// onLAN measures all on a LAN of namespaces: ours and the floors on HOST2, smbd
// and nmbd on HOST4. HOST3 sends.
func (b *bench) onLAN(ctx context.Context) error {
	return withLab(ctx, func(t testing.TB) error {
		for _, program := range []string{"smbd", "nmbd", "smbclient"} {
			lab.NeedProgram(t, program, map[string]string{"smbd": "samba", "nmbd": "samba"}[program])
		}
		lan := lab.NewLAN(t)
		host2, host3, host4 := lan.Host(t, 2, "HOST2"), lan.Host(t, 3, "HOST3"), lan.Host(t, 4, "HOST4")
		config := filepath.Join(b.dir, "messngr.toml") // empty: the defaults, whatever this machine has in /etc
		if err := os.WriteFile(config, nil, 0o600); err != nil {
			return err
		}
		on := func(h *lab.Host) place {
			return place{command: h.Command, name: h.Name, config: config, addr: "127.0.0.1:139"}
		}
		for _, part := range []struct {
			name    string
			measure func() error
		}{
			{"datagrams", func() error { return b.datagrams(ctx, on(host2)) }},
			{"sessions", func() error { return b.rates(ctx, on(host2)) }},
			{"memory", func() error { return b.memory(ctx, on(host2)) }},
			{"smbd", func() error { return b.smbd(ctx, t, on(host2), host4, on(host4)) }},
			{"sends", func() error { return b.sends(ctx, t, on(host2), host3) }},
		} {
			if b.wants(part.name) {
				if err := part.measure(); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// smbd compares ours with smbd and nmbd: in rate and in memory.
func (b *bench) smbd(ctx context.Context, t testing.TB, our place, host *lab.Host, its place) (err error) {
	b.progress("starting smbd and nmbd")
	conf := host.SMBConf(t)
	smbd := host.StartSMBD(t, conf)
	nmbd := host.StartNMBD(t, conf)
	m := &b.report.Memory
	if m.Samba, err = familySize(smbd.PID(), nmbd.PID()); err != nil {
		return err
	}
	ours, err := b.serve(ctx, our)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ours.end()) }()
	c := cell{Multi: true, Senders: 8}
	b.progress("messages a second: messngr and smbd, %v", c)
	var runs [2][]float64
	accepted := 0
	for range max(b.Rounds/2, 1) {
		l := load{Addr: our.addr, Called: our.name, Multi: c.Multi, Senders: c.Senders, slice: b.Slice}
		r, err := b.load(ctx, our, l)
		if err != nil {
			return err
		}
		runs[0] = append(runs[0], r.Rate)
		accepted += r.Accepted
		l.Addr, l.Called, l.slice = "127.0.0.1:139", its.name, b.SMBD
		if r, err = b.load(ctx, its, l); err != nil {
			return err
		}
		runs[1] = append(runs[1], r.Rate)
	}
	b.report.SMBD = &smbdRate{cell: c, Ours: summarize(runs[0]), SMBD: summarize(runs[1]), OursToSMBD: ratios(runs[0], runs[1])}
	return ours.counted(ctx, accepted)
}

// familySize returns the memory of processes and of all that descend from them.
func familySize(pids ...int) (sum size, err error) {
	for _, pid := range pids {
		all, err := family(pid)
		if err != nil {
			return size{}, err
		}
		s, err := sizeOf(all...)
		if err != nil {
			return size{}, err
		}
		sum.RSS += s.RSS
		sum.PSS += s.PSS
	}
	return sum, nil
}

// sends compares whole processes that look a name up by broadcast and send one
// message to it: messngr net send and smbclient -M.
func (b *bench) sends(ctx context.Context, t testing.TB, our place, from *lab.Host) (err error) {
	b.progress("one message: messngr net send and smbclient -M, %d times each", b.Sends)
	s, err := b.serve(ctx, our)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.end()) }()
	if err := s.owned(ctx); err != nil {
		return err
	}
	smbConf := from.SMBConf(t)
	var took [2][]float64 // in milliseconds
	from.Do(t, func() error {
		for range b.Sends {
			ms, err := run1(ctx, b.program, "net", "send", "--config", our.config, "--name", from.Name, our.name, string(text))
			if err != nil {
				return err
			}
			took[0] = append(took[0], ms)
			if ms, err = run1(ctx, "smbclient", "-s", smbConf, "-U", "alice", "-M", our.name); err != nil {
				return err
			}
			took[1] = append(took[1], ms)
		}
		return nil
	})
	b.report.Sends = &sendTimes{Ours: summarize(took[0]), SMBClient: summarize(took[1]), OursToSMBClient: ratios(took[0], took[1])}
	return s.counted(ctx, 2*b.Sends)
}

// run1 runs a program that sends one message, with the message on its standard
// input, and returns its time in milliseconds.
func run1(ctx context.Context, program string, args ...string) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(text), &out, &out
	begin := time.Now()
	err := cmd.Run()
	took := time.Since(begin)
	// smbclient exits with 0 even when it has failed.
	if err == nil && (strings.Contains(out.String(), "NT_STATUS_") || strings.Contains(out.String(), "Connection to ")) {
		err = errors.New("not sent")
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w: %s", cmd, err, &out)
	}
	return float64(took.Microseconds()) / 1000, nil
}
