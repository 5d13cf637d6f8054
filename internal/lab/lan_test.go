//go:build linux

package lab

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLANBroadcastsAndAnswers(t *testing.T) {
	t.Parallel()
	lan := NewLAN(t)
	h2, h3 := lan.Host(t, 2, "HOST2"), lan.Host(t, 3, "HOST3")

	var server net.PacketConn
	h2.Do(t, func() (err error) {
		server, err = net.ListenPacket("udp4", ":137") // a port that is taken nowhere
		return err
	})
	t.Cleanup(func() { server.Close() })
	var client net.PacketConn
	h3.Do(t, func() (err error) {
		client, err = net.ListenPacket("udp4", ":0")
		return err
	})
	t.Cleanup(func() { client.Close() })

	if _, err := client.WriteTo([]byte("who?"), &net.UDPAddr{IP: lan.Broadcast().AsSlice(), Port: 137}); err != nil {
		t.Fatal(err)
	}
	text, from := receive(t, server)
	if text != "who?" || from.IP.String() != "10.77.0.3" {
		t.Errorf("host 2 got %q from %v, want who? from 10.77.0.3", text, from)
	}
	if _, err := server.WriteTo([]byte("me"), from); err != nil {
		t.Fatal(err)
	}
	text, from = receive(t, client)
	if text != "me" || from.String() != "10.77.0.2:137" {
		t.Errorf("host 3 got %q from %v, want me from 10.77.0.2:137", text, from)
	}
}

// A router takes what is for one host to the other segment, and no broadcast.
func TestRouted(t *testing.T) {
	t.Parallel()
	near, far := NewRouted(t)
	h2, h3, h4 := near.Host(t, 2, "HOST2"), near.Host(t, 3, "HOST3"), far.Host(t, 4, "HOST4")
	listen := func(h *Host) (conn net.PacketConn) {
		h.Do(t, func() (err error) {
			conn, err = net.ListenPacket("udp4", ":137")
			return err
		})
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	from, here, there := listen(h2), listen(h3), listen(h4)
	for _, to := range []netip.Addr{near.Broadcast(), far.Broadcast(), h4.Addr} {
		if _, err := from.WriteTo([]byte("for "+to.String()), &net.UDPAddr{IP: to.AsSlice(), Port: 137}); err != nil {
			t.Fatal(err)
		}
	}
	if text, _ := receive(t, here); text != "for 10.77.0.255" {
		t.Errorf("a neighbour got %q", text)
	}
	if text, from := receive(t, there); text != "for 10.77.1.4" || from.IP.String() != "10.77.0.2" {
		t.Errorf("behind the router came %q from %v", text, from)
	}
}

func receive(t *testing.T, conn net.PacketConn) (string, *net.UDPAddr) {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	b := make([]byte, 1500)
	n, from, err := conn.ReadFrom(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n]), from.(*net.UDPAddr)
}

func TestRunAndStart(t *testing.T) {
	t.Parallel()
	h := NewLAN(t).Host(t, 2, "HOST2")
	out := h.RunInput(t, "in", "sh", "-c", "cat; echo err >&2; exit 3")
	if want := (Output{"in", "err\n", 3}); out != want {
		t.Errorf("got %+v, want %+v", out, want)
	}

	p := h.Start(t, "sh", "-c", "trap 'echo bye; exit 4' TERM; echo up; while :; do sleep 0.01; done")
	p.WaitOutput(t, "up")
	if code := p.Stop(t); code != 4 || p.Stdout() != "up\nbye\n" {
		t.Errorf("Stop: exit status %d, output %q; want 4, up and bye", code, p.Stdout())
	}

	p = h.Start(t, "sleep", "60")
	p.Kill()
	if code := p.Stop(t); code != -1 {
		t.Errorf("after Kill: exit status %d, want -1", code)
	}
}

// TestNothingStaysBehind plays two parts: it runs itself again, as a process
// whose test fails or is killed.
func TestNothingStaysBehind(t *testing.T) {
	const partEnv = "MESSNGR_LAB_PART"
	part := func(name string) *exec.Cmd {
		cmd := exec.Command(os.Args[0], "-test.run=^TestNothingStaysBehind$", "-test.timeout=1m")
		cmd.Env = append(os.Environ(), partEnv+"="+name)
		return cmd
	}
	Need(t)
	switch os.Getenv(partEnv) {
	case "fail":
		clutter(t)
		t.Fatal("fails as it should")
	case "hang":
		clutter(t)
		fmt.Println("hangs as it should")
		select {}
	case "sweep":
		NewLAN(t)
		return
	}

	t.Run("failed test", func(t *testing.T) {
		failing := part("fail")
		if out, err := failing.CombinedOutput(); err == nil || !strings.Contains(string(out), "fails as it should") {
			t.Fatalf("the failing test: %v\n%s", err, out)
		}
		if left := leftovers(t, failing.Process.Pid); len(left) != 0 {
			t.Errorf("left behind: %q", left)
		}
	})
	t.Run("killed test", func(t *testing.T) {
		hanging := part("hang")
		var stdout buffer
		hanging.Stdout = &stdout
		if err := hanging.Start(); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(30 * time.Second); !strings.Contains(stdout.String(), "hangs as it should"); {
			if time.Now().After(deadline) {
				t.Errorf("the hanging test is not ready after 30 s: %q", stdout.String())
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		left := leftovers(t, hanging.Process.Pid)
		hanging.Process.Kill()
		hanging.Wait()
		if len(left) != 5 {
			t.Errorf("the hanging test has %q, want 2 namespaces, 1 directory and 2 processes", left)
		}
		if out, err := part("sweep").CombinedOutput(); err != nil {
			t.Fatalf("the next test: %v\n%s", err, out)
		}
		if left := leftovers(t, hanging.Process.Pid); len(left) != 0 {
			t.Errorf("left behind: %q", left)
		}
	})
}

// clutter makes a LAN and a host, with a process and a child of one that is
// left without its parent.
func clutter(t *testing.T) {
	h := NewLAN(t).Host(t, 2, "HOST2")
	mark := fmt.Sprintf("600.%d", os.Getpid())
	h.Start(t, "sleep", mark)
	h.Start(t, "sh", "-c", "sleep "+mark+" & echo up").WaitOutput(t, "up")
}

// leftovers returns what there is of a test process: its namespaces, its
// directories and the processes that clutter has started.
func leftovers(t *testing.T, pid int) []string {
	t.Helper()
	var left []string
	for _, pattern := range []string{
		fmt.Sprintf("/run/netns/%s%d-*", prefix, pid),
		fmt.Sprintf("%s/%s%d-*", os.TempDir(), prefix, pid),
	} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, paths...)
	}
	processes, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, process := range processes {
		// A process that has just ended has no command line.
		if b, _ := os.ReadFile(process); string(b) == fmt.Sprintf("sleep\x00600.%d\x00", pid) {
			left = append(left, process)
		}
	}
	return left
}
