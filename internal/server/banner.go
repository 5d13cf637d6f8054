package server

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"github.com/messngr/messngr/internal/api"
	"github.com/messngr/messngr/internal/resolver"
	"github.com/messngr/messngr/internal/sender"
)

// banner says what is open to whom, under which names, and how to send.
func (s *server) banner() {
	st := s.status()
	var b strings.Builder
	fmt.Fprintf(&b, "messngr %s, data in %s\n", st.Version, st.Data)
	for _, line := range listenerLines(turnedOn(st.Listeners)) {
		fmt.Fprintln(&b, "  "+line)
	}
	fmt.Fprintf(&b, "  %-7s%s on %s\n", "open", "this computer's commands", filepath.Join(st.Data, api.SocketName))
	var all []string
	for _, n := range st.Names {
		if n.Group {
			n.Name += " (group)"
		}
		all = append(all, n.Name)
	}
	fmt.Fprintf(&b, "Answers to %s.\n", strings.Join(all, ", "))
	for _, line := range st.PauseLines() {
		fmt.Fprintln(&b, line)
	}
	examples := s.examples(st)
	if len(examples) == 0 {
		b.WriteString("Nobody can send to it before a door for messages is open.\n")
	} else {
		b.WriteString("Send to it:\n")
	}
	width := 0
	for _, e := range examples {
		width = max(width, len(e.command))
	}
	for _, e := range examples {
		fmt.Fprintf(&b, "  %-*s   %s\n", width, e.command, e.from)
	}
	b.WriteString("Ctrl-C ends it.\n")
	fmt.Fprint(s.opt.Banner, b.String())
}

// turnedOn returns the listeners but for those that the configuration has not
// turned on: who has not asked for them need not hear of them.
func turnedOn(all []api.Listener) []api.Listener {
	return slices.DeleteFunc(slices.Clone(all), func(l api.Listener) bool { return l.Off })
}

// listenerLines returns a line for each listener. A remedy that several need is
// on a line of its own, after the last of them.
func listenerLines(all []api.Listener) (lines []string) {
	needed, said := map[string]int{}, map[string]int{} // by remedy
	for _, l := range all {
		needed[l.Remedy]++
	}
	for _, l := range all {
		remedy := l.Remedy
		said[remedy]++
		if needed[remedy] > 1 {
			l.Remedy = ""
		}
		lines = append(lines, l.Line())
		if remedy != l.Remedy && said[remedy] == needed[remedy] {
			lines = append(lines, "       for all of these: "+remedy)
		}
	}
	return lines
}

// An example is a command that sends to this service.
type example struct{ command, from string }

// examples returns how to send through what is open: first from this host.
func (s *server) examples(st api.Status) []example {
	smb, ok := openListener(st, "smb")
	if !ok {
		return nil
	}
	_, named := openListener(st, "names")
	here, port := callable(smb.Address)
	there := here // the address for others
	for _, on := range smb.On {
		if a, err := netip.ParseAddr(on); err == nil && !a.IsLoopback() {
			there = on
			break
		}
	}
	const usual = 139
	mine, samba := s.opt.Program+" net send ", "echo Hello | smbclient -M "+st.Computer
	if port != usual {
		mine += fmt.Sprintf("--port %d ", port)
	}
	if named && port == usual {
		who := st.Computer
		if here != localhost { // it does not listen where this host finds its own name
			who = here
		}
		return []example{
			{mine + who + ` "Hello"`, "from here"},
			{samba, "from Samba"},
			{"net send " + st.Computer + " Hello", "from Windows NT, 2000 and XP"},
		}
	}
	samba += " -I " + there
	if port != usual {
		samba += fmt.Sprintf(" -p %d", port)
	}
	return []example{{mine + here + ` "Hello"`, "from here"}, {samba, "from Samba"}}
}

// openListener returns the first listener of that name that is open.
func openListener(st api.Status, name string) (api.Listener, bool) {
	for _, l := range st.Listeners {
		if l.Name == name && l.Open {
			return l, true
		}
	}
	return api.Listener{}, false
}

// greet sends a first message to ourselves, the way that is the most real: to
// our name, else to our address, else over the API.
//
// While the recipient has paused, it would not be seen: the banner says so.
func (s *server) greet(ctx context.Context) {
	st := s.status()
	if st.Paused {
		return
	}
	smb, ok := openListener(st, "smb")
	if !ok {
		s.greetInside(ctx)
		return
	}
	addr, port := callable(smb.Address)
	to := []string{addr}
	if _, ok := openListener(st, "names"); ok { // else another host might answer to our name
		to = []string{s.cfg.Name, addr}
	}
	text := fmt.Sprintf(`Welcome. This is your own Messenger Service, and this
message came as those of old machines do: over a NetBIOS
session, TCP port %d.

Now send one yourself, from another terminal:

    %s`, port, s.examples(st)[0].command)
	out := sender.New(sender.Config{
		Resolver: &resolver.Resolver{},
		Computer: s.cfg.Name, Port: port, Timeout: s.cfg.Send.Timeout, MaxText: s.cfg.Send.MaxText,
		Page: s.cfg.SendPage,
	})
	for _, to := range to {
		del := out.Send(ctx, sender.Draft{From: "MESSNGR", To: to, Text: text})
		if del.NERR == 0 && del.Detail == "" {
			return
		}
		s.log.Debug("no greeting over SMB", "to", to, "error", del.Detail)
	}
	s.greetInside(ctx)
}

// greetInside greets over the API.
func (s *server) greetInside(ctx context.Context) {
	if _, err := s.post(ctx, api.Draft{From: "MESSNGR", Text: `Welcome. This is your own Messenger Service.

This message came from inside: no port is open to others
yet. What is in the way, and what to do about it, is said
where the service was started.`}); err != nil {
		s.log.Error("no greeting", "error", err)
	}
}

// localhost is where a socket that is bound to no address is called from here.
const localhost = "127.0.0.1"

// callable returns an address of this host at which a socket bound to address
// can be called, and the port. The address may end in the network, as in
// ":139/tcp".
func callable(address string) (addr string, port uint16) {
	address, _, _ = strings.Cut(address, "/")
	host, p, err := net.SplitHostPort(address)
	if err != nil {
		return localhost, 139 // not reached: the configuration has been checked
	}
	n, err := net.LookupPort("tcp", p)
	if err != nil {
		n = 139
	}
	if a, err := netip.ParseAddr(host); err == nil && !a.IsUnspecified() {
		return host, uint16(n)
	}
	return localhost, uint16(n)
}
