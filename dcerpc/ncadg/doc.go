// Package ncadg reads and writes the packets of connectionless DCE/RPC, the
// protocol sequence ncadg_ip_udp, version 4: [C706] 12.5. It also has the
// stubs of the calls that a server makes back to its caller (interface conv),
// and puts fragments together.
//
// Every packet has a header of 80 bytes:
//
//	 0               8               16              24             31
//	+---------------+---------------+---------------+---------------+
//	|  rpc_vers, 4  |  ptype        |  flags1       |  flags2       |   0
//	+---------------+---------------+---------------+---------------+
//	|  drep                                         |  serial_hi    |   4
//	+-----------------------------------------------+---------------+
//	|  object                                            (16 bytes) |   8
//	+---------------------------------------------------------------+
//	|  if_id                                             (16 bytes) |  24
//	+---------------------------------------------------------------+
//	|  act_id                                            (16 bytes) |  40
//	+---------------------------------------------------------------+
//	|  server_boot                                                  |  56
//	+---------------------------------------------------------------+
//	|  if_vers                                                      |  60
//	+---------------------------------------------------------------+
//	|  seqnum                                                       |  64
//	+-------------------------------+-------------------------------+
//	|  opnum                        |  ihint                        |  68
//	+-------------------------------+-------------------------------+
//	|  ahint                        |  len                          |  72
//	+-------------------------------+---------------+---------------+
//	|  fragnum                      |  auth_proto   |  serial_lo    |  76
//	+-------------------------------+---------------+---------------+
//
// and a body of len bytes, which depends on the type:
//
//	request, response        a fragment of the stub data
//	fault, reject            status, 4 bytes
//	ping, working, ack       nothing
//	nocall                   nothing, or a FackBody
//	fack                     nothing, or a FackBody
//	cancel                   a CancelBody
//	cancel_ack               a CancelAckBody
//
// The integers of header and body, and those in UUIDs, are in the byte order
// that drep gives. The two halves of the serial number are single bytes.
//
// # Who is who
//
// An activity, act_id, is a caller's thread; its calls have ascending sequence
// numbers, and it makes one at a time. A call has fragments, numbered from 0,
// and each packet that carries one has a serial number of its own, so that a
// fack can say which sending of a fragment it is about.
//
// # Limitations
//
// Packets with authentication are read and written as they are, but an
// authentication verifier, behind the body, is neither read nor written. The
// upper bits of rpc_vers and ptype, of which [C706] has readers look at the
// lower 4 and 5 bits only, must be zero. conv_who_are_you_auth and
// conv_who_are_you_auth_more have numbers and no stubs.
package ncadg
