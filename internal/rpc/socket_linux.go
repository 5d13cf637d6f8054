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

	mu   sync.Mutex // of who writes
	out  []byte     // its control messages
	raw  syscall.RawConn
	send func(fd uintptr) bool // sendNow
	next message
}

// A message is what sendNow sends, and what came of it.
type message struct {
	packet, control []byte
	to              unix.Sockaddr // of the two below; nil to the peer of the socket
	four            unix.SockaddrInet4
	six             unix.SockaddrInet6
	err             error
}

// newSocket makes room in a socket. It has the system say, to a server, where
// packets were sent to, and to a client, what hosts say of closed ports. A
// system that does not is done without.
func newSocket(conn *net.UDPConn, server bool) *socket {
	_ = conn.SetReadBuffer(datagramBuffer) // it is only cut to the limit
	_ = conn.SetWriteBuffer(datagramBuffer)
	addr := conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr()
	s := &socket{UDPConn: conn, connected: conn.RemoteAddr() != nil, six: addr.Is6(), in: make([]byte, 128), out: make([]byte, 64)}
	four, six := unix.IP_PKTINFO, unix.IPV6_RECVPKTINFO
	if !server {
		s.in = nil
		four, six = unix.IP_RECVERR, unix.IPV6_RECVERR
	}
	s.send = s.sendNow
	s.raw, _ = conn.SyscallConn() // it fails for no connection at all
	_ = s.raw.Control(func(fd uintptr) {
		if server { // without the privilege, what there is must do
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, datagramBuffer)
		}
		if s.six {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, six, 1)
		}
		if !s.six || !server { // what comes of IPv4 has errors of IPv4
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, four, 1)
		}
	})
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
	_ = s.raw.Control(func(fd uintptr) {
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

// write sends a packet, or loses it: it never waits. A packet to an address that
// nobody has stays for seconds in the queue of packets whose neighbour is looked
// for, and takes its part of the socket's buffer there. Who forges a hundred
// such addresses would have us wait for all of that time.
func (s *socket) write(b []byte, to netip.AddrPort, local netip.Addr) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := &s.next
	m.packet, m.control, m.to = b, nil, nil
	if !s.connected && local.IsValid() && !local.IsUnspecified() && !local.IsMulticast() {
		m.control = s.from(local)
	}
	switch addr := to.Addr(); {
	case s.connected:
	case s.six && addr.Zone() == "":
		m.six.Addr, m.six.Port = addr.As16(), int(to.Port())
		m.to = &m.six
	case !s.six && addr.Is4():
		m.four.Addr, m.four.Port = addr.As4(), int(to.Port())
		m.to = &m.four
	default: // zones have names, which the net package knows
		_, _, err := s.WriteMsgUDPAddrPort(b, m.control, to)
		return err
	}
	err := s.raw.Write(s.send)
	m.packet = nil
	if err != nil {
		return err
	}
	return m.err
}

// sendNow sends the next message, if the system takes it at once.
func (s *socket) sendNow(fd uintptr) bool {
	m := &s.next
	_, m.err = unix.SendmsgN(int(fd), m.packet, m.control, m.to, unix.MSG_DONTWAIT)
	return true // do not wait for a better moment
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
