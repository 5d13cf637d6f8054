package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// A WINSName is a name that the service knows as a name server.
type WINSName struct {
	Name      string    `json:"name"`      // such as "HOST2<03>", with its scope, if it has one, behind a dot
	Kind      string    `json:"kind"`      // "unique", "multi-homed", "group" or "internet group"
	State     string    `json:"state"`     // "active" or "released"
	Static    bool      `json:"static"`    // it is configured
	Addresses []string  `json:"addresses"` // of a group, that of the host that made it
	Expires   time.Time `json:"expires,omitzero"`
	Source    string    `json:"source,omitempty"` // the host that has registered it
}

// ErrNoWINS says that the service is no name server.
var ErrNoWINS = errors.New("this station is no name server: serve = true in the [wins] of its configuration makes it one")

// wins writes the names that the name server has, one a line.
func (s *Server) wins(w http.ResponseWriter, _ *http.Request) {
	names, err := s.cfg.WINS()
	if err != nil {
		fail(w, statusOf(err), err)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for name := range names {
		if enc.Encode(name) != nil {
			return // the client has gone
		}
	}
}

// WINS calls each with the names that the service knows as a name server, in the
// order of their bytes, until there are no more or each returns an error, which
// it returns.
func (c *Client) WINS(ctx context.Context, each func(WINSName) error) error {
	body, err := c.do(ctx, http.MethodGet, "/v1/wins", nil)
	if err != nil {
		return err
	}
	defer body.Close()
	for dec := json.NewDecoder(body); ; {
		var name WINSName
		switch err := dec.Decode(&name); {
		case errors.Is(err, io.EOF):
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return fmt.Errorf("the service broke off its answer; its log may say why (%w)", err)
		}
		if err := each(name); err != nil {
			return err
		}
	}
}
