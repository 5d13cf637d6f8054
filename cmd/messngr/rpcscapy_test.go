//go:build linux

package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/messngr/messngr/internal/lab"
)

// callsOfScapy are the calls of testdata/calls.py and what is to come of each:
// an answer with the return code of NetrSendMessage, a fault, a reject, or
// nothing; then the operations by which the server has asked back, or how often.
var callsOfScapy = []struct{ name, want string }{
	{"mapped", "True"},
	{"mapped for an interface that is not there", "response 382312662"}, // ept_s_not_registered

	{"little", "response 0 [1]"},
	{"little, the next call", "response 0 1"},
	{"big", "response 0 [1]"},
	{"big, the next call", "response 0 1"},
	{"to 135", "response 0 [1]"},
	{"a caller that knows no who_are_you2", "response 0 [1, 0]"},

	{"replayed", "response 0 response 0 True 1"},
	{"an old sequence", "nothing"},
	{"a new sequence acknowledges", "response 0"},

	{"a caller that is not there", "nothing"},
	{"a caller that answers of another call", "nothing"},
	{"the same activity from elsewhere", "response 0 response 0 [1]"},

	{"another boot time", "reject 1c010006"},
	{"an unknown interface", "reject 1c010003"},
	{"another major version", "reject 1c010003"},
	{"an operation out of range", "reject 1c010002"},
	{"authenticated", "reject 1c01000b"},
	{"a ping of nothing", "nocall"},
	{"another name", "response 2273"},

	{"idempotent", "reject 1c000009"},
	{"maybe", "nothing"},
	{"broadcast", "nothing"},
	{"all of them", "nothing"},
	{"as in 2003", "reject 1c000009"},

	{"fragments in order", "response 0 [1] True"},
	{"fragments from the end", "response 0 [1] True"},
	{"fragments doubled", "response 0 [1] True"},
	{"fragments odd ones first", "response 0 [1] True"},
	{"one fragment late", "nothing response 0"},
	{"the last fragment never", "nothing"},

	{"counts: more than there is", "fault 000006f7"},
	{"counts: 4 GiB", "fault 000006f7"},
	{"counts: an offset", "fault 000006f7"},
	{"counts: more than the most", "fault 000006f7"},
	{"counts: nothing, not even a NUL", "fault 000006f7"},
	{"no arguments", "nothing"}, // so few bytes that a question would be more
	{"14 bytes", "nothing"},
	{"36 bytes", "fault 000006f7"},
	{"3992 line ends", "response 0"},
	{"no calls", "reject 1c01000b"}, // that of version 5
	{"after all that", "response 0 [1]"},
}

// callsAnswered are what the calls of testdata/calls.py that were answered said.
// A last line end is not part of a text.
var callsAnswered = []string{
	"little endian", "little endian, the next", "big endian", "big endian, the next", "to port 135", "from an old caller",
	"sent twice", "of a later sequence", "of an activity", "of its double",
	"in order: " + fragmentsOfScapy, "from the end: " + fragmentsOfScapy, "doubled: " + fragmentsOfScapy,
	"odd ones first: " + fragmentsOfScapy, "one is lost: " + fragmentsOfScapy,
	strings.Repeat("\n", 3991), "after all that",
}

var fragmentsOfScapy = "fragments " + strings.Repeat("0123456789", 380)

// callByScapy makes the calls and compares what came of them.
func callByScapy(t *testing.T, from *lab.Host, to *station, other map[string]string) {
	t.Helper()
	lab.NeedProgram(t, "scapy", "python3-scapy")
	script, err := filepath.Abs("testdata/calls.py")
	if err != nil {
		t.Fatal(err)
	}
	out := from.Run(t, "/usr/bin/python3", script, to.Addr.String())
	var want strings.Builder
	for _, c := range callsOfScapy {
		if instead, ok := other[c.name]; ok {
			c.want = instead
		}
		fmt.Fprintf(&want, "%s: %s\n", c.name, c.want)
	}
	if diff := cmp.Diff(want.String(), out.Stdout); diff != "" || out.Code != 0 {
		t.Errorf("exit status %d (-want +got):\n%s%s", out.Code, diff, out.Stderr)
	}
}

// A caller of another make, in both byte orders: what is a call is executed
// once, and nothing else is.
func TestCallsFromScapy(t *testing.T) {
	t.Parallel()
	lan := lab.NewLAN(t)
	h2, h3 := serve(t, lan.Host(t, 2, "HOST2"), rpcOn), lan.Host(t, 3, "SCAPY")
	capture := h2.Capture(t)
	callByScapy(t, h3, h2, nil)
	if diff := cmp.Diff(callsAnswered, h2.texts(t, len(callsAnswered))); diff != "" {
		t.Errorf("inbox (-want +got):\n%s", diff)
	}
	for _, e := range h2.inbox(t) {
		if e.Transport != "rpc" || e.Source != h3.Addr.String() || e.Provenance != "claimed" || e.State != "received" || e.To != "HOST2" {
			t.Errorf("the inbox has %+v", e)
		}
	}
	counters := h2.counters(t, "rpc")
	for name, want := range map[string]int64{
		"messages": int64(len(callsAnswered)), "quarantined": 0, "refused_name": 1, "refused_one_way": 5,
		"wrong_boot_time": 1, "unknown_interface": 2, "unknown_operation": 1, "authenticated": 1,
		"malformed_call": 6, "not_stored": 0, "truncated": 0,
	} {
		if got := counters[name]; got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
	// All that we said, also to what was wrong.
	capture.CheckClean(t, cleanCalls(h2.Host))
	if strange := capture.Fields(t, "udp && !dcerpc && ip.src == 10.77.0.2 && !nbns && !nbdgm && !icmp", "frame.number", "_ws.col.Info"); len(strange) != 0 {
		t.Errorf("tshark cannot make anything of %q", strange)
	}
}

// Calls of which anybody may be the caller are kept and not shown, if that is
// what one wants.
func TestOneWayCallsAreQuarantined(t *testing.T) {
	t.Parallel()
	lan := lab.NewLAN(t)
	h2, h3 := serve(t, lan.Host(t, 2, "HOST2"), rpcOn, `one_way = "quarantine"`), lan.Host(t, 3, "SCAPY")
	callByScapy(t, h3, h2, map[string]string{"idempotent": "response 0", "as in 2003": "response 0"})
	var quarantined []string
	for _, e := range h2.inbox(t) {
		if e.State == "quarantined" {
			quarantined = append(quarantined, e.Text)
			if e.From != "ANYBODY" || e.Transport != "rpc" || e.Provenance != "claimed" {
				t.Errorf("the inbox has %+v", e)
			}
		}
	}
	want := []string{"idempotent", "maybe", "broadcast", "all of them", "as in 2003"}
	if diff := cmp.Diff(want, quarantined); diff != "" {
		t.Errorf("quarantined (-want +got):\n%s", diff)
	}
	if out := h2.Stdout(); strings.Contains(out, "ANYBODY") || !strings.Contains(out, "after all that") {
		t.Errorf("it shows\n%s", out)
	}
	if got := h2.counters(t, "rpc")["quarantined"]; got != 5 {
		t.Errorf("%d are counted", got)
	}
}

// callsToScapy are messages to testdata/callee.py: what it says of each (mostly
// what we answer to its questions, as the difference of the sequence number and
// the status, and whether we acknowledge its answer), and what we say of it.
var callsToScapy = []struct {
	how, text string
	callee    string
	code      int
	said      string
}{
	{"plain", "", "('0 0', True)", 0, ""},
	{"old", "", "('0 0', True)", 0, ""},
	{"newer", "", "('1c010002', '0 0', True)", 0, ""},
	{"big", "", "('0 0', True)", 0, ""},
	{"trusting", "", "True", 0, ""},
	{"twice", "", "(('0 0', '0 0'), True, False)", 0, ""},
	{"lost", "", "(True, '0 0', True)", 0, ""},
	{"working", "", "('0 0', 2, 0, True)", 0, ""},
	{"nocall", "", "('0 0', True, True)", 0, ""},
	{"foreign", "", "('0 0', False, True)", 0, ""},
	{"another", "", "('nothing', '0 0', True)", 0, ""},
	{"crashed", "", "('0 0', '0 1c010009', True)", 0, ""},
	{"restarted", "", "('0 0', False)", 1, "was started again before it answered"},
	{"half", "", "('0 0', 0, True)", 0, ""},
	{"fragments", strings.Repeat("0123456789", 400), "([0, 1, 2], 1, True, 400, '0 0', True)", 0, ""},
	{"fault", "", "('0 0', True)", 1, "could not execute the call"},
	{"busy", "", "None", 1, "did not take the call"},
	{"paused", "", "('0 0', True)", 1, "NET HELPMSG 2281."},
	{"denied", "", "('0 0', True)", 1, "access denied (5)"},
	{"truncated", "", "('0 0', True)", 1, "NET HELPMSG 2289."},
	{"strange", "", "('0 0', True)", 1, "0x12345678"},
}

// A server of another make, which asks back in its way and does not always do as
// it should: each call reaches it once, and what it says is what is told.
func TestCallsToScapy(t *testing.T) {
	t.Parallel()
	lab.NeedProgram(t, "scapy", "python3-scapy")
	lan := lab.NewLAN(t)
	h2, h3 := lan.Host(t, 2, "SCAPY"), lan.Host(t, 3, "HOST3")
	h2.Run(t, "ip", "address", "add", "10.77.0.99/24", "dev", "eth0")
	script, err := filepath.Abs("testdata/callee.py")
	if err != nil {
		t.Fatal(err)
	}
	callee := h2.Start(t, "/usr/bin/python3", script, h2.Addr.String(), "10.77.0.99")
	callee.WaitOutput(t, "ready")
	capture := h3.Capture(t)
	var want strings.Builder
	want.WriteString("ready\n")
	for _, tt := range callsToScapy {
		fmt.Fprintf(&want, "%s: %s\n", tt.how, tt.callee)
		out := sendRPC(t, h3, "as "+tt.how+" "+tt.text, h2.Addr.String())
		if out.Code != tt.code || !strings.Contains(out.Stderr, tt.said) || (out.Code == 0) != (out.Stdout != "") {
			t.Errorf("%s: exit status %d\n%s%s", tt.how, out.Code, out.Stdout, out.Stderr)
		}
		callee.WaitOutput(t, "\n"+tt.how+": ")
	}
	if diff := cmp.Diff(want.String(), callee.Stdout()); diff != "" {
		t.Errorf("it says (-want +got):\n%s", diff)
	}
	capture.CheckClean(t, cleanCalls(h3))
}
