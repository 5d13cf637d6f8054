package server

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/internal/rpc"
	"github.com/messngr/messngr/msgsvc"
)

// However many addresses one-way calls seem to come from, a day's quarantine has
// room for so many; it comes back with time.
func TestQuarantineQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := withRPC(t)
		s.cfg.RPC.Quarantine, s.cfg.RPC.QuarantinePerDay = true, 24
		svc := s.newRPCService()
		sent := 0
		kept := func(n int) (kept int) {
			for range n {
				sent++
				stub, err := msgsvc.Send{From: []byte("SPAM"), To: []byte("HOST1"), Text: []byte{'0' + byte(sent/10), '0' + byte(sent%10)}}.AppendBinary(nil, dcerpc.LittleEndian())
				if err != nil {
					t.Fatal(err)
				}
				response, _ := svc.send.Interface().Handle(context.Background(), rpc.Call{
					DataRep: dcerpc.LittleEndian(), Stub: stub, From: netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, byte(sent)}), 1026),
				})
				switch p, err := msgsvc.ParseSendResponse(response, dcerpc.LittleEndian()); {
				case err != nil:
					t.Fatal(err)
				case p.Status == 0:
					kept++
				case p.Status != uint32(messngr.NERRBadReceive):
					t.Errorf("status %d", p.Status)
				}
			}
			return kept
		}
		if n := kept(40); n != 24 {
			t.Errorf("%d of 40 are quarantined", n)
		}
		time.Sleep(5*time.Hour + time.Minute)
		if n := kept(10); n != 5 {
			t.Errorf("%d more after five hours", n)
		}
		time.Sleep(100 * time.Hour)
		if n := kept(40); n != 24 {
			t.Errorf("%d after days", n)
		}
		if got := svc.send.Counters(); got["quarantined"] != 53 || got["quarantine_full"] != 37 || got["not_stored"] != 0 {
			t.Errorf("counted %v", got)
		}
	})
}
