package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/internal/store"
)

func TestMessages(t *testing.T) {
	s := start(t, nil)
	const all = 2*page + 50
	ids := s.add(t, 0, all)
	for _, tt := range []struct {
		name     string
		q        Query
		from, to int // the texts
	}{
		{"all", Query{Last: -1}, 0, all},
		{"after", Query{After: ids[9], Last: -1}, 10, all},
		{"after all", Query{After: ids[all-1], Last: -1}, all, all},
		{"last 3", Query{Last: 3}, all - 3, all},
		{"last of more than a page", Query{Last: page + 7}, all - page - 7, all},
		{"last of more than there are", Query{Last: 10 * all}, 0, all},
		{"a whole page", Query{Last: page}, all - page, all},
		{"none", Query{Last: 0}, all, all},
		{"after and last", Query{After: ids[9], Last: 2}, all - 2, all},
		{"after, fewer than last", Query{After: ids[all-3], Last: 5}, all - 2, all},
	} {
		got, err := s.texts(t.Context(), tt.q, -1)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if diff := cmp.Diff(numbers(tt.from, tt.to), got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", tt.name, diff)
		}
	}
}

func numbers(from, to int) []string {
	var texts []string
	for i := from; i < to; i++ {
		texts = append(texts, fmt.Sprint(i))
	}
	return texts
}

// TestMessageJSON holds the form that scripts rely on.
func TestMessageJSON(t *testing.T) {
	s := start(t, nil)
	at := time.Date(2026, 11, 23, 8, 40, 0, 0, time.FixedZone("", 3600))
	m := message("a <b> & \u202e\x1b")
	m.Sent, m.Received = at, at
	local := message("from here")
	local.Sent, local.Received, local.Source = at, at, messngr.Source{Transport: messngr.Local}
	local.Provenance = messngr.Authenticated
	for _, m := range []*messngr.Message{m, local} {
		if err := s.store.Add(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.store.AddReceipts(t.Context(), messngr.Receipt{Message: local.ID, State: messngr.Displayed, At: at}); err != nil {
		t.Fatal(err)
	}
	resp := s.raw(t, "GET", "/v1/messages", "")
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"id":"` + m.ID.String() + `","from":"ALICE","to":"HOST1","text":"a <b> & ` + "\u202e" + `\u001b",` +
		`"transport":"smb","source":"10.77.0.3","called":"HOST1<03>","calling":"HOST3<00>","provenance":"claimed",` +
		`"sent":"2026-11-23T07:40:00Z","received":"2026-11-23T07:40:00Z","state":"received"}
{"id":"` + local.ID.String() + `","from":"ALICE","to":"HOST1","text":"from here",` +
		`"transport":"local","source":"","called":"","calling":"","provenance":"authenticated",` +
		`"sent":"2026-11-23T07:40:00Z","received":"2026-11-23T07:40:00Z","state":"displayed"}
`
	if diff := cmp.Diff(want, string(body)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := resp.Header.Get("Content-Type"); got != "application/x-ndjson" {
		t.Errorf("Content-Type is %q", got)
	}
}

func TestMessagesRefuses(t *testing.T) {
	s := start(t, nil)
	s.add(t, 0, 1)
	unknown := messngr.NewID(time.Now()).String()
	for _, tt := range []struct {
		path string
		code int
		want string
	}{
		{"/v1/messages?after=x", 400, `after: invalid message id "x": want 8-4-4-4-12 hexadecimal digits`},
		{"/v1/messages?after=" + strings.Repeat("g", 36), 400, `after: invalid message id "` + strings.Repeat("g", 36) + `": want 8-4-4-4-12 hexadecimal digits`},
		{"/v1/messages?last=-1", 400, `last: "-1" is not a number of messages`},
		{"/v1/messages?last=many", 400, `last: "many" is not a number of messages`},
		{"/v1/messages?after=" + unknown, 404, `after: unknown message ` + unknown},
		{"/v1/messages?watch=1&after=" + unknown, 404, `after: unknown message ` + unknown},
		{"/v1/nothing", 404, ""},
	} {
		resp := s.raw(t, "GET", tt.path, "")
		var p Problem
		if err := json.NewDecoder(resp.Body).Decode(&p); err != nil && tt.want != "" {
			t.Errorf("%s: the body is no JSON: %v", tt.path, err)
		}
		if resp.StatusCode != tt.code || p.Text != tt.want {
			t.Errorf("%s: %d %q, want %d %q", tt.path, resp.StatusCode, p.Text, tt.code, tt.want)
		}
	}
	if resp := s.raw(t, "DELETE", "/v1/messages", ""); resp.StatusCode != 405 {
		t.Errorf("DELETE: %s", resp.Status)
	}
	_, err := s.texts(t.Context(), Query{After: messngr.NewID(time.Now()), Last: -1}, -1)
	oneLine(t, err)
	if !strings.HasPrefix(err.Error(), "after: unknown message ") {
		t.Errorf("the client says %q", err)
	}
}

// A failing store has no second page.
type failing struct{ store.Store }

var errDisk = errors.New("disk I/O error")

func (f failing) Entries(ctx context.Context, q store.Query) ([]messngr.Entry, error) {
	if q.After != (messngr.ID{}) {
		return nil, errDisk
	}
	return f.Store.Entries(ctx, q)
}

// TestMessagesCutShort: a list that could not be read to its end must not look
// complete.
func TestMessagesCutShort(t *testing.T) {
	s := start(t, func(c *Config) { c.Store = failing{c.Store} })
	s.add(t, 0, page+1)
	got, err := s.texts(t.Context(), Query{Last: -1}, -1)
	if err == nil {
		t.Fatalf("no error, after %d of %d messages", len(got), page+1)
	}
	oneLine(t, err)
	if got, want := err.Error(), "the service broke off its answer; its log may say why (unexpected EOF)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestWatch(t *testing.T) {
	for _, tt := range []struct {
		query string
		want  []string
	}{
		{"", []string{"0", "1", "2", "new"}},
		{"&last=1", []string{"2", "new"}},
		{"&last=0", []string{"new"}},
		{"&last=9", []string{"0", "1", "2", "new"}},
	} {
		s := start(t, nil)
		s.add(t, 0, 3)
		stream := s.watch(t, tt.query)
		if err := s.store.Add(t.Context(), message("new")); err != nil {
			t.Fatal(err)
		}
		if got := stream(len(tt.want)); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.query, got, tt.want)
		}
	}
}

// watch asks for messages as they come. Once it has returned, the server has
// answered with those that were there; what it returns reads the next n texts.
func (s *service) watch(t *testing.T, query string) (next func(n int) []string) {
	t.Helper()
	resp := s.raw(t, "GET", "/v1/messages?watch=1"+query, "")
	if resp.StatusCode != 200 {
		t.Fatal(resp.Status)
	}
	dec := json.NewDecoder(resp.Body)
	return func(n int) []string {
		t.Helper()
		var texts []string
		for range n {
			var m Message
			if err := dec.Decode(&m); err != nil {
				t.Fatalf("after %q: %v", texts, err)
			}
			texts = append(texts, m.Text)
		}
		return texts
	}
}

// TestWatchFromNothing: who watches an empty inbox misses nothing of a burst,
// however few messages it asked for first.
func TestWatchFromNothing(t *testing.T) {
	for _, query := range []string{"&last=0", "&last=1", ""} {
		// Messages of one commit: all durable before the hub speaks.
		var commit []*messngr.Message
		quiet := store.NewMemory(store.Config{Committed: func(m []*messngr.Message) { commit = append(commit, m...) }})
		s := start(t, func(c *Config) { c.Store = quiet })
		stream := s.watch(t, query)
		s.store = quiet
		s.add(t, 0, 3)
		s.hub.Publish(commit)
		if got, want := stream(3), numbers(0, 3); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
}

// TestSlowWatcher: the hub forgets what a slow reader has not read; the reader
// gets it all the same, in order, once.
func TestSlowWatcher(t *testing.T) {
	s := start(t, nil)
	s.add(t, 0, 1)
	const burst = 5000
	stalled, stored := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stored)
		<-stalled
		s.add(t, 1, burst)
	}()
	var got []string
	err := s.client.Messages(t.Context(), Query{Last: -1, Watch: true}, func(m Message) error {
		if got = append(got, m.Text); len(got) == 1 {
			close(stalled)
			<-stored
		}
		if len(got) == 1+burst {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		t.Fatal(err)
	}
	if want := numbers(0, 1+burst); !slices.Equal(got, want) {
		t.Errorf("%d messages, not all of them in order", len(got))
	}
}

// TestWatchEnds: a watcher ends with the service, and says so, or when it has
// had enough.
func TestWatchEnds(t *testing.T) {
	s := start(t, nil)
	s.add(t, 0, 1)
	_, err := s.texts(t.Context(), Query{Last: -1, Watch: true}, 1)
	if !errors.Is(err, errEnough) {
		t.Errorf("enough: %v", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	err = s.client.Messages(ctx, Query{Last: -1, Watch: true}, func(Message) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}

	began := time.Now()
	err = s.client.Messages(t.Context(), Query{Last: -1, Watch: true}, func(Message) error {
		go s.stop()
		return nil
	})
	oneLine(t, err)
	if got, want := err.Error(), "the service has stopped"; got != want {
		t.Errorf("the service stopped: %q, want %q", got, want)
	}
	<-s.ended
	if took := time.Since(began); took > time.Second {
		t.Errorf("a watcher kept the service for %v", took)
	}
}

// TestStuckWatcher: one that reads nothing cannot keep the service from ending.
func TestStuckWatcher(t *testing.T) {
	s := start(t, nil)
	big := message(strings.Repeat("x", 64<<10))
	for range 64 { // more than the buffers of a socket
		big := *big
		big.ID = messngr.NewID(time.Now())
		if err := s.store.Add(t.Context(), &big); err != nil {
			t.Fatal(err)
		}
	}
	s.raw(t, "GET", "/v1/messages?watch=1", "")
	began := time.Now()
	s.stop()
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("a watcher kept the service for %v", took)
	}
}
