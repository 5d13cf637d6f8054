package listener

import (
	"log/slog"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/dcerpc/epm"
	"github.com/messngr/messngr/internal/rpc"
	"github.com/messngr/messngr/msgsvc"
)

var (
	local     = netip.MustParseAddr("10.77.0.2")
	endpoints = []Endpoint{
		{Interface: msgsvc.SendInterface(), Protocol: epm.UDP, Port: 1026, Annotation: "Messenger Service"},
		{Interface: msgsvc.NameInterface(), Protocol: epm.TCP, Port: 1027, Annotation: "Messenger Service"},
	}
)

// callMap calls an operation of the endpoint mapper.
func callMap(t *testing.T, m *RPCMap, opnum uint16, stub []byte) ([]byte, dcerpc.Status) {
	t.Helper()
	return m.Interface().Handle(t.Context(), rpc.Call{Interface: epm.Interface(), Opnum: opnum, DataRep: dcerpc.LittleEndian(), Stub: stub, From: client9, Local: local})
}

func newMap() *RPCMap {
	return NewRPCMap(RPCMapConfig{Endpoints: func() []Endpoint { return endpoints }, Log: slog.New(slog.DiscardHandler)})
}

// bytesOf returns bytes, unless there is an error.
func bytesOf(t *testing.T, b []byte, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// older returns an interface with its versions changed.
func older(id dcerpc.SyntaxID, major, minor uint16) dcerpc.SyntaxID {
	id.Major, id.Minor = major, minor
	return id
}

// Who asks for an interface by a protocol sequence is told the port and the
// address that it has called, and who asks for anything else nothing.
func TestMap(t *testing.T) {
	for _, tt := range []struct {
		name string
		want epm.Tower
		max  uint32
		at   string
	}{
		{"NetrSendMessage", epm.Tower{Interface: msgsvc.SendInterface(), Protocol: epm.UDP}, 4, "10.77.0.2:1026"},
		{"message names", epm.Tower{Interface: msgsvc.NameInterface(), Protocol: epm.TCP}, 500, "10.77.0.2:1027"},
		{"more than there can be", epm.Tower{Interface: msgsvc.SendInterface(), Protocol: epm.UDP}, 1 << 31, "10.77.0.2:1026"},
		{"no room", epm.Tower{Interface: msgsvc.SendInterface(), Protocol: epm.UDP}, 0, ""},
		{"other protocol", epm.Tower{Interface: msgsvc.SendInterface(), Protocol: epm.TCP}, 4, "none"},
		{"later minor version", epm.Tower{Interface: older(msgsvc.SendInterface(), 1, 1), Protocol: epm.UDP}, 4, "none"},
		{"other major version", epm.Tower{Interface: older(msgsvc.SendInterface(), 2, 0), Protocol: epm.UDP}, 4, "none"},
		{"other interface", epm.Tower{Interface: epm.Interface(), Protocol: epm.UDP}, 4, "none"},
		{"other transfer syntax", epm.Tower{Interface: msgsvc.SendInterface(), Transfer: epm.Interface(), Protocol: epm.UDP}, 4, "none"},
	} {
		if tt.want.Transfer == (dcerpc.SyntaxID{}) {
			tt.want.Transfer = dcerpc.NDR()
		}
		tt.want.Addr = netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
		tower, err := tt.want.AppendBinary(nil)
		stub, err2 := epm.MapRequest{Tower: bytesOf(t, tower, err), MaxTowers: tt.max}.AppendBinary(nil, dcerpc.LittleEndian())
		m := newMap()
		response, fault := callMap(t, m, epm.OpMap, bytesOf(t, stub, err2))
		p, err := epm.ParseMapResponse(response, dcerpc.LittleEndian())
		if fault != 0 || err != nil {
			t.Errorf("%s: fault %v, %v", tt.name, fault, err)
			continue
		}
		var at string
		for _, octets := range p.Towers {
			got, err := epm.ParseTower(octets)
			if err != nil || got.Interface != tt.want.Interface || got.Protocol != tt.want.Protocol || got.Transfer != dcerpc.NDR() {
				t.Errorf("%s: %+v, %v", tt.name, got, err)
			}
			at += got.Addr.String()
		}
		if p.Status == dcerpc.StatusNotRegistered && at == "" {
			at = "none"
		}
		if at != tt.at || p.Handle != (epm.Handle{}) {
			t.Errorf("%s: %q with %v, want %q", tt.name, at, p.Status, tt.at)
		}
		if got := m.Counters()["not_registered"]; (got == 1) != (tt.at == "none") {
			t.Errorf("%s: counted %v", tt.name, m.Counters())
		}
		if len(response) > 4*len(stub) {
			t.Errorf("%s: %d bytes are answered to %d, for whoever asks", tt.name, len(response), len(stub))
		}
	}
}

func TestLookup(t *testing.T) {
	send := "5a7b91f8-ff00-11d0-a9b2-00c04fb6e6fc v1.0 10.77.0.2:1026 Messenger Service"
	names := "17fdd703-1827-4e34-79d4-24a55c53bb37 v1.0 10.77.0.2:1027 Messenger Service"
	for _, tt := range []struct {
		name string
		q    epm.LookupRequest
		want []string
	}{
		{"all", epm.LookupRequest{Inquiry: epm.All, Version: epm.AllVersions, MaxEntries: 500}, []string{send, names}},
		{"one at a time", epm.LookupRequest{Inquiry: epm.All, Version: epm.AllVersions, MaxEntries: 1}, []string{send}},
		{"no room", epm.LookupRequest{Inquiry: epm.All, Version: epm.AllVersions}, nil},
		{"going on", epm.LookupRequest{Inquiry: epm.All, Version: epm.AllVersions, MaxEntries: 1, Handle: epm.Handle{Attributes: 1}}, nil},
		{"an interface", epm.LookupRequest{Inquiry: epm.ByInterface, Interface: msgsvc.NameInterface(), Version: epm.Exact, MaxEntries: 9}, []string{names}},
		{"any version of it", epm.LookupRequest{Inquiry: epm.ByInterface, Interface: older(msgsvc.NameInterface(), 7, 7), Version: epm.AllVersions, MaxEntries: 9}, []string{names}},
		{"a later version", epm.LookupRequest{Inquiry: epm.ByInterface, Interface: older(msgsvc.NameInterface(), 1, 1), Version: epm.Compatible, MaxEntries: 9}, nil},
		{"not exactly it", epm.LookupRequest{Inquiry: epm.ByInterface, Interface: older(msgsvc.NameInterface(), 1, 1), Version: epm.Exact, MaxEntries: 9}, nil},
		{"its major version", epm.LookupRequest{Inquiry: epm.ByInterface, Interface: older(msgsvc.NameInterface(), 1, 9), Version: epm.MajorOnly, MaxEntries: 9}, []string{names}},
		{"up to it", epm.LookupRequest{Inquiry: epm.ByInterface, Interface: older(msgsvc.NameInterface(), 2, 0), Version: epm.UpTo, MaxEntries: 9}, []string{names}},
		{"up to before it", epm.LookupRequest{Inquiry: epm.ByInterface, Interface: older(msgsvc.NameInterface(), 0, 9), Version: epm.UpTo, MaxEntries: 9}, nil},
		{"an object", epm.LookupRequest{Inquiry: epm.ByObject, Object: dcerpc.UUID{1}, Version: epm.AllVersions, MaxEntries: 9}, nil},
		{"both", epm.LookupRequest{Inquiry: epm.ByBoth, Object: dcerpc.UUID{1}, Interface: msgsvc.NameInterface(), Version: epm.Exact, MaxEntries: 9}, nil},
	} {
		stub, err := tt.q.AppendBinary(nil, dcerpc.LittleEndian())
		response, fault := callMap(t, newMap(), epm.OpLookup, bytesOf(t, stub, err))
		p, err := epm.ParseLookupResponse(response, dcerpc.LittleEndian())
		if fault != 0 || err != nil {
			t.Errorf("%s: fault %v, %v", tt.name, fault, err)
			continue
		}
		var got []string
		for _, e := range p.Entries {
			tower, err := epm.ParseTower(e.Tower)
			if err != nil || !e.Object.IsNil() {
				t.Errorf("%s: %+v, %v", tt.name, e, err)
			}
			got = append(got, tower.Interface.String()+" "+tower.Addr.String()+" "+string(e.Annotation))
		}
		if diff := cmp.Diff(tt.want, got); diff != "" || (p.Status == 0) != (len(got) > 0) || (p.Handle == epm.Handle{}) == (len(got) > 0 && len(got) == int(p.Max)) || p.Max != tt.q.MaxEntries {
			t.Errorf("%s: %v, handle %v, -want +got:\n%s", tt.name, p.Status, p.Handle, diff)
		}
	}
}

// Whoever asks for a few at a time gets all, each once, and is told that there
// are no more.
func TestLookupGoesOn(t *testing.T) {
	for max, want := range map[uint32][]int{1: {1, 1, 0}, 2: {2, 0}, 3: {2}, 1 << 31: {2}} {
		m := newMap()
		q := epm.LookupRequest{Inquiry: epm.All, Version: epm.AllVersions, MaxEntries: max}
		var got []int
		seen := map[string]bool{}
		for range 5 {
			stub, err := q.AppendBinary(nil, dcerpc.LittleEndian())
			response, fault := callMap(t, m, epm.OpLookup, bytesOf(t, stub, err))
			p, err := epm.ParseLookupResponse(response, dcerpc.LittleEndian())
			if fault != 0 || err != nil {
				t.Fatalf("fault %v, %v", fault, err)
			}
			got = append(got, len(p.Entries))
			for _, e := range p.Entries {
				seen[string(e.Tower)] = true
			}
			if p.Status != 0 {
				if p.Status != dcerpc.StatusNotRegistered || p.Handle != (epm.Handle{}) {
					t.Errorf("%d at a time: %v, handle %v", max, p.Status, p.Handle)
				}
				break
			}
			if q.Handle = p.Handle; q.Handle == (epm.Handle{}) {
				break
			}
		}
		if diff := cmp.Diff(want, got); diff != "" || len(seen) != 2 {
			t.Errorf("%d at a time: %d different, -want +got:\n%s", max, len(seen), diff)
		}
		// A handle may be given back before the end.
		stub, err := epm.FreeRequest{Handle: q.Handle}.AppendBinary(nil, dcerpc.LittleEndian())
		response, fault := callMap(t, m, epm.OpLookupHandleFree, bytesOf(t, stub, err))
		if p, err := epm.ParseFreeResponse(response, dcerpc.LittleEndian()); fault != 0 || err != nil || p != (epm.FreeResponse{}) {
			t.Errorf("free: %+v, fault %v, %v", p, fault, err)
		}
	}
}

// Nobody changes the map; handles are nobody's; stubs that lie are faults.
func TestMapFaults(t *testing.T) {
	zero, err := epm.FreeRequest{}.AppendBinary(nil, dcerpc.LittleEndian())
	zero = bytesOf(t, zero, err)
	stray, err := epm.FreeRequest{Handle: epm.Handle{UUID: dcerpc.UUID{1}}}.AppendBinary(nil, dcerpc.LittleEndian())
	stray = bytesOf(t, stray, err)
	noTower, err := epm.MapRequest{Tower: []byte{9}, MaxTowers: 1}.AppendBinary(nil, dcerpc.LittleEndian())
	noTower = bytesOf(t, noTower, err)
	for _, tt := range []struct {
		name   string
		opnum  uint16
		stub   []byte
		fault  dcerpc.Status
		status dcerpc.Status
	}{
		{"free nothing", epm.OpLookupHandleFree, zero, 0, 0},
		{"free a stranger's", epm.OpLookupHandleFree, stray, 0, dcerpc.StatusInvalidContext},
		{"free", epm.OpLookupHandleFree, nil, dcerpc.FaultNDR, 0},
		{"map", epm.OpMap, []byte{1, 2, 3}, dcerpc.FaultNDR, 0},
		{"map half a tower", epm.OpMap, noTower, dcerpc.FaultNDR, 0},
		{"lookup", epm.OpLookup, []byte{1, 2, 3}, dcerpc.FaultNDR, 0},
		{"insert", 0, zero, dcerpc.FaultAccessDenied, 0},
		{"delete", 1, zero, dcerpc.FaultAccessDenied, 0},
		{"ept_mgmt_delete", 6, zero, dcerpc.FaultAccessDenied, 0},
	} {
		response, fault := callMap(t, newMap(), tt.opnum, tt.stub)
		if fault != tt.fault {
			t.Errorf("%s: fault %v, want %v", tt.name, fault, tt.fault)
		}
		if tt.fault == 0 {
			if p, err := epm.ParseFreeResponse(response, dcerpc.LittleEndian()); err != nil || p.Status != tt.status {
				t.Errorf("%s: %+v, %v", tt.name, p, err)
			}
		}
	}
}
