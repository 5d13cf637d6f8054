package api

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/messngr/messngr/internal/store"
)

var all = store.Query{}

func TestSocketIsTheOwners(t *testing.T) {
	s := start(t, nil)
	path := filepath.Join(s.data, SocketName)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		t.Errorf("%s is a %v", path, info.Mode().Type())
	}
	if info.Mode().Perm() != 0o600 && runtime.GOOS != "windows" {
		t.Errorf("%s has mode %v, want only its owner to have a way in", path, info.Mode())
	}
	s.stop()
	if _, err := os.Lstat(path); err == nil {
		t.Errorf("%s is there after the service has ended", path)
	}
}

// TestStaleSocket: what a killed service leaves behind is no service, and is
// replaced by the next.
func TestStaleSocket(t *testing.T) {
	data := t.TempDir()
	ln, err := net.Listen("unix", filepath.Join(data, SocketName))
	if err != nil {
		t.Fatal(err)
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	ln.Close()
	if _, err := NewClient(data).Status(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "no service is running in "+data) {
		t.Errorf("a socket without a service: %v", err)
	}
	ln, err = Listen(data)
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
}

func TestListenFails(t *testing.T) {
	taken := t.TempDir()
	if err := os.MkdirAll(filepath.Join(taken, SocketName, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	long := filepath.Join(t.TempDir(), strings.Repeat("d", 100))
	for _, tt := range []struct{ data, want string }{
		{taken, "cannot replace the socket of an earlier service: "},
		{filepath.Join(t.TempDir(), "missing"), "cannot open the service's socket: "},
		{long, "the path of the service's socket, " + long + "/" + SocketName + ", has "},
	} {
		ln, err := Listen(tt.data)
		if err == nil {
			ln.Close()
		}
		oneLine(t, err)
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s:\n got %v\nwant %s…", tt.data, err, tt.want)
		}
	}
}

// TestClientWithoutService: every call says what is wrong and what to do.
func TestClientWithoutService(t *testing.T) {
	empty := t.TempDir()
	long := filepath.Join(t.TempDir(), strings.Repeat("d", 100))
	for _, tt := range []struct{ data, want string }{
		{empty, "no service is running in " + empty + `: start it with "messngr serve", or name its directory with --data or MESSNGR_DATA`},
		{empty + "/missing", "no service is running in " + empty + `/missing: start it with "messngr serve", or name its directory with --data or MESSNGR_DATA`},
		{long, ", at most 103 are possible: choose a shorter data directory with --data or MESSNGR_DATA"},
	} {
		c := NewClient(tt.data)
		_, status := c.Status(t.Context())
		_, post := c.Post(t.Context(), Draft{From: "A"})
		list := c.Messages(t.Context(), Query{}, nil)
		for _, err := range []error{status, post, list} {
			oneLine(t, err)
			if err == nil || !strings.HasSuffix(err.Error(), tt.want) {
				t.Errorf("%s:\n got %v\nwant %s", tt.data, err, tt.want)
			}
		}
	}
}

// TestNoMessngr: somebody else at the socket gives an error, not a crash.
func TestNoMessngr(t *testing.T) {
	for answer, want := range map[string]string{
		"": "EOF",
		"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n": "the service answered 500 Oops",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno": "invalid character 'o' in literal null (expecting 'u')",
	} {
		data := t.TempDir()
		ln, err := Listen(data)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			conn.Read(make([]byte, 1024))
			conn.Write([]byte(answer))
		}()
		_, err = NewClient(data).Status(t.Context())
		ln.Close()
		oneLine(t, err)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", answer, err, want)
		}
	}
}
