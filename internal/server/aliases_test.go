package server

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/internal/api"
	"github.com/messngr/messngr/internal/config"
	network "github.com/messngr/messngr/internal/links"
	"github.com/messngr/messngr/internal/names"
	"github.com/messngr/messngr/internal/store"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbns"
)

// load returns a configuration of HOST1 with text in it.
func load(t *testing.T, data, text string) *config.Config {
	t.Helper()
	file := filepath.Join(t.TempDir(), "messngr.toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(config.Options{File: file, Name: "HOST1", Data: data})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func mustName(t *testing.T, base string, suffix netbios.Suffix) netbios.Name {
	t.Helper()
	name, err := netbios.NewName(base, suffix)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// known returns the names and where they are from, such as "HOST1 computer".
func known(a *aliases) string {
	var all []string
	for _, alias := range a.Aliases() {
		all = append(all, alias.Name+" "+alias.Origin)
	}
	return strings.Join(all, ", ")
}

// TestAliasesKept: what was added is there again when the service is, in the
// order in which it came; what the configuration has by then is of the
// configuration.
func TestAliasesKept(t *testing.T) {
	data := t.TempDir()
	open := func(text string) (*aliases, func()) {
		t.Helper()
		st, err := store.OpenSQLite(filepath.Join(data, "messngr.db"), store.Config{})
		if err != nil {
			t.Fatal(err)
		}
		a, err := newAliases(t.Context(), load(t, data, text), st)
		if err != nil {
			t.Fatal(err)
		}
		return a, func() {
			if err := st.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	a, end := open("aliases = ['UPS']")
	for _, name := range []string{"zoe", "bob", "müller"} {
		if _, err := a.AddAlias(t.Context(), name); err != nil {
			t.Error(err)
		}
	}
	if err := a.DeleteAlias(t.Context(), "BOB"); err != nil {
		t.Error(err)
	}
	if _, err := a.AddAlias(t.Context(), "ann"); err != nil {
		t.Error(err)
	}
	end()
	for _, tt := range []struct{ config, want string }{
		{"aliases = ['UPS']", "HOST1 computer, UPS configuration, ZOE command, MÜLLER command, ANN command"},
		{"aliases = ['ann']", "HOST1 computer, ANN configuration, ZOE command, MÜLLER command"},
		{"names.extra = ['ZOE#03']", "HOST1 computer, MÜLLER command, ANN command"},
		{"[smb]\ncode_page = 866", "HOST1 computer, ZOE command, ANN command"}, // which has no Ü
		{"", "HOST1 computer, ZOE command, MÜLLER command, ANN command"},
	} {
		a, end := open(tt.config)
		if got := known(a); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.config, got, tt.want)
		}
		var own []string
		for _, o := range a.all() {
			own = append(own, o.Name.String())
		}
		slices.Sort(own)
		if all := slices.Compact(slices.Clone(own)); len(all) != len(own) || !slices.Contains(all, "ZOE<03>") {
			t.Errorf("%s: a name is there twice, or ZOE is not: %v", tt.config, own)
		}
		end()
	}
}

// TestAliasesRefuse: each refusal has the number that Windows has for it, and
// changes nothing.
func TestAliasesRefuse(t *testing.T) {
	data := t.TempDir()
	a, err := newAliases(t.Context(), load(t, data, "aliases = ['UPS']\nnames.extra = ['EXTRA#03', 'FILES#20']"), store.NewMemory(store.Config{}))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := a.AddAlias(t.Context(), " alice "); err != nil || got.Name != "ALICE" || got.Origin != api.OfCommand || got.Warning == "" {
		t.Fatalf("%+v, %v", got, err)
	}
	before := known(a)
	for _, tt := range []struct {
		name   string
		remove bool
		number messngr.NERR // 0: an api.ErrName
		says   string
	}{
		{"Alice", false, messngr.NERRAlreadyExists, "ALICE"},
		{"host1", false, messngr.NERRAlreadyExists, "HOST1"},
		{"UPS", false, messngr.NERRAlreadyExists, "UPS"},
		{"EXTRA", false, messngr.NERRAlreadyExists, "EXTRA"},
		{"", false, 0, "empty"},
		{"A*B", false, 0, "a name has none of"},
		{"ABCDEFGHIJKLMNOP", false, 0, "at most 15 fit"},
		{"\x1b", false, 0, "cannot be part of a name"},
		{"Host1", true, messngr.NERRDelComputerName, "HOST1 is the computer name"},
		{"ups", true, 0, "UPS stands in the configuration"},
		{"nobody", true, messngr.NERRNotLocalName, "NOBODY"},
		{"WORKGROUP", true, messngr.NERRNotLocalName, "WORKGROUP"},
		{"EXTRA", true, messngr.NERRNotLocalName, "EXTRA"},
		{"FILES", true, messngr.NERRNotLocalName, "FILES"},
		{"", true, 0, "empty"},
	} {
		var err error
		if tt.remove {
			err = a.DeleteAlias(t.Context(), tt.name)
		} else {
			_, err = a.AddAlias(t.Context(), tt.name)
		}
		var number messngr.NERR
		if !errors.As(err, &number) && !errors.Is(err, api.ErrName) || number != tt.number || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%q, delete %v: %v (%d), want %d about %s", tt.name, tt.remove, err, number, tt.number, tt.says)
		}
	}
	if got := known(a); got != before {
		t.Errorf("%s, before it was %s", got, before)
	}
}

// TestAliasesFull: as many names as fit in a node status.
func TestAliasesFull(t *testing.T) {
	a := newServer(t).aliases
	for i := range maxAdded {
		if _, err := a.AddAlias(t.Context(), fmt.Sprintf("NAME%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.AddAlias(t.Context(), "ONE MORE"); !errors.Is(err, messngr.NERRTooManyNames) {
		t.Errorf("%v", err)
	}
	if err := a.DeleteAlias(t.Context(), "NAME3"); err != nil {
		t.Error(err)
	}
	if _, err := a.AddAlias(t.Context(), "ONE MORE"); err != nil {
		t.Error(err)
	}
}

// TestAliasTaken: the error of a name that another host has carries the number
// 2297, and says whose it is.
func TestAliasTaken(t *testing.T) {
	a := newServer(t).aliases
	own := names.Own{Name: mustName(t, "ALICE", netbios.Messenger)}
	taken := &names.TakenError{
		Name: own.Name, Link: network.Link{Name: "eth0"},
		Holder: names.Holder{Addr: netip.MustParseAddr("10.77.0.9")},
	}
	err := a.refused(t.Context(), own, fmt.Errorf("claimed: %w", taken))
	if !errors.Is(err, messngr.NERRDuplicateName) || !strings.Contains(err.Error(), "ALICE<03> belongs to 10.77.0.9 on eth0") {
		t.Errorf("%v", err)
	}
	if err := a.refused(t.Context(), own, context.Canceled); err != context.Canceled {
		t.Errorf("%v", err)
	}
}

// A failing store does not take names.
type failing struct {
	store.Store
	err  error
	wait chan struct{} // if not nil, until it is closed
}

func (f failing) AddName(ctx context.Context, name string) error {
	if f.wait != nil {
		<-f.wait
	}
	if f.err != nil {
		return f.err
	}
	return f.Store.AddName(ctx, name)
}

func (f failing) DeleteName(ctx context.Context, name string) error {
	if f.err != nil {
		return f.err
	}
	return f.Store.DeleteName(ctx, name)
}

// TestAliasNotStored: a name that cannot be kept is not claimed either, and one
// that cannot be forgotten stays.
func TestAliasNotStored(t *testing.T) {
	s := newServer(t)
	a := s.aliases
	if _, err := a.AddAlias(t.Context(), "ALICE"); err != nil {
		t.Fatal(err)
	}
	a.store = failing{Store: s.store, err: messngr.ErrNoRoom}
	if _, err := a.AddAlias(t.Context(), "BOB"); !errors.Is(err, messngr.ErrNoRoom) || !strings.Contains(err.Error(), "BOB was not added") {
		t.Errorf("%v", err)
	}
	if err := a.DeleteAlias(t.Context(), "ALICE"); !errors.Is(err, messngr.ErrNoRoom) || !strings.Contains(err.Error(), "ALICE was not deleted") {
		t.Errorf("%v", err)
	}
	if got := known(a); got != "HOST1 computer, ALICE command" {
		t.Error(got)
	}
}

// TestStatusMeanwhile: who asks for the status does not wait until a name has
// been claimed and stored, which takes seconds when a name server is silent.
func TestStatusMeanwhile(t *testing.T) {
	s := newServer(t)
	wait := make(chan struct{})
	s.aliases.store = failing{Store: s.store, wait: wait}
	added := make(chan error)
	go func() {
		_, err := s.aliases.AddAlias(t.Context(), "ALICE")
		added <- err
	}()
	said := make(chan api.Status)
	go func() {
		time.Sleep(20 * time.Millisecond) // until the name is being added
		said <- s.status()
	}()
	var early bool
	select {
	case <-said:
		early = true
	case <-time.After(time.Second):
		t.Error("the status waits for a name that is being added")
	}
	close(wait)
	if err := <-added; err != nil {
		t.Error(err)
	}
	if !early {
		<-said
	}
}

// TestAliasOwned: a name that was added is one that a session may be called by,
// until it is deleted.
func TestAliasOwned(t *testing.T) {
	a := newServer(t).aliases
	if _, err := a.AddAlias(t.Context(), "ALICE"); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		base   string
		suffix netbios.Suffix
		want   bool
	}{
		{"HOST1", netbios.Messenger, true},
		{"HOST1", netbios.Workstation, true},
		{"HOST1", netbios.OldMessenger, true},
		{"HOST1", netbios.FileServer, true},
		{"HOST1", netbios.DomainController, false},
		{"ALICE", netbios.Messenger, true},
		{"*SMBSERVER", netbios.FileServer, true},
		{"WORKGROUP", netbios.Workstation, false},
		{"WORKGROUP", netbios.Messenger, false},
		{"HOST2", netbios.Messenger, false},
		{"ALIC", netbios.Messenger, false},
	} {
		if got := a.owned(mustName(t, tt.base, tt.suffix)); got != tt.want {
			t.Errorf("%s<%02X>: %v", tt.base, uint8(tt.suffix), got)
		}
	}
	for name, want := range map[netbios.Name]bool{
		mustName(t, "ALICE", netbios.Messenger):       true,
		mustName(t, "ALICE", netbios.Workstation):     false,
		mustName(t, "WORKGROUP", netbios.Workstation): false, // a group
	} {
		if got := a.unique(name); got != want {
			t.Errorf("unique %s: %v", name, got)
		}
	}
	if err := a.DeleteAlias(t.Context(), "ALICE"); err != nil {
		t.Error(err)
	}
	if a.owned(mustName(t, "ALICE", netbios.Messenger)) {
		t.Error("ALICE can be called after it was deleted")
	}
}

// TestNameState: what the status says of a claim.
func TestNameState(t *testing.T) {
	link := network.Link{Name: "eth0", Addr: netip.MustParseAddr("10.77.0.2")}
	server, other := netip.MustParseAddr("10.77.0.9"), netip.MustParseAddr("10.77.0.3")
	held := names.Holder{Addr: other}
	for _, tt := range []struct {
		state names.State
		want  string
	}{
		{names.State{Stage: names.Claiming}, "claiming on eth0 (10.77.0.2)"},
		{names.State{Stage: names.Owned}, "owned on eth0 (10.77.0.2)"},
		{names.State{Stage: names.Owned, Server: server}, "owned on eth0 (10.77.0.2), granted by 10.77.0.9"},
		{names.State{Stage: names.Conflict, Holder: held}, "conflict on eth0 (10.77.0.2): 10.77.0.3 has it"},
		{names.State{Stage: names.Conflict, Holder: names.Holder{
			Addr: other, Names: []nbns.NodeName{{Name: netbios.Name([]byte("HOST3          \x00"))}}, Hardware: [6]byte{2, 0, 0, 0, 0, 3},
		}}, "conflict on eth0 (10.77.0.2): 10.77.0.3 has it (HOST3<00>, 02:00:00:00:00:03)"},
		{names.State{Stage: names.Conflict}, "conflict on eth0 (10.77.0.2)"},
		{names.State{Stage: names.Released}, "released on eth0 (10.77.0.2)"},
	} {
		tt.state.Link = link
		if got := nameState(tt.state).Line(); got != tt.want {
			t.Errorf("%s, want %s", got, tt.want)
		}
	}
	again := nameState(names.State{Link: link, Stage: names.Conflict, Holder: held, Again: time.Now().Add(15 * time.Second)})
	if again.RetryIn != 15 || !strings.HasSuffix(again.Line(), ", tried again in 15 s") {
		t.Errorf("%+v: %s", again, again.Line())
	}
	if late := nameState(names.State{Link: link, Stage: names.Conflict, Again: time.Now().Add(-time.Hour)}); late.RetryIn != 0 {
		t.Errorf("%+v", late)
	}
}
