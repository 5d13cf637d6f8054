package listener

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/messngr/messngr/smb"
)

// [MS-MSRP] 2.2.3: a sender leaves all of the header zero but the command. What
// it does set is its own, and comes back.
func TestHeaderComesBack(t *testing.T) {
	r := listen(t, nil)
	c := r.call(t)
	for i, tt := range []struct{ request, response string }{
		// Status, Flags, Flags2, PIDHigh, SecurityFeatures, Reserved, TID, PIDLow, UID, MID
		{"00000000 00 0000 0000 0000000000000000 0000 0000 0000 0000 0000", "00000000 80 0000 0000 0000000000000000 0000 0000 0000 0000 0000"},
		{"00000000 08 0000 0000 0000000000000000 0000 ffff ffff ffff ffff", "00000000 88 0000 0000 0000000000000000 0000 ffff ffff ffff ffff"},
		{"ffffffff ff ffff 1122 ffffffffffffffff ffff 3344 5566 7788 99aa", "00000000 88 0040 1122 0000000000000000 0000 3344 5566 7788 99aa"},
		{"00000000 18 0140 0000 0000000000000000 0000 0100 fffe 0200 0300", "00000000 88 0040 0000 0000000000000000 0000 0100 fffe 0200 0300"},
		{"00000000 00 03c8 0100 0102030405060708 0000 0000 0000 0000 4000", "00000000 80 0040 0100 0000000000000000 0000 0000 0000 0000 4000"},
	} {
		header := func(command, rest string) string { return "ff534d42" + command + rest }
		start, text, end := "00 0a00 04414c49434500 044200", "01 0000 0500 010200 6869", "01 0000 0000"
		one := "00 0f00 04414c49434500 044200 010200 6869"
		c.send(packet(header("d0", tt.request), one),
			packet(header("d5", tt.request), start),
			packet(header("d7", tt.request), text),
			packet(header("d6", tt.request), end))
		c.expect(packet(header("d0", tt.response), "00 0000"),
			packet(header("d5", tt.response), fmt.Sprintf("01 %02x00 0000", i+1)),
			packet(header("d7", tt.response), "00 0000"),
			packet(header("d6", tt.response), "00 0000"))
	}
	for range 10 {
		if m := r.message(t); m.Text != "hi" || m.From != "ALICE" || m.To != "B" {
			t.Errorf("from %q to %q: %q", m.From, m.To, m.Text)
		}
	}
}

// packet makes a session message of the hexadecimal digits of an SMB message.
func packet(parts ...string) []byte {
	b := unhex(strings.Join(parts, ""))
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)
}

// Both forms of errors: class and code, and the 32 bits that
// SMB_FLAGS2_NT_STATUS asks for ([MS-CIFS] 2.2.3.1).
func TestErrorForms(t *testing.T) {
	r := listen(t, func(cfg *SMBConfig) { cfg.MaxText = 3 })
	c := r.call(t)
	for _, tt := range []struct {
		command, body string
		dos, nt       string
	}{
		{"d7", "01 0000 0300 010000", "01005700", "0d0000c0"},                   // STATUS_INVALID_PARAMETER
		{"d1", "00 0000", "02001600", "02001600"},                               // STATUS_SMB_BAD_COMMAND
		{"d0", "00 0d00 044100 044200 010400 6869686a", "02005300", "050200c0"}, // STATUS_INSUFF_SERVER_RESOURCES
	} {
		c.send(packet("ff534d42", tt.command, "00000000 00 0000", strings.Repeat("00", 20), tt.body))
		c.expect(packet("ff534d42", tt.command, tt.dos, "80 0000", strings.Repeat("00", 20), "00 0000"))
		c.send(packet("ff534d42", tt.command, "00000000 00 0040", strings.Repeat("00", 20), tt.body))
		c.expect(packet("ff534d42", tt.command, tt.nt, "80 0040", strings.Repeat("00", 20), "00 0000"))
	}
	r.texts(t)
}

// A group is one message on one session. Blocks and ends of no group, and of
// another, are refused; 0 stands for the group that there is.
func TestGroups(t *testing.T) {
	r := listen(t, nil)
	c := r.call(t)
	noGroup := func(packets ...[]byte) {
		t.Helper()
		for _, p := range packets {
			c.send(p)
			c.expect(answer(smb.Command(p[8]), invalidParameter))
		}
	}
	noGroup(block(0, "x"), end(0), block(1, "x"), end(1))

	c.send(begin("ALICE", "LEGACY"))
	c.expect(started(1))
	c.send(block(1, "the "))
	c.expect(answer(0xD7, success))
	noGroup(block(2, "x"), end(2), block(0x0100, "x"), end(0xFFFF))
	c.send(block(0, "first"))
	c.expect(answer(0xD7, success))
	c.send(end(1))
	c.expect(answer(0xD6, success))
	noGroup(end(1), end(0), block(1, "x")) // it has ended

	// A new start forgets what has begun, and its group with it.
	c.send(begin("ALICE", "LEGACY"), block(2, "forgotten"), begin("BOB", "LEGACY"))
	c.expect(started(2), answer(0xD7, success), started(3))
	noGroup(block(2, "x"), end(2))
	c.send(block(3, "second"), end(3))
	c.expect(answer(0xD7, success), answer(0xD6, success))

	// So does one that is refused.
	c.send(begin("ALICE", "LEGACY"))
	c.expect(started(4))
	noGroup(begin(strings.Repeat("A", 256), "LEGACY"), end(4))

	// A single block in between is a message of its own.
	c.send(begin("ALICE", "LEGACY"), block(5, "third"), single("ALICE", "LEGACY", "between"), end(5))
	c.expect(started(5), answer(0xD7, success), answer(0xD0, success), answer(0xD6, success))
	r.texts(t, "the first", "second", "between", "third")
}

// Each connection has its groups to itself.
func TestGroupsOfTwoConnections(t *testing.T) {
	r := listen(t, nil)
	a, b := r.call(t), r.call(t)
	a.send(begin("ALICE", "LEGACY"), block(1, "from a"))
	a.expect(started(1), answer(0xD7, success))
	b.send(end(1), begin("BOB", "LEGACY"), block(1, "from b"), end(1))
	b.expect(answer(0xD6, invalidParameter), started(1), answer(0xD7, success), answer(0xD6, success))
	a.send(end(1))
	a.expect(answer(0xD6, success))
	r.texts(t, "from b", "from a")
}

// A MessageGroupId is not 0: that is what senders give that keep none.
func TestGroupNumbersGoRound(t *testing.T) {
	r := listen(t, nil)
	m := newMemory(nil)
	c := newConn(r.SMB, r.conns.NewConn(m))
	c.lastGroup = 0xFFFE
	m.in.Write(begin("A", "B"))
	m.in.Write(begin("A", "B"))
	c.serve(t.Context())
	c.free()
	if want := string(started(0xFFFF)) + string(started(1)); m.out.String() != want {
		t.Errorf("got %x\nwant %x", m.out.String(), want)
	}
}

// [MS-MSRP] 2.2.3 has four commands. Every other is answered ERRSRV/22, and the
// connection goes on.
func TestOtherCommands(t *testing.T) {
	r := listen(t, nil)
	c := r.call(t)
	refused := int64(0)
	for command := range 256 {
		switch command := smb.Command(command); command {
		case smb.SendMessage, smb.SendStartMessage, smb.SendTextMessage, smb.SendEndMessage:
		default:
			refused++
			c.send(frame(smb.Header{Command: command}, unhex("00 0000")))
			c.expect(answer(command, badCommand))
		}
	}
	// What smbd wants to see first, in its usual form, and a header alone.
	c.send(packet("ff534d42 72 00000000 18 0128", strings.Repeat("00", 20), "00 0c00 024e54204c4d20302e313200"))
	c.expect(packet("ff534d42 72 02001600 88 0000", strings.Repeat("00", 20), "00 0000"))
	c.send(packet("ff534d42 d3 00000000 00 0000", strings.Repeat("00", 20)))
	c.expect(answer(0xD3, badCommand))
	c.deliver("still here")
	r.texts(t, "still here")
	c.nc.Close()
	r.counted(t, map[string]int64{"connections": 1, "messages": 1, "refused_command": refused + 2})
}

// Bodies that do not parse are answered ERRDOS/87, as smbd answers the same
// (measured against 4.17.12), and the connection goes on.
func TestMalformedBodies(t *testing.T) {
	r := listen(t, nil)
	c := r.call(t)
	bodies := []struct{ command, body, comment string }{
		{"d0", "", "no body"},
		{"d0", "00 0d00 044100 044200 010500 6869", "a text shorter than it says"},
		{"d0", "00 0b00 044100 044200 070200 6869", "a text of another format"},
		{"d0", "00 0600 044100 044200", "no text"},
		{"d0", "00 0500 044100 0442", "a name without its end"},
		{"d0", "01 0000 0600 044100 044200", "a word too many"},
		{"d5", "00 0600 074100 044200", "a name of another format"},
		{"d5", "00 0300 044100", "one name"},
		{"d5", "00 ffff 044100 044200", "a ByteCount past the end"},
		{"d5", "01 0000 0600 044100 044200", "a word too many"},
		{"d7", "00 0500 010200 6869", "no group"},
		{"d7", "01 0000 0500 010500 6869", "a text shorter than it says"},
		{"d7", "01 0000 0000", "no text"},
		{"d6", "00 0000", "no group"},
		{"d6", "02 0000 0000 0000", "a word too many"},
		{"d6", "01 00", "half a group"},
	}
	for _, tt := range bodies {
		t.Log(tt.comment)
		c.send(packet("ff534d42", tt.command, strings.Repeat("00", 27), tt.body))
		c.expect(answer(smb.Command(unhex(tt.command)[0]), invalidParameter))
	}
	c.deliver("still here")
	r.texts(t, "still here")
	c.nc.Close()
	r.counted(t, map[string]int64{"connections": 1, "messages": 1, "malformed": int64(len(bodies))})
}

// A message with a block that was refused is not delivered without it.
func TestNoMessageWithAHole(t *testing.T) {
	r := listen(t, nil)
	c := r.call(t)
	c.send(begin("ALICE", "LEGACY"), block(1, "pay "))
	c.expect(started(1), answer(0xD7, success))
	c.send(packet("ff534d42 d7", strings.Repeat("00", 27), "01 0100 0700 010500 6e6f7420"))
	c.expect(answer(0xD7, invalidParameter))
	c.send(block(1, "Bob"), end(1))
	c.expect(answer(0xD7, invalidParameter), answer(0xD6, invalidParameter))
	r.texts(t)
}

// Bytes behind ByteCount, up to the end of the packet, are padding.
func TestPaddedBodies(t *testing.T) {
	r := listen(t, nil)
	c := r.call(t)
	c.send(packet("ff534d42 d0", strings.Repeat("00", 27), "00 0b00 044100 044200 010200 6869 00000000"))
	c.expect(answer(0xD0, success))
	r.texts(t, "hi")
}

// A connection carries any number of messages, in both forms.
func TestManyMessages(t *testing.T) {
	const n = 500 // of each form
	r := listen(t, nil)
	c := r.call(t)
	var want []string
	var sent, responses [][]byte
	for i := range n {
		sent = append(append(sent, multi("ALICE", "LEGACY", "multi-block ", fmt.Sprint(i))...), single("ALICE", "LEGACY", fmt.Sprint("single ", i)))
		want = append(want, fmt.Sprint("multi-block ", i), fmt.Sprint("single ", i))
		responses = append(append(responses, yes(uint16(i+1), 2)...), answer(0xD0, success))
	}
	go c.nc.Write(bytes.Join(sent, nil))
	c.expect(responses...)
	r.texts(t, want...)
	c.nc.Close()
	r.counted(t, map[string]int64{"connections": 1, "messages": 2 * n})
}
