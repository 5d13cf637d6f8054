// Package resolver asks others for the addresses of NetBIOS names, and for the
// names of addresses. What a file says is LMHosts. The packets are those of
// package nbns.
package resolver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/messngr/messngr/netbios"
)

// port is that of the name service: RFC 1002 4.2, NAME_SERVICE_UDP_PORT.
const port = 137

// The sources of Resolver.Order and, with FromAddress, the values of Found.From.
const (
	FromAddress   = "address"   // what was asked for is an address itself
	FromLMHosts   = "lmhosts"   // a line of an LMHOSTS file
	FromWINS      = "wins"      // a NetBIOS name server
	FromBroadcast = "broadcast" // the owner of the name, who was asked by broadcast
	FromDNS       = "dns"       // the domain name system
)

// Found is an answer of a Resolver.
type Found struct {
	Addr   netip.Addr   // IPv4: the first of Addrs
	Addrs  []netip.Addr // the best to reach first, at most 25; not to be changed
	Name   netbios.Name // the name that was asked for
	From   string       // the kind of source that knew it first
	By     string       // who that was, such as "wins 10.0.0.1"
	Group  bool         // it is known to be a group name
	Cached bool         // From was not asked again
}

// Source returns By, and that it comes out of the cache if it does.
func (f Found) Source() string {
	if f.Cached {
		return "cache, from " + f.By
	}
	return f.By
}

// A NotFoundError says that nobody knows a name.
type NotFoundError struct {
	Name  string
	Tried []string // who was asked, with what went wrong there
}

func (e *NotFoundError) Error() string {
	return fmt.Sprintf("%s was not found: tried %s", e.Name, strings.Join(e.Tried, ", "))
}

// A Resolver finds the addresses of names. Its zero value asks by broadcast and
// DNS. It may be used by many goroutines; its fields are not to be changed
// meanwhile.
type Resolver struct {
	// NodeType is how this host resolves names: "B" by broadcast, "P" by name
	// servers, "M" by broadcast first, "H" by name servers first; "H" if it is
	// empty and there are Servers, else "B". See RFC 1001 10.
	NodeType string
	// Order is the sources in the order in which they are asked: FromLMHosts,
	// FromWINS, FromBroadcast and FromDNS, of which any may be missing. If it
	// is empty, the NodeType says it: LMHOSTS first, since a person wrote it,
	// then what the type says, then the DNS. Wherever LMHOSTS stands, its
	// lines with #PRE come first.
	Order []string
	// LMHosts is what LMHOSTS files say.
	LMHosts LMHosts
	// Servers are the name servers, in the order in which they are asked. One
	// that is silent is left out for WINSDownTimeout. The first that has an
	// answer ends it, be it that there is no such name.
	Servers []netip.AddrPort
	// Cache keeps what name servers and broadcasts answered; it is asked
	// before them. If it is nil nothing is kept.
	Cache *Cache

	// Port is the UDP port of the nodes that are asked; 137 if zero.
	Port uint16
	// Retry is how long a question by broadcast, or to a node, waits for an
	// answer before it is asked again; 250 ms if zero, which is
	// BCAST_REQ_RETRY_TIMEOUT of RFC 1002 6.
	Retry time.Duration
	// ServerRetry is the same for a question to a name server; 1.5 s if zero,
	// as in Windows. UCAST_REQ_RETRY_TIMEOUT of RFC 1002 6 is 5 s.
	ServerRetry time.Duration
	// WINSDownTimeout is 15 s if zero, as in Windows.
	WINSDownTimeout time.Duration
	// DNSTimeout bounds the question to the DNS; 3 s if zero.
	DNSTimeout time.Duration

	mu   sync.Mutex
	down map[netip.AddrPort]time.Time // the servers that are left out, until when

	// What tests replace.
	lookupDNS func(ctx context.Context, host string) ([]netip.Addr, error)
	peersOf   func() ([]peer, error)
	maxWait   time.Duration // waitTimeout if zero
}

// orders are the sources by node type: RFC 1001 10 with LMHOSTS before and the
// DNS behind what it has.
var orders = map[string][]string{
	"B": {FromLMHosts, FromBroadcast, FromDNS},
	"P": {FromLMHosts, FromWINS, FromDNS},
	"M": {FromLMHosts, FromBroadcast, FromWINS, FromDNS},
	"H": {FromLMHosts, FromWINS, FromBroadcast, FromDNS},
}

func (r *Resolver) order() ([]string, error) {
	if len(r.Order) > 0 {
		return r.Order, nil
	}
	order, ok := orders[r.Type()]
	if !ok {
		return nil, fmt.Errorf("%q is no node type: there are B, P, M and H", r.NodeType)
	}
	return order, nil
}

// Type returns the node type: NodeType or what stands for an empty one.
func (r *Resolver) Type() string {
	switch {
	case r.NodeType != "":
		return r.NodeType
	case len(r.Servers) > 0:
		return "H"
	}
	return "B"
}

// Resolve finds the addresses of a host by its NetBIOS name or, in the DNS, by
// its host name, which is as the user wrote it; if it is empty the DNS is not
// asked. An IPv4 address as host is its own answer.
//
// The sources are asked in r's order, and the first answer wins at once. A host
// name with a dot, which is the name of one host in the world, goes to the DNS
// first; for names of other services than <00>, <03> and <20> it is not asked,
// since it has hosts only. A name that begins with an asterisk, and the zero Name, belong to
// nobody: only the DNS is asked.
//
// The error is a *NotFoundError if nobody knows the name.
func (r *Resolver) Resolve(ctx context.Context, name netbios.Name, host string) (Found, error) {
	if addr, err := netip.ParseAddr(host); err == nil && addr.Unmap().Is4() {
		addr = addr.Unmap()
		return Found{Addr: addr, Addrs: []netip.Addr{addr}, Name: name, From: FromAddress, By: FromAddress}, nil
	}
	order, err := r.order()
	if err != nil {
		return Found{}, err
	}
	q := &question{Resolver: r, name: name, host: host}
	ask := func(source string) (Found, error) {
		found, err := q.ask(ctx, source)
		if err == nil && ctx.Err() != nil && !found.Addr.IsValid() {
			err = fmt.Errorf("resolve %s: %w", q, ctx.Err())
		}
		return found, err
	}
	named := name[0] != '*' && name != (netbios.Name{})
	if slices.Contains(order, FromDNS) && (!named || strings.Contains(host, ".") && hasPlainSuffix(name)) {
		q.inDNS = true
		if found, err := ask(FromDNS); err != nil || found.Addr.IsValid() {
			return found, err
		}
	}
	if named {
		if e, ok := r.LMHosts.entry(name); ok && e.pre {
			return q.inLMHosts()
		}
		for _, source := range order {
			if source == FromDNS && q.inDNS {
				continue
			}
			if found, err := ask(source); err != nil || found.Addr.IsValid() {
				return found, err
			}
		}
		q.keepSilence()
	}
	return Found{}, &NotFoundError{q.String(), q.tried}
}

// A question is one call of Resolve, and what has become of it so far.
type question struct {
	*Resolver
	name  netbios.Name
	host  string
	inDNS bool     // the DNS comes first
	tried []string // who had no answer, with what went wrong

	looked         bool // into the cache
	nobody         bool // the cache says that nobody on the network knows the name
	asked, unknown int  // sources on the network: all, and those of which it is not sure that they do not know
}

func (q *question) String() string {
	if q.inDNS && q.host != "" {
		return q.host
	}
	return q.name.String()
}

// ask asks one source. No answer is the zero Found.
func (q *question) ask(ctx context.Context, source string) (Found, error) {
	switch source {
	case FromLMHosts:
		return q.inLMHosts()
	case FromDNS:
		return q.resolveDNS(ctx)
	case FromWINS, FromBroadcast:
		return q.onNetwork(ctx, source)
	}
	return Found{}, fmt.Errorf("%q is nowhere to look names up: there are %s, %s, %s and %s", source, FromLMHosts, FromWINS, FromBroadcast, FromDNS)
}

func (q *question) inLMHosts() (Found, error) {
	e, ok := q.LMHosts.entry(q.name)
	if !ok {
		q.tried = append(q.tried, FromLMHosts)
		return Found{}, nil
	}
	addrs := e.addrs
	if len(addrs) > 1 {
		networks, _ := q.peers()
		addrs = nearest(addrs, netip.Addr{}, networks)
	}
	return Found{Addr: addrs[0], Addrs: addrs, Name: q.name, From: FromLMHosts, By: FromLMHosts + " " + e.at.String(), Group: q.name.Suffix() == netbios.DomainController}, nil
}

// onNetwork asks the cache, and then name servers or everybody.
func (q *question) onNetwork(ctx context.Context, source string) (Found, error) {
	if !q.looked {
		q.looked = true
		found, ok := q.Cache.get(q.name)
		if ok && found.Addr.IsValid() {
			return found, nil
		}
		if q.nobody = ok; ok {
			q.tried = append(q.tried, "cache (nobody on the network knew it a moment ago)")
		}
	}
	if q.nobody {
		return Found{}, nil
	}
	resolve := q.resolveBroadcast
	if source == FromWINS {
		resolve = q.resolveWINS
	}
	q.asked++
	a, whom, sure := resolve(ctx, q.name)
	if a.found.Addr.IsValid() {
		q.Cache.put(q.name, a.found, a.ttl)
		return a.found, nil
	}
	if !sure {
		q.unknown++
	}
	q.tried = append(q.tried, whom...)
	return Found{}, nil
}

// keepSilence keeps that nobody on the network knows the name, if that is sure.
func (q *question) keepSilence() {
	if q.asked > 0 && q.unknown == 0 {
		q.Cache.put(q.name, Found{}, 0)
	}
}

func (q *question) resolveDNS(ctx context.Context) (Found, error) {
	if q.host == "" || !hasPlainSuffix(q.name) {
		return Found{}, nil // it has hosts only
	}
	lookup := q.lookupDNS
	if lookup == nil {
		lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip4", host)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, orDefault(q.DNSTimeout, 3*time.Second))
	defer cancel()
	all, err := lookup(ctx, q.host)
	var addrs []netip.Addr
	for _, addr := range all {
		if addr = addr.Unmap(); addr.Is4() && len(addrs) < maxHosts {
			addrs = append(addrs, addr)
		}
	}
	if len(addrs) > 0 {
		return Found{Addr: addrs[0], Addrs: addrs, Name: q.name, From: FromDNS, By: FromDNS}, nil
	}
	whom := "DNS"
	if dns := (*net.DNSError)(nil); errors.As(err, &dns) && !dns.IsNotFound {
		whom = fmt.Sprintf("DNS (%s)", dns.Err)
	}
	q.tried = append(q.tried, whom)
	return Found{}, nil
}

func (r *Resolver) port() uint16 {
	if r.Port == 0 {
		return port
	}
	return r.Port
}

func (r *Resolver) retry() time.Duration { return orDefault(r.Retry, 250*time.Millisecond) }

func orDefault(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}
