//go:build !linux

package udp

import "net"

// A sender has nothing to do here.
type sender struct{}

func (*sender) init(*net.UDPConn) {}
