//go:build linux

// Package lab is the ground on which the tests of the whole program stand: a
// LAN of network namespaces, real peers on its hosts (smbclient, smbd, nmbd),
// and tshark as the independent reader of every packet.
//
//	+------------- messngr-lab-PID-1-lan -------------+
//	|                    bridge br0                    |
//	+-----p2-----------------p3-----------------p4----+
//	      |                  |                  |
//	    eth0               eth0               eth0
//	 10.77.0.2          10.77.0.3          10.77.0.4
//	  host 2             host 3             host 4
//
// A host is a namespace of its own: all its ports are free, 137 to 139
// included, and nothing that it sends leaves the machine. The hosts share the
// file system, so each has a directory for its data. Whatever a test made is
// gone when the test ends. What a killed test process left behind, the next
// one removes: its process id stands in the names.
//
// # Limitations
//
// Namespaces need Linux and root; [Need] skips the tests of everybody else.
// IPv4 only, as NetBIOS over TCP/IP is.
package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A LAN is one Ethernet segment: a namespace that holds a bridge.
type LAN struct {
	name    string // prefix of the names of its namespaces
	network byte   // 10.77.network.0/24
	routed  bool   // there is a router at routerHost
}

// routerHost is the last byte of the router's address on each of its segments.
const routerHost = 254

// Broadcast returns the segment's broadcast address, such as 10.77.0.255.
func (l *LAN) Broadcast() netip.Addr { return l.addr(255) }

func (l *LAN) addr(n byte) netip.Addr { return netip.AddrFrom4([4]byte{10, 77, l.network, n}) }

// prefix begins the name of everything of ours that outlives a killed process:
// prefix, process id, "-", the rest.
const prefix = "messngr-lab-"

var lans atomic.Int64

// NewLAN returns a LAN without hosts, which is removed when the test ends. It
// skips the test where [Need] does.
func NewLAN(t testing.TB) *LAN {
	t.Helper()
	Need(t)
	l := &LAN{name: fmt.Sprintf("%s%d-%d", prefix, os.Getpid(), lans.Add(1))}
	l.addNamespace(t, l.bridge())
	ip(t, "-n", l.bridge(), "link", "add", "br0", "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
	ip(t, "-n", l.bridge(), "link", "set", "br0", "up")
	return l
}

func (l *LAN) bridge() string { return l.name + "-lan" }

// NewRouted returns two segments, 10.77.0.0/24 and 10.77.1.0/24, with a router
// between them. It takes no broadcast from one to the other.
func NewRouted(t testing.TB) (near, far *LAN) {
	t.Helper()
	near, far = NewLAN(t), NewLAN(t)
	far.network = 1
	near.routed, far.routed = true, true
	router := near.name + "-router"
	near.addNamespace(t, router)
	for _, l := range []*LAN{near, far} {
		device := fmt.Sprintf("eth%d", l.network)
		l.plug(t, routerHost, router, device)
		ip(t, "-n", router, "address", "add", l.addr(routerHost).String()+"/24", "dev", device)
	}
	ip(t, "netns", "exec", router, "sysctl", "-q", "net.ipv4.ip_forward=1")
	return near, far
}

// plug connects a device of a namespace to the segment, as its port n.
func (l *LAN) plug(t testing.TB, n int, ns, device string) {
	t.Helper()
	port := fmt.Sprintf("p%d", n)
	ip(t, "-n", l.bridge(), "link", "add", port, "type", "veth", "peer", "name", device, "netns", ns)
	ip(t, "-n", l.bridge(), "link", "set", port, "master", "br0", "up")
	ip(t, "-n", ns, "link", "set", device, "up")
}

// PullCable takes the host's cable out of the segment's bridge.
func (h *Host) PullCable(t testing.TB) { t.Helper(); h.cable(t, "down") }

// PlugIn undoes PullCable.
func (h *Host) PlugIn(t testing.TB) { t.Helper(); h.cable(t, "up") }

func (h *Host) cable(t testing.TB, state string) {
	t.Helper()
	ip(t, "-n", h.lan.bridge(), "link", "set", fmt.Sprintf("p%d", h.Addr.As4()[3]), state)
}

// Host adds host n, from 1 to 253, with the address 10.77.0.n/24 on eth0. The
// name is the NetBIOS name that its peers get. The host, its data and every
// process on it are gone when the test ends.
func (l *LAN) Host(t testing.TB, n int, name string) *Host {
	t.Helper()
	return l.join(t, n, name, func(h *Host) { l.plug(t, n, h.ns, "eth0") })
}

// Connect connects a host of another LAN to this one too, with the address
// 10.77.x.n/24 on eth1 and the n that it has there.
func (l *LAN) Connect(t testing.TB, h *Host) {
	t.Helper()
	n := h.Addr.As4()[3]
	l.plug(t, int(n), h.ns, "eth1")
	ip(t, "-n", h.ns, "address", "add", l.addr(n).String()+"/24", "broadcast", l.Broadcast().String(), "dev", "eth1")
}

// join adds a host whose eth0 plug connects.
func (l *LAN) join(t testing.TB, n int, name string, plug func(*Host)) *Host {
	t.Helper()
	h := &Host{
		Name: name,
		Addr: l.addr(byte(n)),
		lan:  l,
		ns:   fmt.Sprintf("%s-h%d", l.name, n),
		Dir:  tempDir(t, fmt.Sprintf("h%d", n)),
	}
	l.addNamespace(t, h.ns)
	ip(t, "-n", h.ns, "link", "set", "lo", "up")
	plug(h)
	ip(t, "-n", h.ns, "address", "add", h.Addr.String()+"/24", "broadcast", l.Broadcast().String(), "dev", "eth0")
	if l.routed {
		ip(t, "-n", h.ns, "route", "add", "default", "via", l.addr(routerHost).String())
	}
	return h
}

func (l *LAN) addNamespace(t testing.TB, ns string) {
	t.Helper()
	ip(t, "netns", "add", ns)
	t.Cleanup(func() {
		if err := removeNamespace(ns); err != nil {
			t.Error(err)
		}
	})
}

// removeNamespace ends every process in a namespace and removes it.
func removeNamespace(ns string) error {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		out, err := exec.Command("ip", "netns", "pids", ns).Output()
		if err != nil || len(out) == 0 || time.Now().After(deadline) {
			break
		}
		for _, field := range strings.Fields(string(out)) {
			// A thread of this very process can be in Do.
			if pid, err := strconv.Atoi(field); err == nil && pid != os.Getpid() {
				syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	}
	if out, err := exec.Command("ip", "netns", "delete", ns).CombinedOutput(); err != nil {
		return fmt.Errorf("remove namespace %s: %w: %s", ns, err, out)
	}
	return nil
}

// sweep removes, once per process, what dead test processes have left.
var sweep = sync.OnceFunc(func() {
	out, _ := exec.Command("ip", "netns", "list").Output()
	for line := range strings.Lines(string(out)) {
		if name, _, _ := strings.Cut(strings.TrimSpace(line), " "); stale(name) {
			removeNamespace(name) // another process may be sweeping too
		}
	}
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*"))
	for _, dir := range dirs {
		if stale(filepath.Base(dir)) {
			os.RemoveAll(dir)
		}
	}
})

// stale reports whether name is one of ours that no living process owns. Our
// own process id counts as dead: sweep runs before we have made anything.
func stale(name string) bool {
	rest, ours := strings.CutPrefix(name, prefix)
	owner, _, _ := strings.Cut(rest, "-")
	pid, err := strconv.Atoi(owner)
	if !ours || err != nil || pid <= 0 {
		return false
	}
	return pid == os.Getpid() || errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}

// tempDir makes a directory that every user can enter, which t.TempDir is not:
// smbd runs its message command as nobody. Its path is short enough for the
// unix sockets of Samba.
func tempDir(t testing.TB, name string) string {
	t.Helper()
	sweep()
	dir, err := os.MkdirTemp("", fmt.Sprintf("%s%d-%s-", prefix, os.Getpid(), name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func ip(t testing.TB, args ...string) {
	t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
}
