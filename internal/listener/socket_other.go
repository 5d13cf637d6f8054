//go:build !linux

package listener

import (
	"net"
	"net/netip"
)

// controlSize is the room that what the system says of a packet needs: here it
// says nothing.
const controlSize = 0

// tellDestination is for Linux.
func tellDestination(*net.UDPConn) {}

// receiveFrom receives a packet. That it went to a whole network is known on
// Linux alone.
func receiveFrom(conn *net.UDPConn, packet, _ []byte) (n int, from netip.AddrPort, toAll bool, err error) {
	n, from, err = conn.ReadFromUDPAddrPort(packet)
	return n, from, false, err
}

// makeRoom gives a socket room for so many bytes that wait to be read, as far as
// the system allows it.
func makeRoom(conn *net.UDPConn, bytes int) { _ = conn.SetReadBuffer(bytes) }

// socketDrops is known on Linux alone.
func socketDrops(*net.UDPConn) (int64, bool) { return 0, false }
