package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/messngr/messngr/internal/config"
	"github.com/messngr/messngr/internal/display"
	"github.com/messngr/messngr/internal/resolver"
)

// A lookup is the flags of `lookup`, and what it works with.
type lookup struct {
	settings
	status, group bool
	servers       []string
	timeout       time.Duration
	port          uint16
	rate, tries   int
	json          bool

	Process
	cfg     *config.Config
	resolve *resolver.Resolver
	ascii   bool // the standard output is a terminal that does not show UTF-8
}

func (p Process) lookupCommand() *cobra.Command {
	l := &lookup{Process: p}
	cmd := &cobra.Command{
		Use:   "lookup [flags] NAME|ADDRESS|RANGE...",
		Short: "Find the address of a name, the names of an address, or who is in a network",
		Long: `Find the address of a NetBIOS name, the names that a host has, the members of a
workgroup, or all hosts of a range of addresses that have NetBIOS.

A NAME is that of a messenger (<03>) unless it says otherwise: HOST2#20 is the
file server of the same computer, DOMAIN#1C are the controllers of a domain, and
'"NAME           \0x1d"' is any 16 bytes, in quotes as in LMHOSTS files. It is
looked up where the configuration says: in LMHOSTS files, at name servers
(WINS), by broadcast and in the DNS.

An ADDRESS or a RANGE is asked for its names: 10.0.0.5, 10.0.0.0/24, 10.0.0.5-20
or 10.0.0.5-10.0.1.20. The table has the computer's name, whether it is a file
server, its user (or an alias), its workgroup and its hardware address.

With each answer stands where it came from. The exit status is 0 if something
was found, 1 if not.`,
		Example: `  messngr lookup HOST2
  messngr lookup HOST2#20 --server 10.77.0.9
  messngr lookup -A 10.77.0.2
  messngr lookup --group WORKGROUP
  messngr lookup 10.77.0.0/24
  messngr lookup --json 10.77.0.0/24 | jq -r 'select(.user) | .address'`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 || strings.TrimSpace(args[0]) == "" {
				return errors.New("the NAME, ADDRESS or RANGE is missing")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := l.prepare(); err != nil {
				return err
			}
			return l.run(cmd.Context(), args)
		},
	}
	f := cmd.Flags()
	l.fileFlag(cmd)
	f.BoolVarP(&l.status, "status", "A", false, "show all names of an ADDRESS, or of the host that has the NAME")
	f.BoolVar(&l.group, "group", false, "list who answers by broadcast for the NAME of a group: a workgroup (<00>), unless it says otherwise")
	f.StringArrayVar(&l.servers, "server", nil, "ask the name server (WINS) at `ADDRESS` and nobody else; may be given again")
	f.DurationVar(&l.timeout, "timeout", 0, "wait for this `TIME` before a question is repeated (default as configured, 600ms for ranges)")
	f.IntVar(&l.rate, "rate", 2000, "ask at most `N` addresses of a range in a second")
	f.IntVar(&l.tries, "tries", 2, "ask a silent address of a range `N` times")
	f.Uint16Var(&l.port, "port", 0, "UDP `PORT` to ask (default 137)")
	f.BoolVar(&l.json, "json", false, "one JSON object a line")
	return cmd
}

// newResolver returns the resolver that the configuration describes.
func newResolver(cfg *config.Config, hosts resolver.LMHosts) *resolver.Resolver {
	return &resolver.Resolver{
		NodeType: cfg.Names.NodeType, Order: cfg.Names.Order, Servers: cfg.Names.Servers, LMHosts: hosts,
		Retry: cfg.Names.BroadcastTimeout, ServerRetry: cfg.Names.ServerTimeout,
		Cache: new(resolver.Cache),
	}
}

// prepare checks the flags and makes the resolver.
func (l *lookup) prepare() (err error) {
	switch {
	case l.status && l.group:
		return usagef("-A and --group are two questions: ask one")
	case l.timeout < 0:
		return usagef("--timeout %v: it takes a time such as 1s", l.timeout)
	case l.rate < 1:
		return usagef("--rate %d: it takes a number from 1", l.rate)
	case l.tries < 1:
		return usagef("--tries %d: it takes a number from 1", l.tries)
	}
	if l.cfg, err = l.load(); err != nil {
		return err
	}
	hosts, err := l.lmhosts("", l.cfg.Names.LMHosts)
	if err != nil {
		return err
	}
	l.resolve = newResolver(l.cfg, hosts)
	l.resolve.Port = l.port
	if l.timeout > 0 {
		l.resolve.Retry, l.resolve.ServerRetry = l.timeout, l.timeout
	}
	if len(l.servers) > 0 {
		l.resolve.Order, l.resolve.Servers = []string{resolver.FromWINS}, nil
	}
	for _, s := range l.servers {
		server, err := netip.ParseAddrPort(s)
		if addr, e := netip.ParseAddr(s); e == nil {
			server, err = netip.AddrPortFrom(addr, cmp.Or(l.port, 137)), nil
		}
		if err != nil || !server.Addr().Is4() {
			return usagef("--server %q: it takes an IPv4 address", s)
		}
		l.resolve.Servers = append(l.resolve.Servers, server)
	}
	l.ascii = term.IsTerminal(int(l.Stdout.Fd())) && !display.IsUTF8(os.Getenv)
	return nil
}

// run answers the question that the flags choose, about each of the arguments.
func (l *lookup) run(ctx context.Context, args []string) error {
	ranges := 0
	for _, arg := range args {
		if resolver.LooksLikeRange(arg) {
			ranges++
		} else if addr, err := netip.ParseAddr(arg); err == nil {
			return usagef("%s: NetBIOS has IPv4 addresses only", addr)
		}
	}
	one := l.name
	switch {
	case l.status:
		one = l.statusOf
	case l.group && ranges > 0:
		return usagef("--group: it takes the name of a workgroup, not an address")
	case l.group:
		one = l.members
	case ranges == len(args):
		return l.scan(ctx, args)
	case ranges > 0:
		return usagef("names and addresses together: look them up one after the other")
	}
	var failed error
	for i, arg := range args {
		if i > 0 && !l.json && (l.status || l.group) {
			fmt.Fprintln(l.Stdout)
		}
		err := one(ctx, arg)
		if u := (*usageError)(nil); errors.As(err, &u) || ctx.Err() != nil || len(args) == 1 {
			return err
		}
		if err == nil {
			continue
		}
		if !errors.Is(err, errSaid) {
			fmt.Fprintf(l.Stderr, "messngr: %s\n", oneLine(err))
		}
		failed = errSaid
	}
	return failed
}

// encode puts a name in the code page of the network.
func (l *lookup) encode(name string) ([]byte, error) {
	return l.cfg.SendPage(netip.Addr{}, name).EncodeName(name)
}

// name looks up one name: a messenger's, unless it says otherwise.
func (l *lookup) name(ctx context.Context, text string) error {
	name, host, err := resolver.ParseQuery(text, 0x03, l.encode)
	if err != nil {
		return &usageError{err}
	}
	found, err := l.resolve.Resolve(ctx, name, host)
	if err != nil {
		return l.failed(text, err)
	}
	return l.writeFound(text, found)
}

// statusOf shows the node status of one host: of an address, or of the host
// that has a name, its computer name unless it says otherwise.
func (l *lookup) statusOf(ctx context.Context, text string) error {
	var found resolver.Found
	if resolver.LooksLikeRange(text) {
		addr, err := netip.ParseAddr(text)
		if err != nil {
			return usagef("-A %q: it takes one address or name", text)
		}
		if _, err := resolver.RangesOf(addr); err != nil {
			return &usageError{err}
		}
		found = resolver.Found{Addr: addr, From: resolver.FromAddress, By: resolver.FromAddress}
	} else {
		name, host, err := resolver.ParseQuery(text, 0x00, l.encode)
		if err != nil {
			return &usageError{err}
		}
		if found, err = l.resolve.Resolve(ctx, name, host); err != nil {
			return l.failed(text, err)
		}
	}
	status, err := l.resolve.NodeStatus(ctx, found.Addr)
	if err != nil {
		return l.failed(text, err)
	}
	return l.writeStatus(row{resolver.Host{Addr: found.Addr, Status: status}, found})
}

// failed says that nothing was found: with --json as an object.
func (l *lookup) failed(text string, err error) error {
	if !l.json {
		return err
	}
	if err := l.writeJSON(struct {
		Asked string `json:"asked"`
		Error string `json:"error"`
	}{text, oneLine(err)}); err != nil {
		return err
	}
	return errSaid
}
