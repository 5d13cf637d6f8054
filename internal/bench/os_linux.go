package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// syncData makes what was written durable, and nothing else.
func syncData(f *os.File) error { return unix.Fdatasync(int(f.Fd())) }

// inMemory reports whether dir is on a file system without a disk.
func inMemory(dir string) bool {
	var fs unix.Statfs_t
	return unix.Statfs(dir, &fs) == nil && (uint32(fs.Type) == unix.TMPFS_MAGIC || uint32(fs.Type) == unix.RAMFS_MAGIC)
}

// dialerFrom returns a dialer that calls from the i-th address of 127.0.0.0/8,
// all of which are this host's. The port is chosen when it connects, so that a
// port can serve several connections.
func dialerFrom(i int) net.Dialer {
	return net.Dialer{
		KeepAlive: -1,
		LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, byte(1+i>>8), byte(i))},
		Control: func(_, _ string, c syscall.RawConn) (err error) {
			failed := c.Control(func(fd uintptr) {
				err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
			})
			if failed != nil {
				return failed
			}
			return err
		},
	}
}

// cpuTime returns the processor time of a process and of all that descend from
// it.
func cpuTime(pid int) (sum time.Duration, err error) {
	const tick = time.Second / 100 // USER_HZ, on everything that Go runs on
	pids, err := family(pid)
	if err != nil {
		return 0, err
	}
	for _, pid := range pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return 0, err
		}
		// "1234 (name) S 1 ...": the name may hold anything; utime and stime are
		// the fields 14 and 15.
		f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
		for _, field := range f[11:13] {
			ticks, err := strconv.ParseInt(field, 10, 64)
			if err != nil {
				return 0, err
			}
			sum += time.Duration(ticks) * tick
		}
	}
	return sum, nil
}
