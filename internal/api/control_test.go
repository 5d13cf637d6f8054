package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/internal/store"
)

// A testControl notes what it is asked, and answers as a test wants.
type testControl struct {
	asked []string
	err   error
	last  chan io.Closer
}

func (c *testControl) note(what string) error {
	c.asked = append(c.asked, what)
	return c.err
}

func (c *testControl) Pause(context.Context) error    { return c.note("pause") }
func (c *testControl) Continue(context.Context) error { return c.note("continue") }
func (c *testControl) Stop(last io.Closer)            { c.last <- last }

func (c *testControl) Release(_ context.Context, ids ...messngr.ID) (int, error) {
	return len(ids), c.note(fmt.Sprint("release ", ids))
}

func TestControl(t *testing.T) {
	control := &testControl{}
	s := start(t, func(c *Config) { c.Control = control })
	ids := []messngr.ID{messngr.NewID(time.Now()), messngr.NewID(time.Now())}
	if err := s.client.Pause(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.client.Continue(t.Context()); err != nil {
		t.Error(err)
	}
	if n, err := s.client.Release(t.Context(), Release{IDs: ids}); n != 2 || err != nil {
		t.Errorf("released %d, %v", n, err)
	}
	if n, err := s.client.Release(t.Context(), Release{All: true}); n != 0 || err != nil {
		t.Errorf("released %d, %v", n, err)
	}
	want := []string{"pause", "continue", fmt.Sprint("release ", ids), "release []"}
	if diff := cmp.Diff(want, control.asked); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}

	control.asked = nil
	for _, tt := range []struct {
		err    error
		status int
	}{
		{fmt.Errorf("%w: it is shown", ErrState), 409},
		{fmt.Errorf("%w x", store.ErrUnknown), 404},
		{fmt.Errorf("%w: the disk is full", messngr.ErrNoRoom), 507},
		{errors.New("the disk is on fire"), 500},
	} {
		control.err = tt.err
		_, err := s.client.Release(t.Context(), Release{All: true})
		for _, err := range []error{err, s.client.Pause(t.Context()), s.client.Continue(t.Context())} {
			if p := (*Problem)(nil); !errors.As(err, &p) || p.Text != tt.err.Error() {
				t.Errorf("%v, want %v", err, tt.err)
			}
			oneLine(t, err)
		}
		for _, path := range []string{"/v1/pause", "/v1/continue"} {
			if resp := s.raw(t, "POST", path, ""); resp.StatusCode != tt.status {
				t.Errorf("%s with %v: %s, want %d", path, tt.err, resp.Status, tt.status)
			}
		}
	}
	// All of them must be meant, not come of a field that is not there.
	control.asked, control.err = nil, nil
	for _, body := range []string{``, `{}`, `{"ids":[]}`, `{"all":false}`, `{"ids":["` + ids[0].String() + `"],"all":true}`, `{"id":"x"}`, `{"ids":["x"]}`} {
		if resp := s.raw(t, "POST", "/v1/release", body); resp.StatusCode != 400 || len(control.asked) != 0 {
			t.Errorf("release %s: %s, asked %q", body, resp.Status, control.asked)
		}
	}
	if resp := s.raw(t, "GET", "/v1/pause", ""); resp.StatusCode != 405 {
		t.Errorf("a link that pauses: %s", resp.Status)
	}
}

// Stop returns when the service has closed what it was given, however long after
// the end of the API that is.
func TestStop(t *testing.T) {
	control := &testControl{last: make(chan io.Closer)}
	s := start(t, func(c *Config) { c.Control = control })
	stopped := make(chan error, 1)
	go func() { stopped <- s.client.Stop(t.Context()) }()
	last := <-control.last
	s.stop()
	select {
	case err := <-stopped:
		t.Fatalf("stopped before the end: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	if err := last.Close(); err != nil {
		t.Error(err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if err := s.client.Stop(t.Context()); !errors.Is(err, messngr.NERRMsgNotStarted) {
		t.Errorf("a second time: %v", err)
	}
}

// What is posted while the recipient has paused is kept, and its sender is told.
func TestPostWhilePaused(t *testing.T) {
	s := start(t, func(c *Config) {
		post := c.Post
		c.Post = func(ctx context.Context, d Draft) (messngr.ID, error) {
			id, err := post(ctx, d)
			if err == nil {
				err = messngr.ErrPaused
			}
			return id, err
		}
	})
	posted, err := s.client.Post(t.Context(), Draft{From: "UPS", Text: "x"})
	if err != nil || posted.ID == (messngr.ID{}) || posted.State != messngr.Held {
		t.Errorf("%+v, %v", posted, err)
	}
	resp := s.raw(t, "POST", "/v1/messages", `{"from":"UPS","text":"x"}`)
	var p Posted
	if err := json.NewDecoder(resp.Body).Decode(&p); err != nil || resp.StatusCode != 201 || p.State != messngr.Held {
		t.Errorf("%s %+v %v", resp.Status, p, err)
	}
}

// Messages in a state, in pages; and what is withheld is news for those who watch.
func TestMessagesInAState(t *testing.T) {
	s := start(t, nil)
	withhold := func(text string, state messngr.State) {
		t.Helper()
		if err := s.store.Withhold(t.Context(), state, "test", message(text)); err != nil {
			t.Error(err)
		}
		s.hub.Stir()
	}
	var want []string
	for i := range page + 20 {
		s.add(t, 1000+i, 1)
		withhold(fmt.Sprint(i), messngr.Held)
		want = append(want, fmt.Sprint(i))
	}
	withhold("q", messngr.Quarantined)
	for _, tt := range []struct {
		q    Query
		want []string
	}{
		{Query{State: messngr.Held, Last: -1}, want},
		{Query{State: messngr.Held, Last: 2}, want[len(want)-2:]},
		{Query{State: messngr.Held, Last: 0}, nil},
		{Query{State: messngr.Quarantined, Last: -1}, []string{"q"}},
		{Query{State: messngr.Displayed, Last: -1}, nil},
	} {
		got, err := s.texts(t.Context(), tt.q, -1)
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%+v: %q, %v, want %q", tt.q, got, err, tt.want)
		}
	}
	if _, err := s.texts(t.Context(), Query{State: messngr.Held, Last: -1, Watch: true}, 1); err == nil {
		t.Error("a state is watched")
	}
	first := make(chan struct{})
	go func() {
		<-first
		withhold("news", messngr.Held)
	}()
	var states []messngr.State
	err := s.client.Messages(t.Context(), Query{Last: 1, Watch: true}, func(m Message) error {
		if states = append(states, m.State); m.Text == "news" {
			return errEnough
		}
		close(first)
		return nil
	})
	if !errors.Is(err, errEnough) || !slices.Equal(states, []messngr.State{messngr.Quarantined, messngr.Held}) {
		t.Errorf("%v, %v", states, err)
	}
}
