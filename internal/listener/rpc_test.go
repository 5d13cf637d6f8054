package listener

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/internal/oem"
	"github.com/messngr/messngr/internal/rpc"
	"github.com/messngr/messngr/msgsvc"
)

// bigEndian is the data representation of who writes the most significant byte
// first: the zero value.
var bigEndian dcerpc.DataRep

var client9 = netip.MustParseAddrPort("10.77.0.9:1026")

// A messenger is an RPC under test with what it has delivered.
type messenger struct {
	*RPC
	delivered, quarantined []messngr.Message
	err                    error // of the next delivery
}

func newMessenger(t *testing.T) *messenger {
	m := new(messenger)
	m.RPC = NewRPC(RPCConfig{
		Deliver: func(_ context.Context, msg *messngr.Message) error {
			m.delivered = append(m.delivered, *msg)
			return m.err
		},
		Quarantine: func(_ context.Context, msg *messngr.Message) error {
			m.quarantined = append(m.quarantined, *msg)
			return m.err
		},
		Reached: func(to string) bool { return to == "HOST2" || to == "10.77.0.2" || to == "JÜRGEN" },
		Page:    func(netip.Addr, []byte) *oem.Page { return page(t, oem.Default) },
		MaxText: 1000, Log: slog.New(slog.DiscardHandler),
	})
	return m
}

// call calls NetrSendMessage and returns its status.
func (m *messenger) call(t *testing.T, verified bool, from, to, text string) uint32 {
	t.Helper()
	var last uint32
	for i, rep := range []dcerpc.DataRep{dcerpc.LittleEndian(), bigEndian} {
		stub, err := msgsvc.Send{From: []byte(from), To: []byte(to), Text: []byte(text)}.AppendBinary(nil, rep)
		if err != nil {
			t.Fatal(err)
		}
		response, fault := m.Interface().Handle(t.Context(), rpc.Call{
			Interface: msgsvc.SendInterface(), DataRep: rep, Stub: stub, From: client9, Verified: verified,
		})
		p, err := msgsvc.ParseSendResponse(response, rep)
		if fault != 0 || err != nil {
			t.Fatalf("fault %v, %v", fault, err)
		}
		if i > 0 && p.Status != last {
			t.Errorf("status %d in one byte order, %d in the other", last, p.Status)
		}
		last = p.Status
	}
	return last
}

// What callers are told, and what becomes of what they say.
func TestNetrSendMessage(t *testing.T) {
	page := "f\x81r J\x9aRGEN\x14zwei"
	for _, tt := range []struct {
		name, from, to, text string
		verified             bool
		err                  error
		status               uint32
		counter              string
		want                 string // the text that was delivered or quarantined
	}{
		{name: "whole", from: "ALICE", to: "HOST2", text: page, verified: true, counter: "messages", want: "für JÜRGEN\nzwei"},
		{name: "to an address", from: "ALICE", to: "10.77.0.2", text: "x", verified: true, counter: "messages", want: "x"},
		{name: "name in the code page", from: "ALICE", to: "J\x9aRGEN", text: "x", verified: true, counter: "messages", want: "x"},
		{name: "empty", from: "ALICE", to: "HOST2", verified: true, counter: "messages"},
		{name: "not verified", from: "ALICE", to: "HOST2", text: "x", counter: "quarantined", want: "x"},
		{name: "nobody's name", from: "ALICE", to: "HOST3", text: "x", verified: true, status: 2273, counter: "refused_name"},
		{name: "no sender", to: "HOST2", text: "x", verified: true, status: 87, counter: "malformed_call"},
		{name: "a sender of blanks", from: "  ", to: "HOST2", text: "x", verified: true, status: 87, counter: "malformed_call"},
		{name: "paused", from: "ALICE", to: "HOST2", text: "x", verified: true, err: messngr.ErrPaused, status: 2281, counter: "paused", want: "x"},
		{name: "refused", from: "ALICE", to: "HOST2", text: "x", verified: true, err: fmt.Errorf("no: %w", messngr.ErrRefused), status: 5, counter: "refused_source", want: "x"},
		{name: "no room", from: "ALICE", to: "HOST2", text: "x", verified: true, err: messngr.ErrNoRoom, status: 2282, counter: "not_stored", want: "x"},
		{name: "cancelled", from: "ALICE", to: "HOST2", text: "x", verified: true, err: context.Canceled, status: 2282, counter: "not_stored", want: "x"},
		{name: "as much as fits", from: "ALICE", to: "HOST2", text: strings.Repeat("a", 1000), verified: true, counter: "messages", want: strings.Repeat("a", 1000)},
		{name: "more than fits", from: "ALICE", to: "HOST2", text: strings.Repeat("a", 1001), verified: true, status: 2289, counter: "truncated", want: strings.Repeat("a", 333)},
		{name: "larger as UTF-8", from: "ALICE", to: "HOST2", text: strings.Repeat("\xb0", 500), verified: true, status: 2289, counter: "truncated", want: strings.Repeat("░", 333)},
		// MS03-043: each 0x14 became two characters, in a buffer of a fixed size.
		{name: "line ends", from: "ALICE", to: "HOST2", text: strings.Repeat("\x14", 1500), verified: true, status: 2289, counter: "truncated", want: strings.Repeat("\n", 332)},
		{name: "line ends that fit", from: "ALICE", to: "HOST2", text: strings.Repeat("\x14", 1000), verified: true, counter: "messages", want: strings.Repeat("\n", 999)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMessenger(t)
			m.err = tt.err
			if got := m.call(t, tt.verified, tt.from, tt.to, tt.text); got != tt.status {
				t.Errorf("status %d, want %d", got, tt.status)
			}
			if got := m.Counters()[tt.counter]; got != 2 { // once in each byte order
				t.Errorf("%s is %d in %v, want 2", tt.counter, got, m.Counters())
			}
			kept, other := m.delivered, m.quarantined
			if !tt.verified {
				kept, other = other, kept
			}
			if n := len(kept); n > 0 != (tt.status != 2273 && tt.status != 87) || len(other) > 0 {
				t.Fatalf("delivered %d, quarantined %d", len(m.delivered), len(m.quarantined))
			}
			for _, got := range kept {
				want := messngr.Message{
					From: "ALICE", To: map[string]string{"J\x9aRGEN": "JÜRGEN"}[tt.to], Text: tt.want, Priority: messngr.Normal,
					Source: messngr.Source{Transport: messngr.RPC, Addr: client9}, Provenance: messngr.Claimed,
				}
				if want.To == "" {
					want.To = tt.to
				}
				same := cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })
				if diff := cmp.Diff(want, got, same, cmpopts.IgnoreFields(messngr.Message{}, "ID", "Sent", "Received")); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
				if got.ID == (messngr.ID{}) || got.Received.IsZero() || !got.Sent.Equal(got.Received) {
					t.Errorf("without an ID or a time: %+v", got)
				}
			}
		})
	}
}

// Stubs that lie are faults, and nothing comes of them.
func TestNetrSendMessageMalformed(t *testing.T) {
	good, err := msgsvc.Send{From: []byte("A"), To: []byte("HOST2"), Text: []byte("x")}.AppendBinary(nil, dcerpc.LittleEndian())
	if err != nil {
		t.Fatal(err)
	}
	m := newMessenger(t)
	for n := range len(good) - 2 { // the last string's padding is nothing
		_, fault := m.Interface().Handle(t.Context(), rpc.Call{DataRep: dcerpc.LittleEndian(), Stub: good[:n], From: client9, Verified: true})
		if fault != dcerpc.FaultNDR {
			t.Errorf("%d bytes of the stub: fault %v", n, fault)
		}
	}
	if got := m.Counters()["malformed_call"]; got != int64(len(good)-2) || len(m.delivered) > 0 {
		t.Errorf("%d malformed, %d delivered", got, len(m.delivered))
	}
}

// A names is an RPCNames under test.
type names struct {
	*RPCNames
	have []string
	err  error // of the next change
}

func newNames(trusted bool) *names {
	n := &names{have: []string{"HOST2", "ALICE", "BÄCKER"}}
	n.RPCNames = NewRPCNames(RPCNamesConfig{
		Trusted: func(a netip.Addr) bool { return trusted && a == client9.Addr() },
		Names:   func() []string { return n.have },
		Add: func(_ context.Context, name string) error {
			n.have = append(n.have, "+"+name)
			return n.err
		},
		Delete: func(_ context.Context, name string) error {
			n.have = append(n.have, "-"+name)
			return n.err
		},
		Log: slog.New(slog.DiscardHandler),
	})
	return n
}

// marshal is what every request and response can do.
type marshal interface {
	AppendBinary([]byte, dcerpc.DataRep) ([]byte, error)
}

// call calls an operation, and fails the test on a fault.
func (n *names) call(t *testing.T, opnum uint16, q marshal) []byte {
	t.Helper()
	stub, err := q.AppendBinary(nil, bigEndian)
	if err != nil {
		t.Fatal(err)
	}
	response, fault := n.Interface().Handle(t.Context(), rpc.Call{Opnum: opnum, DataRep: bigEndian, Stub: stub, From: client9})
	if fault != 0 {
		t.Fatalf("opnum %d: fault %v", opnum, fault)
	}
	return response
}

func TestNetrMessageNameAddDel(t *testing.T) {
	for _, tt := range []struct {
		name   string
		err    error
		status uint32
		called string
	}{
		{"BOB", nil, 0, "BOB"},
		{"BOB   ", nil, 0, "BOB"},
		{"A-NAME-OF-SIXTEEN", nil, 0, "A-NAME-OF-SIXTE"},
		{"BOB", messngr.NERRAlreadyExists, 2276, "BOB"},
		{"BOB", fmt.Errorf("full: %w", messngr.NERRTooManyNames), 2277, "BOB"},
		{"BOB", messngr.NERRDuplicateName, 2297, "BOB"},
		{"BOB", messngr.NERRDelComputerName, 2278, "BOB"},
		{"BOB", messngr.NERRNotLocalName, 2285, "BOB"},
		{"", fmt.Errorf("%w: empty", ErrNoName), 123, ""},
		{"BOB", errors.New("the disk"), 2140, "BOB"},
	} {
		for opnum, sign := range map[uint16]string{msgsvc.OpNameAdd: "+", msgsvc.OpNameDel: "-"} {
			n := newNames(true)
			n.err = tt.err
			p, err := msgsvc.ParseNameResponse(n.call(t, opnum, msgsvc.NameRequest{Name: tt.name}), bigEndian)
			if err != nil || p.Status != tt.status || n.have[len(n.have)-1] != sign+tt.called {
				t.Errorf("%q, %v: status %d, %v, want %d; called with %v", tt.name, tt.err, p.Status, err, tt.status, n.have[3:])
			}
			if done := n.Counters()["names_added"] + n.Counters()["names_deleted"]; done != map[bool]int64{true: 1}[tt.status == 0] {
				t.Errorf("%q, %v: counted %v", tt.name, tt.err, n.Counters())
			}
		}
	}
}

func TestNetrMessageNameEnum(t *testing.T) {
	at := func(n uint32) *uint32 { return &n }
	all := []string{"HOST2", "ALICE", "BÄCKER"}
	for _, tt := range []struct {
		name   string
		q      msgsvc.NameEnumRequest
		status uint32
		names  []string
		resume *uint32
	}{
		{"level 0", msgsvc.NameEnumRequest{PrefMaxLen: msgsvc.AllEntries}, 0, all, nil},
		{"level 1", msgsvc.NameEnumRequest{Level: 1, PrefMaxLen: msgsvc.AllEntries}, 0, all, nil},
		{"from the start", msgsvc.NameEnumRequest{PrefMaxLen: msgsvc.AllEntries, Resume: at(0)}, 0, all, at(0)},
		{"from the middle", msgsvc.NameEnumRequest{PrefMaxLen: msgsvc.AllEntries, Resume: at(2)}, 0, all[2:], at(0)},
		{"from behind the end", msgsvc.NameEnumRequest{PrefMaxLen: msgsvc.AllEntries, Resume: at(1 << 31)}, 0, nil, at(0)},
		{"room for one", msgsvc.NameEnumRequest{PrefMaxLen: 4 + 12, Resume: at(0)}, 2123, all[:1], at(1)},
		{"room for two of level 1", msgsvc.NameEnumRequest{Level: 1, PrefMaxLen: 2 * (12 + 12), Resume: at(0)}, 2123, all[:2], at(2)},
		{"room for none", msgsvc.NameEnumRequest{PrefMaxLen: 15}, 2123, nil, nil},
		{"exactly room", msgsvc.NameEnumRequest{PrefMaxLen: 16 + 16 + 18}, 0, all, nil},
		{"the most", msgsvc.NameEnumRequest{PrefMaxLen: 11776}, 0, all, nil},
		{"more than the most", msgsvc.NameEnumRequest{PrefMaxLen: 11777}, 87, nil, nil},
		{"more than the most, level 1", msgsvc.NameEnumRequest{Level: 1, PrefMaxLen: 11777}, 0, all, nil},
	} {
		p, err := msgsvc.ParseNameEnumResponse(newNames(true).call(t, msgsvc.OpNameEnum, tt.q), bigEndian)
		want := msgsvc.NameEnumResponse{Level: tt.q.Level, Names: tt.names, Total: uint32(len(tt.names)), Resume: tt.resume, Status: tt.status}
		if diff := cmp.Diff(want, p, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("%s: %v, -want +got:\n%s", tt.name, err, diff)
		}
	}
}

func TestNetrMessageNameGetInfo(t *testing.T) {
	for _, tt := range []struct {
		name  string
		level uint32
		want  msgsvc.NameInfoResponse
	}{
		{"ALICE", 0, msgsvc.NameInfoResponse{Found: true, Name: "ALICE"}},
		{"bäcker", 1, msgsvc.NameInfoResponse{Level: 1, Found: true, Name: "BÄCKER"}},
		{"NOBODY", 0, msgsvc.NameInfoResponse{Status: 2285}},
		{" ", 0, msgsvc.NameInfoResponse{Status: 123}},
	} {
		p, err := msgsvc.ParseNameInfoResponse(newNames(true).call(t, msgsvc.OpNameGetInfo, msgsvc.NameInfoRequest{Name: tt.name, Level: tt.level}), bigEndian)
		if diff := cmp.Diff(tt.want, p); err != nil || diff != "" {
			t.Errorf("%q: %v, -want +got:\n%s", tt.name, err, diff)
		}
	}
}

// Who is not trusted learns nothing and changes nothing.
func TestMessageNamesAreReserved(t *testing.T) {
	n := newNames(false)
	name := msgsvc.NameRequest{Name: "BOB"}
	for opnum, status := range map[uint16]func([]byte) (uint32, error){
		msgsvc.OpNameAdd: func(b []byte) (uint32, error) {
			p, err := msgsvc.ParseNameResponse(b, bigEndian)
			return p.Status, err
		},
		msgsvc.OpNameEnum: func(b []byte) (uint32, error) {
			p, err := msgsvc.ParseNameEnumResponse(b, bigEndian)
			if len(p.Names) > 0 || p.Total > 0 {
				t.Errorf("NetrMessageNameEnum tells %+v", p)
			}
			return p.Status, err
		},
		msgsvc.OpNameGetInfo: func(b []byte) (uint32, error) {
			p, err := msgsvc.ParseNameInfoResponse(b, bigEndian)
			if p.Found {
				t.Errorf("NetrMessageNameGetInfo tells %+v", p)
			}
			return p.Status, err
		},
		msgsvc.OpNameDel: func(b []byte) (uint32, error) {
			p, err := msgsvc.ParseNameResponse(b, bigEndian)
			return p.Status, err
		},
	} {
		q := map[uint16]marshal{msgsvc.OpNameEnum: msgsvc.NameEnumRequest{PrefMaxLen: msgsvc.AllEntries}, msgsvc.OpNameGetInfo: msgsvc.NameInfoRequest{Name: "ALICE"}}[opnum]
		if q == nil {
			q = name
		}
		if got, err := status(n.call(t, opnum, q)); got != 5 || err != nil {
			t.Errorf("opnum %d: status %d, %v, want access denied", opnum, got, err)
		}
	}
	if got := n.Counters()["access_denied"]; got != 4 || len(n.have) != 3 {
		t.Errorf("%d denied, names %v", got, n.have)
	}
}

// NDR has no form for the answer to a level that there is not; neither is there
// one to what cannot be read.
func TestMessageNamesFaults(t *testing.T) {
	n := newNames(true)
	level2, err := msgsvc.NameInfoRequest{Name: "ALICE", Level: 2}.AppendBinary(nil, dcerpc.LittleEndian())
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		opnum uint16
		stub  []byte
		want  dcerpc.Status
	}{
		{msgsvc.OpNameGetInfo, level2, dcerpc.FaultInvalidTag},
		{msgsvc.OpNameEnum, []byte{0, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0}, dcerpc.FaultInvalidTag},
		{msgsvc.OpNameAdd, []byte{1}, dcerpc.FaultNDR},
		{msgsvc.OpNameEnum, nil, dcerpc.FaultNDR},
		{msgsvc.OpNameGetInfo, nil, dcerpc.FaultNDR},
		{msgsvc.OpNameDel, nil, dcerpc.FaultNDR},
		{msgsvc.NameOperations, nil, dcerpc.StatusOperationRange},
	} {
		response, fault := n.Interface().Handle(t.Context(), rpc.Call{Opnum: tt.opnum, DataRep: dcerpc.LittleEndian(), Stub: tt.stub, From: client9})
		if fault != tt.want || response != nil {
			t.Errorf("opnum %d, %x: %x, fault %v, want %v", tt.opnum, tt.stub, response, fault, tt.want)
		}
	}
}
