package main

import (
	"errors"
	"testing"
)

// The rate that is found is close to what a receiver can take, or is all that
// the sender has.
func TestHighest(t *testing.T) {
	size := castSize{from: 100_000, steps: 16}
	for _, tt := range []struct {
		receiver, sender int
		least, most      float64
	}{
		{60_000, 1_000_000, 54_000, 60_000},
		{100_000, 1_000_000, 99_000, 100_000},
		{99_000, 1_000_000, 90_000, 99_000},
		{300_000, 1_000_000, 270_000, 300_000},
		{1_000_000, 80_000, 80_000, 80_000},
		{1_000_000, 150_000, 140_000, 150_000},
		{5_000, 1_000_000, 4_500, 5_000},
	} {
		tries := 0
		got, err := highest(size, func(rate int) (casted, bool, error) {
			tries++
			sent := min(rate, tt.sender)
			return casted{Sent: sent, Rate: float64(sent)}, sent <= tt.receiver, nil
		})
		if err != nil || got < tt.least || got > tt.most || tries > size.steps {
			t.Errorf("receiver %d, sender %d: %.0f after %d tries, %v; want %.0f to %.0f", tt.receiver, tt.sender, got, tries, err, tt.least, tt.most)
		}
	}
	if _, err := highest(size, func(int) (casted, bool, error) { return casted{}, false, nil }); err == nil {
		t.Error("a receiver that takes nothing has a rate")
	}
	broken := errors.New("broken")
	if _, err := highest(size, func(int) (casted, bool, error) { return casted{}, true, broken }); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}
