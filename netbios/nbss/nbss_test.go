package nbss

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/messngr/messngr/internal/wire/vector"
	"github.com/messngr/messngr/netbios"
)

func TestPacketVectors(t *testing.T) {
	got := vector.Check(t, "packet-", Parse, Packet.AppendBinary, func(p Packet) bool { return p.Type == 0 && p.Trailer == nil }, ErrInvalid)
	code, err := ParseNegative(got["packet-negative"].Trailer)
	if err != nil || code != CalledNameNotPresent {
		t.Errorf("negative response: %v, %v", code, err)
	}
	if b := AppendNegative(nil, CalledNameNotPresent); string(b) != "\x83\x00\x00\x01\x82" {
		t.Errorf("AppendNegative: % x", b)
	}
	target, err := ParseRetarget(got["packet-retarget"].Trailer)
	if want := netip.MustParseAddrPort("10.77.0.9:1390"); err != nil || target.Addr != want {
		t.Errorf("retarget: %v, %v, want %v", target, err, want)
	}
	b, err := target.AppendBinary(nil)
	if err != nil || string(b) != "\x84\x00\x00\x06\x0a\x4d\x00\x09\x05\x6e" {
		t.Errorf("Retarget.AppendBinary: % x, %v", b, err)
	}
	if _, err := (Retarget{netip.MustParseAddrPort("[::1]:139")}).AppendBinary(nil); !errors.Is(err, ErrInvalid) {
		t.Errorf("an IPv6 retarget: %v, want ErrInvalid", err)
	}
}

func TestRequestVectors(t *testing.T) {
	parse := func(b []byte) (Request, error) {
		p, err := Parse(b)
		if err != nil {
			return Request{}, err
		}
		return ParseRequest(p.Trailer)
	}
	// A name's own errors wrap netbios.ErrInvalid; either is "whole and wrong".
	either := func(b []byte) (Request, error) {
		q, err := parse(b)
		if errors.Is(err, netbios.ErrInvalid) {
			err = fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		return q, err
	}
	got := vector.Check(t, "request-", either, Request.AppendBinary, func(q Request) bool { return q == Request{} }, ErrInvalid)
	q := got["request-smbclient"]
	if q.Called.String() != "LEGACY<03>" || q.Calling.String() != "CLIENT<00>" {
		t.Errorf("request %v from %v", q.Called, q.Calling)
	}
}

func TestTrailersOfTheWrongSize(t *testing.T) {
	for n := range 10 {
		b := make([]byte, n)
		if code, err := ParseNegative(b); (err == nil) != (n == 1) || err != nil && code != 0 {
			t.Errorf("negative response of %d bytes: %v, %v", n, code, err)
		}
		if target, err := ParseRetarget(b); (err == nil) != (n == 6) || err != nil && target != (Retarget{}) {
			t.Errorf("retarget of %d bytes: %v, %v", n, target, err)
		}
	}
}

func TestReader(t *testing.T) {
	long := Packet{SessionMessage, bytes.Repeat([]byte{7}, 100_000)}
	packets := []Packet{{SessionRequest, []byte("x")}, {KeepAlive, nil}, long, {SessionMessage, []byte("end")}}
	var stream []byte
	for _, p := range packets {
		stream, _ = p.AppendBinary(stream)
	}
	for name, src := range map[string]io.Reader{
		"at once":         bytes.NewReader(stream),
		"a byte a time":   iotest.OneByteReader(bytes.NewReader(stream)),
		"half":            iotest.HalfReader(bytes.NewReader(stream)),
		"EOF with data":   iotest.DataErrReader(bytes.NewReader(stream)),
		"mid-stream stop": io.LimitReader(bytes.NewReader(stream), int64(len(stream)-1)),
	} {
		r := NewReader(src, MaxLength)
		var got []Packet
		var err error
		for {
			var p Packet
			if p, err = r.Next(); err != nil {
				break
			}
			got = append(got, Packet{p.Type, append([]byte(nil), p.Trailer...)})
		}
		want, wantErr := packets, io.EOF
		if name == "mid-stream stop" {
			want, wantErr = packets[:3], io.ErrUnexpectedEOF
		}
		if diff := cmp.Diff(want, got); diff != "" || !errors.Is(err, wantErr) {
			t.Errorf("%s: error %v\n%s", name, err, diff)
		}
	}
}

func TestReaderLimit(t *testing.T) {
	b, _ := Packet{SessionMessage, make([]byte, 11)}.AppendBinary(nil)
	if _, err := NewReader(bytes.NewReader(b), 10).Next(); !errors.Is(err, ErrInvalid) {
		t.Errorf("11 bytes where 10 are taken: %v", err)
	}
	if _, err := NewReader(bytes.NewReader(b), 11).Next(); err != nil {
		t.Errorf("11 bytes where 11 are taken: %v", err)
	}
}

// A header that announces much must not make the reader allocate it.
func TestReaderGrowsWithWhatCame(t *testing.T) {
	r := NewReader(strings.NewReader("\x00\x01\xff\xff"+strings.Repeat("x", 3000)), MaxLength)
	if _, err := r.Next(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error %v, want io.ErrUnexpectedEOF", err)
	}
	if cap(r.buf) > 16<<10 {
		t.Errorf("a buffer of %d bytes for 3,004 bytes that came", cap(r.buf))
	}
}

func FuzzParse(f *testing.F) {
	for _, v := range append(vector.Load(f, "packet-"), vector.Load(f, "request-")...) {
		f.Add(v.Bytes)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Parse(b)
		if err != nil {
			if !errors.Is(err, ErrInvalid) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		if again, err := p.AppendBinary(nil); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%x became %x, %v", b, again, err)
		}
		ParseNegative(p.Trailer)
		if target, err := ParseRetarget(p.Trailer); err == nil {
			if again, err := target.AppendBinary(nil); err != nil || !bytes.Equal(again[HeaderSize:], p.Trailer) {
				t.Fatalf("retarget %x became %x, %v", p.Trailer, again, err)
			}
		}
	})
}

func FuzzParseRequest(f *testing.F) {
	for _, v := range vector.Load(f, "request-") {
		f.Add(v.Bytes[HeaderSize:])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := ParseRequest(b)
		if err != nil {
			return
		}
		if again, err := q.AppendBinary(nil); err != nil || !bytes.Equal(again[HeaderSize:], b) {
			t.Fatalf("%x became %x, %v", b, again, err)
		}
	})
}

func FuzzReader(f *testing.F) {
	for _, v := range vector.Load(f, "") {
		f.Add(v.Bytes)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewReader(iotest.HalfReader(bytes.NewReader(b)), 1<<12)
		var again []byte
		for {
			p, err := r.Next()
			if err != nil {
				break
			}
			again, _ = p.AppendBinary(again)
		}
		if !bytes.HasPrefix(b, again) {
			t.Fatalf("%x was read as %x", b, again)
		}
	})
}

func BenchmarkParseRequest(b *testing.B) {
	packet := vector.Load(b, "request-smbclient")[0].Bytes
	b.ReportAllocs()
	for b.Loop() {
		p, err := Parse(packet)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := ParseRequest(p.Trailer); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendRequest(b *testing.B) {
	packet := vector.Load(b, "request-smbclient")[0].Bytes
	q, err := ParseRequest(packet[HeaderSize:])
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 0, len(packet))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := q.AppendBinary(buf); err != nil {
			b.Fatal(err)
		}
	}
}

func ExampleRequest() {
	called, _ := netbios.NewName("HOST2", netbios.Messenger)
	calling, _ := netbios.NewName("ALICE", netbios.Messenger)
	b, err := Request{Called: called, Calling: calling}.AppendBinary(nil)
	fmt.Println(len(b), err)

	p, _ := Parse(b)
	q, err := ParseRequest(p.Trailer)
	fmt.Println(p.Type, q.Called, q.Calling, err)
	// Output:
	// 72 <nil>
	// SESSION REQUEST HOST2<03> ALICE<03> <nil>
}
