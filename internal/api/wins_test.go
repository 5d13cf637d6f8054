package api

import (
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWINS(t *testing.T) {
	want := []WINSName{
		{Name: "HOST2<03>", Kind: "unique", State: "active", Addresses: []string{"10.77.0.2"}, Source: "10.77.0.2", Expires: time.Date(2026, 11, 24, 8, 40, 0, 0, time.UTC)},
		{Name: "PRINTER<20>", Kind: "multi-homed", State: "active", Static: true, Addresses: []string{"10.77.0.8", "10.77.1.8"}},
	}
	for i := range 2000 {
		want = append(want, WINSName{Name: fmt.Sprintf("X%d<03>", i), Kind: "group", State: "released", Addresses: []string{"10.77.0.2"}})
	}
	var failure error
	s := start(t, func(c *Config) {
		c.WINS = func() (iter.Seq[WINSName], error) { return slices.Values(want), failure }
	})
	var got []WINSName
	err := s.client.WINS(t.Context(), func(n WINSName) error {
		got = append(got, n)
		return nil
	})
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	calls := 0
	err = s.client.WINS(t.Context(), func(WINSName) error {
		calls++
		return errEnough
	})
	if !errors.Is(err, errEnough) || calls != 1 {
		t.Errorf("%d calls, %v", calls, err)
	}
	failure = ErrNoWINS
	err = s.client.WINS(t.Context(), func(WINSName) error { return nil })
	if err == nil || err.Error() != ErrNoWINS.Error() {
		t.Errorf("%v, want %v", err, ErrNoWINS)
	}
	oneLine(t, err)
	if resp := s.raw(t, "GET", "/v1/wins", ""); resp.StatusCode != http.StatusNotFound {
		t.Errorf("%s", resp.Status)
	}
}
