package resolver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbns"
)

const (
	// serverTries is UCAST_REQ_RETRY_COUNT of RFC 1002 6.
	serverTries = 3
	// maxRedirects is how often one question is sent on to another server.
	maxRedirects = 3
	// waitTimeout is the longest that a server which asks for it (WACK) is
	// waited for.
	waitTimeout = 10 * time.Second
)

// What a name server can answer beside addresses.
var (
	errNoSuchName = errors.New("no such name")
	errNoAddress  = errors.New("a group whose members it does not list")
	errSilence    = errors.New("no answer")
	errRedirects  = errors.New("sends on without end")
)

// AtServers returns the addresses that the name servers know for a name: of an
// internet group, those of its members. It is none if there is no server, if
// none answers, and for a group whose members they do not list.
func (r *Resolver) AtServers(ctx context.Context, name netbios.Name) []netip.Addr {
	a, _, _ := r.resolveWINS(ctx, name)
	return a.found.Addrs
}

// resolveWINS asks the name servers in turn: RFC 1002 5.1.2.3. The first that
// knows ends it, also if it knows that there is no such name.
func (r *Resolver) resolveWINS(ctx context.Context, name netbios.Name) (a answer, whom []string, sure bool) {
	if len(r.Servers) == 0 {
		return answer{}, []string{"wins (no server is configured)"}, true
	}
	query := nbns.NameQuery(newID(), name, "", false)
	for _, server := range r.Servers {
		text := FromWINS + " " + r.serverText(server)
		if r.leftOut(server) {
			whom = append(whom, text+" (silent a moment ago)")
			continue
		}
		a, by, err := r.askServers(ctx, server, query)
		switch {
		case err == nil:
			a.found.Name, a.found.From, a.found.By = name, FromWINS, FromWINS+" "+r.serverText(by)
			return a, nil, true
		case ctx.Err() != nil:
			return answer{}, nil, false
		case errors.Is(err, errNoSuchName):
			return answer{}, append(whom, text), true
		}
		whom = append(whom, fmt.Sprintf("%s (%v)", text, err))
		if errors.Is(err, errNoAddress) {
			return answer{}, whom, false
		}
	}
	return answer{}, whom, false
}

// serverText returns the address of a server, with a port that is not the usual.
func (r *Resolver) serverText(server netip.AddrPort) string {
	if server.Port() == port {
		return server.Addr().String()
	}
	return server.String()
}

// leftOut reports whether a server was silent a moment ago.
func (r *Resolver) leftOut(server netip.AddrPort) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Now().Before(r.down[server])
}

// setDown leaves a server out for a while, or no longer.
func (r *Resolver) setDown(server netip.AddrPort, down bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !down {
		delete(r.down, server)
		return
	}
	if r.down == nil {
		r.down = make(map[netip.AddrPort]time.Time)
	}
	r.down[server] = time.Now().Add(orDefault(r.WINSDownTimeout, 15*time.Second))
}

// askServers asks a server and those to which it sends us on: RFC 1002 4.2.15.
// It returns the answer and whose it is.
func (r *Resolver) askServers(ctx context.Context, server netip.AddrPort, query nbns.Packet) (answer, netip.AddrPort, error) {
	asked := []netip.AddrPort{server}
	for {
		at := asked[len(asked)-1]
		p, err := r.askServer(ctx, at, query)
		if len(asked) == 1 && ctx.Err() == nil {
			r.setDown(server, err != nil)
		}
		if err != nil && len(asked) > 1 {
			err = fmt.Errorf("sent on to %s: %w", r.serverText(at), err)
		}
		if err != nil {
			return answer{}, at, err
		}
		next, redirected := p.Redirect()
		if !redirected {
			a, err := r.serverAnswer(query, p, at.Addr())
			return a, at, err
		}
		to := netip.AddrPortFrom(next, at.Port())
		if !isHost(next) || next.IsLoopback() && !at.Addr().IsLoopback() || slices.Contains(asked, to) || len(asked) > maxRedirects {
			return answer{}, at, errRedirects
		}
		asked = append(asked, to)
	}
}

// serverAnswer returns what the response of a server at an address says.
func (r *Resolver) serverAnswer(query, p nbns.Packet, at netip.Addr) (answer, error) {
	switch p.RCode {
	case nbns.Success:
	case nbns.NameError:
		return answer{}, errNoSuchName
	default:
		return answer{}, fmt.Errorf("it refuses with code %d", p.RCode)
	}
	addrs, group, _ := addresses(query, p)
	networks, _ := r.peers()
	// The server is not the host that is looked for: only from where it
	// answered counts, so that a loopback address is taken from our own only.
	if !at.IsLoopback() {
		addrs = slices.DeleteFunc(addrs, netip.Addr.IsLoopback)
	}
	addrs = nearest(addrs, netip.Addr{}, networks)
	if len(addrs) == 0 {
		return answer{}, errNoAddress
	}
	return answer{Found{Addr: addrs[0], Addrs: addrs, Group: group}, p.Answer.TTL}, nil
}

// askServer is one transaction with one server: RFC 1002 5.1.2.3. The packet is
// a response to the query, positive or not, or sends it on.
func (r *Resolver) askServer(ctx context.Context, server netip.AddrPort, query nbns.Packet) (nbns.Packet, error) {
	// A connected socket takes packets from the one that was asked only, and
	// hears at once when nobody listens there.
	var d net.Dialer
	conn, err := d.DialContext(ctx, "udp4", server.String())
	if err != nil {
		return nbns.Packet{}, cause(err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()

	question, _ := query.AppendBinary(nil) // without a scope it can be written
	packet := make([]byte, 1<<16)
	var last time.Time // when waiting ends, once the server has asked for it
	for range serverTries {
		conn.SetReadDeadline(time.Now().Add(orDefault(r.ServerRetry, 1500*time.Millisecond)))
		if err := ctx.Err(); err != nil {
			return nbns.Packet{}, err
		}
		if _, err := conn.Write(question); err != nil {
			return nbns.Packet{}, cause(err)
		}
		for {
			size, err := conn.Read(packet)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil {
				return nbns.Packet{}, cause(err)
			}
			p, wait, ok := response(query, packet[:size])
			switch {
			case ok:
				return p, nil
			case wait > 0:
				if last.IsZero() {
					last = time.Now().Add(orDefault(r.maxWait, waitTimeout))
				}
				until := time.Now().Add(wait)
				if until.After(last) {
					until = last
				}
				conn.SetReadDeadline(until)
				if err := ctx.Err(); err != nil {
					return nbns.Packet{}, err
				}
			}
		}
		if err := ctx.Err(); err != nil {
			return nbns.Packet{}, err
		}
		if !last.IsZero() {
			break // it has the question
		}
	}
	return nbns.Packet{}, errSilence
}

// response reads a packet that may be a server's response to a query. Wait is
// how long it asks us to wait for that, if it does.
func response(query nbns.Packet, packet []byte) (p nbns.Packet, wait time.Duration, ok bool) {
	p, err := nbns.Parse(packet)
	if err != nil || !p.Response || p.ID != query.ID {
		return nbns.Packet{}, 0, false
	}
	q := query.Question
	switch {
	case p.Opcode == nbns.WACK && isAbout(p.Answer, q):
		// RFC 1002 4.2.16: it repeats the header of the request.
		request, err := nbns.ParseWait(p.Answer.Data)
		if err != nil || request.Response || request.Opcode != nbns.Query {
			return nbns.Packet{}, 0, false
		}
		return nbns.Packet{}, time.Duration(p.Answer.TTL) * time.Second, false
	case p.Opcode != nbns.Query:
		return nbns.Packet{}, 0, false
	case p.RCode != nbns.Success:
		return p, 0, isAbout(p.Answer, q)
	}
	if _, redirected := p.Redirect(); redirected {
		return p, 0, isAbout(p.Authority, q)
	}
	_, _, ok = addresses(query, p)
	return p, 0, ok
}
