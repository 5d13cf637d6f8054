package rpc

import "time"

// What is sent to an address that nobody has stays with the system, which looks
// for a neighbour of that address three times, a second each, and takes its
// part of the socket's buffer meanwhile; what does not fit is lost. So whoever
// forges such addresses could keep everybody from being answered. Therefore few
// packets go to sources of which no caller has shown that it is there: some to
// each of them, and some more for all.
const (
	strangerWindow = 3 * time.Second
	strangerShare  = 2   // packets to each source in a window
	strangersShare = 128 // packets to all in a window, beside those
)

// mayTell reports whether a packet may go to a source, and counts it. s is nil
// for a source of which nothing is known.
func (m *machine) mayTell(s *source) bool {
	if s != nil && s.known {
		return true
	}
	if m.now.Sub(m.strangersSince) >= strangerWindow {
		m.strangersSince, m.strangersTold = m.now, 0
	}
	if s != nil {
		if s.since != m.strangersSince {
			s.since, s.told = m.strangersSince, 0
		}
		if s.told < strangerShare {
			s.told++
			return true
		}
	}
	if m.strangersTold >= strangersShare {
		return false
	}
	m.strangersTold++
	return true
}
