package names

import "sync/atomic"

// counters count what a Node received and did.
type counters struct {
	// Requests.
	queries   atomic.Int64 // questions for names and node status from sources that are served
	answered  atomic.Int64 // those of them that got an answer of this node
	refused   atomic.Int64 // packets from sources that are not served
	truncated atomic.Int64 // packets that end too soon
	malformed atomic.Int64 // packets that cannot be read
	senseless atomic.Int64 // packets that can, but ask for nothing that there is
	handed    atomic.Int64 // requests handed to the name server of this host
	defended  atomic.Int64 // claims of others that were refused
	releases  atomic.Int64 // releases of our names by others, which have no effect

	// Responses.
	stray   atomic.Int64 // to no question of ours
	forged  atomic.Int64 // with the id of a question, but of another name, or from elsewhere
	demands atomic.Int64 // conflict demands about our names

	// What the node does.
	claims     atomic.Int64 // claims begun, by broadcast or at a server
	conflicts  atomic.Int64 // names found to be another's
	probes     atomic.Int64 // searches for another owner of one of our names
	refreshes  atomic.Int64 // refreshes sent to a server
	sendErrors atomic.Int64 // packets that could not be sent
}

// Counters returns what the node has counted, by name.
func (n *Node) Counters() map[string]int64 {
	c := &n.counters
	return map[string]int64{
		"queries":          c.queries.Load(),
		"answered":         c.answered.Load(),
		"refused_source":   c.refused.Load(),
		"truncated":        c.truncated.Load(),
		"malformed":        c.malformed.Load(),
		"senseless":        c.senseless.Load(),
		"handed_on":        c.handed.Load(),
		"defended":         c.defended.Load(),
		"foreign_releases": c.releases.Load(),
		"stray_answers":    c.stray.Load(),
		"forged_answers":   c.forged.Load(),
		"conflict_demands": c.demands.Load(),
		"claims":           c.claims.Load(),
		"conflicts":        c.conflicts.Load(),
		"probes":           c.probes.Load(),
		"refreshes":        c.refreshes.Load(),
		"send_errors":      c.sendErrors.Load(),
	}
}
