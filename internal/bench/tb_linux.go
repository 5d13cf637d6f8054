package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
)

// A tb lets the bench use the lab, which is made for tests.
type tb struct {
	testing.TB // whatever is not here, the lab does not call
	ctx        context.Context
	err        error
	cleanups   []func()
}

// withLab calls f, undoes what it has made with the lab, and returns the first
// error. The error wraps errLeftOut when something is missing here.
func withLab(ctx context.Context, f func(testing.TB) error) error {
	t := &tb{ctx: ctx}
	done := make(chan struct{})
	go func() { // f ends, or Goexit ends its goroutine
		defer close(done)
		defer t.clean()
		if err := f(t); err != nil {
			t.fail(err)
		}
	}()
	<-done
	return t.err
}

func (t *tb) clean() {
	for _, f := range slices.Backward(t.cleanups) {
		f()
	}
}

func (t *tb) fail(err error) {
	if t.err == nil {
		t.err = err
	}
}

func (t *tb) Helper()                  {}
func (t *tb) Context() context.Context { return t.ctx }
func (t *tb) Cleanup(f func())         { t.cleanups = append(t.cleanups, f) }
func (t *tb) Failed() bool             { return t.err != nil }

// Logf says nothing: it is for the output of processes, of which the error has
// what matters.
func (t *tb) Logf(string, ...any) {}

func (t *tb) Error(args ...any)                 { t.fail(errors.New(fmt.Sprint(args...))) }
func (t *tb) Errorf(format string, args ...any) { t.fail(fmt.Errorf(format, args...)) }

func (t *tb) Fatal(args ...any) {
	t.Error(args...)
	runtime.Goexit()
}

func (t *tb) Fatalf(format string, args ...any) {
	t.Errorf(format, args...)
	runtime.Goexit()
}

func (t *tb) Skip(args ...any) {
	t.fail(fmt.Errorf("%w: %s", errLeftOut, fmt.Sprint(args...)))
	runtime.Goexit()
}
