package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/internal/api"
	"github.com/messngr/messngr/internal/listener"
	"github.com/messngr/messngr/internal/resolver"
	"github.com/messngr/messngr/internal/sender"
	"github.com/messngr/messngr/internal/store"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbss"
	"github.com/messngr/messngr/smb"
)

// A watched store tells what reaches it, and refuses when it is full.
type watched struct {
	store.Store
	steps *[]string
	full  error
}

func (w *watched) Add(ctx context.Context, messages ...*messngr.Message) error {
	for _, m := range messages {
		*w.steps = append(*w.steps, "store "+m.Text)
	}
	if w.full != nil {
		return w.full
	}
	return w.Store.Add(ctx, messages...)
}

func from(addr, text string) *messngr.Message {
	m := &messngr.Message{ID: messngr.NewID(time.Now()), From: "ALICE", To: "HOST1", Text: text}
	m.Source = messngr.Source{Transport: messngr.SMB, Addr: netip.MustParseAddrPort(addr)}
	return m
}

// TestDeliver: what the guard refuses never reaches the store, and what the
// store refuses never reaches the hub.
func TestDeliver(t *testing.T) {
	s := newServer(t)
	var steps []string
	memory := store.NewMemory(store.Config{Committed: func(messages []*messngr.Message) {
		for _, m := range messages {
			steps = append(steps, "hub "+m.Text)
		}
	}})
	w := &watched{Store: memory, steps: &steps}
	s.store = w

	for _, tt := range []struct {
		m    *messngr.Message
		full error
		want []string
		err  error
	}{
		{from("10.77.0.9:1025", "on-link"), nil, []string{"store on-link", "hub on-link"}, nil},
		{from("127.0.0.1:1025", "loopback"), nil, []string{"store loopback", "hub loopback"}, nil},
		{from("[fe80::9%eth0]:1025", "link-local"), nil, []string{"store link-local", "hub link-local"}, nil},
		{from("10.78.0.9:1025", "another network"), nil, nil, messngr.ErrRefused},
		{from("192.0.2.9:1025", "public"), nil, nil, messngr.ErrRefused},
		{from("192.0.2.9:1025", "public, full"), store.ErrClosed, nil, messngr.ErrRefused},
		{from("10.77.0.9:1025", "full"), store.ErrClosed, []string{"store full"}, messngr.ErrNoRoom},
	} {
		steps, w.full = nil, tt.full
		err := s.deliver(t.Context(), tt.m)
		if !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
			t.Errorf("%s: %v, want %v", tt.m.Text, err, tt.err)
		}
		if !slices.Equal(steps, tt.want) {
			t.Errorf("%s: %q, want %q", tt.m.Text, steps, tt.want)
		}
	}

	// What comes over the service's own socket has shown by that who it is.
	m := &messngr.Message{ID: messngr.NewID(time.Now()), Text: "local", Source: messngr.Source{Transport: messngr.Local}}
	steps, w.full = nil, nil
	if err := s.deliver(t.Context(), m); err != nil || !slices.Equal(steps, []string{"store local", "hub local"}) {
		t.Errorf("local: %v, %q", err, steps)
	}
}

// listen runs the SMB listener of s on a port of loopback.
func listen(t *testing.T, s *server) netip.AddrPort {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := listener.NewSMB(ln, s.smbConfig())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- l.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return ln.Addr().(*net.TCPAddr).AddrPort()
}

// TestFullStore: while the store has no room, a sender is told so, in the words
// of the protocol and of net send; when there is room again, it is heard.
func TestFullStore(t *testing.T) {
	s := newServer(t)
	var steps []string
	w := &watched{Store: s.store, steps: &steps, full: fmt.Errorf("%w: the disk is full", messngr.ErrNoRoom)}
	s.store = w
	addr := listen(t, s)

	// An old machine: one block, without a session request.
	body, err := smb.SingleBlock{From: []byte("ALICE"), To: []byte("HOST1"), Text: []byte("x")}.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	packet, _ := nbss.AppendHeader(nil, nbss.SessionMessage, smb.HeaderSize+len(body))
	packet, _ = smb.Header{Command: smb.SendMessage}.AppendBinary(packet)
	packet = append(packet, body...)
	in := nbss.NewReader(conn, 1<<12)
	exchange := func() error {
		t.Helper()
		if _, err := conn.Write(packet); err != nil {
			t.Fatal(err)
		}
		p, err := in.Next()
		if err != nil {
			t.Fatal(err)
		}
		h, _, err := smb.ParseHeader(p.Trailer)
		if err != nil {
			t.Fatal(err)
		}
		return h.Err()
	}
	if err := exchange(); !errors.Is(err, smb.Error{Class: smb.ERRSRV, Code: 83}) {
		t.Errorf("one block: %v, want ERRSRV/83", err)
	}

	// Our own sender, in blocks.
	out := sender.New(sender.Config{
		Resolver: &resolver.Resolver{}, Computer: "HOST3", Port: addr.Port(), Timeout: 5 * time.Second,
		MaxText: 4095, Page: s.cfg.SendPage,
	})
	draft := sender.Draft{From: "BOB", To: "127.0.0.1", Text: "y"}
	del := out.Send(t.Context(), draft)
	if del.State != messngr.Failed || del.NERR != messngr.NERRBadReceive || !strings.Contains(del.Detail, "ERRSRV/83") {
		t.Errorf("net send while the store is full: %+v", del)
	}

	w.full = nil
	if err := exchange(); err != nil {
		t.Errorf("one block, with room: %v", err)
	}
	if del := out.Send(t.Context(), draft); del.State != messngr.Accepted {
		t.Errorf("net send with room: %+v", del)
	}
	entries, err := s.store.Entries(t.Context(), store.Query{})
	if err != nil || len(entries) != 2 || entries[0].Text != "x" || entries[1].Text != "y" {
		t.Errorf("kept %d messages, %v: %+v", len(entries), err, entries)
	}
}

func TestPost(t *testing.T) {
	s := newServer(t)
	id, err := s.post(t.Context(), api.Draft{From: " UPS\n1\t", Text: "on battery\r\n"})
	if err != nil {
		t.Fatal(err)
	}
	entries, err := s.store.Entries(t.Context(), store.Query{})
	if err != nil || len(entries) != 1 {
		t.Fatalf("%d messages, %v", len(entries), err)
	}
	m := entries[0].Message
	if m.ID != id || m.From != "UPS 1" || m.To != "HOST1" || m.Text != "on battery" || m.Source.Transport != messngr.Local || m.Provenance != messngr.Authenticated {
		t.Errorf("stored %+v", m)
	}
	long := strings.Repeat("x", 256)
	for _, tt := range []struct {
		draft api.Draft
		want  string
	}{
		{api.Draft{From: "\n ", Text: "x"}, `not a message: "from" is empty`},
		{api.Draft{From: long}, `not a message: a name of more than 255 bytes`},
		{api.Draft{From: "A", To: long}, `not a message: a name of more than 255 bytes`},
		{api.Draft{From: "A", Text: strings.Repeat("x", 65537)}, `not a message: the text has 65537 bytes, at most 65536 are taken`},
	} {
		if _, err := s.post(t.Context(), tt.draft); !errors.Is(err, api.ErrDraft) || err.Error() != tt.want {
			t.Errorf("%v, want %s", err, tt.want)
		}
	}
}

func TestOwned(t *testing.T) {
	s := newServer(t)
	s.cfg.Aliases = []string{"UPS"}
	var err error
	if s.aliases, err = newAliases(t.Context(), s.cfg, s.store); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		suffix netbios.Suffix
		want   bool
	}{
		{"HOST1", netbios.Messenger, true},
		{"host1", netbios.Messenger, true},
		{"HOST1", netbios.Workstation, true},
		{"HOST1", netbios.OldMessenger, true},
		{"HOST1", netbios.FileServer, true}, // what smbclient calls when it is told another port
		{"HOST1", netbios.RASServer, false},
		{"UPS", netbios.Messenger, true},
		{"WORKGROUP", netbios.Messenger, false}, // a group is nobody's
		{"WORKGROUP", netbios.Workstation, false},
		{"HOST2", netbios.Messenger, false},
		{"*SMBSERVER", netbios.FileServer, true},
		{"*", netbios.FileServer, false},
		{"", netbios.Messenger, false},
	} {
		n, err := netbios.NewName(tt.name, tt.suffix)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.aliases.owned(n); got != tt.want {
			t.Errorf("%v: %v, want %v", n, got, tt.want)
		}
	}
}
