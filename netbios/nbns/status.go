package nbns

import (
	"encoding/binary"
	"fmt"

	"github.com/messngr/messngr/internal/wire"
	"github.com/messngr/messngr/netbios"
)

// A NodeStatus is what a node says of itself: the RDATA of an NBSTAT record,
// as described in RFC 1002 4.2.18.
type NodeStatus struct {
	Names []NodeName // at most 255
	// UnitID is the hardware address of the interface that was asked; zero
	// from nodes which do not tell.
	UnitID [6]byte
	// Counters are the rest of the STATISTICS field, which nobody fills in a
	// way that can be relied on.
	Counters [40]byte
}

// A NodeName is a name that a node has registered.
type NodeName struct {
	Name  netbios.Name
	Flags NameFlags
}

// Sizes in bytes of the parts of a NodeStatus.
const (
	nodeNameSize   = len(netbios.Name{}) + 2
	statisticsSize = 6 + 40
)

// MaxStatusNames is the number of names with which a node status response
// about a name without scope has MaxSize bytes at most.
const MaxStatusNames = (MaxSize - headerSize - netbios.EncodedSize - 10 - 1 - statisticsSize) / nodeNameSize

// AppendBinary appends the RDATA, 18 bytes for each name and 47, to b. More
// than 255 names are an error.
func (s NodeStatus) AppendBinary(b []byte) ([]byte, error) {
	if len(s.Names) > 0xFF {
		return b, fmt.Errorf("%w: node status with %d names, at most 255 fit", ErrInvalid, len(s.Names))
	}
	b = append(b, byte(len(s.Names)))
	for _, n := range s.Names {
		b = append(b, n.Name[:]...)
		b = binary.BigEndian.AppendUint16(b, uint16(n.Flags))
	}
	b = append(b, s.UnitID[:]...)
	return append(b, s.Counters[:]...), nil
}

// ParseNodeStatus reads the RDATA of an NBSTAT record. Bytes behind the
// statistics are not looked at.
func ParseNodeStatus(rdata []byte) (NodeStatus, error) {
	r := wire.NewReader("node status", rdata)
	var s NodeStatus

	// NUM_NAMES (8 bits), NODE_NAME_ARRAY
	num := int(r.Uint8("NUM_NAMES"))
	if names := r.Bytes("NODE_NAME_ARRAY", num*nodeNameSize); num > 0 && names != nil {
		s.Names = make([]NodeName, num)
		for i := range s.Names {
			// NETBIOS FORMAT NAME (128 bits), NAME_FLAGS (16 bits)
			entry := names[i*nodeNameSize:]
			s.Names[i] = NodeName{
				Name:  netbios.Name(entry[:len(netbios.Name{})]),
				Flags: NameFlags(binary.BigEndian.Uint16(entry[len(netbios.Name{}):])),
			}
		}
	}
	// STATISTICS: UNIT_ID (48 bits) and 16 counters (320 bits)
	copy(s.UnitID[:], r.Bytes("UNIT_ID", len(s.UnitID)))
	copy(s.Counters[:], r.Bytes("STATISTICS", len(s.Counters)))

	if err := r.Err(); err != nil {
		return NodeStatus{}, err
	}
	return s, nil
}
