package nbns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/messngr/messngr/internal/wire"
	"github.com/messngr/messngr/netbios"
)

// maxHops is the most pointers that one name goes through. Nobody needs more
// than one.
const maxHops = 4

// maxName is the most bytes that a name has without pointers.
const maxName = netbios.EncodedSize + netbios.MaxScope

// readName reads the name at r's place in the packet, which r reads. A domain
// name that is no NetBIOS name is reported as foreign, not as an error.
func readName(r *wire.Reader, packet []byte) (_ netbios.Name, _ netbios.Scope, foreign error) {
	if r.Err() != nil {
		return netbios.Name{}, "", nil
	}
	name, scope, size, err := parseName(packet, r.Offset())
	if errors.Is(err, errForeign) {
		foreign, err = err, nil
	}
	if err != nil {
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			err = fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		r.Fail("name", err)
	}
	r.Bytes("name", size)
	return name, scope, foreign
}

var (
	errPointer = errors.New("pointer not to an earlier place behind the header")
	errHops    = errors.New("too many pointers")
	errLabel   = errors.New("label of an unknown kind")
	errLong    = errors.New("name too long")
	errForeign = errors.New("domain name")
)

// parseName reads the name at packet[start:], of which size bytes stand there.
// It gathers the labels, wherever pointers lead, and has them read as a name
// without pointers. A pointer leads to before the labels that it ends, so that
// no name can loop.
func parseName(packet []byte, start int) (name netbios.Name, scope netbios.Scope, size int, err error) {
	var gathered []byte // the labels before the last pointer; most names have none
	hops, run, at := 0, start, start
	for {
		if at >= len(packet) {
			return name, "", 0, &wire.TruncatedError{Structure: "name", Field: "label length", Offset: at, Need: 1}
		}
		length := int(packet[at])
		switch length & 0xC0 {
		default:
			return name, "", 0, fmt.Errorf("length byte 0x%02X: %w", length, errLabel)

		case 0xC0:
			if at+2 > len(packet) {
				return name, "", 0, &wire.TruncatedError{Structure: "name", Field: "pointer", Offset: at, Have: 1, Need: 2}
			}
			target := int(binary.BigEndian.Uint16(packet[at:]) &^ pointer)
			if hops++; hops > maxHops {
				return name, "", 0, errHops
			}
			if target < headerSize || target >= run {
				return name, "", 0, fmt.Errorf("pointer to %d in labels from %d: %w", target, run, errPointer)
			}
			if hops == 1 {
				size = at + 2 - start
			}
			gathered = append(gathered, packet[run:at]...)
			run, at = target, target

		case 0x00:
			end := at + 1 + length
			if end > len(packet) {
				return name, "", 0, &wire.TruncatedError{Structure: "name", Field: "label", Offset: at + 1, Have: len(packet) - at - 1, Need: length}
			}
			if len(gathered)+end-run > maxName {
				return name, "", 0, errLong
			}
			at = end
			if length > 0 {
				continue
			}
			if hops == 0 {
				size = end - start
			}
			labels := packet[run:end]
			if len(gathered) > 0 {
				labels = append(gathered, labels...)
			}
			name, scope, _, err = netbios.ParseName(labels)
			if err != nil {
				err = fmt.Errorf("%w: %w", errForeign, err)
			}
			return name, scope, size, err
		}
	}
}
