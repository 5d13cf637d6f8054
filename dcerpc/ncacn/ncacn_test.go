package ncacn

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/internal/wire/vector"
)

var (
	little = dcerpc.LittleEndian()
	big    = dcerpc.DataRep{}
)

// The interfaces of the vectors.
var (
	msgsvcsend = dcerpc.SyntaxID{UUID: uuid("5a7b91f8-ff00-11d0-a9b2-00c04fb6e6fc"), Major: 1}
	epm        = dcerpc.SyntaxID{UUID: uuid("e1af8308-5d1f-11c9-91a4-08002b14a0fa"), Major: 3}
	features   = dcerpc.SyntaxID{UUID: uuid("6cb71c2c-9812-4540-0300-000000000000"), Major: 1}
	object     = uuid("00112233-4455-6677-8899-aabbccddeeff")
)

func uuid(s string) dcerpc.UUID {
	u, err := dcerpc.ParseUUID(s)
	if err != nil {
		panic(err)
	}
	return u
}

func header(t Type, length uint16, call uint32) Header {
	return Header{Type: t, Flags: Whole, DataRep: little, Length: length, CallID: call}
}

func bigEndian(h Header) Header {
	h.DataRep = big
	return h
}

func altered(h Header, change func(*Header)) Header {
	change(&h)
	return h
}

// check holds a codec against its vectors.
func check[T interface {
	AppendBinary([]byte) ([]byte, error)
}](t *testing.T, prefix string, parse func([]byte) (T, error), want map[string]T) {
	t.Helper()
	isZero := func(v T) bool { var zero T; return cmp.Equal(v, zero) }
	got := vector.Check(t, prefix, parse, func(v T, b []byte) ([]byte, error) { return v.AppendBinary(b) }, isZero, ErrInvalid)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s* (-want +got):\n%s", prefix, diff)
	}
}

func TestBindVectors(t *testing.T) {
	ndr := []dcerpc.SyntaxID{dcerpc.NDR()}
	check(t, "bind-", ParseBind, map[string]Bind{
		"bind-msgsvcsend": {header(TypeBind, 72, 1), 5840, 5840, 0, []Context{{0, msgsvcsend, ndr}}},
		"bind-big-endian": {bigEndian(header(TypeBind, 72, 1)), 5840, 5840, 0, []Context{{0, msgsvcsend, ndr}}},
		"bind-two-contexts": {header(TypeBind, 116, 2), 5840, 5840, 0, []Context{
			{0, epm, ndr}, {1, epm, []dcerpc.SyntaxID{features}},
		}},
		"bind-alter": {
			altered(header(TypeAlterContext, 52, 7), func(h *Header) { h.Minor = 1 }), MustReceive, MustReceive, 0x12345678,
			[]Context{{5, dcerpc.SyntaxID{UUID: msgsvcsend.UUID, Major: 1, Minor: 2}, []dcerpc.SyntaxID{}}},
		},
		"bind-nothing": {header(TypeBind, 28, 1), 5840, 5840, 0, []Context{}},
	})
}

func TestBindAckVectors(t *testing.T) {
	ndr := Result{Accepted, 0, dcerpc.NDR()}
	check(t, "ack-", ParseBindAck, map[string]BindAck{
		"ack-accepted":   {header(TypeBindAck, 60, 1), 5840, 5840, 1, "135", []Result{ndr}},
		"ack-big-endian": {bigEndian(header(TypeBindAck, 60, 1)), 5840, 5840, 1, "135", []Result{ndr}},
		"ack-two": {header(TypeBindAck, 84, 1), 5840, 5840, 1, "49152", []Result{
			ndr, {ProviderRejection, TransferSyntaxesNotSupported, dcerpc.SyntaxID{}},
		}},
		"ack-altered": {header(TypeAlterContextResponse, 56, 1), MustReceive, MustReceive, 1, "", []Result{
			{ProviderRejection, InterfaceNotSupported, dcerpc.SyntaxID{}},
		}},
	})
}

func TestBindNakVectors(t *testing.T) {
	check(t, "nak-", ParseBindNak, map[string]BindNak{
		"nak-authentication": {header(TypeBindNak, 23, 1), RejectAuthenticationType, []Version{{5, 0}, {5, 1}}},
		"nak-no-versions":    {bigEndian(header(TypeBindNak, 19, 1)), RejectLimitExceeded, []Version{}},
	})
	got, err := ParseBindNak(vector.Load(t, "lax-nak-signature")[0].Bytes)
	want := BindNak{header(TypeBindNak, 37, 1), RejectProtocolVersion, []Version{{5, 0}}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("with a signature: %v (-want +got):\n%s", err, diff)
	}
}

func TestRequestVectors(t *testing.T) {
	whole := Request{header(TypeRequest, 28, 2), 4, 1, 3, dcerpc.UUID{}, []byte("\xde\xad\xbe\xef")}
	swapped := whole
	swapped.Header = bigEndian(whole.Header)
	check(t, "request-", ParseRequest, map[string]Request{
		"request-whole":      whole,
		"request-big-endian": swapped,
		"request-object": {
			altered(header(TypeRequest, 42, 2), func(h *Header) { h.Flags = First | HasObject }), 256, 0, 0, object, []byte("hi"),
		},
	})
}

func TestResponseVectors(t *testing.T) {
	check(t, "response-", ParseResponse, map[string]Response{
		"response-last":  {altered(header(TypeResponse, 28, 2), func(h *Header) { h.Flags = Last }), 4, 1, 2, []byte("\xe1\x08\x00\x00")},
		"response-empty": {bigEndian(header(TypeResponse, 24, 2)), 0, 1, 0, []byte{}},
	})
}

func TestFaultVectors(t *testing.T) {
	flags := func(h *Header) { h.Flags |= DidNotExecute }
	check(t, "fault-", ParseFault, map[string]Fault{
		"fault-operation":  {altered(header(TypeFault, 32, 2), flags), 0, 1, 0, dcerpc.StatusOperationRange},
		"fault-big-endian": {altered(bigEndian(header(TypeFault, 32, 2)), flags), 0, 1, 0, dcerpc.StatusOperationRange},
	})
	got, err := ParseFault(vector.Load(t, "lax-fault-stub")[0].Bytes)
	want := Fault{header(TypeFault, 36, 2), 0, 1, 0, dcerpc.FaultNDR}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("with a stub: %v (-want +got):\n%s", err, diff)
	}
}

func TestHeaderVectors(t *testing.T) {
	check(t, "header-", ParseHeader, map[string]Header{
		"header-shutdown": header(TypeShutdown, 16, 2),
		"header-cancel":   altered(bigEndian(header(TypeCancel, 16, 0x102)), func(h *Header) { h.Minor = 1 }),
		"header-orphaned": header(TypeOrphaned, 16, 2),
	})
}

// Other versions and authentication are told from what is wrong.
func TestKindsOfErrors(t *testing.T) {
	kinds := map[string]error{"bind-version-4": ErrVersion, "bind-version-5-2": ErrVersion, "bind-authenticated": ErrAuth}
	for _, v := range vector.Load(t, "bind-") {
		_, err := ParseBind(v.Bytes)
		for _, kind := range []error{ErrVersion, ErrAuth} {
			if errors.Is(err, kind) != (kinds[v.Name] == kind) {
				t.Errorf("%s: %v", v.Name, err)
			}
		}
	}
}

// What cannot be read is not written.
func TestWhatIsNotWritten(t *testing.T) {
	for what, p := range map[string]interface {
		AppendBinary([]byte) ([]byte, error)
	}{
		"a bind of another type":     Bind{Header: header(TypeRequest, 0, 0)},
		"an ack of another type":     BindAck{Header: header(TypeBind, 0, 0)},
		"a nak of another type":      BindNak{Header: header(TypeBind, 0, 0)},
		"a request of another type":  Request{Header: header(TypeResponse, 0, 0)},
		"a response of another type": Response{Header: header(TypeRequest, 0, 0)},
		"a fault of another type":    Fault{Header: header(TypeRequest, 0, 0)},
		"another version":            Header{Minor: 2, Type: TypeShutdown},
		"no byte order":              Header{DataRep: dcerpc.DataRep{0x20}, Type: TypeShutdown},
		"too many contexts":          Bind{Header: header(TypeBind, 0, 0), Contexts: make([]Context, 256)},
		"too many transfer syntaxes": Bind{Header: header(TypeBind, 0, 0), Contexts: []Context{{Transfer: make([]dcerpc.SyntaxID, 256)}}},
		"too many results":           BindAck{Header: header(TypeBindAck, 0, 0), Results: make([]Result, 256)},
		"a long address":             BindAck{Header: header(TypeBindAck, 0, 0), Address: strings.Repeat("x", maxAddress)},
		"NUL in an address":          BindAck{Header: header(TypeBindAck, 0, 0), Address: "1\x00"},
		"too many versions":          BindNak{Header: header(TypeBindNak, 0, 0), Versions: make([]Version, 256)},
		"an object without its flag": Request{Header: header(TypeRequest, 0, 0), Object: object},
		"a long request":             Request{Header: header(TypeRequest, 0, 0), Stub: make([]byte, 1<<16-24)},
		"a long response":            Response{Header: header(TypeResponse, 0, 0), Stub: make([]byte, 1<<16-24)},
		"a long bind": Bind{Header: header(TypeBind, 0, 0), Contexts: []Context{
			{Transfer: make([]dcerpc.SyntaxID, 255)}, {Transfer: make([]dcerpc.SyntaxID, 255)}, {Transfer: make([]dcerpc.SyntaxID, 255)},
			{Transfer: make([]dcerpc.SyntaxID, 255)}, {Transfer: make([]dcerpc.SyntaxID, 255)}, {Transfer: make([]dcerpc.SyntaxID, 255)},
			{Transfer: make([]dcerpc.SyntaxID, 255)}, {Transfer: make([]dcerpc.SyntaxID, 255)}, {Transfer: make([]dcerpc.SyntaxID, 255)},
			{Transfer: make([]dcerpc.SyntaxID, 255)}, {Transfer: make([]dcerpc.SyntaxID, 255)}, {Transfer: make([]dcerpc.SyntaxID, 255)},
			{Transfer: make([]dcerpc.SyntaxID, 255)},
		}},
	} {
		if b, err := p.AppendBinary([]byte("foo")); !errors.Is(err, ErrInvalid) || b != nil {
			t.Errorf("%s: %d bytes, %v, want ErrInvalid", what, len(b), err)
		}
	}
	if b, err := (Request{Header: header(TypeRequest, 0, 0), Stub: make([]byte, 1<<16-25)}).AppendBinary(nil); err != nil || len(b) != 1<<16-1 {
		t.Errorf("the longest request: %d bytes, %v", len(b), err)
	}
}

func TestTypeNames(t *testing.T) {
	for _, v := range vector.Load(t, "") {
		h, err := ParseHeader(v.Bytes)
		if err == nil && strings.HasPrefix(h.Type.String(), "RPC packet type") {
			t.Errorf("%s: %v", v.Name, h.Type)
		}
	}
	if got := Type(1).String(); got != "RPC packet type 1" {
		t.Error(got)
	}
}

func TestReader(t *testing.T) {
	var stream []byte
	var want [][]byte
	for _, v := range vector.Load(t, "request-") {
		if v.Expect == "ok" {
			want, stream = append(want, v.Bytes), append(stream, v.Bytes...)
		}
	}
	long, err := Request{Header: header(TypeRequest, 0, 9), Stub: bytes.Repeat([]byte{7}, 5840-RequestSize)}.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	want, stream = append(want, long, want[0]), append(append(stream, long...), want[0]...)
	for name, src := range map[string]io.Reader{
		"at once":         bytes.NewReader(stream),
		"a byte a time":   iotest.OneByteReader(bytes.NewReader(stream)),
		"half":            iotest.HalfReader(bytes.NewReader(stream)),
		"EOF with data":   iotest.DataErrReader(bytes.NewReader(stream)),
		"mid-stream stop": io.LimitReader(bytes.NewReader(stream), int64(len(stream)-1)),
	} {
		r := NewReader(src, 5840)
		var got [][]byte
		var err error
		for {
			var h Header
			var b []byte
			if h, b, err = r.Next(); err != nil {
				break
			}
			if int(h.Length) != len(b) || h.Type != TypeRequest {
				t.Errorf("%s: %v of %d bytes: %d came", name, h.Type, h.Length, len(b))
			}
			got = append(got, bytes.Clone(b))
		}
		want, wantErr := want, io.EOF
		if name == "mid-stream stop" {
			want, wantErr = want[:len(want)-1], io.ErrUnexpectedEOF
		}
		if diff := cmp.Diff(want, got); diff != "" || !errors.Is(err, wantErr) {
			t.Errorf("%s: error %v\n%s", name, err, diff)
		}
	}
}

// A packet that is too long is refused when its header is there, which says
// what it would have been.
func TestReaderLimit(t *testing.T) {
	bind := vector.Load(t, "bind-msgsvcsend")[0].Bytes
	h, b, err := NewReader(bytes.NewReader(bind[:HeaderSize]), len(bind)-1).Next()
	if !errors.Is(err, ErrInvalid) || b != nil || h.Type != TypeBind || h.CallID != 1 {
		t.Errorf("%d bytes where %d are taken: %v, %v", len(bind), len(bind)-1, h, err)
	}
	r := NewReader(bytes.NewReader(bind), len(bind))
	if _, _, err := r.Next(); err != nil {
		t.Errorf("%d bytes where as many are taken: %v", len(bind), err)
	}
	r.Reset(strings.NewReader("what is this? It has no end"))
	if h, b, err := r.Next(); !errors.Is(err, ErrVersion) || b != nil || h != (Header{}) {
		t.Errorf("garbage: %v, %x, %v", h, b, err)
	}
}

func BenchmarkParseRequest(b *testing.B) {
	packet := vector.Load(b, "request-whole")[0].Bytes
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseRequest(packet); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseBind(b *testing.B) {
	packet := vector.Load(b, "bind-msgsvcsend")[0].Bytes
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseBind(packet); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendResponse(b *testing.B) {
	p := Response{Header: header(TypeResponse, 0, 1), Stub: []byte("\xe1\x08\x00\x00")}
	buf := make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.AppendBinary(buf); err != nil {
			b.Fatal(err)
		}
	}
}

func Example() {
	h := Header{Type: TypeRequest, Flags: Whole, DataRep: dcerpc.LittleEndian(), CallID: 1}
	b, err := Request{Header: h, Opnum: 3, Stub: []byte("stub")}.AppendBinary(nil)
	fmt.Println(len(b), err)

	r := NewReader(bytes.NewReader(b), 5840)
	h, b, err = r.Next()
	fmt.Println(h.Type, h.Length, err)
	q, err := ParseRequest(b)
	fmt.Printf("operation %d: %q %v\n", q.Opnum, q.Stub, err)
	// Output:
	// 28 <nil>
	// request 28 <nil>
	// operation 3: "stub" <nil>
}
