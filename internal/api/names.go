package api

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/messngr/messngr"
)

// A Name is a NetBIOS name that the service answers to.
type Name struct {
	Name   string      `json:"name"` // such as "HOST2<03>"
	Group  bool        `json:"group"`
	States []NameState `json:"states,omitempty"` // one for each network
}

// A NameState is how a name stands on one network of this host.
type NameState struct {
	Interface string   `json:"interface"`            // such as "eth0"
	Address   string   `json:"address"`              // of this host there
	State     string   `json:"state"`                // "claiming", "owned", "conflict" or "released"
	Server    string   `json:"server,omitempty"`     // the WINS server that granted it
	Holder    string   `json:"holder,omitempty"`     // in a conflict, the address of the host that has it
	HeldAs    []string `json:"held_as,omitempty"`    // and what names that host has
	HolderMAC string   `json:"holder_mac,omitempty"` // and its hardware address, if it tells
	RetryIn   float64  `json:"retry_in_s,omitempty"` // seconds until it is claimed again
}

// Line says in one line how the name stands there.
func (s NameState) Line() string {
	line := fmt.Sprintf("%s on %s (%s)", s.State, s.Interface, s.Address)
	if s.Server != "" {
		line += ", granted by " + s.Server
	}
	if s.Holder != "" {
		line += ": " + s.Holder + " has it"
		what := slices.Clone(s.HeldAs)
		if s.HolderMAC != "" {
			what = append(what, s.HolderMAC)
		}
		if len(what) > 0 {
			line += " (" + strings.Join(what, ", ") + ")"
		}
	}
	switch {
	case s.RetryIn > 0 && s.State == "owned": // by broadcast, while no name server answers
		line += fmt.Sprintf(", the name servers are asked again in %.0f s", s.RetryIn)
	case s.RetryIn > 0:
		line += fmt.Sprintf(", tried again in %.0f s", s.RetryIn)
	}
	return line
}

// Origins of an Alias.
const (
	OfComputer      = "computer"      // the computer name
	OfConfiguration = "configuration" // an alias of the configuration file
	OfCommand       = "command"       // added with `net name`
)

// An Alias is a name under which messages are received.
type Alias struct {
	Name   string      `json:"name"` // such as "ALICE"
	Origin string      `json:"origin"`
	States []NameState `json:"states,omitempty"`
	// Warning says why the name is not known to the network.
	Warning string `json:"warning,omitempty"`
}

// Names is the part of the service that keeps its aliases. Errors wrap a
// messngr.NERR where Windows has one.
type Names interface {
	Aliases() []Alias
	AddAlias(ctx context.Context, name string) (Alias, error)
	DeleteAlias(ctx context.Context, name string) error
}

// A Problem is the error that the service answered with.
type Problem struct {
	Text string       `json:"error"`
	NERR messngr.NERR `json:"nerr,omitempty"`
}

func (p *Problem) Error() string { return p.Text }

func (s *Server) names(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, s.cfg.Names.Aliases())
}

func (s *Server) addName(w http.ResponseWriter, r *http.Request) {
	var a Alias
	if err := decode(w, r, &a); err != nil {
		fail(w, statusOf(err), err)
		return
	}
	a, err := s.cfg.Names.AddAlias(r.Context(), a.Name)
	if err != nil {
		fail(w, statusOf(err), err)
		return
	}
	reply(w, http.StatusCreated, a)
}

func (s *Server) deleteName(w http.ResponseWriter, r *http.Request) {
	if err := s.cfg.Names.DeleteAlias(r.Context(), r.URL.Query().Get("name")); err != nil {
		fail(w, statusOf(err), err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// Aliases asks the service for the names under which it receives messages.
func (c *Client) Aliases(ctx context.Context) ([]Alias, error) {
	return ask[[]Alias](ctx, c, http.MethodGet, "/v1/names", nil)
}

// AddAlias has the service claim a name and keep it. An error of the service is
// a *Problem.
func (c *Client) AddAlias(ctx context.Context, name string) (Alias, error) {
	return ask[Alias](ctx, c, http.MethodPost, "/v1/names", Alias{Name: name})
}

// DeleteAlias has the service give up a name. An error of the service is a
// *Problem.
func (c *Client) DeleteAlias(ctx context.Context, name string) error {
	return c.change(ctx, http.MethodDelete, "/v1/names?"+url.Values{"name": {name}}.Encode())
}
