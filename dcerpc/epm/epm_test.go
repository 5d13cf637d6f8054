package epm

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/internal/wire/vector"
)

var (
	little = dcerpc.LittleEndian()
	big    = dcerpc.DataRep{}
)

// msgsvcsend is the interface of the vectors.
var msgsvcsend = dcerpc.SyntaxID{
	UUID:  dcerpc.UUID{0x5a, 0x7b, 0x91, 0xf8, 0xff, 0x00, 0x11, 0xd0, 0xa9, 0xb2, 0x00, 0xc0, 0x4f, 0xb6, 0xe6, 0xfc},
	Major: 1,
}

func tower(p Protocol, addr string) Tower {
	return Tower{msgsvcsend, dcerpc.NDR(), p, netip.MustParseAddrPort(addr)}
}

func octets(t testing.TB, tw Tower) []byte {
	b, err := tw.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// equal compares values with the addresses in them.
func equal(a, b any) bool { return cmp.Equal(a, b, cmpopts.EquateComparable(netip.AddrPort{})) }

func TestTowerVectors(t *testing.T) {
	got := vector.Check(t, "tower-", ParseTower, Tower.AppendBinary, func(tw Tower) bool { return tw == Tower{} }, ErrInvalid)
	want := map[string]Tower{
		"tower-udp":   tower(UDP, "10.77.0.1:1025"),
		"tower-tcp":   tower(TCP, "127.0.0.1:135"),
		"tower-asked": tower(UDP, "0.0.0.0:0"),
	}
	if !equal(want, got) {
		t.Errorf("%v, want %v", got, want)
	}
	for _, v := range vector.Load(t, "tower-") {
		if v.Expect == "ok" && len(v.Bytes) != TowerSize {
			t.Errorf("%s: %d bytes, TowerSize is %d", v.Name, len(v.Bytes), TowerSize)
		}
	}
	if got, err := ParseTower(vector.Load(t, "lax-tower-more-floors")[0].Bytes); err != nil || got != want["tower-udp"] {
		t.Errorf("with a sixth floor: %v, %v", got, err)
	}
}

// A tower of another protocol is told from one that is wrong.
func TestOtherProtocols(t *testing.T) {
	other := map[string]bool{"tower-pipe": true, "tower-http": true, "tower-crossed": true, "tower-four-floors": true, "tower-not-ip": true}
	for _, v := range vector.Load(t, "tower-") {
		if _, err := ParseTower(v.Bytes); errors.Is(err, ErrProtocol) != other[v.Name] {
			t.Errorf("%s: %v", v.Name, err)
		}
	}
	for what, tw := range map[string]Tower{
		"no protocol": tower(0, "10.77.0.1:1"),
		"IPv6":        tower(UDP, "[fd00::1]:1"),
		"no address":  {Protocol: TCP},
	} {
		if b, err := tw.AppendBinary([]byte("foo")); !errors.Is(err, ErrInvalid) || b != nil {
			t.Errorf("%s: %x, %v, want ErrInvalid", what, b, err)
		}
	}
	if got := fmt.Sprint(UDP, TCP, Protocol(7)); got != "ncadg_ip_udp ncacn_ip_tcp protocol sequence 7" {
		t.Error(got)
	}
}

// A stub is what the requests and responses have in common.
type stub interface {
	AppendBinary([]byte, dcerpc.DataRep) ([]byte, error)
}

// check holds a codec against its vectors in both byte orders.
func check[T stub](t *testing.T, prefix string, parse func([]byte, dcerpc.DataRep) (T, error), want map[string]T) {
	t.Helper()
	got := map[string]T{}
	for order, rep := range map[string]dcerpc.DataRep{"": little, "big-": big} {
		read := func(b []byte) (T, error) { return parse(b, rep) }
		write := func(v T, b []byte) ([]byte, error) { return v.AppendBinary(b, rep) }
		isZero := func(v T) bool { var zero T; return cmp.Equal(v, zero) }
		for name, v := range vector.Check(t, order+prefix, read, write, isZero, ErrInvalid) {
			got[name] = v
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s* (-want +got):\n%s", prefix, diff)
	}
}

var (
	object = dcerpc.UUID{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}
	handle = Handle{UUID: dcerpc.UUID{1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 6}}
)

func TestMapVectors(t *testing.T) {
	asked := MapRequest{Tower: octets(t, tower(UDP, "0.0.0.0:0")), MaxTowers: 4}
	check(t, "map-", ParseMapRequest, map[string]MapRequest{
		"map-udp":     asked,
		"big-map-udp": asked,
		"map-object":  {Object: object, Handle: handle, MaxTowers: 1},
	})
	two := MapResponse{Max: 4, Towers: [][]byte{octets(t, tower(UDP, "10.77.0.1:1025")), octets(t, tower(TCP, "127.0.0.1:135"))}}
	check(t, "mapped-", ParseMapResponse, map[string]MapResponse{
		"mapped-two":     two,
		"big-mapped-two": two,
		"mapped-none":    {Max: 4, Status: dcerpc.StatusNotRegistered},
	})
}

// Who rounds the stub of a request up is understood.
func TestRoundedUp(t *testing.T) {
	if got, err := ParseMapRequest(vector.Load(t, "lax-map-rounded-up")[0].Bytes, little); err != nil || !cmp.Equal(got, MapRequest{MaxTowers: 4}) {
		t.Errorf("ept_map: %+v, %v", got, err)
	}
	if got, err := ParseFreeRequest(vector.Load(t, "lax-free-rounded-up")[0].Bytes, little); err != nil || got.Handle.UUID.IsNil() {
		t.Errorf("ept_lookup_handle_free: %+v, %v", got, err)
	}
	lookup, err := LookupRequest{Version: AllVersions, MaxEntries: 1}.AppendBinary(nil, little)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ParseLookupRequest(append(lookup, 0, 0, 0, 0), little); err != nil || got.MaxEntries != 1 {
		t.Errorf("ept_lookup: %+v, %v", got, err)
	}
}

func TestLookupVectors(t *testing.T) {
	both := LookupRequest{ByBoth, object, msgsvcsend, Compatible, handle, 1}
	check(t, "lookup-", ParseLookupRequest, map[string]LookupRequest{
		"lookup-all":      {Version: AllVersions, MaxEntries: MaxResults},
		"lookup-both":     both,
		"big-lookup-both": both,
	})
	two := LookupResponse{Handle: handle, Max: MaxResults, Entries: []Entry{
		{dcerpc.UUID{}, octets(t, tower(UDP, "10.77.0.1:1025")), []byte("Messenger Service")},
		{object, octets(t, tower(TCP, "127.0.0.1:135")), []byte{}},
	}}
	check(t, "entries-", ParseLookupResponse, map[string]LookupResponse{
		"entries-two":      two,
		"big-entries-two":  two,
		"entries-none":     {Max: MaxResults, Status: dcerpc.StatusNotRegistered},
		"entries-no-tower": {Max: MaxResults, Entries: []Entry{{Annotation: []byte("A")}}},
	})
}

func TestFreeVectors(t *testing.T) {
	check(t, "free-", ParseFreeRequest, map[string]FreeRequest{"free-request": {handle}, "big-free-request": {handle}})
	check(t, "freed-", ParseFreeResponse, map[string]FreeResponse{"freed-done": {}, "big-freed-done": {Status: dcerpc.StatusCantPerform}})
}

// What cannot be read is not written.
func TestWhatIsNotWritten(t *testing.T) {
	long := make([]byte, MaxTower+1)
	for what, v := range map[string]stub{
		"long tower in a request":  MapRequest{Tower: long},
		"long tower in a response": MapResponse{Max: 1, Towers: [][]byte{long}},
		"long tower in an entry":   LookupResponse{Max: 1, Entries: []Entry{{Tower: long}}},
		"more towers than asked":   MapResponse{Max: 1, Towers: make([][]byte, 2)},
		"more entries than asked":  LookupResponse{Max: 1, Entries: make([]Entry, 2)},
		"too many towers":          MapResponse{Max: 1 << 20, Towers: make([][]byte, MaxResults+1)},
		"too many entries":         LookupResponse{Max: 1 << 20, Entries: make([]Entry, MaxResults+1)},
		"long annotation":          LookupResponse{Max: 1, Entries: []Entry{{Annotation: []byte(strings.Repeat("x", 64))}}},
		"NUL in an annotation":     LookupResponse{Max: 1, Entries: []Entry{{Annotation: []byte("a\x00b")}}},
	} {
		if b, err := v.AppendBinary([]byte("foo"), little); !errors.Is(err, ErrInvalid) || b != nil {
			t.Errorf("%s: %d bytes, %v, want ErrInvalid", what, len(b), err)
		}
	}
	for what, v := range map[string]stub{"map": MapRequest{}, "mapped": MapResponse{}, "lookup": LookupRequest{}, "entries": LookupResponse{}, "free": FreeRequest{}, "freed": FreeResponse{}} {
		if b, err := v.AppendBinary([]byte("foo"), dcerpc.DataRep{0x20}); !errors.Is(err, ErrInvalid) || b != nil {
			t.Errorf("%s in no byte order: %x, %v, want ErrInvalid", what, b, err)
		}
	}
}

// As many as there can be.
func TestMostResults(t *testing.T) {
	towers := make([][]byte, MaxResults)
	entries := make([]Entry, MaxResults)
	for i := range towers {
		towers[i] = bytes.Repeat([]byte{byte(i)}, i%7)
		entries[i] = Entry{dcerpc.UUID{byte(i)}, towers[i], bytes.Repeat([]byte("x"), i%maxAnnotation)}
	}
	mapped := MapResponse{Max: MaxResults, Towers: towers}
	b, err := mapped.AppendBinary(nil, little)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ParseMapResponse(b, little); err != nil || !cmp.Equal(got, mapped) {
		t.Errorf("%v:\n%s", err, cmp.Diff(mapped, got))
	}
	looked := LookupResponse{Max: MaxResults, Entries: entries}
	if b, err = looked.AppendBinary(nil, big); err != nil {
		t.Fatal(err)
	}
	if got, err := ParseLookupResponse(b, big); err != nil || !cmp.Equal(got, looked) {
		t.Errorf("%v:\n%s", err, cmp.Diff(looked, got))
	}
}

func BenchmarkParseMapRequest(b *testing.B) {
	stub := vector.Load(b, "map-udp")[0].Bytes
	b.ReportAllocs()
	for b.Loop() {
		q, err := ParseMapRequest(stub, little)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := ParseTower(q.Tower); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendMapResponse(b *testing.B) {
	tw := tower(UDP, "10.77.0.1:1025")
	var tower [TowerSize]byte
	buf := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		o, err := tw.AppendBinary(tower[:0])
		if err != nil {
			b.Fatal(err)
		}
		if _, err := (MapResponse{Max: 1, Towers: [][]byte{o}}).AppendBinary(buf, little); err != nil {
			b.Fatal(err)
		}
	}
}

func Example() {
	// Where is an interface to be found?
	iface := dcerpc.SyntaxID{UUID: dcerpc.UUID{0x5a, 0x7b, 0x91, 0xf8}, Major: 1}
	asked, err := Tower{iface, dcerpc.NDR(), UDP, netip.AddrPortFrom(netip.IPv4Unspecified(), 0)}.AppendBinary(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	q, err := MapRequest{Tower: asked, MaxTowers: 1}.AppendBinary(nil, dcerpc.LittleEndian())
	fmt.Println(len(q), err)

	// The answer to it.
	tower, _ := Tower{iface, dcerpc.NDR(), UDP, netip.MustParseAddrPort("10.77.0.1:1025")}.AppendBinary(nil)
	b, _ := MapResponse{Max: 1, Towers: [][]byte{tower}}.AppendBinary(nil, dcerpc.LittleEndian())
	p, err := ParseMapResponse(b, dcerpc.LittleEndian())
	for _, octets := range p.Towers {
		t, err := ParseTower(octets)
		fmt.Println(t.Protocol, t.Addr, err)
	}
	fmt.Println(err)
	// Output:
	// 116 <nil>
	// ncadg_ip_udp 10.77.0.1:1025 <nil>
	// <nil>
}
