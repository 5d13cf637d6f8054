package config

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/messngr/messngr/internal/display"
	"github.com/messngr/messngr/internal/guard"
	"github.com/messngr/messngr/internal/oem"
	"github.com/messngr/messngr/netbios"
)

// A file is the configuration file as it is written.
type file struct {
	Name      string   `toml:"name"`
	Workgroup string   `toml:"workgroup"`
	Aliases   []string `toml:"aliases"`
	Data      string   `toml:"data"`

	Guard struct {
		Networks []string `toml:"networks"`
	} `toml:"guard"`

	SMB struct {
		Listen         []string `toml:"listen"`
		CodePage       int      `toml:"code_page"`
		MaxText        int      `toml:"max_text"`
		MaxConnections int      `toml:"max_connections"`
		MaxPerSource   int      `toml:"max_connections_per_source"`
		MaxUnfinished  int      `toml:"max_unfinished"`
		IdleTimeout    string   `toml:"idle_timeout"`
		MessageTimeout string   `toml:"message_timeout"`
	} `toml:"smb"`

	Mailslot struct {
		Listen     []string `toml:"listen"`
		MaxWaiting int      `toml:"max_waiting"`
	} `toml:"mailslot"`

	Names struct {
		Listen           string   `toml:"listen"`
		Extra            []string `toml:"extra"`
		NodeType         string   `toml:"node_type"`
		WINSServers      []string `toml:"wins_servers"`
		ResolveOrder     []string `toml:"resolve_order"`
		BroadcastTimeout string   `toml:"broadcast_timeout"`
		ServerTimeout    string   `toml:"server_timeout"`
		LMHosts          string   `toml:"lmhosts"`
	} `toml:"names"`

	WINS struct {
		Serve  bool   `toml:"serve"`
		Static string `toml:"static"`
		MinTTL string `toml:"min_ttl"`
		MaxTTL string `toml:"max_ttl"`
	} `toml:"wins"`

	RPC struct {
		Enabled    bool     `toml:"enabled"`
		Interfaces []string `toml:"interfaces"`
		Networks   []string `toml:"networks"`
		Listen     string   `toml:"listen"`
		Port       int      `toml:"port"`
		OneWay     string   `toml:"one_way"`
		PerDay     int      `toml:"quarantine_per_day"`
		Manage     []string `toml:"manage"`
	} `toml:"rpc"`

	Inject struct {
		Socket string `toml:"socket"`
	} `toml:"inject"`

	Display struct {
		Header string `toml:"header"`
		Date   string `toml:"date"`
		Bell   bool   `toml:"bell"`
	} `toml:"display"`

	Send struct {
		Transport string `toml:"transport"`
		Port      int    `toml:"port"`
		RPCPort   int    `toml:"rpc_port"`
		Timeout   string `toml:"timeout"`
		CodePage  int    `toml:"code_page"`
		MaxText   int    `toml:"max_text"`
		MaxCast   int    `toml:"max_workgroup_text"`
	} `toml:"send"`

	Log struct {
		Level string `toml:"level"`
	} `toml:"log"`

	Station []struct {
		Match    []string `toml:"match"`
		CodePage int      `toml:"code_page"`
	} `toml:"station"`
}

// check turns the file into a Config. It returns the first thing that is wrong
// and the option's name.
func (f *file) check() (c *Config, option string, err error) {
	c = &Config{
		SMB:      SMB{Listen: f.SMB.Listen},
		Mailslot: Mailslot{Listen: f.Mailslot.Listen},
		Names:    Names{Listen: f.Names.Listen, NodeType: strings.ToUpper(f.Names.NodeType)},
		WINS:     WINS{Serve: f.WINS.Serve, Static: f.WINS.Static},
		RPC:      RPC{Enabled: f.RPC.Enabled, Interfaces: f.RPC.Interfaces, Listen: f.RPC.Listen, Quarantine: f.RPC.OneWay == "quarantine"},
		Display:  display.Config{Header: f.Display.Header, Date: f.Display.Date, Bell: f.Display.Bell},
	}
	for _, step := range []struct {
		option string
		check  func() error
	}{
		{"smb.listen", func() error { return each(f.SMB.Listen, func(a string) error { return checkAddress(a, 139) }) }},
		{"smb.code_page", lookup(&c.SMB.CodePage, f.SMB.CodePage)},
		{"smb.max_text", between(&c.SMB.MaxText, f.SMB.MaxText, 1, 1<<20)},
		{"smb.max_connections", between(&c.SMB.MaxConnections, f.SMB.MaxConnections, 1, 1<<16)},
		{"smb.max_connections_per_source", between(&c.SMB.MaxPerSource, f.SMB.MaxPerSource, 1, 1<<16)},
		{"smb.max_unfinished", between(&c.SMB.MaxUnfinished, f.SMB.MaxUnfinished, 1<<16, 1<<30)},
		{"smb.idle_timeout", timeSpan(&c.SMB.IdleTimeout, f.SMB.IdleTimeout)},
		{"smb.message_timeout", timeSpan(&c.SMB.MessageTimeout, f.SMB.MessageTimeout)},
		{"mailslot.listen", func() error { return each(f.Mailslot.Listen, func(a string) error { return checkAddress(a, 138) }) }},
		{"mailslot.max_waiting", between(&c.Mailslot.MaxWaiting, f.Mailslot.MaxWaiting, 1, 1<<20)},
		{"names.listen", func() error {
			if f.Names.Listen == "" {
				return nil
			}
			return checkAddress(f.Names.Listen, 137)
		}},
		{"names.extra", func() error { return each(f.Names.Extra, c.addExtra) }},
		{"names.node_type", func() error { return oneOf(c.Names.NodeType, "", "B", "P", "M", "H") }},
		{"names.wins_servers", func() error { return each(f.Names.WINSServers, c.addServer) }},
		{"names.node_type", func() error {
			if t := c.Names.NodeType; (t == "P" || t == "M" || t == "H") && len(c.Names.Servers) == 0 {
				return fmt.Errorf("a node of type %s asks name servers: give their addresses in names.wins_servers", t)
			}
			return nil
		}},
		{"names.resolve_order", func() error {
			return each(f.Names.ResolveOrder, func(s string) error {
				c.Names.Order = append(c.Names.Order, s)
				return oneOf(s, "lmhosts", "wins", "broadcast", "dns")
			})
		}},
		{"names.broadcast_timeout", timeSpan(&c.Names.BroadcastTimeout, f.Names.BroadcastTimeout)},
		{"names.server_timeout", timeSpan(&c.Names.ServerTimeout, f.Names.ServerTimeout)},
		{"wins.serve", func() error {
			if f.WINS.Serve && f.Names.Listen == "" {
				return errors.New("a name server needs the door of [names]: give names.listen an address")
			}
			return nil
		}},
		{"wins.min_ttl", timeSpan(&c.WINS.MinTTL, f.WINS.MinTTL)},
		{"wins.max_ttl", timeSpan(&c.WINS.MaxTTL, f.WINS.MaxTTL)},
		{"wins.max_ttl", func() error {
			if c.WINS.MaxTTL < c.WINS.MinTTL {
				return fmt.Errorf("%v is less than min_ttl, %v", c.WINS.MaxTTL, c.WINS.MinTTL)
			}
			return nil
		}},
		{"rpc.interfaces", func() error { return each(f.RPC.Interfaces, checkInterface) }},
		{"rpc.networks", func() (err error) {
			c.RPC.Guard, err = networks(f.RPC.Networks)
			return err
		}},
		{"rpc.listen", func() error { return checkAddress(f.RPC.Listen, 135) }},
		{"rpc.port", port(&c.RPC.Port, f.RPC.Port, 0)},
		{"rpc.one_way", func() error { return oneOf(f.RPC.OneWay, "refuse", "quarantine") }},
		{"rpc.quarantine_per_day", between(&c.RPC.QuarantinePerDay, f.RPC.PerDay, 1, 1<<30)},
		{"rpc.manage", func() (err error) {
			c.RPC.Manage, err = networks(f.RPC.Manage)
			return err
		}},
		{"inject.socket", func() error {
			if c.Inject = f.Inject.Socket; c.Inject != "" && !filepath.IsAbs(c.Inject) {
				return fmt.Errorf("%q does not begin at the root, as /run/messngr-inject.sock does: other programs must find it", c.Inject)
			}
			return nil
		}},
		{"send.code_page", lookup(&c.Send.CodePage, f.Send.CodePage)},
		{"send.max_text", between(&c.Send.MaxText, f.Send.MaxText, 1, 1<<16)},
		{"send.max_workgroup_text", between(&c.Send.MaxCast, f.Send.MaxCast, 1, 421)},
		{"send.timeout", timeSpan(&c.Send.Timeout, f.Send.Timeout)},
		{"send.transport", func() error {
			c.Send.Transport = f.Send.Transport
			return oneOf(f.Send.Transport, "auto", "smb", "rpc")
		}},
		{"send.port", port(&c.Send.Port, f.Send.Port, 1)},
		{"send.rpc_port", port(&c.Send.RPCPort, f.Send.RPCPort, 1)},
		{"log.level", func() error {
			if c.Log.UnmarshalText([]byte(f.Log.Level)) != nil {
				return fmt.Errorf("%q is not one of debug, info, warn, error", f.Log.Level)
			}
			return nil
		}},
		{"display", func() error {
			_, err := display.NewTerminal(io.Discard, c.Display)
			if err != nil { // it quotes the template as it is
				return errors.New(strings.Map(blankControl, err.Error()))
			}
			return nil
		}},
		{"data", func() error { return c.setData(f) }},
		{"name", func() error { return c.setName(f.Name) }},
		{"workgroup", func() (err error) {
			c.Workgroup, err = netbiosName(c.SMB.CodePage, f.Workgroup)
			return err
		}},
		{"aliases", func() error {
			return each(f.Aliases, func(s string) error {
				alias, err := netbiosName(c.SMB.CodePage, s)
				c.Aliases = append(c.Aliases, alias)
				return err
			})
		}},
		{"guard.networks", func() (err error) {
			c.Guard, err = networks(f.Guard.Networks)
			return err
		}},
		{"station", func() error { return c.setStations(f) }},
	} {
		if err := step.check(); err != nil {
			return nil, step.option, err
		}
	}
	return c, "", nil
}

func (c *Config) setData(f *file) (err error) {
	data := f.Data
	if data == "" {
		if data, err = defaultData(os.Geteuid() == 0); err != nil {
			return err
		}
	}
	if c.Data, err = filepath.Abs(data); err != nil {
		return err
	}
	c.Names.LMHosts = f.Names.LMHosts
	if c.Names.LMHosts == "" {
		c.Names.LMHosts = filepath.Join(c.Data, "lmhosts")
	}
	return nil
}

func (c *Config) setName(name string) (err error) {
	if name != "" {
		c.Name, err = netbiosName(c.SMB.CodePage, name)
		return err
	}
	host, err := os.Hostname()
	if err == nil {
		c.Name, err = netbiosName(c.SMB.CodePage, nameOf(host))
	}
	if err != nil {
		return fmt.Errorf("none can be made of the host's name, %q: %w; give one here or with --name", host, err)
	}
	return nil
}

// addExtra adds a name with its suffix, such as HOST2#20.
func (c *Config) addExtra(s string) error {
	base, digits, ok := strings.Cut(s, "#")
	suffix, err := strconv.ParseUint(digits, 16, 8)
	if !ok || err != nil {
		return fmt.Errorf("%q is not a name with a suffix, such as \"HOST2#20\"", s)
	}
	b, err := c.SMB.CodePage.EncodeName(base)
	if err != nil {
		return err
	}
	name, err := netbios.NewName(string(b), netbios.Suffix(suffix))
	c.Names.Extra = append(c.Names.Extra, name)
	return err
}

// addServer adds an address, which may have a port, to the WINS servers.
func (c *Config) addServer(s string) error {
	addr, err := netip.ParseAddrPort(s)
	if err != nil {
		var a netip.Addr
		if a, err = netip.ParseAddr(s); err == nil {
			addr = netip.AddrPortFrom(a, 137)
		}
	}
	if err != nil || !addr.Addr().Unmap().Is4() {
		return fmt.Errorf("%q is not an IPv4 address", s)
	}
	c.Names.Servers = append(c.Names.Servers, netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port()))
	return nil
}

func (c *Config) setStations(f *file) error {
	for i, raw := range f.Station {
		var s station
		if err := lookup(&s.page, raw.CodePage)(); err != nil {
			return fmt.Errorf("table %d: code_page: %w", i+1, err)
		}
		if len(raw.Match) == 0 {
			return fmt.Errorf("table %d: match names nobody", i+1)
		}
		for _, m := range raw.Match {
			if err := s.add(m); err != nil {
				return fmt.Errorf("table %d: match: %w", i+1, err)
			}
		}
		c.stations = append(c.stations, s)
	}
	return nil
}

// add makes the station match an address, a network or a name as well.
func (s *station) add(match string) error {
	// A name could be nothing but digits and dots, but who writes such a one
	// has mistyped an address.
	if strings.ContainsAny(match, "/:") || strings.Trim(match, ".0123456789") == "" {
		p, err := network(match)
		if err != nil {
			return err
		}
		s.networks = append(s.networks, p)
		return nil
	}
	name, err := netbiosName(s.page, match)
	if err != nil {
		return err
	}
	s.names = append(s.names, name)
	return nil
}

// checkInterface checks the name of an interface. It need not be there yet.
func checkInterface(name string) error {
	if strings.TrimSpace(name) == "" || strings.ContainsFunc(name, unicode.IsControl) {
		return fmt.Errorf("%q is not the name of an interface, such as \"eth0\"", name)
	}
	return nil
}

// networks reads a list of those who are served, such as guard.networks.
func networks(words []string) (guard.Config, error) {
	g := guard.Config{OnlyNetworks: true}
	for _, word := range words {
		if word == "on-link" {
			g.OnlyNetworks = false
			continue
		}
		p, err := network(word)
		if errors.Is(err, errNoNetwork) {
			err = fmt.Errorf("%q is neither \"on-link\" nor %w", word, errNoNetwork)
		}
		if err != nil {
			return guard.Config{}, err
		}
		g.Networks = append(g.Networks, p)
	}
	return g, nil
}

// errNoNetwork is what network's error wraps about what is none.
var errNoNetwork = errors.New("an address nor a network such as 10.8.0.0/16")

// network reads a network or a single address.
func network(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is neither %w", s, errNoNetwork)
	}
	if p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("%q has bits behind the mask: it means %v or %v", s, p.Masked(), p.Addr())
	}
	return p, nil
}

// oneOf checks that s is one of the words.
func oneOf(s string, words ...string) error {
	if slices.Contains(words, s) {
		return nil
	}
	return fmt.Errorf("%q is not one of %s", s, strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), ", "))
}

// forbidden are the characters that Windows allows in no computer name.
const forbidden = `\/:*?"<>|`

// CheckName checks a name that a station can have, as a person wrote it, and
// returns it in upper case.
func (c *Config) CheckName(s string) (string, error) { return netbiosName(c.SMB.CodePage, s) }

// netbiosName checks a name that a station can have and returns it in upper
// case.
func netbiosName(page *oem.Page, s string) (string, error) {
	b, err := page.EncodeName(strings.TrimSpace(s))
	if err != nil {
		return "", err
	}
	if len(b) == 0 {
		return "", errors.New("the name is empty")
	}
	if strings.ContainsAny(s, forbidden) {
		return "", fmt.Errorf("%q: a name has none of %s", s, strings.Join(strings.Split(forbidden, ""), " "))
	}
	if _, err := netbios.NewName(string(b), netbios.Messenger); err != nil {
		return "", err
	}
	return page.DecodeName(b), nil
}

// lookup returns a check that finds a code page.
func lookup(page **oem.Page, number int) func() error {
	return func() (err error) {
		*page, err = oem.Lookup(number)
		return err
	}
}

// between returns a check that sets *v when least <= n <= most.
func between(v *int, n, least, most int) func() error {
	return func() error {
		if n < least || n > most {
			return fmt.Errorf("%d is not between %d and %d", n, least, most)
		}
		*v = n
		return nil
	}
}

// port returns a check that sets *v when n is a port, and not less than least.
func port(v *uint16, n, least int) func() error {
	return func() error {
		var port int
		err := between(&port, n, least, 65535)()
		*v = uint16(port)
		return err
	}
}

// timeSpan returns a check that sets *v when s is a time such as "90s".
func timeSpan(v *time.Duration, s string) func() error {
	return func() (err error) {
		if *v, err = time.ParseDuration(s); err != nil || *v < time.Millisecond {
			return fmt.Errorf("%q is not a time such as \"90s\"", s)
		}
		return nil
	}
}

// each returns the first error of check over the values.
func each(values []string, check func(string) error) error {
	for _, v := range values {
		if err := check(v); err != nil {
			return err
		}
	}
	return nil
}
