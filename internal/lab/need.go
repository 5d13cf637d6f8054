//go:build linux

package lab

import (
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
)

// allEnv is set by the project's test command where it has installed all that
// the tests need: what would be skipped is a failure then.
const allEnv = "MESSNGR_TEST_ALL"

// Need skips the test where network namespaces cannot be made.
func Need(t testing.TB) {
	t.Helper()
	if !canUnshare() {
		skip(t, "needs root: network namespaces")
	}
	NeedProgram(t, "ip", "iproute2")
}

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

// canUnshare reports whether this process may make namespaces. Root may, but
// not root in a container without the capability.
var canUnshare = sync.OnceValue(func() bool {
	cmd := exec.Command("true")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS}
	return cmd.Run() == nil
})
