package resolver

import (
	"net/netip"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbns"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// nameOf reads HOST2<03>.
func nameOf(t testing.TB, text string) netbios.Name {
	t.Helper()
	base, suffix, ok := strings.Cut(strings.TrimSuffix(text, ">"), "<")
	if !ok || len(suffix) != 2 {
		t.Fatalf("%q is no name with a suffix", text)
	}
	digits := "0123456789ABCDEF"
	name, err := netbios.NewName(base, netbios.Suffix(strings.IndexByte(digits, suffix[0])<<4|strings.IndexByte(digits, suffix[1])))
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func ip(text string) netip.Addr { return netip.MustParseAddr(text) }

func appended(t testing.TB, p nbns.Packet) []byte {
	t.Helper()
	b, err := p.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestMessengerName(t *testing.T) {
	status := func(names ...string) nbns.NodeStatus {
		var s nbns.NodeStatus
		for _, text := range names {
			n := nbns.NodeName{Flags: nbns.Active}
			switch text[0] {
			case '+':
				n.Flags |= nbns.Group
			case '!':
				n.Flags |= nbns.Conflict
			case '-':
				n.Flags |= nbns.Deregister
			}
			n.Name = nameOf(t, strings.TrimLeft(text, "+!-"))
			s.Names = append(s.Names, n)
		}
		return s
	}
	tests := []struct {
		comment string
		status  nbns.NodeStatus
		want    string
	}{
		{"a computer", status("HOST2<00>", "+WORKGROUP<00>", "HOST2<03>", "HOST2<20>"), "HOST2<03>"},
		{"a user before the computer", status("ALICE<03>", "HOST2<03>", "+WORKGROUP<00>", "HOST2<00>"), "HOST2<03>"},
		{"a user of a computer without messenger", status("HOST2<00>", "ALICE<03>", "BOB<03>"), "ALICE<03>"},
		{"a group <03>", status("HOST2<00>", "+HOST2<03>", "ALICE<03>"), "ALICE<03>"},
		{"a workgroup with the name of a user", status("+ALICE<00>", "BOB<03>", "ALICE<03>"), "BOB<03>"},
		{"a computer name in conflict", status("HOST2<00>", "!HOST2<03>", "ALICE<03>"), "ALICE<03>"},
		{"a name being released", status("HOST2<00>", "-HOST2<03>", "ALICE<03>"), "ALICE<03>"},
		{"no messenger", status("HOST2<00>", "HOST2<20>"), ""},
		{"nothing", status(), ""},
	}
	for _, test := range tests {
		got, ok := MessengerName(test.status)
		if ok != (test.want != "") || ok && got != nameOf(t, test.want) {
			t.Errorf("%s: MessengerName = %v, %v; want %q", test.comment, got, ok, test.want)
		}
	}
}
