// Package dcerpc has what the two forms of DCE/RPC share, connectionless
// (package ncadg) and connection-oriented (ncacn): names of interfaces, how
// the sender writes numbers, and status codes. [C706] is "DCE 1.1: Remote
// Procedure Call", [MS-RPCE] what Windows makes of it.
//
// # Data representation
//
// The receiver makes it right: every packet says in its first bytes how its
// sender writes integers, characters and floating-point numbers, and that
// holds for the header behind them as well as for what the packet carries.
// [C706] 14.1 calls it the format label:
//
//	 0               4               8               16                             31
//	+---------------+---------------+---------------+-------------------------------+
//	| integers      | characters    | floats        | reserved                      |
//	+---------------+---------------+---------------+-------------------------------+
//
// Connectionless packets have room for its first three bytes. A UUID is a
// structure of integers, and follows: of the same UUID the two byte orders
// write the first eight bytes differently.
//
// # Limitations
//
// Only ASCII is spoken of characters; other labels are told from it, not
// translated. Authentication has no part here: [MS-MSRP] uses none.
package dcerpc
