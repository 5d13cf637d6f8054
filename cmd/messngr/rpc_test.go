//go:build linux

package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/messngr/messngr/internal/lab"
)

// Messages by NetrSendMessage, over connectionless RPC. No free program makes
// such calls or serves them, so that those who judge are tshark, which reads
// each packet, and scapy, which writes each form; over connections Samba too.

// rpcOn is the configuration that opens the doors of RPC.
const rpcOn = "[rpc]\nenabled = true"

// noSessions is the configuration of a station that takes no sessions.
const noSessions = "[smb]\nlisten = []"

// cleanCalls is what tshark must have nothing against.
func cleanCalls(h *lab.Host) string {
	return fmt.Sprintf("dcerpc && !icmp && ip.src == %s", h.Addr)
}

// sendRPC sends by NetrSendMessage from a host that has no service.
func sendRPC(t testing.TB, from *lab.Host, text string, args ...string) lab.Output {
	t.Helper()
	return netSend(t, from, text, append([]string{"--transport", "rpc"}, args...)...)
}

// byRPC is what the inbox says of a message from HOST3 that came by RPC.
func byRPC(to, text string) entry {
	return entry{From: "HOST3", To: to, Text: text, Transport: "rpc", Source: "10.77.0.3", Provenance: "claimed", State: "received"}
}

// Two of us: each text arrives as it is, and tshark reads every packet of both.
func TestToOurselvesByRPC(t *testing.T) {
	t.Parallel()
	lan := lab.NewLAN(t)
	h2, h3 := serve(t, lan.Host(t, 2, "HOST2"), `aliases = ["OPERATOR"]`, rpcOn), lan.Host(t, 3, "HOST3")
	capture := h2.Capture(t)
	var want []entry
	send := func(text, to string) {
		t.Helper()
		out := sendRPC(t, h3, text, to)
		if out.Code != 0 || out.Stdout != "The message was successfully sent to "+to+".\n" || out.Stderr != "" {
			t.Errorf("to %s: exit status %d\n%s%s", to, out.Code, out.Stdout, out.Stderr)
		}
		want = append(want, byRPC(to, text))
	}
	for _, tt := range texts {
		send(tt.text, "HOST2")
	}
	send("to an alias", "OPERATOR")
	send("to an address", h2.Addr.String())
	longest := strings.Repeat("0123456789abcde\n", 256)[:4095] // in three fragments
	send(longest, "HOST2")
	if diff := cmp.Diff(want, h2.inbox(t)); diff != "" {
		t.Errorf("inbox (-want +got):\n%s", diff)
	}
	h2.WaitOutput(t, "│ Message from HOST3 to OPERATOR on ")

	capture.CheckClean(t, cleanCalls(h3))
	capture.CheckClean(t, cleanCalls(h2.Host))
	// What nobody recognises would not be looked at.
	if strange := capture.Fields(t, "udp && !dcerpc && !nbns && !nbdgm && !icmp", "frame.number", "_ws.col.Info"); len(strange) != 0 {
		t.Errorf("tshark cannot make anything of %q", strange)
	}
	n := len(want)
	for what, tt := range map[string]struct {
		filter string
		count  int
	}{
		"questions to the mapper":        {"epm.opnum == 3 && dcerpc.pkt_type == 0 && udp.dstport == 135", n},
		"answers of the mapper":          {"epm.opnum == 3 && dcerpc.pkt_type == 2 && epm.proto.udp_port && epm.proto.ip == 10.77.0.2 && epm.rc == 0", n},
		"calls that a server asks about": {"messenger.opnum == 0 && dcerpc.pkt_type == 0 && dcerpc.dg_flags1_idempotent == 0 && dcerpc.dg_flags1_maybe == 0", n},
		"questions to the caller":        {"conv.opnum == 1 && dcerpc.pkt_type == 0 && ip.src == 10.77.0.2", n},
		"answers of the caller":          {"conv.opnum == 1 && dcerpc.pkt_type == 2 && conv.status == 0 && ip.src == 10.77.0.3", n},
		"answers to calls":               {"messenger.opnum == 0 && dcerpc.pkt_type == 2 && messenger.rc == 0", n},
		"acknowledgements":               {"dcerpc.pkt_type == 7 && ip.src == 10.77.0.3", n},
		"what went wrong":                {"dcerpc.pkt_type == 3 || dcerpc.pkt_type == 6", 0},
	} {
		if got := len(capture.Fields(t, tt.filter, "frame.number")); got != tt.count {
			t.Errorf("tshark sees %d %s, want %d", got, what, tt.count)
		}
	}
	// Its labels Server and Client are From and To.
	read := capture.Fields(t, `messenger.message contains "to an alias"`, "messenger.server", "messenger.client", "messenger.message")
	if len(read) != 1 || strings.Join(read[0], "|") != "HOST3|OPERATOR|to an alias" {
		t.Errorf("tshark reads %q", read)
	}
	// That of 1,598 bytes is in two, the longest in three.
	fragments := capture.Fields(t, "dcerpc.pkt_type == 0 && dcerpc.dg_flags1_frag == 1 && ip.src == 10.77.0.3", "dcerpc.dg_frag_num")
	if fmt.Sprint(fragments) != "[[0] [1] [0] [1] [2]]" {
		t.Errorf("tshark sees fragments %v", fragments)
	}
	whole := capture.Fields(t, `messenger.message contains "0123456789abcde\x14"`, "messenger.message")
	if len(whole) != 1 || strings.Count(whole[0][0], "0123456789abcde") != 256 {
		t.Errorf("tshark puts the fragments together as %d messages", len(whole))
	}
	if code := h2.Stop(t); code != 0 {
		t.Errorf("the service ended with exit status %d", code)
	}
}

// Without being told, net send calls when no session is to be had, and says
// what came of both when it could not call either.
func TestByRPCWhenNoSession(t *testing.T) {
	t.Parallel()
	lan := lab.NewLAN(t)
	h2, h3 := serve(t, lan.Host(t, 2, "HOST2"), noSessions, rpcOn), lan.Host(t, 3, "HOST3")
	h4, h5 := serve(t, lan.Host(t, 4, "HOST4"), noSessions), serve(t, lan.Host(t, 5, "HOST5"), rpcOn)
	for _, to := range []string{"HOST2", h2.Addr.String()} {
		if out := netSend(t, h3, "", to, "no session"); out.Code != 0 || out.Stdout != "The message was successfully sent to "+to+".\n" {
			t.Errorf("exit status %d\n%s%s", out.Code, out.Stdout, out.Stderr)
		}
	}
	if diff := cmp.Diff([]entry{byRPC("HOST2", "no session"), byRPC("10.77.0.2", "no session")}, h2.inbox(t)); diff != "" {
		t.Errorf("inbox (-want +got):\n%s", diff)
	}
	// Where a session is to be had, it is.
	if out := netSend(t, h3, "", "HOST5", "in a session"); out.Code != 0 {
		t.Errorf("exit status %d\n%s", out.Code, out.Stderr)
	}
	if got := h5.inbox(t); len(got) != 1 || got[0].Transport != "smb" {
		t.Errorf("the inbox has %+v", got)
	}
	// Where a session is refused, that is the answer.
	if out := netSend(t, h3, "", "--transport", "smb", h2.Addr.String(), "smb only"); out.Code != 1 || strings.Contains(out.Stderr, "RPC") {
		t.Errorf("exit status %d\n%s", out.Code, out.Stderr)
	}
	for _, tt := range []struct {
		name, to string
		within   time.Duration
		want     []string
	}{
		{"neither", h4.Addr.String(), 5 * time.Second, []string{"10.77.0.4 refuses TCP port 139", "nor is there an RPC endpoint mapper (UDP port 135)"}},
		{"nobody", lan.Host(t, 6, "HOST6").Addr.String(), 5 * time.Second, []string{"10.77.0.6 refuses TCP port 139", "nor is there an RPC endpoint mapper (UDP port 135)"}},
		{"no host", "10.77.0.200", 20 * time.Second, []string{"10.77.0.200"}},
	} {
		begin := time.Now()
		out := netSend(t, h3, "", tt.to, "hello")
		if took := time.Since(begin); out.Code != 1 || out.Stdout != "" || took > tt.within {
			t.Errorf("%s: exit status %d after %v\n%s%s", tt.name, out.Code, took, out.Stdout, out.Stderr)
		}
		for _, want := range append(tt.want, "An error occurred while sending a message to "+tt.to+".", "NET HELPMSG") {
			if !strings.Contains(out.Stderr, want) {
				t.Errorf("%s: %q is not in\n%s", tt.name, want, out.Stderr)
			}
		}
	}
	// Silence, from a host that is there.
	h6 := lan.Host(t, 7, "SILENT")
	h6.Run(t, "ip", "route", "add", "blackhole", "10.77.0.3/32")
	begin := time.Now()
	out := netSend(t, h3, "", "--timeout", "3s", h6.Addr.String(), "hello")
	if took := time.Since(begin); out.Code != 1 || took > 15*time.Second || !strings.Contains(out.Stderr, "nor is there an RPC endpoint mapper (UDP port 135)") {
		t.Errorf("silence: exit status %d after %v\n%s", out.Code, took, out.Stderr)
	}
}

// What a recipient says in its return code is what Windows would have said.
func TestRPCSaysWhatTheRecipientSays(t *testing.T) {
	t.Parallel()
	lan := lab.NewLAN(t)
	h2, h3 := serve(t, lan.Host(t, 2, "HOST2"), rpcOn), lan.Host(t, 3, "HOST3")
	lmhosts := h3.Dir + "/lmhosts"
	writeFile(t, lmhosts, "10.77.0.2 OTHER #PRE\n")
	out := sendRPC(t, h3, "to another", "--lmhosts", lmhosts, "OTHER")
	if out.Code != 1 || !strings.Contains(out.Stderr, "NET HELPMSG 2273.") || !strings.Contains(out.Stderr, "answers, but not as OTHER") {
		t.Errorf("another name: exit status %d\n%s", out.Code, out.Stderr)
	}
	if got := h2.counters(t, "rpc")["refused_name"]; got != 1 {
		t.Errorf("%d refused names", got)
	}
	if out := h2.Run(t, h2.program, "net", "pause", "messenger", "--data", h2.data); out.Code != 0 {
		t.Fatalf("pause: %s", out.Stderr)
	}
	out = sendRPC(t, h3, "while pausing", "HOST2")
	if out.Code != 1 || !strings.Contains(out.Stderr, "NET HELPMSG 2281.") || !strings.Contains(out.Stderr, "the recipient has paused the Messenger service") {
		t.Errorf("paused: exit status %d\n%s", out.Code, out.Stderr)
	}
	if out := h2.Run(t, h2.program, "net", "continue", "messenger", "--data", h2.data); out.Code != 0 {
		t.Fatalf("continue: %s", out.Stderr)
	}
	if got := h2.counters(t, "rpc")["paused"]; got != 1 {
		t.Errorf("%d messages came while it paused", got)
	}
	if out := sendRPC(t, h3, "after it", "HOST2"); out.Code != 0 {
		t.Errorf("continued: exit status %d\n%s", out.Code, out.Stderr)
	}
}
