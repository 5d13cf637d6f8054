package main

import (
	"os"
	"syscall"
	"testing"
	"time"
)

// The processor time that the bench reads is that which the system has counted.
func TestCPUTime(t *testing.T) {
	before, err := cpuTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	const busy = 100 * time.Millisecond
	for begin := used(t); used(t)-begin < busy; {
	}
	after, err := cpuTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	const tick = 10 * time.Millisecond
	if got := after - before; got < busy-2*tick || got > 10*busy {
		t.Errorf("%v of processor time, want about %v", got, busy)
	}
	if _, err := cpuTime(-1); err == nil {
		t.Error("a process that there is not has processor time")
	}
}

// used returns the processor time of this process as getrusage(2) counts it.
func used(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
