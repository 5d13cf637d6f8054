package server

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/messngr/messngr/internal/guard"
)

// The log says who is refused and what would admit him, however many are, once a
// minute.
func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s := &server{guard: guard.New(guard.Config{}), links: newLinks(), log: slog.New(slog.NewTextHandler(&log, nil))}
		flood := func(n int) {
			for i := range n {
				if s.check(netip.AddrFrom4([4]byte{203, 0, byte(i >> 8), byte(i)})) == nil {
					t.Fatal("a public address is served")
				}
			}
		}
		if err := s.check(netip.MustParseAddr("127.0.0.1")); err != nil || log.Len() > 0 {
			t.Errorf("%v, %s", err, log.String())
		}
		flood(1000)
		time.Sleep(time.Minute)
		flood(3)
		var said []string
		for line := range strings.Lines(log.String()) {
			_, line, _ = strings.Cut(line, " level=")
			said = append(said, strings.TrimSpace(line))
		}
		const line = `INFO msg="refused: 203.0.0.0 is not a private address; name its network in [guard] networks to serve it" not_told=%d`
		if len(said) != 2 || said[0] != fmt.Sprintf(line, 0) || said[1] != fmt.Sprintf(line, 999) {
			t.Errorf("the log has\n%s", log.String())
		}
	})
}
