package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"sync/atomic"

	"github.com/messngr/messngr/dcerpc/ncadg"
	"github.com/messngr/messngr/internal/listener"
)

// callFloorMain is the process of the floor: it sends back what comes, with the
// size of an answer, and lets acknowledgements go by. With a log, a packet
// that is marked is durable before it is answered.
func callFloorMain(args []string, stdin io.Reader, stdout io.Writer) error {
	f := flag.NewFlagSet("bench floor calls", flag.ContinueOnError)
	path := f.String("log", "", "")
	if err := f.Parse(args); err != nil {
		return err
	}
	var log *floorLog
	if *path != "" {
		var err error
		if log, err = newFloorLog(*path); err != nil {
			return err
		}
	}
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return err
	}
	listener.MakeRoom(conn)
	if _, err := fmt.Fprintln(stdout, conn.LocalAddr()); err != nil {
		return err
	}
	var ended atomic.Bool
	go func() {
		io.Copy(io.Discard, stdin)
		ended.Store(true)
		conn.Close()
	}()
	in := make([]byte, 2048)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(in)
		if ended.Load() {
			return nil
		}
		if err != nil {
			return err
		}
		if n < answerSize || ncadg.PacketType(in[1]) == ncadg.Ack {
			continue
		}
		if log == nil || in[flags2At] != mark(true) {
			if _, err := conn.WriteToUDPAddrPort(in[:answerSize], from); err != nil {
				return err
			}
			continue
		}
		packet := append([]byte(nil), in[:n]...)
		go func() {
			if log.add(packet) == nil {
				conn.WriteToUDPAddrPort(packet[:answerSize], from) // who hears nothing says so
			}
		}()
	}
}

// answerSize is the size of the response to NetrSendMessage.
const answerSize = ncadg.HeaderSize + 4
