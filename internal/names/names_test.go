package names

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbns"
	"go.uber.org/goleak"
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

func TestOwnNames(t *testing.T) {
	got, err := OwnNames("host2", "workgroup", "alice", "bob")
	if err != nil {
		t.Fatal(err)
	}
	want := []Own{
		{nameOf(t, "HOST2<00>"), false},
		{nameOf(t, "HOST2<03>"), false},
		{nameOf(t, "WORKGROUP<00>"), true},
		{nameOf(t, "ALICE<03>"), false},
		{nameOf(t, "BOB<03>"), false},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("OwnNames (-want +got):\n%s", diff)
	}

	const long = "ABCDEFGHIJKLMNOP"
	for what, names := range map[string][3]string{
		"computer name": {long, "WORKGROUP", "ALICE"},
		"workgroup":     {"HOST2", long, "ALICE"},
		"alias":         {"HOST2", "WORKGROUP", long},
	} {
		own, err := OwnNames(names[0], names[1], names[2])
		if !errors.Is(err, netbios.ErrInvalid) || !strings.HasPrefix(err.Error(), what) || own != nil {
			t.Errorf("a long %s: OwnNames = %v, %v", what, own, err)
		}
	}
}
