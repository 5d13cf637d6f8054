// Package ndr reads and writes the parameters of calls, the stub data, in NDR,
// the transfer syntax of DCE/RPC: [C706] chapter 14. Both byte orders, as the
// format label of the packet says.
//
// A number stands at a multiple of its size, counted from the start of the
// stub. A string (attribute string in IDL) is a conformant and varying array:
//
//	+-----------+--------+--------------+------------- - - ----+-----+
//	| max_count | offset | actual_count | characters           | NUL |
//	+-----------+--------+--------------+------------- - - ----+-----+
//	      4         4           4          (actual_count - 1)     1        bytes; twice as many
//	                                                                       where a character is 16 bits
//
// A unique pointer (attribute unique) is four bytes of referent id, zero for the
// null pointer; what it points to follows what it is part of, in the order of
// the ids. A parameter that is a reference pointer, such as a string, has none.
//
// A Reader allocates nothing: what it returns aliases the stub. No count is
// believed before the bytes that it counts are seen to be there.
//
// # Limitations
//
// What the calls of the Messenger Service and of the endpoint mapper need is
// here: integers, UUIDs, strings, counted arrays and unique pointers. Floating
// point, full pointers, pipes and NDR64 are not. Characters are ASCII or an
// extension of it, or UTF-16.
package ndr
