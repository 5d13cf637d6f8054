package server

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// portOwner finds the process that holds a port, as root or among one's own:
// proc(5), /proc/net/tcp and /proc/PID/fd.
func portOwner(network, port string) (process, bool) {
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return process{}, false
	}
	inodes := map[string]bool{}
	for _, file := range []string{network, network + "6"} {
		socketsOf("/proc/net/"+file, network, uint16(n), inodes)
	}
	fds, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil || len(inodes) == 0 {
		return process{}, false
	}
	for _, fd := range fds {
		link, err := os.Readlink(fd)
		if err != nil || !inodes[link] {
			continue
		}
		dir := filepath.Dir(filepath.Dir(fd))
		pid, _ := strconv.Atoi(filepath.Base(dir))
		name, err := os.ReadFile(filepath.Join(dir, "comm"))
		if err == nil {
			return process{pid, strings.TrimSpace(string(name))}, true
		}
	}
	return process{}, false
}

// socketsOf adds the sockets of a /proc/net file that are bound to the port,
// in the form in which /proc/PID/fd links to them.
func socketsOf(file, network string, port uint16, inodes map[string]bool) {
	f, err := os.Open(file)
	if err != nil {
		return
	}
	defer f.Close()
	suffix := fmt.Sprintf(":%04X", port)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		// sl local_address rem_address st … inode is the tenth
		field := strings.Fields(lines.Text())
		const listening = "0A"
		if len(field) > 9 && strings.HasSuffix(field[1], suffix) && (network == "udp" || field[3] == listening) {
			inodes["socket:["+field[9]+"]"] = true
		}
	}
}
