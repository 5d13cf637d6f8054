//go:build linux

package lab

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A Loss is what a bad wire does to frames: shares of them, from 0 to 1. The
// zero Loss is a good wire.
type Loss struct {
	Drop   float64 // are lost
	Double float64 // arrive twice
	Hold   float64 // are held back for up to maxHold, so that others overtake them
	Seed   uint64  // of the dice
}

// maxHold is more than the time between the packets of a call, and less than
// anybody waits before it sends again.
const maxHold = 8 * time.Millisecond

// A Wire is the bad wire by which a host hangs on its LAN. It is a relay of
// ours, because not every kernel has netem:
//
//	eth0 of host n --- wN | relay | rN --- pN of the bridge
//
// Frames pass from one packet socket to the other with their virtio headers, so
// that what the kernel has left for hardware to do (checksums, segments of TCP)
// is still left. ARP passes a bad wire unharmed: who cannot be found at all is
// another subject.
type Wire struct {
	passed, dropped, doubled, held atomic.Int64
}

// Harm returns what has become of the frames, both ways.
func (w *Wire) Harm() (dropped, doubled, held int64) {
	return w.dropped.Load(), w.doubled.Load(), w.held.Load()
}

// String says what has become of the frames, both ways.
func (w *Wire) String() string {
	dropped, doubled, held := w.Harm()
	return fmt.Sprintf("%d frames passed, %d dropped, %d doubled, %d held back", w.passed.Load(), dropped, doubled, held)
}

// Lossy is [LAN.Host] with a bad wire.
func (l *LAN) Lossy(t testing.TB, n int, name string, loss Loss) (*Host, *Wire) {
	t.Helper()
	wire := &Wire{}
	h := l.join(t, n, name, func(h *Host) {
		near, far, port := fmt.Sprintf("w%d", n), fmt.Sprintf("r%d", n), fmt.Sprintf("p%d", n)
		ip(t, "-n", l.bridge(), "link", "add", near, "type", "veth", "peer", "name", "eth0", "netns", h.ns)
		ip(t, "-n", l.bridge(), "link", "add", port, "type", "veth", "peer", "name", far)
		// The relay's own ends say nothing of themselves.
		for _, end := range []string{near, far} {
			ip(t, "-n", l.bridge(), "link", "set", end, "addrgenmode", "none", "up")
		}
		ip(t, "-n", l.bridge(), "link", "set", port, "master", "br0", "up")
		ip(t, "-n", h.ns, "link", "set", "eth0", "up")
		wire.relay(t, l, near, far, loss)
	})
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s: the wire, %+v: %v", name, loss, wire)
		}
	})
	return h, wire
}

// relay carries frames between two devices until the test ends.
func (w *Wire) relay(t testing.TB, l *LAN, near, far string, loss Loss) {
	t.Helper()
	var ends [2]*os.File
	(&Host{Name: l.bridge(), ns: l.bridge()}).Do(t, func() error {
		for i, name := range []string{near, far} {
			fd, err := openRelaySocket(name)
			if err != nil {
				return err
			}
			ends[i] = os.NewFile(uintptr(fd), name)
			t.Cleanup(func() { ends[i].Close() })
		}
		return nil
	})
	var carriers sync.WaitGroup
	for i := range ends {
		carriers.Go(func() { w.carry(ends[1-i], ends[i], loss, rand.New(rand.NewPCG(loss.Seed, uint64(i)))) })
	}
	t.Cleanup(func() {
		ends[0].Close()
		ends[1].Close()
		carriers.Wait()
	})
}

// openRelaySocket opens a packet socket of a device for what it receives, each
// frame behind its virtio header.
func openRelaySocket(name string) (int, error) {
	device, err := net.InterfaceByName(name)
	if err != nil {
		return -1, err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, fmt.Errorf("packet socket: %w", err)
	}
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1),
		unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, captureBuffer),
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: everyProtocol(), Ifindex: device.Index}),
	)
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("packet socket on %s: %w", name, err)
	}
	return fd, nil
}

// virtioHeader is the size of a struct virtio_net_hdr, which precedes the
// Ethernet header.
const virtioHeader = 10

// carry passes frames on, until either end is closed.
func (w *Wire) carry(to io.Writer, from io.Reader, loss Loss, dice *rand.Rand) {
	var late sync.WaitGroup
	defer late.Wait()
	for frame := make([]byte, 256<<10); ; {
		n, err := from.Read(frame)
		switch {
		case errors.Is(err, os.ErrClosed):
			return
		case err != nil: // the device is going, or down
			if !errors.Is(err, unix.ENETDOWN) {
				return
			}
			continue
		}
		frame := frame[:n]
		drop, double, hold := dice.Float64() < loss.Drop, dice.Float64() < loss.Double, dice.Float64() < loss.Hold
		delay := time.Duration(dice.Int64N(int64(maxHold)))
		if isARP(frame) {
			drop, double, hold = false, false, false
		}
		if drop {
			w.dropped.Add(1)
			continue
		}
		w.passed.Add(1)
		if double {
			w.doubled.Add(1)
			to.Write(frame) // what a wire cannot take is lost
		}
		if hold {
			w.held.Add(1)
			frame := append([]byte(nil), frame...)
			late.Add(1)
			time.AfterFunc(delay, func() {
				defer late.Done()
				to.Write(frame)
			})
			continue
		}
		to.Write(frame)
	}
}

func isARP(frame []byte) bool {
	const etherType = virtioHeader + 12
	return len(frame) >= etherType+2 && frame[etherType] == unix.ETH_P_ARP>>8 && frame[etherType+1] == unix.ETH_P_ARP&0xFF
}
