package store

import (
	"bytes"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/messngr/messngr"
)

// diskEnv names the directory where the child of TestFullDisk puts its disk.
const diskEnv = "MESSNGR_STORE_DISK"

// TestFullDisk fills a real file system: a small one, in memory, in a mount
// namespace of its own, so that nothing of it can be left behind.
func TestFullDisk(t *testing.T) {
	if dir := os.Getenv(diskEnv); dir != "" {
		testFullDisk(t, dir)
		return
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-test.run=^TestFullDisk$", "-test.v")
	cmd.Env = append(os.Environ(), diskEnv+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Unshareflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		skip(t, "cannot make a mount namespace: "+err.Error())
	}
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
}

func testFullDisk(t *testing.T, dir string) {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=16m"); err != nil {
		t.Fatal(err)
	}
	ballast := filepath.Join(dir, "ballast")
	putBallast := func(leave int64) {
		var disk syscall.Statfs_t
		if err := syscall.Statfs(dir, &disk); err != nil {
			t.Fatal(err)
		}
		size := int64(disk.Bavail)*int64(disk.Bsize) - leave
		if size < 1<<20 {
			t.Fatalf("no place for ballast: %d bytes", size)
		}
		if err := os.WriteFile(ballast, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	removeBallast := func() {
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "messngr.db")
	var log bytes.Buffer // written by the goroutine that commits
	// Room for the log and for one copy of it, so that the second copy fails.
	putBallast(10 << 20)
	s := openSQLite(t, path, Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
	testFull(t, s, removeBallast)
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if !strings.Contains(log.String(), "database or disk is full") {
		t.Errorf("no copy of the log has failed; logged: %q", log.String())
	}

	// To close and open a full one loses nothing either.
	s = openSQLite(t, path, Config{})
	kept := make(map[messngr.ID]bool)
	for _, e := range all(t, s) {
		kept[e.ID] = true
	}
	putBallast(1 << 20)
	fill(t, s, kept)
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	s = openSQLite(t, path, Config{})
	sameAs(t, s, kept)
	removeBallast()
	m := bulky()
	mustAdd(t, s, m)
	kept[m.ID] = true
	sameAs(t, s, kept)
}
