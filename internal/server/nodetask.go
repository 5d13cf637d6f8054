package server

import "github.com/messngr/messngr/internal/names"

// A nodeTask is a name service node whose counters have names.
type nodeTask struct{ *names.Node }

func (n nodeTask) Counters() map[string]int64 {
	c := n.Node.Counters()
	return map[string]int64{
		"queries":        int64(c.Queries.Load()),
		"answered":       int64(c.Answered.Load()),
		"refused_source": int64(c.Refused.Load()),
		"malformed":      int64(c.Malformed.Load()),
	}
}
