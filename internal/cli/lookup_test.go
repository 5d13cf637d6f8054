//go:build linux

package cli

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbns"
)

// A lookup by broadcast, and so one of --group, would ask the networks of the
// machine that runs the tests. All here is asked of name servers and of hosts on
// loopback, every address of which is this host's on Linux.

// A node is a host or a name server on loopback.
type node struct {
	addrs  map[netbios.Name]nameAddrs // as a name server
	status []nbns.NodeName            // as a host; nil: it does not tell
	mac    [6]byte
}

type nameAddrs struct {
	flags nbns.NameFlags
	addrs []string
}

// name returns the NetBIOS name of text such as HOST2<03>.
func name(t *testing.T, text string) netbios.Name {
	t.Helper()
	base, digits, ok := strings.Cut(strings.TrimSuffix(text, ">"), "<")
	var suffix uint8
	if _, err := fmt.Sscanf(digits, "%02X", &suffix); !ok || err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	n, err := netbios.NewName(base, netbios.Suffix(suffix))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// owned returns names with their flags, such as "+WORKGROUP<00>" for a group.
func owned(t *testing.T, texts ...string) []nbns.NodeName {
	t.Helper()
	var names []nbns.NodeName
	for _, text := range texts {
		flags := nbns.Active
		for ; !strings.Contains("ABCDEFGHIJKLMNOPQRSTUVWXYZ\x01", text[:1]); text = text[1:] {
			switch text[0] {
			case '+':
				flags |= nbns.Group
			case '!':
				flags |= nbns.Conflict
			case '-':
				flags |= nbns.Deregister
			case '=':
				flags |= nbns.Permanent | nbns.HNode
			}
		}
		names = append(names, nbns.NodeName{Name: name(t, text), Flags: flags})
	}
	return names
}

// listen starts the node at an address until the test ends, and returns where
// it is.
func (n node) listen(t *testing.T, addr string) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(addr)))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-done })
	go func() {
		defer close(done)
		for packet := make([]byte, 1024); ; {
			size, from, err := conn.ReadFromUDPAddrPort(packet)
			if err != nil {
				return
			}
			query, err := nbns.Parse(packet[:size])
			if err != nil {
				t.Errorf("%x: %v", packet[:size], err)
				continue
			}
			if answer, ok := n.answer(query); ok {
				if b, err := answer.AppendBinary(nil); err != nil {
					t.Error(err)
				} else {
					conn.WriteToUDPAddrPort(b, from)
				}
			}
		}
	}()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

func (n node) answer(query nbns.Packet) (nbns.Packet, bool) {
	if query.Question.Type == nbns.TypeNBSTAT {
		rdata, err := nbns.NodeStatus{Names: n.status, UnitID: n.mac}.AppendBinary(nil)
		return nbns.StatusResponse(query, rdata), err == nil && n.status != nil
	}
	known, ok := n.addrs[query.Question.Name]
	if !ok {
		return nbns.NegativeQueryResponse(query, nbns.NameError), n.addrs != nil
	}
	var rdata []byte
	for _, a := range known.addrs {
		rdata, _ = nbns.Addr{Flags: known.flags, Addr: netip.MustParseAddr(a)}.AppendBinary(rdata)
	}
	return nbns.PositiveQueryResponse(query, 300, rdata), true
}

// serverOf returns the address of a name server with some names.
func serverOf(t *testing.T) (server string) {
	t.Helper()
	return node{addrs: map[netbios.Name]nameAddrs{
		name(t, "HOST2<00>"): {0, []string{"127.0.3.2"}},
		name(t, "HOST2<03>"): {0, []string{"10.77.0.2"}},
		name(t, "HOST2<20>"): {0, []string{"10.77.0.2", "10.77.1.2"}},
		name(t, "SALES<1C>"): {nbns.Group, []string{"10.77.0.3", "10.77.0.4"}},
		name(t, "OFFICE<00>"): {nbns.Group, []string{
			"255.255.255.255",
		}},
		name(t, "M\x9aLLER<03>"): {0, []string{"10.77.0.5"}},
	}}.listen(t, "127.0.0.1:0").String()
}

// look is lookup with a configuration that has no more than text in it.
func look(t *testing.T, text string, args ...string) result {
	t.Helper()
	data := t.TempDir()
	conf := writeFile(t, filepath.Join(data, "messngr.toml"), "name = 'HOST1'\n"+text)
	return run(t, command(t, data, "messngr", append([]string{"lookup", "--config", conf}, args...)...))
}

// TestLookupName: a line for each address, with who said so; nothing, and the
// exit status 1, where nobody knows the name.
func TestLookupName(t *testing.T) {
	server := serverOf(t)
	line := func(addr, name string) string { return fmt.Sprintf("%-15s  %-19s  wins %s\n", addr, name, server) }
	unknown := func(name string) string {
		return fmt.Sprintf("messngr: %s was not found: tried wins %s\n", name, server)
	}
	host2 := line("10.77.0.2", "HOST2<03>")
	for _, tt := range []struct {
		args []string
		want result
	}{
		{[]string{"HOST2"}, result{out: host2}},
		{[]string{"host2"}, result{out: host2}},
		{[]string{"host2#03"}, result{out: host2}},
		{[]string{"host2#3"}, result{out: host2}},
		{[]string{"host2<03>"}, result{out: host2}},
		{[]string{`"host2          \0x03"`}, result{out: host2}},
		{[]string{"HOST2#20"}, result{out: line("10.77.0.2", "HOST2<20>") + line("10.77.1.2", "HOST2<20>")}},
		{[]string{"sales#1c"}, result{out: line("10.77.0.3", "SALES<1C>") + line("10.77.0.4", "SALES<1C>")}},
		{[]string{"müller"}, result{out: line("10.77.0.5", "MÜLLER<03>")}},
		{[]string{"NOBODY"}, result{err: unknown("NOBODY<03>"), code: 1}},
		{[]string{"HOST2#1B"}, result{err: unknown("HOST2<1B>"), code: 1}},
		{[]string{"OFFICE#00"}, result{err: fmt.Sprintf("messngr: OFFICE<00> was not found: tried wins %s (a group whose members it does not list)\n", server), code: 1}},
		{[]string{"HOST2", "sales#1c"}, result{out: host2 + line("10.77.0.3", "SALES<1C>") + line("10.77.0.4", "SALES<1C>")}},
		{[]string{"NOBODY", "HOST2"}, result{out: host2, err: unknown("NOBODY<03>"), code: 1}},
	} {
		if got := look(t, "", append([]string{"--server", server}, tt.args...)...); got != tt.want {
			t.Errorf("lookup %q:\n got %+v\nwant %+v", tt.args, got, tt.want)
		}
	}
	// The servers of the configuration, and a server whose port is --port.
	_, port, _ := strings.Cut(server, ":")
	for name, got := range map[string]result{
		"wins_servers": look(t, "[names]\nwins_servers = ['"+server+"']\nnode_type = 'P'\n", "HOST2"),
		"--port":       look(t, "", "--server", "127.0.0.1", "--port", port, "HOST2"),
		"the second": look(t, "", "--timeout", "20ms", "--server", node{}.listen(t, "127.0.0.1:0").String(),
			"--server", server, "HOST2"),
	} {
		if got != (result{out: host2}) {
			t.Errorf("%s: got %+v, want %s", name, got, host2)
		}
	}
	if got := look(t, "", "--server", "127.0.0.1", "--port", "9", "HOST2"); got.code != 1 || !strings.Contains(got.err, "tried wins 127.0.0.1:9 (") {
		t.Errorf("--port 9: %+v", got)
	}
	silent := node{}.listen(t, "127.0.0.1:0").String()
	if got, want := look(t, "", "--timeout", "20ms", "--server", silent, "HOST2"), "messngr: HOST2<03> was not found: tried wins "+silent+" (no answer)\n"; got != (result{err: want, code: 1}) {
		t.Errorf("a silent server: got %+v, want %s", got, want)
	}
}

// TestLookupJSON: an object a line, also for what was not found.
func TestLookupJSON(t *testing.T) {
	server := serverOf(t)
	got := look(t, "", "--server", server, "--json", "HOST2#20", "NOBODY", "sales#1c", "müller")
	want := []map[string]any{
		{
			"name": "HOST2", "suffix": "20", "group": false, "service": "file server",
			"address": "10.77.0.2", "addresses": []any{"10.77.0.2", "10.77.1.2"}, "found_by": "wins", "source": "wins " + server,
		},
		{"asked": "NOBODY", "error": "NOBODY<03> was not found: tried wins " + server},
		{
			"name": "SALES", "suffix": "1C", "group": true, "service": "domain controllers",
			"address": "10.77.0.3", "addresses": []any{"10.77.0.3", "10.77.0.4"}, "found_by": "wins", "source": "wins " + server,
		},
		{
			"name": "MÜLLER", "suffix": "03", "group": false, "service": "messenger",
			"address": "10.77.0.5", "addresses": []any{"10.77.0.5"}, "found_by": "wins", "source": "wins " + server,
		},
	}
	if diff := cmp.Diff(want, decode(t, got.out)); diff != "" || got.err != "" || got.code != 1 {
		t.Errorf("exit status %d, %s, -want +got:\n%s", got.code, got.err, diff)
	}
	if got := look(t, "", "--server", server, "--json", "HOST2"); got.code != 0 || strings.Count(got.out, "\n") != 1 {
		t.Errorf("%+v", got)
	}
}

// TestLookupOrder: LMHOSTS files are looked into as the configuration says, and
// an answer says which line it is from. #PRE comes before the network.
func TestLookupOrder(t *testing.T) {
	server := serverOf(t)
	file := writeFile(t, filepath.Join(t.TempDir(), "hosts"), `10.77.9.2 HOST2
10.77.9.3 SALES#1c #PRE
10.77.9.4 HOST4 #MH
10.77.9.5 HOST4 #MH
10.77.9.6 DC1 #PRE #DOM:OTHER
`)
	conf := func(order string) string {
		return "[names]\nlmhosts = '" + file + "'\nwins_servers = ['" + server + "']\nresolve_order = [" + order + "]\n"
	}
	lmhosts := func(addr, name string, line int) string {
		return fmt.Sprintf("%-15s  %-19s  lmhosts %s:%d\n", addr, name, file, line)
	}
	wins := func(addr, name string) string { return fmt.Sprintf("%-15s  %-19s  wins %s\n", addr, name, server) }
	for _, tt := range []struct{ order, name, want string }{
		{"'lmhosts', 'wins'", "HOST2", lmhosts("10.77.9.2", "HOST2<03>", 1)},
		{"'wins', 'lmhosts'", "HOST2", wins("10.77.0.2", "HOST2<03>")},
		{"'wins', 'lmhosts'", "SALES#1C", lmhosts("10.77.9.3", "SALES<1C>", 2)},
		{"'wins', 'lmhosts'", "HOST4#20", lmhosts("10.77.9.4", "HOST4<20>", 3) + lmhosts("10.77.9.5", "HOST4<20>", 3)},
		{"'wins'", "OTHER#1C", lmhosts("10.77.9.6", "OTHER<1C>", 5)},
	} {
		if got := look(t, conf(tt.order), tt.name); got != (result{out: tt.want}) {
			t.Errorf("%s of %s:\n got %+v\nwant %s", tt.name, tt.order, got, tt.want)
		}
	}
	want := "messngr: NOBODY<03> was not found: tried wins " + server + ", lmhosts\n"
	if got := look(t, conf("'wins', 'lmhosts'"), "NOBODY"); got != (result{err: want, code: 1}) {
		t.Errorf("got %+v, want %s", got, want)
	}
	// --server asks nobody else.
	if got := look(t, conf("'lmhosts'"), "--server", server, "HOST2"); got != (result{out: wins("10.77.0.2", "HOST2<03>")}) {
		t.Errorf("--server: %+v", got)
	}
	// Not even the DNS, which is asked first for the name of one host in the
	// world. What no host name can be goes no further than to Go's resolver.
	if got := look(t, "", "--server", server, "HOST2 X.example"); got.code != 1 || got.out != "" || strings.Contains(got.err, "DNS") {
		t.Errorf("--server, for a host name: %+v", got)
	}
	if got := look(t, conf("'lmhosts'"), "HOST2 X.example"); got.code != 1 || got.out != "" || strings.Contains(got.err, "DNS") {
		t.Errorf("without dns in resolve_order, for a host name: %+v", got)
	}
	// A line that is wrong is said, and keeps nobody from an answer.
	writeFile(t, file, "10.77.9.2 HOST2\nnonsense\n")
	said := "messngr: " + file + ":2: \"nonsense\" is no IPv4 address: begin a line with one, or with # if it is a comment\n"
	if got := look(t, conf("'lmhosts'"), "HOST2"); got != (result{out: lmhosts("10.77.9.2", "HOST2<03>", 1), err: said}) {
		t.Errorf("a bad line: %+v", got)
	}
}

// TestLookupStatus is the node status of a host, by its address and by its name.
func TestLookupStatus(t *testing.T) {
	host2 := node{
		status: owned(t, "HOST2<00>", "=HOST2<03>", "+OFFICE<00>", "HOST2<20>", "!ALICE<03>", "-BOB<03>", "CAROL<03>", "+\x01\x02__MSBROWSE__\x02<01>", "X<77>"),
		mac:    [6]byte{0x02, 0, 0, 0, 0, 0xaa},
	}
	at := host2.listen(t, "127.0.3.2:0")
	port := fmt.Sprint(at.Port())
	node{status: owned(t, "HOST3<00>")}.listen(t, "127.0.3.3:"+port)
	table := `
NAME             SUFFIX  TYPE    NODE  STATE              SERVICE
HOST2            <00>    UNIQUE  B     active             workstation
HOST2            <03>    UNIQUE  H     active, permanent  messenger
OFFICE           <00>    GROUP   B     active             workgroup or domain
HOST2            <20>    UNIQUE  B     active             file server
ALICE            <03>    UNIQUE  B     active, conflict   messenger
BOB              <03>    UNIQUE  B     active, deregister  messenger
CAROL            <03>    UNIQUE  B     active             messenger
..__MSBROWSE__.  <01>    GROUP   B     active             master browsers
X                <77>    UNIQUE  B     active

MAC address: 02:00:00:00:00:aa
`
	// The width of the columns is not what this is about.
	narrow := func(s string) string { return regexp.MustCompile("  +").ReplaceAllString(s, "  ") }
	other := "Node status of 127.0.3.3\n\nNAME   SUFFIX  TYPE    NODE  STATE   SERVICE\nHOST3  <00>    UNIQUE  B     active  workstation\n\nMAC address: the host does not tell it\n"
	if got := look(t, "", "-A", "127.0.3.3", "--port", port); got != (result{out: other}) {
		t.Errorf("got %+v, want\n%s", got, other)
	}
	server := serverOf(t)
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"127.0.3.2"}, "Node status of 127.0.3.2\n" + table},
		{[]string{"--server", server, "host2"}, "Node status of 127.0.3.2, found by wins " + server + "\n" + table},
		{[]string{"127.0.3.2", "127.0.3.3"}, "Node status of 127.0.3.2\n" + table + "\n" + other},
	} {
		got := look(t, "", append([]string{"-A", "--port", port}, tt.args...)...)
		if narrow(got.out) != narrow(tt.want) || got.err != "" || got.code != 0 {
			t.Errorf("%q: got %+v, want\n%s", tt.args, got, tt.want)
		}
	}

	objects := decode(t, look(t, "", "--status", "--json", "--port", port, "127.0.3.2").out)
	if len(objects) != 1 {
		t.Fatal(objects)
	}
	all := objects[0]["names"].([]any)
	delete(objects[0], "names")
	if diff := cmp.Diff(map[string]any{
		"address": "127.0.3.2", "computer": "HOST2", "workgroup": "OFFICE", "user": "CAROL", "file_server": true,
		"mac": "02:00:00:00:00:aa", "found_by": "address", "source": "address",
	}, objects[0]); diff != "" || len(all) != 9 {
		t.Errorf("%d names, -want +got:\n%s", len(all), diff)
	}
	if diff := cmp.Diff([]any{
		map[string]any{"name": "HOST2", "suffix": "03", "group": false, "service": "messenger", "node": "H", "state": []any{"active", "permanent"}},
		map[string]any{"name": "OFFICE", "suffix": "00", "group": true, "service": "workgroup or domain", "node": "B", "state": []any{"active"}},
	}, all[1:3]); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}

	node{}.listen(t, "127.0.3.4:"+port)
	want := "node status of 127.0.3.4: no answer: the host is off, or has no NetBIOS, or a firewall drops UDP port 137"
	if got := look(t, "", "-A", "127.0.3.4", "--port", port, "--timeout", "20ms"); got != (result{err: "messngr: " + want + "\n", code: 1}) {
		t.Errorf("a silent host: %+v", got)
	}
	if got := look(t, "", "-A", "127.0.3.4", "--port", port, "--timeout", "20ms", "--json"); got.code != 1 || got.err != "" ||
		!cmp.Equal(decode(t, got.out), []map[string]any{{"asked": "127.0.3.4", "error": want}}) {
		t.Errorf("a silent host: %+v", got)
	}
	if got := look(t, "", "-A", "127.0.3.5", "--port", port); got.code != 1 || !strings.Contains(got.err, "node status of 127.0.3.5: connection refused") {
		t.Errorf("a host without NetBIOS: %+v", got)
	}
}

// network starts three hosts of 127.0.3.0/29 and returns their port.
func network(t *testing.T) (port string) {
	t.Helper()
	at := node{status: owned(t, "HOST2<00>", "+OFFICE<00>", "HOST2<03>", "HOST2<20>", "ALICE<03>"), mac: [6]byte{2, 0, 0, 0, 0, 2}}.listen(t, "127.0.3.2:0")
	port = fmt.Sprint(at.Port())
	node{status: owned(t, "HOST3<00>", "+WORKGROUP<00>")}.listen(t, "127.0.3.3:"+port)
	node{status: []nbns.NodeName{}}.listen(t, "127.0.3.6:"+port)
	node{}.listen(t, "127.0.3.5:"+port)
	return port
}

// TestLookupRange: a table of who answers, in the order of the addresses; the
// summary is not in the way of a script.
func TestLookupRange(t *testing.T) {
	port := network(t)
	const (
		head  = "ADDRESS    COMPUTER  SERVER  USER   WORKGROUP  MAC ADDRESS        FOUND BY\n"
		host2 = "127.0.3.2  HOST2     <20>    ALICE  OFFICE     02:00:00:00:00:02  node status\n"
		host3 = "127.0.3.3  HOST3     -       -      WORKGROUP  -                  node status\n"
		host6 = "127.0.3.6  -         -       -      -          -                  node status\n"
	)
	for _, tt := range []struct {
		args []string
		want string
		of   int
	}{
		{[]string{"127.0.3.0/29"}, head + host2 + host3 + host6, 6},
		{[]string{"127.0.3.2-6"}, head + host2 + host3 + host6, 5},
		{[]string{"127.0.3.2-127.0.3.3"}, head + host2 + host3, 2},
		{[]string{"127.0.3.6", "127.0.3.2", "127.0.3.2-3"}, head + host2 + host3 + host6, 3},
		{[]string{"127.0.3.2"}, head + host2, 1},
		{[]string{"--tries", "1", "--rate", "100", "127.0.3.2"}, head + host2, 1},
	} {
		got := look(t, "", append([]string{"--port", port, "--timeout", "50ms"}, tt.args...)...)
		found := strings.Count(tt.want, "\n") - 1
		summary := regexp.MustCompile(fmt.Sprintf(`^%d of %d addresses answered, in \d\.\d s\n$`, found, tt.of))
		// The columns are as wide as what is in them.
		narrow := func(s string) string { return regexp.MustCompile("  +").ReplaceAllString(s, "  ") }
		if got.code != 0 || narrow(got.out) != narrow(tt.want) || !summary.MatchString(got.err) || found == 3 && got.out != tt.want {
			t.Errorf("lookup %q: got %+v, want\n%s", tt.args, got, tt.want)
		}
	}
	got := look(t, "", "--json", "--port", port, "--timeout", "50ms", "127.0.3.0/29")
	rows := decode(t, got.out)
	slices.SortFunc(rows, func(a, b map[string]any) int { return strings.Compare(a["address"].(string), b["address"].(string)) })
	if got.code != 0 || got.err != "" || len(rows) != 3 {
		t.Fatalf("--json: %+v", got)
	}
	if n := len(rows[0]["names"].([]any)); n != 5 {
		t.Errorf("%d names: %v", n, rows[0])
	}
	for i, want := range []map[string]any{
		{"address": "127.0.3.2", "computer": "HOST2", "workgroup": "OFFICE", "user": "ALICE", "file_server": true, "mac": "02:00:00:00:00:02", "found_by": "scan", "source": "node status"},
		{"address": "127.0.3.3", "computer": "HOST3", "workgroup": "WORKGROUP", "user": "", "file_server": false, "mac": "", "found_by": "scan", "source": "node status"},
		{"address": "127.0.3.6", "computer": "", "workgroup": "", "user": "", "file_server": false, "mac": "", "found_by": "scan", "source": "node status"},
	} {
		delete(rows[i], "names")
		if diff := cmp.Diff(want, rows[i]); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}

	const nobody = "nobody was found: 2 addresses were asked for their names, and none answered"
	silent := []string{"--port", port, "--timeout", "20ms", "127.0.3.4-5"}
	if got := look(t, "", silent...); got != (result{err: "messngr: " + nobody + "\n", code: 1}) {
		t.Errorf("silence: %+v", got)
	}
	if got := look(t, "", append(silent, "--json")...); got.code != 1 || got.err != "" ||
		!cmp.Equal(decode(t, got.out), []map[string]any{{"asked": "127.0.3.4-5", "error": nobody}}) {
		t.Errorf("silence: %+v", got)
	}
}

// TestLookupProgress: who watches a terminal sees how far a scan is; a file, a
// pipe and whatever reads the standard output do not.
func TestLookupProgress(t *testing.T) {
	port := network(t)
	data := t.TempDir()
	conf := writeFile(t, filepath.Join(data, "messngr.toml"), "name = 'HOST1'\n")
	args := []string{"lookup", "--config", conf, "--port", port, "--timeout", "150ms", "127.0.3.0/29"}
	const bar = "asking 6 addresses"
	for _, tt := range []struct {
		out, err, json bool // a terminal
		shown          bool
	}{
		{false, true, false, true},
		{true, true, false, true},
		{true, false, false, false},
		{false, false, false, false},
		{false, true, true, true},
		{true, true, true, false}, // it would stand among the objects
	} {
		term := newScreen(t, 100)
		cmd := command(t, data, "messngr", args...)
		if tt.json {
			cmd.Args = append(cmd.Args, "--json")
		}
		if tt.out {
			cmd.Stdout = term.tty
		}
		if tt.err {
			cmd.Stderr = term.tty
		}
		j := start(t, cmd)
		if err := j.Wait(); err != nil {
			t.Errorf("%+v: %v\n%s%s", tt, err, j.err.String(), term.String())
		}
		if tt.shown {
			await(t, "the bar", func() bool { return strings.Contains(term.String(), bar) })
		}
		if everything := j.out.String() + j.err.String(); strings.Contains(everything, bar) || strings.ContainsAny(everything, "\x1b\r") {
			t.Errorf("%+v: the bar is in a file: %q", tt, everything)
		}
		if !tt.shown && strings.ContainsAny(strings.ReplaceAll(term.String(), "\r\n", "\n"), "\x1b\r") {
			t.Errorf("%+v: the bar is on the terminal: %q", tt, term.String())
		}
	}
}

// TestLookupHostile: whatever a host says of itself, nothing that a terminal
// would obey reaches one.
func TestLookupHostile(t *testing.T) {
	raw := func(s string, suffix byte) (n netbios.Name) {
		copy(n[:], s+strings.Repeat(" ", 15))
		n[15] = suffix
		return n
	}
	at := node{status: []nbns.NodeName{
		{Name: raw("\x1b]0;pwn\x07\x9b2J", 0), Flags: nbns.Active},
		{Name: raw("A\nB\r\x7f", 3), Flags: nbns.Active},
		{Name: raw("G\x00\x08\xff", 0), Flags: nbns.Active | nbns.Group},
	}}.listen(t, "127.0.3.2:0")
	port := fmt.Sprint(at.Port())
	for _, args := range [][]string{{"127.0.3.2"}, {"127.0.3.2", "--json"}, {"-A", "127.0.3.2"}, {"-A", "127.0.3.2", "--json"}} {
		got := look(t, "", append([]string{"--port", port}, args...)...)
		if got.code != 0 || !strings.Contains(got.out, "pwn") {
			t.Errorf("%q: %+v", args, got)
		}
		for _, r := range got.out + got.err {
			if r < ' ' && r != '\n' || r >= 0x7f && r <= 0x9f {
				t.Errorf("%q: %U in %q", args, r, got.out)
			}
		}
	}
}

// TestLookupUsage: what cannot be looked up exits with 2, in one line, and asks
// nobody.
func TestLookupUsage(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, "the NAME, ADDRESS or RANGE is missing"},
		{[]string{" "}, "the NAME, ADDRESS or RANGE is missing"},
		{[]string{"ABCDEFGHIJKLMNOP"}, `invalid NetBIOS name "ABCDEFGHIJKLMNOP": 16 bytes, at most 15 fit`},
		{[]string{"HOST2#"}, `"HOST2#": want two hexadecimal digits behind the #, such as HOST2#20`},
		{[]string{"HOST2#100"}, `"HOST2#100": want two hexadecimal digits behind the #, such as HOST2#20`},
		{[]string{"HOST2#zz"}, `"HOST2#zz": want two hexadecimal digits behind the #, such as HOST2#20`},
		{[]string{"HOST2<20"}, `"HOST2<20": want two hexadecimal digits behind the <, such as HOST2#20`},
		{[]string{"#20"}, "the name is empty"},
		{[]string{"*"}, `"*" is nobody's name`},
		{[]string{`"HOST2`}, "a name without its closing quote: add it"},
		{[]string{"漢字"}, `name "漢字": code page 850 has no '漢' (U+6F22)`},
		{[]string{"10.0.0.0/33"}, `"10.0.0.0/33": want 8 to 32 bits behind the slash`},
		{[]string{"10.0.0.0/7"}, `"10.0.0.0/7": a network of less than 8 bits is too large: name the parts of it that are in use`},
		{[]string{"10.0.0.9-5"}, `"10.0.0.9-5": the last address comes before the first`},
		{[]string{"10.0.0.5-256"}, `"10.0.0.5-256": "256" is neither an address nor the last number of one`},
		{[]string{"10.0.0.256"}, `"10.0.0.256" is not an address such as 10.0.0.5`},
		{[]string{"224.0.0.1"}, "224.0.0.1 to 224.0.0.1: no host has such an address"},
		{[]string{"0.0.0.0/8"}, "0.0.0.1 to 0.255.255.254: no host has such an address"},
		{[]string{"fe80::1"}, "fe80::1: NetBIOS has IPv4 addresses only"},
		{[]string{"-A", "fe80::1"}, "fe80::1: NetBIOS has IPv4 addresses only"},
		{[]string{"-A", "10.0.0.0/24"}, `-A "10.0.0.0/24": it takes one address or name`},
		{[]string{"-A", "--group", "HOST2"}, "-A and --group are two questions: ask one"},
		{[]string{"--group", "10.0.0.1"}, "--group: it takes the name of a workgroup, not an address"},
		{[]string{"--group", "ABCDEFGHIJKLMNOP"}, `invalid NetBIOS name "ABCDEFGHIJKLMNOP": 16 bytes, at most 15 fit`},
		{[]string{"HOST2", "10.0.0.1"}, "names and addresses together: look them up one after the other"},
		{[]string{"--server", "HOST9", "HOST2"}, `--server "HOST9": it takes an IPv4 address`},
		{[]string{"--server", "::1", "HOST2"}, `--server "::1": it takes an IPv4 address`},
		{[]string{"--timeout", "5", "HOST2"}, `--timeout "5": it takes a time such as 10s`},
		{[]string{"--timeout", "-1s", "HOST2"}, "--timeout -1s: it takes a time such as 1s"},
		{[]string{"--rate", "0", "10.0.0.1"}, "--rate 0: it takes a number from 1"},
		{[]string{"--tries", "0", "10.0.0.1"}, "--tries 0: it takes a number from 1"},
		{[]string{"--tries", "x", "10.0.0.1"}, `--tries "x": it takes a number`},
		{[]string{"--port", "65536", "10.0.0.1"}, `--port "65536": it takes a number up to 65535`},
		{[]string{"--frob", "HOST2"}, "unknown flag: --frob"},
	} {
		// Should it ask all the same, then only what is nobody's.
		args := append([]string{"--server", "127.0.0.1:9"}, tt.args...)
		if tt.args == nil || slices.Contains(tt.args, "--server") {
			args = tt.args
		}
		got := look(t, "[names]\nresolve_order = ['lmhosts']\n", args...)
		if want := (result{err: "messngr: " + tt.want + "; see messngr lookup --help\n", code: 2}); got != want {
			t.Errorf("%q:\n got %+v\nwant %+v", tt.args, got, want)
		}
	}
}

// TestLookupCompletion: files are offered to --config, and nothing to names.
func TestLookupCompletion(t *testing.T) {
	for line, want := range map[string]string{
		"lookup ":           ":4\n",
		"lookup --config ":  "toml\n:8\n",
		"lookup --server ":  ":4\n",
		"lookup HOST2 ":     ":4\n",
		"lookup --timeout ": ":4\n",
	} {
		args := append([]string{"__complete"}, strings.Split(line, " ")...)
		if got := run(t, command(t, t.TempDir(), "messngr", args...)); got.code != 0 || got.out != want {
			t.Errorf("%q is completed by %q, want %q", line, got.out, want)
		}
	}
}
