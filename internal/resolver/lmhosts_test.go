package resolver

import (
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/messngr/messngr/netbios"
)

// listing writes an LMHosts as the answers to the names in it.
func listing(h LMHosts) map[string]string {
	m := make(map[string]string)
	for name, e := range h.exact {
		m[name.String()] = joined(e.addrs)
	}
	for name, e := range h.plain {
		m[name.Base()] = joined(e.addrs)
	}
	return m
}

func joined(addrs []netip.Addr) string { return strings.Trim(fmt.Sprint(addrs), "[]") }

// write puts files, given as name and text, in a directory and returns it.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestReadLMHosts(t *testing.T) {
	tests := []struct {
		comment, text string
		want          map[string]string
	}{
		{"nothing", "", map[string]string{}},
		{"comments and empty lines", "# a comment\n\n  \t\r\n#\n   # another\n", map[string]string{}},
		{"a name", "10.77.0.2 host2\n", map[string]string{"HOST2": "10.77.0.2"}},
		{"no line end", "10.77.0.2 host2", map[string]string{"HOST2": "10.77.0.2"}},
		{"DOS line ends, tabs, end of file", "\t10.77.0.2\t\thost2\t# it\r\n10.77.0.3 HOST3\r\n\x1a", map[string]string{"HOST2": "10.77.0.2", "HOST3": "10.77.0.3"}},
		{"a byte order mark", "\uFEFF10.77.0.2 host2\n", map[string]string{"HOST2": "10.77.0.2"}},
		{"the first line counts", "10.77.0.2 HOST2\n10.77.0.3 host2\n", map[string]string{"HOST2": "10.77.0.2"}},
		{"keywords", "10.77.0.2 HOST2 #PRE #MH #DOM:sales # and a comment\n10.77.0.3 HOST3 #pre\n", map[string]string{"HOST2": "10.77.0.2", "SALES<1C>": "10.77.0.2", "HOST3": "10.77.0.3"}},
		{"keywords at the name", "10.77.0.2 HOST2#PRE #DOM:SALES\n10.77.0.3 HOST3#dom:other\n", map[string]string{"HOST2": "10.77.0.2", "SALES<1C>": "10.77.0.2", "HOST3": "10.77.0.3", "OTHER<1C>": "10.77.0.3"}},
		{"a comment that looks like a keyword", "10.77.0.2 HOST2 #PRELOAD #DOM:SALES\n", map[string]string{"HOST2": "10.77.0.2"}},
		{"Samba's suffix", "10.77.0.2 host2#03\n10.77.0.3 SALES#1b #PRE\n", map[string]string{"HOST2<03>": "10.77.0.2", "SALES<1B>": "10.77.0.3"}},
		{"a quoted name", `10.77.0.2 "HOST2          \0x03" #PRE`, map[string]string{"HOST2<03>": "10.77.0.2"}},
		{"a quoted name of 15 bytes and a suffix", `10.77.0.2 "ABCDEFGHIJKLMNO\0X1d"`, map[string]string{"ABCDEFGHIJKLMNO<1D>": "10.77.0.2"}},
		{"numbers within a quoted name", `10.77.0.2 "\0x01\0x02__MSBROWSE__\0x02\0x01"`, map[string]string{`\x01\x02__MSBROWSE__\x02<01>`: "10.77.0.2"}},
		{"a quoted name with blanks and #", `10.77.0.2 "Martin R. #1"`, map[string]string{"MARTIN R. #1": "10.77.0.2"}},
		{"a backslash that begins no number", `10.77.0.2 "A\B"`, map[string]string{`A\B`: "10.77.0.2"}},
		{"several addresses", "10.77.0.2 HOST2 #MH\n10.77.0.3 HOST3\n10.77.1.2 host2 #mh #PRE\n10.77.0.2 HOST2 #MH\n", map[string]string{"HOST2": "10.77.0.2 10.77.1.2", "HOST3": "10.77.0.3"}},
		{"#MH on one line only", "10.77.0.2 HOST2\n10.77.0.3 HOST2 #MH\n10.77.0.4 HOST3 #MH\n10.77.0.5 HOST3\n", map[string]string{"HOST2": "10.77.0.2", "HOST3": "10.77.0.4"}},
		{"several addresses of a suffix", "10.77.0.2 HOST2#20 #MH\n10.77.1.2 HOST2#20\n10.77.1.3 HOST2#20 #MH", map[string]string{"HOST2<20>": "10.77.0.2 10.77.1.3"}},
		{"the controllers of a domain", "10.77.0.2 DC1 #PRE #DOM:SALES\n10.77.0.3 DC2 #DOM:sales\n10.77.0.4 SALES#1c\n10.77.0.2 DC3 #DOM:SALES", map[string]string{"DC1": "10.77.0.2", "DC2": "10.77.0.3", "DC3": "10.77.0.2", "SALES<1C>": "10.77.0.2 10.77.0.3 10.77.0.4"}},
		{"two domains", "10.77.0.2 DC1 #DOM:SALES #DOM:OTHER", map[string]string{"DC1": "10.77.0.2", "SALES<1C>": "10.77.0.2", "OTHER<1C>": "10.77.0.2"}},
		{"bytes of a code page", "10.77.0.2 M\x9aLLER\n", map[string]string{"M\x9aLLER": "10.77.0.2"}},
	}
	for _, test := range tests {
		dir := write(t, map[string]string{"lmhosts": test.text})
		got, err := ReadLMHosts(filepath.Join(dir, "lmhosts"))
		if diff := cmp.Diff(test.want, listing(got)); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", test.comment, err, diff)
		}
	}
}

func TestReadLMHostsBadLines(t *testing.T) {
	tests := []struct{ line, want string }{
		{"HOST2 10.77.0.2", `"HOST2" is no IPv4 address: begin a line with one, or with # if it is a comment`},
		{"10.77.0 HOST2", `"10.77.0" is no IPv4 address: begin a line with one, or with # if it is a comment`},
		{"fe80::1 HOST2", `"fe80::1" is no IPv4 address: begin a line with one, or with # if it is a comment`},
		{"10.77.0.2", "no name behind 10.77.0.2: add one"},
		{"10.77.0.2 # HOST2", "no name behind 10.77.0.2: add one"},
		{"10.77.0.2 ABCDEFGHIJKLMNOP", `invalid NetBIOS name "ABCDEFGHIJKLMNOP": 16 bytes, at most 15 fit`},
		{"10.77.0.2 HOST2 HOST3", `"HOST3" behind the name: begin a comment with #, put a name with blanks in quotes`},
		{"10.77.0.2 HOST2#mine", `"HOST2#mine": want two hexadecimal digits behind the #, or a blank before a comment`},
		{"10.77.0.2 HOST2#", `"HOST2#": want two hexadecimal digits behind the #, or a blank before a comment`},
		{"10.77.0.2 HOST2#103", `"HOST2#103": want two hexadecimal digits behind the #, or a blank before a comment`},
		{`10.77.0.2 "HOST2`, "a name without its closing quote: add it"},
		{`10.77.0.2 "HOST2\0x03"`, `"HOST2\0x03": a suffix at byte 6: fill up with blanks, so that it is the 16th`},
		{`10.77.0.2 "HOST2          \0xG3"`, `"HOST2          \0xG3": want two hexadecimal digits behind \0x`},
		{`10.77.0.2 "ABCDEFGHIJKLMNOPQ"`, `invalid NetBIOS name "ABCDEFGHIJKLMNOPQ": 17 bytes, at most 15 fit`},
		{"10.77.0.2 HOST2 #DOM:ABCDEFGHIJKLMNOP", `#DOM: invalid NetBIOS name "ABCDEFGHIJKLMNOP": 16 bytes, at most 15 fit`},
		{"#INCLUDE", "#INCLUDE: no file: name one"},
		{`#INCLUDE \\server\public\lmhosts`, `#INCLUDE: \\server\public\lmhosts: only local files are read: copy it here`},
		{"#END_ALTERNATE", "#END_ALTERNATE without #BEGIN_ALTERNATE: remove it"},
		{"#BEGIN_ALTERNATE", "#BEGIN_ALTERNATE without #END_ALTERNATE: add it"},
	}
	for _, test := range tests {
		dir := write(t, map[string]string{"lmhosts": "10.77.0.1 HOST1\n" + test.line + "\n10.77.0.3 HOST3\n"})
		path := filepath.Join(dir, "lmhosts")
		got, err := ReadLMHosts(path)
		if want := path + ":2: " + test.want; err == nil || err.Error() != want {
			t.Errorf("%s: error\n%v, want\n%s", test.line, err, want)
		}
		for name, want := range map[string]string{"HOST1<03>": "10.77.0.1", "HOST3<03>": "10.77.0.3"} {
			if addrs, ok := got.Lookup(nameOf(t, name)); !ok || joined(addrs) != want {
				t.Errorf("%s: beside the bad line, %s is at %v, want %s", test.line, name, addrs, want)
			}
		}
	}
}

func TestReadLMHostsFiles(t *testing.T) {
	var wide strings.Builder
	for i := range 2 * maxIncludeFiles {
		fmt.Fprintf(&wide, "#BEGIN_ALTERNATE\n#INCLUDE missing%d\n#INCLUDE more\n#END_ALTERNATE\n", i)
	}
	dir := write(t, map[string]string{
		"main":        "10.77.0.1 HOST1\n#INCLUDE more\n10.77.0.3 HOST2\n#include " + "missing\n",
		"more":        "10.77.0.2 HOST2\n",
		"loop":        "10.77.0.4 HOST4\n#INCLUDE loop\n",
		"note":        "#INCLUDE more  # those of the branch\n#INCLUDE \"with # sign\" # and this\n",
		"with # sign": "10.77.0.6 HOST6\n",
		"ring":        "10.77.0.5 HOST5\n10.77.0 BAD\n#INCLUDE ring2\n",
		"ring2":       "#INCLUDE ring\n#INCLUDE more\n#INCLUDE more\n",
		"wide":        wide.String(),
		"bad":         strings.Repeat("BAD\n", 100),
		"first":       "#BEGIN_ALTERNATE\n#INCLUDE missing\n#INCLUDE more\n#INCLUDE loop\n#END_ALTERNATE\n",
		"none":        "#BEGIN_ALTERNATE\n#INCLUDE missing\n#INCLUDE \\\\server\\share\\lmhosts\n#END_ALTERNATE\n",
		"nest":        "#BEGIN_ALTERNATE\n#BEGIN_ALTERNATE\n#END_ALTERNATE\n",
		"long":        "10.77.0.1 HOST1\n# " + strings.Repeat("x", 70000) + "\n10.77.0.2 HOST2\n",
	})
	path := func(name string) string { return filepath.Join(dir, name) }
	tests := []struct {
		files  []string
		want   map[string]string
		errors []string // parts of the lines of the error
	}{
		{nil, map[string]string{}, nil},
		{[]string{"missing"}, map[string]string{}, nil},
		{[]string{"missing", "more"}, map[string]string{"HOST2": "10.77.0.2"}, nil},
		{[]string{"more", "main"}, map[string]string{"HOST1": "10.77.0.1", "HOST2": "10.77.0.2"}, []string{path("main") + ":4: #INCLUDE: open " + path("missing")}},
		{[]string{"note"}, map[string]string{"HOST2": "10.77.0.2", "HOST6": "10.77.0.6"}, nil},
		{[]string{"first"}, map[string]string{"HOST2": "10.77.0.2"}, nil},
		{[]string{"none"}, map[string]string{}, []string{path("none") + ":4: none of the alternates can be read: open " + path("missing"), "only local files"}},
		{[]string{"nest"}, map[string]string{}, []string{path("nest") + ":2: #BEGIN_ALTERNATE within that of line 1: end that one before"}},
		{[]string{"loop"}, map[string]string{"HOST4": "10.77.0.4"}, []string{fmt.Sprintf("%s:2: #INCLUDE: %[1]s includes itself: remove the line", path("loop"))}},
		{[]string{"ring", "ring"}, map[string]string{"HOST2": "10.77.0.2", "HOST5": "10.77.0.5"}, []string{
			path("ring") + `:2: "10.77.0" is no IPv4 address: begin a line with one, or with # if it is a comment` + "\n" +
				path("ring2") + ":1: #INCLUDE: " + path("ring") + " includes itself: remove the line",
		}},
		{[]string{"bad"}, map[string]string{}, []string{path("bad") + ":10: ", "\nand 90 more lines like these"}},
		{[]string{"long"}, map[string]string{"HOST1": "10.77.0.1"}, []string{path("long") + ":2: bufio.Scanner: token too long"}},
		{[]string{"."}, map[string]string{}, []string{"is a directory"}},
	}
	for _, test := range tests {
		var paths []string
		for _, file := range test.files {
			paths = append(paths, path(file))
		}
		got, err := ReadLMHosts(paths...)
		if diff := cmp.Diff(test.want, listing(got)); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", test.files, diff)
		}
		if (err != nil) != (test.errors != nil) {
			t.Errorf("%s: error %v, want %q", test.files, err, test.errors)
			continue
		}
		for _, part := range test.errors {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: error %v, want %q in it", test.files, err, part)
			}
		}
	}

	// Files are bounded in number, however they are included.
	_, err := ReadLMHosts(path("wide"))
	if err != nil {
		t.Errorf("%d alternates, each with one that is there: %v", 2*maxIncludeFiles, err)
	}
	wide.Reset()
	for i := range 2 * maxIncludeFiles {
		fmt.Fprintf(&wide, "#INCLUDE missing%d\n", i)
	}
	opened := 0
	p := newLMHostsReader(func(string) (io.ReadCloser, error) {
		opened++
		return io.NopCloser(strings.NewReader(wide.String())), nil
	})
	if err := p.file("wide", 0); err != nil || opened != maxIncludeFiles || p.problems() == nil {
		t.Errorf("%d files were opened, want %d; %v, %v", opened, maxIncludeFiles, err, p.problems())
	}
}

func TestLMHostsLookup(t *testing.T) {
	dir := write(t, map[string]string{"lmhosts": "10.77.0.2 HOST2\n10.77.0.3 HOST2#03\n10.77.0.4 HOST4 #MH #DOM:SALES\n10.77.1.4 HOST4 #MH\n"})
	hosts, err := ReadLMHosts(filepath.Join(dir, "lmhosts"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"HOST2<00>": "10.77.0.2",
		"HOST2<03>": "10.77.0.3",
		"HOST2<20>": "10.77.0.2",
		"HOST4<00>": "10.77.0.4 10.77.1.4",
		"HOST4<03>": "10.77.0.4 10.77.1.4",
		"HOST4<20>": "10.77.0.4 10.77.1.4",
		"SALES<1C>": "10.77.0.4",
		"SALES<00>": "",
		"HOST4<1B>": "",
		"HOST4<1D>": "",
		"HOST5<03>": "",
	} {
		if addrs, ok := hosts.Lookup(nameOf(t, name)); ok != (want != "") || joined(addrs) != want {
			t.Errorf("Lookup(%s) = %v, %v; want %q", name, addrs, ok, want)
		}
	}
	if addrs, ok := (LMHosts{}).Lookup(netbios.Name{}); ok {
		t.Errorf("the empty LMHosts knows %v", addrs)
	}

	var all []string
	for name, addrs := range hosts.All() {
		all = append(all, name.String()+" "+joined(addrs))
	}
	want := []string{
		"HOST2<00> 10.77.0.2", "HOST2<03> 10.77.0.3", "HOST2<20> 10.77.0.2",
		"HOST4<00> 10.77.0.4 10.77.1.4", "HOST4<03> 10.77.0.4 10.77.1.4", "HOST4<20> 10.77.0.4 10.77.1.4",
		"SALES<1C> 10.77.0.4",
	}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Errorf("All (-want +got):\n%s", diff)
	}
	for name := range hosts.All() {
		if name != nameOf(t, "HOST2<00>") {
			t.Errorf("All goes on to %v", name)
		}
		break
	}
	for name := range (LMHosts{}).All() {
		t.Errorf("the empty LMHosts has %v", name)
	}
}

// One name keeps no more addresses than Windows does, however many lines it has.
func TestLMHostsManyAddresses(t *testing.T) {
	var text strings.Builder
	for i := range 100 {
		fmt.Fprintf(&text, "10.77.0.%d HOST%d #PRE #DOM:SALES\n10.77.1.%d MANY #MH\n", i+1, i, i+1)
	}
	dir := write(t, map[string]string{"lmhosts": text.String()})
	hosts, err := ReadLMHosts(filepath.Join(dir, "lmhosts"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"SALES<1C>", "MANY<03>"} {
		if addrs, _ := hosts.Lookup(nameOf(t, name)); len(addrs) != maxHosts || addrs[24].As4()[3] != 25 {
			t.Errorf("%s has %v, want the first %d", name, addrs, maxHosts)
		}
	}
}

func FuzzParseLMHosts(f *testing.F) {
	f.Add("10.77.0.2 HOST2#03\n10.77.0.3 \"HOST3          \\0x03\" #PRE #DOM:SALES # x\r\n")
	f.Add("#BEGIN_ALTERNATE\n#INCLUDE a\n#INCLUDE b\n#END_ALTERNATE\n#MH\n")
	f.Add("10.77.0.2 HOST2 #MH\n10.77.0.3 HOST2 #MH\n10.77.0.3 HOST2#20 #DOM:A #DOM:B\n#INCLUDE \"x # y\" # z")
	f.Add("\uFEFF10.77.0.2 \"\\0x")
	f.Fuzz(func(t *testing.T, text string) {
		opened := 0
		// Every second file is there, and has the same text.
		p := newLMHostsReader(func(path string) (io.ReadCloser, error) {
			if len(path)%2 == 0 {
				return nil, fs.ErrNotExist
			}
			opened++
			return io.NopCloser(strings.NewReader(text)), nil
		})
		p.lines("lmhosts", strings.NewReader(text), 0)
		for _, err := range p.errs {
			if !strings.HasPrefix(err.Error(), "lmhosts:") && opened == 0 {
				t.Errorf("an error without its file: %v", err)
			}
		}
		if opened > maxIncludeFiles {
			t.Errorf("%d files were read", opened)
		}
		for name := range p.hosts.plain {
			if name.Suffix() != 0 {
				t.Errorf("%v is there without its suffix", name)
			}
		}
		for name, addrs := range p.hosts.All() {
			if e, ok := p.hosts.entry(name); !ok || len(addrs) == 0 || len(addrs) > maxHosts || e.at.line < 1 || !addrs[0].Is4() {
				t.Errorf("%v has %v of %v", name, addrs, e.at)
			}
		}
	})
}
