package dcerpc

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// A DataRep is an NDR format label: it says how its sender writes numbers and
// characters. [C706] 14.1. The zero value is big-endian, ASCII and IEEE.
//
// Its methods read and write what the label is of, in the way of
// binary.ByteOrder: those that read take the first bytes and panic when they
// are too few.
type DataRep [4]byte

// LittleEndian returns the label of little-endian integers, ASCII and IEEE
// floats: 10 00 00 00.
func LittleEndian() DataRep { return DataRep{0x10} }

// BigEndian reports whether integers have their most significant byte first.
func (d DataRep) BigEndian() bool { return d[0]>>4 == 0 }

// ByteOrder returns the order of the bytes of integers.
func (d DataRep) ByteOrder() ByteOrder { return ByteOrder(d.BigEndian()) }

// EBCDIC reports whether characters are not in ASCII.
func (d DataRep) EBCDIC() bool { return d[0]&0x0F != 0 }

// IEEE reports whether floating-point numbers are as IEEE 754 has them, and
// not those of a VAX (1), a Cray (2) or an IBM (3).
func (d DataRep) IEEE() bool { return d[1] == 0 }

// Check returns an error, which wraps ErrInvalid, for a label whose integers
// could not be read: [C706] 14.1 knows 0, big-endian, and 1, little-endian.
func (d DataRep) Check() error {
	if d[0]>>4 > 1 {
		return fmt.Errorf("%w: integer representation %d", ErrInvalid, d[0]>>4)
	}
	return nil
}

// String says in words what the label does.
func (d DataRep) String() string {
	integers, characters, floats := "little-endian", "ASCII", ""
	switch d[0] >> 4 {
	case 0:
		integers = "big-endian"
	case 1:
	default:
		integers = fmt.Sprintf("integers %d", d[0]>>4)
	}
	switch d[0] & 0x0F {
	case 0:
	case 1:
		characters = "EBCDIC"
	default:
		characters = fmt.Sprintf("characters %d", d[0]&0x0F)
	}
	switch d[1] {
	case 0:
		floats = "IEEE"
	case 1:
		floats = "VAX"
	case 2:
		floats = "Cray"
	case 3:
		floats = "IBM"
	default:
		floats = fmt.Sprintf("floats %d", d[1])
	}
	return integers + ", " + characters + ", " + floats
}

// Uint16 reads 16 bits.
func (d DataRep) Uint16(b []byte) uint16 { return d.ByteOrder().Uint16(b) }

// Uint32 reads 32 bits.
func (d DataRep) Uint32(b []byte) uint32 { return d.ByteOrder().Uint32(b) }

// Uint64 reads 64 bits.
func (d DataRep) Uint64(b []byte) uint64 { return d.ByteOrder().Uint64(b) }

// UUID reads the 16 bytes of a UUID.
func (d DataRep) UUID(b []byte) UUID { return d.ByteOrder().UUID(b) }

// AppendUint16 appends 16 bits.
func (d DataRep) AppendUint16(b []byte, v uint16) []byte {
	if d.BigEndian() {
		v = bits.ReverseBytes16(v)
	}
	return binary.LittleEndian.AppendUint16(b, v)
}

// AppendUint32 appends 32 bits.
func (d DataRep) AppendUint32(b []byte, v uint32) []byte {
	if d.BigEndian() {
		v = bits.ReverseBytes32(v)
	}
	return binary.LittleEndian.AppendUint32(b, v)
}

// AppendUint64 appends 64 bits.
func (d DataRep) AppendUint64(b []byte, v uint64) []byte {
	if d.BigEndian() {
		v = bits.ReverseBytes64(v)
	}
	return binary.LittleEndian.AppendUint64(b, v)
}

// AppendUUID appends the 16 bytes of a UUID.
func (d DataRep) AppendUUID(b []byte, u UUID) []byte {
	first := binary.LittleEndian.Uint64(u[:8])
	if !d.BigEndian() {
		first = swapped(first)
	}
	b = binary.LittleEndian.AppendUint64(b, first)
	return append(b, u[8:]...)
}
