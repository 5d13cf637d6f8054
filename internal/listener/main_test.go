package listener

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/internal/oem"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbss"
	"github.com/messngr/messngr/smb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A receiver is a listener under test with what it has delivered.
type receiver struct {
	*SMB
	delivered chan messngr.Message
	cancel    context.CancelFunc
	ended     chan error
}

// defaults is a configuration under which nothing that these tests send is too
// much. Its times are those of the reference configuration.
func defaults(t testing.TB) SMBConfig {
	log := slog.New(slog.DiscardHandler)
	if _, bench := t.(*testing.B); !bench {
		log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return SMBConfig{
		Check: func(netip.Addr) error { return nil },
		Owned: func(n netbios.Name) bool {
			return n == netbios.SMBServer || n.Suffix() == netbios.Messenger && (n.Base() == "LEGACY" || n.Base() == "SOMEUSER")
		},
		Page:           func(netip.Addr, []byte) *oem.Page { return page(t, oem.Default) },
		MaxConnections: 64, MaxPerSource: 64,
		MaxText: 1 << 16, MaxHeld: 1 << 20,
		IdleTimeout: 90 * time.Second, MessageTimeout: 30 * time.Second,
		Log: log,
	}
}

func page(t testing.TB, number int) *oem.Page {
	p, err := oem.Lookup(number)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// serve runs a listener on ln until the test ends. change, if it is not nil,
// changes the configuration.
func serve(t testing.TB, ln net.Listener, change func(*SMBConfig)) *receiver {
	t.Helper()
	r := &receiver{delivered: make(chan messngr.Message, 2000), ended: make(chan error, 1)}
	cfg := defaults(t)
	cfg.Deliver = func(_ context.Context, m *messngr.Message) error {
		r.delivered <- *m
		return nil
	}
	if change != nil {
		change(&cfg)
	}
	r.SMB = NewSMB(ln, cfg)
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() { r.ended <- r.Run(ctx) }()
	t.Cleanup(func() { r.stop(t) })
	<-r.Ready()
	return r
}

// listen runs a listener on a free port of the loopback.
func listen(t testing.TB, change func(*SMBConfig)) *receiver {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, ln, change)
}

// gated returns a Deliver that waits for what it is to return.
func gated(t testing.TB, verdicts <-chan error) func(context.Context, *messngr.Message) error {
	return func(ctx context.Context, _ *messngr.Message) error {
		select {
		case err := <-verdicts:
			return err
		case <-ctx.Done():
			return ctx.Err()
		case <-t.Context().Done():
			return errors.New("the test is over")
		}
	}
}

// stop ends the listener and waits until every connection has ended. It may be
// called more than once.
func (r *receiver) stop(t testing.TB) {
	t.Helper()
	r.cancel()
	err := <-r.ended
	if err != nil {
		t.Errorf("Run: %v", err)
	}
	r.ended <- nil
}

// message returns the next message that was delivered. As the response comes
// after the delivery, there is nothing to wait for.
func (r *receiver) message(t testing.TB) messngr.Message {
	t.Helper()
	select {
	case m := <-r.delivered:
		return m
	default:
		t.Fatal("no message was delivered")
		return messngr.Message{}
	}
}

// texts fails the test unless exactly these texts have been delivered.
func (r *receiver) texts(t testing.TB, want ...string) {
	t.Helper()
	var got []string
	for len(r.delivered) > 0 {
		got = append(got, (<-r.delivered).Text)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("texts delivered (-want +got):\n%s", diff)
	}
}

// counted stops the listener and fails the test unless it has counted exactly
// this; what is not named is zero.
func (r *receiver) counted(t testing.TB, want map[string]int64) {
	t.Helper()
	r.stop(t)
	got := r.Counters()
	for name, n := range got {
		if n == 0 {
			delete(got, name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counters (-want +got):\n%s", diff)
	}
}

// waitCount waits until a counter has the value.
func (r *receiver) waitCount(t testing.TB, counter string, n int64) {
	t.Helper()
	for start := time.Now(); r.Counters()[counter] != n; time.Sleep(time.Millisecond) {
		if time.Since(start) > patience {
			t.Fatalf("%s is %d, not %d", counter, r.Counters()[counter], n)
		}
	}
}

// waitClosed waits until no connection is open, for an hour at most: it is for
// bubbles of synctest.
func (r *receiver) waitClosed(t testing.TB) {
	t.Helper()
	for start := time.Now(); time.Since(start) < time.Hour; {
		time.Sleep(10 * time.Millisecond)
		if r.Counters()["open"] == 0 {
			return
		}
	}
	t.Fatal("a connection is still open")
}

// A caller is the other end of a connection.
type caller struct {
	testing.TB
	nc net.Conn
}

// patience is how long a caller waits for what must come. In a bubble of
// synctest it costs nothing.
const patience = 10 * time.Second

// call connects to the listener, from a given address if there is one.
func (r *receiver) call(t testing.TB, source ...string) *caller {
	t.Helper()
	var d net.Dialer
	for _, s := range source {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(s), 0))
	}
	nc, err := d.DialContext(t.Context(), "tcp", r.ln.Addr().String())
	if errors.Is(err, syscall.EADDRNOTAVAIL) {
		t.Skipf("this system has not all of 127.0.0.0/8 on its loopback: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return &caller{t, nc}
}

// send writes packets, at once.
func (c *caller) send(packets ...[]byte) {
	c.Helper()
	c.nc.SetWriteDeadline(time.Now().Add(patience))
	if _, err := c.nc.Write(bytes.Join(packets, nil)); err != nil {
		c.Fatalf("write: %v", err)
	}
}

// expect reads exactly these responses.
func (c *caller) expect(want ...[]byte) {
	c.Helper()
	c.nc.SetReadDeadline(time.Now().Add(patience))
	for i, w := range want {
		got := make([]byte, len(w))
		n, err := io.ReadFull(c.nc, got)
		if !bytes.Equal(got[:n], w) {
			c.Fatalf("response %d (%v):\n got %x\nwant %x", i, err, got[:n], w)
		}
	}
}

// read returns the next response.
func (c *caller) read() []byte {
	c.Helper()
	c.nc.SetReadDeadline(time.Now().Add(patience))
	b := make([]byte, nbss.HeaderSize)
	if _, err := io.ReadFull(c.nc, b); err != nil {
		c.Fatalf("no response: %v", err)
	}
	_, n, err := nbss.ParseHeader(b)
	if err != nil {
		c.Fatal(err)
	}
	b = append(b, make([]byte, n)...)
	if _, err := io.ReadFull(c.nc, b[nbss.HeaderSize:]); err != nil {
		c.Fatalf("not a whole response: %v", err)
	}
	return b
}

// expectEnd fails the test unless the listener closes the connection without
// another word.
func (c *caller) expectEnd() {
	c.Helper()
	c.nc.SetReadDeadline(time.Now().Add(patience))
	b, err := io.ReadAll(c.nc)
	if errors.Is(err, syscall.ECONNRESET) { // it had not read everything
		err = nil
	}
	if len(b) != 0 || err != nil {
		c.Fatalf("not the end: %x, %v", b, err)
	}
}

// expectSilence fails the test if anything comes within the time.
func (c *caller) expectSilence(d time.Duration) {
	c.Helper()
	c.nc.SetReadDeadline(time.Now().Add(d))
	if n, err := c.nc.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		c.Fatalf("not silent: %d bytes, %v", n, err)
	}
}

// deliver sends a message in one block and expects the "yes".
func (c *caller) deliver(text string) {
	c.Helper()
	c.send(single("ALICE", "LEGACY", text))
	c.expect(answer(smb.SendMessage, success))
}

// keepSending sends the packets in turn, again and again with a pause before
// each, until the connection ends. The responses are read and not looked at.
func (c *caller) keepSending(pause time.Duration, packets [][]byte) {
	var wg sync.WaitGroup
	c.Cleanup(func() {
		c.nc.Close()
		wg.Wait()
	})
	c.nc.SetDeadline(time.Time{})
	wg.Go(func() { io.Copy(io.Discard, c.nc) })
	wg.Go(func() {
		for i := 0; len(packets) > 0; i++ {
			time.Sleep(pause)
			if _, err := c.nc.Write(packets[i%len(packets)]); err != nil {
				return
			}
		}
	})
}

// request is a SESSION REQUEST from ALICE<03>.
func request(called string, suffix netbios.Suffix) []byte {
	name, _ := netbios.NewName(called, suffix)
	alice, _ := netbios.NewName("ALICE", netbios.Messenger)
	b, err := nbss.Request{Called: name, Calling: alice}.AppendBinary(nil)
	if err != nil {
		panic(err)
	}
	return b
}

// frame makes a SESSION MESSAGE of an SMB message with that header.
func frame(h smb.Header, body []byte) []byte {
	b, _ := h.AppendBinary(nil)
	b, err := nbss.Packet{Type: nbss.SessionMessage, Trailer: append(b, body...)}.AppendBinary(nil)
	if err != nil {
		panic(err)
	}
	return b
}

// command makes a SESSION MESSAGE of a body with a header of zeros, as
// [MS-MSRP] 2.2.3 has it.
func command(c smb.Command, body interface {
	AppendBinary([]byte) ([]byte, error)
}) []byte {
	b, err := body.AppendBinary(nil)
	if err != nil {
		panic(err)
	}
	return frame(smb.Header{Command: c}, b)
}

func single(from, to, text string) []byte {
	return command(smb.SendMessage, smb.SingleBlock{From: []byte(from), To: []byte(to), Text: []byte(text)})
}

func begin(from, to string) []byte {
	return command(smb.SendStartMessage, smb.Start{From: []byte(from), To: []byte(to)})
}

func block(group uint16, text string) []byte {
	return command(smb.SendTextMessage, smb.Text{GroupID: group, Text: []byte(text)})
}

func end(group uint16) []byte {
	return command(smb.SendEndMessage, smb.End{GroupID: group})
}

// multi is a whole multi-block message. The group is given as 0, as those do
// who keep no id.
func multi(from, to string, texts ...string) [][]byte {
	packets := [][]byte{begin(from, to)}
	for _, text := range texts {
		packets = append(packets, block(0, text))
	}
	return append(packets, end(0))
}

// keepAlive is a SESSION KEEPALIVE: RFC 1002 4.3.7.
var keepAlive = unhex("85000000")

// The Status field of a response, as class, reserved byte and code, least
// significant byte first: [MS-CIFS] 2.2.2.4.
const (
	success          = "00 00 0000"
	invalidParameter = "01 00 5700" // ERRDOS/87
	accessDenied     = "02 00 0400" // ERRSRV/4
	badCommand       = "02 00 1600" // ERRSRV/22
	noRoom           = "02 00 5300" // ERRSRV/83
	paused           = "02 00 5100" // ERRSRV/81
)

// positive and negative are the responses to a session request: RFC 1002 4.3.3
// and 4.3.4, the second for "called name not present".
var (
	positive = unhex("82000000")
	negative = unhex("83000001 82")
)

// answer is the response to a command whose header was all zeros.
func answer(c smb.Command, status string) []byte {
	return unhex(fmt.Sprintf(`00000023
		ff534d42 %02x %s 80 0000  0000 0000000000000000 0000  0000 0000 0000 0000
		00 0000`, uint8(c), status))
}

// started is the response to a start: WordCount 1 and the group.
func started(group uint16) []byte {
	return unhex(fmt.Sprintf(`00000025
		ff534d42 d5 00000000 80 0000  0000 0000000000000000 0000  0000 0000 0000 0000
		01 %x 0000`, binary.LittleEndian.AppendUint16(nil, group)))
}

// yes are the responses to multi, when its message is the group-th of a
// connection.
func yes(group uint16, blocks int) [][]byte {
	responses := [][]byte{started(group)}
	for range blocks {
		responses = append(responses, answer(smb.SendTextMessage, success))
	}
	return append(responses, answer(smb.SendEndMessage, success))
}

// unhex returns the bytes of hexadecimal digits; white space does not count.
func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		panic(err)
	}
	return b
}
