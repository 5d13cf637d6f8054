//go:build !linux

package listener

import "net"

// makeRoom gives a socket room for so many bytes that wait to be read, as far as
// the system allows it.
func makeRoom(conn *net.UDPConn, bytes int) { _ = conn.SetReadBuffer(bytes) }

// socketDrops is known on Linux alone.
func socketDrops(*net.UDPConn) (int64, bool) { return 0, false }
