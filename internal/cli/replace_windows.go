package cli

import (
	"errors"
	"os/exec"
)

// replaceBy runs the other program as a child and returns its exit status.
func replaceBy(path string, argv []string, p Process) (int, error) {
	cmd := exec.Cmd{Path: path, Args: argv, Stdin: p.Stdin, Stdout: p.Stdout, Stderr: p.Stderr}
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	return 0, err
}
