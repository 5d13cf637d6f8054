package sender

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/internal/oem"
	"github.com/messngr/messngr/internal/resolver"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbns"
	"github.com/messngr/messngr/netbios/nbss"
	"github.com/messngr/messngr/smb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A recipient is a host on the loopback that answers as a test wants.
type recipient struct {
	ln     net.Listener
	answer func(*session, nbss.Packet)

	mu       sync.Mutex
	packets  [][]byte // that came, over all sessions
	sessions int
	wg       sync.WaitGroup
}

// A session is one connection to a recipient.
type session struct {
	net.Conn
	in    *nbss.Reader
	start smb.StartResponse // what a start is answered with
}

// newRecipient starts a recipient; answer is called with each packet. Without
// one it says yes to everything, as Windows does: with a group.
func newRecipient(t testing.TB, answer func(*session, nbss.Packet)) *recipient {
	t.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if answer == nil {
		answer = (*session).yes
	}
	r := &recipient{ln: ln, answer: answer}
	r.wg.Go(r.accept)
	t.Cleanup(func() {
		ln.Close()
		r.wg.Wait()
	})
	return r
}

func (r *recipient) accept() {
	for {
		nc, err := r.ln.Accept()
		if err != nil {
			return
		}
		r.mu.Lock()
		r.sessions++
		r.mu.Unlock()
		r.wg.Go(func() {
			defer nc.Close()
			s := &session{Conn: nc, in: nbss.NewReader(nc, nbss.MaxLength), start: smb.StartResponse{GroupID: 7}}
			for {
				p, err := s.in.Next()
				if err != nil {
					return // the sender has gone, or the answer was to close
				}
				b, _ := p.AppendBinary(nil)
				r.mu.Lock()
				r.packets = append(r.packets, b)
				r.mu.Unlock()
				r.answer(s, p)
			}
		})
	}
}

func (r *recipient) addr() netip.AddrPort { return r.ln.Addr().(*net.TCPAddr).AddrPort() }

// take returns the packets that have come, and forgets them.
func (r *recipient) take() [][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	packets := r.packets
	r.packets = nil
	return packets
}

// calls returns how often the recipient was called. Its own call is accepted
// after all others, and not counted.
func (r *recipient) calls(t testing.TB) int {
	t.Helper()
	nc, err := net.Dial("tcp4", r.addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.Write([]byte{0xFF, 0xFF, 0xFF, 0xFF}) // no packet: it ends the session
	io.Copy(io.Discard, nc)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sessions--
	return r.sessions
}

// expect fails the test unless senders have said exactly this since the last
// time.
func (r *recipient) expect(t testing.TB, want ...string) {
	t.Helper()
	var said []string
	for _, b := range r.take() {
		said = append(said, describe(t, b))
	}
	if diff := cmp.Diff(want, said); diff != "" {
		t.Errorf("said (-want +got):\n%s", diff)
	}
}

// describe puts a packet in words.
func describe(t testing.TB, b []byte) string {
	t.Helper()
	p, err := nbss.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if p.Type == nbss.SessionRequest {
		q, err := nbss.ParseRequest(p.Trailer)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("call %v from %v", q.Called, q.Calling)
	}
	h, body, err := smb.ParseHeader(p.Trailer)
	if err != nil || h != (smb.Header{Command: h.Command}) {
		t.Fatalf("header %+v, %v; want zeros but for the command", h, err)
	}
	switch h.Command {
	case smb.SendMessage:
		m, err := smb.ParseSingleBlock(body)
		return fmt.Sprintf("single %s to %s: %q%s", m.From, m.To, m.Text, problem(err))
	case smb.SendStartMessage:
		m, err := smb.ParseStart(body)
		return fmt.Sprintf("start %s to %s%s", m.From, m.To, problem(err))
	case smb.SendTextMessage:
		m, err := smb.ParseText(body)
		return fmt.Sprintf("text %d: %q%s", m.GroupID, m.Text, problem(err))
	case smb.SendEndMessage:
		m, err := smb.ParseEnd(body)
		return fmt.Sprintf("end %d%s", m.GroupID, problem(err))
	}
	return h.Command.String()
}

func problem(err error) string {
	if err != nil {
		return " (" + err.Error() + ")"
	}
	return ""
}

// yes answers as a messenger does that takes all.
func (s *session) yes(p nbss.Packet) {
	if p.Type == nbss.SessionRequest {
		s.packet(nbss.PositiveResponse, nil)
		return
	}
	s.status(p, smb.Error{})
}

// status answers a command with success or with an error.
func (s *session) status(p nbss.Packet, e smb.Error) {
	h, _, _ := smb.ParseHeader(p.Trailer)
	b, _ := h.Response(e).AppendBinary(nil)
	if h.Command == smb.SendStartMessage && e == (smb.Error{}) {
		b, _ = s.start.AppendBinary(b)
	} else {
		b = smb.AppendEmpty(b)
	}
	s.packet(nbss.SessionMessage, b)
}

// packet answers with any packet.
func (s *session) packet(t nbss.Type, trailer []byte) {
	b, _ := nbss.Packet{Type: t, Trailer: trailer}.AppendBinary(nil)
	s.Write(b)
}

// commandOf returns a packet's command; 0 is a session request.
func commandOf(p nbss.Packet) smb.Command {
	h, _, _ := smb.ParseHeader(p.Trailer)
	return h.Command
}

// steps are the commands after which a multi-block message can go wrong; 0 is
// the session request.
var steps = []smb.Command{0, smb.SendStartMessage, smb.SendTextMessage, smb.SendEndMessage}

func stepName(c smb.Command) string {
	if c == 0 {
		return "the session request"
	}
	return c.String()
}

// at returns a recipient's answer that says yes until that command comes.
func at(step smb.Command, answer func(*session, nbss.Packet)) func(*session, nbss.Packet) {
	return func(s *session, p nbss.Packet) {
		if commandOf(p) == step {
			answer(s, p)
		} else {
			s.yes(p)
		}
	}
}

// newSender returns a sender that finds HOST2, in an LMHOSTS file, at the
// recipient's address. No node tells its status.
func newSender(t testing.TB, r *recipient, change func(*Config)) *Sender {
	t.Helper()
	file := filepath.Join(t.TempDir(), "lmhosts")
	if err := os.WriteFile(file, []byte("127.0.0.1 HOST2\n127.0.0.1 K\x99LN\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	hosts, err := resolver.ReadLMHosts(file)
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{
		Resolver: &resolver.Resolver{LMHosts: hosts, Port: newNode(t), Retry: 20 * time.Millisecond},
		Computer: "MYHOST",
		Port:     r.addr().Port(), Transport: messngr.SMB,
		Timeout: 5 * time.Second,
		MaxText: 4095,
		Page:    func(netip.Addr, ...string) *oem.Page { return page(t, oem.Default) },
	}
	if change != nil {
		change(&cfg)
	}
	return New(cfg)
}

func page(t testing.TB, number int) *oem.Page {
	p, err := oem.Lookup(number)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// newNode starts a name service on the loopback, which tells these names to
// those who ask for its status; without names it is silent. It returns the port.
func newNode(t testing.TB, own ...nbns.NodeName) uint16 {
	t.Helper()
	return newNodeAt(t, "127.0.0.1:0", own...)
}

// newNodeAt is newNode at an address.
func newNodeAt(t testing.TB, addr string, own ...nbns.NodeName) uint16 {
	t.Helper()
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(addr)))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() {
		conn.Close()
		<-done
	})
	go func() {
		defer close(done)
		b := make([]byte, 1024)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			query, err := nbns.Parse(b[:n])
			if err != nil || query.Question.Type != nbns.TypeNBSTAT {
				t.Errorf("asked %x, %v", b[:n], err)
				continue
			}
			if own == nil {
				continue
			}
			status, _ := nbns.NodeStatus{Names: own}.AppendBinary(nil)
			reply, _ := nbns.StatusResponse(query, status).AppendBinary(nil)
			conn.WriteToUDPAddrPort(reply, from)
		}
	}()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort().Port()
}

// own is a name of a node.
func own(base string, suffix netbios.Suffix, flags nbns.NameFlags) nbns.NodeName {
	name, err := netbios.NewName(base, suffix)
	if err != nil {
		panic(err)
	}
	return nbns.NodeName{Name: name, Flags: flags | nbns.Active}
}

// wantFailure fails the test unless the delivery failed with that number and
// with details that hold all of the texts.
func wantFailure(t testing.TB, d messngr.Delivery, nerr messngr.NERR, texts ...string) {
	t.Helper()
	if d.State != messngr.Failed || d.NERR != nerr {
		t.Errorf("%s with %d (%v), want failure with %d", d.State, uint16(d.NERR), d.Detail, uint16(nerr))
	}
	for _, text := range texts {
		if !bytes.Contains([]byte(d.Detail), []byte(text)) {
			t.Errorf("%q does not say %q", d.Detail, text)
		}
	}
}

// wantAccepted fails the test unless the recipient took the message.
func wantAccepted(t testing.TB, d messngr.Delivery) {
	t.Helper()
	if d.State != messngr.Accepted || d.NERR != 0 || d.Detail != "" {
		t.Errorf("%s with %d: %s", d.State, uint16(d.NERR), d.Detail)
	}
}

// drip is a connection that writes byte by byte.
type drip struct{ net.Conn }

func (d drip) Write(b []byte) (int, error) {
	for i := range b {
		if _, err := d.Conn.Write(b[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(b), nil
}
