package config

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml/v2"

	"github.com/messngr/messngr/internal/display"
	"github.com/messngr/messngr/internal/guard"
	"github.com/messngr/messngr/internal/oem"
	"github.com/messngr/messngr/netbios"
)

// mustParse reads a file of that text, for a host named HOST1.
func mustParse(t *testing.T, text string) *Config {
	t.Helper()
	c, err := parse("messngr.toml", text, Options{Name: "HOST1", Data: "/data"})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return c
}

func page(t *testing.T, number int) *oem.Page {
	t.Helper()
	p, err := oem.Lookup(number)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestDefaults holds every default, so that none changes unseen.
func TestDefaults(t *testing.T) {
	c := mustParse(t, "")
	want := &Config{
		Name: "HOST1", Workgroup: "WORKGROUP", Data: "/data",
		SMB: SMB{
			Listen:   []string{":139"},
			CodePage: page(t, 850), MaxText: 65536,
			MaxConnections: 512, MaxPerSource: 128, MaxUnfinished: 16 << 20,
			IdleTimeout: 90 * time.Second, MessageTimeout: 30 * time.Second,
		},
		Mailslot: Mailslot{Listen: []string{":138"}, MaxWaiting: 16384},
		Names:    Names{Listen: ":137", BroadcastTimeout: 250 * time.Millisecond, ServerTimeout: 1500 * time.Millisecond, LMHosts: "/data/lmhosts"},
		WINS:     WINS{MinTTL: 40 * time.Minute, MaxTTL: 144 * time.Hour},
		RPC:      RPC{Interfaces: []string{}, Listen: ":135", QuarantinePerDay: 1000, Manage: guard.Config{OnlyNetworks: true}},
		Display:  display.Config{Header: "Message from {from} to {to} on {date}"},
		Send:     Send{Transport: "auto", Port: 139, RPCPort: 135, Timeout: 10 * time.Second, CodePage: page(t, 850), MaxText: 4095, MaxCast: 421},
	}
	samePage := cmp.Comparer(func(a, b *oem.Page) bool { return a == b })
	if diff := cmp.Diff(want, c, samePage, cmp.AllowUnexported(Config{})); diff != "" {
		t.Errorf("the defaults (-want +got):\n%s", diff)
	}
}

// TestReferenceIsComplete: every option stands in the reference file, where a
// person looks for it.
func TestReferenceIsComplete(t *testing.T) {
	// The tables of which there can be any number are a comment at the end.
	before, example, ok := strings.Cut(Reference, "# [[station]]\n")
	if !ok {
		t.Fatal("the reference file has no example of [[station]]")
	}
	text := before + "[[station]]\n" + strings.ReplaceAll(example, "# ", "")
	var in map[string]any
	if err := toml.Unmarshal([]byte(text), &in); err != nil {
		t.Fatal(err)
	}
	options := optionsOf(reflect.TypeFor[file](), "")
	if len(options) < 20 {
		t.Fatalf("found only the options %v", options)
	}
	for _, option := range options {
		if !has(in, strings.Split(option, ".")) {
			t.Errorf("the reference file does not have %s", option)
		}
	}
	if c := mustParse(t, text); len(c.stations) != 1 {
		t.Errorf("the example of [[station]] gives %d stations", len(c.stations))
	}
}

// optionsOf returns the names of the options of a raw struct.
func optionsOf(typ reflect.Type, prefix string) []string {
	var options []string
	for field := range typ.Fields() {
		name, inner := prefix+field.Tag.Get("toml"), field.Type
		if inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		if inner.Kind() == reflect.Struct && inner.Name() == "" {
			options = append(options, optionsOf(inner, name+".")...)
		} else {
			options = append(options, name)
		}
	}
	return options
}

func has(in any, path []string) bool {
	if list, ok := in.([]any); ok && len(list) > 0 {
		in = list[0]
	}
	table, ok := in.(map[string]any)
	if !ok {
		return len(path) == 0
	}
	if len(path) == 0 {
		return true
	}
	value, ok := table[path[0]]
	return ok && has(value, path[1:])
}

// TestFile reads a file that says something else than the defaults everywhere.
func TestFile(t *testing.T) {
	c, err := parse("messngr.toml", `
name = "front-desk"
workgroup = "Bäckerei"
aliases = ["ups", "Operator"]
data = "state"
[guard]
networks = ["on-link", "10.8.0.0/16", "192.0.2.7", "2001:db8::/32"]
[smb]
listen = ["10.77.0.2:139", "[fe80::1%eth0]:1139", ":http"]
code_page = 437
max_text = 1
max_connections = 2
max_connections_per_source = 3
max_unfinished = 65536
idle_timeout = "1m30s"
message_timeout = "250ms"
[mailslot]
listen = [":1138"]
max_waiting = 9
[names]
listen = "10.77.0.2:137"
extra = ["front-desk#20"]
node_type = "m"
wins_servers = ["10.77.0.9", "10.77.0.10:1137"]
resolve_order = ["dns", "wins"]
broadcast_timeout = "750ms"
server_timeout = "5s"
lmhosts = "/etc/lmhosts"
[wins]
serve = true
static = "/etc/static"
min_ttl = "1h"
max_ttl = "2h"
[rpc]
enabled = true
interfaces = ["eth0", "Ethernet 2"]
networks = ["10.8.0.0/16"]
listen = "10.77.0.2:1135"
port = 1026
one_way = "quarantine"
quarantine_per_day = 7
manage = ["10.77.0.9"]
[inject]
socket = "/run/x.sock"
[display]
header = "{from}: {provenance}"
date = "%Y-%m-%d"
bell = true
[send]
transport = "rpc"
port = 1139
rpc_port = 1135
timeout = "3s"
code_page = 1252
max_text = 128
max_workgroup_text = 127
[log]
level = "debug"
`, Options{})
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(dir, "state"); c.Data != want {
		t.Errorf("data is %s, want the absolute %s", c.Data, want)
	}
	got := []any{
		c.Name, c.Workgroup, c.Aliases, c.Guard.OnlyNetworks, len(c.Guard.Networks),
		c.SMB.Listen, c.SMB.CodePage.Number(), c.SMB.MaxText, c.SMB.MaxConnections, c.SMB.MaxPerSource, c.SMB.MaxUnfinished,
		c.SMB.IdleTimeout, c.SMB.MessageTimeout,
		c.Mailslot, c.Names, c.WINS, c.RPC, c.Inject, c.Display, c.Send.Transport, c.Send.Port, c.Send.RPCPort, c.Send.Timeout, c.Send.CodePage.Number(), c.Send.MaxText, c.Send.MaxCast, c.Log.String(),
	}
	want := []any{
		"FRONT-DESK", "BÄCKEREI", []string{"UPS", "OPERATOR"}, false, 3,
		[]string{"10.77.0.2:139", "[fe80::1%eth0]:1139", ":http"}, 437, 1, 2, 3, 65536,
		90 * time.Second, 250 * time.Millisecond,
		Mailslot{Listen: []string{":1138"}, MaxWaiting: 9},
		Names{
			Listen: "10.77.0.2:137", NodeType: "M", Extra: []netbios.Name{netbios.Name([]byte("FRONT-DESK     \x20"))},
			Servers: []netip.AddrPort{netip.MustParseAddrPort("10.77.0.9:137"), netip.MustParseAddrPort("10.77.0.10:1137")},
			Order:   []string{"dns", "wins"}, BroadcastTimeout: 750 * time.Millisecond, ServerTimeout: 5 * time.Second,
			LMHosts: "/etc/lmhosts",
		},
		WINS{Serve: true, Static: "/etc/static", MinTTL: time.Hour, MaxTTL: 2 * time.Hour},
		RPC{
			Enabled: true, Interfaces: []string{"eth0", "Ethernet 2"},
			Guard:  guard.Config{Networks: []netip.Prefix{netip.MustParsePrefix("10.8.0.0/16")}, OnlyNetworks: true},
			Listen: "10.77.0.2:1135", Port: 1026, Quarantine: true, QuarantinePerDay: 7,
			Manage: guard.Config{Networks: []netip.Prefix{netip.MustParsePrefix("10.77.0.9/32")}, OnlyNetworks: true},
		},
		"/run/x.sock",
		display.Config{Header: "{from}: {provenance}", Date: "%Y-%m-%d", Bell: true},
		"rpc", uint16(1139), uint16(1135), 3 * time.Second, 1252, 128, 127, "DEBUG",
	}
	sameAddr := cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })
	samePrefix := cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })
	if diff := cmp.Diff(want, got, sameAddr, samePrefix); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestEmptyLists: a list of the file replaces the default, even by nothing.
func TestEmptyLists(t *testing.T) {
	c := mustParse(t, "smb.listen = []\nguard.networks = []\n")
	if len(c.SMB.Listen) != 0 || len(c.Guard.Networks) != 0 || !c.Guard.OnlyNetworks {
		t.Errorf("listen %v, guard %+v: want neither addresses nor networks", c.SMB.Listen, c.Guard)
	}
}

func TestStations(t *testing.T) {
	c := mustParse(t, `
[[station]]
match = ["10.77.0.9"]
code_page = 437
[[station]]
match = ["10.77.0.0/16", "oldhost"]
code_page = 852
[[station]]
match = ["OLDHOST", "bäcker", "2001:db8::7"]
code_page = 1252
`)
	for _, tt := range []struct {
		addr  string
		names []string
		want  int
	}{
		{"10.77.0.9", nil, 437},                        // an address
		{"10.77.0.9", []string{"OLDHOST"}, 437},        // the first that matches counts
		{"10.77.200.1", nil, 852},                      // a network
		{"10.1.1.1", []string{"OldHost"}, 852},         // a name, in any case
		{"", []string{"OLDHOST"}, 852},                 // an address that is not known
		{"10.1.1.1", []string{"", "BÄCKER"}, 1252},     // any of several names
		{"2001:db8::7", nil, 1252},                     // IPv6
		{"10.78.0.9", []string{"OTHER", ""}, 850},      // nobody
		{"", nil, 850},                                 // nothing is known
		{"2001:db8::8", []string{"10.77.0.9"}, 850},    // an address is no name
		{"10.1.1.1", []string{"OLDHOST.EXAMPLE"}, 850}, // nor is a host name
	} {
		if got := c.SendPage(addr(t, tt.addr), tt.names...).Number(); got != tt.want {
			t.Errorf("the page of %q %q is %d, want %d", tt.addr, tt.names, got, tt.want)
		}
	}
	if got := c.Page(addr(t, "10.1.1.1"), page(t, 932), "X"); got.Number() != 932 {
		t.Errorf("a station that is not in the file has page %d, want the one given", got.Number())
	}
}

// TestPrecedence: an option wins over the file, the file over the default.
func TestPrecedence(t *testing.T) {
	path := filepath.Join(t.TempDir(), "messngr.toml")
	write(t, path, "name = 'filename'\nworkgroup = 'filegroup'\ndata = '/file'\n")
	for _, tt := range []struct {
		name string
		o    Options
		want [3]string
	}{
		{"file", Options{File: path}, [3]string{"FILENAME", "FILEGROUP", "/file"}},
		{"options", Options{File: path, Name: "n", Workgroup: "w", Data: "/d"}, [3]string{"N", "W", "/d"}},
		{"defaults", Options{File: os.DevNull, Name: "n", Data: "/d"}, [3]string{"N", "WORKGROUP", "/d"}},
	} {
		c, err := Load(tt.o)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got := [3]string{c.Name, c.Workgroup, c.Data}; got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestHostName(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	c, err := parse("messngr.toml", "", Options{Data: "/data"})
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.ToUpper(nameOf(host)); c.Name != want {
		t.Errorf("the computer name is %q, want %q of the host %q", c.Name, want, host)
	}
	for host, want := range map[string]string{
		"host2":                    "host2",
		"host2.example.com":        "host2",
		"a-very-long-host-name.de": "a-very-long-hos", // 15 characters, as Windows cuts it
		"":                         "",
	} {
		if got := nameOf(host); got != want {
			t.Errorf("the name of host %q is %q, want %q", host, got, want)
		}
	}
}

func TestDataDirectory(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home) // Windows
	t.Setenv("XDG_STATE_HOME", "")
	t.Setenv("LOCALAPPDATA", "")
	data := func(root bool) string {
		t.Helper()
		dir, err := defaultData(root)
		if err != nil {
			t.Fatal(err)
		}
		return dir
	}
	if got, want := data(true), "/var/lib/messngr"; got != want {
		t.Errorf("data of root: %s, want %s", got, want)
	}
	if got, want := data(false), filepath.Join(home, ".local", "state", "messngr"); got != want {
		t.Errorf("data of a user: %s, want %s", got, want)
	}
	t.Setenv("XDG_STATE_HOME", "relative") // "must be absolute": XDG Base Directory Specification
	if got, want := data(false), filepath.Join(home, ".local", "state", "messngr"); got != want {
		t.Errorf("data with a relative XDG_STATE_HOME: %s, want %s", got, want)
	}
	state := t.TempDir()
	t.Setenv("XDG_STATE_HOME", state)
	if got, want := data(false), filepath.Join(state, "messngr"); got != want {
		t.Errorf("data with XDG_STATE_HOME: %s, want %s", got, want)
	}
	t.Setenv("XDG_STATE_HOME", "")
	t.Setenv("HOME", "")
	t.Setenv("USERPROFILE", "")
	if dir, err := defaultData(false); err == nil || !strings.Contains(err.Error(), "--data or MESSNGR_DATA") {
		t.Errorf("data without a home: %q, %v", dir, err)
	}
	c, err := parse("messngr.toml", "", Options{Name: "HOST1", Data: "."})
	if err != nil || !filepath.IsAbs(c.Data) {
		t.Errorf("a relative data directory stays so: %v, %v", c, err)
	}
}
