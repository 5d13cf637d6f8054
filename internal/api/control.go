package api

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/messngr/messngr"
)

// Control is the part of the service that a person pauses and ends.
type Control interface {
	// Pause has messages held from now on, over a restart too.
	Pause(context.Context) error
	// Continue ends a pause: what is held is shown.
	Continue(context.Context) error
	// Release has quarantined messages shown, all of them if none is named. It
	// returns how many. The error wraps ErrState when one of those that are
	// named is not quarantined; then none is released.
	Release(context.Context, ...messngr.ID) (int, error)
	// Stop ends the service, and closes last when nothing of it is left.
	Stop(last io.Closer)
}

// A Release names the messages to release: by ID, or all.
type Release struct {
	IDs []messngr.ID `json:"ids,omitempty"`
	All bool         `json:"all,omitempty"`
}

// Released answers a Release.
type Released struct {
	Released int `json:"released"`
}

// PauseLines says in lines what is kept and not shown; none if nothing is.
func (s Status) PauseLines() []string {
	var lines []string
	switch {
	case s.Paused:
		lines = append(lines, fmt.Sprintf("Paused: messages are held, %d so far, until \"net continue messenger\".", s.Held))
	case s.Held > 0:
		lines = append(lines, fmt.Sprintf("%d messages are held: they are still to be shown.", s.Held))
	}
	if s.Quarantined > 0 {
		lines = append(lines, fmt.Sprintf("%d messages are quarantined: \"inbox --state quarantined\" lists them, \"inbox release\" shows them.", s.Quarantined))
	}
	return lines
}

// change returns a handler that makes a change and answers 204.
func change(f func(context.Context) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := f(r.Context()); err != nil {
			fail(w, statusOf(err), err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

func (s *Server) release(w http.ResponseWriter, r *http.Request) {
	var which Release
	err := decode(w, r, &which)
	if err == nil && which.All == (len(which.IDs) > 0) {
		err = fmt.Errorf("%w: either \"ids\" or \"all\"", errBody)
	}
	var out Released
	if err == nil {
		out.Released, err = s.cfg.Control.Release(r.Context(), which.IDs...)
	}
	if err != nil {
		fail(w, statusOf(err), err)
		return
	}
	reply(w, http.StatusOK, out)
}

// stop answers at once, and ends its answer when the service has ended: the
// connection is taken from the HTTP server, which will not be there any more.
func (s *Server) stop(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		fail(w, http.StatusInternalServerError, err)
		return
	}
	_ = conn.SetDeadline(time.Now().Add(shutdownGrace)) // whoever asks may be gone
	_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
	s.cfg.Control.Stop(conn)
}

// Pause has the service hold messages.
func (c *Client) Pause(ctx context.Context) error { return c.change(ctx, http.MethodPost, "/v1/pause") }

// Continue has the service show messages again, and those that are held.
func (c *Client) Continue(ctx context.Context) error {
	return c.change(ctx, http.MethodPost, "/v1/continue")
}

// Stop ends the service, and waits until it has ended.
func (c *Client) Stop(ctx context.Context) error { return c.change(ctx, http.MethodPost, "/v1/stop") }

// Release has quarantined messages shown, and returns how many there were. An
// error of the service is a *Problem.
func (c *Client) Release(ctx context.Context, which Release) (int, error) {
	out, err := ask[Released](ctx, c, http.MethodPost, "/v1/release", which)
	return out.Released, err
}
