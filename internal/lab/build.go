//go:build linux

package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"testing"
)

// Build builds cmd/messngr, once per test process, and returns the path of the
// program: as it is shipped, or with the race detector if the test has it. Any
// user can run it; the next test process removes it.
func Build(t testing.TB) string {
	t.Helper()
	program, err := buildMessngr()
	if err != nil {
		t.Fatal(err)
	}
	return program
}

var buildMessngr = sync.OnceValues(func() (string, error) {
	return build("github.com/messngr/messngr/cmd/messngr")
})

func build(pkg string) (program string, err error) {
	sweep()
	dir, err := os.MkdirTemp("", fmt.Sprintf("%s%d-bin-", prefix, os.Getpid()))
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(dir)
		}
	}()
	program = filepath.Join(dir, path.Base(pkg))
	args, cgo := []string{"build", "-buildvcs=false", "-trimpath", "-o", program}, "CGO_ENABLED=0"
	if race() {
		args, cgo = append(args, "-race"), "CGO_ENABLED=1"
	}
	cmd := exec.Command("go", append(args, pkg)...)
	cmd.Env = append(os.Environ(), cgo)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return program, os.Chmod(dir, 0o755)
}

// race reports whether this test binary has the race detector.
func race() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
