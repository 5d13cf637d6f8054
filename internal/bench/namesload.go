package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbns"
)

// An ask is what the process that asks for names is told: what to ask of whom,
// and for how long.
type ask struct {
	Addr    string
	Name    string // the messenger name to ask for
	Status  bool   // ask for the node status of the name's owner instead
	Records int    // ask for one of so many records at random instead: recordName
	Sockets int    // at the same time
	Window  int    // questions of each socket that wait for their answers
	slice
}

func (a ask) args() []string {
	return []string{"ask", "-addr", a.Addr, "-name", a.Name,
		fmt.Sprintf("-status=%v", a.Status), "-records", fmt.Sprint(a.Records),
		"-sockets", fmt.Sprint(a.Sockets), "-window", fmt.Sprint(a.Window),
		"-for", a.For.String(), "-n", fmt.Sprint(a.N)}
}

// An asked is what came of an ask: every question was answered.
type asked struct {
	Rate    float64 // answers a second, while they were counted
	Answers int     // in all
	Size    int     // of an answer, in bytes
	P50     float64 // of the times from question to answer, in microseconds
	P99     float64
}

// askMain is the asking process: it writes an asked as JSON.
func askMain(args []string, stdout io.Writer) error {
	var a ask
	f := flag.NewFlagSet("bench ask", flag.ContinueOnError)
	f.StringVar(&a.Addr, "addr", "", "")
	f.StringVar(&a.Name, "name", "", "")
	f.BoolVar(&a.Status, "status", false, "")
	f.IntVar(&a.Records, "records", 0, "")
	f.IntVar(&a.Sockets, "sockets", 1, "")
	f.IntVar(&a.Window, "window", 1, "")
	f.DurationVar(&a.For, "for", 0, "")
	f.IntVar(&a.N, "n", 0, "")
	if err := f.Parse(args); err != nil {
		return err
	}
	result, err := a.run()
	if err != nil {
		return fmt.Errorf("ask %s: %w", a.Addr, err)
	}
	return json.NewEncoder(stdout).Encode(result)
}

// run asks until the end. A question without an answer, or with one that says
// no, ends it with an error.
func (a ask) run() (asked, error) {
	askers := make([]*asker, a.Sockets)
	for i := range askers {
		var err error
		if askers[i], err = newAsker(a); err != nil {
			return asked{}, err
		}
		defer askers[i].conn.Close()
	}
	from := time.Now()
	if a.For > 0 {
		from = from.Add(warm)
	}
	errs := make([]error, a.Sockets)
	var wait sync.WaitGroup
	for i, s := range askers {
		wait.Go(func() { errs[i] = s.run(from) })
	}
	wait.Wait()
	if err := errors.Join(errs...); err != nil {
		return asked{}, err
	}
	var all []time.Duration
	r := asked{Size: askers[0].size}
	for _, s := range askers {
		all = append(all, s.took...)
		r.Answers += s.answers
	}
	if len(all) == 0 {
		return asked{}, errors.New("it ended before an answer was counted")
	}
	slices.Sort(all)
	at := func(part float64) float64 { return float64(all[int(part*float64(len(all)-1))].Nanoseconds()) / 1000 }
	r.Rate, r.P50, r.P99 = float64(len(all))/time.Since(from).Seconds(), at(0.5), at(0.99)
	return r, nil
}

// answerTime is how long an answer may take. Nothing is lost: what waits fits
// in the buffers of the sockets.
const answerTime = 5 * time.Second

// An asker asks on one socket. The ID of a question is its place in the
// window.
type asker struct {
	ask
	conn    net.Conn
	sent    []time.Time // the question that waits, by ID
	out     []byte
	answers int
	size    int             // of the latest answer
	took    []time.Duration // of those that count
}

func newAsker(a ask) (*asker, error) {
	conn, err := net.Dial("udp4", a.Addr)
	if err != nil {
		return nil, err
	}
	s := &asker{ask: a, conn: conn, sent: make([]time.Time, a.Window)}
	return s, s.encode()
}

// encode makes the question.
func (s *asker) encode() error {
	name, err := netbios.NewName(s.Name, netbios.Messenger)
	if s.Records > 0 {
		name, err = recordName(rand.IntN(s.Records)), nil
	}
	if err != nil {
		return err
	}
	q := nbns.NameQuery(0, name, "", false)
	if s.Status {
		q = nbns.StatusQuery(0, name, "")
	}
	s.out, err = q.AppendBinary(s.out[:0])
	return err
}

// send asks once more.
func (s *asker) send(id uint16) error {
	if s.Records > 0 {
		if err := s.encode(); err != nil {
			return err
		}
	}
	binary.BigEndian.PutUint16(s.out, id)
	s.sent[id] = time.Now()
	_, err := s.conn.Write(s.out)
	return err
}

// run fills the window, asks anew with every answer, and in the end waits for
// those that are on their way. Answers count that come after from.
func (s *asker) run(from time.Time) error {
	if err := s.conn.SetReadDeadline(from.Add(s.For + answerTime)); err != nil {
		return err
	}
	end, left := from.Add(s.For), max(s.N/s.Sockets, s.Window)
	for id := range s.sent {
		if err := s.send(uint16(id)); err != nil {
			return err
		}
	}
	left -= s.Window
	in := make([]byte, 2048)
	for waiting := s.Window; waiting > 0; {
		n, err := s.conn.Read(in)
		if err != nil {
			return fmt.Errorf("%d questions wait for their answer: %w", waiting, err)
		}
		now := time.Now()
		id, err := s.check(in[:n])
		if err != nil {
			return err
		}
		s.answers++
		s.size = n
		if now.After(from) {
			s.took = append(s.took, now.Sub(s.sent[id]))
		}
		if s.For > 0 && now.After(end) || s.For == 0 && left == 0 {
			waiting--
			continue
		}
		left--
		if err := s.send(id); err != nil {
			return err
		}
	}
	return nil
}

// check returns the ID of an answer.
func (s *asker) check(b []byte) (uint16, error) {
	if len(b) < 12 {
		return 0, fmt.Errorf("an answer of %d bytes", len(b))
	}
	id, flags := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	if int(id) >= s.Window || flags&0x8000 == 0 || flags&0x000F != 0 {
		return 0, fmt.Errorf("it was answered with id %d, flags %04X", id, flags)
	}
	return id, nil
}

// recordName returns the name of a record: a million have different ones, all
// of one length.
func recordName(i int) netbios.Name {
	name, err := netbios.NewName(fmt.Sprintf("STATION%07d", i), netbios.Messenger)
	if err != nil {
		panic(err) // it has 14 characters
	}
	return name
}

// ask runs an asking process to its end.
func (b *bench) ask(ctx context.Context, p place, a ask) (asked, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute+a.For)
	defer cancel()
	cmd := p.command(ctx, b.self, a.args()...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return asked{}, fmt.Errorf("%w: %s", err, &stderr)
	}
	var r asked
	return r, json.Unmarshal(stdout.Bytes(), &r)
}
