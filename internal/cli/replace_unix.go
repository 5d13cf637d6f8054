//go:build unix

package cli

import (
	"os"
	"syscall"
)

// replaceBy makes this process the other program; it returns only on failure.
func replaceBy(path string, argv []string, _ Process) (int, error) {
	return 0, syscall.Exec(path, argv, os.Environ())
}
