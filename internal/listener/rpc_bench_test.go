package listener

import (
	"strings"
	"testing"

	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/dcerpc/ncadg"
	"github.com/messngr/messngr/msgsvc"
)

// BenchmarkParseCall reads what a call is: the packet and the three strings in
// it, a text of 100 bytes.
func BenchmarkParseCall(b *testing.B) {
	stub, err := msgsvc.Send{From: []byte("ALICE"), To: []byte("HOST2"), Text: []byte(strings.Repeat("x", 100))}.AppendBinary(nil, dcerpc.LittleEndian())
	if err != nil {
		b.Fatal(err)
	}
	packet, err := ncadg.Packet{DataRep: dcerpc.LittleEndian(), Interface: msgsvc.SendInterface(), Body: stub}.AppendBinary(nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		p, err := ncadg.Parse(packet)
		if err != nil {
			b.Fatal(err)
		}
		if m, err := msgsvc.ParseSend(p.Body, p.DataRep); err != nil || len(m.Text) != 100 {
			b.Fatal(m, err)
		}
	}
}
