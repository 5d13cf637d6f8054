//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/messngr/messngr/internal/lab"
)

// lines returns the lines of what a program wrote that contain a word.
func lines(text, word string) []string {
	var all []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, word) {
			all = append(all, strings.TrimSpace(line))
		}
	}
	return all
}

// The doors are there only on purpose, and say who may come.
func TestRPCIsOffByDefault(t *testing.T) {
	t.Parallel()
	lan := lab.NewLAN(t)
	h2, h3 := serve(t, lan.Host(t, 2, "HOST2")), lan.Host(t, 3, "HOST3")
	for _, list := range []string{"-lnuH", "-lntH"} {
		if out := h2.Run(t, "ss", list, "sport = :135"); out.Stdout != "" {
			t.Errorf("something listens:\n%s", out.Stdout)
		}
	}
	status := h2.Run(t, h2.program, "status", "--data", h2.data)
	if got := lines(status.Stdout, ":135/"); !slices.Equal(got, []string{"off    NetrSendMessage (:135/udp): enabled = true in [rpc] opens it"}) {
		t.Errorf("status says %q", got)
	}
	if got := lines(h2.Stderr(), ":135/"); got != nil { // what nobody wants to open
		t.Errorf("the start says %q", got)
	}
	begin := time.Now()
	out := sendRPC(t, h3, "hello", h2.Addr.String())
	if out.Code != 1 || out.Stdout != "" || time.Since(begin) > 5*time.Second ||
		!strings.Contains(out.Stderr, "10.77.0.2 refuses UDP port 135: no RPC endpoint mapper listens there") ||
		!strings.Contains(out.Stderr, "An error occurred while sending a message to 10.77.0.2.") {
		t.Errorf("exit status %d after %v\n%s%s", out.Code, time.Since(begin), out.Stdout, out.Stderr)
	}
	if got := h2.inbox(t); got != nil {
		t.Errorf("the inbox has %+v", got)
	}
}

// Open doors say in one line each what is open to whom.
func TestRPCSaysWhatIsOpen(t *testing.T) {
	t.Parallel()
	lan := lab.NewLAN(t)
	for i, tt := range []struct {
		name, options string
		want          []string
	}{
		{"as it is", "", []string{
			`open   NetrSendMessage \(:\d+/udp\) on 127.0.0.1, 10.77.0.2 for this computer, private networks on-link; one-way calls are refused`,
			`open   NetrSendMessage, endpoint mapper \(:135/udp\) on 127.0.0.1, 10.77.0.2 for this computer, private networks on-link; one-way calls are refused`,
			`open   endpoint mapper \(:135/tcp\) on 127.0.0.1, 10.77.0.2 for this computer, private networks on-link`,
			`open   message names \(:\d+/tcp\) on 127.0.0.1, 10.77.0.2 for this computer`,
		}},
		{"told otherwise", "networks = [\"10.77.0.3\"]\ninterfaces = [\"eth0\"]\none_way = \"quarantine\"\nport = 1026\nmanage = [\"10.77.0.9\"]", []string{
			`open   NetrSendMessage \(:1026/udp\) on 10.77.0.3 for this computer, 10.77.0.3 on eth0; one-way calls are quarantined`,
			`open   NetrSendMessage, endpoint mapper \(:135/udp\) on 10.77.0.3 for this computer, 10.77.0.3 on eth0; one-way calls are quarantined`,
			`open   endpoint mapper \(:135/tcp\) on 10.77.0.3 for this computer, 10.77.0.3 on eth0`,
			`open   message names \(:1026/tcp\) on 10.77.0.3 for this computer, 10.77.0.9`,
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, lan.Host(t, 2+i, fmt.Sprintf("HOST%d", 2+i)), rpcOn, tt.options)
			status := s.Run(t, s.program, "status", "--data", s.data)
			for where, said := range map[string]string{"status": status.Stdout, "the start": s.Stderr()} {
				for _, want := range tt.want {
					if !regexp.MustCompile(`(?m)^ *` + want + `$`).MatchString(said) {
						t.Errorf("%s says\n%swant a line\n%s", where, said, want)
					}
				}
			}
		})
	}
}

// Sources, interfaces and networks that [rpc] does not name get no answer, and
// their sessions go on.
func TestRPCServesWhomItNames(t *testing.T) {
	t.Parallel()
	lan := lab.NewLAN(t)
	h3, h4 := lan.Host(t, 3, "HOST3"), lan.Host(t, 4, "HOST4")
	h2 := serve(t, lan.Host(t, 2, "HOST2"), rpcOn, `networks = ["10.77.0.3"]`)
	h5 := serve(t, lan.Host(t, 5, "HOST5"), rpcOn, `interfaces = ["eth9"]`)
	for _, tt := range []struct {
		from *lab.Host
		to   *station
		want int
	}{{h3, h2, 0}, {h4, h2, 1}, {h3, h5, 1}} {
		out := sendRPC(t, tt.from, "hello", "--timeout", "1s", tt.to.Addr.String())
		if out.Code != tt.want || out.Code == 1 && !strings.Contains(out.Stderr, "nothing answers on UDP port 135") {
			t.Errorf("from %s to %s: exit status %d\n%s", tt.from.Name, tt.to.Name, out.Code, out.Stderr)
		}
		if out := netSend(t, tt.from, "", "--transport", "smb", tt.to.Addr.String(), "in a session"); out.Code != 0 {
			t.Errorf("from %s to %s: exit status %d\n%s", tt.from.Name, tt.to.Name, out.Code, out.Stderr)
		}
	}
	if got := h2.counters(t, "rpc_mapper")["refused_source"]; got == 0 {
		t.Error("no refused source is counted")
	}
	// An interface that comes is served.
	h5.Run(t, "ip", "link", "add", "eth9", "type", "dummy")
	h5.Run(t, "ip", "link", "set", "eth9", "up")
	if out := sendRPC(t, h3, "hello", "--timeout", "1s", h5.Addr.String()); out.Code != 1 {
		t.Error("another interface has come, and eth0 is served")
	}
}

// Of two networks that a station is on, one is served.
func TestRPCOnOneInterface(t *testing.T) {
	t.Parallel()
	near, far := lab.NewRouted(t)
	h2 := near.Host(t, 2, "HOST2")
	far.Connect(t, h2)
	s := serve(t, h2, rpcOn, `interfaces = ["eth1"]`)
	if got := lines(s.Stderr(), "NetrSendMessage ("); len(got) != 1 || !strings.Contains(got[0], " on 10.77.1.2 for ") {
		t.Errorf("it says %q", got)
	}
	h3, h4 := near.Host(t, 3, "HOST3"), far.Host(t, 4, "HOST4")
	if out := sendRPC(t, h4, "by eth1", "10.77.1.2"); out.Code != 0 {
		t.Errorf("exit status %d\n%s", out.Code, out.Stderr)
	}
	for from, to := range map[*lab.Host]string{h3: "10.77.0.2", h4: "10.77.0.2"} {
		if out := sendRPC(t, from, "by eth0", "--timeout", "1s", to); out.Code != 1 {
			t.Errorf("from %s to %s: exit status %d\n%s", from.Name, to, out.Code, out.Stderr)
		}
		// A connection is closed before anything has been said.
		conn := from.Dial(t, "tcp", to+":135")
		conn.SetDeadline(time.Now().Add(5 * time.Second))
		if n, err := conn.Read(make([]byte, 1)); n != 0 || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("from %s to %s: %d bytes, %v", from.Name, to, n, err)
		}
	}
	if got := s.texts(t, 1); !slices.Equal(got, []string{"by eth1"}) {
		t.Errorf("the inbox has %q", got)
	}
}

// A port that another program has is said, with what helps; the other doors stay.
func TestRPCPortIsTaken(t *testing.T) {
	t.Parallel()
	lan := lab.NewLAN(t)
	h2, h3 := lan.Host(t, 2, "HOST2"), lan.Host(t, 3, "HOST3")
	taken := h2.Start(t, "/usr/bin/python3", "-c", "import socket, time\n"+
		"a = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); a.bind(('', 135))\n"+
		"b = socket.socket(); b.bind(('', 135)); b.listen()\n"+
		"time.sleep(600)")
	h2.WaitPort(t, taken, "tcp", 135)
	s := serve(t, h2, rpcOn)
	for _, network := range []string{"udp", "tcp"} {
		want := fmt.Sprintf("endpoint mapper (:135/%s): port 135 is taken by python3 (process %d)\n", network, taken.PID())
		if !strings.Contains(s.Stderr(), want) {
			t.Errorf("no %s in\n%s", want, s.Stderr())
		}
	}
	if want := fmt.Sprintf("stop it (kill %d), or give another address in [rpc] listen", taken.PID()); !strings.Contains(s.Stderr(), want) {
		t.Errorf("no %s in\n%s", want, s.Stderr())
	}
	if out := netSend(t, h3, "", h2.Addr.String(), "in a session"); out.Code != 0 || len(s.inbox(t)) != 1 {
		t.Errorf("exit status %d\n%s", out.Code, out.Stderr)
	}
	// When the program has gone, the doors open.
	taken.Signal(syscall.SIGTERM)
	for deadline := time.Now().Add(30 * time.Second); sendRPC(t, h3, "by RPC", "--timeout", "1s", h2.Addr.String()).Code != 0; {
		if time.Now().After(deadline) {
			t.Fatal("the port is free, and nothing listens")
		}
		time.Sleep(100 * time.Millisecond)
	}
	if got := s.inbox(t); !slices.Contains(got, byRPC("10.77.0.2", "by RPC")) {
		t.Errorf("the inbox has %+v", got)
	}
}
