package api

import (
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// TestAnotherUsersService: who may not open the socket learns whose it is.
func TestAnotherUsersService(t *testing.T) {
	s := start(t, nil)
	if err := os.Chmod(s.data, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(s.data, 0o700) })
	failed := make(chan error)
	go func() {
		// Root may open everything, so this thread becomes somebody else's
		// for the file system. It is not unlocked, and ends with us.
		runtime.LockOSThread()
		unix.SetfsuidRetUid(65534)
		conn, err := dial(s.data)
		if err == nil {
			conn.Close()
		}
		failed <- err
	}()
	err := <-failed
	want := "the service in " + s.data + " is another user's: run the command as that user, or name your own with --data or MESSNGR_DATA"
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}
