package messngr

import (
	"fmt"
	"net/netip"
	"time"
)

// A NameKind says who may have a name that a NetBIOS name server knows.
type NameKind uint8

// The kinds of names. See RFC 1001 5.2 and, for internet groups, which are not
// in it, what Windows does with a name whose last byte is 0x1C.
const (
	UniqueName    NameKind = 1 // one host
	MultiHomed    NameKind = 2 // one host that has several addresses
	NormalGroup   NameKind = 3 // any number of hosts; their addresses are not kept
	InternetGroup NameKind = 4 // some hosts, with the address of each
)

// String returns a word or two, such as "unique".
func (k NameKind) String() string {
	switch k {
	case UniqueName:
		return "unique"
	case MultiHomed:
		return "multi-homed"
	case NormalGroup:
		return "group"
	case InternetGroup:
		return "internet group"
	}
	return fmt.Sprintf("NameKind(%d)", uint8(k))
}

// A NameState says whether a name server gives out a name.
type NameState uint8

// The states of a name.
const (
	NameActive   NameState = 1 // it has an owner
	NameReleased NameState = 2 // it had one; who comes first has it
)

// String returns a word, such as "active".
func (s NameState) String() string {
	switch s {
	case NameActive:
		return "active"
	case NameReleased:
		return "released"
	}
	return fmt.Sprintf("NameState(%d)", uint8(s))
}

// A NameKey is a NetBIOS name with its scope, both as they stand in a packet.
// Two are the same when all of their bytes are.
type NameKey struct {
	Name  [16]byte // the last byte says which service of the host is meant
	Scope string   // labels, each behind a byte with its length; mostly empty
}

// A NameAddr is an address of a name.
type NameAddr struct {
	Addr    netip.Addr // IPv4
	Flags   uint16     // NB_FLAGS of RFC 1002 4.2.1.3: whether it is a group, and the owner's node type
	Expires time.Time  // when the address is no longer good
}

// A NameRecord is what a name server knows of a name.
type NameRecord struct {
	NameKey
	Kind   NameKind
	State  NameState
	Static bool // it was configured: it never expires, and nobody can claim it
	// Expires is, of an active name, when the last of its addresses is no
	// longer good; of a released one, when it is forgotten. Zero: never.
	Expires time.Time
	Source  netip.Addr // the host that has registered it; invalid for a static one
	Addrs   []NameAddr // at least one; of a normal group, that of the host that made it
}
