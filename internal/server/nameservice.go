package server

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/internal/api"
	"github.com/messngr/messngr/internal/names"
	"github.com/messngr/messngr/internal/resolver"
	"github.com/messngr/messngr/internal/wins"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbns"
)

// A nameService is what is behind the door of [names]: the node, and the name
// server where there is one.
type nameService struct {
	*names.Node
	wins    *wins.Server // nil: none
	aliases *aliases
	listed  *atomic.Pointer[wins.Server] // where the commands find it
}

// openNames opens the door of [names].
func (s *server) openNames(ctx context.Context) (task, error) {
	c := s.cfg.Names
	svc := &nameService{aliases: s.aliases, listed: &s.wins}
	s.aliases.changing.Lock() // a name that is added now waits for the node, and is claimed by it
	defer s.aliases.changing.Unlock()
	cfg := names.Config{
		Listen: c.Listen, Names: s.aliases.all(),
		NodeType: nodeType(c.NodeType, len(c.Servers) > 0), Servers: c.Servers,
		Timers: names.Timers{Broadcast: c.BroadcastTimeout, Server: c.ServerTimeout},
		Serve:  func(a netip.Addr) bool { return s.check(a) == nil },
		Log:    s.log,
	}
	if s.cfg.WINS.Serve {
		cfg.Handle = func(request nbns.Packet, from netip.AddrPort, now time.Time) (nbns.Packet, bool) {
			return svc.wins.Handle(request, from, now) // it is there before anything is received
		}
	}
	var err error
	if svc.Node, err = names.Listen(ctx, cfg); err != nil {
		return nil, err
	}
	if s.cfg.WINS.Serve {
		if svc.wins, err = s.newWINS(ctx, svc.Node); err != nil {
			svc.Close()
			return nil, err
		}
	}
	s.wins.Store(svc.wins)
	s.aliases.attach(svc.Node)
	return svc, nil
}

// nodeType returns the type of the node that the configuration names.
func nodeType(word string, servers bool) names.NodeType {
	switch word {
	case "P":
		return names.P
	case "M":
		return names.M
	case "H":
		return names.H
	case "":
		if servers {
			return names.H
		}
	}
	return names.B
}

// newWINS returns the name server, which speaks through the node's socket.
func (s *server) newWINS(ctx context.Context, node *names.Node) (*wins.Server, error) {
	static, err := s.staticNames()
	if err != nil {
		return nil, err
	}
	return wins.New(ctx, wins.Config{
		Store: s.store, Send: node.Send, Ask: node.Ask,
		Own: s.aliases.unique, Local: s.links.own,
		MinTTL: s.cfg.WINS.MinTTL, MaxTTL: s.cfg.WINS.MaxTTL,
		Static: static, Log: s.log,
	})
}

// staticNames returns the names of the file that [wins] static names.
func (s *server) staticNames() ([]messngr.NameRecord, error) {
	path := s.cfg.WINS.Static
	if path == "" {
		return nil, nil
	}
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("the static names of [wins]: %w", err)
	}
	hosts, err := resolver.ReadLMHosts(path)
	if err != nil { // of single lines; the others are good
		s.log.Warn("lines of the static names of [wins] are left out", "error", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	var records []messngr.NameRecord
	for name, addrs := range hosts.All() {
		r := messngr.NameRecord{NameKey: messngr.NameKey{Name: name}, Kind: messngr.UniqueName, State: messngr.NameActive, Static: true}
		var flags nbns.NameFlags
		switch {
		case name.Suffix() == netbios.DomainController:
			r.Kind, flags = messngr.InternetGroup, nbns.Group
		case len(addrs) > 1:
			r.Kind = messngr.MultiHomed
		}
		for _, a := range addrs {
			r.Addrs = append(r.Addrs, messngr.NameAddr{Addr: a, Flags: uint16(flags)})
		}
		records = append(records, r)
	}
	return records, nil
}

// Run runs the node and the name server until ctx is done or one of them fails.
func (n *nameService) Run(ctx context.Context) error {
	defer n.aliases.attach(nil)
	defer n.listed.Store(nil)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return n.Node.Run(ctx) })
	if n.wins != nil {
		g.Go(func() error { return n.wins.Run(ctx) })
	}
	return g.Wait()
}

// Counters returns those of the node and, with wins_ before them, those of the
// name server.
func (n *nameService) Counters() map[string]int64 {
	all := maps.Clone(n.Node.Counters())
	if n.wins != nil {
		for name, v := range n.wins.Counters() {
			all["wins_"+name] = v
		}
	}
	return all
}

// errWINSClosed says that there are no names to list yet.
var errWINSClosed = errors.New("the name server is not open: messngr status says why")

// winsNames goes through the names of the name server.
func (s *server) winsNames() (iter.Seq[api.WINSName], error) {
	server := s.wins.Load()
	switch {
	case !s.cfg.WINS.Serve:
		return nil, api.ErrNoWINS
	case server == nil:
		return nil, errWINSClosed
	}
	return func(yield func(api.WINSName) bool) {
		for r := range server.Records(nil) {
			if !yield(s.winsName(r)) {
				return
			}
		}
	}, nil
}

// winsName returns a record in words.
func (s *server) winsName(r messngr.NameRecord) api.WINSName {
	name := netbios.Name(r.Name)
	n := api.WINSName{
		Name: fmt.Sprintf("%s<%02X>", s.cfg.SMB.CodePage.DecodeName([]byte(name.Base())), uint8(name.Suffix())),
		Kind: r.Kind.String(), State: r.State.String(), Static: r.Static, Expires: r.Expires,
	}
	if r.Scope != "" {
		n.Name += "." + netbios.Scope(r.Scope).String()
	}
	if r.Source.IsValid() {
		n.Source = r.Source.String()
	}
	for _, a := range r.Addrs {
		n.Addresses = append(n.Addresses, a.Addr.String())
	}
	return n
}
