package ncadg

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/internal/wire/vector"
)

var (
	little = dcerpc.LittleEndian()
	big    = dcerpc.DataRep{}

	messenger = dcerpc.SyntaxID{UUID: uuid("5a7b91f8-ff00-11d0-a9b2-00c04fb6e6fc"), Major: 1}
	caller    = uuid("13121110-1514-1716-1819-1a1b1c1d1e1f")
	server    = uuid("c0c1c2c3-c4c5-c6c7-c8c9-cacbcccdcecf")
)

const boot = 0x654E1C2B

// values are what the vectors with "expect: ok" hold, by file name, without
// their bodies.
var values = map[string]Packet{
	"request":            packet(Request, little, nil),
	"request-big-endian": packet(Request, big, nil),
	"request-one-way": packet(Request, little, func(p *Packet) {
		p.Flags1, p.Activity = Idempotent|NoFack, uuid("04030201-0605-0807-090a-0b0c0d0e0f10")
	}),
	"request-object":            packet(Request, little, numbered),
	"request-object-big-endian": packet(Request, big, numbered),
	"request-fragment-first":    packet(Request, little, func(p *Packet) { p.Flags1, p.Sequence = Fragment, 5 }),
	"request-fragment-last": packet(Request, little, func(p *Packet) {
		p.Flags1, p.Sequence, p.Fragment, p.Serial = Fragment|LastFragment, 5, 1, 0x0102
	}),
	"ping":                   packet(Ping, little, known),
	"response":               packet(Response, little, func(p *Packet) { known(p); p.InterfaceHint, p.ActivityHint = 0, 12 }),
	"response-big-endian":    packet(Response, big, func(p *Packet) { known(p); p.InterfaceHint, p.ActivityHint = 0, 12 }),
	"fault":                  packet(Fault, little, known),
	"fault-big-endian":       packet(Fault, big, known),
	"working":                packet(Working, little, known),
	"nocall":                 packet(NoCall, little, known),
	"nocall-fack":            packet(NoCall, little, func(p *Packet) { known(p); p.Fragment = 0xFFFF }),
	"reject":                 packet(Reject, little, known),
	"reject-big-endian":      packet(Reject, big, known),
	"ack":                    packet(Ack, little, known),
	"cancel":                 packet(Cancel, little, func(p *Packet) { p.Sequence = 5 }),
	"cancel-big-endian":      packet(Cancel, big, func(p *Packet) { p.Sequence = 5 }),
	"fack-empty":             packet(Fack, little, func(p *Packet) { p.Sequence, p.Fragment = 5, 3 }),
	"fack":                   packet(Fack, little, func(p *Packet) { p.Sequence, p.Fragment, p.Serial = 5, 3, 9 }),
	"fack-selack":            packet(Fack, little, func(p *Packet) { p.Sequence, p.Fragment, p.Serial = 5, 3, 9 }),
	"fack-selack-big-endian": packet(Fack, big, func(p *Packet) { p.Sequence, p.Fragment, p.Serial = 5, 0xFFFF, 9 }),
	"cancel-ack":             packet(CancelAck, little, known),
	"cancel-ack-big-endian":  packet(CancelAck, big, known),
	"conv-request": packet(Request, little, func(p *Packet) {
		p.Flags1, p.Interface, p.Opnum, p.Activity = Idempotent, Conv(), ConvWhoAreYou2, server
	}),
	"conv-response": packet(Response, little, func(p *Packet) {
		p.Interface, p.Opnum, p.Activity = Conv(), ConvWhoAreYou2, server
	}),
	"conv-response-old-big-endian": packet(Response, big, func(p *Packet) {
		p.Interface, p.Opnum, p.Activity = Conv(), ConvWhoAreYou, server
	}),
}

// sizes are those of the bodies whose contents only somebody else can read.
var sizes = map[string]int{
	"request": 64, "request-big-endian": 64, "request-one-way": 46, "request-object": 1, "request-object-big-endian": 1,
	"request-fragment-first": 24, "request-fragment-last": 40, "response": 4, "response-big-endian": 4,
}

func TestVectors(t *testing.T) {
	got := vector.Check(t, "", Parse, Packet.AppendBinary, func(p Packet) bool { return cmp.Equal(p, Packet{}) }, ErrInvalid)
	for name, p := range got {
		if size, ok := sizes[name]; ok != (bodies[name] == nil && p.Body != nil) || ok && len(p.Body) != size {
			t.Errorf("%s: a body of %d bytes", name, len(p.Body))
		}
		p.Body = nil
		got[name] = p
	}
	if diff := cmp.Diff(values, got); diff != "" {
		t.Errorf("Parse (-want +got):\n%s", diff)
	}
	seen := map[PacketType]bool{}
	for _, p := range got {
		seen[p.Type] = true
	}
	if len(seen) != int(CancelAck)+1 {
		t.Errorf("vectors of %d types only", len(seen))
	}
}

// The fields stand where others have found them: a request as a sender of spam
// wrote it, by the offsets that Snort's rule 2257 counts.
func TestRequestOneWay(t *testing.T) {
	b := load(t, "request-one-way")
	// content:"|04 00|"; depth:2; byte_test:1,>,15,2,relative
	if !bytes.HasPrefix(b, []byte("\x04\x00")) || b[4] <= 15 {
		t.Fatalf("% x", b[:8])
	}
	// byte_jump:4,86,little,align,relative: from byte 2 over 86, to the first
	// actual_count; from there over the string and 8 bytes to the next.
	at := 88
	for _, want := range []byte{2, 2} {
		if b[at] != want {
			t.Fatalf("count at %d: %d", at, b[at])
		}
		at += 4 + 4 + 8
	}
	// byte_test:4,>,1024,0,little,relative looks at the max_count of the text.
	if b[at-8] != 2 || b[at] != 2 || len(b) != at+4+2 {
		t.Fatalf("third counts before %d: % x", at, b[at-8:])
	}
}

// What is behind the body is not of the packet, and an append to the body must
// not reach it.
func TestParseBehindTheEnd(t *testing.T) {
	for _, v := range vector.Load(t, "re") {
		b := append(v.Bytes, "junk"...)
		p, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		again, err := p.AppendBinary(nil)
		if err != nil || !bytes.Equal(again, b[:len(b)-4]) {
			t.Errorf("%s: %v, % x", v.Name, err, again)
		}
		_ = append(p.Body, "XXXX"...)
		if !bytes.HasSuffix(b, []byte("junk")) {
			t.Errorf("%s: an append to the body wrote behind it", v.Name)
		}
	}
}

// Each changes one byte of a good packet.
func TestParseRefuses(t *testing.T) {
	good := load(t, "request")
	for what, tt := range map[string]struct {
		at   int
		to   byte
		want error
	}{
		"version 0":             {0, 0, ErrInvalid},
		"version 3":             {0, 3, ErrInvalid},
		"version 5":             {0, 5, ErrInvalid},
		"type 11":               {1, 11, ErrInvalid},
		"type 255":              {1, 255, ErrInvalid},
		"integers 2":            {4, 0x20, ErrInvalid},
		"integers 15":           {4, 0xF0, ErrInvalid},
		"big-endian all of it":  {4, 0x00, io.ErrUnexpectedEOF}, // len becomes 0x4000
		"a body longer by one":  {74, 65, io.ErrUnexpectedEOF},
		"a body longer by 256":  {75, 1, io.ErrUnexpectedEOF},
		"a body shorter by one": {74, 63, nil},
		"EBCDIC":                {4, 0x11, nil},
		"VAX floats":            {5, 1, nil},
		"reserved byte of drep": {6, 0xFF, nil},
		"all flags":             {2, 0xFF, nil},
		"all flags2":            {3, 0xFF, nil},
		"authentication":        {78, 10, nil},
	} {
		b := bytes.Clone(good)
		b[tt.at] = tt.to
		p, err := Parse(b)
		if !errors.Is(err, tt.want) || err != nil && !cmp.Equal(p, Packet{}) {
			t.Errorf("%s: %+v, %v; want %v", what, p, err, tt.want)
		}
		if LooksLike(b) != !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: LooksLike is %v", what, LooksLike(b))
		}
	}
	if LooksLike(good[:HeaderSize-1]) || LooksLike(nil) || !LooksLike(good[:HeaderSize]) {
		t.Error("LooksLike goes by another size than that of the header")
	}
}

func TestAppendRefuses(t *testing.T) {
	for what, change := range map[string]func(*Packet){
		"an unknown type":       func(p *Packet) { p.Type = CancelAck + 1 },
		"a body past len":       func(p *Packet) { p.Body = make([]byte, 0x10000) },
		"an unknown data label": func(p *Packet) { p.DataRep = dcerpc.DataRep{0x20} },
	} {
		p := values["request"]
		change(&p)
		if b, err := p.AppendBinary([]byte("foo")); !errors.Is(err, ErrInvalid) || b != nil {
			t.Errorf("%s: %d bytes, %v; want ErrInvalid", what, len(b), err)
		}
	}
	p := values["request"]
	p.Body = make([]byte, 0xFFFF)
	b, err := p.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := Parse(b); err != nil || len(p.Body) != 0xFFFF {
		t.Errorf("the longest body: %d bytes, %v", len(p.Body), err)
	}
}

func TestLess(t *testing.T) {
	for _, tt := range []struct {
		a, b uint32
		want bool
	}{
		{0, 0, false}, {0, 1, true}, {1, 0, false}, {5, 0xFFFFFFFF, false}, {0xFFFFFFFF, 0, true},
		{0xFFFFFFF0, 0x7FFFFFEF, true}, {0, 0x7FFFFFFF, true}, {0x7FFFFFFF, 0, false},
	} {
		if got := SequenceLess(tt.a, tt.b); got != tt.want {
			t.Errorf("SequenceLess(%#x, %#x): %v", tt.a, tt.b, got)
		}
	}
	for _, tt := range []struct {
		a, b uint16
		want bool
	}{{0, 0, false}, {0, 1, true}, {1, 0, false}, {0xFFFF, 0, true}, {0, 0xFFFF, false}, {0, 0x7FFF, true}, {0x7FFF, 0, false}} {
		if got := SerialLess(tt.a, tt.b); got != tt.want {
			t.Errorf("SerialLess(%#x, %#x): %v", tt.a, tt.b, got)
		}
	}
}

func TestTexts(t *testing.T) {
	seen := map[string]bool{}
	for typ := Request; typ <= CancelAck+1; typ++ {
		if s := typ.String(); seen[s] || s == "" || strings.Contains(s, "type") != (typ > CancelAck) {
			t.Errorf("type %d: %q", uint8(typ), s)
		} else {
			seen[s] = true
		}
	}
	for o := Kept; o <= Contradiction; o++ {
		if s := o.String(); s == "" || seen[s] {
			t.Errorf("outcome %d: %q", o, s)
		} else {
			seen[s] = true
		}
	}
}

func TestParseDoesNotAllocate(t *testing.T) {
	buf := make([]byte, 0, MustReceive)
	for _, v := range vector.Load(t, "") {
		if v.Expect != "ok" {
			continue
		}
		if n := testing.AllocsPerRun(100, func() {
			p, _ := Parse(v.Bytes)
			p.AppendBinary(buf)
		}); n != 0 {
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
			if !cmp.Equal(p, Packet{}) {
				t.Fatalf("%+v with %v", p, err)
			}
			if LooksLike(b) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("looks like a packet: %v", err)
			}
			return
		}
		if !LooksLike(b) {
			t.Fatal("a packet that does not look like one")
		}
		// There is one way to write a packet; what is behind it was not read.
		if again, err := p.AppendBinary(nil); err != nil || !bytes.HasPrefix(b, again) {
			t.Fatalf("%x became %x, %v", b, again, err)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for _, name := range []string{"request", "request-big-endian"} {
		packet := load(b, name)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(packet); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	p, err := Parse(load(b, "request"))
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 0, MustReceive)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.AppendBinary(buf); err != nil {
			b.Fatal(err)
		}
	}
}

func ExamplePacket() {
	iface, err := dcerpc.ParseUUID("5a7b91f8-ff00-11d0-a9b2-00c04fb6e6fc")
	if err != nil {
		panic(err)
	}
	b, err := Packet{
		Type: Request, DataRep: dcerpc.LittleEndian(), Interface: dcerpc.SyntaxID{UUID: iface, Major: 1},
		Activity: dcerpc.UUID{15: 1}, Sequence: 7, InterfaceHint: NoHint, ActivityHint: NoHint, Body: []byte("stub"),
	}.AppendBinary(nil)
	fmt.Println(len(b), err)

	p, err := Parse(b)
	fmt.Printf("%v %d of %v: %v, operation %d, %q %v\n", p.Type, p.Sequence, p.Activity, p.Interface, p.Opnum, p.Body, err)
	// Output:
	// 84 <nil>
	// request 7 of 00000000-0000-0000-0000-000000000001: 5a7b91f8-ff00-11d0-a9b2-00c04fb6e6fc v1.0, operation 0, "stub" <nil>
}

func packet(t PacketType, rep dcerpc.DataRep, change func(*Packet)) Packet {
	p := Packet{Type: t, DataRep: rep, Interface: messenger, Activity: caller, InterfaceHint: NoHint, ActivityHint: NoHint}
	if change != nil {
		change(&p)
	}
	return p
}

// known gives a packet what it has once caller and server know each other.
func known(p *Packet) { p.Sequence, p.ServerBoot = 5, boot }

// numbered gives every field another number.
func numbered(p *Packet) {
	p.Flags1, p.Flags2 = Maybe, CancelPending
	p.Object = uuid("00112233-4455-6677-8899-aabbccddeeff")
	p.Interface = dcerpc.SyntaxID{UUID: uuid("01020304-0506-0708-090a-0b0c0d0e0f10"), Major: 3, Minor: 7}
	p.Activity = uuid("a1a2a3a4-b1b2-c1c2-d1d2-d3d4d5d6d7d8")
	p.ServerBoot, p.Sequence, p.Opnum = 0x11121314, 0x21222324, 0x3132
	p.InterfaceHint, p.ActivityHint, p.Serial = 0x4142, 0x5152, 0x7172
}

func load(t testing.TB, name string) []byte {
	t.Helper()
	for _, v := range vector.Load(t, name) {
		if v.Name == name {
			return v.Bytes
		}
	}
	t.Fatalf("no vector %s", name)
	return nil
}

func uuid(s string) dcerpc.UUID {
	u, err := dcerpc.ParseUUID(s)
	if err != nil {
		panic(err)
	}
	return u
}
