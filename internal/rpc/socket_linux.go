package rpc

import (
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A socket is a UDP socket that knows which of our addresses a packet was sent
// to, and answers from there.
type socket struct {
	*net.UDPConn
	connected bool   // all goes to one peer
	six       bool   // it is an IPv6 socket, which may carry IPv4 as well
	in        []byte // control messages of the one who reads

	mu  sync.Mutex
	out []byte // those of who writes
}

// newSocket makes room in a socket. It has the system say, to a server, where
// packets were sent to, and to a client, what hosts say of closed ports. A
// system that does not is done without.
func newSocket(conn *net.UDPConn, server bool) *socket {
	_ = conn.SetReadBuffer(datagramBuffer) // it is only cut to the limit
	addr := conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr()
	s := &socket{UDPConn: conn, connected: conn.RemoteAddr() != nil, six: addr.Is6(), in: make([]byte, 128), out: make([]byte, 64)}
	four, six := unix.IP_PKTINFO, unix.IPV6_RECVPKTINFO
	if !server {
		s.in = nil
		four, six = unix.IP_RECVERR, unix.IPV6_RECVERR
	}
	if raw, err := conn.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			if s.six {
				_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, six, 1)
			}
			if !s.six || !server { // what comes of IPv4 has errors of IPv4
				_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, four, 1)
			}
		})
	}
	return s
}

// read is of one goroutine.
func (s *socket) read(b []byte) (n int, from netip.AddrPort, local netip.Addr, ifindex int, err error) {
	if s.in == nil {
		n, from, err = s.ReadFromUDPAddrPort(b)
		return n, from, netip.Addr{}, 0, err
	}
	n, control, _, from, err := s.ReadMsgUDPAddrPort(b, s.in)
	if err != nil {
		return 0, netip.AddrPort{}, netip.Addr{}, 0, err
	}
	local, ifindex = packetInfo(s.in[:control])
	return n, from, local, ifindex, nil
}

// closedPorts reads the socket's queue of errors: ip(7), IP_RECVERR.
func (s *socket) closedPorts() (closed []netip.AddrPort) {
	raw, err := s.SyscallConn()
	if err != nil {
		return nil
	}
	_ = raw.Control(func(fd uintptr) {
		var packet, control [512]byte
		for len(closed) < 64 {
			_, n, _, to, err := unix.Recvmsg(int(fd), packet[:], control[:], unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
			if err != nil {
				return
			}
			if !refused(control[:n]) {
				continue
			}
			switch to := to.(type) {
			case *unix.SockaddrInet4:
				closed = append(closed, netip.AddrPortFrom(netip.AddrFrom4(to.Addr), uint16(to.Port)))
			case *unix.SockaddrInet6:
				closed = append(closed, netip.AddrPortFrom(netip.AddrFrom16(to.Addr).Unmap(), uint16(to.Port)))
			}
		}
	})
	return closed
}

// refused reports whether the control messages speak of a closed port, and not
// of a way there that may be better in a moment.
func refused(control []byte) bool {
	for len(control) >= unix.SizeofCmsghdr {
		h, data, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			return false
		}
		four := h.Level == unix.IPPROTO_IP && h.Type == unix.IP_RECVERR
		six := h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_RECVERR
		if (four || six) && len(data) >= 4 {
			return syscall.Errno(binary.NativeEndian.Uint32(data)) == unix.ECONNREFUSED // ee_errno
		}
		control = rest
	}
	return false
}

// packetInfo returns what the control messages say of where a packet was sent
// to and of the interface that it came in on: ip(7), ipv6(7).
func packetInfo(control []byte) (local netip.Addr, ifindex int) {
	for len(control) >= unix.SizeofCmsghdr {
		h, data, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			return local, ifindex
		}
		switch {
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			info := (*unix.Inet4Pktinfo)(unsafe.Pointer(&data[0]))
			// Of a packet to a broadcast address this is our own address.
			local, ifindex = netip.AddrFrom4(info.Spec_dst), int(info.Ifindex)
		case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
			info := (*unix.Inet6Pktinfo)(unsafe.Pointer(&data[0]))
			local, ifindex = netip.AddrFrom16(info.Addr).Unmap(), int(info.Ifindex)
		}
		control = rest
	}
	return local, ifindex
}

func (s *socket) write(b []byte, to netip.AddrPort, local netip.Addr) error {
	if s.connected {
		_, err := s.Write(b)
		return err
	}
	if !local.IsValid() || local.IsUnspecified() || local.IsMulticast() {
		_, err := s.WriteToUDPAddrPort(b, to)
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _, err := s.WriteMsgUDPAddrPort(b, s.from(local), to)
	return err
}

// from returns the control message that has a packet leave from an address.
// Which way it goes is the routes' to say; only an address of one link stands
// with the destination's zone.
func (s *socket) from(local netip.Addr) []byte {
	clear(s.out)
	h := (*unix.Cmsghdr)(unsafe.Pointer(&s.out[0]))
	data := unsafe.Pointer(&s.out[unix.CmsgLen(0)])
	if s.six {
		h.Level, h.Type = unix.IPPROTO_IPV6, unix.IPV6_PKTINFO
		h.SetLen(unix.CmsgLen(unix.SizeofInet6Pktinfo))
		(*unix.Inet6Pktinfo)(data).Addr = local.As16()
		return s.out[:unix.CmsgSpace(unix.SizeofInet6Pktinfo)]
	}
	h.Level, h.Type = unix.IPPROTO_IP, unix.IP_PKTINFO
	h.SetLen(unix.CmsgLen(unix.SizeofInet4Pktinfo))
	if local.Is4() {
		(*unix.Inet4Pktinfo)(data).Spec_dst = local.As4()
	}
	return s.out[:unix.CmsgSpace(unix.SizeofInet4Pktinfo)]
}
