package listener

import (
	"net"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// makeRoom gives a socket room for so many bytes that wait to be read: past the
// system's limit where we may, else up to it.
func makeRoom(conn *net.UDPConn, bytes int) {
	_ = conn.SetReadBuffer(bytes) // it is only cut to the limit
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		// Without the privilege what there is must do.
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, bytes)
	})
}

// controlSize is room enough for what the system says of a packet, in bytes.
const controlSize = 64

// tellDestination has the system say of each packet where it was sent to.
func tellDestination(conn *net.UDPConn) {
	if raw, err := conn.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_PKTINFO, 1) // without it each is taken for ours alone
		})
	}
}

// receiveFrom receives a packet. It says whether the packet went to a whole
// network, in which case the address in its header is not the one that this
// host has there: ip(7), IP_PKTINFO.
func receiveFrom(conn *net.UDPConn, packet, control []byte) (n int, from netip.AddrPort, toAll bool, err error) {
	n, size, _, from, err := conn.ReadMsgUDPAddrPort(packet, control)
	if err != nil {
		return 0, netip.AddrPort{}, false, err
	}
	h, data, _, err := unix.ParseOneSocketControlMessage(control[:size])
	if err == nil && h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo {
		info := (*unix.Inet4Pktinfo)(unsafe.Pointer(&data[0]))
		toAll = info.Addr != info.Spec_dst
	}
	return n, from, toAll, nil
}

// Of SO_MEMINFO: Linux 4.12, include/uapi/linux/sock_diag.h.
const (
	memInfoDrops = 8 // SK_MEMINFO_DROPS
	memInfoVars  = 9 // SK_MEMINFO_VARS
)

// socketDrops returns how many packets the system has dropped because the socket
// had no room.
func socketDrops(conn *net.UDPConn) (n int64, ok bool) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, false
	}
	var info [memInfoVars]uint32
	size := uint32(unsafe.Sizeof(info))
	err = raw.Control(func(fd uintptr) {
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
			uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
		ok = errno == 0
	})
	return int64(info[memInfoDrops]), err == nil && ok
}
