//go:build unix

package store

import (
	"os"
	"syscall"
	"time"
)

func cpuTime() time.Duration {
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func syncData(f *os.File) error { return f.Sync() }
