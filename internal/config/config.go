// Package config reads the configuration file and checks it.
//
// The defaults are not in the code: they are the reference file, messngr.toml,
// which is read before the user's own.
package config

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"github.com/pelletier/go-toml/v2"

	"github.com/messngr/messngr/internal/display"
	"github.com/messngr/messngr/internal/guard"
	"github.com/messngr/messngr/internal/oem"
	"github.com/messngr/messngr/netbios"
)

// Reference is the reference file: every option with its default.
//
//go:embed messngr.toml
var Reference string

// A Config is a checked configuration.
type Config struct {
	Name      string // the computer name, in upper case
	Workgroup string
	Aliases   []string
	Data      string // an absolute path

	Guard    guard.Config
	SMB      SMB
	Mailslot Mailslot
	Names    Names
	WINS     WINS
	RPC      RPC
	Inject   string         // the path of a socket for messages of every user; empty: none
	Display  display.Config // what the file says of it; the terminal's part is the caller's
	Send     Send
	Log      slog.Level

	stations []station
}

// SMB configures the listener for messages over NetBIOS sessions.
type SMB struct {
	Listen                       []string // none: no listener
	CodePage                     *oem.Page
	MaxText                      int // bytes of UTF-8
	MaxConnections, MaxPerSource int
	MaxUnfinished                int // bytes
	IdleTimeout, MessageTimeout  time.Duration
}

// Mailslot configures the listener for messages in datagrams.
type Mailslot struct {
	Listen     []string // none: no listener
	MaxWaiting int      // messages
}

// Names configures the name service.
type Names struct {
	Listen                          string           // empty: no listener
	Extra                           []netbios.Name   // claimed beside the station's own
	NodeType                        string           // "B", "P", "M" or "H"; empty: by whether there are servers
	Servers                         []netip.AddrPort // WINS servers
	Order                           []string         // of "lmhosts", "wins", "broadcast" and "dns"; empty: by the node type
	BroadcastTimeout, ServerTimeout time.Duration    // of one try
	LMHosts                         string           // a path; empty: none
}

// WINS configures the name server.
type WINS struct {
	Serve          bool
	Static         string // the path of an LMHOSTS file; empty: none
	MinTTL, MaxTTL time.Duration
}

// RPC configures the door for NetrSendMessage.
type RPC struct {
	Enabled          bool
	Interfaces       []string     // none: all
	Guard            guard.Config // who may call, of those whom the guard serves
	Listen           string       // of the endpoint mapper, UDP and TCP
	Port             uint16       // of the service itself, UDP and TCP; 0: the system's choice
	Quarantine       bool         // one-way calls are quarantined, not refused
	QuarantinePerDay int          // messages of one-way calls that are
	Manage           guard.Config // who may ask for message names and change them
}

// Send configures the sender.
type Send struct {
	Transport string // "auto", "smb" or "rpc"
	Port      uint16 // TCP, of a session
	RPCPort   uint16 // UDP, of the endpoint mapper
	Timeout   time.Duration
	CodePage  *oem.Page
	MaxText   int // bytes of the code page
	MaxCast   int // the same, of a text to a workgroup
}

// Page returns the code page of the station with that address or one of those
// names: that of the first [[station]] that matches, else otherwise. The
// address may be invalid and the names empty.
func (c *Config) Page(addr netip.Addr, otherwise *oem.Page, names ...string) *oem.Page {
	for _, s := range c.stations {
		if s.matches(addr, names) {
			return s.page
		}
	}
	return otherwise
}

// SendPage returns the code page in which the recipient with that address and
// one of those names reads.
func (c *Config) SendPage(addr netip.Addr, names ...string) *oem.Page {
	return c.Page(addr, c.Send.CodePage, names...)
}

// A station is a [[station]] of the file.
type station struct {
	networks []netip.Prefix
	names    []string // in upper case
	page     *oem.Page
}

func (s station) matches(addr netip.Addr, names []string) bool {
	for _, n := range s.networks {
		if n.Contains(addr) {
			return true
		}
	}
	for _, mine := range s.names {
		for _, name := range names {
			if strings.EqualFold(mine, name) {
				return true
			}
		}
	}
	return false
}

// Options are what the command line and the environment say; they win over the
// file.
type Options struct {
	File      string // a configuration file that must be there
	Data      string
	Name      string
	Workgroup string
}

// systemFile is read when no other is named, and may be missing.
const systemFile = "/etc/messngr/messngr.toml"

// Load reads the configuration. An error names the file, the line where it is
// known, what is wrong and what would be right.
func Load(o Options) (*Config, error) {
	path, mustExist := o.File, true
	if path == "" {
		path, mustExist = systemFile, false
	}
	text, err := os.ReadFile(path)
	if err != nil && (mustExist || !errors.Is(err, fs.ErrNotExist)) {
		return nil, fmt.Errorf("cannot read the configuration: %w", err)
	}
	return parse(path, string(text), o)
}

// parse checks the defaults, overlaid with text, overlaid with o.
func parse(path, text string, o Options) (*Config, error) {
	var f file
	if err := decode(Reference, &f); err != nil {
		panic("the built-in configuration: " + err.Error()) // a test reads it
	}
	if err := decode(text, &f); err != nil {
		return nil, fmt.Errorf("%s:%w", path, err)
	}
	said := map[string]bool{} // by the options
	for _, over := range []struct {
		option string
		value  *string
		by     string
	}{
		{"data", &f.Data, o.Data}, {"name", &f.Name, o.Name}, {"workgroup", &f.Workgroup, o.Workgroup},
	} {
		if over.by != "" {
			*over.value, said[over.option] = over.by, true
		}
	}
	c, option, err := f.check()
	switch {
	case err == nil:
		return c, nil
	case said[option]:
		return nil, fmt.Errorf("--%s: %w", option, err)
	}
	return nil, fmt.Errorf("%s: %s: %w", path, option, err)
}

// decode reads TOML strictly. Its errors begin with the line.
func decode(text string, f *file) error {
	dec := toml.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	err := dec.Decode(f)
	if unknown := (*toml.StrictMissingError)(nil); errors.As(err, &unknown) {
		e := unknown.Errors[0]
		line, _ := e.Position()
		return fmt.Errorf("%d: there is no option %q; the reference file (messngr config) lists all", line, strings.Join(e.Key(), "."))
	}
	if bad := (*toml.DecodeError)(nil); errors.As(err, &bad) {
		line, column := bad.Position()
		what := strings.Map(blankControl, strings.TrimPrefix(bad.Error(), "toml: "))
		if strings.HasPrefix(what, "cannot decode TOML") { // the rest of it is about Go
			what = "not the kind of value that this option takes; the reference file (messngr config) shows it"
		}
		if key := strings.Join(bad.Key(), "."); key != "" && !strings.HasPrefix(what, "key ") {
			what = key + ": " + what
		}
		return fmt.Errorf("%d:%d: %s", line, column, what)
	}
	if err != nil {
		return fmt.Errorf(" %w", err)
	}
	return nil
}

// blankControl turns what would not stay on a line into blanks.
func blankControl(r rune) rune {
	if unicode.IsControl(r) {
		return ' '
	}
	return r
}

// defaultData returns the data directory of who runs the program.
func defaultData(root bool) (string, error) {
	if root {
		return "/var/lib/messngr", nil
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "messngr"), nil
	}
	if dir := os.Getenv("LOCALAPPDATA"); filepath.IsAbs(dir) { // Windows
		return filepath.Join(dir, "messngr"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("there is no home directory to keep messages in: name a directory with --data or MESSNGR_DATA (%w)", err)
	}
	return filepath.Join(home, ".local", "state", "messngr"), nil
}

// nameOf returns the computer name that a host's name gives: its first label,
// cut to 15 characters, as Windows takes it.
func nameOf(host string) string {
	host, _, _ = strings.Cut(host, ".")
	if runes := []rune(host); len(runes) > 15 {
		host = string(runes[:15])
	}
	return host
}

// checkAddress checks an address to listen on. usual is the port that stands in
// its error as an example.
func checkAddress(addr string, usual int) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%q is not an address with a port, such as \":%d\" or \"10.77.0.2:%d\"", addr, usual, usual)
	}
	if host != "" {
		if _, err := netip.ParseAddr(host); err != nil {
			return fmt.Errorf("%q: %q is not an IP address", addr, host)
		}
	}
	if n, err := net.LookupPort("tcp", port); err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("%q: %q is not a port", addr, port)
	}
	return nil
}
