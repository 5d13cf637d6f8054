package rpc

// machineStats count what a machine has seen and done.
type machineStats struct {
	// Calls.
	calls     int64 // handed to a handler
	oneWay    int64 // those of them whose caller should have been asked and was not
	verified  int64 // callers that answered
	faults    int64 // calls that failed
	abandoned int64 // calls whose caller had gone on when they were done

	// Requests that were not taken.
	rejects          int64 // those of which the caller was told, if it could be
	refusedOneWay    int64
	unknownInterface int64
	unknownOperation int64
	wrongBoot        int64 // meant for a server before this one
	authenticated    int64 // with authentication, which is not supported
	notThere         int64 // the caller did not answer, or not well
	tooBusy          int64 // too many calls were being executed
	noRoom           int64 // there was no room for the activity or the bytes
	tooLong          int64
	contradictions   int64 // fragments that contradict those before

	// Other packets.
	malformed    int64
	old          int64 // of calls before the latest, or after their end
	duplicates   int64 // answered again, or known already
	stray        int64 // about nothing
	noCall       int64 // pings for calls that had not come
	cancels      int64
	strayAnswers int64 // to no question
	forged       int64 // to a question, from elsewhere

	// What the machine does.
	questions      int64 // sent to callers
	resent         int64 // answers that were not acknowledged in time
	unacknowledged int64 // answers that never were
	unsent         int64 // packets that would have been more than had come
	evicted        int64 // activities that made room
	expired        int64
}

// counters returns all by name, with what is in use now.
func (m *machine) counters() map[string]int64 {
	s := &m.stats
	return map[string]int64{
		"calls":             s.calls,
		"one_way":           s.oneWay,
		"verified":          s.verified,
		"faults":            s.faults,
		"abandoned":         s.abandoned,
		"rejects":           s.rejects,
		"refused_one_way":   s.refusedOneWay,
		"unknown_interface": s.unknownInterface,
		"unknown_operation": s.unknownOperation,
		"wrong_boot_time":   s.wrongBoot,
		"authenticated":     s.authenticated,
		"caller_not_there":  s.notThere,
		"too_busy":          s.tooBusy,
		"no_room":           s.noRoom,
		"too_long":          s.tooLong,
		"contradictions":    s.contradictions,
		"malformed":         s.malformed,
		"old":               s.old,
		"duplicates":        s.duplicates,
		"stray":             s.stray,
		"no_call":           s.noCall,
		"cancels":           s.cancels,
		"stray_answers":     s.strayAnswers,
		"forged_answers":    s.forged,
		"questions":         s.questions,
		"resent":            s.resent,
		"unacknowledged":    s.unacknowledged,
		"unsent":            s.unsent,
		"evicted":           s.evicted,
		"expired":           s.expired,
		"activities":        int64(len(m.activities)),
		"executing":         int64(m.running),
		"held_bytes":        int64(m.held),
	}
}
