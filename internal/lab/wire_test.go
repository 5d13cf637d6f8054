//go:build linux

package lab

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// flow sends n numbered datagrams from one host to another, with a pause after
// each, and returns the numbers in the order in which they came.
func flow(t *testing.T, from, to *Host, n int) []int {
	t.Helper()
	var server net.PacketConn
	to.Do(t, func() (err error) {
		server, err = net.ListenPacket("udp4", ":4000")
		return err
	})
	defer server.Close()
	conn := from.Dial(t, "udp4", to.Addr.String()+":4000")
	go func() {
		for i := range n {
			conn.Write(binary.BigEndian.AppendUint32(nil, uint32(i)))
			time.Sleep(200 * time.Microsecond)
		}
	}()
	var came []int
	b := make([]byte, 64)
	// The first one may have to wait until the devices are up and an address is found.
	for patience := 10 * time.Second; ; patience = 500 * time.Millisecond {
		server.SetReadDeadline(time.Now().Add(patience))
		size, _, err := server.ReadFrom(b)
		if err != nil {
			return came
		}
		if size != 4 {
			t.Fatalf("a datagram of %d bytes", size)
		}
		came = append(came, int(binary.BigEndian.Uint32(b)))
	}
}

func TestLossy(t *testing.T) {
	t.Parallel()
	lan := NewLAN(t)
	h2 := lan.Host(t, 2, "HOST2")
	h3, wire := lan.Lossy(t, 3, "HOST3", Loss{Drop: 0.1, Double: 0.1, Hold: 0.1, Seed: 1})
	const n = 2000
	for _, tt := range []struct {
		name     string
		from, to *Host
	}{{"to the LAN", h3, h2}, {"from the LAN", h2, h3}} {
		t.Run(tt.name, func(t *testing.T) {
			came := flow(t, tt.from, tt.to, n)
			late := 0
			for i := 1; i < len(came); i++ {
				if came[i] < came[i-1] {
					late++
				}
			}
			distinct := len(slices.Compact(slices.Sorted(slices.Values(came))))
			lost, twice := n-distinct, len(came)-distinct
			// 10 % of 2,000 are 200, with a standard deviation of 13.
			for what, got := range map[string]int{"lost": lost, "came twice": twice, "came late": late} {
				if got < n/20 || got > n/5 {
					t.Errorf("of %d datagrams %d %s, want about a tenth", n, got, what)
				}
			}
		})
	}
	if dropped, doubled, held := wire.Harm(); min(dropped, doubled, held) < n/10 {
		t.Errorf("the wire says: %v", wire)
	}
}

// A wire that loses nothing is a wire: whatever the kernel has left for
// hardware to do gets done.
func TestLossyByNothing(t *testing.T) {
	t.Parallel()
	lan := NewLAN(t)
	h2 := lan.Host(t, 2, "HOST2")
	h3, wire := lan.Lossy(t, 3, "HOST3", Loss{})
	for _, way := range [][2]*Host{{h2, h3}, {h3, h2}} {
		from, to := way[0], way[1]
		if came := flow(t, from, to, 200); len(came) != 200 || !slices.IsSorted(came) {
			t.Errorf("%s: %d of 200 datagrams came, %v", from.Name, len(came), came)
		}
		text := strings.Repeat("0123456789", 6000) // of many fragments of IP
		if got := echo(t, from, to, "udp4", text); got != text {
			t.Errorf("%s: %d bytes in a datagram came back as %d", from.Name, len(text), len(got))
		}
		stream := make([]byte, 4<<20) // in segments that the kernel joins
		for i := range stream {
			stream[i] = byte(rand.Uint32())
		}
		if got := echo(t, from, to, "tcp4", string(stream)); sha256.Sum256([]byte(got)) != sha256.Sum256(stream) {
			t.Errorf("%s: %d bytes in a stream came back as %d others", from.Name, len(stream), len(got))
		}
	}
	if dropped, doubled, held := wire.Harm(); max(dropped, doubled, held) != 0 {
		t.Errorf("the wire says: %v", wire)
	}
}

// echo sends a text to a port that sends it back, and returns what came back.
func echo(t *testing.T, from, to *Host, network, text string) string {
	t.Helper()
	var serve sync.WaitGroup
	defer serve.Wait()
	to.Do(t, func() error {
		if network == "udp4" {
			conn, err := net.ListenPacket(network, ":4001")
			if err == nil {
				serve.Go(func() { echoDatagram(conn) })
			}
			return err
		}
		server, err := net.Listen(network, ":4001")
		if err == nil {
			serve.Go(func() { echoStream(server, int64(len(text))) })
		}
		return err
	})
	conn := from.Dial(t, network, fmt.Sprintf("%s:4001", to.Addr))
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	serve.Go(func() { io.WriteString(conn, text) })
	got := make([]byte, len(text))
	read := io.ReadFull
	if network == "udp4" {
		read = func(r io.Reader, b []byte) (int, error) { return r.Read(b) }
	}
	n, err := read(conn, got)
	if err != nil {
		t.Error(err)
	}
	return string(got[:n])
}

func echoDatagram(conn net.PacketConn) {
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	b := make([]byte, 64<<10)
	if n, peer, err := conn.ReadFrom(b); err == nil {
		conn.WriteTo(b[:n], peer)
	}
}

func echoStream(server net.Listener, n int64) {
	conn, err := server.Accept()
	server.Close()
	if err != nil {
		return
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	io.CopyN(conn, conn, n)
}

// TCP gets through a bad wire, whole.
func TestStreamOverLossy(t *testing.T) {
	t.Parallel()
	lan := NewLAN(t)
	h2 := lan.Host(t, 2, "HOST2")
	h3, _ := lan.Lossy(t, 3, "HOST3", Loss{Drop: 0.05, Double: 0.1, Hold: 0.1, Seed: 2})
	text := strings.Repeat("0123456789abcdef", 1<<12)
	if got := echo(t, h3, h2, "tcp4", text); got != text {
		t.Errorf("%d bytes came back as %d", len(text), len(got))
	}
}
