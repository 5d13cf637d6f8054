package server

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/messngr/messngr/internal/api"
	"github.com/messngr/messngr/internal/names"
	"github.com/messngr/messngr/internal/sender"
)

// banner says what is open to whom, under which names, and how to send.
func (s *server) banner() {
	st := s.status()
	var b strings.Builder
	fmt.Fprintf(&b, "messngr %s, data in %s\n", st.Version, st.Data)
	for _, l := range st.Listeners {
		fmt.Fprintln(&b, "  "+l.Line())
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
	fmt.Fprintf(&b, "Send to it:\n")
	fmt.Fprintf(&b, "  net send %-16s \"Hello\"   from Windows NT, 2000 and XP\n", st.Computer)
	fmt.Fprintf(&b, "  echo Hello | smbclient -M %s   from Samba\n", st.Computer)
	fmt.Fprintf(&b, "  messngr net send %s \"Hello\"   from here\n", st.Computer)
	fmt.Fprintf(&b, "Ctrl-C ends it.\n")
	fmt.Fprint(s.opt.Banner, b.String())
}

// greet sends a first message to ourselves, the way that is the most real: to
// our name, else to our address, else over the API.
func (s *server) greet(ctx context.Context) {
	text := "Welcome. This is your own Messenger Service, and this message came "
	next := "\nNow send one yourself, from another terminal:\n\n    messngr net send " + s.cfg.Name + " \"Hello\""
	for _, d := range s.doors {
		if d.name != "smb" || !d.isOpen() {
			continue
		}
		addr, port := callable(d.address)
		out := sender.New(sender.Config{
			Resolver: &names.Resolver{},
			Computer: s.cfg.Name, Port: port, Timeout: s.cfg.Send.Timeout, MaxText: s.cfg.Send.MaxText,
			Page: s.cfg.SendPage,
		})
		for _, to := range []string{s.cfg.Name, addr} {
			del := out.Send(ctx, sender.Draft{From: "MESSNGR", To: to,
				Text: text + "as all from old machines will:\nover a NetBIOS session, TCP port " + strconv.Itoa(int(port)) + "." + next})
			if del.NERR == 0 && del.Detail == "" {
				return
			}
			s.log.Debug("no greeting over SMB", "to", to, "error", del.Detail)
		}
	}
	if _, err := s.post(ctx, api.Draft{From: "MESSNGR", Text: text + "from inside:\nno port is open to others yet, as said above." + next}); err != nil {
		s.log.Error("no greeting", "error", err)
	}
}

// callable returns an address of this host at which a socket bound to address
// can be called, and the port.
func callable(address string) (addr string, port uint16) {
	host, p, err := net.SplitHostPort(address)
	if err != nil {
		return "127.0.0.1", 139 // not reached: the configuration has been checked
	}
	n, err := net.LookupPort("tcp", p)
	if err != nil {
		n = 139
	}
	if a, err := netip.ParseAddr(host); err == nil && !a.IsUnspecified() {
		return host, uint16(n)
	}
	return "127.0.0.1", uint16(n)
}
