package messngr_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/messngr/messngr"

// A rule says what some packages may import, and why no more. Each field but
// why is a list of words.
type rule struct {
	packages string // of this module; "." is its root
	may      string // packages of this module
	uses     string // packages of other modules, with what is below them
	never    string // packages of the standard library, with what is below them; net/netip has no I/O and is free
	why      string
}

const (
	// io is how a program reaches out of itself.
	io = "context log net os syscall"
	// wires are the packages that know how bytes stand on the wire.
	wires = "dcerpc dcerpc/epm dcerpc/ncacn dcerpc/ncadg dcerpc/ndr mailslot mailslot/browse msgsvc netbios netbios/nbdgm netbios/nbns netbios/nbss smb"
)

// The rules, from the bottom of the tree to its top.
var rules = []rule{
	{
		packages: "internal/wire", never: io + " sync time",
		why: "it is what every codec stands on: it reads bytes and knows nothing else",
	},
	{
		packages: "netbios", may: "internal/wire", never: io + " sync time",
		why: "a wire package is a leaf that turns bytes into values and back, so that everybody can use it: no socket, no clock, no log, no module of others",
	},
	{
		packages: "netbios/nbns netbios/nbss", may: "internal/wire netbios", never: io + " sync time",
		why: "a wire package is a leaf that turns bytes into values and back, so that everybody can use it: of its kin it knows the names only",
	},
	{
		packages: "netbios/nbdgm", may: "internal/wire netbios", never: io + " sync",
		why: "a wire package is a leaf that turns bytes into values and back, so that everybody can use it: fragments wait for each other, but what time it is they are told",
	},
	{
		packages: "mailslot", may: "internal/wire smb", never: io + " sync time",
		why: "a wire package is a leaf that turns bytes into values and back, so that everybody can use it: a mailslot write is an SMB message, and who carries it is nothing to it",
	},
	{
		packages: "mailslot/browse", may: "internal/wire", never: io + " sync time",
		why: "a wire package is a leaf that turns bytes into values and back, so that everybody can use it: who carries an announcement is nothing to it",
	},
	{
		packages: "smb", may: "internal/wire", never: io + " sync time",
		why: "a wire package is a leaf that turns bytes into values and back, so that everybody can use it: who carries an SMB message is nothing to it",
	},
	{
		packages: "dcerpc", may: "internal/wire", never: io + " sync time",
		why: "a wire package is a leaf that turns bytes into values and back, so that everybody can use it: which form of RPC it is of is nothing to it",
	},
	{
		packages: "dcerpc/ndr", may: "dcerpc internal/wire", never: io + " sync time",
		why: "a wire package is a leaf that turns bytes into values and back, so that everybody can use it: whose parameters they are is nothing to it",
	},
	{
		packages: "dcerpc/ncadg dcerpc/ncacn", may: "dcerpc dcerpc/ndr internal/wire", never: io + " sync time",
		why: "a wire package is a leaf that turns bytes into values and back, so that everybody can use it: the two forms of RPC know each other and the interfaces not at all",
	},
	{
		packages: "dcerpc/epm msgsvc", may: "dcerpc dcerpc/ndr internal/wire", never: io + " sync time",
		why: "a wire package is a leaf that turns bytes into values and back, so that everybody can use it: by which form of RPC an interface is called is nothing to it",
	},
	{
		packages: "internal/oem", uses: "golang.org/x/text", never: io + " time",
		why: "code pages are tables: text goes in, bytes come out",
	},
	{
		packages: ".", never: io,
		why: "the values are what everybody speaks of: they do no I/O and know nobody",
	},
	{
		packages: "internal/guard", may: ".", never: io,
		why: "the guard decides from what it is told, and nothing else: guard, store and hub know the values and never each other, only the server puts them in a row",
	},
	{
		packages: "internal/hub", may: ".", never: "log net os syscall",
		why: "guard, store and hub know the values and never each other: only the server puts them in a row",
	},
	{
		packages: "internal/store", may: ".", uses: "zombiezen.com/go/sqlite golang.org/x/sys",
		never: "net",
		why:   "guard, store and hub know the values and never each other: only the server puts them in a row",
	},
	{
		packages: "internal/links", never: "context log",
		why: "it says what networks this host is on, and not what for",
	},
	{
		packages: "internal/udp", uses: "golang.org/x/sys", never: "context log",
		why: "it sends packets, whatever is in them",
	},
	{
		packages: "internal/resolver", may: "internal/links netbios netbios/nbns",
		why: "it asks for names, whatever they are wanted for: messages are nothing to it",
	},
	{
		packages: "internal/names", may: "internal/links internal/udp netbios netbios/nbns",
		why: "it answers for names, whatever they are wanted for: messages are nothing to it",
	},
	{
		packages: "internal/wins", may: ". netbios netbios/nbns",
		why: "it knows the names of others: whose socket it speaks through and who keeps them is its caller's to say",
	},
	{
		packages: "internal/conns", never: "os syscall",
		why: "it bounds connections, whatever comes over them",
	},
	{
		packages: "internal/rpc", may: "dcerpc dcerpc/ncacn dcerpc/ncadg dcerpc/ndr internal/conns", uses: "golang.org/x/sys",
		why: "it carries calls, whatever they are for: interfaces, messages and whom it serves are its caller's to say",
	},
	{
		packages: "internal/listener", may: ". dcerpc dcerpc/epm internal/conns internal/oem internal/rpc internal/udp mailslot mailslot/browse msgsvc netbios netbios/nbdgm netbios/nbss smb", uses: "golang.org/x/sys",
		why: "it makes messages of bytes and hands them on: what becomes of them (guard, store, hub) is its caller's to say",
	},
	{
		packages: "internal/sender", may: ". dcerpc dcerpc/epm dcerpc/ncadg internal/links internal/oem internal/resolver internal/rpc mailslot msgsvc netbios netbios/nbdgm netbios/nbss smb", uses: "golang.org/x/text/unicode/norm",
		why: "it makes bytes of messages: it works with a service and without, so it knows neither store nor configuration",
	},
	{
		packages: "internal/neighbours", may: "mailslot/browse", never: "context log os syscall",
		why: "it remembers what it is told: who heard it, and when, is its caller's to say",
	},
	{
		packages: "internal/display", may: ". internal/hub internal/store", uses: "github.com/dustin/go-humanize github.com/ncruces/go-strftime github.com/rivo/uniseg",
		never: "net os/exec",
		why:   "it shows values: how they came over the wire has been settled at the edge",
	},
	{
		packages: "internal/api", may: ". internal/hub internal/store",
		why: "it serves what is stored: how messages come and go over the wire is not its concern, and its client must not drag the service in",
	},
	{
		packages: "internal/config", may: "internal/display internal/guard internal/oem netbios", uses: "github.com/pelletier/go-toml/v2",
		never: "context net/http",
		why:   "it checks what a person wrote, with the rules of the packages that are configured; those never import it",
	},
	{
		packages: "internal/server",
		may:      ". dcerpc/epm internal/api internal/config internal/display internal/guard internal/hub internal/listener internal/names internal/neighbours internal/oem internal/resolver internal/rpc internal/sender internal/store internal/wins mailslot/browse msgsvc netbios netbios/nbns",
		uses:     "golang.org/x/sync/errgroup",
		why:      "the one assembly knows every part, but bytes on the wire are the business of listener, sender, names, wins and rpc alone; it hands packets from names to wins",
	},
	{
		packages: "internal/cli",
		may:      ". internal/api internal/config internal/display internal/oem internal/resolver internal/sender internal/server",
		uses:     "github.com/ncruces/go-strftime github.com/spf13/cobra github.com/spf13/pflag github.com/vbauerster/mpb/v8 golang.org/x/term",
		why:      "a command sends, asks the service over the API, or is the service: it reaches into no part of it",
	},
	{
		packages: "cmd/messngr", may: "internal/cli", never: "net log",
		why: "main is short: all that can be tested is in cli",
	},

	// What is not in the program.
	{
		packages: "internal/wire/vector",
		why:      "test vectors are read without the help of what they test",
	},
	{
		packages: "internal/lab internal/lab/tally", uses: "golang.org/x/sys",
		why: "what tests a program must not share its code, else both err alike",
	},
	{
		packages: "internal/bench", may: ". internal/api internal/lab internal/listener internal/names internal/oem internal/rpc internal/sender internal/store " + wires,
		uses: "github.com/dustin/go-humanize golang.org/x/sys",
		why:  "it measures the program from outside, and its hot paths one by one",
	},
}

// forTests are the packages that only tests may import, and bench, which is
// one, and why.
var forTests = map[string]string{
	"internal/wire/vector": "it fails tests, not requests",
	"internal/lab":         "it makes network namespaces and runs real peers: nothing of it belongs in the program",
}

// Modules that tests may use beside those of their package.
const testModules = "github.com/google/go-cmp/cmp github.com/rogpeppe/go-internal go.uber.org/goleak golang.org/x/sys"

// TestImports holds every file of the tree, for whatever system it is, against
// the rules.
func TestImports(t *testing.T) {
	seen := map[string]bool{}
	for _, file := range goFiles(t) {
		from := path.Dir(file)
		first := !seen[from]
		seen[from] = true
		if ruleOf(from) == nil {
			if first {
				t.Errorf("package %s has no rule: say in imports_test.go what it may import and why no more", from)
			}
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range parsed.Imports {
			to, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if why := forbidden(from, to, strings.HasSuffix(file, "_test.go")); why != "" {
				t.Errorf("%s imports %s: %s", file, to, why)
			}
		}
	}
	for _, r := range rules {
		for p := range strings.FieldsSeq(r.packages) {
			if !seen[p] {
				t.Errorf("there is a rule for %s, but no such package", p)
			}
		}
	}
}

// TestForbiddenImports: the rules bite.
func TestForbiddenImports(t *testing.T) {
	for _, tt := range []struct {
		from, to string
		test     bool
		why      string // "" if it may
	}{
		{"smb", "bytes", false, ""},
		{"smb", "net/netip", false, ""},
		{"smb", module + "/internal/wire", false, ""},
		{"smb", "net", false, "leaf"},
		{"smb", "log/slog", false, "leaf"},
		{"smb", "time", false, "leaf"},
		{"smb", "testing", false, "only a test"},
		{"smb", module + "/netbios", false, "leaf"},
		{"netbios/nbss", module + "/netbios", false, ""},
		{"netbios/nbss", module + "/netbios/nbns", false, "leaf"},
		{"netbios", "golang.org/x/text/encoding", false, "leaf"},
		{"dcerpc/ncadg", module + "/dcerpc/ndr", false, ""},
		{"dcerpc/ncadg", module + "/dcerpc/ncacn", false, "leaf"},
		{"dcerpc/ncacn", module + "/msgsvc", false, "leaf"},
		{"dcerpc", module + "/dcerpc/ndr", false, "leaf"},
		{"msgsvc", module + "/dcerpc/ncadg", false, "leaf"},
		{"msgsvc", module + "/dcerpc/ncadg", true, "leaf"},
		{"msgsvc", "time", false, "leaf"},
		{"internal/rpc", module + "/dcerpc/ncadg", false, ""},
		{"internal/rpc", module + "/msgsvc", false, "carries calls"},
		{"internal/rpc", module, false, "carries calls"},
		{"internal/listener", module + "/dcerpc/ncadg", false, "its caller's"},
		{"internal/oem", "golang.org/x/text/encoding/charmap", false, ""},
		{"internal/oem", "golang.org/x/textual", false, "tables"},
		{".", "golang.org/x/text", false, "values"},
		{".", module + "/internal/oem", false, "values"},
		{".", "os", false, "values"},
		{"internal/guard", module + "/internal/store", false, "never each other"},
		{"internal/store", module + "/internal/hub", false, "never each other"},
		{"internal/hub", module + "/internal/guard", false, "never each other"},
		{"internal/guard", module, false, ""},
		{"internal/api", module + "/smb", false, "serves what is stored"},
		{"internal/api", module + "/internal/config", false, "serves what is stored"},
		{"internal/listener", module + "/internal/config", false, "its caller's"},
		{"internal/server", module + "/smb", false, "on the wire"},
		{"internal/server", module + "/internal/config", false, ""},
		{"internal/cli", module + "/internal/config", false, ""},
		{"internal/cli", module + "/internal/store", false, "reaches into no part"},
		{"cmd/messngr", module + "/internal/server", false, "main is short"},
		{"internal/server", module + "/internal/lab", false, "namespaces"},
		{"internal/bench", module + "/internal/lab", false, ""},
		{"smb", module + "/internal/wire/vector", false, "fails tests"},

		// Tests are freer.
		{"smb", "testing", true, ""},
		{"smb", "os", true, ""},
		{"smb", "github.com/google/go-cmp/cmp", true, ""},
		{"smb", module + "/internal/wire/vector", true, ""},
		{"smb", module + "/internal/listener", true, "leaf"},
		{"smb", module + "/internal/lab", true, "leaf"},
		{"internal/server", module + "/smb", true, ""},
		{"internal/server", module + "/internal/lab", true, ""},
		{"internal/server", module + "/internal/bench", true, "a program"},
		{"internal/server", "github.com/stretchr/testify/assert", true, "one assembly"},
	} {
		got := forbidden(tt.from, tt.to, tt.test)
		if tt.why == "" && got != "" || tt.why != "" && !strings.Contains(got, tt.why) {
			t.Errorf("%s imports %s (test: %v): %q, want %q", tt.from, tt.to, tt.test, got, tt.why)
		}
	}
}

// forbidden returns why the package from may not import to, in its tests or in
// the rest of it; "" if it may.
func forbidden(from, to string, test bool) string {
	r := ruleOf(from)
	first, _, _ := strings.Cut(to, "/")
	switch {
	case to == module || strings.HasPrefix(to, module+"/"):
		own := "."
		if to != module {
			own = strings.TrimPrefix(to, module+"/")
		}
		return r.forbidsOwn(from, own, test)
	case !strings.Contains(first, "."): // the standard library
		if !test && first == "testing" && forTests[from] == "" && from != "internal/bench" {
			return "only a test needs it"
		}
		if !test && to != "net/netip" && below(r.never, to) {
			return r.why
		}
	case !below(r.uses, to) && !(test && below(testModules, to)):
		return r.why
	}
	return ""
}

// forbidsOwn is forbidden for a package of this module.
func (r *rule) forbidsOwn(from, own string, test bool) string {
	// The tests of a package may import the package, as from outside it.
	allowed := own == from || slices.Contains(strings.Fields(r.may), own)
	switch {
	case strings.HasPrefix(own, "cmd/") || own == "internal/bench" || own == "internal/lab/tally":
		return "it is a program, not a part of one"
	case !test && forTests[own] != "" && from != "internal/bench":
		return forTests[own]
	case test && from != "internal/wire" && !slices.Contains(strings.Fields(wires), from):
		return "" // a test may put together what the program keeps apart
	case test && own == "internal/wire/vector":
		return ""
	case !allowed:
		return r.why
	}
	return ""
}

// below reports whether p is one of the packages of a list or below one.
func below(list, p string) bool {
	for word := range strings.FieldsSeq(list) {
		if p == word || strings.HasPrefix(p, word+"/") {
			return true
		}
	}
	return false
}

func ruleOf(pkg string) *rule {
	for i := range rules {
		if slices.Contains(strings.Fields(rules[i].packages), pkg) {
			return &rules[i]
		}
	}
	return nil
}

// goFiles returns the paths of all files of the module, with slashes.
func goFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("cannot read the tree: %w", err)
		}
		name := d.Name()
		if d.IsDir() && p != "." && (name == "testdata" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")) {
			return fs.SkipDir
		}
		if !d.IsDir() && strings.HasSuffix(name, ".go") {
			files = append(files, filepath.ToSlash(p))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 50 {
		t.Fatalf("found only %d files", len(files))
	}
	return files
}
