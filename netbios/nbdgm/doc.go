// Package nbdgm reads and writes the packets of the NetBIOS datagram service
// (UDP port 138), as described in RFC 1002 4.4, and puts fragments together.
//
// Every packet has a header of 10 bytes:
//
//	 0               8               16                             31
//	+---------------+---------------+-------------------------------+
//	|  MSG_TYPE     |  FLAGS        |  DGM_ID                       |
//	+---------------+---------------+-------------------------------+
//	|  SOURCE_IP                                                    |
//	+-------------------------------+-------------------------------+
//	|  SOURCE_PORT                  |
//	+-------------------------------+
//
// What follows it depends on the type:
//
//	+------------+---------------+-------------+------------------+-----------+
//	| DGM_LENGTH | PACKET_OFFSET | SOURCE_NAME | DESTINATION_NAME | USER_DATA |    a datagram
//	+------------+---------------+-------------+------------------+-----------+
//	      2              2          34 ...         34 ...             ...
//	+------------+
//	| ERROR_CODE |                                                               DATAGRAM ERROR
//	+------------+
//	      1
//	+------------------+
//	| DESTINATION_NAME |                                                         a query or its response
//	+------------------+
//	     34 ...
//
// # Fragments
//
// A datagram that does not fit one UDP packet travels in several. RFC 1002
// says it in two ways. 4.4.2 draws every datagram packet with both names, and
// has DGM_LENGTH count the bytes that follow PACKET_OFFSET in this packet. The
// procedure of 5.3.1 replicates the header into the second of two packets, with
// a DGM_LENGTH of the whole datagram, and takes for the offset what is left of
// it. Such a packet could not be told from one that was cut short, so this
// package does as 4.4.2 says: every fragment has both names and its own length,
// and PACKET_OFFSET is the place of its USER_DATA in that of the datagram.
//
// # Limitations
//
// There is no NetBIOS datagram distribution server here: its queries and
// responses are read and written, not answered.
package nbdgm
