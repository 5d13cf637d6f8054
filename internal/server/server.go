// Package server is the one assembly: it makes the parts of the service from a
// configuration, puts them together and runs them.
//
// Everything inbound passes one door, deliver: the guard admits it, the store
// makes it durable. The store hands what it has committed to the hub, in commit
// order, and the hub to whoever shows it.
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/internal/api"
	"github.com/messngr/messngr/internal/config"
	"github.com/messngr/messngr/internal/guard"
	"github.com/messngr/messngr/internal/hub"
	"github.com/messngr/messngr/internal/listener"
	"github.com/messngr/messngr/internal/neighbours"
	"github.com/messngr/messngr/internal/oem"
	"github.com/messngr/messngr/internal/store"
	"github.com/messngr/messngr/internal/wins"
	"github.com/messngr/messngr/mailslot/browse"
	"github.com/messngr/messngr/netbios"
)

// Options are what the command line says beside the configuration.
type Options struct {
	Version string
	// Program is how the user calls this program: "messngr", or its path.
	Program string
	// Out is where messages are shown, Terminal whether it is a terminal:
	// only then does showing a message count as displayed.
	Out      io.Writer
	Terminal bool
	// Width returns the terminal's columns, which change when its window
	// does. Nil: they are those of the configuration.
	Width func() int
	// Banner is where the service says what is open.
	Banner io.Writer
	Log    *slog.Logger
	// Greet sends a first message through the service.
	Greet bool
}

// A server is the running service.
type server struct {
	cfg   *config.Config
	opt   Options
	log   *slog.Logger
	guard *guard.Guard
	store store.Store
	hub   *hub.Hub
	links *links
	doors []*door

	aliases    *aliases
	wins       atomic.Pointer[wins.Server] // nil while its door is closed, or there is none
	copies     *copies
	pause      *pause
	refusals   refusals
	neighbours neighbours.Table

	started time.Time

	stopping sync.Mutex
	cancel   context.CancelFunc // ends the service
	last     []io.Closer        // who wait for its end
}

// Run runs the service until ctx is done.
func Run(ctx context.Context, cfg *config.Config, opt Options) error {
	s := &server{
		cfg: cfg, opt: opt, log: opt.Log,
		guard: guard.New(cfg.Guard), hub: hub.New(), links: newLinks(), copies: newCopies(copyWindow),
		started: time.Now(),
	}
	ctx, s.cancel = context.WithCancel(ctx)
	defer s.tellStopped()
	var err error
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return fmt.Errorf("cannot make the data directory: %w; name another with --data or MESSNGR_DATA", err)
	}
	s.store, err = store.OpenSQLite(filepath.Join(cfg.Data, "messngr.db"), store.Config{Committed: s.hub.Publish, Log: s.log})
	if err != nil {
		return err
	}
	defer func() {
		if err := s.store.Close(); err != nil {
			s.log.Error("closing the store", "error", err)
		}
	}()
	if s.pause, err = newPause(ctx, s.store); err != nil {
		return err
	}
	if s.aliases, err = newAliases(ctx, cfg, s.store); err != nil {
		return err
	}
	socket, err := api.Listen(cfg.Data)
	if err != nil {
		return err
	}
	stopShowing, err := s.show()
	if err != nil {
		socket.Close()
		return err
	}
	defer stopShowing()
	return s.run(ctx, socket)
}

// run runs the API and every door until ctx is done or the API fails.
func (s *server) run(ctx context.Context, socket net.Listener) error {
	s.doors = s.makeDoors()
	g, ctx := errgroup.WithContext(ctx)
	control := api.New(socket, api.Config{
		Store: s.store, Hub: s.hub, Status: s.status, Post: s.post, Names: s.aliases, Control: s, Neighbours: s.neighbourhood, WINS: s.winsNames, Log: s.log,
	})
	g.Go(func() error { return control.Run(ctx) })
	for _, d := range s.doors {
		g.Go(func() error { d.run(ctx); return nil })
	}
	g.Go(func() error {
		<-control.Ready()
		for _, d := range s.doors {
			select {
			case <-d.tried:
			case <-ctx.Done():
				return nil
			}
		}
		s.banner()
		if s.opt.Greet {
			s.greet(ctx)
		}
		return nil
	})
	return g.Wait()
}

// deliver is the one door: guard, then store. The hub gets the message from
// the store, when it has committed it. The error is messngr.ErrPaused when it is
// held instead.
func (s *server) deliver(ctx context.Context, m *messngr.Message) error {
	if m.Source.Transport != messngr.Local {
		if err := s.check(m.Source.Addr.Addr()); err != nil {
			return err
		}
	}
	err := s.storeOnce(ctx, m)
	if err != nil && !errors.Is(err, messngr.ErrPaused) {
		s.log.Error("a message was not stored; its sender was told", "from", m.From, "to", m.To, "source", m.Source.Addr, "error", err)
	}
	return err
}

// check asks the guard about a source.
func (s *server) check(addr netip.Addr) error {
	err := s.guard.Check(addr, s.links.networks())
	if err != nil {
		s.refusals.tell(s.log, err, time.Now())
	}
	return err
}

// post delivers a draft that came through the API.
func (s *server) post(ctx context.Context, d api.Draft) (messngr.ID, error) {
	return s.postAs(ctx, d, messngr.Authenticated)
}

// inject delivers a draft that another user of this host handed over: it says
// of itself what it likes.
func (s *server) inject(ctx context.Context, d api.Draft) (messngr.ID, error) {
	return s.postAs(ctx, d, messngr.Claimed)
}

func (s *server) postAs(ctx context.Context, d api.Draft, provenance messngr.Provenance) (messngr.ID, error) {
	now := time.Now()
	m := &messngr.Message{
		ID:   messngr.NewID(now),
		From: oneLine(d.From), To: oneLine(d.To), Text: oem.Clean(d.Text),
		Priority: messngr.Normal, Sent: now, Received: now,
		Source:     messngr.Source{Transport: messngr.Local},
		Provenance: provenance,
	}
	if m.To == "" {
		m.To = s.cfg.Name
	}
	switch {
	case m.From == "":
		return messngr.ID{}, fmt.Errorf("%w: \"from\" is empty", api.ErrDraft)
	case len(m.From) > 255 || len(m.To) > 255:
		return messngr.ID{}, fmt.Errorf("%w: a name of more than 255 bytes", api.ErrDraft)
	case len(m.Text) > s.cfg.SMB.MaxText:
		return messngr.ID{}, fmt.Errorf("%w: the text has %d bytes, at most %d are taken", api.ErrDraft, len(m.Text), s.cfg.SMB.MaxText)
	}
	return m.ID, s.deliver(ctx, m)
}

// oneLine returns a name as it may be stored.
func oneLine(s string) string {
	return strings.TrimSpace(strings.ReplaceAll(oem.Clean(s), "\n", " "))
}

// makeDoors returns the doors that the configuration opens.
func (s *server) makeDoors() []*door {
	var doors []*door
	for _, addr := range s.cfg.SMB.Listen {
		doors = append(doors, newDoor("smb", "messages over NetBIOS sessions", "tcp", addr, s.log,
			func(ctx context.Context) (task, error) {
				// No keepalives of TCP: idle_timeout is sooner, and to set
				// them takes four system calls a connection.
				lc := net.ListenConfig{KeepAlive: -1}
				ln, err := lc.Listen(ctx, "tcp", addr)
				if err != nil {
					return nil, err
				}
				return listener.NewSMB(ln, s.smbConfig()), nil
			}))
	}
	for _, addr := range s.cfg.Mailslot.Listen {
		doors = append(doors, newDoor("mailslot", "messages in datagrams", "udp", addr, s.log,
			func(ctx context.Context) (task, error) {
				var lc net.ListenConfig
				pc, err := lc.ListenPacket(ctx, "udp4", addr)
				if err != nil {
					return nil, err
				}
				return listener.NewMailslot(pc.(*net.UDPConn), s.mailslotConfig()), nil
			}))
	}
	if addr := s.cfg.Names.Listen; addr != "" {
		what := "being found by name"
		if s.cfg.WINS.Serve {
			what += ", name server"
		}
		doors = append(doors, newDoor("names", what, "udp", addr, s.log, s.openNames))
	}
	doors = append(doors, s.rpcDoors()...)
	if path := s.cfg.Inject; path != "" {
		doors = append(doors, newDoor("inject", "messages of this computer's users", "unix", path, s.log,
			func(context.Context) (task, error) {
				ln, err := api.ListenInject(path)
				if err != nil {
					return nil, err
				}
				return api.NewInject(ln, s.inject, s.log), nil
			}))
	}
	return doors
}

func (s *server) smbConfig() listener.SMBConfig {
	c := s.cfg.SMB
	return listener.SMBConfig{
		Deliver: s.deliver,
		Check:   s.check,
		Owned:   s.aliases.owned,
		Page: func(addr netip.Addr, from []byte) *oem.Page {
			return s.cfg.Page(addr, c.CodePage, c.CodePage.DecodeName(from))
		},
		MaxConnections: c.MaxConnections, MaxPerSource: c.MaxPerSource,
		MaxText: c.MaxText, MaxHeld: c.MaxUnfinished,
		IdleTimeout: c.IdleTimeout, MessageTimeout: c.MessageTimeout,
		Log: s.log,
	}
}

func (s *server) mailslotConfig() listener.MailslotConfig {
	c := s.cfg.SMB // what a text is bounded by, and its code page, are the same
	page := func(addr netip.Addr, from []byte) *oem.Page {
		return s.cfg.Page(addr, c.CodePage, c.CodePage.DecodeName(from))
	}
	return listener.MailslotConfig{
		Deliver: s.deliverDatagrams,
		Check:   s.check,
		Owned:   s.aliases.reached,
		Page:    page,
		Announced: func(from netip.Addr, to netbios.Name, a browse.Announcement) {
			decode := page(from, a.Name).DecodeName
			s.neighbours.Announced(from, decode([]byte(to.Base())), a, decode, time.Now())
		},
		MaxText: c.MaxText, MaxWaiting: s.cfg.Mailslot.MaxWaiting,
		Log: s.log,
	}
}

// Stop ends the service, and closes last when nothing of it is left.
func (s *server) Stop(last io.Closer) {
	s.stopping.Lock()
	defer s.stopping.Unlock()
	s.last = append(s.last, last)
	s.log.Info("stopped by net stop messenger")
	s.cancel()
}

// tellStopped closes what Stop was given.
func (s *server) tellStopped() {
	s.cancel()
	s.stopping.Lock()
	defer s.stopping.Unlock()
	for _, last := range s.last {
		last.Close()
	}
}

// neighbourhood returns the hosts that have announced themselves.
func (s *server) neighbourhood() []api.Neighbour {
	all := []api.Neighbour{}
	for _, n := range s.neighbours.List(time.Now()) {
		all = append(all, api.Neighbour{
			Name: n.Name, Workgroup: n.Workgroup, Address: n.Addr.String(),
			OS: fmt.Sprintf("%d.%d", n.OSMajor, n.OSMinor), Type: n.Type.String(), Comment: n.Comment, Seen: n.Seen,
		})
	}
	return all
}

// status returns what the service says of itself.
func (s *server) status() api.Status {
	st := api.Status{
		Version: s.opt.Version, PID: os.Getpid(), Started: s.started,
		Data: s.cfg.Data, Computer: s.cfg.Name, Workgroup: s.cfg.Workgroup,
	}
	st.Names = s.aliases.status()
	st.Copies = s.copies.count() + s.pause.held.count() + s.pause.quarantined.count()
	st.Paused = s.pause.on.Load()
	var err error
	if st.Held, st.Quarantined, err = s.store.Withheld(context.Background()); err != nil {
		s.log.Error("it could not be counted how many messages are held", "error", err)
	}
	for _, d := range s.doors {
		st.Listeners = append(st.Listeners, d.status(s.links))
	}
	if !s.cfg.RPC.Enabled {
		st.Listeners = append(st.Listeners, s.rpcOff())
	}
	return st
}
