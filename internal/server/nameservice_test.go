package server

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/internal/api"
	"github.com/messngr/messngr/internal/names"
	"github.com/messngr/messngr/internal/resolver"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbns"
)

func TestNodeType(t *testing.T) {
	for _, tt := range []struct {
		word    string
		servers bool
		want    names.NodeType
	}{
		{"", false, names.B}, {"", true, names.H},
		{"B", true, names.B}, {"P", true, names.P}, {"M", true, names.M}, {"H", true, names.H},
		{"B", false, names.B},
	} {
		if got := nodeType(tt.word, tt.servers); got != tt.want {
			t.Errorf("%q, servers %v: %v, want %v", tt.word, tt.servers, got, tt.want)
		}
	}
}

// withNames changes the server's names to a port of loopback. There is no link
// on it, so that names are owned as soon as they are claimed.
func (s *server) withNames(t *testing.T, text string) {
	t.Helper()
	data := s.cfg.Data
	s.cfg = load(t, data, "[names]\nlisten = '127.0.0.1:1'\n"+text)
	s.cfg.Names.Listen = "127.0.0.1:0"
	var err error
	if s.aliases, err = newAliases(t.Context(), s.cfg, s.store); err != nil {
		t.Fatal(err)
	}
}

// opened opens the door of [names] and runs what is behind it until stop is
// called, or the test ends.
func (s *server) opened(t *testing.T) (svc *nameService, stop func()) {
	t.Helper()
	opened, err := s.openNames(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	svc = opened.(*nameService)
	return svc, s.ran(t, svc)
}

func (s *server) ran(t *testing.T, svc *nameService) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- svc.Run(ctx) }()
	stop = func() {
		if cancel == nil {
			return
		}
		cancel()
		cancel = nil
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	<-svc.Ready()
	await(t, "the node at the aliases", func() bool {
		s.aliases.mu.Lock()
		defer s.aliases.mu.Unlock()
		return s.aliases.node != nil
	})
	return stop
}

// asked returns where a name is, by what the service says to this host; "" if
// it says that nobody has it.
func asked(t *testing.T, svc *nameService, name netbios.Name) string {
	t.Helper()
	r := &resolver.Resolver{Order: []string{resolver.FromWINS}, Servers: []netip.AddrPort{svc.Addr()}, ServerRetry: 5 * time.Second}
	found, err := r.Resolve(t.Context(), name, "")
	if nobody := (*resolver.NotFoundError)(nil); errors.As(err, &nobody) && !strings.Contains(err.Error(), "(") {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return found.Addr.String()
}

// TestNameOnTheWire: a name that is added is answered for at once, and one that
// is deleted is not any more.
func TestNameOnTheWire(t *testing.T) {
	s := newServer(t)
	s.withNames(t, "[wins]\nserve = true\n")
	if _, err := s.aliases.AddAlias(t.Context(), "BEFORE"); err != nil {
		t.Fatal(err)
	}
	svc, stop := s.opened(t)
	before, alice := mustName(t, "BEFORE", netbios.Messenger), mustName(t, "ALICE", netbios.Messenger)
	if got := asked(t, svc, alice); got != "" {
		t.Errorf("before it is added ALICE is at %s", got)
	}
	added, err := s.aliases.AddAlias(t.Context(), "alice")
	if err != nil || added.Warning != "" {
		t.Errorf("%+v, %v", added, err)
	}
	for _, name := range []netbios.Name{before, alice, mustName(t, "HOST1", netbios.Workstation)} {
		if got := asked(t, svc, name); got != "127.0.0.1" {
			t.Errorf("%s is at %q", name, got)
		}
	}
	if err := s.aliases.DeleteAlias(t.Context(), "ALICE"); err != nil {
		t.Error(err)
	}
	if got := asked(t, svc, alice); got != "" {
		t.Errorf("after it was deleted ALICE is at %s", got)
	}
	// What cannot be kept is not claimed.
	s.aliases.store = failing{Store: s.store, err: messngr.ErrNoRoom}
	if _, err := s.aliases.AddAlias(t.Context(), "ALICE"); !errors.Is(err, messngr.ErrNoRoom) {
		t.Errorf("%v", err)
	}
	if got := asked(t, svc, alice); got != "" {
		t.Errorf("ALICE, which is not kept, is at %s", got)
	}

	c := svc.Counters()
	if c["queries"] == 0 || c["answered"] == 0 || c["wins_queries_not_found"] == 0 {
		t.Errorf("counters: %v", c)
	}
	stop()
	if got, err := s.aliases.AddAlias(t.Context(), "LATER"); err == nil || got.Warning != "" {
		// The store fails still: nothing is added while the door is closed.
		t.Errorf("%+v, %v", got, err)
	}
	for _, a := range s.aliases.Aliases() {
		if a.Warning == "" {
			t.Errorf("the door is closed, and nothing is said of it: %+v", a)
		}
	}
}

// TestNameWhileOpening: a name that is added between the opening of the door and
// the first claims is claimed too.
func TestNameWhileOpening(t *testing.T) {
	s := newServer(t)
	s.withNames(t, "[wins]\nserve = true\n")
	opened, err := s.openNames(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.aliases.AddAlias(t.Context(), "ALICE"); err != nil {
		t.Error(err)
	}
	svc := opened.(*nameService)
	s.ran(t, svc)
	if got := asked(t, svc, mustName(t, "ALICE", netbios.Messenger)); got != "127.0.0.1" {
		t.Errorf("ALICE is at %q", got)
	}
}

// TestOpenNamesTwice: when a door is opened again, the port is free, and all
// names are there, those that came meanwhile too.
func TestOpenNamesTwice(t *testing.T) {
	s := newServer(t)
	s.withNames(t, "[wins]\nserve = true\n")
	svc, stop := s.opened(t)
	s.cfg.Names.Listen = svc.Addr().String()
	if _, err := s.openNames(t.Context()); err == nil {
		t.Error("the port is open twice")
	}
	stop()
	if _, err := s.aliases.AddAlias(t.Context(), "ALICE"); err != nil {
		t.Error(err)
	}
	svc, _ = s.opened(t)
	if got := asked(t, svc, mustName(t, "ALICE", netbios.Messenger)); got != "127.0.0.1" {
		t.Errorf("ALICE is at %q", got)
	}
}

// TestStaticNames: a file in the form of LMHOSTS is what the name server has
// always.
func TestStaticNames(t *testing.T) {
	s := newServer(t)
	file := filepath.Join(t.TempDir(), "static")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("10.77.0.4 HOST4#20\n10.77.0.5 HOST5#03 #MH\n10.77.1.5 HOST5#03 #MH\n10.77.0.6 SALES#1C\n10.77.0.7 SALES#1C\n")
	s.cfg.WINS.Static = file
	records, err := s.staticNames()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, r := range records {
		text := r.Kind.String()
		for _, a := range r.Addrs {
			text += " " + a.Addr.String()
			if a.Flags&uint16(nbns.Group) != 0 {
				text += "(group)"
			}
		}
		if !r.Static || r.State != messngr.NameActive {
			t.Errorf("%+v", r)
		}
		got[netbios.Name(r.Name).String()] = text
	}
	if diff := cmp.Diff(map[string]string{
		"HOST4<20>": "unique 10.77.0.4",
		"HOST5<03>": "multi-homed 10.77.0.5 10.77.1.5",
		"SALES<1C>": "internet group 10.77.0.6(group) 10.77.0.7(group)",
	}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	// A bad line is said, in one line; the others count.
	var log bytes.Buffer
	s.log = slog.New(slog.NewTextHandler(&log, nil))
	write("nonsense\n10.77.0.8 HOST8 #PRE\nmore nonsense\n")
	if got, err := s.staticNames(); err != nil || len(got) == 0 {
		t.Errorf("beside bad lines: %v, %v", got, err)
	}
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "static names of [wins]") || !strings.Contains(got, file+":1: ") || !strings.Contains(got, file+":3: ") {
		t.Errorf("bad lines: %s", got)
	}
	// Who names a file wants it: a slip in its path is not the same as no file.
	s.cfg.WINS.Static = file + ".missing"
	if _, err := s.staticNames(); err == nil || !strings.Contains(err.Error(), s.cfg.WINS.Static) {
		t.Errorf("a file that is not there: %v", err)
	}
	s.cfg.WINS.Static = ""
	if got, err := s.staticNames(); err != nil || got != nil {
		t.Errorf("none: %v, %v", got, err)
	}
}

// TestStaticNamesServed: the name server gives them out, to everybody it serves.
func TestStaticNamesServed(t *testing.T) {
	s := newServer(t)
	file := filepath.Join(t.TempDir(), "static")
	if err := os.WriteFile(file, []byte("10.77.0.4 HOST4\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.withNames(t, "[wins]\nserve = true\nstatic = '"+file+"'\n")
	svc, _ := s.opened(t)
	for suffix, want := range map[netbios.Suffix]string{netbios.Workstation: "10.77.0.4", netbios.Messenger: "10.77.0.4", netbios.FileServer: "10.77.0.4", netbios.DomainMaster: ""} {
		if got := asked(t, svc, mustName(t, "HOST4", suffix)); got != want {
			t.Errorf("HOST4<%02X> is at %q, want %q", uint8(suffix), got, want)
		}
	}
}

// TestNamesOverAPI: the numbers reach who asked over the socket, and the names
// are there after a restart.
func TestNamesOverAPI(t *testing.T) {
	data := t.TempDir()
	text := "smb.listen = []\nmailslot.listen = []\naliases = ['UPS']\n[names]\nlisten = ''\n"
	for round, want := range []string{"HOST1, UPS", "HOST1, UPS, ALICE"} {
		cfg := load(t, data, text)
		var banner syncBuffer
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			done <- Run(ctx, cfg, Options{Version: "1.2", Program: "messngr", Out: &syncBuffer{}, Banner: &banner, Log: slog.New(slog.DiscardHandler)})
		}()
		await(t, "the banner", func() bool { return strings.HasSuffix(banner.String(), "Ctrl-C ends it.\n") })
		client := api.NewClient(data)
		all, err := client.Aliases(ctx)
		var got []string
		for _, a := range all {
			got = append(got, a.Name)
		}
		if err != nil || strings.Join(got, ", ") != want {
			t.Errorf("round %d: %v, %v", round, got, err)
		}
		if round == 0 {
			if a, err := client.AddAlias(ctx, "alice"); err != nil || a.Name != "ALICE" {
				t.Errorf("%+v, %v", a, err)
			}
		}
		for _, tt := range []struct {
			do     func() error
			number messngr.NERR
		}{
			{func() error { _, err := client.AddAlias(ctx, "Alice"); return err }, messngr.NERRAlreadyExists},
			{func() error { return client.DeleteAlias(ctx, "host1") }, messngr.NERRDelComputerName},
			{func() error { return client.DeleteAlias(ctx, "nobody") }, messngr.NERRNotLocalName},
			{func() error { return client.DeleteAlias(ctx, "ups") }, 0},
			{func() error { _, err := client.AddAlias(ctx, ""); return err }, 0},
		} {
			var p *api.Problem
			if err := tt.do(); !errors.As(err, &p) || p.NERR != tt.number || p.Text == "" {
				t.Errorf("%v, want %d", err, tt.number)
			}
		}
		st, err := client.Status(ctx)
		if err != nil || len(st.Names) != 5 || st.Names[4].Name != "ALICE<03>" {
			t.Errorf("status: %+v, %v", st.Names, err)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
