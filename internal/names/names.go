// Package names is this host as a node of the NetBIOS name service (RFC 1001
// 15, RFC 1002 5): on one UDP socket it claims names and defends them, answers
// for them, refreshes them with a name server and releases them at the end. The
// packets are those of package nbns.
//
// Every name is claimed on every link of the host, each for itself: HOST2<03>
// can be ours on eth0 and somebody else's on eth1.
//
//	    +-------- again after a while, or when the links change ---------+
//	    v                                                                |
//	claiming ---- refused by its owner or by a name server --------> conflict
//	    |                                                                ^
//	    | nobody objects, or a name server grants it                     |
//	    v                                                                |
//	  owned ----- a refresh is refused, or a probe of ours proves it ----+
//	    |
//	    v
//	 released
//
// # Trust
//
// Whatever comes over the network can be forged. So an answer counts only if it
// matches a question of ours, by its transaction id, opcode, name and scope, and
// comes from where it can come: from the address that was asked, or, after a
// broadcast, from the link, and from the port of the name service. A release never takes a name away from us, and a
// conflict demand only if another host answers for the name and its node status
// says the same. What is kept for the network is bounded.
//
// # Limitations
//
// Names have no scope. A link is IPv4, as NetBIOS over TCP/IP is. When a link
// goes away, its registration at a name server is left to expire.
package names

import (
	"fmt"

	"github.com/messngr/messngr/netbios"
)

// Port is that of the name service: RFC 1002 6, NAME_SERVICE_UDP_PORT.
const Port = 137

// An Own is a name that this host answers to.
type Own struct {
	Name  netbios.Name
	Group bool // others have it too
}

// OwnNames returns what a host that takes messages answers to: the computer's
// <00> and <03>, an alias's <03>, and, as a member, the workgroup's <00>. The
// names are in the OEM code page of the network.
func OwnNames(computer, workgroup string, aliases ...string) ([]Own, error) {
	var own []Own
	add := func(what, base string, group bool, suffixes ...netbios.Suffix) error {
		for _, suffix := range suffixes {
			name, err := netbios.NewName(base, suffix)
			if err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
			own = append(own, Own{name, group})
		}
		return nil
	}
	if err := add("computer name", computer, false, netbios.Workstation, netbios.Messenger); err != nil {
		return nil, err
	}
	// Before the aliases: a node status has room for some 25 names, and who asks
	// wants to know the workgroup.
	if err := add("workgroup", workgroup, true, netbios.Workstation); err != nil {
		return nil, err
	}
	for _, alias := range aliases {
		if err := add("alias", alias, false, netbios.Messenger); err != nil {
			return nil, err
		}
	}
	return own, nil
}
