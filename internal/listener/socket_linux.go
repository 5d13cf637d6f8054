package listener

import (
	"net"
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
