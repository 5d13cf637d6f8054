//go:build unix

package cli

import (
	"os"
	"path/filepath"
	"testing"
)

// The example of how to send is one that works: by path until PATH has it.
func TestProgram(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	installed, other := t.TempDir(), t.TempDir()
	if err := os.Symlink(exe, filepath.Join(installed, "messngr")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(other, "messngr"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ called, path, want string }{
		{"messngr", t.TempDir(), "messngr"},
		{exe, installed, "messngr"},
		{exe, other, exe},
		{exe, t.TempDir(), exe},
	} {
		t.Setenv("PATH", tt.path)
		if got := (Process{Args: []string{tt.called}}).program(); got != tt.want {
			t.Errorf("called as %s, PATH %s: %s, want %s", tt.called, tt.path, got, tt.want)
		}
	}
}
