package names

import "time"

// Timers are how long a Node waits for what, and how often it tries. A field
// that is zero has the default: that of RFC 1002 for broadcasts, that of Windows
// for name servers. The RFC has 5 s for Server, Windows 750 ms for Broadcast.
type Timers struct {
	// Broadcast is the time between two broadcasts of a request, and
	// BroadcastCount how many there are: RFC 1002 6, BCAST_REQ_RETRY_TIMEOUT
	// and BCAST_REQ_RETRY_COUNT.
	Broadcast      time.Duration
	BroadcastCount int
	// Server and ServerCount are the same for requests to one host:
	// UCAST_REQ_RETRY_TIMEOUT and UCAST_REQ_RETRY_COUNT.
	Server      time.Duration
	ServerCount int
	// Conflict is for how long answers to the overwrite demand are waited for:
	// CONFLICT_TIMER.
	Conflict time.Duration

	// ServerDown is for how long a name server that did not answer is left
	// out: Windows' WinsDownTimeout.
	ServerDown time.Duration
	// ServersAgain is when a node of type M or H, whose names no server has
	// granted, asks the servers again. Windows does so after two minutes, an
	// eighth of its InitialRefreshTimeout.
	ServersAgain time.Duration
	// ClaimAgain is when a name that another host has is claimed again. It
	// doubles from time to time, up to ClaimAgainMost.
	ClaimAgain, ClaimAgainMost time.Duration
	// Probe is the time between two probes of a name which somebody says is in
	// conflict.
	Probe time.Duration
}

// setDefaults gives the fields that are zero their defaults.
func (t *Timers) setDefaults() {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&t.Broadcast, 250 * time.Millisecond},
		{&t.Server, 1500 * time.Millisecond},
		{&t.Conflict, time.Second},
		{&t.ServerDown, 15 * time.Second},
		{&t.ServersAgain, 2 * time.Minute},
		{&t.ClaimAgain, 15 * time.Second},
		{&t.ClaimAgainMost, 5 * time.Minute},
		{&t.Probe, 10 * time.Second},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	for _, count := range []*int{&t.BroadcastCount, &t.ServerCount} {
		if *count == 0 {
			*count = 3
		}
	}
}

const (
	// releaseEvery is the most time between two releases of a name, so that a
	// service which stops has done so within a second.
	releaseEvery = 250 * time.Millisecond
	// maxWait is how long a name server can make us wait for its answer.
	maxWait = 2 * time.Minute
	// maxTTL is the longest time for which a grant is believed to last; one
	// without end is believed for as long.
	maxTTL = 144 * time.Hour
	// minRefresh is the least time between two refreshes of a name, whatever
	// little a server grants.
	minRefresh = time.Second
)

// refreshAfter returns when a name that was granted for ttl seconds is
// refreshed: after half of the time (RFC 1002 5.1.2.1 leaves it to the node).
func refreshAfter(ttl uint32) time.Duration {
	granted := time.Duration(ttl) * time.Second
	if ttl == 0 || granted > maxTTL {
		granted = maxTTL
	}
	return max(granted/2, minRefresh)
}
