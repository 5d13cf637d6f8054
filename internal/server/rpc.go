package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/dcerpc/epm"
	"github.com/messngr/messngr/internal/api"
	"github.com/messngr/messngr/internal/guard"
	"github.com/messngr/messngr/internal/listener"
	"github.com/messngr/messngr/internal/oem"
	"github.com/messngr/messngr/internal/rpc"
	"github.com/messngr/messngr/msgsvc"
)

// An rpcService is what is behind the doors of [rpc]. To its callers it is one
// server, at the endpoint mapper's port and at one of its own.
type rpcService struct {
	*server
	guard      *guard.Guard // of [rpc], beside that of [guard]
	interfaces *interfaceSet
	refused    refusals // tells the log of whom these two do not serve

	send          *listener.RPC
	names         *listener.RPCNames
	mapper        *listener.RPCMap
	conversations *rpc.Conversations

	quota quota    // of what is quarantined
	full  refusals // tells the log that there is no more room there

	udp, tcp atomic.Uint32 // the ports of its own; 0 while they are not open
}

// errQuarantineFull is why a one-way call is not quarantined.
var errQuarantineFull = fmt.Errorf("%w for one-way calls: [rpc] quarantine_per_day allows no more for now", listener.ErrQuarantineFull)

// rpcDoors returns the doors of [rpc]; none if it is off.
func (s *server) rpcDoors() []*door {
	c := s.cfg.RPC
	if !c.Enabled {
		return nil
	}
	svc := s.newRPCService()
	host, _, _ := net.SplitHostPort(c.Listen) // it has been checked
	own := net.JoinHostPort(host, strconv.Itoa(int(c.Port)))
	who := c.Guard.String()
	if len(c.Interfaces) > 0 {
		who += " on " + strings.Join(c.Interfaces, ", ")
	}
	oneWay := "; one-way calls are refused"
	if c.Quarantine {
		oneWay = "; one-way calls are quarantined"
	}
	s.log.Info("RPC is turned on", "listen", c.Listen, "for", who+oneWay, "names_for", c.Manage)
	doors := []*door{
		newDoor("rpc", "NetrSendMessage", "udp", own, s.log, svc.openUDP(own, &svc.udp, true)),
		newDoor("rpc_mapper", "NetrSendMessage, endpoint mapper", "udp", c.Listen, s.log, svc.openUDP(c.Listen, new(atomic.Uint32), false)),
		newDoor("rpc_mapper_tcp", "endpoint mapper", "tcp", c.Listen, s.log, svc.openTCP(c.Listen, new(atomic.Uint32), svc.mapper.Interface(), svc.mapper)),
		newDoor("rpc_names", "message names", "tcp", own, s.log, svc.openTCP(own, &svc.tcp, svc.names.Interface(), svc.names)),
	}
	for i, forWhom := range []string{who + oneWay, who + oneWay, who, c.Manage.String()} {
		doors[i].table, doors[i].forWhom, doors[i].reached = "rpc", forWhom, svc.interfaces.hasAddr
	}
	return doors
}

// rpcOff says that [rpc] is off, as one of its doors would.
func (s *server) rpcOff() api.Listener {
	return api.Listener{
		Name: "rpc", What: "NetrSendMessage", Address: s.cfg.RPC.Listen + "/udp",
		Off: true, Remedy: "enabled = true in [rpc] opens it",
	}
}

func (s *server) newRPCService() *rpcService {
	c := s.cfg.RPC
	c.Guard.Option = "[rpc] networks"
	svc := &rpcService{server: s, guard: guard.New(c.Guard), interfaces: newInterfaceSet(c.Interfaces)}
	svc.quota.perDay = c.QuarantinePerDay
	oneWay := rpc.Refuse
	if c.Quarantine {
		oneWay = rpc.Execute
	}
	svc.send = listener.NewRPC(listener.RPCConfig{
		Deliver: s.deliver,
		Quarantine: func(ctx context.Context, m *messngr.Message) error {
			if !svc.quota.take(m.Received) {
				svc.full.tell(s.log, errQuarantineFull, m.Received)
				return errQuarantineFull
			}
			return s.quarantine(ctx, m, "one-way RPC call")
		},
		Reached: svc.reached,
		Page: func(addr netip.Addr, from []byte) *oem.Page {
			return s.cfg.Page(addr, s.cfg.SMB.CodePage, s.cfg.SMB.CodePage.DecodeName(from))
		},
		OneWay: oneWay, MaxText: s.cfg.SMB.MaxText, Log: s.log,
	})
	manage := guard.New(c.Manage)
	svc.names = listener.NewRPCNames(listener.RPCNamesConfig{
		Trusted: func(addr netip.Addr) bool { return s.links.own(addr) || manage.Check(addr, s.links.networks()) == nil },
		Names:   svc.messageNames,
		Add: func(ctx context.Context, name string) error {
			_, err := s.aliases.AddAlias(ctx, name)
			return nameError(err)
		},
		Delete: func(ctx context.Context, name string) error { return nameError(s.aliases.DeleteAlias(ctx, name)) },
		Log:    s.log,
	})
	svc.mapper = listener.NewRPCMap(listener.RPCMapConfig{Endpoints: svc.endpoints, Log: s.log})
	svc.conversations = rpc.NewConversations(rpc.Config{
		Interfaces: []rpc.Interface{svc.send.Interface(), svc.mapper.Interface()},
		Check:      svc.check,
	})
	return svc
}

// check asks both guards about a source, and whether it came by an interface
// that is named.
func (s *rpcService) check(source netip.Addr, ifindex int) error {
	if s.links.own(source) {
		return nil
	}
	if err := s.server.check(source); err != nil {
		return err
	}
	err := s.guard.Check(source, s.links.networks())
	switch {
	case err != nil:
	case s.interfaces.has(ifindex):
		return nil
	case ifindex == 0: // only Linux says it
		err = fmt.Errorf("%w: the system does not say by which interface %v came; without [rpc] interfaces it is served", messngr.ErrRefused, source)
	default:
		err = fmt.Errorf("%w: %v did not come by an interface that [rpc] interfaces names", messngr.ErrRefused, source)
	}
	s.refused.tell(s.log, err, time.Now())
	return err
}

// checkConnection is check for a connection, of which the system tells the
// address that was called, and not the interface.
func (s *rpcService) checkConnection(source, local netip.Addr) error {
	if !s.links.own(source) && !s.interfaces.hasAddr(local) {
		err := fmt.Errorf("%w: %v is no address of an interface that [rpc] interfaces names", messngr.ErrRefused, local)
		s.refused.tell(s.log, err, time.Now())
		return err
	}
	return s.check(source, anyInterface)
}

// reached reports whether a message to a name, or to an address, is for us.
func (s *rpcService) reached(to string) bool {
	if addr, err := netip.ParseAddr(to); err == nil {
		return s.links.own(addr)
	}
	return s.aliases.named(to)
}

// messageNames returns the names under which messages are received.
func (s *rpcService) messageNames() []string {
	var all []string
	for _, a := range s.aliases.Aliases() {
		all = append(all, a.Name)
	}
	return all
}

// nameError returns an error of the names as callers are told of it.
func nameError(err error) error {
	if errors.Is(err, api.ErrName) {
		return fmt.Errorf("%w: %w", listener.ErrNoName, err)
	}
	return err
}

// endpoints returns what is in the endpoint map: what is open.
func (s *rpcService) endpoints() []listener.Endpoint {
	const annotation = "Messenger Service"
	var all []listener.Endpoint
	if port := s.udp.Load(); port != 0 {
		all = append(all, listener.Endpoint{Interface: msgsvc.SendInterface(), Protocol: epm.UDP, Port: uint16(port), Annotation: annotation})
	}
	if port := s.tcp.Load(); port != 0 {
		all = append(all, listener.Endpoint{Interface: msgsvc.NameInterface(), Protocol: epm.TCP, Port: uint16(port), Annotation: annotation})
	}
	return all
}

// counting is what counts.
type counting interface{ Counters() map[string]int64 }

// An rpcTask is a server of calls, whose port stands in the endpoint map from
// when it is open until it ends.
type rpcTask struct {
	task
	addr  net.Addr
	port  *atomic.Uint32
	count []counting // beside the task itself
}

// open puts the server's port into the map.
func (t rpcTask) open() rpcTask {
	t.port.Store(uint32(netip.MustParseAddrPort(t.addr.String()).Port()))
	return t
}

// Addr returns where the server is.
func (t rpcTask) Addr() net.Addr { return t.addr }

// Run runs the server until ctx is done or it fails.
func (t rpcTask) Run(ctx context.Context) error {
	defer t.port.Store(0)
	return t.task.Run(ctx)
}

// Counters returns all that counts here.
func (t rpcTask) Counters() map[string]int64 {
	all := t.task.Counters()
	for _, c := range t.count {
		for name, n := range c.Counters() {
			all[name] += n // packets and messages may be refused for one reason
		}
	}
	return all
}

// openUDP returns what opens a door for calls in datagrams. One of these doors
// tells what is counted of all of them.
func (s *rpcService) openUDP(addr string, port *atomic.Uint32, tells bool) func(context.Context) (task, error) {
	return func(ctx context.Context) (task, error) {
		var lc net.ListenConfig
		pc, err := lc.ListenPacket(ctx, "udp4", addr)
		if err != nil {
			return nil, err
		}
		conn := pc.(*net.UDPConn)
		listener.MakeRoom(conn) // the calls of a moment in which this process does not run
		t := rpcTask{task: rpc.NewDatagramServer(conn, s.conversations), addr: conn.LocalAddr(), port: port}
		if tells {
			t.count = []counting{s.conversations, s.send}
		} else {
			t.count = []counting{s.mapper}
		}
		return t.open(), nil
	}
}

// openTCP returns what opens a door for calls of an interface over connections.
func (s *rpcService) openTCP(addr string, port *atomic.Uint32, i rpc.Interface, count counting) func(context.Context) (task, error) {
	return func(ctx context.Context) (task, error) {
		var lc net.ListenConfig
		ln, err := lc.Listen(ctx, "tcp4", addr)
		if err != nil {
			return nil, err
		}
		return rpcTask{
			task: rpc.NewStreamServer(ln, rpc.StreamConfig{
				Interfaces: []rpc.Interface{i}, Check: s.checkConnection,
				MaxConnections: s.cfg.SMB.MaxConnections, MaxPerSource: s.cfg.SMB.MaxPerSource,
				IdleTimeout: s.cfg.SMB.IdleTimeout, Log: s.log,
			}),
			addr: ln.Addr(), port: port, count: []counting{count},
		}.open(), nil
	}
}
