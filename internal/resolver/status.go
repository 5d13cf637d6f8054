package resolver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbns"
)

// statusTries is how often a node is asked for its status. A host that is there
// answers at once, and its sender waits: so not the three times that RFC 1002 6
// has for broadcasts.
const statusTries = 2

// NodeStatus asks the host at addr for its names: RFC 1002 5.1.1.6. It waits for
// twice r.Retry.
func (r *Resolver) NodeStatus(ctx context.Context, addr netip.Addr) (nbns.NodeStatus, error) {
	status, err := r.nodeStatus(ctx, addr)
	if err != nil {
		return nbns.NodeStatus{}, fmt.Errorf("node status of %s: %w", addr, err)
	}
	return status, nil
}

var errSilent = errors.New("no answer: the host is off, or has no NetBIOS, or a firewall drops UDP port 137")

func (r *Resolver) nodeStatus(ctx context.Context, addr netip.Addr) (nbns.NodeStatus, error) {
	// A connected socket takes packets from the one that was asked only, and
	// hears at once when nobody listens there.
	var d net.Dialer
	conn, err := d.DialContext(ctx, "udp4", netip.AddrPortFrom(addr.Unmap(), r.port()).String())
	if err != nil {
		return nbns.NodeStatus{}, cause(err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()

	query := nbns.StatusQuery(newID(), netbios.Wildcard, "")
	question, _ := query.AppendBinary(nil) // without a scope it can be written
	packet := make([]byte, 1<<16)
	for range statusTries {
		conn.SetReadDeadline(time.Now().Add(r.retry()))
		if err := ctx.Err(); err != nil {
			return nbns.NodeStatus{}, err
		}
		if _, err := conn.Write(question); err != nil {
			return nbns.NodeStatus{}, cause(err)
		}
		for {
			size, err := conn.Read(packet)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil {
				return nbns.NodeStatus{}, cause(err)
			}
			if status, ok := statusIn(query, packet[:size]); ok {
				return status, nil
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return nbns.NodeStatus{}, err
	}
	return nbns.NodeStatus{}, errSilent
}

// statusIn returns the status in a packet, if it is an answer to the query.
//
// Deliberately lax: the name of the record may be another than the one asked
// for, since the wildcard stands for all of them.
func statusIn(query nbns.Packet, packet []byte) (nbns.NodeStatus, bool) {
	p, err := nbns.Parse(packet)
	if err != nil || !p.Response || p.ID != query.ID || p.Opcode != nbns.Query || p.RCode != nbns.Success || p.Answer.Type != nbns.TypeNBSTAT {
		return nbns.NodeStatus{}, false
	}
	status, err := nbns.ParseNodeStatus(p.Answer.Data)
	return status, err == nil
}

// MessengerName returns the name under which a node takes messages: the <03>
// that goes with its unique <00>, which is the computer's own, else its first
// unique <03>, which is a user's or an alias. It reports false if there is none.
func MessengerName(status nbns.NodeStatus) (netbios.Name, bool) {
	usable := func(n nbns.NodeName, suffix netbios.Suffix) bool {
		return n.Name.Suffix() == suffix && n.Flags&(nbns.Group|nbns.Conflict|nbns.Deregister) == 0
	}
	var first netbios.Name
	found := false
	for _, n := range status.Names {
		if !usable(n, netbios.Messenger) {
			continue
		}
		if !found {
			first, found = n.Name, true
		}
		for _, computer := range status.Names {
			if usable(computer, netbios.Workstation) && computer.Name.WithSuffix(netbios.Messenger) == n.Name {
				return n.Name, true
			}
		}
	}
	return first, found
}
