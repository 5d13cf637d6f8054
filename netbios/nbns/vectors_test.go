package nbns

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/messngr/messngr/internal/wire/vector"
	"github.com/messngr/messngr/netbios"
)

// values are what the vectors with "expect: ok" hold, by file name.
var values = map[string]Packet{
	"win98-registration-unicast": {
		Header:     Header{ID: 4, Opcode: Registration, Flags: RecursionDesired},
		Question:   question("MDJR98", netbios.Messenger),
		Additional: record("MDJR98", netbios.Messenger, 300000, BNode, "192.168.239.129"),
	},
	"win98-registration-broadcast": {
		Header:     Header{ID: 4, Opcode: Registration, Flags: RecursionDesired | Broadcast},
		Question:   question("MDJR98", netbios.Messenger),
		Additional: record("MDJR98", netbios.Messenger, 300000, BNode, "192.168.239.129"),
	},
	"win98-overwrite-demand": {
		Header:     Header{ID: 4, Opcode: Registration, Flags: Broadcast},
		Question:   question("MDJR98", netbios.Messenger),
		Additional: record("MDJR98", netbios.Messenger, 300000, BNode, "192.168.239.129"),
	},
	"win98-registration-group": {
		Header:     Header{ID: 2, Opcode: Registration, Flags: RecursionDesired},
		Question:   question("WORKGROUP", netbios.Workstation),
		Additional: record("WORKGROUP", netbios.Workstation, 300000, Group, "192.168.239.129"),
	},
	"windows-query-response": {
		Header: Header{ID: 0x8486, Response: true, Flags: Authoritative | RecursionDesired},
		Answer: record("GUNNAR", netbios.Workstation, 300000, BNode, "10.0.4.24"),
	},
	"nmbd-query-broadcast": {
		Header:   Header{ID: 0x1001, Flags: RecursionDesired | Broadcast},
		Question: question("LEGACY", netbios.Messenger),
	},
	"nmbd-query-response": {
		Header: Header{ID: 0x1001, Response: true, Flags: Authoritative | RecursionDesired | RecursionAvailable},
		Answer: record("LEGACY", netbios.Messenger, 259200, BNode, "10.9.9.1"),
	},
	"nmbd-query-unknown": {
		Header:   Header{ID: 0x1006},
		Question: question("NOBODY", netbios.Messenger),
	},
	"nmbd-negative-response": {
		Header: Header{ID: 0x1006, Response: true, Flags: Authoritative | RecursionDesired | RecursionAvailable, RCode: NameError},
		Answer: Resource{Name: name("NOBODY", netbios.Messenger), Type: TypeNULL, Class: Internet, Data: []byte{}},
	},
	"nmbd-status-query": {
		Header:   Header{ID: 0x100B},
		Question: Question{Name: name("LEGACY", netbios.Messenger), Type: TypeNBSTAT, Class: Internet},
	},
	"nmbd-status-response": {
		Header: Header{ID: 0x100B, Response: true, Flags: Authoritative},
		Answer: Resource{Name: name("LEGACY", netbios.Messenger), Type: TypeNBSTAT, Class: Internet, Data: status(NodeStatus{
			Names: []NodeName{
				{name("LEGACY", netbios.Workstation), Active},
				{name("LEGACY", netbios.Messenger), Active},
				{name("LEGACY", netbios.FileServer), Active},
				{name("\x01\x02__MSBROWSE__\x02", netbios.OldMessenger), Group | Active},
				{name("ALIASONE", netbios.Workstation), Active},
				{name("ALIASONE", netbios.Messenger), Active},
				{name("ALIASONE", netbios.FileServer), Active},
				{name("WORKGROUP", netbios.Workstation), Group | Active},
				{name("WORKGROUP", netbios.MasterBrowser), Active},
				{name("WORKGROUP", netbios.Election), Group | Active},
			},
		})},
	},
	"nmbd-defence": {
		Header: Header{ID: 0x100D, Response: true, Opcode: Registration, Flags: Authoritative | RecursionDesired | RecursionAvailable, RCode: ActiveError},
		Answer: record("LEGACY", netbios.Messenger, 0, BNode, "10.9.9.2"),
	},
	"nmbd-registration-response": {
		Header: Header{ID: 0x1001, Response: true, Opcode: Registration, Flags: Authoritative | RecursionDesired | RecursionAvailable},
		Answer: record("ALICE", netbios.Messenger, 300000, HNode, "10.9.9.2"),
	},
	"nmbd-wack": {
		Header: Header{ID: 0x1005, Response: true, Opcode: WACK, Flags: Authoritative},
		Answer: Resource{Name: name("ALICE", netbios.Messenger), Type: TypeNULL, Class: Internet, TTL: 60, Data: []byte{0x29, 0x00}},
	},
	"nmbd-challenge": {
		Header:   Header{ID: 0x5799},
		Question: question("ALICE", netbios.Messenger),
	},
	"nmbd-release": {
		Header:     Header{ID: 0x100E, Opcode: Release},
		Question:   question("ALICE", netbios.Messenger),
		Additional: record("ALICE", netbios.Messenger, 300000, HNode, "10.9.9.2"),
	},
	"nmbd-release-response": {
		Header: Header{ID: 0x100E, Response: true, Opcode: Release, Flags: Authoritative},
		Answer: record("ALICE", netbios.Messenger, 0, HNode, "10.9.9.2"),
	},
	"nmbd-release-refused": {
		Header: Header{ID: 0x100F, Response: true, Opcode: Release, Flags: Authoritative, RCode: NameError},
		Answer: record("ALICE", netbios.Messenger, 0, HNode, "10.9.9.2"),
	},
	"no-entries": {
		Header: Header{ID: 0x1001},
	},
	"redirect": {
		Header:     Header{ID: 0x1001, Response: true, Flags: RecursionDesired},
		Authority:  Resource{Name: name("LEGACY", netbios.Messenger), Type: TypeNS, Class: Internet, TTL: 3600, Data: encoded("NE", netbios.Workstation)},
		Additional: Resource{Name: name("NE", netbios.Workstation), Type: TypeA, Class: Internet, TTL: 3600, Data: []byte{10, 9, 9, 9}},
	},
	"scope": {
		Header:   Header{ID: 0x1001, Flags: RecursionDesired | Broadcast},
		Question: Question{Name: name("LEGACY", netbios.Messenger), Scope: "\x02AB\x02CD", Type: TypeNB, Class: Internet},
	},
	"status-query": {
		Header:   Header{ID: 0x20A8},
		Question: Question{Name: netbios.Wildcard, Type: TypeNBSTAT, Class: Internet},
	},
	"status-response": {
		Header: Header{ID: 0x20A8, Response: true, Flags: Authoritative},
		Answer: Resource{Name: netbios.Wildcard, Type: TypeNBSTAT, Class: Internet, Data: status(NodeStatus{
			Names: []NodeName{
				{name("HOST2", netbios.Workstation), Active},
				{name("HOST2", netbios.Messenger), Active | Permanent},
				{name("WORKGROUP", netbios.Workstation), Group | HNode | Active},
			},
			UnitID: [6]byte{0x02, 0x00, 'L', 'O', 'O', 'P'},
		})},
	},
	"two-addresses": {
		Header: Header{ID: 0x1001, Response: true, Flags: Authoritative | RecursionDesired},
		Answer: record("LEGACY", netbios.Messenger, 300000, BNode, "10.9.9.1", "10.9.10.1"),
	},
}

func TestVectors(t *testing.T) {
	got := vector.Check(t, "", Parse, Packet.AppendBinary, isZero, ErrInvalid)
	if diff := cmp.Diff(values, got); diff != "" {
		t.Errorf("Parse (-want +got):\n%s", diff)
	}
}

func isZero(p Packet) bool { return cmp.Equal(p, Packet{}) }

func wantFailure(t *testing.T, packet []byte, want error) {
	t.Helper()
	got, err := Parse(packet)
	if !errors.Is(err, want) {
		t.Errorf("Parse(%x): error %v, want %v", packet, err, want)
	}
	if !isZero(got) {
		t.Errorf("Parse(%x) failed but returned %+v", packet, got)
	}
}

func name(base string, suffix netbios.Suffix) netbios.Name {
	n, err := netbios.NewName(base, suffix)
	if err != nil {
		panic(err)
	}
	return n
}

func encoded(base string, suffix netbios.Suffix) []byte {
	b, err := netbios.AppendName(nil, name(base, suffix), "")
	if err != nil {
		panic(err)
	}
	return b
}

func question(base string, suffix netbios.Suffix) Question {
	return Question{Name: name(base, suffix), Type: TypeNB, Class: Internet}
}

func record(base string, suffix netbios.Suffix, ttl uint32, flags NameFlags, addrs ...string) Resource {
	rr := Resource{Name: name(base, suffix), Type: TypeNB, Class: Internet, TTL: ttl}
	for _, a := range addrs {
		var err error
		if rr.Data, err = (Addr{flags, netip.MustParseAddr(a)}).AppendBinary(rr.Data); err != nil {
			panic(err)
		}
	}
	return rr
}

func status(s NodeStatus) []byte {
	b, err := s.AppendBinary(nil)
	if err != nil {
		panic(err)
	}
	return b
}
