package rpc

import (
	"time"

	"github.com/messngr/messngr/dcerpc"
)

// The lists that an activity can be in: its node of each.
const (
	inTable = iota
	inSource
)

// maxCredit keeps the count of bytes in its range.
const maxCredit = 1 << 20

// admit returns a new activity, or nil if there is no room for it.
//
// Of a full table, or of a source that has its share, the activity goes of
// which nothing has been heard for the longest time and that waits for nothing.
// Those whose caller has not answered make room for each other as soon as they
// take a quarter: whoever floods with forged ids takes no more than that.
func (m *machine) admit(key activityKey) *activity {
	from := key.from.Addr()
	prefix := sourceOf(from)
	s := m.sources[prefix]
	if s != nil && s.count >= m.cfg.MaxPerSource && !m.makeRoom(&s.unverified, &s.idle, m.cfg.MaxPerSource) {
		return nil
	}
	if len(m.activities) >= m.cfg.MaxActivities && !m.makeRoom(&m.unverified, &m.idle, m.cfg.MaxActivities) {
		return nil
	}
	if s = m.sources[prefix]; s == nil { // it may have gone with its last activity
		s = &source{prefix: prefix, unverified: list{which: inSource}, idle: list{which: inSource}}
		s.known = from.IsLoopback() // no neighbour need be found
		m.sources[prefix] = s
	}
	s.count++
	a := m.spare
	if a == nil {
		a = new(activity)
	}
	m.spare = nil
	*a = activity{key: key, source: s}
	m.activities[key] = a
	return a
}

// makeRoom evicts an activity of one of two lists which share so many places.
func (m *machine) makeRoom(unverified, idle *list, places int) bool {
	victim := idle.first
	if victim == nil || unverified.count > 0 && unverified.count >= places/4 {
		victim = unverified.first
	}
	if victim == nil {
		return false
	}
	m.stats.evicted++
	m.evict(victim)
	return true
}

// evict forgets an activity. A handler that has its call goes on.
func (m *machine) evict(a *activity) {
	m.clear(a)
	a.unlink(inTable)
	a.unlink(inSource)
	delete(m.activities, a.key)
	a.source.count--
	m.forgetSource(a.source)
	m.spare = a
}

// forgetSource forgets a source that has no activity and no call any more.
func (m *machine) forgetSource(s *source) {
	if s.count == 0 && s.running == 0 && m.sources[s.prefix] == s {
		delete(m.sources, s.prefix)
	}
}

// clear ends what is going on in an activity: its timer, its question, its
// latest call.
func (m *machine) clear(a *activity) {
	m.timers.stop(a)
	m.stopAsking(a)
	a.job = nil
	m.release(a)
}

// release gives up the bytes that an activity holds.
func (m *machine) release(a *activity) {
	m.held -= a.held
	a.held, a.stub, a.whole = 0, nil, false
	a.fragments.Reset()
	a.out = outgoing{}
}

// hold counts bytes that an activity holds, and makes room for them. When there
// is none, it refuses the call and returns false.
func (m *machine) hold(a *activity, bytes int) bool {
	a.held += bytes
	m.held += bytes
	if m.relieve(a) {
		return true
	}
	m.stats.noRoom++
	m.refuse(a, dcerpc.StatusServerTooBusy)
	return false
}

// relieve evicts activities other than a until those that remain do not hold
// too much, and reports whether that came about.
func (m *machine) relieve(a *activity) bool {
	for m.held > m.cfg.MaxBytes {
		victim := m.unverified.first
		if victim == nil || victim == a {
			victim = m.idle.first
		}
		if victim == nil || victim == a {
			return false
		}
		m.stats.evicted++
		m.evict(victim)
	}
	return true
}

// heard notes that a packet of an activity has come.
func (m *machine) heard(a *activity, in *inbound) {
	a.via, a.last = in.via, m.now
	if !a.verified {
		a.credit = min(a.credit+in.size, maxCredit)
	}
	m.place(a)
}

// place puts an activity at the end of the lists that it belongs in. One whose
// call is executed or whose answer is being sent is in none: it stays.
func (m *machine) place(a *activity) {
	a.unlink(inTable)
	a.unlink(inSource)
	switch {
	case a.stage == executing, a.stage == answered && a.place > 0:
	case a.verified:
		m.idle.push(a)
		a.source.idle.push(a)
	default:
		m.unverified.push(a)
		a.source.unverified.push(a)
	}
}

// deadline returns when the machine wants to be told the time; the zero time if
// never.
func (m *machine) deadline() (next time.Time) {
	earlier := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	if len(m.timers) > 0 {
		earlier(m.timers[0].due)
	}
	if a := m.unverified.first; a != nil {
		earlier(a.last.Add(forgetUnverifiedAfter))
	}
	if a := m.idle.first; a != nil {
		earlier(a.last.Add(forgetAfter))
	}
	return next
}

// tick does what is due.
func (m *machine) tick(now time.Time, out *output) {
	m.now, m.out = now, out
	for len(m.timers) > 0 && !m.timers[0].due.After(now) {
		a := m.timers[0]
		m.timers.stop(a)
		m.timeout(a)
	}
	for a := m.unverified.first; a != nil && now.Sub(a.last) >= forgetUnverifiedAfter; a = m.unverified.first {
		m.stats.expired++
		m.evict(a)
	}
	for a := m.idle.first; a != nil && now.Sub(a.last) >= forgetAfter; a = m.idle.first {
		m.stats.expired++
		m.evict(a)
	}
}

// timeout sends again what got no answer, up to maxTries times.
func (m *machine) timeout(a *activity) {
	a.tries++
	switch {
	case a.stage == answered && a.tries > maxTries:
		// The answer is kept for as long as there is room, should the caller
		// come back for it.
		m.stats.unacknowledged++
		m.place(a)
	case a.stage == answered:
		m.stats.resent++
		m.timers.set(a, m.now.Add(resendAfter<<a.tries))
		m.transmit(a, a.out.again())
	case a.tries > maxTries:
		m.notThere(a)
	default:
		m.timers.set(a, m.now.Add(resendAfter<<a.tries))
		m.sendQuestion(a)
	}
}
