package nbdgm

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/messngr/messngr/internal/wire/vector"
	"github.com/messngr/messngr/netbios"
)

var equateAddrs = cmpopts.EquateComparable(netip.AddrPort{})

// values are what the vectors with "expect: ok" hold, by file name. The data of
// those that carry an SMB is not repeated here.
var values = map[string]Packet{
	"win98-browse": {
		Type: DirectGroup, Flags: First, ID: 0x000C, Source: addrPort("192.168.239.129:138"),
		SourceName: name("MDJR98", netbios.Workstation), DestinationName: name("WORKGROUP", netbios.MasterBrowser),
	},
	"messngr-group": {
		Type: DirectGroup, Flags: First, ID: 0x000C, Source: addrPort("10.9.9.2:138"),
		SourceName: name("WIN98PC", netbios.Workstation), DestinationName: name("WORKGROUP", netbios.Workstation),
	},
	"nmbd-domain": {
		Type: DirectGroup, Flags: First | MNode, ID: 0x4B8E, Source: addrPort("10.9.9.1:138"),
		SourceName: name("LEGACY", netbios.Workstation), DestinationName: netbios.Name([]byte("\x01\x02__MSBROWSE__\x02\x01")),
	},
	"fragment-first":  fragment(First|More, 0, "one "),
	"fragment-middle": fragment(More, 4, "two "),
	"fragment-last":   fragment(0, 8, "three"),
	"broadcast-scope": {
		Type: Broadcast, Flags: First | PNode, ID: 0xFFFF, Source: addrPort("10.77.0.2:138"),
		SourceName: name("ALICE", netbios.Workstation), SourceScope: "\x07NETBIOS\x03COM",
		DestinationName: netbios.Wildcard, DestinationScope: "\x07NETBIOS\x03COM",
		Data: []byte{},
	},
	"reserved-flags": {
		Type: DirectUnique, Flags: First | NBDD | 0x10, ID: 1, Source: addrPort("10.77.0.2:138"),
		SourceName: name("ALICE", netbios.Messenger), DestinationName: name("HOST2", netbios.Messenger),
		Data: []byte("hi"),
	},
	"error-not-present": {Type: DatagramError, Flags: First, ID: 7, Source: addrPort("10.77.0.3:138"), ErrorCode: DestinationNotPresent},
	"error-source-name": {Type: DatagramError, Flags: First | MNode, ID: 8, Source: addrPort("10.77.0.3:138"), ErrorCode: InvalidSourceName},
	"query-request":     query(QueryRequest, First|PNode),
	"query-positive":    query(PositiveResponse, First|NBDD),
	"query-negative":    query(NegativeResponse, First|NBDD),
}

func TestVectors(t *testing.T) {
	got := vector.Check(t, "", Parse, Packet.AppendBinary, func(p Packet) bool { return cmp.Equal(p, Packet{}, equateAddrs) }, ErrInvalid)
	for smb, size := range map[string]int{"win98-browse": 119, "messngr-group": 120, "nmbd-domain": 125} {
		p := got[smb]
		if len(p.Data) != size || !bytes.HasPrefix(p.Data, []byte("\xFFSMB\x25")) {
			t.Errorf("%s: data %q, want an SMB of %d bytes", smb, p.Data, size)
		}
		p.Data = nil
		got[smb] = p
	}
	if diff := cmp.Diff(values, got, equateAddrs); diff != "" {
		t.Errorf("Parse (-want +got):\n%s", diff)
	}
}

// What is behind the packet is not of it, and an append to the data must not
// reach it.
func TestParseBehindTheEnd(t *testing.T) {
	for name, want := range values {
		if want.Type.IsDatagram() && want.Data == nil {
			continue // the SMBs
		}
		b, err := want.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, "junk"...)
		got, err := Parse(b)
		if diff := cmp.Diff(want, got, equateAddrs); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
		_ = append(got.Data, "XXXX"...)
		if !bytes.HasSuffix(b, []byte("junk")) {
			t.Errorf("%s: an append to the data wrote behind it", name)
		}
	}
}

func TestAppendRefuses(t *testing.T) {
	good := values["reserved-flags"]
	most := 0xFFFF - 2*netbios.EncodedSize
	for what, change := range map[string]func(*Packet){
		"no type":                func(p *Packet) { p.Type = 0 },
		"a type past the last":   func(p *Packet) { p.Type = 0x17 },
		"no source":              func(p *Packet) { p.Source = netip.AddrPort{} },
		"an IPv6 source":         func(p *Packet) { p.Source = addrPort("[::1]:138") },
		"a bad source scope":     func(p *Packet) { p.SourceScope = "\x05abc" },
		"a bad destination":      func(p *Packet) { p.DestinationScope = "\x00" },
		"a bad name of a query":  func(p *Packet) { p.Type, p.DestinationScope = QueryRequest, "\x00" },
		"data past DGM_LENGTH":   func(p *Packet) { p.Data = make([]byte, most+1) },
		"scope, and data at max": func(p *Packet) { p.Data, p.SourceScope = make([]byte, most), "\x01x" },
	} {
		p := good
		change(&p)
		if b, err := p.AppendBinary([]byte("foo")); !errors.Is(err, ErrInvalid) || b != nil {
			t.Errorf("%s: %d bytes, %v; want ErrInvalid", what, len(b), err)
		}
	}
	good.Data = make([]byte, most)
	b, err := good.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := Parse(b); err != nil || len(p.Data) != most {
		t.Errorf("the longest data: %d bytes, %v", len(p.Data), err)
	}
}

func TestTexts(t *testing.T) {
	seen := map[string]bool{}
	for typ := DirectUnique; typ <= NegativeResponse+1; typ++ {
		if s := typ.String(); seen[s] || strings.Contains(s, "0x") != (typ > NegativeResponse) {
			t.Errorf("type 0x%02X: %q", uint8(typ), s)
		} else {
			seen[s] = true
		}
	}
	for code := DestinationNotPresent; code <= InvalidDestinationName+1; code++ {
		if s := code.Error(); seen[s] || strings.Contains(s, "0x") != (code > InvalidDestinationName) {
			t.Errorf("error 0x%02X: %q", uint8(code), s)
		} else {
			seen[s] = true
		}
	}
	for why := Orphan; why < reasons; why++ {
		if s := why.String(); s == "" || seen[s] {
			t.Errorf("reason %d: %q", why, s)
		} else {
			seen[s] = true
		}
	}
}

func TestParseDoesNotAllocate(t *testing.T) {
	for _, v := range vector.Load(t, "") {
		if v.Expect != "ok" || strings.Contains(v.Name, "scope") { // a scope is a string
			continue
		}
		if n := testing.AllocsPerRun(100, func() { Parse(v.Bytes) }); n != 0 {
			t.Errorf("%s: %v allocations", v.Name, n)
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
			if !errors.Is(err, ErrInvalid) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("an error of no kind: %v", err)
			}
			if !cmp.Equal(p, Packet{}, equateAddrs) {
				t.Fatalf("%+v with %v", p, err)
			}
			return
		}
		// There is one way to write a packet; what is behind it was not read.
		if again, err := p.AppendBinary(nil); err != nil || !bytes.HasPrefix(b, again) {
			t.Fatalf("%x became %x, %v", b, again, err)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	packet := vector.Load(b, "messngr-group")[0].Bytes
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(packet); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	p, err := Parse(vector.Load(b, "messngr-group")[0].Bytes)
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 0, MaxSize)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.AppendBinary(buf); err != nil {
			b.Fatal(err)
		}
	}
}

func ExamplePacket() {
	from, _ := netbios.NewName("ALICE", netbios.Messenger)
	to, _ := netbios.NewName("HOST2", netbios.Messenger)
	b, err := Packet{
		Type: DirectUnique, Flags: First | BNode, ID: 1, Source: netip.MustParseAddrPort("10.77.0.2:138"),
		SourceName: from, DestinationName: to, Data: []byte("hi"),
	}.AppendBinary(nil)
	fmt.Println(len(b), err)

	p, err := Parse(b)
	fmt.Printf("%v from %v at %v to %v: %q %v\n", p.Type, p.SourceName, p.Source, p.DestinationName, p.Data, err)
	// Output:
	// 84 <nil>
	// DIRECT_UNIQUE DATAGRAM from ALICE<03> at 10.77.0.2:138 to HOST2<03>: "hi" <nil>
}

func fragment(flags Flags, offset uint16, data string) Packet {
	return Packet{
		Type: DirectUnique, Flags: flags, ID: 7, Source: addrPort("10.77.0.2:138"),
		SourceName: name("ALICE", netbios.Messenger), DestinationName: name("HOST2", netbios.Messenger),
		Offset: offset, Data: []byte(data),
	}
}

func query(t Type, flags Flags) Packet {
	return Packet{
		Type: t, Flags: flags, ID: 9, Source: addrPort("10.77.0.9:138"),
		DestinationName: name("WORKGROUP", netbios.Workstation),
	}
}

func name(base string, suffix netbios.Suffix) netbios.Name {
	n, err := netbios.NewName(base, suffix)
	if err != nil {
		panic(err)
	}
	return n
}

func addrPort(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }
