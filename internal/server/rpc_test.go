package server

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/dcerpc/epm"
	"github.com/messngr/messngr/internal/guard"
	"github.com/messngr/messngr/internal/resolver"
	"github.com/messngr/messngr/internal/sender"
	"github.com/messngr/messngr/msgsvc"
)

// withRPC returns a server with [rpc] turned on.
func withRPC(t *testing.T) *server {
	s := newServer(t)
	s.cfg.RPC.Enabled, s.cfg.RPC.Listen = true, "127.0.0.1:0"
	return s
}

// Off, there is no door, and the status says so in a line.
func TestRPCIsOff(t *testing.T) {
	s := newServer(t)
	for _, d := range s.makeDoors() {
		if strings.HasPrefix(d.name, "rpc") {
			t.Errorf("there is a door %s", d.name)
		}
	}
	st := s.status()
	i := len(st.Listeners) - 1
	if i < 0 || st.Listeners[i].Line() != "off    NetrSendMessage (:135/udp): enabled = true in [rpc] opens it" {
		t.Errorf("status says %+v", st.Listeners)
	}
	if got := turnedOn(st.Listeners); len(got) != i {
		t.Errorf("the banner says %+v", got)
	}
}

// On, each of its doors says in one line what is open to whom.
func TestRPCDoors(t *testing.T) {
	s := withRPC(t)
	s.cfg.RPC.Guard = guard.Config{OnlyNetworks: true, Networks: []netip.Prefix{netip.MustParsePrefix("10.77.0.0/24")}}
	s.cfg.RPC.Interfaces = []string{"lo", "eth7"}
	s.cfg.RPC.Quarantine = true
	s.doors = s.rpcDoors()
	ctx, cancel := context.WithCancel(t.Context())
	var ended []chan struct{}
	for _, d := range s.doors {
		done := make(chan struct{})
		ended = append(ended, done)
		go func() { d.run(ctx); close(done) }()
		<-d.tried
	}
	defer func() {
		cancel()
		for _, done := range ended {
			<-done
		}
	}()
	var lines []string
	for _, l := range s.status().Listeners {
		_, port, _ := net.SplitHostPort(strings.TrimSuffix(strings.TrimSuffix(l.Address, "/udp"), "/tcp"))
		if !l.Open || port == "0" {
			t.Errorf("%+v", l)
		}
		lines = append(lines, strings.Replace(l.Line(), port, "N", 1))
	}
	want := []string{
		"open   NetrSendMessage (127.0.0.1:N/udp) on 127.0.0.1 for this computer, 10.77.0.0/24 on lo, eth7; one-way calls are quarantined",
		"open   NetrSendMessage, endpoint mapper (127.0.0.1:N/udp) on 127.0.0.1 for this computer, 10.77.0.0/24 on lo, eth7; one-way calls are quarantined",
		"open   endpoint mapper (127.0.0.1:N/tcp) on 127.0.0.1 for this computer, 10.77.0.0/24 on lo, eth7",
		"open   message names (127.0.0.1:N/tcp) on 127.0.0.1 for this computer",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("status says\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
	// A message comes through it.
	mapper := netip.MustParseAddrPort(strings.TrimSuffix(s.status().Listeners[1].Address, "/udp"))
	out := sender.New(sender.Config{
		Resolver: &resolver.Resolver{}, Computer: "HOST3", Transport: messngr.RPC, MapperPort: mapper.Port(),
		Timeout: 5 * time.Second, MaxText: 4095, Page: s.cfg.SendPage,
	})
	if del := out.Send(t.Context(), sender.Draft{From: "ALICE", To: "127.0.0.1", Text: "hello"}); del.State != messngr.Accepted || del.Addr == mapper {
		t.Errorf("sent: %+v", del)
	}
	if got := s.status().Listeners[0].Counters; got["messages"] != 1 || got["verified"] != 1 || got["calls"] != 2 {
		t.Errorf("counted %v", got)
	}
	if got := s.status().Listeners[1].Counters["maps"]; got != 1 {
		t.Errorf("%d calls of ept_map", got)
	}
}

// The map has what is open, and nothing else.
func TestEndpoints(t *testing.T) {
	svc := withRPC(t).newRPCService()
	if got := svc.endpoints(); len(got) != 0 {
		t.Errorf("nothing is open: %+v", got)
	}
	svc.udp.Store(1026)
	if got := svc.endpoints(); len(got) != 1 || got[0].Interface != msgsvc.SendInterface() || got[0].Protocol != epm.UDP || got[0].Port != 1026 {
		t.Errorf("NetrSendMessage is open: %+v", got)
	}
	svc.udp.Store(0)
	svc.tcp.Store(1027)
	if got := svc.endpoints(); len(got) != 1 || got[0].Interface != msgsvc.NameInterface() || got[0].Protocol != epm.TCP || got[0].Port != 1027 {
		t.Errorf("message names are open: %+v", got)
	}
}

// A source is served that both guards serve and that comes by an interface that
// is named; this computer always is.
func TestRPCCheck(t *testing.T) {
	const eth7 = 4711 // is not there
	all, err := net.Interfaces()
	i := slices.IndexFunc(all, func(i net.Interface) bool { return i.Flags&net.FlagLoopback != 0 })
	if err != nil || i < 0 {
		t.Fatalf("no loopback among %v, %v", all, err)
	}
	lo := all[i]
	network := func(s string) guard.Config {
		return guard.Config{OnlyNetworks: true, Networks: []netip.Prefix{netip.MustParsePrefix(s)}}
	}
	for _, tt := range []struct {
		name       string
		rpc        guard.Config
		interfaces []string
		source     string
		index      int
		served     bool
	}{
		{"on-link", guard.Config{}, nil, "10.77.0.9", eth7, true},
		{"behind a router", guard.Config{}, nil, "10.78.0.9", eth7, false},
		{"named, and not by [guard]", network("10.78.0.0/16"), nil, "10.78.0.9", eth7, false},
		{"named, and on-link", network("10.77.0.0/28"), nil, "10.77.0.9", eth7, true},
		{"not named, and on-link", network("10.77.0.0/28"), nil, "10.77.0.99", eth7, false},
		{"another interface", guard.Config{}, []string{lo.Name}, "10.77.0.9", eth7, false},
		{"the interface", guard.Config{}, []string{lo.Name}, "10.77.0.9", lo.Index, true},
		{"an interface that is not told", guard.Config{}, []string{lo.Name}, "10.77.0.9", 0, false},
		{"an interface that is not told, and none is named", guard.Config{}, nil, "10.77.0.9", 0, true},
		{"this computer", network("192.0.2.0/24"), []string{"eth7"}, "127.0.0.1", lo.Index, true},
		{"this computer by its address", network("192.0.2.0/24"), []string{"eth7"}, "10.77.0.2", lo.Index, true},
	} {
		s := withRPC(t)
		s.cfg.RPC.Guard, s.cfg.RPC.Interfaces = tt.rpc, tt.interfaces
		svc := s.newRPCService()
		if err := svc.check(netip.MustParseAddr(tt.source), tt.index); (err == nil) != tt.served {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	s := withRPC(t)
	s.cfg.RPC.Interfaces = []string{lo.Name}
	svc := s.newRPCService()
	source := netip.MustParseAddr("10.77.0.9")
	if err := svc.checkConnection(source, netip.MustParseAddr("127.0.0.1")); err != nil {
		t.Errorf("a connection to an address of the interface: %v", err)
	}
	if svc.checkConnection(source, netip.MustParseAddr("10.77.0.2")) == nil {
		t.Error("a connection to an address of another interface is served")
	}
}

// The log says who may not call and what would let him, and not that [guard]
// would, which serves him.
func TestRPCRefusalsAreTold(t *testing.T) {
	only := guard.Config{OnlyNetworks: true, Networks: []netip.Prefix{netip.MustParsePrefix("10.78.0.0/16")}}
	for _, tt := range []struct {
		guard      guard.Config
		interfaces []string
		index      int
		want       string
	}{
		{only, nil, 1, "refused: 10.77.0.9 is in none of the networks of [rpc] networks"},
		{guard.Config{}, []string{"eth7"}, 4711, "refused: 10.77.0.9 did not come by an interface that [rpc] interfaces names"},
		{guard.Config{}, []string{"eth7"}, 0, "refused: the system does not say by which interface 10.77.0.9 came; without [rpc] interfaces it is served"},
	} {
		s := withRPC(t)
		var log bytes.Buffer
		s.log = slog.New(slog.NewTextHandler(&log, nil))
		s.cfg.RPC.Guard, s.cfg.RPC.Interfaces = tt.guard, tt.interfaces
		svc := s.newRPCService()
		for range 3 {
			if err := svc.check(netip.MustParseAddr("10.77.0.9"), tt.index); err == nil || err.Error() != tt.want {
				t.Errorf("%v, want %s", err, tt.want)
			}
		}
		if got := log.String(); strings.Count(got, tt.want) != 1 || strings.Count(got, "\n") != 1 {
			t.Errorf("the log has %q, want %s", got, tt.want)
		}
	}
}

// Messages are for our names, in whatever case and cut to 15 characters, and for
// our addresses.
func TestRPCReached(t *testing.T) {
	svc := withRPC(t).newRPCService()
	for to, want := range map[string]bool{
		"HOST1": true, "host1": true, "10.77.0.2": true, "127.0.0.1": true,
		"HOST2": false, "": false, "10.77.0.9": false, "WORKGROUP": false, "*": false, "HOST1           X": true,
	} {
		if got := svc.reached(to); got != want {
			t.Errorf("%q: %v", to, got)
		}
	}
}

// A fakeTask counts.
type fakeTask map[string]int64

func (t fakeTask) Run(context.Context) error  { return nil }
func (t fakeTask) Ready() <-chan struct{}     { return nil }
func (t fakeTask) Counters() map[string]int64 { return maps.Clone(t) }
func (t fakeTask) String() string             { return "fake" }

// What the socket refuses is counted with what the one door refuses, not hidden
// by it.
func TestRPCTaskCounters(t *testing.T) {
	got := rpcTask{
		task:  fakeTask{"datagrams": 9, "refused_source": 5},
		count: []counting{fakeTask{"calls": 4}, fakeTask{"messages": 3, "refused_source": 1}},
	}.Counters()
	if want := map[string]int64{"datagrams": 9, "refused_source": 6, "calls": 4, "messages": 3}; !maps.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
}
