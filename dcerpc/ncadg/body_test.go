package ncadg

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"testing"

	"github.com/messngr/messngr/dcerpc"
)

// A codec reads and writes one kind of body. What it reads can be compared.
type codec struct {
	parse  func([]byte, dcerpc.DataRep) (any, error)
	append func(any, []byte, dcerpc.DataRep) []byte
	zero   any
}

// appender is what bodies can do.
type appender interface {
	AppendBinary(b []byte, rep dcerpc.DataRep) []byte
}

func codecOf[T appender](parse func([]byte, dcerpc.DataRep) (T, error)) codec {
	var zero T
	return codec{
		func(b []byte, rep dcerpc.DataRep) (any, error) { return parse(b, rep) },
		func(v any, b []byte, rep dcerpc.DataRep) []byte { return v.(T).AppendBinary(b, rep) },
		zero,
	}
}

// codecs are those of all bodies that are more than stub data.
var codecs = map[string]codec{
	"status": {
		func(b []byte, rep dcerpc.DataRep) (any, error) { return ParseStatus(b, rep) },
		func(v any, b []byte, rep dcerpc.DataRep) []byte { return AppendStatus(b, rep, v.(dcerpc.Status)) },
		dcerpc.StatusOK,
	},
	"cancel":        codecOf(ParseCancel),
	"cancel_ack":    codecOf(ParseCancelAck),
	"fack":          codecOf(ParseFack),
	"who_are_you":   codecOf(ParseWhoAreYou),
	"conv response": codecOf(ParseWhoAreYouResponse),
	"conv 2":        codecOf(ParseWhoAreYou2Response),
}

// bodies are what the bodies of the vectors hold, by file name.
var bodies = map[string]*struct {
	codec string
	want  any
}{
	"fault":                        {"status", dcerpc.FaultNDR},
	"fault-big-endian":             {"status", dcerpc.FaultInvalidBound},
	"reject":                       {"status", dcerpc.StatusUnknownInterface},
	"reject-big-endian":            {"status", dcerpc.StatusWrongBootTime},
	"cancel":                       {"cancel", CancelBody{0x0A0B0C0D}},
	"cancel-big-endian":            {"cancel", CancelBody{0x0A0B0C0D}},
	"cancel-ack":                   {"cancel_ack", CancelAckBody{0x0A0B0C0D, true}},
	"cancel-ack-big-endian":        {"cancel_ack", CancelAckBody{0x0A0B0C0D, false}},
	"nocall-fack":                  {"fack", FackBody{Window: 8, MaxTSDU: 4400, MaxFragment: 1464, Serial: 7}},
	"fack":                         {"fack", FackBody{Window: 8, MaxTSDU: 4400, MaxFragment: 1464, Serial: 0x0102}},
	"fack-selack":                  {"fack", FackBody{Version: 1, Window: 8, MaxTSDU: 4400, MaxFragment: 1464, Serial: 0x0102, SelAck: selAck(2, 3, 33)}},
	"fack-selack-big-endian":       {"fack", FackBody{Window: 8, MaxTSDU: 4400, MaxFragment: 1464, Serial: 0x0102, SelAck: selAck(2, 32)}},
	"conv-request":                 {"who_are_you", WhoAreYou{caller, boot}},
	"conv-response":                {"conv 2", WhoAreYou2Response{5, uuid("d0d1d2d3-d4d5-d6d7-d8d9-dadbdcdddedf"), dcerpc.StatusOK}},
	"conv-response-old-big-endian": {"conv response", WhoAreYouResponse{5, dcerpc.StatusYouCrashed}},
}

// The body of each vector gives its value, is written as it was, with what is
// behind it left alone, and fails when it is cut.
func TestBodies(t *testing.T) {
	for name, want := range bodies {
		p, err := Parse(load(t, name))
		if err != nil {
			t.Fatal(err)
		}
		c := codecs[want.codec]
		for _, behind := range []string{"", "junk"} {
			if got, err := c.parse(append(bytes.Clone(p.Body), behind...), p.DataRep); err != nil || got != want.want {
				t.Errorf("%s: %+v, %v; want %+v", name, got, err, want.want)
			}
		}
		if got := c.append(want.want, []byte("foo"), p.DataRep); !bytes.Equal(got, append([]byte("foo"), p.Body...)) {
			t.Errorf("%s: appended\n% x, want\n% x", name, got, p.Body)
		}
		for n := range p.Body {
			got, err := c.parse(p.Body[:n], p.DataRep)
			switch short := want.codec == "fack" && (n == 0 || n == 12) || want.codec == "cancel_ack" && n > 8; {
			case short && err != nil:
				t.Errorf("%s: first %d of %d bytes: %v", name, n, len(p.Body), err)
			case !short && (!errors.Is(err, io.ErrUnexpectedEOF) || got != c.zero):
				t.Errorf("%s: first %d of %d bytes: %+v, %v; want io.ErrUnexpectedEOF", name, n, len(p.Body), got, err)
			}
		}
		if n := testing.AllocsPerRun(100, func() {
			switch want.codec {
			case "status":
				ParseStatus(p.Body, p.DataRep)
			case "cancel":
				ParseCancel(p.Body, p.DataRep)
			case "cancel_ack":
				ParseCancelAck(p.Body, p.DataRep)
			case "fack":
				ParseFack(p.Body, p.DataRep)
			case "who_are_you":
				ParseWhoAreYou(p.Body, p.DataRep)
			case "conv response":
				ParseWhoAreYouResponse(p.Body, p.DataRep)
			case "conv 2":
				ParseWhoAreYou2Response(p.Body, p.DataRep)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestBodiesRefuse(t *testing.T) {
	for what, tt := range map[string]struct {
		codec, body string
		rep         dcerpc.DataRep
		want        error
	}{
		"a cancel of version 1":       {"cancel", "\x01\x00\x00\x00\x01\x00\x00\x00", little, ErrInvalid},
		"a cancel_ack of version 1":   {"cancel_ack", "\x00\x00\x00\x01\x00\x00\x00\x01\x01", big, ErrInvalid},
		"a selack that is not there":  {"fack", "\x00\x00\x08\x00\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x01\x00", little, io.ErrUnexpectedEOF},
		"65535 words of selack":       {"fack", "\x00\x00\x08\x00\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\xFF\xFF\x00\x00\x00\x00", little, io.ErrUnexpectedEOF},
		"conv in the wrong form":      {"conv 2", "\x05\x00\x00\x00\x00\x00\x00\x00", little, io.ErrUnexpectedEOF},
		"a fack of less than version": {"fack", "\x00", little, io.ErrUnexpectedEOF},
	} {
		c := codecs[tt.codec]
		if got, err := c.parse([]byte(tt.body), tt.rep); !errors.Is(err, tt.want) || got != c.zero {
			t.Errorf("%s: %+v, %v; want %v", what, got, err, tt.want)
		}
	}
}

// [C706] has one byte of server_is_accepting; in whichever byte of four others
// say it, it counts.
func TestCancelAckAccepting(t *testing.T) {
	for tail, want := range map[string]bool{
		"\x00": false, "\x01": true, "\xFF": true, "\x01\x00\x00\x00": true, "\x00\x00\x00\x01": true, "\x00\x00\x00\x00": false, "\x00\x01": false,
	} {
		got, err := ParseCancelAck([]byte("\x00\x00\x00\x00\x00\x00\x00\x07"+tail), big)
		if err != nil || got != (CancelAckBody{7, want}) {
			t.Errorf("% x: %+v, %v", tail, got, err)
		}
	}
}

// A fack may say more than a SelAck has room for: the rest is not kept.
func TestFackLong(t *testing.T) {
	body := FackBody{Version: 1, Window: 8, SelAck: selAck(1, SelAckDistance)}.AppendBinary(nil, big)
	body[15] = 9
	body = append(body, 0xFF, 0xFF, 0xFF, 0xFF)
	got, err := ParseFack(body, big)
	if want := (FackBody{Version: 1, Window: 8, SelAck: selAck(1, SelAckDistance)}); err != nil || got != want {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
}

func TestSelAck(t *testing.T) {
	var s SelAck
	for _, d := range []int{-1, 0, SelAckDistance + 1, math.MaxInt} {
		if s.Set(d); s != (SelAck{}) || s.Has(d) {
			t.Errorf("distance %d: %x", d, s)
		}
	}
	for d := 1; d <= SelAckDistance; d++ {
		before := s
		if s.Has(d) {
			t.Errorf("distance %d: set by another", d)
		}
		if s.Set(d); !s.Has(d) || s == before {
			t.Errorf("distance %d: not set", d)
		}
	}
	// "The first bit corresponds to the fragment behind fragnum."
	if s := selAck(1); s[0] != 1 {
		t.Errorf("distance 1: %x", s)
	}
	if s := selAck(33); s[1] != 1 {
		t.Errorf("distance 33: %x", s)
	}
}

// FuzzBodies reads every kind of body. What was read is written, and reads as
// the same again.
func FuzzBodies(f *testing.F) {
	for name := range bodies {
		p, err := Parse(load(f, name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(p.Body, p.DataRep.BigEndian())
	}
	f.Fuzz(func(t *testing.T, b []byte, bigEndian bool) {
		rep := little
		if bigEndian {
			rep = big
		}
		for name, c := range codecs {
			v, err := c.parse(b, rep)
			if err != nil {
				if !errors.Is(err, ErrInvalid) && !errors.Is(err, io.ErrUnexpectedEOF) || v != c.zero {
					t.Fatalf("%s: %+v with %v", name, v, err)
				}
				continue
			}
			again := c.append(v, nil, rep)
			switch name {
			case "fack", "cancel_ack": // several ways to write the same
				if w, err := c.parse(again, rep); err != nil || w != v {
					t.Fatalf("%s: %+v became %+v, %v", name, v, w, err)
				}
			default:
				if !bytes.HasPrefix(b, again) {
					t.Fatalf("%s: %x became %x", name, b, again)
				}
			}
		}
	})
}

func ExampleFackBody() {
	// Fragments 0 to 3 have come, and 5: 4 is missing.
	f := FackBody{Window: 8, MaxTSDU: MustReceive, MaxFragment: MustReceive, Serial: 6}
	f.SelAck.Set(5 - 3)
	b, err := Packet{Type: Fack, DataRep: dcerpc.LittleEndian(), Fragment: 3, Body: f.AppendBinary(nil, dcerpc.LittleEndian())}.AppendBinary(nil)
	fmt.Println(len(b), err)

	p, err := Parse(b)
	fmt.Println(p.Type, p.Fragment, err)
	f, err = ParseFack(p.Body, p.DataRep)
	fmt.Println(f, err)
	// Output:
	// 100 <nil>
	// fack 3 <nil>
	// window 8 KiB, packets of 1464 bytes, to serial 6, selack [2] <nil>
}

func selAck(distances ...int) (s SelAck) {
	for _, d := range distances {
		s.Set(d)
	}
	return s
}
