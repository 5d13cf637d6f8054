package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/internal/hub"
	"github.com/messngr/messngr/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A service is a running server with a store of its own.
type service struct {
	data   string
	hub    *hub.Hub
	store  store.Store
	client *Client
	stop   func()        // ends it and waits until it has ended
	ended  chan struct{} // closed when it has ended
}

// start runs a service until the test ends. change, if not nil, changes its
// configuration.
func start(t *testing.T, change func(*Config)) *service {
	t.Helper()
	s := &service{data: t.TempDir(), hub: hub.New(), ended: make(chan struct{})}
	s.store = store.NewMemory(store.Config{Committed: s.hub.Publish})
	cfg := Config{
		Store: s.store, Hub: s.hub, Log: slog.New(slog.DiscardHandler),
		Status: func() Status { return Status{Version: "1.2", PID: 7, Names: []Name{{Name: "HOST1<03>"}}} },
		Post: func(ctx context.Context, d Draft) (messngr.ID, error) {
			if d.From == "" {
				return messngr.ID{}, fmt.Errorf("%w: \"from\" is empty", ErrDraft)
			}
			m := message(d.Text)
			m.From, m.To = d.From, d.To
			return m.ID, s.store.Add(ctx, m)
		},
	}
	if change != nil {
		change(&cfg)
	}
	ln, err := Listen(s.data)
	if err != nil {
		t.Fatal(err)
	}
	server := New(ln, cfg)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(s.ended)
		if err := server.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
	<-server.Ready()
	s.stop = func() { cancel(); <-s.ended }
	t.Cleanup(s.stop)
	s.client = NewClient(s.data)
	return s
}

// message returns a message as one that came over SMB.
func message(text string) *messngr.Message {
	now := time.Now()
	return &messngr.Message{
		ID: messngr.NewID(now), From: "ALICE", To: "HOST1", Text: text, Priority: messngr.Normal,
		Sent: now, Received: now, Provenance: messngr.Claimed,
		Source: messngr.Source{
			Transport: messngr.SMB, Addr: netip.MustParseAddrPort("10.77.0.3:1025"),
			Called: "HOST1<03>", Calling: "HOST3<00>",
		},
	}
}

// add keeps messages with the texts first, first+1, … and returns their IDs.
func (s *service) add(t *testing.T, first, n int) []messngr.ID {
	t.Helper()
	var ids []messngr.ID
	for i := range n {
		m := message(fmt.Sprint(first + i))
		if err := s.store.Add(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, m.ID)
	}
	return ids
}

// raw sends a request as another program would, and returns the response.
func (s *service) raw(t *testing.T, method, path, body string) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, method, "http://x"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	c := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", s.data+"/"+SocketName)
		},
	}}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// errEnough ends a Messages that watches.
var errEnough = errors.New("enough")

// texts returns the texts of the messages of q, at most most of them.
func (s *service) texts(ctx context.Context, q Query, most int) ([]string, error) {
	var got []string
	err := s.client.Messages(ctx, q, func(m Message) error {
		if got = append(got, m.Text); len(got) == most {
			return errEnough
		}
		return nil
	})
	return got, err
}

// oneLine fails the test when an error would not stay on a line.
func oneLine(t *testing.T, err error) {
	t.Helper()
	if err == nil || strings.ContainsAny(err.Error(), "\r\n") || err.Error() == "" {
		t.Errorf("not an error of one line: %q", err)
	}
}
