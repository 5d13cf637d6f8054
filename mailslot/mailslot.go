// Package mailslot reads and writes what travels in mailslot datagrams: writes
// to a mailslot of another host, as described in [MS-MAIL] 2.2, and what the
// Messenger Service writes to \MAILSLOT\MESSNGR, as described in [MS-MSRP] 2.2.
//
// A [Write] is the data of a NetBIOS datagram: an SMB message with one
// SMB_COM_TRANSACTION request.
//
//	+------------+--------------------------------+------------+-----+-----------+
//	| SMB header | 17 words: write, priority,     | \MAILSLOT\ | pad | data      |
//	|            | class; where the data is, ...  | name, NUL  |     |           |
//	+------------+--------------------------------+------------+-----+-----------+
//	     32                   37                       ...       0-3      ...
//
// A [Message] is the data of a write to \MAILSLOT\MESSNGR, in the OEM code page
// of the sender:
//
//	+------+-----+----+-----+------+-----+
//	| From | NUL | To | NUL | Text | NUL |    424 bytes at most
//	+------+-----+----+-----+------+-----+
//
// What is written to \MAILSLOT\BROWSE is in the package browse below this one.
//
// # Limitations
//
// There are no mailslots here: a caller looks at the name of a write and does
// with its data what it likes. A mailslot write is never answered.
package mailslot

import "errors"

// ErrInvalid is wrapped by every error about a write or a message that is whole
// and wrong. What ends too early is io.ErrUnexpectedEOF.
var ErrInvalid = errors.New("invalid mailslot write")

// Names of mailslots, as they stand on the wire.
const (
	Messenger = prefix + "MESSNGR" // of the Messenger Service: [MS-MSRP] 2.1.2
	Browser   = prefix + "BROWSE"  // of the browser service: [MS-BRWS] 2.1
)

// prefix is what the name of every mailslot begins with.
const prefix = `\MAILSLOT\`

// maxSMB is the most bytes that the SMB message of a write has: as many as a
// NetBIOS datagram has of data.
const maxSMB = 512

// MaxData returns the most bytes of data that a write to the mailslot with that
// name, \MAILSLOT\ included, has: 424 for Messenger. With more, the SMB message
// would not fit a NetBIOS datagram, or name and data not the 443 bytes of
// [MS-MAIL] 2.1. It is zero if the name is that long by itself.
func MaxData(name string) int { return maxData(len(name)) }

func maxData(name int) int {
	// The words of a write end at byte 69; the name with its NUL, padded to a
	// multiple of four, follows.
	data := (69 + name + 1 + 3) &^ 3
	return max(0, maxSMB-data)
}

// Is reports whether name, as it came, is the name slot. The case of ASCII
// letters does not count, since senders differ.
func Is(name []byte, slot string) bool {
	return len(name) == len(slot) && hasPrefix(name, slot)
}

// hasPrefix reports whether name begins with s, whatever the case.
func hasPrefix(name []byte, s string) bool {
	if len(name) < len(s) {
		return false
	}
	for i, c := range name[:len(s)] {
		if upper(c) != upper(s[i]) {
			return false
		}
	}
	return true
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		return c - 'a' + 'A'
	}
	return c
}
