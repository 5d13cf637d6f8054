package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/messngr/messngr/internal/api"
)

// A task is a part that runs.
type task interface {
	Run(ctx context.Context) error
	Ready() <-chan struct{}
	Counters() map[string]int64
	String() string
}

// retryAfter is the time after which a door that could not be opened is tried
// again: whoever holds its port may have gone.
const retryAfter = 10 * time.Second

// A door is a socket of the service: open, or closed with the reason. That one
// cannot be opened does not keep the others from being so.
type door struct {
	name, what       string
	network, address string
	table            string                // of the configuration
	forWhom          string                // in words; "" for those whom the guard serves
	reached          func(netip.Addr) bool // whether it is reached at an address of ours; nil: at all
	open             func(context.Context) (task, error)
	log              *slog.Logger

	tried chan struct{} // closed when the first try to open has been made

	mu   sync.Mutex
	task task  // nil while the door is closed
	err  error // why it is closed
}

func newDoor(name, what, network, address string, log *slog.Logger, open func(context.Context) (task, error)) *door {
	return &door{
		name: name, what: what, network: network, address: address, table: name,
		open: open, log: log, tried: make(chan struct{}),
	}
}

// run keeps the door open until ctx is done.
func (d *door) run(ctx context.Context) {
	for first := true; ; first = false {
		t, err := d.open(ctx)
		opened := d.set(t, err)
		if first {
			close(d.tried)
		} else if opened {
			d.log.Info("open", "listener", d.name, "address", d.address)
		}
		if err == nil {
			err = t.Run(ctx)
			if ctx.Err() == nil {
				d.log.Error("the listener ended; it will be opened again", "listener", t, "error", err)
				d.set(nil, err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(retryAfter):
		}
	}
}

// set notes the outcome of a try to open, and reports whether the door is open.
func (d *door) set(t task, err error) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.task, d.err = t, err
	return t != nil
}

// status says how the door is.
func (d *door) status(l *links) api.Listener {
	d.mu.Lock()
	defer d.mu.Unlock()
	address := d.address
	if b, ok := d.task.(interface{ Addr() net.Addr }); ok { // the system chooses the port
		host, _, _ := net.SplitHostPort(address)
		_, port, _ := net.SplitHostPort(b.Addr().String())
		address = net.JoinHostPort(host, port)
	}
	st := api.Listener{
		Name: d.name, What: d.what,
		Address: address + "/" + d.network,
		Open:    d.task != nil, For: d.forWhom,
	}
	switch {
	case d.task != nil:
		st.On = d.reachedOn(l)
		st.Counters = d.task.Counters()
	case d.err != nil:
		st.Error, st.Remedy = d.explain(d.err)
	}
	return st
}

// reachedOn returns the addresses on which peers reach the door.
func (d *door) reachedOn(l *links) []string {
	host, _, err := net.SplitHostPort(d.address)
	if err != nil {
		return nil
	}
	if addr, err := netip.ParseAddr(host); err == nil && !addr.IsUnspecified() {
		return []string{host}
	}
	var on []string
	for _, a := range l.addresses() {
		if a.Is4() && (d.reached == nil || d.reached(a)) { // NetBIOS over TCP/IP is IPv4
			on = append(on, a.String())
		}
	}
	return on
}

// explain says why the door could not be opened, and what would help.
func (d *door) explain(err error) (reason, remedy string) {
	_, port, _ := net.SplitHostPort(d.address)
	switch {
	case d.network == "unix":
	case errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM):
		exe, err := os.Executable()
		if err != nil {
			exe = "messngr"
		}
		return "no privilege for port " + port,
			fmt.Sprintf("run it as root, or allow it once: sudo setcap cap_net_bind_service=+ep %s", exe)
	case errors.Is(err, syscall.EADDRINUSE):
		owner, ok := portOwner(d.network, port)
		if !ok {
			return "port " + port + " is taken by another program", "stop that program, or give another address in [" + d.table + "] listen"
		}
		remedy := fmt.Sprintf("stop it (kill %d)", owner.pid)
		if owner.name == "smbd" || owner.name == "nmbd" {
			remedy = fmt.Sprintf("stop it (systemctl stop %s)", owner.name)
		}
		return fmt.Sprintf("port %s is taken by %s (process %d)", port, owner.name, owner.pid),
			remedy + ", or give another address in [" + d.table + "] listen"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "no interface has this address", "give an address of this host in [" + d.table + "] listen"
	}
	return err.Error(), ""
}

// A process is one that holds a port.
type process struct {
	pid  int
	name string
}
