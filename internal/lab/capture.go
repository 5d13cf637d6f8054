//go:build linux

package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// A Capture is what has passed a host's eth0, for tshark to read.
//
// The kernel keeps the packets of a packet socket; they are written to a pcap
// file when somebody asks for them. So a capture is complete: from the return
// of [Host.Capture] on, up to the question, with the kernel's times.
type Capture struct {
	host *Host
	fd   int // -1 once stopped
	file *os.File
}

// captureBuffer is the room for packets that nobody has asked for yet, in
// bytes: some 30,000 small packets.
const captureBuffer = 64 << 20

// Capture starts to capture on the host's eth0, until the test ends.
func (h *Host) Capture(t testing.TB) *Capture {
	t.Helper()
	NeedProgram(t, "tshark", "tshark")
	c := &Capture{host: h, fd: -1}
	h.Do(t, func() (err error) {
		c.fd, err = openPacketSocket("eth0")
		return err
	})
	t.Cleanup(func() { c.close() })

	var err error
	if c.file, err = os.CreateTemp(h.Dir, "*.pcap"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.file.Close() })
	// The header of a pcap file with times in nanoseconds: magic number,
	// version 2.4, time zone, accuracy, longest packet, Ethernet.
	header := []byte{0x4D, 0x3C, 0xB2, 0xA1, 2, 0, 4, 0, 11: 0, 15: 0, 18: 4, 20: 1, 23: 0}
	if _, err := c.file.Write(header); err != nil {
		t.Fatal(err)
	}
	return c
}

func openPacketSocket(name string) (int, error) {
	eth, err := net.InterfaceByName(name)
	if err != nil {
		return -1, err
	}
	// Protocol 0 takes nothing until the socket is bound to the interface.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, fmt.Errorf("packet socket: %w", err)
	}
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, captureBuffer),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS_NEW, 1),
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: everyProtocol(), Ifindex: eth.Index}),
	)
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("packet socket on %s: %w", name, err)
	}
	return fd, nil
}

// everyProtocol returns ETH_P_ALL in network byte order.
func everyProtocol() uint16 {
	return binary.NativeEndian.Uint16([]byte{unix.ETH_P_ALL >> 8, unix.ETH_P_ALL})
}

// Stop ends the capture; what has been captured can still be read.
func (c *Capture) Stop(t testing.TB) {
	t.Helper()
	c.drain(t)
	c.close()
}

func (c *Capture) close() {
	if c.fd >= 0 {
		unix.Close(c.fd)
		c.fd = -1
	}
}

// File returns the path of a pcap file with all packets up to now.
func (c *Capture) File(t testing.TB) string {
	t.Helper()
	c.drain(t)
	return c.file.Name()
}

// drain appends the packets that wait in the socket to the file.
func (c *Capture) drain(t testing.TB) {
	t.Helper()
	if c.fd < 0 {
		return
	}
	frame, control := make([]byte, 256<<10), make([]byte, 64)
	for {
		n, nc, _, _, err := unix.Recvmsg(c.fd, frame, control, 0)
		if errors.Is(err, unix.EAGAIN) {
			break
		}
		if err == nil {
			err = c.write(frame[:n], control[:nc])
		}
		if err != nil {
			t.Fatalf("%s: capture: %v", c.host.Name, err)
		}
	}
	stats, err := unix.GetsockoptTpacketStats(c.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil || stats.Drops > 0 {
		t.Fatalf("%s: capture: %d of %d packets lost, %v", c.host.Name, stats.Drops, stats.Packets, err)
	}
}

func (c *Capture) write(frame, control []byte) error {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil || len(messages) != 1 || len(messages[0].Data) != 16 {
		return fmt.Errorf("packet without a time: %x, %w", control, err)
	}
	stamp := messages[0].Data // struct __kernel_timespec: seconds, nanoseconds
	record := make([]byte, 0, 16+len(frame))
	record = binary.LittleEndian.AppendUint32(record, uint32(binary.NativeEndian.Uint64(stamp)))
	record = binary.LittleEndian.AppendUint32(record, uint32(binary.NativeEndian.Uint64(stamp[8:])))
	record = binary.LittleEndian.AppendUint32(record, uint32(len(frame))) // captured
	record = binary.LittleEndian.AppendUint32(record, uint32(len(frame))) // on the wire
	_, err = c.file.Write(append(record, frame...))
	return err
}
