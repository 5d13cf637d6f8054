//go:build unix

package store

import (
	"os"
	"path/filepath"
	"testing"
)

func TestFileMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "messngr.db")
	s := openSQLite(t, path, Config{})
	mustAdd(t, s, newMessage())
	for _, suffix := range []string{"", "-wal", "-shm", "-lock"} {
		if info, err := os.Stat(path + suffix); err != nil {
			t.Error(err)
		} else if mode := info.Mode(); mode != 0o600 {
			t.Errorf("%s has mode %v, want -rw-------", info.Name(), mode)
		}
	}
}
