// Package names answers for this host's NetBIOS names. The packets are those of
// package nbns.
//
// # Limitations
//
// The Node answers questions and no more: it does not claim its names before it
// uses them, and does not defend them. Names have no scope.
package names

import (
	"fmt"

	"github.com/messngr/messngr/netbios"
)

// port is that of the name service: RFC 1002 4.2, NAME_SERVICE_UDP_PORT.
const port = 137

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
	for _, alias := range aliases {
		if err := add("alias", alias, false, netbios.Messenger); err != nil {
			return nil, err
		}
	}
	if err := add("workgroup", workgroup, true, netbios.Workstation); err != nil {
		return nil, err
	}
	return own, nil
}
