package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/internal/api"
	"github.com/messngr/messngr/internal/config"
	"github.com/messngr/messngr/internal/names"
	"github.com/messngr/messngr/internal/store"
	"github.com/messngr/messngr/netbios"
)

// maxAdded is how many names can be added while the service runs: with those of
// the configuration they still fit in a node status.
const maxAdded = 16

// aliases are the names of this station: those of the configuration, and those
// that were added with `net name`, which the store keeps.
type aliases struct {
	cfg   *config.Config
	store store.Store

	own atomic.Pointer[[]names.Own] // all of them; the slice does not change

	changing sync.Mutex // held during a change, which may take seconds

	mu    sync.Mutex  // of what is below; held for a moment
	added []string    // in upper case, oldest first
	node  *names.Node // nil while the name service is closed
}

// newAliases returns the names of the configuration and of the store.
func newAliases(ctx context.Context, cfg *config.Config, st store.Store) (*aliases, error) {
	a := &aliases{cfg: cfg, store: st}
	own, err := ownNames(cfg)
	if err != nil {
		return nil, err
	}
	for _, name := range cfg.Names.Extra {
		own = append(own, names.Own{Name: name})
	}
	added, err := st.Names(ctx)
	if err != nil {
		return nil, err
	}
	for _, text := range added {
		name, err := a.encode(text)
		if err == nil && !slices.ContainsFunc(own, func(o names.Own) bool { return o.Name == name }) {
			own = append(own, names.Own{Name: name})
			a.added = append(a.added, text)
		}
	}
	a.own.Store(&own)
	return a, nil
}

// ownNames returns the names of the configuration in the bytes of the code page.
func ownNames(cfg *config.Config) ([]names.Own, error) {
	encode := func(text string) string {
		b, _ := cfg.SMB.CodePage.EncodeName(text) // the configuration has been checked
		return string(b)
	}
	var aliases []string
	for _, alias := range cfg.Aliases {
		aliases = append(aliases, encode(alias))
	}
	return names.OwnNames(encode(cfg.Name), encode(cfg.Workgroup), aliases...)
}

// all returns every name. The slice must not be changed.
func (a *aliases) all() []names.Own { return *a.own.Load() }

// attach tells which node claims the names; nil: none does any more. A node
// that has been attached is told of changes.
func (a *aliases) attach(n *names.Node) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.node = n
}

// attached returns the node that claims the names; nil if there is none.
func (a *aliases) attached() *names.Node {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.node
}

// owned reports whether a session may be called by that name: each of our
// unique names, whatever the service of ours that the caller has in mind, and
// the name that stands for any server.
func (a *aliases) owned(called netbios.Name) bool {
	if called.Base() == netbios.SMBServer.Base() {
		return true
	}
	for _, n := range a.all() {
		if !n.Group && n.Name.Base() == called.Base() {
			switch called.Suffix() {
			case netbios.Workstation, netbios.OldMessenger, netbios.Messenger, netbios.FileServer:
				return true
			}
		}
	}
	return false
}

// reached reports whether datagrams to a name are for this station: its own
// names, its workgroup in the forms in which senders have been seen to call it,
// and the name that stands for everybody.
func (a *aliases) reached(to netbios.Name) bool {
	if to[0] == '*' {
		return true
	}
	for _, n := range a.all() {
		if n.Name.Base() != to.Base() {
			continue
		}
		switch to.Suffix() {
		case netbios.Workstation:
			return true
		case netbios.OldMessenger, netbios.Messenger:
			return !n.Group
		case netbios.MasterBrowser, netbios.Election:
			return n.Group
		}
	}
	return false
}

// named reports whether messages to a name are received here: the name in
// whatever case, "truncated to 15 characters" as [MS-MSRP] takes names.
func (a *aliases) named(text string) bool {
	if runes := []rune(text); len(runes) > netbios.MaxBase {
		text = string(runes[:netbios.MaxBase])
	}
	name, err := a.encode(text)
	return err == nil && a.unique(name)
}

// unique reports whether a name is one that this station alone has.
func (a *aliases) unique(name netbios.Name) bool {
	return slices.Contains(a.all(), names.Own{Name: name})
}

// A numbered error is one for which Windows has a number.
type numbered struct {
	number messngr.NERR
	text   string
}

func (e *numbered) Error() string { return e.text }
func (e *numbered) Unwrap() error { return e.number }

// AddAlias claims a name on every network and keeps it: NetMessageNameAdd,
// [MS-MSRP] 3.1.4.1.
func (a *aliases) AddAlias(ctx context.Context, text string) (api.Alias, error) {
	text, name, err := a.check(text)
	if err != nil {
		return api.Alias{}, err
	}
	a.changing.Lock()
	defer a.changing.Unlock()
	all := a.all()
	if slices.ContainsFunc(all, func(o names.Own) bool { return o.Name == name }) {
		return api.Alias{}, &numbered{messngr.NERRAlreadyExists, text + " is a name of this computer already"}
	}
	if len(a.added) >= maxAdded {
		return api.Alias{}, &numbered{messngr.NERRTooManyNames, fmt.Sprintf("%d names have been added, which is the most: delete one first", maxAdded)}
	}
	own := names.Own{Name: name}
	if node := a.attached(); node != nil {
		if err := node.Add(ctx, own); err != nil {
			return api.Alias{}, a.refused(ctx, own, err)
		}
	}
	if err := a.store.AddName(ctx, text); err != nil {
		a.release(ctx, name)
		return api.Alias{}, fmt.Errorf("%s was not added: %w", text, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	all = append(slices.Clip(all), own)
	a.own.Store(&all)
	a.added = append(a.added, text)
	return a.alias(text, name, api.OfCommand), nil
}

// refused says why a node does not have a name, and takes it from there.
func (a *aliases) refused(ctx context.Context, own names.Own, err error) error {
	a.release(ctx, own.Name)
	if taken := (*names.TakenError)(nil); errors.As(err, &taken) {
		return &numbered{messngr.NERRDuplicateName, err.Error()}
	}
	return err
}

// release has the node give a name up. That nobody can be told is no failure:
// the name is not defended any more.
func (a *aliases) release(ctx context.Context, name netbios.Name) {
	if node := a.attached(); node != nil {
		_ = node.Remove(context.WithoutCancel(ctx), name)
	}
}

// DeleteAlias gives up a name that was added: NetMessageNameDel, [MS-MSRP]
// 3.1.4.4.
func (a *aliases) DeleteAlias(ctx context.Context, text string) error {
	text, name, err := a.check(text)
	if err != nil {
		return err
	}
	a.changing.Lock()
	defer a.changing.Unlock()
	i := slices.Index(a.added, text)
	switch {
	case text == a.cfg.Name:
		return &numbered{messngr.NERRDelComputerName, text + " is the computer name: it is changed in the configuration"}
	case slices.Contains(a.cfg.Aliases, text):
		return fmt.Errorf("%w that can be deleted: %s stands in the configuration; take it out of aliases there", api.ErrName, text)
	case i < 0:
		return &numbered{messngr.NERRNotLocalName, text + " is no name of this computer"}
	}
	if err := a.store.DeleteName(ctx, text); err != nil {
		return fmt.Errorf("%s was not deleted: %w", text, err)
	}
	all := slices.DeleteFunc(slices.Clone(a.all()), func(o names.Own) bool { return o.Name == name })
	a.own.Store(&all)
	a.mu.Lock()
	a.added = slices.Delete(a.added, i, i+1)
	a.mu.Unlock()
	a.release(ctx, name)
	return nil
}

// check returns a name as it is kept and as it is on the wire.
func (a *aliases) check(text string) (string, netbios.Name, error) {
	text, err := a.cfg.CheckName(text)
	if err != nil {
		return "", netbios.Name{}, fmt.Errorf("%w: %w", api.ErrName, err)
	}
	name, err := a.encode(text)
	if err != nil {
		return "", netbios.Name{}, fmt.Errorf("%w: %w", api.ErrName, err)
	}
	return text, name, nil
}

func (a *aliases) encode(text string) (netbios.Name, error) {
	b, err := a.cfg.SMB.CodePage.EncodeName(text)
	if err != nil {
		return netbios.Name{}, err
	}
	return netbios.NewName(string(b), netbios.Messenger)
}

// Aliases returns the names under which messages are received.
func (a *aliases) Aliases() []api.Alias {
	a.mu.Lock()
	defer a.mu.Unlock()
	var list []api.Alias
	add := func(origin string, texts ...string) {
		for _, text := range texts {
			if name, err := a.encode(text); err == nil { // it has been checked
				list = append(list, a.alias(text, name, origin))
			}
		}
	}
	add(api.OfComputer, a.cfg.Name)
	add(api.OfConfiguration, a.cfg.Aliases...)
	add(api.OfCommand, a.added...)
	return list
}

// alias returns what is known of a name.
func (a *aliases) alias(text string, name netbios.Name, origin string) api.Alias {
	alias := api.Alias{Name: text, Origin: origin}
	if a.node == nil {
		alias.Warning = "not known to the network: the name service is not open"
		return alias
	}
	alias.States = a.states()[name]
	return alias
}

// states returns how each name stands on each network.
func (a *aliases) states() map[netbios.Name][]api.NameState {
	if a.node == nil {
		return nil
	}
	states := map[netbios.Name][]api.NameState{}
	for _, st := range a.node.States() {
		states[st.Name] = append(states[st.Name], nameState(st))
	}
	return states
}

// status returns every name for the status.
func (a *aliases) status() []api.Name {
	a.mu.Lock()
	defer a.mu.Unlock()
	states := a.states()
	var all []api.Name
	for _, o := range a.all() {
		all = append(all, api.Name{Name: o.Name.String(), Group: o.Group, States: states[o.Name]})
	}
	return all
}

func nameState(st names.State) api.NameState {
	out := api.NameState{Interface: st.Link.Name, Address: st.Link.Addr.String(), State: st.Stage.String()}
	if st.Server.IsValid() {
		out.Server = st.Server.String()
	}
	if st.Stage == names.Conflict && st.Holder.Addr.IsValid() {
		out.Holder = st.Holder.Addr.String()
	}
	for _, n := range st.Holder.Names {
		out.HeldAs = append(out.HeldAs, n.Name.String())
	}
	if st.Holder.Hardware != ([6]byte{}) {
		out.HolderMAC = net.HardwareAddr(st.Holder.Hardware[:]).String()
	}
	if !st.Again.IsZero() {
		out.RetryIn = max(time.Until(st.Again).Round(time.Second).Seconds(), 0)
	}
	return out
}
