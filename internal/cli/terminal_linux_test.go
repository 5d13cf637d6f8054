package cli

import (
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/messngr/messngr/netbios/nbss"
	"github.com/messngr/messngr/smb"
)

// A screen is a pseudo-terminal and what a program has written to it.
type screen struct {
	tty *os.File // the program's side
	output
}

// newScreen opens a terminal of so many columns: pts(4).
func newScreen(t *testing.T, columns uint16) *screen {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	s := new(screen)
	if s.tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	s.resize(t, columns)
	read := make(chan struct{})
	go func() {
		defer close(read)
		for b := make([]byte, 4096); ; {
			n, err := master.Read(b)
			s.Write(b[:n])
			if err != nil {
				return // EIO: nobody has the other side open any more
			}
		}
	}()
	t.Cleanup(func() {
		s.tty.Close()
		<-read
		master.Close()
	})
	return s
}

// resize does what who draws at a window's corner does.
func (s *screen) resize(t *testing.T, columns uint16) {
	t.Helper()
	if err := unix.IoctlSetWinsize(int(s.tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns}); err != nil {
		t.Fatal(err)
	}
}

// TestDisplayed: only what has been put on a terminal counts as displayed. The
// popup is as wide as the terminal has room when it comes.
func TestDisplayed(t *testing.T) {
	s := newStation(t)
	term := newScreen(t, 50)
	cmd := s.command("serve", "--config", s.conf)
	cmd.Env = append(cmd.Env, "NO_COLOR=")
	cmd.Stdout = term.tty
	serve := start(t, cmd)
	await(t, "the banner", func() bool { return strings.HasSuffix(serve.err.String(), "Ctrl-C ends it.\n") })
	s.send("Server restarts in five minutes. Save your work and go home.")
	await(t, "the popup", func() bool { return strings.Contains(term.String(), "┘") })
	await(t, "the state", func() bool { return decode(t, s.run("inbox", "--json").out)[0]["state"] == "displayed" })
	first := term.String()
	term.resize(t, 30)
	s.send("The window is smaller now, and so is this popup.")
	await(t, "the second popup", func() bool { return strings.Count(term.String(), "┘") == 2 })
	for line := range strings.SplitSeq(strings.ReplaceAll(strings.TrimPrefix(term.String(), first), "\x1b[0m", ""), "\r\n") {
		if n := utf8.RuneCountInString(strings.ReplaceAll(line, "\x1b[1m", "")); n != 30 && n != 0 {
			t.Errorf("%d columns of 30: %s", n, line)
		}
	}
	if code := serve.interrupt(t); code != 0 {
		t.Errorf("exit status %d", code)
	}
	// The width of the date is that of the hour: it may go to the next line.
	got := regexp.MustCompile(`(?s) on [^│]*│(\r\n│ \d[^│]*│)?\r\n`).ReplaceAllString(first, " on DATE\r\n")
	want := strings.ReplaceAll("┌─ \x1b[1mMessenger Service\x1b[0m ────────────────────────────┐"+`
│ Message from HOST1 to HOST1 on DATE
│                                                │
│ Server restarts in five minutes. Save your     │
│ work and go home.                              │
└────────────────────────────────────────────────┘
`, "\n", "\r\n")
	if got != want {
		t.Errorf("shown:\n%q\nwant:\n%q", got, want)
	}

	// What has come while nobody looked stays unseen.
	s.serve()
	s.send("unseen")
	if last := decode(t, s.run("inbox", "--json", "--last", "1").out)[0]; last["state"] != "received" {
		t.Errorf("shown in a file: %v", last)
	}
}

// sendRaw sends a message as no honest program would write it.
func sendRaw(t *testing.T, port int, m smb.SingleBlock) {
	t.Helper()
	body, err := m.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := nbss.AppendHeader(nil, nbss.SessionMessage, smb.HeaderSize+len(body))
	if err != nil {
		t.Fatal(err)
	}
	if b, err = (smb.Header{Command: smb.SendMessage}).AppendBinary(b); err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := conn.Write(append(b, body...)); err != nil {
		t.Fatal(err)
	}
	p, err := nbss.NewReader(conn, 1<<12).Next()
	if err != nil {
		t.Fatal(err)
	}
	h, _, err := smb.ParseHeader(p.Trailer)
	if err != nil || h.Err() != nil {
		t.Fatalf("%v, %v", err, h.Err())
	}
}

// TestHostileText: whatever a sender writes, nothing that a terminal would obey
// reaches one, or a file that somebody may look at later.
func TestHostileText(t *testing.T) {
	s := newStation(t)
	writeFile(t, s.conf, fmt.Sprintf("name = 'HOST1'\n[smb]\nlisten = ['127.0.0.1:%d']\ncode_page = 65001\n[mailslot]\nlisten = []\n[names]\nlisten = ''\n", s.port))
	shown := s.serve()
	const (
		hostile = "\x1b]0;pwn\x07\x1b[2J\u009b31m\x08\x7f\u202egnp.exe\u2066\u200b\r over \x9b bytes \xff \U000e0041"
		letter  = "Û" // U+00DB in UTF-8 has 0x9B, which is CSI to a terminal of Latin-1
	)
	sendRaw(t, s.port, smb.SingleBlock{From: []byte("\x1b[31mEVE\n\u202e"), To: []byte("HOST1\x9b"), Text: []byte(hostile + letter)})
	await(t, "the popup", func() bool { return strings.Contains(shown.out.String(), "┘") })

	latin := func(args ...string) string {
		t.Helper()
		term := newScreen(t, 80)
		cmd := s.command(args...)
		cmd.Env = append(cmd.Env, "LC_ALL=en_US.ISO-8859-1")
		cmd.Stdout = term.tty
		if j := start(t, cmd); j.Wait() != nil {
			t.Errorf("%q: %s", args, j.err.String())
		}
		await(t, "the line", func() bool { return strings.HasSuffix(term.String(), "\r\n") })
		return term.String()
	}
	for name, out := range map[string]string{
		"the popup":                               shown.out.String(),
		"inbox":                                   s.run("inbox").out,
		"inbox --json":                            s.run("inbox", "--json").out,
		"inbox on a terminal of Latin-1":          latin("inbox"),
		"inbox --json on a terminal of Latin-1":   latin("inbox", "--json"),
		"inbox --watch, which is cut in a moment": s.watched(t),
	} {
		if !strings.Contains(out, "EVE") || !strings.Contains(out, "over") {
			t.Errorf("%s: the message is not in %q", name, out)
		}
		for _, r := range out {
			if r != '\n' && (r != '\r' || !strings.Contains(name, "terminal")) && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == unicode.ReplacementChar && strings.Contains(name, "Latin")) {
				t.Errorf("%s: %U in %q", name, r, out)
			}
		}
		if strings.Contains(name, "Latin") && strings.ContainsFunc(out, func(r rune) bool { return r > unicode.MaxASCII }) {
			t.Errorf("%s: more than ASCII in %q", name, out)
		}
	}
	if e := decode(t, s.run("inbox", "--json").out)[0]; !strings.HasSuffix(e["text"].(string), letter) {
		t.Errorf("an honest letter is lost: %v", e)
	}
	if e := decode(t, latin("inbox", "--json"))[0]; !strings.HasSuffix(e["text"].(string), letter) {
		t.Errorf("an honest letter is lost on a terminal of Latin-1: %v", e)
	}
}

// watched returns what inbox --watch writes of the messages that are there.
func (s *station) watched(t *testing.T) string {
	t.Helper()
	watch := start(t, s.command("inbox", "--watch"))
	await(t, "the line", func() bool { return strings.HasSuffix(watch.out.String(), "\n") })
	watch.interrupt(t)
	return watch.out.String()
}
