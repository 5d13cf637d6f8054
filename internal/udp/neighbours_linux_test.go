package udp

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/messngr/messngr/internal/lab"
)

// However many packets go to addresses that nobody has, nobody waits for them,
// and what goes to others soon arrives.
func TestNeighboursThatAreNotThere(t *testing.T) {
	t.Parallel()
	lan := lab.NewLAN(t)
	h2, h3 := lan.Host(t, 2, "HOST2"), lan.Host(t, 3, "HOST3")
	var conn *Conn
	var to *net.UDPConn
	h2.Do(t, func() error {
		c, err := net.ListenUDP("udp4", nil)
		if err == nil {
			conn = New(c)
			t.Cleanup(func() { c.Close() })
		}
		return err
	})
	h3.Do(t, func() (err error) {
		if to, err = net.ListenUDP("udp4", nil); err == nil {
			t.Cleanup(func() { to.Close() })
		}
		return err
	})
	port := to.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	packet := make([]byte, 300)
	begin, lost := time.Now(), 0
	for i := range 20_000 {
		_, err := conn.WriteToUDPAddrPort(packet, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 77, 0, byte(100 + i%99)}), 9))
		switch {
		case errors.Is(err, syscall.EAGAIN):
			lost++
		case err != nil && !errors.Is(err, syscall.EHOSTUNREACH): // it has been looked for
			t.Fatal(err)
		}
	}
	// A write that waits does so until the first of them is given up, for three
	// seconds.
	if took := time.Since(begin); lost == 0 || took > 2*time.Second {
		t.Errorf("%d packets found no room, in %v", lost, took)
	}
	to.SetReadDeadline(time.Now().Add(20 * time.Second))
	arrived := make(chan error, 1)
	go func() {
		_, err := to.Read(make([]byte, 16))
		arrived <- err
	}()
	for {
		_, _ = conn.WriteToUDPAddrPort([]byte("x"), netip.AddrPortFrom(h3.Addr, port))
		select {
		case err := <-arrived:
			if err != nil {
				t.Error(err)
			}
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}
