package resolver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/messngr/messngr/internal/links"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbns"
)

// broadcastTries is BCAST_REQ_RETRY_COUNT of RFC 1002 6.
const broadcastTries = 3

// maxMembers is the most members of a group that are counted.
const maxMembers = 4096

// A peer is one destination of a question that goes to everybody, and where the
// answers to it can come from.
type peer struct {
	addr netip.Addr
	from netip.Prefix
	text string
}

const thisHost = "this host"

// peers returns the broadcast addresses of this host's networks, and this host
// itself, whose names are so found without any network.
func peers() ([]peer, error) {
	all := []peer{{links.Localhost, links.Loopback, thisHost}}
	networks, err := links.Read()
	for _, l := range networks {
		if l.Broadcast.IsValid() {
			all = append(all, peer{l.Broadcast, l.Prefix, fmt.Sprintf("broadcast on %s (%s)", l.Name, l.Broadcast)})
		}
	}
	return all, err
}

func (r *Resolver) peers() ([]peer, error) {
	if r.peersOf != nil {
		return r.peersOf()
	}
	return peers()
}

// resolveBroadcast asks everybody: RFC 1002 5.1.1.3. Silence is an answer, if
// everybody could be asked.
func (r *Resolver) resolveBroadcast(ctx context.Context, name netbios.Name) (a answer, whom []string, sure bool) {
	whom, sure = r.broadcast(ctx, name, func(heard answer, _ netip.Addr) (enough bool) {
		a = heard
		return true
	})
	return a, whom, sure
}

// Members returns the members of a group: all who answer for its name by
// broadcast while it is asked for three times, each with its address, in the
// order of these. For netbios.Wildcard they are all hosts that answer for
// themselves, as Samba's do and ours. The error is a *NotFoundError if nobody
// does, and says who has the name if it is not a group's.
func (r *Resolver) Members(ctx context.Context, group netbios.Name) ([]Found, error) {
	members := make(map[netip.Addr]Found)
	var owner netip.Addr // of a unique name
	whom, _ := r.broadcast(ctx, group, func(heard answer, from netip.Addr) bool {
		if !heard.found.Group && group != netbios.Wildcard {
			owner = heard.found.Addr
			return false
		}
		m := member(heard.found, from)
		// We hear ourselves over the network too, which says more.
		if before, ok := members[m.Addr]; (!ok || before.By == thisHost) && len(members) < maxMembers {
			members[m.Addr] = m
		}
		return false
	})
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("members of %s: %w", group, err)
	}
	switch {
	case len(members) > 0:
	case owner.IsValid():
		return nil, fmt.Errorf("%s is no group: it is the name of %s alone", group, owner)
	default:
		return nil, &NotFoundError{group.String(), whom}
	}
	self, elsewhere := false, false // this host over its loopback, and over a network
	networks, _ := links.Read()
	for addr := range members {
		self = self || addr.IsLoopback()
		elsewhere = elsewhere || slices.ContainsFunc(networks, func(l links.Link) bool { return l.Addr == addr })
	}
	var all []Found
	for addr, m := range members {
		if self && elsewhere && addr.IsLoopback() {
			continue
		}
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b Found) int { return bytes.Compare(a.Addr.AsSlice(), b.Addr.AsSlice()) })
	return all, nil
}

// member returns the member of a group that answered from an address. There it
// can be asked again; what else it said may be about anybody. Only this host,
// asked over its loopback, has to say itself where others find it.
func member(found Found, from netip.Addr) Found {
	if !from.IsLoopback() {
		found.Addr = from
	}
	found.Addrs = []netip.Addr{found.Addr}
	return found
}

// broadcast asks everybody for a name and calls heard with each answer that
// counts and where it came from, until that was enough. One socket asks on all
// networks at once, so that none is waited for while another answers. It
// returns whom it asked, and whether that worked.
func (r *Resolver) broadcast(ctx context.Context, name netbios.Name, heard func(a answer, from netip.Addr) (enough bool)) (whom []string, sure bool) {
	all, err := r.peers()
	if len(all) == 0 {
		return []string{fmt.Sprintf("broadcast (%v)", err)}, false
	}
	// Go sets SO_BROADCAST on every UDP socket.
	var lc net.ListenConfig
	pc, err := lc.ListenPacket(ctx, "udp4", ":0")
	if err != nil {
		return []string{fmt.Sprintf("broadcast (%v)", cause(err))}, false
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
		deadline := time.Now().Add(r.retry())
		conn.SetReadDeadline(deadline)
		if ctx.Err() != nil {
			return nil, false
		}
		for i, p := range all {
			_, failed[i] = conn.WriteToUDPAddrPort(question, netip.AddrPortFrom(p.addr, r.port()))
		}
		for time.Now().Before(deadline) {
			size, from, err := conn.ReadFromUDPAddrPort(packet)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil {
				continue // Windows tells us so that one of them has closed its port
			}
			if from.Port() != r.port() {
				continue // whoever it is, it is no name service
			}
			if a, ok := heardFrom(query, packet[:size], from.Addr().Unmap(), all); ok && heard(a, from.Addr().Unmap()) {
				return nil, true
			}
		}
	}
	for i, p := range all {
		if whom = append(whom, p.text); failed[i] != nil {
			whom[i] += fmt.Sprintf(": %v", cause(failed[i]))
		}
	}
	return whom, slices.Contains(failed, nil)
}

// heardFrom returns what a packet says about the name of the query, if it is an
// answer to it which came from a network that was asked. Anything else may have
// been sent by anybody and says nothing.
func heardFrom(query nbns.Packet, packet []byte, from netip.Addr, asked []peer) (answer, bool) {
	network := smallestWith(from, asked)
	if !network.IsValid() {
		return answer{}, false
	}
	p, err := nbns.Parse(packet)
	if err != nil {
		return answer{}, false
	}
	addrs, group, ok := addresses(query, p)
	if addrs = nearest(addrs, from, asked); !ok || len(addrs) == 0 {
		return answer{}, false
	}
	by := ""
	for _, p := range asked {
		if p.from == network {
			by = p.text
		}
	}
	return answer{
		Found{Addr: addrs[0], Addrs: addrs, Name: query.Question.Name, From: FromBroadcast, By: by, Group: group},
		p.Answer.TTL,
	}, true
}
