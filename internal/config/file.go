package config

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

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
		IdleTimeout    duration `toml:"idle_timeout"`
		MessageTimeout duration `toml:"message_timeout"`
	} `toml:"smb"`

	Names struct {
		Listen  string `toml:"listen"`
		LMHosts string `toml:"lmhosts"`
	} `toml:"names"`

	Display struct {
		Header string `toml:"header"`
		Date   string `toml:"date"`
		Bell   bool   `toml:"bell"`
	} `toml:"display"`

	Send struct {
		Port     int      `toml:"port"`
		Timeout  duration `toml:"timeout"`
		CodePage int      `toml:"code_page"`
		MaxText  int      `toml:"max_text"`
	} `toml:"send"`

	Log struct {
		Level string `toml:"level"`
	} `toml:"log"`

	Station []struct {
		Match    []string `toml:"match"`
		CodePage int      `toml:"code_page"`
	} `toml:"station"`
}

// A duration is written as in "90s" or "1m30s".
type duration time.Duration

func (d *duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil || v <= 0 {
		return fmt.Errorf("%q is not a time such as \"90s\"", b)
	}
	*d = duration(v)
	return nil
}

// check turns the file into a Config. It returns the first thing that is wrong,
// with the option's name.
func (f *file) check() (*Config, error) {
	c := &Config{
		SMB: SMB{
			Listen:         f.SMB.Listen,
			IdleTimeout:    time.Duration(f.SMB.IdleTimeout),
			MessageTimeout: time.Duration(f.SMB.MessageTimeout),
		},
		Names:   Names{Listen: f.Names.Listen},
		Display: display.Config{Header: f.Display.Header, Date: f.Display.Date, Bell: f.Display.Bell},
		Send:    Send{Timeout: time.Duration(f.Send.Timeout)},
	}
	for _, step := range []struct {
		option string
		check  func() error
	}{
		{"smb.listen", func() error { return each(f.SMB.Listen, checkAddress) }},
		{"smb.code_page", lookup(&c.SMB.CodePage, f.SMB.CodePage)},
		{"smb.max_text", between(&c.SMB.MaxText, f.SMB.MaxText, 1, 1<<20)},
		{"smb.max_connections", between(&c.SMB.MaxConnections, f.SMB.MaxConnections, 1, 1<<16)},
		{"smb.max_connections_per_source", between(&c.SMB.MaxPerSource, f.SMB.MaxPerSource, 1, 1<<16)},
		{"smb.max_unfinished", between(&c.SMB.MaxUnfinished, f.SMB.MaxUnfinished, 1<<16, 1<<30)},
		{"names.listen", func() error {
			if f.Names.Listen == "" {
				return nil
			}
			return checkAddress(f.Names.Listen)
		}},
		{"send.code_page", lookup(&c.Send.CodePage, f.Send.CodePage)},
		{"send.max_text", between(&c.Send.MaxText, f.Send.MaxText, 1, 1<<16)},
		{"send.port", func() error {
			var port int
			err := between(&port, f.Send.Port, 1, 65535)()
			c.Send.Port = uint16(port)
			return err
		}},
		{"log.level", func() error {
			if c.Log.UnmarshalText([]byte(f.Log.Level)) != nil {
				return fmt.Errorf("%q is not one of debug, info, warn, error", f.Log.Level)
			}
			return nil
		}},
		{"display", func() error {
			_, err := display.NewTerminal(io.Discard, c.Display)
			return err
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
			return nil, fmt.Errorf("%s: %w", step.option, err)
		}
	}
	return c, nil
}

func (c *Config) setData(f *file) (err error) {
	data := f.Data
	if data == "" {
		if data, err = defaultData(); err != nil {
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
	if name == "" {
		if name, err = defaultName(); err != nil {
			return err
		}
	}
	c.Name, err = netbiosName(c.SMB.CodePage, name)
	return err
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
			if p, err := network(m); err == nil {
				s.networks = append(s.networks, p)
			} else if name, err := netbiosName(s.page, m); err == nil {
				s.names = append(s.names, name)
			} else {
				return fmt.Errorf("table %d: match: %w", i+1, err)
			}
		}
		c.stations = append(c.stations, s)
	}
	return nil
}

// networks reads guard.networks.
func networks(words []string) (guard.Config, error) {
	g := guard.Config{OnlyNetworks: true}
	for _, word := range words {
		if word == "on-link" {
			g.OnlyNetworks = false
			continue
		}
		p, err := network(word)
		if err != nil {
			return guard.Config{}, err
		}
		g.Networks = append(g.Networks, p)
	}
	return g, nil
}

// network reads a network or a single address.
func network(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is neither \"on-link\" nor a network such as 10.8.0.0/16 nor an address", s)
	}
	if p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("%q has bits behind the mask: it means %v or %v", s, p.Masked(), p.Addr())
	}
	return p, nil
}

// netbiosName checks a name that a station can have and returns it in upper
// case.
func netbiosName(page *oem.Page, s string) (string, error) {
	b, err := page.EncodeName(strings.TrimSpace(s))
	if err != nil {
		return "", err
	}
	switch {
	case len(b) == 0:
		return "", errors.New("the name is empty")
	case b[0] == '*':
		return "", fmt.Errorf("%q: a name does not start with *", s)
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

// each returns the first error of check over the values.
func each(values []string, check func(string) error) error {
	for _, v := range values {
		if err := check(v); err != nil {
			return err
		}
	}
	return nil
}
