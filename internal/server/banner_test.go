package server

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/internal/store"
)

// withDoors gives s doors at these addresses, open or, with the reason, not.
func (s *server) withDoors(smb string, smbErr error, names string, namesErr error) {
	s.doors = nil
	for _, d := range []struct {
		name, what, network, address string
		err                          error
	}{
		{"smb", "messages over NetBIOS sessions", "tcp", smb, smbErr},
		{"names", "being found by name", "udp", names, namesErr},
	} {
		if d.address == "" {
			continue
		}
		door := newDoor(d.name, d.what, d.network, d.address, s.log, nil)
		if d.err != nil {
			door.set(nil, d.err)
		} else {
			door.set(still{}, nil)
		}
		s.doors = append(s.doors, door)
	}
}

func TestBanner(t *testing.T) {
	taken := errors.New("it is broken")
	for _, tt := range []struct {
		name       string
		smb, names string
		smbErr     error
		namesErr   error
		want       string
	}{
		{
			name: "as a rule", smb: ":139", names: ":137",
			want: `messngr 1.2, data in DATA
  open   messages over NetBIOS sessions (:139/tcp) on 127.0.0.1, 10.77.0.2
  open   being found by name (:137/udp) on 127.0.0.1, 10.77.0.2
  open   this computer's commands on DATA/messngr.sock
Answers to HOST1<00>, HOST1<03>, WORKGROUP<00> (group).
Send to it:
  messngr net send HOST1 "Hello"    from here
  echo Hello | smbclient -M HOST1   from Samba
  net send HOST1 Hello              from Windows NT, 2000 and XP
Ctrl-C ends it.
`,
		},
		{
			name: "not to be found by name", smb: ":139", names: ":137", namesErr: taken,
			want: `messngr 1.2, data in DATA
  open   messages over NetBIOS sessions (:139/tcp) on 127.0.0.1, 10.77.0.2
  closed being found by name (:137/udp): it is broken
  open   this computer's commands on DATA/messngr.sock
Answers to HOST1<00>, HOST1<03>, WORKGROUP<00> (group).
Send to it:
  messngr net send 127.0.0.1 "Hello"             from here
  echo Hello | smbclient -M HOST1 -I 10.77.0.2   from Samba
Ctrl-C ends it.
`,
		},
		{
			name: "on another port", smb: "10.77.0.2:1139",
			want: `messngr 1.2, data in DATA
  open   messages over NetBIOS sessions (10.77.0.2:1139/tcp) on 10.77.0.2
  open   this computer's commands on DATA/messngr.sock
Answers to HOST1<00>, HOST1<03>, WORKGROUP<00> (group).
Send to it:
  messngr net send --port 1139 10.77.0.2 "Hello"         from here
  echo Hello | smbclient -M HOST1 -I 10.77.0.2 -p 1139   from Samba
Ctrl-C ends it.
`,
		},
		{
			name: "closed", smb: ":139", names: ":137", smbErr: taken,
			want: `messngr 1.2, data in DATA
  closed messages over NetBIOS sessions (:139/tcp): it is broken
  open   being found by name (:137/udp) on 127.0.0.1, 10.77.0.2
  open   this computer's commands on DATA/messngr.sock
Answers to HOST1<00>, HOST1<03>, WORKGROUP<00> (group).
Nobody can send to it before a door for messages is open.
Ctrl-C ends it.
`,
		},
		{
			name: "without the privilege", smb: ":139", names: ":137", smbErr: syscall.EACCES, namesErr: syscall.EACCES,
			want: `messngr 1.2, data in DATA
  closed messages over NetBIOS sessions (:139/tcp): no privilege for port 139
  closed being found by name (:137/udp): no privilege for port 137
         for all of these: run it as root, or allow it once: sudo setcap cap_net_bind_service=+ep EXE
  open   this computer's commands on DATA/messngr.sock
Answers to HOST1<00>, HOST1<03>, WORKGROUP<00> (group).
Nobody can send to it before a door for messages is open.
Ctrl-C ends it.
`,
		},
	} {
		s := newServer(t)
		var banner bytes.Buffer
		s.opt.Banner = &banner
		s.withDoors(tt.smb, tt.smbErr, tt.names, tt.namesErr)
		s.banner()
		exe, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		got := strings.NewReplacer(s.cfg.Data, "DATA", exe, "EXE").Replace(banner.String())

		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s, -want +got:\n%s", tt.name, diff)
		}
	}
}

// TestGreetingOverSMB: where a door is open, the greeting comes through it.
func TestGreetingOverSMB(t *testing.T) {
	s := newServer(t)
	s.withDoors(listen(t, s).String(), nil, ":137", syscall.EACCES)
	s.greet(t.Context())
	m := s.only(t)
	if m.Source.Transport != messngr.SMB || m.Source.Called != "*SMBSERVER<20>" || m.From != "MESSNGR" {
		t.Errorf("it came as %+v", m)
	}
	example := s.examples(s.status())[0].command
	if !strings.HasSuffix(m.Text, "\n\n    "+example) {
		t.Errorf("it does not end in %q:\n%s", example, m.Text)
	}
	lines(t, m.Text)
}

// TestGreetingInside: where no door is open, there is a greeting all the same,
// and it tells nobody to send what cannot arrive.
func TestGreetingInside(t *testing.T) {
	s := newServer(t)
	s.withDoors(":139", syscall.EACCES, ":137", syscall.EACCES)
	s.greet(t.Context())
	m := s.only(t)
	if m.Source.Transport != messngr.Local || strings.Contains(m.Text, "net send") {
		t.Errorf("it came over %s:\n%s", m.Source.Transport, m.Text)
	}
	lines(t, m.Text)
}

// TestGreetingWhenTheDoorFails: a door that is open and does not answer gives
// way to the inside.
func TestGreetingWhenTheDoorFails(t *testing.T) {
	s := newServer(t)
	s.withDoors("127.0.0.1:1", nil, "", nil) // nobody listens at tcpmux
	s.greet(t.Context())
	if m := s.only(t); m.Source.Transport != messngr.Local {
		t.Errorf("it came over %s", m.Source.Transport)
	}
}

// only returns the one message in the store.
func (s *server) only(t *testing.T) messngr.Entry {
	t.Helper()
	entries, err := s.store.Entries(t.Context(), store.Query{})
	if err != nil || len(entries) != 1 {
		t.Fatalf("%d messages, %v", len(entries), err)
	}
	return entries[0]
}

// lines fails the test when a text is wider than the popups of short ones.
func lines(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 60 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}
