package resolver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/messngr/messngr/internal/links"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbns"
)

// broadcastTries is BCAST_REQ_RETRY_COUNT of RFC 1002 6.
const broadcastTries = 3

// A peer is one destination of a question that goes to everybody, and where the
// answers to it can come from.
type peer struct {
	addr netip.Addr
	from netip.Prefix
	text string
}

// peers returns the broadcast addresses of this host's networks, and this host
// itself, whose names are so found without any network.
func peers() ([]peer, error) {
	all := []peer{{links.Localhost, links.Loopback, "this host"}}
	networks, err := links.Read()
	for _, l := range networks {
		if l.Broadcast.IsValid() {
			all = append(all, peer{l.Broadcast, l.Prefix, fmt.Sprintf("broadcast on %s (%s)", l.Name, l.Broadcast)})
		}
	}
	return all, err
}

// resolveBroadcast asks everybody: RFC 1002 5.1.1.3. One socket asks on all
// networks at once, so that none is waited for while another answers.
func (r *Resolver) resolveBroadcast(ctx context.Context, name netbios.Name, _ string) (Found, []string) {
	peersOf := r.peersOf
	if peersOf == nil {
		peersOf = peers
	}
	all, err := peersOf()
	if len(all) == 0 {
		return Found{}, []string{fmt.Sprintf("broadcast (%v)", err)}
	}
	// Go sets SO_BROADCAST on every UDP socket.
	var lc net.ListenConfig
	pc, err := lc.ListenPacket(ctx, "udp4", ":0")
	if err != nil {
		return Found{}, []string{fmt.Sprintf("broadcast (%v)", cause(err))}
	}
	conn := pc.(*net.UDPConn)
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()

	query := nbns.NameQuery(newID(), name, "", true)
	question, _ := query.AppendBinary(nil) // without a scope it can be written
	failed := make([]error, len(all))
	packet := make([]byte, 1<<16)
	for range broadcastTries {
		conn.SetReadDeadline(time.Now().Add(r.retry()))
		if ctx.Err() != nil {
			return Found{}, nil
		}
		for i, p := range all {
			_, failed[i] = conn.WriteToUDPAddrPort(question, netip.AddrPortFrom(p.addr, r.port()))
		}
		for {
			size, from, err := conn.ReadFromUDPAddrPort(packet)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil {
				return Found{}, []string{fmt.Sprintf("broadcast (%v)", cause(err))}
			}
			if addr, ok := answerTo(query, packet[:size], from.Addr().Unmap(), all); ok {
				return Found{addr, name, FromBroadcast}, nil
			}
		}
	}
	whom := make([]string, len(all))
	for i, p := range all {
		if whom[i] = p.text; failed[i] != nil {
			whom[i] += fmt.Sprintf(": %v", cause(failed[i]))
		}
	}
	return Found{}, whom
}

// answerTo returns the address that a packet gives for the name of the query,
// if it is an answer to it: with its id, its name, and from a network that was
// asked. Anything else may have been sent by anybody and says nothing.
//
// Of several addresses of a host, the one that answered is preferred, then one
// on the same network.
func answerTo(query nbns.Packet, packet []byte, from netip.Addr, asked []peer) (netip.Addr, bool) {
	p, err := nbns.Parse(packet)
	if err != nil || !p.Response || p.ID != query.ID || p.Opcode != nbns.Query || p.RCode != nbns.Success {
		return netip.Addr{}, false
	}
	if rr, q := p.Answer, query.Question; rr.Type != nbns.TypeNB || rr.Class != nbns.Internet || rr.Name != q.Name || rr.Scope != q.Scope {
		return netip.Addr{}, false
	}
	var network netip.Prefix
	for _, p := range asked {
		if p.from.Contains(from) && (!network.IsValid() || p.from.Bits() > network.Bits()) {
			network = p.from
		}
	}
	if !network.IsValid() {
		return netip.Addr{}, false
	}
	var buf [maxAddrs]nbns.Addr
	addrs, err := nbns.ParseAddrs(buf[:0], p.Answer.Data)
	if err != nil {
		return netip.Addr{}, false
	}
	best, rank := netip.Addr{}, 0
	for _, a := range addrs {
		switch {
		case a.Addr.IsUnspecified() || a.Addr.IsMulticast() || a.Addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
			// no host's address
		case a.Addr.IsLoopback() && !from.IsLoopback():
			// another host's own loopback is ours here
		case a.Addr == from && rank < 3:
			best, rank = a.Addr, 3
		case network.Contains(a.Addr) && rank < 2:
			best, rank = a.Addr, 2
		case rank < 1:
			best, rank = a.Addr, 1
		}
	}
	return best, rank > 0
}

// cause returns what the system said, without the addresses around it.
func cause(err error) error {
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		err = op.Err
	}
	if sys := (*os.SyscallError)(nil); errors.As(err, &sys) {
		err = sys.Err
	}
	return err
}
