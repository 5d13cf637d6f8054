package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/messngr/messngr/internal/listener"
)

// counted asks the floor how many datagrams it has counted.
func counted(conn net.Conn) (int, error) {
	answer := make([]byte, 20)
	for range 5 {
		if _, err := conn.Write([]byte("?")); err != nil {
			return 0, err
		}
		if err := conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			return 0, err
		}
		if n, err := conn.Read(answer); err == nil {
			return strconv.Atoi(string(answer[:n]))
		}
	}
	return 0, errors.New("the floor does not answer")
}

// datagramFloorMain is the process of the floor: a plain receiver that counts.
// What begins with "?" asks for the number. With a log it also does the least
// that can be done for a message: it makes it durable, and then hands the packet
// as it came to the one who has connected to its socket.
func datagramFloorMain(args []string, stdin io.Reader, stdout io.Writer) error {
	f := flag.NewFlagSet("bench floor datagrams", flag.ContinueOnError)
	path := f.String("log", "", "")
	socket := f.String("socket", "", "")
	if err := f.Parse(args); err != nil {
		return err
	}
	var keep *castLog
	if *path != "" {
		var err error
		if keep, err = newCastLog(*path, *socket); err != nil {
			return err
		}
		defer keep.close()
	}
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return err
	}
	listener.MakeRoom(conn) // as much as ours has
	if _, err := fmt.Fprintln(stdout, conn.LocalAddr()); err != nil {
		return err
	}
	var ended atomic.Bool
	go func() {
		io.Copy(io.Discard, stdin)
		ended.Store(true)
		conn.Close()
	}()
	in := make([]byte, 1<<16)
	for n := 0; ; {
		size, from, err := conn.ReadFromUDPAddrPort(in)
		if ended.Load() {
			return nil
		}
		if err != nil {
			return err
		}
		if size > 0 && in[0] == '?' {
			if _, err := conn.WriteToUDPAddrPort(strconv.AppendInt(nil, int64(n), 10), from); err != nil {
				return err
			}
			continue
		}
		n++
		if keep != nil {
			keep.add(in[:size])
		}
	}
}

// A castLog makes packets durable and hands them on: all that wait share one
// write, one sync and one write to the subscriber.
type castLog struct {
	file *os.File
	ln   net.Listener
	at   int64

	mu      sync.Mutex
	waiting []byte
	work    chan struct{}
}

func newCastLog(path, socket string) (*castLog, error) {
	f, err := createLog(path)
	if err != nil {
		return nil, err
	}
	l := &castLog{file: f, work: make(chan struct{}, 1)}
	if l.ln, err = net.Listen("unix", socket); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	go l.run()
	return l, nil
}

func (l *castLog) close() { l.ln.Close() }

func (l *castLog) add(packet []byte) {
	l.mu.Lock()
	l.waiting = append(l.waiting, packet...)
	l.mu.Unlock()
	select {
	case l.work <- struct{}{}:
	default:
	}
}

// run serves the one subscriber. What goes wrong it sees as the end.
func (l *castLog) run() {
	subscriber, err := l.ln.Accept()
	if err != nil {
		return
	}
	defer subscriber.Close()
	var now []byte
	for range l.work {
		l.mu.Lock()
		now, l.waiting = l.waiting, now[:0]
		l.mu.Unlock()
		if l.at+int64(len(now)) > floorLogSize {
			l.at = 0
		}
		if _, err := l.file.WriteAt(now, l.at); err != nil {
			return
		}
		l.at += int64(len(now))
		if err := syncData(l.file); err != nil {
			return
		}
		if _, err := subscriber.Write(now); err != nil {
			return
		}
	}
}
