//go:build !linux

package rpc

import (
	"net"
	"net/netip"
)

// A socket is a UDP socket. Where packets were sent to is known on Linux alone:
// elsewhere answers leave from the address that the system chooses.
type socket struct{ *net.UDPConn }

// newSocket makes room in a socket.
func newSocket(conn *net.UDPConn, _ bool) *socket {
	_ = conn.SetReadBuffer(datagramBuffer) // it is only cut to the limit
	return &socket{conn}
}

func (s *socket) read(b []byte) (n int, from netip.AddrPort, local netip.Addr, ifindex int, err error) {
	n, from, err = s.ReadFromUDPAddrPort(b)
	return n, from, netip.Addr{}, 0, err
}

func (s *socket) write(b []byte, to netip.AddrPort, _ netip.Addr) error {
	if s.RemoteAddr() != nil { // all goes to one peer
		_, err := s.Write(b)
		return err
	}
	_, err := s.WriteToUDPAddrPort(b, to)
	return err
}

// closedPorts knows of the one peer of a connected socket, of which an error is.
func (s *socket) closedPorts() []netip.AddrPort {
	if peer, ok := s.RemoteAddr().(*net.UDPAddr); ok {
		return []netip.AddrPort{netip.AddrPortFrom(peer.AddrPort().Addr().Unmap(), uint16(peer.Port))}
	}
	return nil
}
