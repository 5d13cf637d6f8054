package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbss"
	"github.com/messngr/messngr/smb"
)

// A load is what the load process is told: which messages to send to whom, and
// for how long.
type load struct {
	Addr    string
	Called  string // NetBIOS name
	Multi   bool   // start, text, end instead of one single block
	Keep    bool   // keep the connection for all messages of a sender
	Senders int    // at the same time; each waits for its answer
	slice
}

// A slice is how long a load lasts: a time or a number of messages.
type slice struct {
	For time.Duration
	N   int // if For is 0
}

// warm is the time that a load of a slice of time runs before it counts.
const warm = 20 * time.Millisecond

func (l load) args() []string {
	return []string{"load", "-addr", l.Addr, "-called", l.Called,
		fmt.Sprintf("-multi=%v", l.Multi), fmt.Sprintf("-keep=%v", l.Keep),
		"-senders", fmt.Sprint(l.Senders),
		"-for", l.For.String(), "-n", fmt.Sprint(l.N)}
}

// A loaded is what came of a load: every message was accepted.
type loaded struct {
	Rate     float64 // messages accepted a second, while it was counted
	Accepted int     // messages in all
}

// loadMain is the load process: it writes a loaded as JSON.
func loadMain(args []string, stdout io.Writer) error {
	var l load
	f := flag.NewFlagSet("bench load", flag.ContinueOnError)
	f.StringVar(&l.Addr, "addr", "", "")
	f.StringVar(&l.Called, "called", "", "")
	f.BoolVar(&l.Multi, "multi", false, "")
	f.BoolVar(&l.Keep, "keep", false, "")
	f.IntVar(&l.Senders, "senders", 1, "")
	f.DurationVar(&l.For, "for", 0, "")
	f.IntVar(&l.N, "n", 0, "")
	if err := f.Parse(args); err != nil {
		return err
	}
	result, err := l.run()
	if err != nil {
		return fmt.Errorf("load on %s: %w", l.Addr, err)
	}
	return json.NewEncoder(stdout).Encode(result)
}

// run sends until the load's end. The first message that is not accepted ends
// it with an error.
func (l load) run() (loaded, error) {
	senders := make([]*sender, l.Senders)
	for i := range senders {
		var err error
		if senders[i], err = newSender(l, i); err != nil {
			return loaded{}, err
		}
	}
	return l.drive(len(senders), func(i, _ int) error { return senders[i].send() }, func(i int) { senders[i].hangUp() })
}

// drive has workers do the same again and again, all at once, until the slice
// ends; each then does done. Every turn has a number, from 1. The first that
// fails ends it with an error.
func (s slice) drive(workers int, do func(worker, number int) error, done func(worker int)) (loaded, error) {
	var (
		taken, started, counted atomic.Int64
		failed                  atomic.Bool
		wait                    sync.WaitGroup
		errs                    = make([]error, workers)
		from                    = time.Now()
	)
	more := func() bool { return taken.Add(1) <= int64(s.N) }
	if s.For > 0 {
		from = from.Add(warm)
		end := from.Add(s.For)
		more = func() bool { return time.Now().Before(end) }
	}
	for i := range workers {
		wait.Go(func() {
			defer done(i)
			for !failed.Load() && more() {
				if errs[i] = do(i, int(started.Add(1))); errs[i] != nil {
					failed.Store(true)
					return
				}
				if time.Now().After(from) {
					counted.Add(1)
				}
			}
		})
	}
	wait.Wait()
	if err := errors.Join(errs...); err != nil {
		return loaded{}, err
	}
	if counted.Load() == 0 {
		return loaded{}, errors.New("it ended before anything was counted")
	}
	return loaded{Rate: float64(counted.Load()) / time.Since(from).Seconds(), Accepted: int(started.Load())}, nil
}

// text is the text of every message: 100 bytes, one block.
var text = []byte(strings.Repeat("Server restarts in 5. ", 5)[:100])

// A sender sends one message after the other. Its packets are encoded before it
// starts, so that as much as possible of the machine is the server's.
type sender struct {
	load
	dialer  net.Dialer
	nc      net.Conn
	in      *nbss.Reader
	request []byte // session request
	blocks  []block
}

// A block is a packet that is answered.
type block struct {
	command smb.Command
	packet  []byte
}

// groupAt is where a packet of a multi-block message has its MessageGroupId.
const groupAt = nbss.HeaderSize + smb.HeaderSize + 1

// newSender returns the sender number i. Each is a host of its own where the
// system lets it, with an address and all the ports that belong to it: to find
// a free port among those that were in use a moment ago takes longer than all
// the rest.
func newSender(l load, i int) (*sender, error) {
	called, err := netbios.NewName(l.Called, netbios.Messenger)
	if err != nil {
		return nil, err
	}
	calling, err := netbios.NewName("BENCH", netbios.Messenger)
	if err != nil {
		return nil, err
	}
	s := &sender{load: l, in: nbss.NewReader(nil, 4096), dialer: dialerFrom(i)}
	if s.request, err = (nbss.Request{Called: called, Calling: calling}).AppendBinary(nil); err != nil {
		return nil, err
	}
	from, to := []byte("BENCH"), []byte(l.Called)
	type body = interface {
		AppendBinary([]byte) ([]byte, error)
	}
	add := func(c smb.Command, m body) {
		b, _ := smb.Header{Command: c}.AppendBinary(nil)
		b, err = m.AppendBinary(b) // the texts and names are ours: it cannot fail
		p, _ := nbss.Packet{Type: nbss.SessionMessage, Trailer: b}.AppendBinary(nil)
		s.blocks = append(s.blocks, block{c, p})
	}
	if l.Multi {
		add(smb.SendStartMessage, smb.Start{From: from, To: to})
		add(smb.SendTextMessage, smb.Text{Text: text})
		add(smb.SendEndMessage, smb.End{})
	} else {
		add(smb.SendMessage, smb.SingleBlock{From: from, To: to, Text: text})
	}
	return s, err
}

// send sends a message and waits until it is accepted.
func (s *sender) send() error {
	if s.nc == nil {
		if err := s.call(); err != nil {
			return err
		}
	}
	for _, b := range s.blocks {
		if _, err := s.nc.Write(b.packet); err != nil {
			return err
		}
		body, err := s.response(b.command)
		if err != nil {
			return err
		}
		if b.command == smb.SendStartMessage {
			m, err := smb.ParseStartResponse(body)
			if err != nil {
				return err
			}
			for _, b := range s.blocks[1:] {
				binary.LittleEndian.PutUint16(b.packet[groupAt:], m.GroupID)
			}
		}
	}
	if !s.Keep {
		s.hangUp()
	}
	return nil
}

// call begins a session.
func (s *sender) call() (err error) {
	if s.nc, err = s.dialer.Dial("tcp", s.Addr); err != nil {
		return err
	}
	s.in.Reset(s.nc)
	if _, err := s.nc.Write(s.request); err != nil {
		return err
	}
	p, err := s.in.Next()
	if err == nil && p.Type != nbss.PositiveResponse {
		err = fmt.Errorf("the session request was answered with %v", p.Type)
	}
	return err
}

// response reads the response to a command, which must be success.
func (s *sender) response(c smb.Command) (body []byte, err error) {
	p, err := s.in.Next()
	if err != nil {
		return nil, err
	}
	h, body, err := smb.ParseHeader(p.Trailer)
	switch {
	case err != nil:
		return nil, err
	case p.Type != nbss.SessionMessage || h.Command != c || h.Flags&smb.Reply == 0:
		return nil, fmt.Errorf("%v was answered with %v, %v", c, p.Type, h.Command)
	}
	return body, h.Err()
}

func (s *sender) hangUp() {
	if s.nc != nil {
		s.nc.Close()
		s.nc = nil
	}
}
