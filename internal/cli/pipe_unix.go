//go:build unix

package cli

import (
	"os/signal"
	"syscall"
)

// ignorePipe makes writing to a pipe that nobody reads an error instead of the
// end of the program.
func ignorePipe() { signal.Ignore(syscall.SIGPIPE) }
