package ncadg

import (
	"bytes"
	"slices"
)

const (
	// DefaultMaxBytes is how long a call's stub may be for an Assembler that
	// is told nothing else.
	DefaultMaxBytes = 64 << 10
	// maxFragments is how many fragments it may come in.
	maxFragments = 1024
)

// An Outcome says what an Assembler did with a fragment.
type Outcome uint8

// The outcomes.
const (
	Kept          Outcome = iota // it was kept, and others are missing
	Whole                        // it was the last one missing
	Duplicate                    // it had come before
	TooFar                       // dropped: too far ahead of those that are missing; it will be sent again
	TooLong                      // dropped: the stub is longer than it may be, or in too many fragments; it will never be whole
	Contradiction                // dropped: it has other bytes, or another end, than what came before
)

// String returns the outcome in a few words.
func (o Outcome) String() string {
	return [...]string{"kept", "whole", "duplicate", "too far ahead", "too long", "contradiction"}[o]
}

// An Assembler puts the fragments of one request or of one response together,
// in whatever order they come. The zero value is ready for use. It is not safe
// for concurrent use.
//
// What it holds is bounded, whatever comes: MaxBytes of data, in 1,024
// fragments, of which those that wait for others are at most SelAckDistance
// ahead of the first that is missing. Of two fragments that contradict each
// other it believes the first.
type Assembler struct {
	MaxBytes int // of the stub; 0: DefaultMaxBytes

	data  []byte // of the fragments that came with all before them
	ends  []int  // where each of those ends in data
	ahead []piece
	held  int // bytes of the pieces
	count int // of all fragments; 0 until the last one has come
}

// A piece is a fragment that waits for others. The pieces are in order of their
// numbers.
type piece struct {
	number int
	body   []byte
}

// Add takes the fragment with that number, which may be the last one, and
// returns the whole stub when none is missing any more. The stub is the
// Assembler's, valid until Reset; body is copied.
func (a *Assembler) Add(number uint16, last bool, body []byte) ([]byte, Outcome) {
	n, next := int(number), len(a.ends)
	i, waits := slices.BinarySearchFunc(a.ahead, n, func(p piece, n int) int { return p.number - n })
	highest := next - 1
	if len(a.ahead) > 0 {
		highest = a.ahead[len(a.ahead)-1].number
	}
	switch {
	case a.count > 0 && (n >= a.count || last != (n == a.count-1)), last && n < highest:
		return nil, Contradiction
	case n < next:
		return nil, a.again(a.data[a.start(n):a.ends[n]], body, last, n)
	case waits:
		return nil, a.again(a.ahead[i].body, body, last, n)
	case n >= maxFragments, len(body) > a.maxBytes()-len(a.data)-a.held:
		return nil, TooLong
	case n-next >= SelAckDistance:
		return nil, TooFar
	}
	if last {
		a.count = n + 1
	}
	if n > next {
		a.ahead = slices.Insert(a.ahead, i, piece{n, slices.Clone(body)})
		a.held += len(body)
		return nil, Kept
	}
	a.append(body)
	for len(a.ahead) > 0 && a.ahead[0].number == len(a.ends) {
		a.held -= len(a.ahead[0].body)
		a.append(a.ahead[0].body)
		a.ahead = slices.Delete(a.ahead, 0, 1)
	}
	if stub, whole := a.Stub(); whole {
		return stub, Whole
	}
	return nil, Kept
}

// again compares a fragment with what came under its number before.
func (a *Assembler) again(before, now []byte, last bool, n int) Outcome {
	if !bytes.Equal(before, now) || last && a.count != n+1 {
		return Contradiction
	}
	return Duplicate
}

func (a *Assembler) append(body []byte) {
	a.data = append(a.data, body...)
	a.ends = append(a.ends, len(a.data))
}

// start returns where the fragment n begins in a.data.
func (a *Assembler) start(n int) int {
	if n == 0 {
		return 0
	}
	return a.ends[n-1]
}

func (a *Assembler) maxBytes() int {
	if a.MaxBytes == 0 {
		return DefaultMaxBytes
	}
	return a.MaxBytes
}

// Stub returns the stub, if it is whole.
func (a *Assembler) Stub() ([]byte, bool) {
	if a.count == 0 || len(a.ends) < a.count {
		return nil, false
	}
	return a.data, true
}

// Held returns the number of bytes that have come and are kept.
func (a *Assembler) Held() int { return len(a.data) + a.held }

// InOrder returns the number of the last fragment that came with all before it,
// which a fack has in its header: 0xFFFF if the first is missing.
func (a *Assembler) InOrder() uint16 { return uint16(len(a.ends) - 1) }

// SelAck returns which fragments came beyond those, as a fack says it.
func (a *Assembler) SelAck() SelAck {
	var s SelAck
	for _, p := range a.ahead {
		s.Set(p.number - len(a.ends) + 1)
	}
	return s
}

// Reset makes the Assembler forget all that came; MaxBytes stays. The memory of
// the stub that it gave is not used again.
func (a *Assembler) Reset() { *a = Assembler{MaxBytes: a.MaxBytes} }

// Fragments are the parts of a stub that travel in one packet each.
type Fragments struct {
	stub []byte
	size int
}

// Split cuts a stub into fragments whose bodies have size bytes at most. All
// but the last have a multiple of 8 bytes, so that size is rounded down to one,
// but not to less than 8.
func Split(stub []byte, size int) Fragments {
	return Fragments{stub, max(size&^7, 8)}
}

// Len returns the number of fragments, which is at least one.
func (f Fragments) Len() int { return max(1, (len(f.stub)+f.size-1)/f.size) }

// At returns the fragment i, which aliases the stub. It panics if there is none.
func (f Fragments) At(i int) []byte {
	from := i * f.size
	to := min(from+f.size, len(f.stub))
	return f.stub[from:to:to]
}
