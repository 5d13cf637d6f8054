//go:build linux

package lab

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestBuild(t *testing.T) {
	program, err := build("github.com/messngr/messngr/internal/lab/tally")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(filepath.Dir(program)) })
	if out, err := exec.Command(program).CombinedOutput(); err != nil || len(out) != 0 {
		t.Errorf("%s: %v, %q; want nothing", program, err, out)
	}
	if info, err := os.Stat(filepath.Dir(program)); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("%s: mode %v, %v; want 0755", filepath.Dir(program), info.Mode(), err)
	}
}

func TestBuildSaysWhyNot(t *testing.T) {
	if program, err := build("github.com/messngr/messngr/no/such/package"); err == nil {
		t.Errorf("built %s", program)
	}
}
