package main

import (
	"net"
	"os"
	"syscall"

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
