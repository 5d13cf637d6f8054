//go:build linux

package lab

import (
	"encoding/binary"
	"net"
	"strings"
	"testing"
)

// query is a name query for HOST2<03>, as in RFC 1002 4.2.12.
const query = "\x12\x34\x01\x10\x00\x01\x00\x00\x00\x00\x00\x00" +
	"\x20EIEPFDFEDCCACACACACACACACACACAAD\x00\x00\x20\x00\x01"

// text is an SMB_COM_SEND_MESSAGE request from A to B: [MS-MSRP] 2.2.3.
const text = "\xFFSMB\xD0" + "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" + "\x00" + "\x0B\x00\x04A\x00\x04B\x00\x01\x02\x00hi"

// frame puts a session message header before a message: RFC 1002 4.3.1.
func frame(message string, length int) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(length))) + message
}

func TestCheckClean(t *testing.T) {
	t.Parallel()
	lan := NewLAN(t)
	h2, h3 := lan.Host(t, 2, "HOST2"), lan.Host(t, 3, "HOST3")
	var server net.Listener
	h2.Do(t, func() (err error) {
		server, err = net.Listen("tcp", ":139")
		return err
	})
	t.Cleanup(func() { server.Close() })

	for _, tt := range []struct {
		name, network, address, packet string
		want                           string // in the complaint; "" if there is to be none
	}{
		{"query", "udp", ":137", query, ""},
		{"query without its class", "udp", ":137", query[:len(query)-2], "Malformed Packet"},
		{"query cut in the name", "udp", ":137", query[:20], "Malformed Packet"},
		{"query cut in the header", "udp", ":137", query[:7], "Malformed Packet"},
		{"text", "tcp", ":139", frame(text, len(text)), ""},
		{"two texts in a segment", "tcp", ":139", frame(text, len(text)) + frame(text, len(text)), ""},
		{"text shorter than its frame", "tcp", ":139", frame(text, len(text)+1), "shorter than its length"},
		{"text longer than its frame", "tcp", ":139", frame(text+"????", len(text)), "shorter than its length"},
		{"text without a frame", "tcp", ":139", text, "does not begin where"},
		{"text with bytes past its end", "tcp", ":139", frame(text[:len(text)-2], len(text)-2), "message of 44 bytes holds an SMB message of 46"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			capture := h3.Capture(t)
			conn := h3.Dial(t, tt.network, h2.Addr.String()+tt.address)
			if _, err := conn.Write([]byte(tt.packet)); err != nil {
				t.Fatal(err)
			}
			capture.Wait(t, "ip.src == 10.77.0.3 && (nbns || tcp.len > 0)", 1)
			v := try(t, func(t testing.TB) { capture.CheckClean(t, "ip.src == 10.77.0.3") })
			if tt.want == "" && len(v.errors) > 0 || tt.want != "" && !strings.Contains(strings.Join(v.errors, "\n"), tt.want) {
				t.Errorf("complaints %q, want %q", v.errors, tt.want)
			}
		})
	}
}
