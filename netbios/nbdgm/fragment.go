package nbdgm

import (
	"fmt"
	"iter"

	"github.com/messngr/messngr/netbios"
)

// Sizes in bytes.
const (
	// MaxDatagramLength is MAX_DATAGRAM_LENGTH of RFC 1002 6: the size of an
	// IP packet, from the IP header on, above which a datagram is fragmented.
	MaxDatagramLength = 576
	// MaxSize is what that leaves for a packet of this package, below the IP
	// header (20 bytes) and the UDP header (8 bytes): what RFC 1002 5.3.1
	// compares is the "length of the NetBIOS Datagram, including UDP and IP
	// headers".
	//
	// AppendBinary and Parse do not insist on it. Windows goes by other limits:
	// the longest mailslot write takes 594 bytes with two names without scopes,
	// and is sent in one packet.
	MaxSize = MaxDatagramLength - 20 - 8
)

// Fragments returns the packets, each of size bytes at most, in which the
// datagram p travels: one or more. They have its type, ID, names and node
// type; their data aliases that of p. It is an error if p is not a datagram, if
// its data is longer than 65,535 bytes, or if size leaves no room for data
// behind the names.
func Fragments(p Packet, size int) (iter.Seq[Packet], error) {
	if !p.Type.IsDatagram() {
		return nil, fmt.Errorf("%w: a %v has no fragments", ErrInvalid, p.Type)
	}
	if len(p.Data) > 0xFFFF {
		return nil, fmt.Errorf("%w: %d bytes of data, PACKET_OFFSET reaches 65535", ErrInvalid, len(p.Data))
	}
	names := 2*netbios.EncodedSize + len(p.SourceScope) + len(p.DestinationScope)
	// A packet with the longest data still fits DGM_LENGTH.
	room := min(size-datagramHeaderSize, 0xFFFF) - names
	if room < min(1, len(p.Data)) {
		return nil, fmt.Errorf("%w: no room for data in packets of %d bytes, header and names take %d", ErrInvalid, size, datagramHeaderSize+names)
	}
	return func(yield func(Packet) bool) {
		f := p
		f.Offset, f.Flags = 0, p.Flags&^More|First
		rest := p.Data
		for len(rest) > room {
			f.Data, rest = rest[:room:room], rest[room:]
			f.Flags |= More
			if !yield(f) {
				return
			}
			f.Offset += uint16(room)
			f.Flags &^= First | More
		}
		f.Data = rest
		yield(f)
	}, nil
}
