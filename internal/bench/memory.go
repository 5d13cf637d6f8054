package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// The targets of sizes, in bytes.
const (
	startTarget   = 20 << 20 // resident after start, at most
	loadedTarget  = 32 << 20 // resident after 100,000 messages, at most
	programTarget = 25e6     // of the program's file, at most
)

// A size is the memory of a process or of several, in bytes.
type size struct {
	RSS int64 `json:"rss"` // resident, counting shared pages in full
	PSS int64 `json:"pss"` // counting a shared page as a part
}

// memory measures the memory of ours. Half of the messages come each in a
// connection of its own, half through connections that stay open.
func (b *bench) memory(ctx context.Context, p place) (err error) {
	if _, err := os.Stat("/proc/self/smaps_rollup"); err != nil {
		b.report.LeftOut = append(b.report.LeftOut, "left out: resident memory, which needs Linux")
		return nil
	}
	b.progress("memory: messngr, %d messages", b.Messages)
	s, err := b.serve(ctx, p)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.end()) }()
	time.Sleep(200 * time.Millisecond) // it may still be busy with its start
	pid := s.cmd.Process.Pid
	m := &b.report.Memory
	if m.Started, err = sizeOf(pid); err != nil {
		return err
	}
	for _, l := range []load{
		{Addr: s.addr, Called: p.name, Senders: 8, Multi: true, slice: slice{N: b.Messages / 2}},
		{Addr: s.addr, Called: p.name, Senders: 64, Keep: true, slice: slice{N: b.Messages - b.Messages/2}},
	} {
		if _, err := b.load(ctx, p, l); err != nil {
			return err
		}
	}
	if m.Loaded, err = sizeOf(pid); err != nil {
		return err
	}
	if m.Peak, err = field(pid, "status", "VmHWM"); err != nil {
		return err
	}
	m.Messages = b.Messages
	return s.counted(ctx, b.Messages)
}

// sizeOf returns the memory of processes.
func sizeOf(pids ...int) (sum size, err error) {
	for _, pid := range pids {
		rss, err := field(pid, "smaps_rollup", "Rss")
		if err != nil {
			return size{}, err
		}
		pss, err := field(pid, "smaps_rollup", "Pss")
		if err != nil {
			return size{}, err
		}
		sum.RSS += rss
		sum.PSS += pss
	}
	return sum, nil
}

// field returns a number of bytes of a file in /proc/PID, such as
// "VmHWM:     1234 kB".
func field(pid int, file, name string) (int64, error) {
	path := fmt.Sprintf("/proc/%d/%s", pid, file)
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("%s has no %s", path, name)
}

// family returns a process and all that descend from it.
func family(pid int) (pids []int, err error) {
	children := make(map[int][]int)
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue // it has ended
		}
		// "1234 (name) S 1 ...": the name may hold anything.
		rest := string(b[strings.LastIndexByte(string(b), ')')+1:])
		var state string
		var parent int
		if _, err := fmt.Sscan(rest, &state, &parent); err != nil {
			return nil, fmt.Errorf("%s: %w", f, err)
		}
		child, err := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		if err != nil {
			return nil, err
		}
		children[parent] = append(children[parent], child)
	}
	pids = []int{pid}
	for i := 0; i < len(pids); i++ {
		pids = append(pids, children[pids[i]]...)
	}
	return pids, nil
}
