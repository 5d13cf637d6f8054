package dcerpc

import (
	"encoding/binary"
	"math/bits"
)

// A ByteOrder is what a format label says of integers: true is big-endian,
// false is little-endian. Its methods do what those of DataRep do; who reads
// many numbers is quicker with them.
type ByteOrder bool

// Uint16 reads 16 bits.
func (o ByteOrder) Uint16(b []byte) uint16 {
	v := binary.LittleEndian.Uint16(b)
	if o {
		v = bits.ReverseBytes16(v)
	}
	return v
}

// Uint32 reads 32 bits.
func (o ByteOrder) Uint32(b []byte) uint32 {
	v := binary.LittleEndian.Uint32(b)
	if o {
		v = bits.ReverseBytes32(v)
	}
	return v
}

// Uint64 reads 64 bits.
func (o ByteOrder) Uint64(b []byte) uint64 {
	v := binary.LittleEndian.Uint64(b)
	if o {
		v = bits.ReverseBytes64(v)
	}
	return v
}

// UUID reads the 16 bytes of a UUID.
func (o ByteOrder) UUID(b []byte) (u UUID) {
	first := binary.LittleEndian.Uint64(b)
	if !o {
		first = swapped(first)
	}
	binary.LittleEndian.PutUint64(u[:8], first)
	binary.LittleEndian.PutUint64(u[8:], binary.LittleEndian.Uint64(b[8:]))
	return u
}

// swapped returns the first eight bytes of a UUID with the order of its three
// integers turned about: 32 bits, 16 bits, 16 bits. The rest are single bytes.
func swapped(x uint64) uint64 {
	return uint64(bits.ReverseBytes32(uint32(x))) | uint64(bits.ReverseBytes16(uint16(x>>32)))<<32 | uint64(bits.ReverseBytes16(uint16(x>>48)))<<48
}
