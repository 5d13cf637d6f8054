package dcerpc

import (
	"encoding/hex"
	"errors"
	"fmt"
)

// ErrInvalid is wrapped by every error about something that is whole and wrong.
var ErrInvalid = errors.New("invalid DCE/RPC value")

// A UUID names an interface, an object or an activity, in the order in which
// it is written in text, the most significant byte first: [C706] appendix A.
// On the wire its order is the sender's, see DataRep.
type UUID [16]byte

// ParseUUID reads the 36 characters of a UUID in text, such as
// "5a7b91f8-ff00-11d0-a9b2-00c04fb6e6fc". Letters may be small or capital.
func ParseUUID(s string) (UUID, error) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return UUID{}, fmt.Errorf("%w: UUID %q is not of the form 8-4-4-4-12", ErrInvalid, s)
	}
	var u UUID
	digits := s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	if _, err := hex.Decode(u[:], []byte(digits)); err != nil {
		return UUID{}, fmt.Errorf("%w: UUID %q: %w", ErrInvalid, s, err)
	}
	return u, nil
}

// IsNil reports whether u is the nil UUID, which names nothing.
func (u UUID) IsNil() bool { return u == UUID{} }

// String returns the UUID in text, in small letters.
func (u UUID) String() string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

// A SyntaxID names an interface, or the syntax in which its data is written:
// [C706] 12.6.3.1, p_syntax_id_t.
type SyntaxID struct {
	UUID         UUID
	Major, Minor uint16
}

// NewSyntaxID returns the syntax with that version, as Version has it.
func NewSyntaxID(u UUID, version uint32) SyntaxID {
	s := SyntaxID{UUID: u}
	s.SetVersion(version)
	return s
}

// Version returns the version as it stands on the wire: the major one in the
// low 16 bits, the minor one in the high.
func (s SyntaxID) Version() uint32 { return uint32(s.Minor)<<16 | uint32(s.Major) }

// SetVersion sets the version, as Version has it.
func (s *SyntaxID) SetVersion(version uint32) {
	s.Major, s.Minor = uint16(version), uint16(version>>16)
}

// Serves reports whether who serves the interface s serves callers of want: it
// has the same major version, and a minor version that is not less. [C706], the
// version attribute.
func (s SyntaxID) Serves(want SyntaxID) bool {
	return s.UUID == want.UUID && s.Major == want.Major && s.Minor >= want.Minor
}

// String returns the UUID and the version, such as
// "8a885d04-1ceb-11c9-9fe8-08002b104860 v2.0".
func (s SyntaxID) String() string { return fmt.Sprintf("%v v%d.%d", s.UUID, s.Major, s.Minor) }

// NDR returns the name of the transfer syntax NDR, version 2.0: [C706]
// appendix I. Nothing else is carried by connectionless packets.
func NDR() SyntaxID {
	return SyntaxID{
		UUID{0x8a, 0x88, 0x5d, 0x04, 0x1c, 0xeb, 0x11, 0xc9, 0x9f, 0xe8, 0x08, 0x00, 0x2b, 0x10, 0x48, 0x60},
		2, 0,
	}
}
