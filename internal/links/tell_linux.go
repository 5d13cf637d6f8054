package links

import (
	"errors"
	"os"
	"syscall"
)

// tell returns a channel that gets a value when a link or an address may have
// changed, and a function that ends it. The channel is nil if the system does
// not tell, and is closed when it ceases to.
func tell() (told <-chan struct{}, end func()) {
	f, err := openRoute()
	if err != nil {
		return nil, func() {}
	}
	news := make(chan struct{}, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(news)
		// What has changed is read anew, so that the messages do not matter:
		// what does not fit is cut off.
		b := make([]byte, 4096)
		for {
			// ENOBUFS: more has changed than the socket could hold.
			if _, err := f.Read(b); err != nil && !errors.Is(err, syscall.ENOBUFS) {
				return
			}
			select {
			case news <- struct{}{}:
			default:
			}
		}
	}()
	return news, func() {
		f.Close()
		<-done
	}
}

// openRoute returns a socket on which the kernel tells of links and IPv4
// addresses; see rtnetlink(7).
func openRoute() (*os.File, error) {
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, syscall.NETLINK_ROUTE)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	groups := uint32(1<<(syscall.RTNLGRP_LINK-1) | 1<<(syscall.RTNLGRP_IPV4_IFADDR-1))
	if err := syscall.Bind(fd, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK, Groups: groups}); err != nil {
		syscall.Close(fd)
		return nil, os.NewSyscallError("bind", err)
	}
	return os.NewFile(uintptr(fd), "rtnetlink"), nil
}
