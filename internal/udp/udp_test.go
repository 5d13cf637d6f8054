package udp

import (
	"net"
	"net/netip"
	"testing"
	"time"
)

// pair returns a Conn and a socket on the loopback.
func pair(t testing.TB) (*Conn, *net.UDPConn) {
	t.Helper()
	var conns [2]*net.UDPConn
	for i := range conns {
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		conns[i] = conn
	}
	return New(conns[0]), conns[1]
}

func addrOf(c net.Conn) netip.AddrPort { return c.LocalAddr().(*net.UDPAddr).AddrPort() }

func TestWrite(t *testing.T) {
	from, to := pair(t)
	for _, text := range []string{"first", "", "third"} {
		if n, err := from.WriteToUDPAddrPort([]byte(text), addrOf(to)); n != len(text) || err != nil {
			t.Fatalf("%q: %d, %v", text, n, err)
		}
		b := make([]byte, 16)
		to.SetReadDeadline(time.Now().Add(5 * time.Second))
		n, source, err := to.ReadFromUDPAddrPort(b)
		if err != nil || string(b[:n]) != text || source != addrOf(from.UDPConn) {
			t.Fatalf("%q from %v, %v", b[:n], source, err)
		}
	}
	// What cannot be sent is an error, and neither is the next.
	if _, err := from.WriteToUDPAddrPort(make([]byte, 1<<16), addrOf(to)); err == nil {
		t.Error("a packet of 65,536 bytes is sent")
	}
	if _, err := from.WriteToUDPAddrPort([]byte("x"), addrOf(to)); err != nil {
		t.Error(err)
	}
	from.Close()
	if _, err := from.WriteToUDPAddrPort([]byte("x"), addrOf(to)); err == nil {
		t.Error("a closed socket sends")
	}
}

func TestWriteAllocatesNothing(t *testing.T) {
	from, to := pair(t)
	packet, addr := make([]byte, 100), addrOf(to)
	if n := testing.AllocsPerRun(100, func() { from.WriteToUDPAddrPort(packet, addr) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
