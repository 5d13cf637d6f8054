package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/messngr/messngr"
)

// A testNames is a service with names as a test wants them.
type testNames struct {
	names []Alias
	err   error
}

func (n *testNames) Aliases() []Alias { return n.names }

func (n *testNames) AddAlias(_ context.Context, name string) (Alias, error) {
	if n.err != nil {
		return Alias{}, n.err
	}
	a := Alias{Name: name, Origin: OfCommand}
	n.names = append(n.names, a)
	return a, nil
}

func (n *testNames) DeleteAlias(_ context.Context, name string) error {
	if n.err != nil {
		return n.err
	}
	if len(n.names) == 0 || n.names[len(n.names)-1].Name != name {
		return fmt.Errorf("%s: %w", name, messngr.NERRNotLocalName)
	}
	n.names = n.names[:len(n.names)-1]
	return nil
}

func TestNames(t *testing.T) {
	held := NameState{Interface: "eth0", Address: "10.77.0.2", State: "conflict", Holder: "10.77.0.9", HeldAs: []string{"BOB<00>"}, RetryIn: 15}
	names := &testNames{names: []Alias{{Name: "HOST1", Origin: OfComputer, States: []NameState{held}}}}
	s := start(t, func(c *Config) { c.Names = names })
	// A name may hold what a path does not.
	const odd = "A B#/%é"
	added, err := s.client.AddAlias(t.Context(), odd)
	if err != nil || added.Name != odd || added.Origin != OfCommand {
		t.Errorf("added %+v, %v", added, err)
	}
	got, err := s.client.Aliases(t.Context())
	if diff := cmp.Diff(names.names, got); err != nil || diff != "" || len(got) != 2 {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	if err := s.client.DeleteAlias(t.Context(), odd); err != nil || len(names.names) != 1 {
		t.Errorf("deleted: %v, %v", err, names.names)
	}
	const want = "conflict on eth0 (10.77.0.2): 10.77.0.9 has it (BOB<00>), tried again in 15 s"
	if got := held.Line(); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// The number of an error goes with it.
func TestNamesRefuses(t *testing.T) {
	names := &testNames{}
	s := start(t, func(c *Config) { c.Names = names })
	for _, tt := range []struct {
		err    error
		status int
		number messngr.NERR
	}{
		{fmt.Errorf("ALICE: %w", messngr.NERRDuplicateName), 409, messngr.NERRDuplicateName},
		{fmt.Errorf("ALICE: %w", messngr.NERRNotLocalName), 404, messngr.NERRNotLocalName},
		{fmt.Errorf("%w: it is empty", ErrName), 400, 0},
		{errors.New("the disk is on fire"), 500, 0},
	} {
		names.err = tt.err
		_, err := s.client.AddAlias(t.Context(), "ALICE")
		for _, err := range []error{err, s.client.DeleteAlias(t.Context(), "ALICE")} {
			var p *Problem
			if !errors.As(err, &p) || p.Text != tt.err.Error() || p.NERR != tt.number {
				t.Errorf("%v, want %v", err, tt.err)
			}
		}
		resp := s.raw(t, "POST", "/v1/names", `{"name":"ALICE"}`)
		var p Problem
		if err := json.NewDecoder(resp.Body).Decode(&p); err != nil || resp.StatusCode != tt.status || p.NERR != tt.number {
			t.Errorf("%v: %s, %+v, %v; want %d", tt.err, resp.Status, p, err, tt.status)
		}
	}
	if resp := s.raw(t, "POST", "/v1/names", `{"nmae":"ALICE"}`); resp.StatusCode != 400 {
		t.Errorf("an unknown field: %s", resp.Status)
	}
}
