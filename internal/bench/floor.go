package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"sync"

	"github.com/messngr/messngr/netbios/nbss"
	"github.com/messngr/messngr/smb"
)

// A floor is the server that does the least: it reads session packets by their
// length and answers each with fixed bytes. With a log it also makes messages
// durable.
type floor struct {
	log *floorLog // nil: keep nothing
}

// floorMain is the floor's process: it writes its address and serves until its
// standard input ends, which it does at the latest when the bench does.
func floorMain(args []string, stdin io.Reader, stdout io.Writer) error {
	if len(args) > 0 && args[0] == "names" {
		return nameFloorMain(args[1:], stdin, stdout)
	}
	if len(args) > 0 && args[0] == "calls" {
		return callFloorMain(args[1:], stdin, stdout)
	}
	if len(args) > 0 && args[0] == "datagrams" {
		return datagramFloorMain(args[1:], stdin, stdout)
	}
	f := flag.NewFlagSet("bench floor", flag.ContinueOnError)
	path := f.String("log", "", "")
	if err := f.Parse(args); err != nil {
		return err
	}
	var s floor
	if *path != "" {
		var err error
		if s.log, err = newFloorLog(*path); err != nil {
			return err
		}
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() {
		io.Copy(io.Discard, stdin)
		ln.Close()
	}()
	if _, err := fmt.Fprintln(stdout, ln.Addr()); err != nil {
		return err
	}
	for {
		nc, err := ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		go s.serve(nc)
	}
}

// The fixed bytes.
var (
	accepted = []byte{byte(nbss.PositiveResponse), 0, 0, 0}
	success  = answer(smb.SendMessage, smb.StartResponse{NoGroupID: true})
	started  = answer(smb.SendStartMessage, smb.StartResponse{GroupID: 1})
)

// answer returns the packet of a response. Its command is filled in later.
func answer(c smb.Command, m smb.StartResponse) []byte {
	b, _ := smb.Header{Command: c, Flags: smb.Reply}.AppendBinary(nil)
	b, _ = m.AppendBinary(b)
	b, _ = nbss.Packet{Type: nbss.SessionMessage, Trailer: b}.AppendBinary(nil)
	return b
}

// commandAt is where a packet has its command.
const commandAt = nbss.HeaderSize + 4

func (f floor) serve(nc net.Conn) {
	defer nc.Close()
	in, out := make([]byte, 1024), make([]byte, 0, 64)
	for n := 0; ; {
		size, err := nc.Read(in[n:])
		if err != nil {
			return
		}
		for n += size; n >= nbss.HeaderSize; {
			whole := nbss.HeaderSize + int(in[2])<<8 + int(in[3])
			if whole > len(in) {
				return // not one of ours
			}
			if n < whole {
				break
			}
			if out, err = f.reply(out[:0], in[:whole]); err != nil {
				return
			}
			if _, err := nc.Write(out); err != nil {
				return
			}
			n = copy(in, in[whole:n])
		}
	}
}

// reply appends the answer to a packet.
func (f floor) reply(b, packet []byte) ([]byte, error) {
	if nbss.Type(packet[0]) == nbss.SessionRequest {
		return append(b, accepted...), nil
	}
	c := smb.Command(packet[commandAt])
	if c == smb.SendStartMessage {
		return append(b, started...), nil
	}
	if f.log != nil && (c == smb.SendMessage || c == smb.SendEndMessage) {
		if err := f.log.add(packet); err != nil {
			return nil, err
		}
	}
	b = append(b, success...)
	b[len(b)-len(success)+commandAt] = byte(c)
	return b, nil
}

// floorLogSize is the size of a floorLog's file.
const floorLogSize = 4 << 20

// A floorLog makes messages durable for the least that it can cost: all that
// wait share one write and one sync, into a file whose room is there already,
// so that a sync has to write nothing else.
type floorLog struct {
	file *os.File
	at   int64

	mu    sync.Mutex
	batch *floorBatch // the one that gathers
	work  chan struct{}
}

// A floorBatch is what shares a sync.
type floorBatch struct {
	bytes []byte
	err   error
	done  chan struct{}
}

// createLog makes the file of a log.
func createLog(path string) (*os.File, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if _, err := f.Write(make([]byte, floorLogSize)); err != nil {
		return nil, err
	}
	return f, f.Sync()
}

func newFloorLog(path string) (*floorLog, error) {
	f, err := createLog(path)
	if err != nil {
		return nil, err
	}
	l := &floorLog{file: f, batch: &floorBatch{done: make(chan struct{})}, work: make(chan struct{}, 1)}
	go l.run()
	return l, nil
}

// add returns when the packet is durable. For an end it writes as much as a
// message has in all.
func (l *floorLog) add(packet []byte) error {
	l.mu.Lock()
	b := l.batch
	b.bytes = append(append(b.bytes, packet...), text...)
	l.mu.Unlock()
	select {
	case l.work <- struct{}{}:
	default:
	}
	<-b.done
	return b.err
}

func (l *floorLog) run() {
	for range l.work {
		next := &floorBatch{done: make(chan struct{})}
		l.mu.Lock()
		b := l.batch
		l.batch = next
		l.mu.Unlock()
		if len(b.bytes) > 0 {
			if l.at+int64(len(b.bytes)) > floorLogSize {
				l.at = 0
			}
			_, err := l.file.WriteAt(b.bytes, l.at)
			l.at += int64(len(b.bytes))
			b.err = errors.Join(err, syncData(l.file))
		}
		close(b.done)
	}
}
