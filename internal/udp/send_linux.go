package udp

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// A sender sends a packet or loses it.
type sender struct {
	raw  syscall.RawConn
	send func(fd uintptr) bool // attempt; kept, so that a packet costs no allocation

	mu     sync.Mutex // of what is below
	packet []byte
	to     unix.SockaddrInet4
	err    error
}

func (s *sender) init(conn *net.UDPConn) {
	s.raw, _ = conn.SyscallConn() // it fails for no connection at all
	s.send = s.attempt
	_ = s.raw.Control(func(fd uintptr) {
		// Without the privilege what there is must do.
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, sendBuffer)
	})
}

// attempt sends the packet if the system takes it at once.
func (s *sender) attempt(fd uintptr) bool {
	s.err = unix.Sendto(int(fd), s.packet, unix.MSG_DONTWAIT, &s.to)
	return true // do not wait for a better moment
}

// WriteToUDPAddrPort sends a packet to an IPv4 address. An error that wraps
// EAGAIN says that there was no room for it.
func (c *Conn) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	s := &c.now
	s.mu.Lock()
	defer s.mu.Unlock()
	s.packet, s.to.Addr, s.to.Port = b, to.Addr().Unmap().As4(), int(to.Port())
	err := s.raw.Write(s.send)
	s.packet = nil
	if err == nil && s.err != nil {
		err = &net.OpError{Op: "write", Net: "udp4", Addr: net.UDPAddrFromAddrPort(to), Err: os.NewSyscallError("sendto", s.err)}
	}
	if err != nil {
		return 0, err
	}
	return len(b), nil
}
