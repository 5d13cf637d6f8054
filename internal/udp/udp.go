// Package udp has UDP sockets that never wait to send.
//
// A packet to an address on the link that nobody has stays for seconds in the
// queue of packets whose neighbour is looked for, and takes its part of the
// socket's buffer there. Whoever forges a hundred such addresses in questions
// would have a server wait that answers them, and with it all who ask. A packet
// for which there is no room is better lost: UDP promises nothing else.
//
// # Limitations
//
// IPv4. On systems other than Linux a packet is sent as the net package does.
package udp

import "net"

// sendBuffer is how many bytes may wait to be sent, as far as the system allows
// it: those to a network of 254 addresses that nobody has leave room for others.
const sendBuffer = 8 << 20

// A Conn is a UDP socket that never waits to send. Its methods may be called
// from any goroutine.
type Conn struct {
	*net.UDPConn
	now sender
}

// New returns a Conn that sends through conn, which must be of "udp4".
func New(conn *net.UDPConn) *Conn {
	_ = conn.SetWriteBuffer(sendBuffer) // it is only cut to the limit
	c := &Conn{UDPConn: conn}
	c.now.init(conn)
	return c
}
