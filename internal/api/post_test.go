package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/messngr/messngr"
)

func TestStatus(t *testing.T) {
	s := start(t, nil)
	got, err := s.client.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := Status{Version: "1.2", PID: 7, Names: []Name{{Name: "HOST1<03>"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestPost(t *testing.T) {
	s := start(t, nil)
	text := "two\nlines, <é>"
	posted, err := s.client.Post(t.Context(), Draft{From: "UPS", To: "HOST1", Text: text})
	if err != nil || posted.State != messngr.Received {
		t.Fatal(posted, err)
	}
	entries, err := s.store.Entries(t.Context(), all)
	if err != nil || len(entries) != 1 {
		t.Fatalf("%d messages, %v", len(entries), err)
	}
	if m := entries[0]; m.ID != posted.ID || m.From != "UPS" || m.To != "HOST1" || m.Text != text {
		t.Errorf("stored %+v as %v", m, posted)
	}
	resp := s.raw(t, "POST", "/v1/messages", `{"from":"UPS","text":"on battery"}`)
	var p Posted
	if err := json.NewDecoder(resp.Body).Decode(&p); err != nil || resp.StatusCode != 201 || p.ID == (messngr.ID{}) {
		t.Errorf("%s %v %v, want 201 and an id", resp.Status, p, err)
	}
}

func TestPostRefuses(t *testing.T) {
	errFull := fmt.Errorf("%w: the disk is full", messngr.ErrNoRoom)
	s := start(t, func(c *Config) {
		post := c.Post
		c.Post = func(ctx context.Context, d Draft) (messngr.ID, error) {
			if d.From == "FULL" {
				return messngr.ID{}, errFull
			}
			return post(ctx, d)
		}
	})
	for _, tt := range []struct {
		name, body string
		code       int
		want       string
	}{
		{"nothing", ``, 400, `the body is not what is asked for: EOF`},
		{"half", `{"from":"A"`, 400, `the body is not what is asked for: unexpected EOF`},
		{"a list", `[]`, 400, `the body is not what is asked for: json: cannot unmarshal array into Go value of type api.Draft`},
		{"unknown field", `{"from":"A","txt":"x"}`, 400, `the body is not what is asked for: json: unknown field "txt"`},
		{"wrong kind", `{"from":1}`, 400, `the body is not what is asked for: json: cannot unmarshal number into Go struct field Draft.from of type string`},
		{"garbage behind", `{"from":"A","text":"x"} x`, 400, `the body is not what is asked for: something follows it`},
		{"two messages", `{"from":"A","text":"x"}{"from":"A","text":"y"}`, 400, `the body is not what is asked for: something follows it`},
		{"no sender", `{"text":"x"}`, 400, `not a message: "from" is empty`},
		{"too large", `{"from":"A","text":"` + strings.Repeat("x", maxDraft) + `"}`, 413, `the body is not what is asked for: it has more than 1048576 bytes: http: request body too large`},
		{"no room", `{"from":"FULL","text":"x"}`, 507, `no room: the disk is full`},
	} {
		resp := s.raw(t, "POST", "/v1/messages", tt.body)
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		var p Problem
		if err := json.Unmarshal(body, &p); err != nil {
			t.Errorf("%s: the body %q is no JSON: %v", tt.name, body, err)
		}
		if resp.StatusCode != tt.code || p.Text != tt.want {
			t.Errorf("%s:\n got %d %s\nwant %d %s", tt.name, resp.StatusCode, p.Text, tt.code, tt.want)
		}
	}
	if entries, err := s.store.Entries(t.Context(), all); err != nil || len(entries) != 0 {
		t.Errorf("%d messages were kept, %v", len(entries), err)
	}
	_, err := s.client.Post(t.Context(), Draft{Text: "x"})
	oneLine(t, err)
	if got, want := err.Error(), `not a message: "from" is empty`; got != want {
		t.Errorf("the client says %q, want %q", got, want)
	}
}

// TestRunAnswers: a message that is being stored when the service ends is
// stored and answered before Run returns.
func TestRunAnswers(t *testing.T) {
	storing, store := make(chan struct{}), make(chan struct{})
	s := start(t, func(c *Config) {
		post := c.Post
		c.Post = func(ctx context.Context, d Draft) (messngr.ID, error) {
			close(storing)
			<-store
			return post(context.WithoutCancel(ctx), d)
		}
	})
	answered := make(chan error)
	go func() {
		_, err := s.client.Post(t.Context(), Draft{From: "UPS", Text: "x"})
		answered <- err
	}()
	<-storing
	go s.stop()
	select {
	case <-s.ended:
		t.Error("Run returned while a message was being stored")
	case <-time.After(50 * time.Millisecond):
	}
	close(store)
	if err := <-answered; err != nil {
		t.Errorf("the sender was not told: %v", err)
	}
	<-s.ended
}
