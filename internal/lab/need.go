//go:build linux

package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// allEnv is set by the project's test command where it has installed all that
// the tests need: what would be skipped is a failure then.
const allEnv = "MESSNGR_TEST_ALL"

// Need skips the test where network namespaces cannot be made.
func Need(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		skip(t, "needs root: network namespaces")
	}
	NeedProgram(t, "ip", "iproute2")
	if err := tryNamespace(); err != nil {
		skip(t, "needs network namespaces: "+err.Error())
	}
}

// tryNamespace returns why a namespace cannot be made: root in a container may
// not be allowed to.
var tryNamespace = sync.OnceValue(func() error {
	sweep()
	ns := fmt.Sprintf("%s%d-try", prefix, os.Getpid())
	if out, err := exec.Command("ip", "netns", "add", ns).CombinedOutput(); err != nil {
		return errors.New(strings.TrimSpace(string(out)))
	}
	return removeNamespace(ns)
})

// NeedProgram skips the test where a program is not in PATH; pkg is the Debian
// package that has it.
func NeedProgram(t testing.TB, program, pkg string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		skip(t, "needs "+program+": install the package "+pkg)
	}
}

func skip(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv(allEnv) == "1" {
		t.Fatalf("%s (%s=1: nothing may be skipped)", reason, allEnv)
	}
	t.Skip(reason)
}
