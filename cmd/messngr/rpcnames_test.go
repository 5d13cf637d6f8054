//go:build linux

package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/messngr/messngr/internal/lab"
)

// namesBySamba are the calls of testdata/names.py and what is to come of each: a
// return code, the names with their number and where to go on, or the NTSTATUS
// that Samba makes of a fault.
const namesBySamba = `enum 0: (['HOST2'], 1, 0, 0)
add: 0
add, to a server by name: 0
add again: 2276
add again, the stub rounded up: 2276
add the computer's: 2276
add one that another host has: 2297
add nothing: 123
add what is too long: 0
enum 0: (['HOST2', 'ALICE', 'BOB', 'ABCDEFGHIJKLMNO'], 4, 0, 0)
enum 1: (['HOST2', 'ALICE', 'BOB', 'ABCDEFGHIJKLMNO'], 4, 0, 0)
enum 2: c003000a
enum 0, room for little: (['HOST2', 'ALICE'], 2, 2, 2123)
enum 1, room for nothing: ([], 0, 0, 2123)
enum 0, more room than there may be: ([], 0, 0, 87)
enum 1, the same: (['HOST2', 'ALICE', 'BOB', 'ABCDEFGHIJKLMNO'], 4, 0, 0)
enum 0, resumed: (['BOB', 'ABCDEFGHIJKLMNO'], 2, 0, 0)
enum 0, resumed past the end: ([], 0, 0, 0)
info 0: (['ALICE'], 0)
info 1: (['HOST2'], 0)
info 2: c003000a
info of nobody's: ([], 2285)
info of nothing: ([], 123)
delete: 0
delete again: 2285
delete the computer's: 2278
delete what was too long: 0
delete nothing: 123
an operation out of range: c002002e
no arguments: c003000c
a count that lies: c003000c
enum 0, at last: (['HOST2', 'ALICE'], 2, 0, 0)
`

// denied returns what comes of the calls of one who may not: access is denied,
// whatever was asked, as far as it is understood.
func denied(calls string) string {
	for _, replace := range [][2]string{
		{`\(\[.*\], \d+, \d+, \d+\)`, "([], 0, 0, 5)"},
		{`\(\[.*\], \d+\)`, "([], 5)"},
		{`(?m): \d+$`, ": 5"},
	} {
		calls = regexp.MustCompile(replace[0]).ReplaceAllString(calls, replace[1])
	}
	// An enumeration stands where it stood.
	calls = strings.Replace(calls, "resumed: ([], 0, 0, 5)", "resumed: ([], 0, 2, 5)", 1)
	return strings.Replace(calls, "past the end: ([], 0, 0, 5)", "past the end: ([], 0, 99, 5)", 1)
}

// callNames makes the calls of testdata/names.py.
func callNames(t *testing.T, from *lab.Host, to *station, options ...string) string {
	t.Helper()
	lab.NeedProgram(t, "samba-tool", "samba-common-bin") // its modules for Python
	script, err := filepath.Abs("testdata/names.py")
	if err != nil {
		t.Fatal(err)
	}
	out := from.Run(t, "/usr/bin/python3", append([]string{script, from.SMBConf(t), to.Addr.String()}, options...)...)
	if out.Code != 0 {
		t.Errorf("exit status %d\n%s", out.Code, out.Stderr)
	}
	return out.Stdout
}

// Samba's client finds the interface at our endpoint mapper, and asks for names
// and changes them, if its host may.
func TestNamesFromSamba(t *testing.T) {
	t.Parallel()
	lan := lab.NewLAN(t)
	h2 := serve(t, lan.Host(t, 2, "HOST2"), rpcOn, `manage = ["10.77.0.3"]`)
	h3, h4 := lan.Host(t, 3, "HOST3"), lan.Host(t, 4, "HOST4")
	serve(t, lan.Host(t, 5, "HOST5"), `aliases = ["TAKEN"]`)
	capture := h2.Capture(t)

	if diff := cmp.Diff(denied(namesBySamba), callNames(t, h4, h2)); diff != "" {
		t.Errorf("one who may not (-want +got):\n%s", diff)
	}
	// All but that of an operation that there is not.
	if n, want := h2.counters(t, "rpc_names")["access_denied"], int64(strings.Count(namesBySamba, "\n")-1); n != want {
		t.Errorf("%d calls are counted as denied, want %d", n, want)
	}
	if diff := cmp.Diff(namesBySamba, callNames(t, h3, h2)); diff != "" {
		t.Errorf("one who may (-want +got):\n%s", diff)
	}
	// Names that were added count, and those that were deleted do not.
	if out := netSend(t, h4, "", "ALICE", "to a new name"); out.Code != 0 {
		t.Errorf("exit status %d\n%s", out.Code, out.Stderr)
	}
	if out := sendRPC(t, h4, "to a new name, by RPC", "ALICE"); out.Code != 0 {
		t.Errorf("exit status %d\n%s", out.Code, out.Stderr)
	}
	if out := netSend(t, h4, "", "BOB", "to an old name"); out.Code != 1 || !strings.Contains(out.Stderr, "NET HELPMSG 2273.") {
		t.Errorf("exit status %d\n%s", out.Code, out.Stderr)
	}
	if out := h2.Run(t, h2.program, "net", "name", "--data", h2.data); !strings.Contains(out.Stdout, "ALICE") || strings.Contains(out.Stdout, "BOB") {
		t.Errorf("net name says\n%s%s", out.Stdout, out.Stderr)
	}
	if out := h2.Run(t, h2.program, "net", "name", "--data", h2.data, "ALICE", "/delete"); out.Code != 0 {
		t.Error(out.Stderr)
	}
	// In the other byte order.
	if diff := cmp.Diff(namesBySamba, callNames(t, h3, h2, "bigendian")); diff != "" {
		t.Errorf("in the other byte order (-want +got):\n%s", diff)
	}
	capture.CheckClean(t, cleanCalls(h2.Host))
	if n := len(capture.Fields(t, "dcerpc.pkt_type == 2 && tcp && ip.src == 10.77.0.2", "frame.number")); n < 80 {
		t.Errorf("tshark sees %d responses only", n)
	}
}

// Samba's programs ask our endpoint mapper over a connection.
func TestMapperFromSamba(t *testing.T) {
	t.Parallel()
	lab.NeedProgram(t, "rpcclient", "smbclient")
	lab.NeedProgram(t, "smbtorture", "samba-testsuite")
	lan := lab.NewLAN(t)
	h2, h3 := serve(t, lan.Host(t, 2, "HOST2"), rpcOn), lan.Host(t, 3, "HOST3")
	capture := h2.Capture(t)
	conf := h3.SMBConf(t)

	// One entry at a time, until there are no more.
	out := h3.Run(t, "rpcclient", "-s", conf, "-U%", fmt.Sprintf("ncacn_ip_tcp:%s[135]", h2.Addr), "-c", "epmlookup")
	want := regexp.MustCompile(`^0{8}-0{4}-0{4}-0{4}-0{12} ncadg_ip_udp:10.77.0.2\[\d+,abstract_syntax=5a7b91f8-ff00-11d0-a9b2-00c04fb6e6fc/0x00000001\]: Messenger Service
0{8}-0{4}-0{4}-0{4}-0{12} ncacn_ip_tcp:10.77.0.2\[\d+,abstract_syntax=17fdd703-1827-4e34-79d4-24a55c53bb37/0x00000001\]: Messenger Service
epm_Lookup no more entries
$`)
	if out.Code != 0 || !want.MatchString(out.Stdout+out.Stderr) {
		t.Errorf("exit status %d\n%s%s", out.Code, out.Stdout, out.Stderr)
	}

	// Those of Samba's tests that put nothing into the map.
	for test, want := range map[string][]string{
		"Map_simple": {
			`epm_Map results for 'msgsvcsend':\s+uuid 5a7b91f8-ff00-11d0-a9b2-00c04fb6e6fc/0x01 NDR RPC UDP:\d+ IP:10.77.0.2`,
			`epm_Map results for 'msgsvc':\s+uuid 17fdd703-1827-4e34-79d4-24a55c53bb37/0x01 NDR RPC-C TCP:\d+ IP:10.77.0.2`,
		},
		"Lookup_terminate_search": {`epm_Lookup returned 2 events`},
	} {
		out := h3.Run(t, "smbtorture", "ncacn_ip_tcp:"+h2.Addr.String(), "-s", conf, "-U%", "rpc.epmapper.epmapper."+test)
		if out.Code != 0 || !strings.Contains(out.Stdout, "success: ") {
			t.Errorf("%s: exit status %d\n%s%s", test, out.Code, out.Stdout, out.Stderr)
		}
		for _, want := range want {
			if !regexp.MustCompile(want).MatchString(out.Stdout + out.Stderr) {
				t.Errorf("%s: nothing like %s in\n%s%s", test, want, out.Stdout, out.Stderr)
			}
		}
	}
	// Nobody puts anything into it.
	out = h3.Run(t, "smbtorture", "ncacn_ip_tcp:"+h2.Addr.String(), "-s", conf, "-U%", "rpc.epmapper.epmapper.Insert_noreplace")
	if out.Code == 0 || !strings.Contains(out.Stdout+out.Stderr, "NT_STATUS_ACCESS_DENIED") {
		t.Errorf("exit status %d\n%s%s", out.Code, out.Stdout, out.Stderr)
	}
	capture.CheckClean(t, cleanCalls(h2.Host))
}
