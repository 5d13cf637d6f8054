// Package resolver asks others for the addresses of NetBIOS names, and for the
// names of addresses. What a file says is LMHosts. The packets are those of
// package nbns.
package resolver

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/messngr/messngr/netbios"
)

// port is that of the name service: RFC 1002 4.2, NAME_SERVICE_UDP_PORT.
const port = 137

// maxAddrs is the most addresses of one answer that are looked at.
const maxAddrs = 8

// Where an answer came from: the values of Found.From.
const (
	FromAddress   = "address"   // what was asked for is an address itself
	FromLMHosts   = "lmhosts"   // a line of an LMHOSTS file
	FromBroadcast = "broadcast" // the owner of the name, who was asked by broadcast
	FromDNS       = "dns"       // the domain name system
)

// Found is an answer of a Resolver.
type Found struct {
	Addr netip.Addr   // IPv4
	Name netbios.Name // the name that was asked for
	From string
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
	// LMHosts is asked before anybody else.
	LMHosts LMHosts
	// Port is the UDP port of the name services that are asked; 137 if zero.
	Port uint16
	// Retry is how long one question waits for an answer before it is asked
	// again; 250 ms if zero, which is BCAST_REQ_RETRY_TIMEOUT of RFC 1002 6.
	Retry time.Duration
	// DNSTimeout bounds the question to the DNS; 3 s if zero.
	DNSTimeout time.Duration

	// What tests replace.
	lookupDNS func(ctx context.Context, host string) ([]netip.Addr, error)
	peersOf   func() ([]peer, error)
}

// Resolve finds the address of a host by its NetBIOS name or, in the DNS, by
// its host name, which is as the user wrote it. An IPv4 address as host is its
// own answer.
//
// The LMHOSTS file is asked first, then everybody on the network by broadcast,
// then the DNS. The first answer wins at once. A host name with a dot, which is
// the name of one host in the world, goes to the DNS first. A name that begins
// with an asterisk, and the zero Name, belong to nobody: only the DNS is asked.
//
// The error is a *NotFoundError if nobody knows the name.
func (r *Resolver) Resolve(ctx context.Context, name netbios.Name, host string) (Found, error) {
	if addr, err := netip.ParseAddr(host); err == nil && addr.Unmap().Is4() {
		return Found{addr.Unmap(), name, FromAddress}, nil
	}
	steps := []step{r.resolveLMHosts, r.resolveBroadcast, r.resolveDNS}
	text := name.String()
	switch {
	case name[0] == '*' || name == (netbios.Name{}):
		steps = steps[2:]
		text = host
	case strings.Contains(host, "."):
		steps = []step{r.resolveDNS, r.resolveLMHosts, r.resolveBroadcast}
		text = host
	}
	var tried []string
	for _, step := range steps {
		found, whom := step(ctx, name, host)
		if found.Addr.IsValid() {
			return found, nil
		}
		if err := ctx.Err(); err != nil {
			return Found{}, fmt.Errorf("resolve %s: %w", text, err)
		}
		tried = append(tried, whom...)
	}
	return Found{}, &NotFoundError{text, tried}
}

// A step asks one kind of source. Without an answer it returns whom it asked.
type step func(ctx context.Context, name netbios.Name, host string) (found Found, whom []string)

func (r *Resolver) resolveLMHosts(_ context.Context, name netbios.Name, _ string) (Found, []string) {
	addr, ok := r.LMHosts.Lookup(name)
	if !ok {
		return Found{}, []string{"lmhosts"}
	}
	return Found{addr, name, FromLMHosts}, nil
}

func (r *Resolver) resolveDNS(ctx context.Context, name netbios.Name, host string) (Found, []string) {
	if host == "" {
		return Found{}, nil
	}
	lookup := r.lookupDNS
	if lookup == nil {
		lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip4", host)
		}
	}
	timeout := r.DNSTimeout
	if timeout == 0 {
		timeout = 3 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	addrs, err := lookup(ctx, host)
	for _, addr := range addrs {
		if addr = addr.Unmap(); addr.Is4() {
			return Found{addr, name, FromDNS}, nil
		}
	}
	whom := "DNS"
	if dns := (*net.DNSError)(nil); errors.As(err, &dns) && !dns.IsNotFound {
		whom = fmt.Sprintf("DNS (%s)", dns.Err)
	}
	return Found{}, []string{whom}
}

func (r *Resolver) port() uint16 {
	if r.Port == 0 {
		return port
	}
	return r.Port
}

func (r *Resolver) retry() time.Duration {
	if r.Retry == 0 {
		return 250 * time.Millisecond
	}
	return r.Retry
}

// newID returns a NAME_TRN_ID that nobody can guess.
func newID() uint16 {
	var b [2]byte
	rand.Read(b[:]) // never fails: crypto/rand
	return binary.BigEndian.Uint16(b[:])
}
