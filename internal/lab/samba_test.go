//go:build linux

package lab

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSmbclientReachesSMBD(t *testing.T) {
	t.Parallel()
	lan := NewLAN(t)
	h2, h3 := lan.Host(t, 2, "HOST2"), lan.Host(t, 3, "HOST3")
	h2.StartSMBD(t, h2.SMBConf(t))
	capture := h3.Capture(t)

	send := func(text string, opts ...string) {
		t.Helper()
		if _, err := h3.Smbclient(t, "HOST2", text, append(opts, "-I", h2.Addr.String())...); err != nil {
			t.Error(err)
		}
	}
	send("Server restarts\nin five minutes\n")
	send("café fermé", "-U", "bob")
	send("") // smbclient makes one NUL of it
	send(strings.Repeat("A", 1598))
	want := []SMBDMessage{
		{"alice", "host3", "Server restarts\nin five minutes\n"},
		{"bob", "host3", "café fermé"},
		{"alice", "host3", "\x00"},
		{"alice", "host3", strings.Repeat("A", 1598)},
	}
	if diff := cmp.Diff(want, h2.SMBDMessages(t)); diff != "" {
		t.Errorf("smbd's messages (-want +got):\n%s", diff)
	}

	capture.CheckClean(t, "tcp.port == 139")
	// On the wire é is one byte of code page 850.
	if capture.Fields(t, `smb contains 63:61:66:82`, "frame.number") == nil {
		t.Error("caf\\x82 is in no packet")
	}
}

func TestSmbclientFindsNMBD(t *testing.T) {
	t.Parallel()
	lan := NewLAN(t)
	h2, h3 := lan.Host(t, 2, "HOST2"), lan.Host(t, 3, "HOST3")
	conf := h2.SMBConf(t)
	h2.StartSMBD(t, conf)
	h2.StartNMBD(t, conf)
	if _, err := h3.Smbclient(t, "HOST2", "found by broadcast"); err != nil {
		t.Error(err)
	}
	if got := h2.SMBDMessages(t); len(got) != 1 || got[0].Text != "found by broadcast" {
		t.Errorf("smbd's messages: %q", got)
	}
}

func TestSmbclientSaysWhenItFailed(t *testing.T) {
	t.Parallel()
	lan := NewLAN(t)
	h2, h3 := lan.Host(t, 2, "HOST2"), lan.Host(t, 3, "HOST3")
	if out, err := h3.Smbclient(t, "NOBODY", "text"); !errors.Is(err, errNotSent) {
		t.Errorf("to a name that nobody has: %v, output %q; want an error", err, out)
	}
	if out, err := h3.Smbclient(t, "HOST2", "text", "-I", h2.Addr.String()); !errors.Is(err, errNotSent) {
		t.Errorf("to a closed port: %v, output %q; want an error", err, out)
	}
	// This smbd refuses the message, upon which smbclient exits 0.
	h2.StartSMBD(t, h2.SMBConf(t, "message command ="))
	if out, err := h3.Smbclient(t, "HOST2", "text", "-I", h2.Addr.String()); !errors.Is(err, errNotSent) {
		t.Errorf("to one who refuses: %v, output %q; want an error", err, out)
	}
}
