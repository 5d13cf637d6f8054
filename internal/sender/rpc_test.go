package sender

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/dcerpc/epm"
	"github.com/messngr/messngr/dcerpc/ncadg"
	"github.com/messngr/messngr/internal/resolver"
	"github.com/messngr/messngr/internal/rpc"
	"github.com/messngr/messngr/msgsvc"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbss"
	"github.com/messngr/messngr/smb"
)

// A callee is a host on the loopback that serves NetrSendMessage at a port of
// its own, which its endpoint mapper at another one tells.
type callee struct {
	mapper uint16

	mu sync.Mutex
	// What its calls return: see set.
	status   uint32
	fault    dcerpc.Status
	response []byte // instead of the status
	towers   []epm.Tower

	said     []string
	verified bool // all callers were
}

func newCallee(t testing.TB) *callee {
	t.Helper()
	c := &callee{verified: true}
	own := serveCalls(t, rpc.Interface{ID: msgsvc.SendInterface(), Operations: msgsvc.SendOperations, Handle: c.send})
	c.towers = []epm.Tower{{Interface: msgsvc.SendInterface(), Transfer: dcerpc.NDR(), Protocol: epm.UDP, Addr: own}}
	c.mapper = serveCalls(t, rpc.Interface{ID: epm.Interface(), Operations: epm.Operations, Handle: c.find, Idempotent: true}).Port()
	return c
}

// set changes what its calls return.
func (c *callee) set(change func(*callee)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(c)
}

// serveCalls serves an interface until the test ends.
func serveCalls(t testing.TB, i rpc.Interface) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	server := rpc.NewDatagramServer(conn, rpc.NewConversations(rpc.Config{Interfaces: []rpc.Interface{i}}))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

func (c *callee) find(_ context.Context, call rpc.Call) ([]byte, dcerpc.Status) {
	q, err := epm.ParseMapRequest(call.Stub, call.DataRep)
	if err != nil || call.Opnum != epm.OpMap {
		return nil, dcerpc.FaultNDR
	}
	want, err := epm.ParseTower(q.Tower)
	if err != nil || want.Interface != msgsvc.SendInterface() || want.Protocol != epm.UDP || want.Transfer != dcerpc.NDR() {
		return nil, dcerpc.FaultNDR
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p := epm.MapResponse{Max: q.MaxTowers, Status: dcerpc.StatusNotRegistered}
	for _, t := range c.towers {
		octets, _ := t.AppendBinary(nil)
		p.Status, p.Towers = 0, append(p.Towers, octets)
	}
	b, _ := p.AppendBinary(nil, call.DataRep)
	return b, 0
}

func (c *callee) send(_ context.Context, call rpc.Call) ([]byte, dcerpc.Status) {
	q, err := msgsvc.ParseSend(call.Stub, call.DataRep)
	if err != nil {
		return nil, dcerpc.FaultNDR
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.said = append(c.said, fmt.Sprintf("%s to %s: %s", q.From, q.To, q.Text))
	c.verified = c.verified && call.Verified
	if c.fault != 0 || c.response != nil {
		return c.response, c.fault
	}
	b, _ := msgsvc.SendResponse{Status: c.status}.AppendBinary(nil, call.DataRep)
	return b, 0
}

// expect fails the test unless exactly this was said, by callers that answered.
func (c *callee) expect(t testing.TB, want ...string) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if diff := cmp.Diff(want, c.said); diff != "" {
		t.Errorf("said (-want +got):\n%s", diff)
	}
	if !c.verified {
		t.Error("the caller was not asked back")
	}
}

// byRPC makes a sender send by RPC to a callee.
func (c *callee) byRPC(cfg *Config) { cfg.Transport, cfg.MapperPort = messngr.RPC, c.mapper }

// afterSMB makes it do so when no session is to be had.
func (c *callee) afterSMB(cfg *Config) { cfg.Transport, cfg.MapperPort = "", c.mapper }

// closed returns a recipient that nobody can call.
func closed(t testing.TB) *recipient {
	r := newRecipient(t, nil)
	r.ln.Close()
	return r
}

func TestSendByRPC(t *testing.T) {
	c, r := newCallee(t), newRecipient(t, nil)
	d := newSender(t, r, c.byRPC).Send(t.Context(), Draft{"alice", "HOST2", "f\u00fcnf\nzeilen"})
	wantAccepted(t, d)
	if d.Transport != messngr.RPC || d.Addr != c.towers[0].Addr || d.FoundBy == "" || d.CodePage != 850 || d.Called != "" {
		t.Errorf("reported %+v", d)
	}
	c.expect(t, "ALICE to HOST2: f\x81nf\x14zeilen")
	if got := r.calls(t); got != 0 {
		t.Errorf("%d sessions beside the call", got)
	}
	// To an address goes what the person wrote.
	wantAccepted(t, newSender(t, r, c.byRPC).Send(t.Context(), Draft{"ALICE", "127.0.0.1", ""}))
	c.expect(t, "ALICE to HOST2: f\x81nf\x14zeilen", "ALICE to 127.0.0.1: ")
}

// A host of the DNS is called by its label, as over a session, or, if that is no
// NetBIOS name, by its address: host names do not fit in 15 characters, and
// recipients know none of theirs.
func TestRPCToHostNames(t *testing.T) {
	named := func(s string) netbios.Name {
		name, err := netbios.NewName(s, netbios.Messenger)
		if err != nil {
			t.Fatal(err)
		}
		return name
	}
	for host, tt := range map[string]struct {
		name       netbios.Name
		from, want string
	}{
		"host2.long.example.com":             {named("HOST2"), resolver.FromDNS, "HOST2"},
		"a-very-long-label-of-a.example.com": {netbios.SMBServer, resolver.FromDNS, "127.0.0.1"},
		"j.doe":                              {named("J.DOE"), resolver.FromBroadcast, "J.DOE"}, // a user, who was seen
	} {
		c := newCallee(t)
		find := func() (resolver.Found, error) {
			return resolver.Found{Addr: netip.MustParseAddr("127.0.0.1"), Name: tt.name, From: tt.from}, nil
		}
		d := newSender(t, closed(t), c.byRPC).deliver(t.Context(), Draft{"ALICE", host, "x"}, find)
		wantAccepted(t, d)
		c.expect(t, "ALICE to "+tt.want+": x")
		if d.To != host {
			t.Errorf("reported %+v", d)
		}
	}
}

// What recipients return, and what is made of it.
func TestNetrSendMessageStatus(t *testing.T) {
	for status, want := range map[uint32]struct {
		nerr messngr.NERR
		text string
	}{
		5:          {messngr.NERRBadReceive, "access denied (5)"},
		87:         {messngr.NERRBadReceive, "invalid parameter (87)"},
		2136:       {messngr.NERRNetworkError, "general network error"},
		2273:       {messngr.NERRNameNotFound, "answers, but not as HOST2"},
		2281:       {messngr.NERRPausedRemote, "has paused"},
		2282:       {messngr.NERRBadReceive, "sent but not received"},
		2289:       {messngr.NERRTruncated, "truncated"},
		50:         {messngr.NERRBadReceive, "status 0x32"},
		0x00010000: {messngr.NERRBadReceive, "status 0x10000"}, // is no success, though its lower half is
		0x80070005: {messngr.NERRBadReceive, "status 0x80070005"},
	} {
		c := newCallee(t)
		c.set(func(c *callee) { c.status = status })
		wantFailure(t, newSender(t, closed(t), c.byRPC).Send(t.Context(), Draft{"ALICE", "HOST2", "x"}), want.nerr, want.text)
		c.expect(t, "ALICE to HOST2: x")
	}
}

// Whatever a recipient answers, it is a failure in words.
func TestCallsThatFail(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*callee)
		nerr   messngr.NERR
		text   string
	}{
		"fault":          {func(c *callee) { c.fault = dcerpc.FaultNDR }, messngr.NERRBadReceive, "NetrSendMessage"},
		"short response": {func(c *callee) { c.response = []byte{0} }, messngr.NERRNetworkError, "NetrSendMessage response"},
		"nothing mapped": {func(c *callee) { c.towers = nil }, messngr.NERRMsgNotStarted, "no Messenger Service is started there"},
		"mapped to port 0": {func(c *callee) { c.towers[0].Addr = netip.AddrPortFrom(c.towers[0].Addr.Addr(), 0) },
			messngr.NERRMsgNotStarted, "no Messenger Service is started there"},
		"mapped to what is not there": {func(c *callee) { c.towers[0].Addr = netip.AddrPortFrom(c.towers[0].Addr.Addr(), c.mapper) },
			messngr.NERRNetworkError, "did not take the call"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCallee(t)
			c.set(tt.change)
			wantFailure(t, newSender(t, closed(t), c.byRPC).Send(t.Context(), Draft{"ALICE", "HOST2", "x"}), tt.nerr, tt.text)
		})
	}
}

// A mapper cannot send a message to another host.
func TestMapperCannotDivert(t *testing.T) {
	c := newCallee(t)
	c.set(func(c *callee) {
		c.towers[0].Addr = netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), c.towers[0].Addr.Port())
	})
	wantAccepted(t, newSender(t, closed(t), c.byRPC).Send(t.Context(), Draft{"ALICE", "HOST2", "x"}))
	c.expect(t, "ALICE to HOST2: x")
}

// A host without an endpoint mapper is not waited for; one that is silent is,
// for a moment.
func TestNoMapper(t *testing.T) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	port := conn.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	byRPC := func(cfg *Config) {
		cfg.Transport, cfg.MapperPort, cfg.Timeout = messngr.RPC, port, 50*time.Millisecond
	}
	s := newSender(t, closed(t), byRPC)
	wantFailure(t, s.Send(t.Context(), Draft{"ALICE", "HOST2", "x"}), messngr.NERRNameNotFound, fmt.Sprintf("nothing answers on UDP port %d of 127.0.0.1", port))
	conn.Close()
	s = newSender(t, closed(t), func(cfg *Config) { byRPC(cfg); cfg.Timeout = time.Hour })
	wantFailure(t, s.Send(t.Context(), Draft{"ALICE", "HOST2", "x"}), messngr.NERRNameNotFound, fmt.Sprintf("refuses UDP port %d", port))
}

// Where no session is to be had, a message goes by RPC.
func TestRPCAfterSMB(t *testing.T) {
	for name, r := range map[string]*recipient{
		"no connection": closed(t),
		"name refused": newRecipient(t, func(s *session, _ nbss.Packet) {
			s.packet(nbss.NegativeResponse, []byte{byte(nbss.CalledNameNotPresent)})
		}),
		"closed at the start": newRecipient(t, at(smb.SendStartMessage, func(s *session, _ nbss.Packet) { s.Close() })),
		"messages are off":    newRecipient(t, at(smb.SendStartMessage, func(s *session, p nbss.Packet) { s.status(p, smb.ErrNotAccepted) })),
		"unknown command":     newRecipient(t, at(smb.SendStartMessage, func(s *session, p nbss.Packet) { s.status(p, smb.ErrBadCommand) })),
	} {
		t.Run(name, func(t *testing.T) {
			c := newCallee(t)
			d := newSender(t, r, c.afterSMB).Send(t.Context(), Draft{"ALICE", "HOST2", "x"})
			wantAccepted(t, d)
			if d.Transport != messngr.RPC || d.Addr != c.towers[0].Addr {
				t.Errorf("reported %+v", d)
			}
			c.expect(t, "ALICE to HOST2: x")
		})
	}
}

// A recipient that may have the message, or has said that it will not take it,
// gets it no second time.
func TestNoRPCAfterSMB(t *testing.T) {
	closes := func(s *session, _ nbss.Packet) { s.Close() }
	says := func(e smb.Error) func(*session, nbss.Packet) {
		return func(s *session, p nbss.Packet) { s.status(p, e) }
	}
	for name, r := range map[string]*recipient{
		"taken":             newRecipient(t, nil),
		"closed at a text":  newRecipient(t, at(smb.SendTextMessage, closes)),
		"closed at the end": newRecipient(t, at(smb.SendEndMessage, closes)),
		"paused":            newRecipient(t, at(smb.SendStartMessage, says(smb.ErrPaused))),
		"no room":           newRecipient(t, at(smb.SendStartMessage, says(smb.ErrNoRoom))),
		"paused at the end": newRecipient(t, at(smb.SendEndMessage, says(smb.ErrPaused))),
	} {
		t.Run(name, func(t *testing.T) {
			c := newCallee(t)
			d := newSender(t, r, c.afterSMB).Send(t.Context(), Draft{"ALICE", "HOST2", "x"})
			if (d.State == messngr.Accepted) != (name == "taken") || d.Transport != messngr.SMB {
				t.Errorf("reported %+v", d)
			}
			c.expect(t)
		})
	}
}

// When neither way is open, the report says what was wrong with the session, and
// of the call that it did not help.
func TestNeitherSMBNorRPC(t *testing.T) {
	c := newCallee(t)
	c.set(func(c *callee) { c.towers = nil })
	r := closed(t)
	d := newSender(t, r, c.afterSMB).Send(t.Context(), Draft{"ALICE", "HOST2", "x"})
	wantFailure(t, d, messngr.NERRNameNotFound, "refuses TCP port", "; nor by RPC: ", "does not serve NetrSendMessage")
	if d.Transport != messngr.SMB || d.Addr.Port() != r.addr().Port() || d.Called == "" {
		t.Errorf("reported %+v", d)
	}
}

// A call can be interrupted.
func TestRPCInterrupted(t *testing.T) {
	c := newCallee(t)
	ctx, cancel := context.WithCancel(t.Context())
	hang := make(chan struct{})
	defer close(hang)
	own := serveCalls(t, rpc.Interface{ID: msgsvc.SendInterface(), Operations: 1, Handle: func(context.Context, rpc.Call) ([]byte, dcerpc.Status) {
		cancel()
		<-hang
		return nil, dcerpc.FaultUnspecified
	}})
	c.set(func(c *callee) { c.towers[0].Addr = own })
	d := newSender(t, closed(t), c.byRPC).Send(ctx, Draft{"ALICE", "HOST2", "x"})
	wantFailure(t, d, 0, "interrupted")
}

// The call is one that the recipient asks back about before it executes it.
func TestCallIsAtMostOnce(t *testing.T) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := newCallee(t)
	c.set(func(c *callee) { c.towers[0].Addr = conn.LocalAddr().(*net.UDPAddr).AddrPort() })
	ctx, cancel := context.WithCancel(t.Context())
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		newSender(t, closed(t), c.byRPC).Send(ctx, Draft{"ALICE", "HOST2", "x"})
	}()
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	b := make([]byte, 2048)
	n, _, err := conn.ReadFromUDPAddrPort(b)
	cancel()
	<-sent
	if err != nil {
		t.Fatal(err)
	}
	p, err := ncadg.Parse(b[:n])
	if err != nil || p.Type != ncadg.Request || p.Flags1&(ncadg.Idempotent|ncadg.Maybe|ncadg.Broadcast) != 0 ||
		p.Interface != msgsvc.SendInterface() || p.Opnum != msgsvc.OpSend || p.DataRep != dcerpc.LittleEndian() {
		t.Errorf("%+v, %v", p, err)
	}
}

// Of a call that may have been executed it is said so, and it is not tried
// another way; of one that was not taken it is not.
func TestCallFailure(t *testing.T) {
	server := netip.MustParseAddrPort("10.77.0.2:1026")
	for _, tt := range []struct {
		err      error
		maybe    bool
		elsewise bool
	}{
		{fmt.Errorf("x: %w", rpc.ErrNoAnswer), true, false},
		{fmt.Errorf("x: %w", rpc.ErrRestarted), true, false},
		{&rpc.Reject{Server: server, Status: dcerpc.StatusServerTooBusy}, false, true},
		{&rpc.Fault{Server: server, Status: dcerpc.FaultNDR}, false, false},
	} {
		err := callFailure(server, tt.err)
		f := (*failure)(nil)
		if !errors.As(err, &f) || f.unsent != tt.elsewise || strings.Contains(err.Error(), "may have the message or not") != tt.maybe {
			t.Errorf("of %v: %+v, %v", tt.err, f, err)
		}
	}
}
