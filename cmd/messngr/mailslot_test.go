//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/messngr/messngr/internal/lab"
	"github.com/messngr/messngr/mailslot"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbdgm"
)

// Messages in datagrams. No free program receives them, so that those who judge
// are tshark, which reads each field, and scapy, which writes each form.

// cleanDatagrams is what tshark must have nothing against.
func cleanDatagrams(h *lab.Host) string {
	return fmt.Sprintf("nbdgm && ip.src == %s", h.Addr)
}

// writeFields are all fields that tshark knows of a datagram, its SMB message
// and its mailslot write, but for the datagram's ID, as it must read the first
// message of TestToWorkgroup.
const writeFields = `ip.dst 10.77.0.255
udp.dstport 138
nbdgm.type 17
nbdgm.first 1
nbdgm.next 0
nbdgm.node_type 0
nbdgm.src.ip 10.77.0.5
nbdgm.src.port 138
nbdgm.dgram_len 180
nbdgm.pkt_offset 0
nbdgm.source_name HOST5<00>
nbdgm.destination_name WORKGROUP<00>
smb.cmd 0x25
smb.error_class 0x00
smb.error_code 0x0000
smb.flags 0x00
smb.flags2 0x0000
smb.pid.high 0
smb.signature 0000000000000000
smb.tid 0
smb.pid 0
smb.uid 0
smb.mid 0
smb.wct 17
smb.tpc 0
smb.tdc 24
smb.mpc 0
smb.mdc 0
smb.msc 0
smb.transaction.flags 0x0000
smb.timeout 0
smb.pc 0
smb.po 0
smb.dc 24
smb.data_offset 88
smb.sc 3
mailslot.opcode 1
mailslot.priority 0
mailslot.class 2
mailslot.size 43
mailslot.name \MAILSLOT\MESSNGR
data.data 424f4200574f524b47524f555000746f206d79206f776e00`

// texts returns the texts of the station's messages, when there are n.
func (s *station) texts(t testing.TB, n int) []string {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		all := s.inbox(t)
		if len(all) >= n || time.Now().After(deadline) {
			var texts []string
			for _, e := range all {
				texts = append(texts, e.Text)
			}
			return texts
		}
	}
}

// counters returns what a listener of the station has counted.
func (s *station) counters(t testing.TB, listener string) map[string]int64 {
	t.Helper()
	var st struct {
		Listeners []struct {
			Name     string
			Counters map[string]int64
		}
	}
	out := s.Run(t, s.program, "status", "--json", "--data", s.data)
	if err := json.Unmarshal([]byte(out.Stdout), &st); err != nil {
		t.Fatal(err)
	}
	for _, l := range st.Listeners {
		if l.Name == listener {
			return l.Counters
		}
	}
	t.Fatalf("there is no listener %s in %s", listener, out.Stdout)
	return nil
}

// net send to a workgroup reaches all who are in it, and no others; its report
// says who could be seen.
func TestToWorkgroup(t *testing.T) {
	t.Parallel()
	lan := lab.NewLAN(t)
	h2, h3 := serve(t, lan.Host(t, 2, "HOST2"), `aliases = ["ALICE"]`), serve(t, lan.Host(t, 3, "HOST3"))
	h4, h5 := serve(t, lan.Host(t, 4, "HOST4"), `workgroup = "OFFICE"`, `aliases = ["CAROL"]`), lan.Host(t, 5, "HOST5")
	capture := h5.Capture(t)

	for _, tt := range []struct {
		args     []string
		said     string
		to, seen string
	}{
		{[]string{"/DOMAIN", "to my own"}, "domain WORKGROUP", "WORKGROUP", "2 stations of WORKGROUP could be seen (HOST2, HOST3)"},
		{[]string{"*", "to all"}, "all users of the network", "*", "2 stations of WORKGROUP could be seen (HOST2, HOST3)"},
		{[]string{"/domain:workgroup", "named"}, "domain WORKGROUP", "WORKGROUP", "2 stations of WORKGROUP could be seen (HOST2, HOST3)"},
		{[]string{"/domain:OFFICE", "to the office"}, "domain OFFICE", "OFFICE", "1 station of OFFICE could be seen (HOST4)"},
		{[]string{"/domain:EMPTY", "to nobody"}, "domain EMPTY", "EMPTY", "no station of EMPTY could be seen"},
	} {
		out := netSend(t, h5, "", append([]string{"--from", "bob"}, tt.args...)...)
		if out.Code != 0 || out.Stdout != "The message was successfully sent to "+tt.said+".\n" {
			t.Errorf("%v: exit status %d\n%s%s", tt.args, out.Code, out.Stdout, out.Stderr)
		}
		want := "messngr: broadcast on eth0 (10.77.0.255); " + tt.seen + ". Nothing answers such a message: who has it is not known.\n"
		if out.Stderr != want || strings.Contains(out.Stdout+out.Stderr, "delivered") {
			t.Errorf("%v says\n%swant\n%s", tt.args, out.Stderr, want)
		}
	}
	for _, s := range []*station{h2, h3} {
		if got := s.texts(t, 3); !slices.Equal(got, []string{"to my own", "to all", "named"}) {
			t.Errorf("%s has %q", s.Name, got)
		}
	}
	if got := h4.texts(t, 1); !slices.Equal(got, []string{"to the office"}) {
		t.Errorf("%s has %q", h4.Name, got)
	}
	want := entry{
		From: "BOB", To: "WORKGROUP", Text: "to my own", Transport: "mailslot", Source: "10.77.0.5",
		Called: "WORKGROUP<00>", Calling: "HOST5<00>", Provenance: "claimed", State: "received",
	}
	if got := h2.inbox(t)[0]; got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	h2.WaitOutput(t, "│ Message from BOB to WORKGROUP on ")
	capture.CheckClean(t, cleanDatagrams(h5))
	var names, values []string
	for field := range strings.Lines(writeFields) {
		name, value, _ := strings.Cut(strings.TrimSpace(field), " ")
		names, values = append(names, name), append(values, value)
	}
	fields := capture.Fields(t, cleanDatagrams(h5)+` && mailslot.name == "\\MAILSLOT\\MESSNGR"`, names...)
	if len(fields) != 5 {
		t.Fatalf("tshark reads %q", fields)
	}
	for i, value := range fields[0] {
		if value != values[i] {
			t.Errorf("tshark reads %s as %q, want %q", names[i], value, values[i])
		}
	}

	// Exactly what fits goes whole; a byte more is refused, or cut.
	const room = 424 - 3 - len("HOST5") - len("WORKGROUP")
	longest := strings.Repeat("0123456789", 50)[:room]
	if out := netSend(t, h5, "", "/domain", longest); out.Code != 0 {
		t.Errorf("%d bytes: %s", room, out.Stderr)
	}
	if out := netSend(t, h5, "", "/domain", longest+"x"); out.Code != 1 || !strings.Contains(out.Stderr, fmt.Sprintf("has %d bytes in code page 850, a message to a workgroup carries %d", room+1, room)) {
		t.Errorf("%d bytes: exit status %d\n%s", room+1, out.Code, out.Stderr)
	}
	if out := netSend(t, h5, "", "--truncate", "/domain", longest[1:]+"xyz"); out.Code != 0 || !strings.Contains(out.Stderr, "The broadcast message was truncated. The last 2 bytes were cut off.") {
		t.Errorf("cut: exit status %d\n%s", out.Code, out.Stderr)
	}
	if got := h2.texts(t, 5); len(got) != 5 || got[3] != longest || got[4] != longest[1:]+"x" {
		t.Errorf("%s has %q", h2.Name, got)
	}

	// To each user on the segment, whatever his workgroup, who answers for
	// himself; as JSON, a line each.
	out := netSend(t, h5, "", "/users", "to the users")
	if want := "The message was successfully sent to ALICE.\nThe message was successfully sent to CAROL.\n"; out.Code != 0 || out.Stdout != want || out.Stderr != "" {
		t.Errorf("/users: exit status %d\n%s%s", out.Code, out.Stdout, out.Stderr)
	}
	out = netSend(t, h5, "", "--json", "/users", "once more")
	if lines := strings.SplitAfter(out.Stdout, "\n"); out.Code != 0 || len(lines) != 3 ||
		!strings.HasPrefix(lines[0], `{"to":"ALICE","state":"accepted","transport":"smb","address":"10.77.0.2:139","called":"ALICE<03>"`) ||
		!strings.HasPrefix(lines[1], `{"to":"CAROL","state":"accepted","transport":"smb","address":"10.77.0.4:139"`) {
		t.Errorf("/users as JSON: exit status %d\n%s%s", out.Code, out.Stdout, out.Stderr)
	}
	var cast struct {
		State, Transport string
		Networks         []string
		Stations         []struct{ Address, Name string }
	}
	out = h5.Run(t, h2.program, "send", "--name", "HOST5", "--json", "--workgroup", "OFFICE", "words", "of text")
	if err := json.Unmarshal([]byte(out.Stdout), &cast); err != nil || out.Code != 0 {
		t.Fatalf("exit status %d, %v: %s%s", out.Code, err, out.Stdout, out.Stderr)
	}
	if cast.State != "sent" || cast.Transport != "mailslot" || len(cast.Networks) != 1 || len(cast.Stations) != 1 || cast.Stations[0].Name != "HOST4" {
		t.Errorf("the report is %s", out.Stdout)
	}
	if got := h4.texts(t, 4); !slices.Equal(got, []string{"to the office", "to the users", "once more", "words of text"}) {
		t.Errorf("%s has %q", h4.Name, got)
	}
}

// What another program writes, in each form in which it has been seen.
func TestFromScapy(t *testing.T) {
	t.Parallel()
	lab.NeedProgram(t, "scapy", "python3-scapy")
	lan := lab.NewLAN(t)
	h2, h3 := serve(t, lan.Host(t, 2, "HOST2")), lan.Host(t, 3, "SCAPY")
	script, err := filepath.Abs("testdata/datagrams.py")
	if err != nil {
		t.Fatal(err)
	}
	capture := h3.Capture(t)
	out := h3.Run(t, "/usr/bin/python3", script, lan.Broadcast().String(), h3.Addr.String(), h2.Addr.String())
	// DATAGRAM ERROR, destination name not present, with the id of the datagram.
	if out.Code != 0 || out.Stdout != "13 82 True\n" {
		t.Fatalf("exit status %d\n%s%s", out.Code, out.Stdout, out.Stderr)
	}
	want := []string{
		"as [MS-MAIL] has it", "offset 87", "offset 88, pad 42", "offset 91", "lower case", "class 1", "flags 2, timeout 1000",
		"TID and UID FFFF", "PID FEFF", "PID and MID of Samba", "byte count of the data alone", "no last NUL", "one NUL too many",
		"to HOST2<00>", "to HOST2<03>", "to HOST2<01>", "to everybody", "to WORKGROUP<1e>", "to WORKGROUP<1d>", "of an H node", "café \ntwo lines", "in fragments",
	}
	if got := h2.texts(t, len(want)); !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	if diff := cmp.Diff(map[string]int64{
		"datagrams": 38, "messages": int64(len(want)), "announcements": 0, "copies": 0, "refused_source": 0, "too_long": 0, "no_room": 0, "not_stored": 0, "lost_at_socket": 0,
		"refused_name": 3, "other_mailslots": 1, "other_packets": 0, "datagram_errors": 1,
		"malformed": 3, "malformed_write": 1, "malformed_message": 1, "malformed_announcement": 1,
		"fragments_overlap": 1, "fragments_no_first_fragment": 1,
	}, h2.counters(t, "mailslot")); diff != "" {
		t.Errorf("counted (-want +got):\n%s", diff)
	}
	// What never ends is given up, which is counted when something else comes.
	h2.Run(t, h2.program, "send", "--name", "HOST2", "/domain", "at the end")
	time.Sleep(2100 * time.Millisecond)
	h2.Run(t, h2.program, "send", "--name", "HOST2", "/domain", "later")
	if got := h2.counters(t, "mailslot")["fragments_timeout"]; got != 1 {
		t.Errorf("%d datagrams without an end are counted, want 1", got)
	}
	capture.CheckClean(t, cleanDatagrams(h2.Host))
}

// A message that comes by two networks, or over a session as well, is shown
// once.
func TestShownOnce(t *testing.T) {
	t.Parallel()
	lan, other := lab.NewRouted(t)
	h2, h3 := lan.Host(t, 2, "HOST2"), lan.Host(t, 3, "HOST3")
	for _, h := range []*lab.Host{h2, h3} {
		other.Connect(t, h)
	}
	s := serve(t, h2, "aliases = [\"ALICE\"]\n")
	out := netSend(t, h3, "", "/domain", "twice on its way")
	if out.Code != 0 || !strings.Contains(out.Stderr, "broadcast on eth0 (10.77.0.255), eth1 (10.77.1.255); 1 station") {
		t.Errorf("exit status %d\n%s", out.Code, out.Stderr)
	}
	if out := netSend(t, h3, "", "/domain:WORKGROUP", "another"); out.Code != 0 {
		t.Error(out.Stderr)
	}
	if got := s.texts(t, 2); !slices.Equal(got, []string{"twice on its way", "another"}) {
		t.Errorf("got %q", got)
	}
	if got := s.counters(t, "mailslot")["copies"]; got != 2 {
		t.Errorf("%d copies, want 2", got)
	}
	// A network on which it cannot be sent does not keep it off the others, and
	// is named.
	h3.Run(t, "ip", "route", "del", "broadcast", "10.77.1.255", "dev", "eth1", "table", "local")
	h3.Run(t, "ip", "route", "add", "unreachable", "10.77.1.255/32")
	out = netSend(t, h3, "", "/domain", "on one network")
	if want := "messngr: not sent on eth1 (10.77.1.255): connect: no route to host\n"; out.Code != 0 || !strings.HasPrefix(out.Stderr, "messngr: broadcast on eth0 (10.77.0.255); ") || !strings.HasSuffix(out.Stderr, want) {
		t.Errorf("exit status %d\n%s", out.Code, out.Stderr)
	}
	if got := s.texts(t, 3); len(got) != 3 || got[2] != "on one network" {
		t.Errorf("got %q", got)
	}
	// Two sessions are two messages.
	for range 2 {
		if out := netSend(t, h3, "", "ALICE", "said twice"); out.Code != 0 {
			t.Error(out.Stderr)
		}
	}
	if got := s.texts(t, 5); len(got) != 5 {
		t.Errorf("got %q", got)
	}
	// What a session has brought, and then comes in a datagram, is one.
	if out := netSend(t, h3, "", "ALICE", "both ways"); out.Code != 0 {
		t.Error(out.Stderr)
	}
	h3.Do(t, func() error { return writeMessage(s.Addr, "HOST3", "ALICE", "both ways") })
	for deadline := time.Now().Add(10 * time.Second); s.counters(t, "mailslot")["copies"] < 3 && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
	if got := s.texts(t, 6); len(got) != 6 || s.counters(t, "mailslot")["copies"] != 3 {
		t.Errorf("got %q, counted %v", got, s.counters(t, "mailslot"))
	}
}

// writeMessage sends a datagram as WinPopup does to one computer or user.
func writeMessage(host netip.Addr, from, to, text string) error {
	body, err := mailslot.Message{From: []byte(from), To: []byte(to), Text: []byte(text)}.AppendBinary(nil)
	if err != nil {
		return err
	}
	data, err := mailslot.Write{Name: []byte(mailslot.Messenger), Class: mailslot.Class2, Data: body}.AppendBinary(nil)
	if err != nil {
		return err
	}
	p := nbdgm.Packet{Type: nbdgm.DirectUnique, Flags: nbdgm.First, Source: netip.AddrPortFrom(host, 138), Data: data}
	if p.SourceName, err = netbios.NewName(from, netbios.Workstation); err != nil {
		return err
	}
	if p.DestinationName, err = netbios.NewName(to, netbios.Messenger); err != nil {
		return err
	}
	packet, err := p.AppendBinary(nil)
	if err != nil {
		return err
	}
	conn, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(host, 138)))
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Write(packet)
	return err
}

// On a host where nmbd has the port, all else works; and an nmbd on the segment
// is not disturbed.
func TestDatagramsBesideNMBD(t *testing.T) {
	t.Parallel()
	lab.NeedProgram(t, "nmblookup", "samba-common-bin")
	lan := lab.NewLAN(t)
	h2, h3, h4 := lan.Host(t, 2, "HOST2"), lan.Host(t, 3, "SAMBA3"), lan.Host(t, 4, "HOST4")
	h2.StartNMBD(t, h2.SMBConf(t))
	samba := h3.StartNMBD(t, h3.SMBConf(t, "server string = the old server", "os level = 200", "preferred master = yes"))
	s := serve(t, h2)
	if got := s.Stderr(); !strings.Contains(got, "closed messages in datagrams (:138/udp): port 138 is taken by nmbd (process ") ||
		!strings.Contains(got, "open   messages over NetBIOS sessions") {
		t.Errorf("it says\n%s", got)
	}
	if out := netSend(t, h4, "", h2.Addr.String(), "over a session"); out.Code != 0 || len(s.inbox(t)) != 1 {
		t.Errorf("exit status %d\n%s", out.Code, out.Stderr)
	}

	s4 := serve(t, h4)
	for i := range 20 {
		// Longer ones, of up to 424 bytes with their names, Windows reads and
		// nmbd cuts: it takes 576 bytes with the headers.
		if out := netSend(t, s4.Host, "", "/domain", strings.Repeat(fmt.Sprint(i), 400)[:380]); out.Code != 0 {
			t.Error(out.Stderr)
		}
	}
	if got := s4.texts(t, 20); len(got) != 20 { // our own broadcasts reach us
		t.Errorf("%d messages", len(got))
	}
	if out := h4.Run(t, "nmblookup", "-s", h4.SMBConf(t), "-B", lan.Broadcast().String(), "*"); !strings.Contains(out.Stdout, "10.77.0.3 *<00>") || !strings.Contains(out.Stdout, "10.77.0.4 *<00>") {
		t.Errorf("everybody is\n%s%s", out.Stdout, out.Stderr)
	}
	if out := h4.Run(t, "nmblookup", "-s", h4.SMBConf(t), "SAMBA3"); !strings.Contains(out.Stdout, "10.77.0.3 SAMBA3<00>") {
		t.Errorf("after that, nmblookup finds\n%s%s", out.Stdout, out.Stderr)
	}
	for _, line := range strings.Split(samba.Stdout()+samba.Stderr(), "\n") {
		if strings.Contains(strings.ToLower(line), "error") || strings.Contains(line, "malformed") {
			t.Errorf("nmbd says %s", line)
		}
	}

	// nmbd announces itself: then it is a neighbour.
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		out := h4.Run(t, s4.program, "neighbours", "--data", s4.data)
		if strings.Contains(out.Stdout, "SAMBA3  ") && strings.Contains(out.Stdout, "the old server") && strings.Contains(out.Stdout, "10.77.0.3") {
			if !strings.HasPrefix(out.Stdout, "NAME") || strings.Contains(out.Stdout, "HOST4") {
				t.Errorf("the neighbours are\n%s", out.Stdout)
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("nmbd is no neighbour:\n%s%s\n%s", out.Stdout, out.Stderr, s4.Stderr())
		}
	}
}

// Behind a router are the members that the name server knows.
func TestToMembersElsewhere(t *testing.T) {
	t.Parallel()
	near, far := lab.NewRouted(t)
	networks := "[guard]\nnetworks = [\"10.77.0.0/16\"]\n"
	server := near.Host(t, 9, "HOST9")
	static := filepath.Join(server.Dir, "static")
	writeFile(t, static, "10.77.1.3 HOST3 #PRE #DOM:WORKGROUP\n")
	serve(t, server, networks, fmt.Sprintf("[wins]\nserve = true\nstatic = %q\n", static))
	h3 := serve(t, far.Host(t, 3, "HOST3"), networks)
	h2 := near.Host(t, 2, "HOST2")
	config := filepath.Join(h2.Dir, "messngr.toml")
	for node, elsewhere := range map[string]string{
		"B": "", // it does not ask the server
		"P": ", sent to 1 member elsewhere that the name server knows",
		"M": ", sent to 1 member elsewhere that the name server knows",
		"H": ", sent to 1 member elsewhere that the name server knows",
	} {
		writeFile(t, config, hybrid(server)+fmt.Sprintf("node_type = %q\n", node))
		out := netSend(t, h2, "", "--config", config, "/domain", "across the router as "+node)
		if out.Code != 0 || !strings.Contains(out.Stderr, "broadcast on eth0 (10.77.0.255)"+elsewhere+"; ") {
			t.Errorf("%s: exit status %d\n%s%s", node, out.Code, out.Stdout, out.Stderr)
		}
	}
	got := h3.texts(t, 3)
	slices.Sort(got)
	if want := []string{"across the router as H", "across the router as M", "across the router as P"}; !slices.Equal(got, want) {
		t.Errorf("%s has %q", h3.Name, got)
	}
}

// Where smbd has the port, its message command hands messages over, as a user
// who is nobody.
func TestInjectedBySMBD(t *testing.T) {
	t.Parallel()
	lan := lab.NewLAN(t)
	h2, h3 := lan.Host(t, 2, "HOST2"), lan.Host(t, 3, "HOST3")
	socket := filepath.Join(h2.Dir, "inject.sock")
	h2.StartSMBD(t, h2.SMBConf(t, fmt.Sprintf(`message command = sh -c '%s inject --config /dev/null --socket %s --from "%%f" <%%s; rm %%s'`, lab.Build(t), socket)))
	s := serve(t, h2, fmt.Sprintf("[inject]\nsocket = %q\n", socket))
	if got := s.Stderr(); !strings.Contains(got, "port 139 is taken by smbd (process ") || !strings.Contains(got, "open   messages of this computer's users ("+socket+"/unix)\n") {
		t.Errorf("it says\n%s", got)
	}
	for _, tt := range texts {
		if _, err := h3.Smbclient(t, h2.Addr.String(), tt.text, "-I", h2.Addr.String()); err != nil {
			t.Error(err)
		}
		all := s.inbox(t)
		want := entry{From: "alice", To: "HOST2", Text: tt.text, Transport: "local", Provenance: "claimed", State: "received"}
		if len(all) == 0 || all[len(all)-1] != want {
			t.Errorf("%s: got %+v", tt.name, all)
		}
	}
	if out := h2.Run(t, s.program, "inject", "--socket", socket+"x", "--from", "A", "text"); out.Code != 1 || !strings.Contains(out.Stderr, "no service takes messages on "+socket+"x") {
		t.Errorf("exit status %d: %s", out.Code, out.Stderr)
	}
}
