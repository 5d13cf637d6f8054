package resolver

import (
	"errors"
	"strings"
	"testing"

	"github.com/messngr/messngr/netbios"
)

// capitals is a code page of ASCII.
func capitals(s string) ([]byte, error) {
	if strings.ContainsFunc(s, func(r rune) bool { return r > '~' }) {
		return nil, errors.New("no such letter")
	}
	return []byte(strings.ToUpper(s)), nil
}

func TestParseQuery(t *testing.T) {
	tests := []struct{ text, name, host string }{ // the name with its suffix; else the error
		{"host2", "HOST2<03>", "host2"},
		{"host2#20", "HOST2<20>", "host2"},
		{"host2#0", "HOST2<00>", "host2"},
		{"host2<1B>", "HOST2<1B>", "host2"},
		{"Martin R.", "MARTIN R<03>", "Martin R."},
		{"#1#20", "#1<20>", "#1"},
		{"host2.example.com", "HOST2<03>", "host2.example.com"},
		{"host2.example.com#20", "HOST2<20>", "host2.example.com"},
		{"a-very-long-host-name.example.com", "", "a-very-long-host-name.example.com"},
		{"müller.example.com", "", "müller.example.com"},
		{"*.example.com", "", "*.example.com"},
		{`"host2"`, "HOST2<03>", ""},
		{`"host2          \0x1d"`, "HOST2<1D>", ""},
		{`"\0x01\0x02__msbrowse__\0x02\0x01"`, `\x01\x02__MSBROWSE__\x02<01>`, ""},
		{`"a.b#c"`, "A.B#C<03>", ""},

		{"", "error: the name is empty", ""},
		{"#20", "error: the name is empty", ""},
		{".example.com", "error: the name is empty", ""},
		{"*", `error: "*" is nobody's name`, ""},
		{"müller", "error: no such letter", ""},
		{`"müller"`, "error: no such letter", ""},
		{"ABCDEFGHIJKLMNOP", `error: invalid NetBIOS name "ABCDEFGHIJKLMNOP": 16 bytes, at most 15 fit`, ""},
		{"host2#", `error: "host2#": want two hexadecimal digits behind the #, such as HOST2#20`, ""},
		{"host2#xy", `error: "host2#xy": want two hexadecimal digits behind the #, such as HOST2#20`, ""},
		{"host2#20>", `error: "host2#20>": want two hexadecimal digits behind the #, such as HOST2#20`, ""},
		{"host2<20", `error: "host2<20": want two hexadecimal digits behind the <, such as HOST2#20`, ""},
		{`"host2`, "error: a name without its closing quote: add it", ""},
		{`"host2" x`, `error: "X" behind the name in quotes: remove it`, ""},
	}
	for _, test := range tests {
		name, host, err := ParseQuery(test.text, netbios.Messenger, capitals)
		got := name.String()
		switch {
		case err != nil:
			got, host = "error: "+err.Error(), ""
			if name != (netbios.Name{}) {
				t.Errorf("%s: %v beside the error", test.text, name)
			}
		case name == netbios.Name{}:
			got = ""
		}
		if got != test.name || host != test.host {
			t.Errorf("%s: %s, %q; want %s, %q", test.text, got, host, test.name, test.host)
		}
	}
}

func FuzzParseQuery(f *testing.F) {
	f.Add("host2#20")
	f.Add("host2.example.com<1b>")
	f.Add(`"host2          \0x1d" x`)
	f.Fuzz(func(t *testing.T, text string) {
		name, host, err := ParseQuery(text, netbios.Messenger, capitals)
		switch {
		case err != nil && (name != netbios.Name{}):
			t.Errorf("%v beside the error %v", name, err)
		case err == nil && name == netbios.Name{} && host == "" && !strings.HasPrefix(text, `"`):
			t.Errorf("%q is nothing, without an error", text)
		}
	})
}
