package config

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
)

// TestBadValues: the error is one line that says where, which option, and what
// would be right.
func TestBadValues(t *testing.T) {
	const pages = "437 720 737 775 850 852 855 857 858 860 861 862 863 864 865 866 869 874 932 936 949 950 1250 1251 1252 1253 1254 1255 1256 1257 1258 28591 65001"
	for _, tt := range []struct{ text, want string }{
		// what TOML says, with the line and the column
		{"name = \n", `f:1:8: unexpected character U+000A at start of value`},
		{"\n\nname = 'a'\nname = 'b'\n", `f:4:1: key name is already defined`},
		{"\"a\\nb\" = 1\n\"a\\nb\" = 2\n", `f:2:1: key a b is already defined`},
		{"\xff", `f:1:1: invalid character at start of key: U+00FF 'ÿ'`},

		// options that there are not
		{"nme = 'X'", `f:1: there is no option "nme"; the reference file (messngr config) lists all`},
		{"[smb]\n\nlistn = ''", `f:3: there is no option "smb.listn"; the reference file (messngr config) lists all`},
		{"[[station]]\nmatch = ['X']\ncodepage = 1", `f:3: there is no option "station.codepage"; the reference file (messngr config) lists all`},
		{"[http]\nlisten = ''", `f:1: there is no option "http"; the reference file (messngr config) lists all`},

		// values of another kind
		{"name = 7", `f:1:8: name: not the kind of value that this option takes; the reference file (messngr config) shows it`},
		{"[smb]\nlisten = ':139'", `f:2:10: smb.listen: not the kind of value that this option takes; the reference file (messngr config) shows it`},
		{"[smb]\nmax_text = '1k'", `f:2:12: smb.max_text: not the kind of value that this option takes; the reference file (messngr config) shows it`},
		{"smb = 1", `f:1:7: smb: not the kind of value that this option takes; the reference file (messngr config) shows it`},
		{"[smb]\nidle_timeout = 90", `f:2:16: smb.idle_timeout: not the kind of value that this option takes; the reference file (messngr config) shows it`},
		{"[send]\ntimeout = '10'", `f: send.timeout: "10" is not a time such as "90s"`},
		{"[send]\ntimeout = '-1s'", `f: send.timeout: "-1s" is not a time such as "90s"`},
		{"[smb]\nmessage_timeout = '1ns'", `f: smb.message_timeout: "1ns" is not a time such as "90s"`},
		{"[send]\ntimeout = '0s'", `f: send.timeout: "0s" is not a time such as "90s"`},

		// names
		{"name = 'sixteencharacter'", `f: name: invalid NetBIOS name "SIXTEENCHARACTER": 16 bytes, at most 15 fit`},
		{"name = ' '", `f: name: the name is empty`},
		{"name = '☃'", `f: name: name "☃": code page 850 has no '☃' (U+2603)`},
		{"name = \"a\\u001bb\"", `f: name: name "a\x1bb": "\x1b" cannot be part of a name`},
		{"name = '*SMBSERVER'", `f: name: "*SMBSERVER": a name has none of \ / : * ? " < > |`},
		{"workgroup = ''", `f: workgroup: the name is empty`},
		{"workgroup = 'A\\B'", `f: workgroup: "A\\B": a name has none of \ / : * ? " < > |`},
		{"aliases = ['UPS', 'A-VERY-LONG-ALIAS']", `f: aliases: invalid NetBIOS name "A-VERY-LONG-ALIAS": 17 bytes, at most 15 fit`},

		// who is served
		{"guard.networks = ['onlink']", `f: guard.networks: "onlink" is neither "on-link" nor an address nor a network such as 10.8.0.0/16`},
		{"guard.networks = ['10.8.0.0/33']", `f: guard.networks: "10.8.0.0/33" is neither "on-link" nor an address nor a network such as 10.8.0.0/16`},
		{"guard.networks = ['10.8.0.1/16']", `f: guard.networks: "10.8.0.1/16" has bits behind the mask: it means 10.8.0.0/16 or 10.8.0.1`},

		// where to listen
		{"smb.listen = ['139']", `f: smb.listen: "139" is not an address with a port, such as ":139" or "10.77.0.2:139"`},
		{"smb.listen = [':139', 'eth0:139']", `f: smb.listen: "eth0:139": "eth0" is not an IP address`},
		{"smb.listen = [':smtps3']", `f: smb.listen: ":smtps3": "smtps3" is not a port`},
		{"smb.listen = [':65536']", `f: smb.listen: ":65536": "65536" is not a port`},
		{"smb.listen = [':0']", `f: smb.listen: ":0": "0" is not a port`},
		{"names.listen = 'localhost'", `f: names.listen: "localhost" is not an address with a port, such as ":137" or "10.77.0.2:137"`},

		// the name service
		{"names.extra = ['HOST2']", `f: names.extra: "HOST2" is not a name with a suffix, such as "HOST2#20"`},
		{"names.extra = ['HOST2#123']", `f: names.extra: "HOST2#123" is not a name with a suffix, such as "HOST2#20"`},
		{"names.extra = ['SIXTEENCHARACTER#20']", `f: names.extra: invalid NetBIOS name "SIXTEENCHARACTER": 16 bytes, at most 15 fit`},
		{"names.node_type = 'X'", `f: names.node_type: "X" is not one of B, P, M, H`},
		{"names.wins_servers = ['wins']", `f: names.wins_servers: "wins" is not an IPv4 address`},
		{"names.wins_servers = ['10.0.0.1', '2001:db8::1']", `f: names.wins_servers: "2001:db8::1" is not an IPv4 address`},
		{"names.resolve_order = ['hosts']", `f: names.resolve_order: "hosts" is not one of lmhosts, wins, broadcast, dns`},
		{"names.broadcast_timeout = '0s'", `f: names.broadcast_timeout: "0s" is not a time such as "90s"`},
		{"names.server_timeout = '5'", `f: names.server_timeout: "5" is not a time such as "90s"`},
		{"wins.serve = true\nnames.listen = ''", `f: wins.serve: a name server needs the door of [names]: give names.listen an address`},
		{"wins.min_ttl = '1h'\nwins.max_ttl = '30m'", `f: wins.max_ttl: 30m0s is less than min_ttl, 1h0m0s`},
		{"wins.min_ttl = 'x'", `f: wins.min_ttl: "x" is not a time such as "90s"`},

		// RPC
		{"rpc.interfaces = ['eth0', '']", `f: rpc.interfaces: "" is not the name of an interface, such as "eth0"`},
		{"rpc.networks = ['everybody']", `f: rpc.networks: "everybody" is neither "on-link" nor an address nor a network such as 10.8.0.0/16`},
		{"rpc.listen = ''", `f: rpc.listen: "" is not an address with a port, such as ":135" or "10.77.0.2:135"`},
		{"rpc.port = -1", `f: rpc.port: -1 is not between 0 and 65535`},
		{"rpc.one_way = 'admit'", `f: rpc.one_way: "admit" is not one of refuse, quarantine`},
		{"rpc.quarantine_per_day = 0", `f: rpc.quarantine_per_day: 0 is not between 1 and 1073741824`},
		{"rpc.manage = ['10.8.0.1/16']", `f: rpc.manage: "10.8.0.1/16" has bits behind the mask: it means 10.8.0.0/16 or 10.8.0.1`},
		{"send.transport = 'mailslot'", `f: send.transport: "mailslot" is not one of auto, smb, rpc`},

		// numbers
		{"smb.code_page = 1", `f: smb.code_page: no code page 1: choose one of ` + pages},
		{"send.code_page = 2", `f: send.code_page: no code page 2: choose one of ` + pages},
		{"smb.max_text = 0", `f: smb.max_text: 0 is not between 1 and 1048576`},
		{"smb.max_connections = 0", `f: smb.max_connections: 0 is not between 1 and 65536`},
		{"smb.max_connections_per_source = -1", `f: smb.max_connections_per_source: -1 is not between 1 and 65536`},
		{"smb.max_unfinished = 65535", `f: smb.max_unfinished: 65535 is not between 65536 and 1073741824`},
		{"send.port = 65536", `f: send.port: 65536 is not between 1 and 65535`},
		{"send.rpc_port = 0", `f: send.rpc_port: 0 is not between 1 and 65535`},
		{"send.max_text = 65537", `f: send.max_text: 65537 is not between 1 and 65536`},
		{"send.max_workgroup_text = 422", `f: send.max_workgroup_text: 422 is not between 1 and 421`},

		// the rest
		{"log.level = 'loud'", `f: log.level: "loud" is not one of debug, info, warn, error`},
		{"display.header = '{who}'", `f: display: header "{who}": unknown word {who}; there are {from}, {to}, {date}, {transport}, {source}, {provenance}`},
		{"display.date = '%!'", `f: display: date layout "%!": unknown verb %!; the verbs are those of strftime`},

		// stations
		{"[[station]]\nmatch = ['X']", `f: station: table 1: code_page: no code page 0: choose one of ` + pages},
		{"[[station]]\ncode_page = 437", `f: station: table 1: match names nobody`},
		{"[[station]]\nmatch = ['X']\ncode_page = 437\n[[station]]\nmatch = ['10.8.0.1/16']\ncode_page = 437", `f: station: table 2: match: "10.8.0.1/16" has bits behind the mask: it means 10.8.0.0/16 or 10.8.0.1`},
		{"[[station]]\nmatch = ['10.8.0.0/33']\ncode_page = 437", `f: station: table 1: match: "10.8.0.0/33" is neither an address nor a network such as 10.8.0.0/16`},
		{"[[station]]\nmatch = ['10.8.0.256']\ncode_page = 437", `f: station: table 1: match: "10.8.0.256" is neither an address nor a network such as 10.8.0.0/16`},
		{"[[station]]\nmatch = ['2001:db8::/x']\ncode_page = 437", `f: station: table 1: match: "2001:db8::/x" is neither an address nor a network such as 10.8.0.0/16`},
		{"[[station]]\nmatch = ['A-VERY-LONG-NAME']\ncode_page = 437", `f: station: table 1: match: invalid NetBIOS name "A-VERY-LONG-NAME": 16 bytes, at most 15 fit`},
	} {
		c, err := parse("f", tt.text, Options{Data: "/data"})
		switch {
		case err == nil:
			t.Errorf("%q is taken, want %q", tt.text, tt.want)
		case err.Error() != tt.want:
			t.Errorf("%q:\n got %s\nwant %s", tt.text, err, tt.want)
		case c != nil:
			t.Errorf("%q: a Config beside the error", tt.text)
		}
	}
}

// TestBadOptions: what the command line has said is not blamed on a file.
func TestBadOptions(t *testing.T) {
	for _, tt := range []struct {
		o    Options
		want string
	}{
		{Options{Name: "sixteencharacter"}, `--name: invalid NetBIOS name "SIXTEENCHARACTER": 16 bytes, at most 15 fit`},
		{Options{Name: "HOST1", Workgroup: "*"}, `--workgroup: "*": a name has none of \ / : * ? " < > |`},
	} {
		if _, err := parse("f", "", tt.o); err == nil || err.Error() != tt.want {
			t.Errorf("%+v:\n got %v\nwant %s", tt.o, err, tt.want)
		}
	}
}

func TestFileThatIsMissing(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "messngr.toml")
	_, err := Load(Options{File: missing})
	if want := "cannot read the configuration: open " + missing + ": no such file or directory"; err == nil || err.Error() != want {
		t.Errorf("a file that is named must be there: got %v, want %s", err, want)
	}
	// The system's file may be missing. Where it is there, it may be bad.
	if _, err := Load(Options{Name: "HOST1"}); err != nil && !strings.Contains(err.Error(), systemFile) {
		t.Errorf("without a file: %v", err)
	}
}

// FuzzParse: no text makes it panic, and an error is one line with nothing that
// a terminal would obey.
func FuzzParse(f *testing.F) {
	f.Add("")
	f.Add("name = 'a'\n[smb]\nlisten = [':139']\nidle_timeout = '1s'\n")
	f.Add("[[station]]\nmatch = ['10.8.0.0/16', 'X']\ncode_page = 437\n")
	f.Add("display.date = \"%\\n\"")
	f.Add("display.header = \"{\\u001b}\"")
	f.Add("\"\\u001b[31m\" = 1")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parse("messngr.toml", text, Options{Name: "HOST1", Data: "/data"})
		if err == nil {
			if c.Name != "HOST1" || c.SMB.CodePage == nil || c.Send.CodePage == nil || c.SMB.IdleTimeout <= 0 || c.Send.Port == 0 {
				t.Errorf("a Config that cannot be used: %+v", c)
			}
			return
		}
		if c != nil {
			t.Errorf("a Config beside the error %v", err)
		}
		if s := err.Error(); strings.ContainsFunc(s, unicode.IsControl) || !strings.HasPrefix(s, "messngr.toml:") {
			t.Errorf("%q is not one line that begins with the file", s)
		}
	})
}

func addr(t *testing.T, s string) netip.Addr {
	t.Helper()
	if s == "" {
		return netip.Addr{}
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
