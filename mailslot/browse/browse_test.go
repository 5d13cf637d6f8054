package browse

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/messngr/messngr/internal/wire/vector"
)

func isZero(a Announcement) bool { return cmp.Equal(a, Announcement{}) }

func TestVectors(t *testing.T) {
	const nmbd = Workstation | Server | PrintServer | UnixServer | NT | NTServer | DFSServer
	want := map[string]Announcement{
		"host-win98": {
			Command: HostAnnouncement, UpdateCount: 3, Periodicity: 60000, Name: []byte("MDJR98"), OSMajor: 4,
			ServerType: Workstation | Server | WindowsWorkgroups | Windows, BrowserMajor: 0x15, BrowserMinor: 4,
			Signature: Signature, Comment: []byte{},
		},
		"host-nmbd": {
			Command: HostAnnouncement, Periodicity: 60000, Name: []byte("LEGACY"), OSMajor: 6, OSMinor: 1,
			ServerType: nmbd | PotentialBrowser, BrowserMajor: 15, BrowserMinor: 1,
			Signature: Signature, Comment: []byte("a print server"),
		},
		"host-longest-name": {
			Command: HostAnnouncement, Periodicity: 120000, Name: []byte("ABCDEFGHIJKLMNO"), OSMajor: 6, OSMinor: 1,
			ServerType: Workstation | Server | NT, BrowserMajor: 15, BrowserMinor: 1,
			Signature: Signature, Comment: []byte("hi"),
		},
		"local-master-nmbd": {
			Command: LocalMasterAnnouncement, UpdateCount: 2, Periodicity: 120000, Name: []byte("LEGACY"), OSMajor: 6, OSMinor: 1,
			ServerType: nmbd | MasterBrowser, BrowserMajor: 15, BrowserMinor: 1,
			Signature: Signature, Comment: []byte("a print server"),
		},
		"local-master-nmbd-ends": {
			Command: LocalMasterAnnouncement, UpdateCount: 3, Name: []byte("LEGACY"), OSMajor: 6, OSMinor: 1,
			BrowserMajor: 15, BrowserMinor: 1, Signature: Signature, Comment: []byte("a print server"),
		},
		"domain-nmbd": {
			Command: DomainAnnouncement, UpdateCount: 2, Periodicity: 120000, Name: []byte("WORKGROUP"), OSMajor: 6, OSMinor: 1,
			ServerType: NT | DomainEnum, BrowserMajor: 15, BrowserMinor: 1, Signature: Signature, Comment: []byte("LEGACY"),
		},
	}
	got := map[string]Announcement{}
	for _, prefix := range []string{"host-", "local-", "domain-", "bad-"} {
		for name, a := range vector.Check(t, prefix, Parse, Announcement.AppendBinary, isZero, ErrInvalid) {
			got[name] = a
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Parse (-want +got):\n%s", diff)
	}
}

// Other frames of the browser protocol are told from those that are wrong.
func TestOtherFrames(t *testing.T) {
	for name, want := range map[string]Command{"other-election-nmbd": RequestElection, "other-request-nmbd": AnnouncementRequest} {
		a, err := Parse(vector.Load(t, name)[0].Bytes)
		var other NotAnnouncementError
		if !errors.As(err, &other) || Command(other) != want || errors.Is(err, ErrInvalid) || !isZero(a) {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
	for c := range 256 {
		b := append([]byte{byte(c)}, vector.Load(t, "host-win98")[0].Bytes[1:]...)
		announces := c == 0x01 || c == 0x0C || c == 0x0F
		a, err := Parse(b)
		if _, other := errors.AsType[NotAnnouncementError](err); other == announces || (err == nil) != announces {
			t.Errorf("command 0x%02X: %v", c, err)
		}
		a.Command = Command(c)
		if _, err := a.AppendBinary(nil); (err == nil) != announces || err != nil && !errors.Is(err, ErrInvalid) {
			t.Errorf("append of command 0x%02X: %v", c, err)
		}
		if known := !strings.Contains(Command(c).String(), "0x"); known != (c >= 1 && c <= 2 || c >= 8 && c <= 15) {
			t.Errorf("command 0x%02X is %v", c, Command(c))
		}
	}
}

// [MS-BRWS] 2.2.1: what is behind the NUL of the name is ignored. So is what is
// behind the comment, and a signature of some other number is kept.
func TestLax(t *testing.T) {
	b := bytes.Clone(vector.Load(t, "host-win98")[0].Bytes)
	want, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	b = append(b, "junk"...)
	b[13], b[21] = 'x', 'y' // in the name, from byte 6 on, behind MDJR98 and its NUL
	b[30], b[31] = 0x34, 0x12
	want.Signature = 0x1234
	got, err := Parse(b)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	_ = append(got.Name, "XX"...)
	if b[13] != 'x' {
		t.Error("an append to the name wrote behind it")
	}
}

func TestAppendRefuses(t *testing.T) {
	for what, a := range map[string]Announcement{
		"a name of 16 bytes":    {Command: HostAnnouncement, Name: make([]byte, 16)},
		"a NUL in the name":     {Command: HostAnnouncement, Name: []byte("A\x00")},
		"a NUL in the comment":  {Command: HostAnnouncement, Comment: []byte("\x00")},
		"no command":            {},
		"a command of another":  {Command: MasterAnnouncement},
		"a command not in use":  {Command: 3},
		"a command above those": {Command: 16},
	} {
		if b, err := a.AppendBinary([]byte("foo")); !errors.Is(err, ErrInvalid) || b != nil {
			t.Errorf("%s: %q, %v; want ErrInvalid", what, b, err)
		}
	}
}

func TestServerTypeText(t *testing.T) {
	for s, want := range map[ServerType]string{
		0:                                 "0x00000000",
		Workstation:                       "workstation",
		Workstation | Server | NT:         "workstation, server, Windows NT",
		DomainEnum | 0x08100000 | NT:      "Windows NT, domain, 0x08100000",
		0x00100000:                        "0x00100000",
		MasterBrowser | WindowsWorkgroups: "Windows for Workgroups, master browser",
	} {
		if got := s.String(); got != want {
			t.Errorf("0x%08X: %q, want %q", uint32(s), got, want)
		}
	}
}

func TestParseDoesNotAllocate(t *testing.T) {
	for _, name := range []string{"host-nmbd", "other-election-nmbd"} {
		b := vector.Load(t, name)[0].Bytes
		if n := testing.AllocsPerRun(100, func() { Parse(b) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, v := range vector.Load(f, "") {
		f.Add(v.Bytes)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := Parse(b)
		if err != nil {
			_, other := errors.AsType[NotAnnouncementError](err)
			if !other && !errors.Is(err, ErrInvalid) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("an error of no kind: %v", err)
			}
			if !isZero(a) {
				t.Fatalf("%+v with %v", a, err)
			}
			return
		}
		w, err := a.AppendBinary(nil)
		if err != nil {
			t.Fatalf("%+v cannot be written: %v", a, err)
		}
		if again, err := Parse(w); err != nil || !cmp.Equal(a, again) {
			t.Fatalf("%+v became %+v, %v", a, again, err)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	frame := vector.Load(b, "host-nmbd")[0].Bytes
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(frame); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	a, err := Parse(vector.Load(b, "host-nmbd")[0].Bytes)
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 0, 512)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.AppendBinary(buf); err != nil {
			b.Fatal(err)
		}
	}
}

func ExampleParse() {
	a, err := Parse([]byte("\x01\x00\x60\xea\x00\x00HOST2\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x04\x00\x03\x20\x40\x00\x15\x04\x55\xaathe old one\x00"))
	fmt.Printf("%v of %s (%d.%d): %v: %s %v\n", a.Command, a.Name, a.OSMajor, a.OSMinor, a.ServerType, a.Comment, err)
	// Output:
	// HostAnnouncement of HOST2 (4.0): workstation, server, Windows for Workgroups, Windows 95: the old one <nil>
}
