// Package netbios holds NetBIOS names and their form on the wire, as described
// in RFC 1001 14 and RFC 1002 4.1. The packets in which they travel are in the
// packages below this one: nbns, nbss and nbdgm.
//
// A name is 16 bytes; 15 that people choose and one that says which service
// of the host is meant. Written in a packet, without a scope, it takes 34:
//
//	+--------+----------------------------------------+--------+
//	|  0x20  | 16 bytes as 32 letters 'A' to 'P'      |  0x00  |
//	+--------+----------------------------------------+--------+
//	    1                      32                         1
//
// A scope stands as further labels, each with its length before it, between
// the letters and the last zero.
//
// # Limitations
//
// Compression pointers are not followed here: session and datagram packets
// have none, and nbns follows those of its own packets. Code pages are not
// looked at: the bytes of a name are the sender's, in whatever page it uses.
package netbios
