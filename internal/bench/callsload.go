package main

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/messngr/messngr/dcerpc"
	"github.com/messngr/messngr/dcerpc/ncadg"
	"github.com/messngr/messngr/msgsvc"
)

// A callLoad is what the calling process is told.
type callLoad struct {
	Addr    string
	Floor   bool // it is a floor that is called: it echoes what comes
	Mode    callMode
	Callers int // at the same time; each waits for its answer
	First   int // the number of the first call: no two texts are the same
	slice
}

func (l callLoad) args() []string {
	return []string{"call", "-addr", l.Addr, fmt.Sprintf("-floor=%v", l.Floor), "-mode", string(l.Mode),
		"-callers", fmt.Sprint(l.Callers), "-first", fmt.Sprint(l.First), "-for", l.For.String(), "-n", fmt.Sprint(l.N)}
}

// callMain is the calling process: it writes a loaded as JSON.
func callMain(args []string, stdout io.Writer) error {
	var l callLoad
	f := flag.NewFlagSet("bench call", flag.ContinueOnError)
	f.StringVar(&l.Addr, "addr", "", "")
	f.BoolVar(&l.Floor, "floor", false, "")
	f.StringVar((*string)(&l.Mode), "mode", string(askedBack), "")
	f.IntVar(&l.Callers, "callers", 1, "")
	f.IntVar(&l.First, "first", 0, "")
	f.DurationVar(&l.For, "for", 0, "")
	f.IntVar(&l.N, "n", 0, "")
	if err := f.Parse(args); err != nil {
		return err
	}
	r, err := l.run()
	if err != nil {
		return fmt.Errorf("call %s: %w", l.Addr, err)
	}
	return json.NewEncoder(stdout).Encode(r)
}

// run calls until the load's end. The first call that fails ends it with an
// error.
func (l callLoad) run() (loaded, error) {
	callers := make([]*caller, l.Callers)
	for i := range callers {
		var err error
		if callers[i], err = newCaller(l, i); err != nil {
			return loaded{}, err
		}
	}
	return l.drive(len(callers), func(i, number int) error { return callers[i].call(l.First + number) }, func(i int) { callers[i].conn.Close() })
}

// A caller calls one time after the other, as a host of its own. Its packets are
// encoded before it starts, so that as much as possible of the machine is the
// server's.
type caller struct {
	callLoad
	conn             net.Conn
	in               []byte
	p                ncadg.Packet // the request
	number           []byte       // in the text of it
	request, out     []byte
	acknowledge      []byte
	activity, serial uint32
}

// Where a packet has its activity and its sequence number: [C706] 12.5.1. A floor
// is told in the second flags which packet is to be durable.
const (
	flags2At   = 3
	activityAt = 40
	sequenceAt = 64
)

// numberSize is the size of a number in the text of a call.
const numberSize = 10

// newCaller returns the caller number i.
func newCaller(l callLoad, i int) (*caller, error) {
	local := dialerFrom(i).LocalAddr.(*net.TCPAddr)
	conn, err := (&net.Dialer{LocalAddr: &net.UDPAddr{IP: local.IP}}).Dial("udp4", l.Addr)
	if err != nil {
		return nil, err
	}
	c := &caller{callLoad: l, conn: conn, in: make([]byte, 2048)}
	stub, err := msgsvc.Send{From: []byte("BENCH"), To: []byte("BENCH"), Text: text}.AppendBinary(nil, dcerpc.LittleEndian())
	if err != nil {
		return nil, err
	}
	c.p = ncadg.Packet{
		Type: ncadg.Request, DataRep: dcerpc.LittleEndian(), Interface: msgsvc.SendInterface(), Opnum: msgsvc.OpSend,
		InterfaceHint: ncadg.NoHint, ActivityHint: ncadg.NoHint, Body: stub,
	}
	if l.Mode == oneWay {
		c.p.Flags1 = ncadg.Idempotent
	}
	rand.Read(c.p.Activity[:])
	if c.request, err = c.p.AppendBinary(nil); err != nil {
		return nil, err
	}
	// The text is at the end of the stub, before its NUL and the padding.
	end := len(c.request)
	for c.request[end-1] == 0 {
		end--
	}
	c.number = c.request[end-numberSize : end]
	ack := c.p
	ack.Type, ack.Body = ncadg.Ack, nil
	c.acknowledge, err = ack.AppendBinary(nil)
	return c, err
}

// call makes a call and waits for its answer. Its number is in its text.
func (c *caller) call(number int) error {
	if c.Mode == askedBack { // an activity that nobody knows yet
		c.activity++
		binary.LittleEndian.PutUint32(c.request[activityAt:], c.activity)
		copy(c.acknowledge[activityAt:], c.request[activityAt:activityAt+16])
	} else {
		c.serial++
		binary.LittleEndian.PutUint32(c.request[sequenceAt:], c.serial)
		copy(c.acknowledge[sequenceAt:], c.request[sequenceAt:sequenceAt+4])
	}
	digits := strconv.AppendInt(c.out[:0], int64(number), 10)
	for i := range c.number {
		c.number[i] = '0'
	}
	copy(c.number[numberSize-len(digits):], digits)

	first := c.Mode == askedBack && c.Floor
	if c.Floor {
		c.request[flags2At] = mark(!first)
	}
	if _, err := c.conn.Write(c.request); err != nil {
		return err
	}
	for {
		c.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		n, err := c.conn.Read(c.in)
		if err != nil {
			return err
		}
		if c.Floor {
			if first {
				first = false
				c.request[flags2At] = mark(true)
				if _, err := c.conn.Write(c.request); err != nil {
					return err
				}
				continue
			}
			break
		}
		answered, err := c.take(c.in[:n])
		if err != nil {
			return err
		}
		if answered {
			break
		}
	}
	if c.Mode == oneWay {
		return nil
	}
	_, err := c.conn.Write(c.acknowledge)
	return err
}

// mark returns the second flags that tell a floor whether a packet is to be
// durable.
func mark(durable bool) byte {
	if durable {
		return 1
	}
	return 0
}

// take takes a packet of the server, and reports whether it is the answer.
func (c *caller) take(b []byte) (answered bool, err error) {
	p, err := ncadg.Parse(b)
	switch {
	case err != nil:
		return false, err
	case p.Type == ncadg.Response:
		r, err := msgsvc.ParseSendResponse(p.Body, p.DataRep)
		if err == nil && r.Status != 0 {
			err = fmt.Errorf("NetrSendMessage returned %d", r.Status)
		}
		return true, err
	case p.Type == ncadg.Working: // the disk is slow
		return false, nil
	case p.Type != ncadg.Request || p.Interface != ncadg.Conv() || p.Opnum != ncadg.ConvWhoAreYou2:
		return false, fmt.Errorf("the server sent a %v", p.Type)
	}
	p.Type, p.Flags1 = ncadg.Response, ncadg.NoFack
	p.Body = ncadg.WhoAreYou2Response{Sequence: c.serial}.AppendBinary(nil, p.DataRep)
	if c.out, err = p.AppendBinary(c.out[:0]); err == nil {
		_, err = c.conn.Write(c.out)
	}
	return false, err
}
