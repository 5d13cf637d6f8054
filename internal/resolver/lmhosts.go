package resolver

import (
	"bytes"
	"fmt"
	"iter"
	"maps"
	"net/netip"
	"slices"

	"github.com/messngr/messngr/netbios"
)

// LMHosts is what LMHOSTS files say: [MS-NBTE] 2.2.3. Its zero value is empty.
type LMHosts struct {
	// exact are the names with a suffix, plain those without, under <00>.
	exact, plain map[netbios.Name]hostsEntry
}

// A hostsEntry is what the lines about one name say.
type hostsEntry struct {
	addrs []netip.Addr
	at    place // of the first of them
	pre   bool  // one has #PRE
	many  bool  // the name takes the addresses of further lines: it has #MH or is a domain
}

// A place is a line of a file.
type place struct {
	path string
	line int
}

func (p place) String() string { return fmt.Sprintf("%s:%d", p.path, p.line) }

// maxHosts is the most addresses of one name: Windows keeps no more of a domain
// or of a host.
const maxHosts = 25

// Lookup returns the addresses of a name. A line without a suffix is about a
// computer or a user: it answers for <00>, <03> and <20>. Of several lines with
// the same name the first counts, unless #MH says that they are about one host.
func (h LMHosts) Lookup(name netbios.Name) ([]netip.Addr, bool) {
	e, ok := h.entry(name)
	return e.addrs, ok
}

func (h LMHosts) entry(name netbios.Name) (hostsEntry, bool) {
	if e, ok := h.exact[name]; ok {
		return e, true
	}
	if !hasPlainSuffix(name) {
		return hostsEntry{}, false
	}
	e, ok := h.plain[name.WithSuffix(0)]
	return e, ok
}

// plainSuffixes are those for which a line without a suffix answers.
var plainSuffixes = [...]netbios.Suffix{netbios.Workstation, netbios.Messenger, netbios.FileServer}

func hasPlainSuffix(name netbios.Name) bool { return slices.Contains(plainSuffixes[:], name.Suffix()) }

// All goes through all names for which Lookup has an answer, ordered by their
// bytes. A domain (#DOM) is the group name DOMAIN<1C>.
func (h LMHosts) All() iter.Seq2[netbios.Name, []netip.Addr] {
	return func(yield func(netbios.Name, []netip.Addr) bool) {
		names := slices.Collect(maps.Keys(h.exact))
		for plain := range h.plain {
			for _, suffix := range plainSuffixes {
				if name := plain.WithSuffix(suffix); h.exact[name].addrs == nil {
					names = append(names, name)
				}
			}
		}
		slices.SortFunc(names, func(a, b netbios.Name) int { return bytes.Compare(a[:], b[:]) })
		for _, name := range names {
			if addrs, _ := h.Lookup(name); !yield(name, addrs) {
				return
			}
		}
	}
}

// add adds a line about a name. Many says that its address joins those of the
// lines before, if they say so too.
func add(m map[netbios.Name]hostsEntry, name netbios.Name, addr netip.Addr, at place, pre, many bool) {
	e, ok := m[name]
	switch {
	case !ok:
		e = hostsEntry{at: at, pre: pre, many: many}
	case !many || !e.many:
		return
	}
	e.pre = e.pre || pre
	if !slices.Contains(e.addrs, addr) && len(e.addrs) < maxHosts {
		e.addrs = append(e.addrs, addr)
	}
	m[name] = e
}
