package wins

import (
	"sync/atomic"
)

// A counter is a thing that is counted.
type counter int

// The counters.
const (
	queryFound counter = iota
	notFound
	registered
	refreshed
	released
	ignored
	refusedOwn
	refusedStatic
	refusedKind
	refusedAddress
	refusedOwned
	refusedScope
	full
	fullSource
	fullGroup
	malformedRequest
	busy
	toldToWait
	challenged
	challengeWon
	challengeLost
	storeFailed
	forgotten
	counterCount
)

// counterNames are the names of the counters.
var counterNames = [counterCount]string{
	queryFound:       "queries_found",
	notFound:         "queries_not_found",
	registered:       "registered",       // new owners, and new members of groups
	refreshed:        "refreshed",        // owners that were there before
	released:         "released",         // names, and members of groups
	ignored:          "granted_unkept",   // names of one segment, and addresses that are nobody's
	refusedOwn:       "refused_own",      // names of this very station
	refusedStatic:    "refused_static",   // static names
	refusedKind:      "refused_kind",     // a group where the suffix says unique, or the reverse
	refusedAddress:   "refused_address",  // for an address that the sender does not have
	refusedOwned:     "refused_owned",    // names that another host has, or a group
	refusedScope:     "refused_scope",    // scopes that are too long
	full:             "refused_full",     // there are too many names
	fullSource:       "refused_source",   // the sender has registered too many names
	fullGroup:        "refused_members",  // the internet group has too many members
	malformedRequest: "malformed",        // no address, or the address of another name
	busy:             "dropped_busy",     // a change of the name is under way, or too many are of others
	toldToWait:       "told_to_wait",     // the owner is being asked on behalf of another claim
	challenged:       "challenges",       // owners that were asked
	challengeWon:     "challenges_won",   // by the claimant
	challengeLost:    "challenges_lost",  // by the claimant
	storeFailed:      "refused_by_store", // changes that could not be kept
	forgotten:        "forgotten",        // names that had expired or been released long ago
}

type counters [counterCount]atomic.Int64

func (c *counters) add(n counter) { c[n].Add(1) }

// Counters returns what has been counted, by name, and with "names" how many
// names there are, static ones apart.
func (s *Server) Counters() map[string]int64 {
	m := make(map[string]int64, counterCount+1)
	for i := range s.counters {
		m[counterNames[i]] = s.counters[i].Load()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m["names"] = int64(s.names)
	return m
}
