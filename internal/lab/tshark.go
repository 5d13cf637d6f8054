//go:build linux

package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Separators of tshark's answers, which no value contains.
const (
	fieldSeparator = "\x1E"
	valueSeparator = "\x1F"
)

// Fields returns what tshark reads in the packets that match a display filter,
// such as "nbns && ip.src == 10.77.0.2": for each packet the values of the
// fields, such as "frame.time_epoch" or "nbns.flags". Where a field occurs more
// than once, its values are joined by "\x1F".
func (c *Capture) Fields(t testing.TB, filter string, fields ...string) [][]string {
	t.Helper()
	args := []string{"-T", "fields", "-E", "separator=" + fieldSeparator, "-E", "aggregator=" + valueSeparator}
	for _, field := range fields {
		args = append(args, "-e", field)
	}
	var packets [][]string
	for line := range strings.Lines(c.tshark(t, filter, args...)) {
		packets = append(packets, strings.Split(strings.TrimSuffix(line, "\n"), fieldSeparator))
	}
	return packets
}

// Text returns tshark's full reading of the packets that match a display
// filter.
func (c *Capture) Text(t testing.TB, filter string) string {
	t.Helper()
	return c.tshark(t, filter, "-V")
}

// Wait waits until at least n packets match a display filter. A datagram that
// nobody has answered may not have left the host yet, for want of an address.
func (c *Capture) Wait(t testing.TB, filter string, n int) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		got := len(c.Fields(t, filter, "frame.number"))
		if got >= n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %d packets match %s after 30 s, want %d", c.host.Name, got, filter, n)
		}
	}
}

// CheckClean fails the test if tshark has anything against a packet that
// matches a display filter: malformed, a warning or an error of its experts, a
// session message out of step with its length, an SMB message whose counts do
// not add up. The notes of TCP about timing and closing (retransmitted, reset)
// are not about what we wrote and do not count. A filter that matches nothing
// fails too.
func (c *Capture) CheckClean(t testing.TB, filter string) {
	t.Helper()
	packets := c.Fields(t, filter, "frame.number", "_ws.col.Info",
		"_ws.expert.severity", "_ws.expert.group", "_ws.expert.message",
		"nbss.continuation_data", "tcp.segment_data", "tcp.reassembled_in",
		"nbss.type", "nbss.length", "smb.cmd", "smb.wct", "smb.bcc")
	if len(packets) == 0 {
		t.Errorf("%s: no captured packet matches %s", c.host.Name, filter)
	}
	first := ""
	for _, p := range packets {
		complaints := slices.Concat(expertComplaints(p[2], p[3], p[4]), smbComplaints(p[8], p[9], p[10], p[11], p[12]))
		if p[5] != "" {
			complaints = append(complaints, "session message does not begin where the last one ended")
		}
		if p[6] != "" && p[7] == "" {
			complaints = append(complaints, "message is shorter than its length")
		}
		for _, complaint := range complaints {
			t.Errorf("%s: frame %s: %s: %s", c.host.Name, p[0], p[1], complaint)
		}
		if first == "" && len(complaints) > 0 {
			first = p[0]
		}
	}
	if first != "" {
		t.Log(c.Text(t, "frame.number == "+first))
	}
}

// Values of _ws.expert.severity and _ws.expert.group.
const (
	severityWarning = 0x00600000 // errors are above
	groupSequence   = 0x02000000 // TCP's
)

// expertComplaints returns the messages that count, out of the parallel lists
// of severities, groups and messages of one packet.
func expertComplaints(severities, groups, messages string) []string {
	var complaints []string
	group, message := numbers(groups), strings.Split(messages, valueSeparator)
	for i, severity := range numbers(severities) {
		if severity >= severityWarning && group[i] != groupSequence {
			complaints = append(complaints, message[i])
		}
	}
	return complaints
}

// smbComplaints compares the lengths of the session messages in one packet with
// what their SMB messages count: the header, WordCount, the words, ByteCount
// and the bytes, as in [MS-CIFS] 2.2.3. tshark itself does not.
func smbComplaints(types, lengths, commands, wordCounts, byteCounts string) []string {
	length, command := numbers(lengths), numbers(commands)
	words, bytes := numbers(wordCounts), numbers(byteCounts)
	var complaints []string
	i := 0 // counts the SMB messages
	for j, typ := range numbers(types) {
		if typ != 0 { // not a session message: RFC 1002 4.3.1
			continue
		}
		if i >= min(len(command), len(words), len(bytes)) {
			return append(complaints, "session message without a whole SMB message")
		}
		// tshark 4.0.17 takes the group id of SMB_COM_SEND_TEXT_MB_MESSAGE for
		// its ByteCount.
		n := 32 + 1 + 2*words[i] + 2 + bytes[i]
		if n != length[j] && command[i] != 0xD7 {
			complaints = append(complaints, fmt.Sprintf("session message of %d bytes holds an SMB message of %d", length[j], n))
		}
		i++
	}
	return complaints
}

// numbers parses a list of numbers, decimal or hexadecimal.
func numbers(list string) []int {
	var all []int
	for value := range strings.FieldsFuncSeq(list, func(r rune) bool { return string(r) == valueSeparator }) {
		n, err := strconv.ParseInt(value, 0, 64)
		if err != nil {
			n = -1 // nothing that tshark writes
		}
		all = append(all, int(n))
	}
	return all
}

func (c *Capture) tshark(t testing.TB, filter string, args ...string) string {
	t.Helper()
	// In two passes, so that a segment knows what it became a part of.
	cmd := exec.CommandContext(t.Context(), "tshark", append([]string{"-n", "-2", "-r", c.File(t), "-Y", filter}, args...)...)
	// Nobody's preferences.
	cmd.Env = append(os.Environ(), "WIRESHARK_CONFIG_DIR="+filepath.Join(c.host.Dir, "wireshark"))
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		t.Fatalf("tshark %s: %v: %s", filter, err, exit.Stderr)
	} else if err != nil {
		t.Fatalf("tshark: %v", err)
	}
	return string(out)
}
