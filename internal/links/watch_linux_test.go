package links

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// inside is set in the process that is in a network namespace of its own.
const inside = "MESSNGR_TEST_INSIDE"

// TestWatchNamespace follows a network namespace through its changes. As its
// goroutines run on threads of any namespace, the test is a process of its own
// in there.
func TestWatchNamespace(t *testing.T) {
	if os.Getenv(inside) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestWatchNamespace$", "-test.v")
		cmd.Env = append(os.Environ(), inside+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
		if uid, gid := os.Getuid(), os.Getgid(); uid != 0 {
			cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
			cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: uid, Size: 1}}
			cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: gid, Size: 1}}
		}
		out, err := cmd.CombinedOutput()
		if cmd.Process == nil {
			if os.Getenv("MESSNGR_TEST_ALL") == "1" {
				t.Fatalf("needs network namespaces: %v", err)
			}
			t.Skipf("needs network namespaces: %v", err)
		}
		if err != nil || !strings.Contains(string(out), "--- PASS: TestWatchNamespace") {
			t.Errorf("in the namespace: %v\n%s", err, out)
		}
		return
	}

	if told, end := tell(); told == nil {
		t.Error("the kernel does not tell of changes")
	} else {
		end()
	}
	w := Watch()
	defer w.Close()
	await := func(want ...string) {
		t.Helper()
		var got []string
		for timeout := time.After(10 * time.Second); ; {
			select {
			case on := <-w.Changes():
				got = nil
				for _, l := range on {
					got = append(got, fmt.Sprint(l.Name, " ", l.Addr, " ", l.Prefix.Bits()))
				}
				if slices.Equal(got, want) {
					return
				}
			case <-timeout:
				t.Fatalf("%q after 10 seconds, want %q", got, want)
			}
		}
	}
	ip := func(args string) {
		t.Helper()
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v: %s", args, err, out)
		}
	}
	await()
	ip("link add v0 type veth peer name v1")
	ip("link set v1 up")
	ip("link set v0 up")
	ip("address add 10.77.0.2/24 broadcast 10.77.0.255 dev v0")
	await("v0 10.77.0.2 24")
	ip("address add 10.77.0.9/24 dev v0")
	await("v0 10.77.0.2 24", "v0 10.77.0.9 24")
	ip("address del 10.77.0.2/24 dev v0")
	await() // as the kernel has it, the second address of a network goes with the first
	ip("address add 10.78.0.2/16 dev v0")
	await("v0 10.78.0.2 16")
	ip("link set v0 down")
	await()
	ip("link set v0 up")
	await("v0 10.78.0.2 16")
	ip("link set v1 down") // as a cable that is pulled out
	await()
	ip("link set v1 up")
	await("v0 10.78.0.2 16")
	ip("link delete v0")
	await()
}
