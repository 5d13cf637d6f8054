package listener

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/smb"
)

// The success of a message is said when Deliver has returned, and not before,
// however long that takes.
func TestAnswerAfterDelivery(t *testing.T) {
	for name, tt := range map[string]struct {
		before [][]byte // and what comes back at once
		now    [][]byte
		last   []byte
		then   []byte
	}{
		"single block": {nil, nil, single("ALICE", "LEGACY", "hello"), answer(0xD0, success)},
		"multi-block": {
			[][]byte{begin("ALICE", "LEGACY"), block(1, "hello")},
			[][]byte{started(1), answer(0xD7, success)},
			end(1), answer(0xD6, success),
		},
	} {
		for _, wait := range []time.Duration{time.Second, 89 * time.Second, time.Hour} {
			t.Run(fmt.Sprint(name, " ", wait), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					deliver := make(chan error)
					l := newPipes()
					r := serve(t, l, func(cfg *SMBConfig) {
						cfg.Deliver = gated(t, deliver)
					})
					c := l.call(t, "10.77.0.1")
					for i := range tt.before {
						c.send(tt.before[i])
						c.expect(tt.now[i])
					}
					c.send(tt.last)
					c.expectSilence(wait)
					if n := r.Counters()["messages"]; n != 0 {
						t.Errorf("%d messages counted before the delivery", n)
					}
					deliver <- nil
					c.expect(tt.then)
					// The connection is as good as before.
					go func() { deliver <- nil }()
					c.deliver("again")
					c.nc.Close()
					r.counted(t, map[string]int64{"connections": 1, "messages": 2})
				})
			})
		}
	}
}

// What Deliver refuses, the sender is told of; nothing else ends.
func TestDeliverFails(t *testing.T) {
	for _, tt := range []struct {
		err    error
		status string
		nt     string
		count  string
	}{
		{messngr.ErrNoRoom, noRoom, "050200c0", "not_stored"},
		{fmt.Errorf("the disk is full: %w", messngr.ErrNoRoom), noRoom, "050200c0", "not_stored"},
		{messngr.ErrRefused, accessDenied, "220000c0", "refused_source"},
		{fmt.Errorf("%w: not on a network of this host", messngr.ErrRefused), accessDenied, "220000c0", "refused_source"},
		{messngr.ErrPaused, paused, "cf0000c0", "paused"},
		{errors.New("a surprise"), noRoom, "050200c0", "not_stored"},
		{context.DeadlineExceeded, noRoom, "050200c0", "not_stored"},
	} {
		t.Run(tt.err.Error(), func(t *testing.T) {
			err := tt.err
			r := listen(t, func(cfg *SMBConfig) {
				cfg.Deliver = func(context.Context, *messngr.Message) error { return err }
			})
			c := r.call(t)
			c.send(single("ALICE", "LEGACY", "hello"))
			c.expect(answer(smb.SendMessage, tt.status))
			c.send(multi("ALICE", "LEGACY", "hello")...)
			c.expect(started(1), answer(0xD7, success), answer(0xD6, tt.status))
			c.send(end(1)) // it is over, though it failed
			c.expect(answer(0xD6, invalidParameter))
			c.send(packet("ff534d42 d0 00000000 00 0040 0000000000000000000000000000000000000000 00 0b00 044100 044200 010200 6869"))
			c.expect(packet("ff534d42 d0", tt.nt, "80 0040 0000000000000000000000000000000000000000 00 0000"))
			err = nil
			c.deliver("now")
			c.nc.Close()
			r.counted(t, map[string]int64{"connections": 1, "messages": 1, tt.count: 3, "malformed": 1})
		})
	}
}

// One message that takes its time to be delivered does not hold up those of
// other connections.
func TestDeliveriesSideBySide(t *testing.T) {
	slow := make(chan struct{})
	delivering := make(chan struct{})
	r := listen(t, func(cfg *SMBConfig) {
		deliver := cfg.Deliver
		cfg.Deliver = func(ctx context.Context, m *messngr.Message) error {
			if m.From == "SLOW" {
				close(delivering)
				<-slow
			}
			return deliver(ctx, m)
		}
	})
	c := r.call(t)
	c.send(single("SLOW", "LEGACY", "first"))
	<-delivering
	for range 10 {
		r.call(t).deliver("quick")
	}
	close(slow)
	c.expect(answer(smb.SendMessage, success))
	if n := len(r.delivered); n != 11 {
		t.Errorf("%d messages", n)
	}
}
