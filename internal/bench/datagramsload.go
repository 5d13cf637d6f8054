package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/messngr/messngr/mailslot"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbdgm"
)

// A castLoad is what the process that sends datagrams is told.
type castLoad struct {
	Addr string
	To   string // the name of who receives
	Rate int    // datagrams a second
	For  time.Duration
	Ask  bool // the floor how many it has counted
}

func (c castLoad) args() []string {
	return []string{"cast", "-addr", c.Addr, "-to", c.To, "-rate", fmt.Sprint(c.Rate), "-for", c.For.String(), fmt.Sprintf("-ask=%v", c.Ask)}
}

// A casted is what came of it.
type casted struct {
	Sent    int
	Rate    float64
	Counted int // by the floor
}

// castMain is the sending process: it writes a casted as JSON.
func castMain(args []string, stdout io.Writer) error {
	var c castLoad
	f := flag.NewFlagSet("bench cast", flag.ContinueOnError)
	f.StringVar(&c.Addr, "addr", "", "")
	f.StringVar(&c.To, "to", "FLOOR", "")
	f.IntVar(&c.Rate, "rate", 1, "")
	f.DurationVar(&c.For, "for", 0, "")
	f.BoolVar(&c.Ask, "ask", false, "")
	if err := f.Parse(args); err != nil {
		return err
	}
	r, err := c.run()
	if err != nil {
		return fmt.Errorf("cast %s: %w", c.Addr, err)
	}
	return json.NewEncoder(stdout).Encode(r)
}

// castText is the size of a text in bytes. No two texts are the same: each
// begins with the time at which it was sent.
const castText = 100

// stampSize is the size of a time in decimal digits: nanoseconds, until 2286.
const stampSize = 19

func (c castLoad) run() (r casted, err error) {
	conn, err := net.Dial("udp4", c.Addr)
	if err != nil {
		return r, err
	}
	defer conn.Close()
	before := 0
	if c.Ask {
		if before, err = counted(conn); err != nil {
			return r, err
		}
	}
	packet, at, err := c.packet()
	if err != nil {
		return r, err
	}
	stamp := packet[at : at+stampSize]
	begin := time.Now()
	for {
		took := time.Since(begin)
		if took >= c.For {
			break
		}
		due := int(took.Seconds()*float64(c.Rate)) + 1
		if r.Sent >= due {
			time.Sleep(50 * time.Microsecond)
			continue
		}
		// A few at a time, so that the clock is not asked for each.
		for n := min(due-r.Sent, 16); n > 0; n-- {
			strconv.AppendInt(stamp[:0], time.Now().UnixNano(), 10)
			if _, err := conn.Write(packet); err != nil {
				return r, err
			}
			r.Sent++
		}
	}
	r.Rate = float64(r.Sent) / time.Since(begin).Seconds()
	if c.Ask {
		time.Sleep(50 * time.Millisecond) // what is in the socket is before the question anyway
		after, err := counted(conn)
		if err != nil {
			return r, err
		}
		r.Counted = after - before
	}
	return r, nil
}

// packet returns a datagram, and where the time stands in it.
func (c castLoad) packet() (packet []byte, at int, err error) {
	from, err := netbios.NewName("CAST", netbios.Workstation)
	if err != nil {
		return nil, 0, err
	}
	to, err := netbios.NewName(c.To, netbios.Messenger)
	if err != nil {
		return nil, 0, err
	}
	text := strings.Repeat("0", stampSize) + strings.Repeat(" x", (castText-stampSize)/2)
	body, err := mailslot.Message{From: []byte("CAST"), To: []byte(c.To), Text: []byte(text)}.AppendBinary(nil)
	if err != nil {
		return nil, 0, err
	}
	data, err := mailslot.Write{Name: []byte(mailslot.Messenger), Class: mailslot.Class2, Data: body}.AppendBinary(nil)
	if err != nil {
		return nil, 0, err
	}
	packet, err = nbdgm.Packet{
		Type: nbdgm.DirectUnique, Flags: nbdgm.First, ID: 1, Source: netip.MustParseAddrPort("127.0.0.1:138"),
		SourceName: from, DestinationName: to, Data: data,
	}.AppendBinary(nil)
	return packet, bytes.Index(packet, []byte(text)), err
}

// cast runs a sending process to its end.
func (b *bench) cast(ctx context.Context, p place, c castLoad) (casted, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute+c.For)
	defer cancel()
	if c.To == "" {
		c.To = "FLOOR"
	}
	cmd := p.command(ctx, b.self, c.args()...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return casted{}, fmt.Errorf("%w: %s", err, &stderr)
	}
	var r casted
	return r, json.Unmarshal(stdout.Bytes(), &r)
}
