package nbns

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/messngr/messngr/internal/wire/vector"
	"github.com/messngr/messngr/netbios"
)

// What the compose functions make is, byte for byte, what real hosts send.
func TestCompose(t *testing.T) {
	legacy := name("LEGACY", netbios.Messenger)
	nobody := NameQuery(0x1006, name("NOBODY", netbios.Messenger), "", false)
	negative := NegativeQueryResponse(nobody, NameError)
	negative.Flags |= RecursionAvailable
	gunnar := NameQuery(0x8486, name("GUNNAR", netbios.Workstation), "", true)
	win98 := values["win98-registration-unicast"].Additional
	mdjr98, win98Addrs := win98.Name, win98.Data
	group := values["win98-registration-group"].Additional
	alice := values["nmbd-release"].Additional
	register := RegistrationRequest(0x1001, alice.Name, "", 300000, alice.Data, false)
	again := register
	again.ID = 0x1005
	claim := RegistrationRequest(0x100D, legacy, "", 300000, values["nmbd-defence"].Answer.Data, true)
	asked := ReleaseRequest(0x100E, alice.Name, "", alice.Data, false)
	refused := asked
	refused.ID = 0x100F
	tests := map[string]Packet{
		"nmbd-query-broadcast":   NameQuery(0x1001, legacy, "", true),
		"nmbd-status-query":      StatusQuery(0x100B, legacy, ""),
		"status-query":           StatusQuery(0x20A8, netbios.Wildcard, ""),
		"windows-query-response": PositiveQueryResponse(gunnar, 300000, []byte{0, 0, 10, 0, 4, 24}),
		"nmbd-negative-response": negative,

		"win98-registration-unicast":   RegistrationRequest(0x0004, mdjr98, "", 300000, win98Addrs, false),
		"win98-registration-broadcast": RegistrationRequest(0x0004, mdjr98, "", 300000, win98Addrs, true),
		"win98-registration-group":     RegistrationRequest(0x0002, group.Name, "", 300000, group.Data, false),
		"win98-overwrite-demand":       OverwriteDemand(0x0004, mdjr98, "", 300000, win98Addrs, true),
		"nmbd-registration-response":   PositiveRegistrationResponse(register, 300000),
		"nmbd-defence":                 NegativeRegistrationResponse(claim, ActiveError),
		"nmbd-wack":                    WaitResponse(again, 60),
		"nmbd-release-response":        ReleaseResponse(asked, Success),
		"nmbd-release-refused":         ReleaseResponse(refused, NameError),

		"nmbd-status-response": StatusResponse(StatusQuery(0x100B, legacy, ""), values["nmbd-status-response"].Answer.Data),
	}
	vectors := make(map[string][]byte)
	for _, v := range vector.Load(t, "") {
		vectors[v.Name] = v.Bytes
	}
	for vector, packet := range tests {
		got, err := packet.AppendBinary(nil)
		if want := vectors[vector]; err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %x, %v; want %x", vector, got, err, want)
		}
	}
	if nobody.Flags != RecursionDesired {
		t.Errorf("a query to a name server has flags %#x, want recursion desired only", nobody.Flags)
	}
}

// The words of the header, where no vector has them.
func TestComposeWords(t *testing.T) {
	alice := values["nmbd-release"].Additional
	register := RegistrationRequest(1, alice.Name, "", 300000, alice.Data, false)
	multiHomed := MultiHomedRegistration(1, alice.Name, "", 300000, alice.Data)
	refresh := RefreshRequest(1, alice.Name, "", 300000, alice.Data)
	for _, tt := range []struct {
		what   string
		packet Packet
		want   uint16
	}{
		{"overwrite demand to a name server", OverwriteDemand(1, alice.Name, "", 0, nil, false), 0x2800},
		{"multi-homed registration", multiHomed, 0x7900},
		{"refresh", refresh, 0x4000},
		{"release to all", ReleaseRequest(1, alice.Name, "", nil, true), 0x3010},
		{"release to a name server", ReleaseRequest(1, alice.Name, "", nil, false), 0x3000},
		{"grant of a multi-homed registration", PositiveRegistrationResponse(multiHomed, 0), 0xAD80},
		{"grant of a refresh", PositiveRegistrationResponse(refresh, 0), 0xAD80},
		{"refusal", NegativeRegistrationResponse(register, Refused), 0xAD85},
		{"end-node challenge", ChallengeRegistrationResponse(register, nil), 0xAD00},
		{"conflict demand", ConflictDemand(1, alice.Name, ""), 0xAD87},
	} {
		b, err := tt.packet.AppendBinary(nil)
		if err != nil {
			t.Errorf("%s: %v", tt.what, err)
		} else if got := binary.BigEndian.Uint16(b[2:]); got != tt.want {
			t.Errorf("%s: %04X, want %04X", tt.what, got, tt.want)
		}
	}
}

func TestRedirect(t *testing.T) {
	server := netip.MustParseAddr("10.9.9.9")
	for vector, want := range map[string]netip.Addr{
		"redirect":            server,
		"nmbd-query-response": {}, "nmbd-negative-response": {}, "nmbd-release": {},
	} {
		if got, ok := values[vector].Redirect(); got != want || ok != want.IsValid() {
			t.Errorf("%s: %v, %v; want %v", vector, got, ok, want)
		}
	}

	// Most name servers have an ordinary domain name. It is read past.
	p := values["redirect"]
	p.Authority.Data = []byte("\x02ns\x07example\x00")
	p.Additional = Resource{}
	b, err := p.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	b[11] = 1 // ARCOUNT
	start := len(b)
	b = append(b, 0xC0, byte(start-len(p.Authority.Data)), 0, byte(TypeA), 0, byte(Internet), 0, 0, 0, 9, 0, 4, 10, 9, 9, 9)
	got, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if addr, ok := got.Redirect(); addr != server || !ok || got.Additional.Name != (netbios.Name{}) {
		t.Errorf("%v, %v; want %v", addr, ok, server)
	}
	for n := range b {
		wantFailure(t, b[:n], io.ErrUnexpectedEOF)
	}
	b[start+3] = byte(TypeNB) // only an A record is about such a name
	wantFailure(t, b, ErrInvalid)
}

// RFC 1002 4.2.1.1: RA is "only valid in responses from a NetBIOS Name Server
// -- must be zero in all other responses".
func TestNoRecursionAvailable(t *testing.T) {
	query := NameQuery(1, name("A", netbios.Messenger), "", true)
	for _, p := range []Packet{PositiveQueryResponse(query, 0, nil), NegativeQueryResponse(query, NameError), StatusResponse(query, nil)} {
		if p.Flags&RecursionAvailable != 0 {
			t.Errorf("%+v says that recursion is available", p)
		}
	}
}

func TestParseBehindTheEnd(t *testing.T) {
	want := values["win98-registration-unicast"]
	b, err := want.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(append(b, 0xDE, 0xAD))
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Parse: %v (-want +got):\n%s", err, diff)
	}
}

func TestPointerIntoScope(t *testing.T) {
	query := values["scope"]
	query.Opcode = Registration
	b, err := query.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	b[11] = 1 // ARCOUNT
	letters := encoded("LEGACY", netbios.Workstation)
	b = append(b, letters[:len(letters)-1]...)
	b = append(b, 0xC0, byte(headerSize+netbios.EncodedSize-1)) // to the scope of the question
	b = append(b, 0, byte(TypeNB), 0, byte(Internet), 0, 0, 0, 1, 0, 0)

	got, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	want := query
	want.Additional = Resource{Name: name("LEGACY", netbios.Workstation), Scope: want.Question.Scope, Type: TypeNB, Class: Internet, TTL: 1, Data: []byte{}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Parse (-want +got):\n%s", diff)
	}
}

func TestTooManyPointers(t *testing.T) {
	// An RDATA of pointers, each to the one before it, and then a name that
	// points to one of them.
	chain := func(hops int) []byte {
		p := values["windows-query-response"]
		p.Answer.Data = nil
		at := headerSize + netbios.EncodedSize + 10
		for target := headerSize; hops > 1; hops-- {
			p.Answer.Data = append(p.Answer.Data, 0xC0, byte(target))
			target, at = at, at+2
		}
		b, err := p.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		b[9] = 1 // NSCOUNT
		return append(b, 0xC0, byte(at-2), 0, byte(TypeNB), 0, byte(Internet), 0, 0, 0, 1, 0, 0)
	}
	if p, err := Parse(chain(maxHops)); err != nil || p.Authority.Name != values["windows-query-response"].Answer.Name {
		t.Errorf("%d pointers: %v, %v", maxHops, p.Authority.Name, err)
	}
	wantFailure(t, chain(maxHops+1), ErrInvalid)
}

func TestLongestName(t *testing.T) {
	label := "\x3f" + strings.Repeat("x", 63)
	scope := netbios.Scope(label + label + label + "\x3e" + strings.Repeat("x", 62))
	want := NameQuery(1, name("A", netbios.Messenger), scope, true)
	b, err := want.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(b)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Parse: %v (-want +got):\n%s", err, diff)
	}

	want.Question.Scope = netbios.Scope(label + label + label + label)
	if _, err := want.AppendBinary(nil); !errors.Is(err, ErrInvalid) {
		t.Errorf("a scope of 256 bytes: AppendBinary: %v, want ErrInvalid", err)
	}
	long := append(append(b[:headerSize+netbios.EncodedSize-1:headerSize+netbios.EncodedSize-1], want.Question.Scope...), 0, 0, byte(TypeNB), 0, byte(Internet))
	wantFailure(t, long, ErrInvalid)
}

func TestAppendInvalid(t *testing.T) {
	good := values["win98-registration-unicast"]
	tests := map[string]func(*Packet){
		"opcode":          func(p *Packet) { p.Opcode = 0x10 },
		"flags":           func(p *Packet) { p.Flags = 0x80 },
		"rcode":           func(p *Packet) { p.RCode = 0x10 },
		"question scope":  func(p *Packet) { p.Question.Scope = "x" },
		"record scope":    func(p *Packet) { p.Additional.Scope = "\x05x" },
		"RDATA too large": func(p *Packet) { p.Additional.Data = make([]byte, 0x10000) },
	}
	for change, do := range tests {
		p := good
		do(&p)
		if b, err := p.AppendBinary([]byte("foo")); !errors.Is(err, ErrInvalid) || string(b) != "foo" {
			t.Errorf("%s: AppendBinary = %q, %v; want foo, ErrInvalid", change, b, err)
		}
	}
}

func TestAddrs(t *testing.T) {
	want := []Addr{
		{Group | HNode, netip.MustParseAddr("255.255.255.255")},
		{BNode, netip.MustParseAddr("10.9.9.1")},
	}
	var rdata []byte
	for _, a := range want {
		rdata, _ = a.AppendBinary(rdata)
	}
	if want := []byte{0xE0, 0, 255, 255, 255, 255, 0, 0, 10, 9, 9, 1}; !bytes.Equal(rdata, want) {
		t.Errorf("AppendBinary = %x, want %x", rdata, want)
	}
	got, err := ParseAddrs(nil, rdata)
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); err != nil || diff != "" {
		t.Errorf("ParseAddrs: %v (-want +got):\n%s", err, diff)
	}
	for n := range rdata {
		if got, err := ParseAddrs(nil, rdata[:n]); n%addrSize != 0 || n == 0 {
			if !errors.Is(err, ErrInvalid) || got != nil {
				t.Errorf("%d bytes: ParseAddrs = %v, %v; want ErrInvalid", n, got, err)
			}
		}
	}
	for _, bad := range []netip.Addr{{}, netip.MustParseAddr("::1"), netip.MustParseAddr("::ffff:10.9.9.1")} {
		if b, err := (Addr{Addr: bad}).AppendBinary([]byte("foo")); !errors.Is(err, ErrInvalid) || string(b) != "foo" {
			t.Errorf("%v: AppendBinary = %q, %v; want foo, ErrInvalid", bad, b, err)
		}
	}
}

func TestNodeStatus(t *testing.T) {
	want := NodeStatus{
		Names:    []NodeName{{name("HOST2", netbios.Messenger), Active}, {name("WORKGROUP", netbios.Workstation), Group | Active}},
		UnitID:   [6]byte{1, 2, 3, 4, 5, 6},
		Counters: [40]byte{0: 7, 39: 8},
	}
	rdata := status(want)
	if size := 18*len(want.Names) + 47; len(rdata) != size {
		t.Errorf("%d bytes, want %d", len(rdata), size)
	}
	for _, behind := range []string{"", "\x00\x00"} {
		got, err := ParseNodeStatus(append(rdata[:len(rdata):len(rdata)], behind...))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("ParseNodeStatus: %v (-want +got):\n%s", err, diff)
		}
	}
	for n := range rdata {
		if got, err := ParseNodeStatus(rdata[:n]); !errors.Is(err, io.ErrUnexpectedEOF) || got.Names != nil || got.UnitID != [6]byte{} {
			t.Errorf("%d bytes: ParseNodeStatus = %v, %v; want io.ErrUnexpectedEOF", n, got, err)
		}
	}
	if _, err := (NodeStatus{Names: make([]NodeName, 256)}).AppendBinary(nil); !errors.Is(err, ErrInvalid) {
		t.Errorf("256 names: AppendBinary: %v, want ErrInvalid", err)
	}
}

func TestMaxStatusNames(t *testing.T) {
	size := func(names int) int {
		b, err := StatusResponse(values["status-query"], status(NodeStatus{Names: make([]NodeName, names)})).AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		return len(b)
	}
	if size(MaxStatusNames) > MaxSize || size(MaxStatusNames+1) <= MaxSize {
		t.Errorf("with %d names a response has %d bytes, with one more %d; the limit is %d", MaxStatusNames, size(MaxStatusNames), size(MaxStatusNames+1), MaxSize)
	}
}

func TestParseWait(t *testing.T) {
	want := Header{Opcode: Registration, Flags: RecursionDesired}
	if got, err := ParseWait([]byte{0x29, 0x00}); err != nil || got != want {
		t.Errorf("ParseWait = %+v, %v; want %+v", got, err, want)
	}
	for _, bad := range [][]byte{nil, {0x29}, {0x29, 0, 0}} {
		if got, err := ParseWait(bad); !errors.Is(err, ErrInvalid) || got != (Header{}) {
			t.Errorf("ParseWait(%x) = %+v, %v; want ErrInvalid", bad, got, err)
		}
	}
}

func TestAllocations(t *testing.T) {
	for _, vector := range []string{"nmbd-query-broadcast", "nmbd-query-response", "win98-registration-unicast"} {
		p := values[vector]
		b, err := p.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(100, func() { Parse(b) }); n != 0 {
			t.Errorf("%s: Parse allocates %v times", vector, n)
		}
		if n := testing.AllocsPerRun(100, func() { p.AppendBinary(b[:0]) }); n != 0 {
			t.Errorf("%s: AppendBinary allocates %v times", vector, n)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, v := range vector.Load(f, "") {
		f.Add(v.Bytes)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Parse(b)
		if err != nil {
			if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, ErrInvalid) {
				t.Errorf("unexpected kind of error: %v", err)
			}
			return
		}
		written, err := p.AppendBinary(nil)
		if err != nil {
			t.Fatalf("%+v: %v", p, err)
		}
		again, err := Parse(written)
		if diff := cmp.Diff(p, again); err != nil || diff != "" {
			t.Errorf("read, written and read again: %v (-first +second):\n%s", err, diff)
		}
		for _, rr := range []Resource{p.Answer, p.Authority, p.Additional} {
			ParseAddrs(nil, rr.Data)
			ParseWait(rr.Data)
		}
	})
}

func FuzzParseNodeStatus(f *testing.F) {
	f.Add(values["nmbd-status-response"].Answer.Data)
	f.Add(values["status-response"].Answer.Data)
	f.Fuzz(func(t *testing.T, rdata []byte) {
		s, err := ParseNodeStatus(rdata)
		if err != nil {
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("unexpected kind of error: %v", err)
			}
			return
		}
		if b, err := s.AppendBinary(nil); err != nil || !bytes.HasPrefix(rdata, b) {
			t.Errorf("AppendBinary = %x, %v; read from %x", b, err, rdata)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for _, vector := range []string{"nmbd-query-broadcast", "nmbd-query-response", "win98-registration-unicast"} {
		packet, err := values[vector].AppendBinary(nil)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(vector, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(packet); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendBinary(b *testing.B) {
	query := values["nmbd-query-broadcast"]
	addrs := values["nmbd-query-response"].Answer.Data
	var packet []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if packet, err = PositiveQueryResponse(query, 0, addrs).AppendBinary(packet[:0]); err != nil {
			b.Fatal(err)
		}
	}
}

// A host answers the question who HOST2 is.
func Example() {
	host2, _ := netbios.NewName("HOST2", netbios.Messenger)
	question, _ := NameQuery(0x1001, host2, "", true).AppendBinary(nil)

	query, err := Parse(question)
	if err != nil {
		fmt.Println(err)
		return
	}
	addr, _ := Addr{Flags: BNode, Addr: netip.MustParseAddr("10.77.0.2")}.AppendBinary(nil)
	answer, _ := PositiveQueryResponse(query, 0, addr).AppendBinary(nil)

	response, err := Parse(answer)
	if err != nil {
		fmt.Println(err)
		return
	}
	addrs, err := ParseAddrs(nil, response.Answer.Data)
	fmt.Println(response.Answer.Name, "is at", addrs[0].Addr, err)
	// Output: HOST2<03> is at 10.77.0.2 <nil>
}
