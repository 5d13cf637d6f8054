package ncadg

import (
	"fmt"

	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/dcerpc/ndr"
)

// A FackBody is the body of a fack, and of a nocall that has one: [C706]
// 12.5.3.4. The header's Fragment is the last one that came with all before it,
// 0xFFFF if none did; here stands the rest.
//
//	 0               8               16                             31
//	+---------------+---------------+-------------------------------+
//	|  vers         |  pad          |  window_size                  |
//	+---------------+---------------+-------------------------------+
//	|  max_tsdu                                                     |
//	+---------------------------------------------------------------+
//	|  max_frag_size                                                |
//	+-------------------------------+-------------------------------+
//	|  serial_num                   |  selack_len                   |
//	+-------------------------------+-------------------------------+
//	|  selack ...                                                   |
//	+---------------------------------------------------------------+
type FackBody struct {
	Version     uint8  // vers: 0 in [C706]; 1 of later implementations, which is the same
	Window      uint16 // window_size: how much the receiver has room for, in KiB
	MaxTSDU     uint32 // max_tsdu: the largest packet that the receiver's transport takes, in bytes
	MaxFragment uint32 // max_frag_size: the largest packet that the receiver takes, in bytes
	Serial      uint16 // serial_num: of the packet that made the receiver send the fack
	SelAck      SelAck // selack
}

// A SelAck says which fragments have come beyond the first one that is missing.
// The fragments are named by their distance from the header's Fragment: the one
// behind it, which is missing, has the distance 1 and the lowest bit of the
// first word. The zero value names none.
type SelAck [8]uint32

// SelAckDistance is the largest distance that a SelAck has room for.
const SelAckDistance = 8 * 32

// Has reports whether the fragment at that distance has come. It is false for
// those that are out of range.
func (s *SelAck) Has(distance int) bool {
	return 1 <= distance && distance <= SelAckDistance && s[(distance-1)/32]>>((distance-1)%32)&1 != 0
}

// Set notes that the fragment at that distance has come. Those that are out of
// range are not noted, and will be sent again.
func (s *SelAck) Set(distance int) {
	if 1 <= distance && distance <= SelAckDistance {
		s[(distance-1)/32] |= 1 << ((distance - 1) % 32)
	}
}

// words returns the number of words up to the last that is not zero.
func (s *SelAck) words() int {
	n := len(s)
	for n > 0 && s[n-1] == 0 {
		n--
	}
	return n
}

// ParseFack reads the body of a fack, or of a nocall. An empty body is the zero
// FackBody: the window is not known then. Bytes behind the body are left alone.
//
// Deliberately lax: a body may end behind max_frag_size, as those of early
// implementations do. Versions are not told apart; the fields have been the
// same in all. Of selack only what a SelAck has room for is kept: fragments
// further ahead than that will be sent again.
func ParseFack(body []byte, rep dcerpc.DataRep) (FackBody, error) {
	if len(body) == 0 {
		return FackBody{}, nil
	}
	r := ndr.NewReader("RPC fack", body, rep)
	var f FackBody
	// vers, pad1 (8 bits each), window_size (16 bits), max_tsdu, max_frag_size
	// (32 bits each)
	f.Version = r.Uint8("vers")
	r.Uint8("pad1")
	f.Window = r.Uint16("window_size")
	f.MaxTSDU = r.Uint32("max_tsdu")
	f.MaxFragment = r.Uint32("max_frag_size")
	if r.Err() == nil && r.Len() > 0 {
		// serial_num, selack_len (16 bits each), selack_len words of selack
		f.Serial = r.Uint16("serial_num")
		n := int(r.Uint16("selack_len"))
		words := r.Bytes("selack", 4*n)
		for i := range min(len(words)/4, len(f.SelAck)) {
			f.SelAck[i] = rep.Uint32(words[4*i:])
		}
	}
	if err := done(&r); err != nil {
		return FackBody{}, err
	}
	return f, nil
}

// AppendBinary appends the body, with no more words of selack than say something.
func (f FackBody) AppendBinary(b []byte, rep dcerpc.DataRep) []byte {
	b = append(b, f.Version, 0)
	b = rep.AppendUint16(b, f.Window)
	b = rep.AppendUint32(b, f.MaxTSDU)
	b = rep.AppendUint32(b, f.MaxFragment)
	b = rep.AppendUint16(b, f.Serial)
	n := f.SelAck.words()
	b = rep.AppendUint16(b, uint16(n))
	for _, w := range f.SelAck[:n] {
		b = rep.AppendUint32(b, w)
	}
	return b
}

// String says what the fack says, of fragments relative to that of its header.
func (f FackBody) String() string {
	return fmt.Sprintf("window %d KiB, packets of %d bytes, to serial %d, selack %x", f.Window, f.MaxFragment, f.Serial, f.SelAck[:f.SelAck.words()])
}
