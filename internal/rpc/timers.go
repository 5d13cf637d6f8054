package rpc

import (
	"container/heap"
	"time"
)

// timers are the activities whose timer is set, a heap by when it goes off.
type timers []*activity

func (t timers) Len() int           { return len(t) }
func (t timers) Less(i, j int) bool { return t[i].due.Before(t[j].due) }
func (t timers) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].place, t[j].place = i+1, j+1
}

// Push is heap.Interface's.
func (t *timers) Push(x any) {
	a := x.(*activity)
	*t = append(*t, a)
	a.place = len(*t)
}

// Pop is heap.Interface's.
func (t *timers) Pop() any {
	last := len(*t) - 1
	a := (*t)[last]
	(*t)[last] = nil
	*t = (*t)[:last]
	a.place = 0
	return a
}

// set sets the timer of a.
func (t *timers) set(a *activity, due time.Time) {
	a.due = due
	if a.place > 0 {
		heap.Fix(t, a.place-1)
	} else {
		heap.Push(t, a)
	}
}

// stop stops it.
func (t *timers) stop(a *activity) {
	if a.place > 0 {
		heap.Remove(t, a.place-1)
	}
}
