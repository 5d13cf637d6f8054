package netbios

import (
	"errors"
	"strings"
	"testing"
)

func TestNewName(t *testing.T) {
	tests := []struct {
		in     string
		suffix Suffix
		want   string
	}{
		{"host2", Messenger, "HOST2          \x03"},
		{"", Workstation, "               \x00"},
		{"ABCDEFGHIJKLMNO", FileServer, "ABCDEFGHIJKLMNO\x20"},
		{"*", Workstation, "*" + strings.Repeat("\x00", 15)},
		{"*SMBSERVER", FileServer, string(SMBServer[:])},
		{"a.\x00\x82\xff \x01", MasterBrowser, "A.\x00\x82\xff \x01        \x1d"},
	}
	for _, test := range tests {
		got, err := NewName(test.in, test.suffix)
		if err != nil || got != Name([]byte(test.want)) {
			t.Errorf("NewName(%q, %#x) = %q, %v; want %q", test.in, test.suffix, got[:], err, test.want)
		}
		if got.Suffix() != test.suffix {
			t.Errorf("%v: suffix %#x, want %#x", got, got.Suffix(), test.suffix)
		}
	}
	if n, err := NewName("ABCDEFGHIJKLMNOP", Messenger); !errors.Is(err, ErrInvalid) || n != (Name{}) {
		t.Errorf("16 bytes: NewName = %v, %v; want ErrInvalid", n, err)
	}
}

func TestNameText(t *testing.T) {
	tests := []struct {
		name       Name
		base, text string
	}{
		{Name([]byte("HOST2          \x03")), "HOST2", "HOST2<03>"},
		{Name([]byte("ABCDEFGHIJKLMNO\x1d")), "ABCDEFGHIJKLMNO", "ABCDEFGHIJKLMNO<1D>"},
		{Name([]byte("\x01\x02__MSBROWSE__\x02\x01")), "\x01\x02__MSBROWSE__\x02", `\x01\x02__MSBROWSE__\x02<01>`},
		{Name([]byte("A B\\\x82\xff         \x00")), "A B\\\x82\xff", `A B\x5C\x82\xFF<00>`},
		{Name([]byte("A\x00             \x00")), "A\x00", `A\x00<00>`},
		{Wildcard, "*", "*<00>"},
		{SMBServer, "*SMBSERVER", "*SMBSERVER<20>"},
		{Name{}, strings.Repeat("\x00", 15), strings.Repeat(`\x00`, 15) + "<00>"},
	}
	for _, test := range tests {
		if got := test.name.Base(); got != test.base {
			t.Errorf("Base of %q = %q, want %q", test.name[:], got, test.base)
		}
		if got := test.name.String(); got != test.text {
			t.Errorf("String of %q = %q, want %q", test.name[:], got, test.text)
		}
	}
}

func TestWithSuffix(t *testing.T) {
	name, err := NewName("HOST2", Workstation)
	if err != nil {
		t.Fatal(err)
	}
	if got := name.WithSuffix(Messenger).String(); got != "HOST2<03>" {
		t.Errorf("WithSuffix = %s, want HOST2<03>", got)
	}
	if got := name.String(); got != "HOST2<00>" {
		t.Errorf("WithSuffix changed its receiver to %s", got)
	}
}

func TestScopeText(t *testing.T) {
	tests := []struct {
		in    string
		scope Scope
		ok    bool
	}{
		{"", "", true},
		{"NETBIOS.COM", "\x07NETBIOS\x03COM", true},
		{"x", "\x01x", true},
		{".", "", false},
		{"a..b", "", false},
		{"a.", "", false},
		{strings.Repeat("x", 64), "", false},
		{strings.Repeat("x.", 127) + "x", "", false}, // 256 bytes
	}
	for _, test := range tests {
		got, err := NewScope(test.in)
		if got != test.scope || (err == nil) != test.ok || err != nil && !errors.Is(err, ErrInvalid) {
			t.Errorf("NewScope(%q) = %q, %v; want %q", test.in, got, err, test.scope)
		}
		if test.ok && got.String() != test.in {
			t.Errorf("%q: String gives %q", test.in, got.String())
		}
	}

	if got, want := Scope("\x05a.b \\\x02\x00c").String(), `a\x2Eb\x20\x5C.\x00c`; got != want {
		t.Errorf("String = %s, want %s", got, want)
	}
	// A Scope that was not checked has a text all the same.
	if got, want := Scope("\x09ab").String(), "ab"; got != want {
		t.Errorf("String = %s, want %s", got, want)
	}
}
