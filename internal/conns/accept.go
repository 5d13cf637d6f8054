package conns

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"
)

// Accept gives the connections of ln to serve, one by one, until ctx is done,
// which closes ln, or ln is closed. It goes on after what passes, such as too
// many open files, and says so in the log under the name of the listener.
func Accept(ctx context.Context, ln net.Listener, log *slog.Logger, name fmt.Stringer, serve func(net.Conn)) error {
	stop := context.AfterFunc(ctx, func() { ln.Close() })
	defer stop()
	for pause := time.Duration(0); ; {
		nc, err := ln.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				nc.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil: // such as too many open files: it passes
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			log.Warn("cannot accept a connection", "listener", name, "error", err, "again_in", pause)
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
			continue
		}
		pause = 0
		serve(nc)
	}
}
