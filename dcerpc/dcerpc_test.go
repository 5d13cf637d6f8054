package dcerpc

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

const messenger = "5a7b91f8-ff00-11d0-a9b2-00c04fb6e6fc"

func TestParseUUID(t *testing.T) {
	want := UUID{0x5a, 0x7b, 0x91, 0xf8, 0xff, 0x00, 0x11, 0xd0, 0xa9, 0xb2, 0x00, 0xc0, 0x4f, 0xb6, 0xe6, 0xfc}
	for _, s := range []string{messenger, strings.ToUpper(messenger)} {
		if got, err := ParseUUID(s); err != nil || got != want {
			t.Errorf("%s: %v, %v", s, got, err)
		}
	}
	if got := want.String(); got != messenger {
		t.Errorf("String: %s", got)
	}
	if want.IsNil() || !(UUID{}).IsNil() {
		t.Error("IsNil")
	}
	bad := []string{
		strings.ReplaceAll(messenger, "-", ""), "{" + messenger + "}", messenger + "0", "urn:uuid:" + messenger,
		strings.Replace(messenger, "a", "g", 1), strings.Replace(messenger, "-", "_", 1),
		"5a7b91f-8ff00-11d0-a9b2-00c04fb6e6fc", "5a7b91f8-ff00-11d0-a9b2-00c04fb6e6é",
	}
	for n := range messenger {
		bad = append(bad, messenger[:n])
	}
	for _, s := range bad {
		if u, err := ParseUUID(s); !errors.Is(err, ErrInvalid) || u != (UUID{}) {
			t.Errorf("%q: %v, %v; want ErrInvalid", s, u, err)
		}
	}
}

// What ParseUUID takes, String gives back, in small letters.
func FuzzParseUUID(f *testing.F) {
	f.Add(messenger)
	f.Add("8A885D04-1CEB-11C9-9FE8-08002B104860")
	f.Fuzz(func(t *testing.T, s string) {
		u, err := ParseUUID(s)
		if err != nil {
			if !errors.Is(err, ErrInvalid) || u != (UUID{}) {
				t.Fatalf("%v with %v", u, err)
			}
		} else if u.String() != strings.ToLower(s) {
			t.Fatalf("%q became %v", s, u)
		}
	})
}

func TestSyntaxID(t *testing.T) {
	s := NewSyntaxID(UUID{15: 1}, 0x00020003)
	if s.Major != 3 || s.Minor != 2 || s.Version() != 0x00020003 {
		t.Errorf("%+v, version 0x%X", s, s.Version())
	}
	if got := s.String(); got != "00000000-0000-0000-0000-000000000001 v3.2" {
		t.Error(got)
	}
	if got := NDR().String(); got != "8a885d04-1ceb-11c9-9fe8-08002b104860 v2.0" {
		t.Error(got)
	}
}

// "Octets 0 to 7 of a UUID are integers": both byte orders, as they stand in
// [C706] appendix A.
func TestDataRepNumbers(t *testing.T) {
	u := UUID{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	for _, tt := range []struct {
		rep  DataRep
		want string
	}{
		{DataRep{}, "\x01\x02" + "\x01\x02\x03\x04" + "\x01\x02\x03\x04\x05\x06\x07\x08" + "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A\x0B\x0C\x0D\x0E\x0F"},
		{LittleEndian(), "\x02\x01" + "\x04\x03\x02\x01" + "\x08\x07\x06\x05\x04\x03\x02\x01" + "\x03\x02\x01\x00\x05\x04\x07\x06\x08\x09\x0A\x0B\x0C\x0D\x0E\x0F"},
		{DataRep{0x11, 1}, "\x02\x01" + "\x04\x03\x02\x01" + "\x08\x07\x06\x05\x04\x03\x02\x01" + "\x03\x02\x01\x00\x05\x04\x07\x06\x08\x09\x0A\x0B\x0C\x0D\x0E\x0F"},
	} {
		b := tt.rep.AppendUint16([]byte("foo"), 0x0102)
		b = tt.rep.AppendUint32(b, 0x01020304)
		b = tt.rep.AppendUint64(b, 0x0102030405060708)
		b = tt.rep.AppendUUID(b, u)
		if !bytes.Equal(b, []byte("foo"+tt.want)) {
			t.Errorf("%v: appended % x", tt.rep, b)
		}
		b = b[3:]
		if a, b, c, d := tt.rep.Uint16(b), tt.rep.Uint32(b[2:]), tt.rep.Uint64(b[6:]), tt.rep.UUID(b[14:]); a != 0x0102 || b != 0x01020304 || c != 0x0102030405060708 || d != u {
			t.Errorf("%v: read %x %x %x %v", tt.rep, a, b, c, d)
		}
	}
}

func TestDataRepLabel(t *testing.T) {
	for _, tt := range []struct {
		rep                            DataRep
		big, ebcdic, ieee, checkPasses bool
		text                           string
	}{
		{DataRep{}, true, false, true, true, "big-endian, ASCII, IEEE"},
		{LittleEndian(), false, false, true, true, "little-endian, ASCII, IEEE"},
		{DataRep{0x01, 3}, true, true, false, true, "big-endian, EBCDIC, IBM"},
		{DataRep{0x10, 1}, false, false, false, true, "little-endian, ASCII, VAX"},
		{DataRep{0x00, 2}, true, false, false, true, "big-endian, ASCII, Cray"},
		{DataRep{0x2F, 9}, false, true, false, false, "integers 2, characters 15, floats 9"},
	} {
		d := tt.rep
		if d.BigEndian() != tt.big || d.EBCDIC() != tt.ebcdic || d.IEEE() != tt.ieee || (d.Check() == nil) != tt.checkPasses || d.String() != tt.text {
			t.Errorf("%x: %v, %v, %v, %v, %q", d, d.BigEndian(), d.EBCDIC(), d.IEEE(), d.Check(), d)
		}
	}
	if err := (DataRep{0x20}).Check(); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
}

// Every status has a name and a text of its own. The ranges are those in which
// the constants are.
func TestStatus(t *testing.T) {
	names, texts := map[string]Status{}, map[string]Status{}
	for _, from := range []Status{0, 0x16C9A000, 0x1C000000, 0x1C010000} {
		for s := from; s < from+0x800; s++ {
			name, text := s.words()
			if name == "" {
				if !strings.HasPrefix(s.String(), "0x") || !strings.Contains(s.Error(), s.String()) {
					t.Errorf("0x%08X: %q, %q", uint32(s), s.String(), s.Error())
				}
				continue
			}
			if other, ok := names[name]; ok {
				t.Errorf("0x%08X and 0x%08X are both %s", uint32(s), uint32(other), name)
			}
			if other, ok := texts[s.Error()]; ok {
				t.Errorf("0x%08X and 0x%08X both say %q", uint32(s), uint32(other), text)
			}
			names[name], texts[s.Error()] = s, s
		}
	}
	if len(names) != 57 {
		t.Errorf("%d names", len(names))
	}
	for s, want := range map[Status]string{
		StatusOK:               "rpc_s_ok",
		StatusUnknownInterface: "nca_unk_if",
		StatusWrongBootTime:    "nca_wrong_boot_time",
		StatusNotRegistered:    "ept_s_not_registered",
		FaultNDR:               "nca_s_fault_ndr",
		0xDEADBEEF:             "0xDEADBEEF",
	} {
		if s.String() != want {
			t.Errorf("0x%08X: %s, want %s", uint32(s), s, want)
		}
	}
}

func TestDoesNotAllocate(t *testing.T) {
	wire := make([]byte, 16)
	buf := make([]byte, 0, 16)
	for _, rep := range []DataRep{{}, LittleEndian()} {
		if n := testing.AllocsPerRun(100, func() { rep.AppendUUID(buf, rep.UUID(wire)) }); n != 0 {
			t.Errorf("%v: %v allocations", rep, n)
		}
	}
}

func BenchmarkUUID(b *testing.B) {
	rep, wire := LittleEndian(), make([]byte, 16)
	b.ReportAllocs()
	for b.Loop() {
		rep.UUID(wire)
	}
}

func ExampleDataRep() {
	u, err := ParseUUID("5a7b91f8-ff00-11d0-a9b2-00c04fb6e6fc")
	fmt.Println(u, err)
	fmt.Printf("% x\n", LittleEndian().AppendUUID(nil, u))
	fmt.Printf("% x\n", DataRep{}.AppendUUID(nil, u))
	fmt.Println(LittleEndian())
	// Output:
	// 5a7b91f8-ff00-11d0-a9b2-00c04fb6e6fc <nil>
	// f8 91 7b 5a 00 ff d0 11 a9 b2 00 c0 4f b6 e6 fc
	// 5a 7b 91 f8 ff 00 11 d0 a9 b2 00 c0 4f b6 e6 fc
	// little-endian, ASCII, IEEE
}

func ExampleStatus() {
	fmt.Println(error(StatusUnknownInterface))
	fmt.Println(StatusServerTooBusy.String())
	// Output:
	// the server does not have this interface (nca_unk_if)
	// nca_server_too_busy
}

// A server of a later minor version serves callers of an earlier one.
func TestServes(t *testing.T) {
	own := SyntaxID{UUID{1}, 2, 3}
	for want, serves := range map[SyntaxID]bool{
		own: true, {UUID{1}, 2, 0}: true, {UUID{1}, 2, 4}: false,
		{UUID{1}, 1, 3}: false, {UUID{1}, 3, 0}: false, {UUID{2}, 2, 3}: false,
	} {
		if got := own.Serves(want); got != serves {
			t.Errorf("%v serves callers of %v: %v", own, want, got)
		}
	}
}
