//go:build linux

package lab

import (
	"strings"
	"testing"
)

func TestNeedProgramSkips(t *testing.T) {
	t.Setenv(allEnv, "")
	v := try(t, func(t testing.TB) { NeedProgram(t, "no-such-program", "no-such-package") })
	if want := "needs no-such-program: install the package no-such-package"; v.skipped != want || len(v.errors) != 0 {
		t.Errorf("skipped %q, errors %q; want skipped %q", v.skipped, v.errors, want)
	}
}

func TestNeedProgramFailsWhereAllIsInstalled(t *testing.T) {
	t.Setenv(allEnv, "1")
	v := try(t, func(t testing.TB) { NeedProgram(t, "no-such-program", "no-such-package") })
	if v.skipped != "" || len(v.errors) != 1 || !strings.Contains(v.errors[0], "no-such-package") {
		t.Errorf("skipped %q, errors %q; want one error about no-such-package", v.skipped, v.errors)
	}
}

func TestNeedProgramFinds(t *testing.T) {
	v := try(t, func(t testing.TB) { NeedProgram(t, "sh", "dash") })
	if v.skipped != "" || len(v.errors) != 0 {
		t.Errorf("skipped %q, errors %q; want neither", v.skipped, v.errors)
	}
}
