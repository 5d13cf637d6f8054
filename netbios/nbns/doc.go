// Package nbns reads and writes packets of the NetBIOS name service (UDP 137),
// as described in RFC 1002 4.2.
//
// A packet is a header and up to four entries, one for each section:
//
//	+-------+-------+---------+---------+---------+---------+
//	|  ID   | flags | QDCOUNT | ANCOUNT | NSCOUNT | ARCOUNT |
//	+-------+-------+---------+---------+---------+---------+
//	    2       2        2         2         2         2
//	+-------+--------+-------+
//	| name  | QTYPE  | CLASS |                                   Question
//	+-------+--------+-------+
//	  34 ...    2        2
//	+-------+--------+-------+-------+----------+-----------+
//	| name  |  TYPE  | CLASS |  TTL  | RDLENGTH |   RDATA   |    Answer, Authority, Additional
//	+-------+--------+-------+-------+----------+-----------+
//	 2 or 34...  2       2       4        2       RDLENGTH
//
// What RDATA holds depends on the packet: one or more [Addr], a [NodeStatus],
// the flags of a request that will take a while, or nothing. It stays bytes
// until ParseAddrs, ParseNodeStatus or ParseWait reads it.
//
// # Limitations
//
// RFC 1002 has no packet with more than one entry in a section, and Parse takes
// none. Entries are about NetBIOS names only; of the server in a redirect (RFC
// 1002 4.2.15), which may have an ordinary domain name, the address is read and
// the name is not.
package nbns
