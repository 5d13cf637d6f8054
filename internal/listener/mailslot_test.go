package listener

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/internal/oem"
	"github.com/messngr/messngr/mailslot"
	"github.com/messngr/messngr/mailslot/browse"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbdgm"
)

// A post is a mailslot listener under test with what it has delivered.
type post struct {
	*Mailslot
	mu        sync.Mutex
	delivered []messngr.Message
	heard     []string // announcements
}

var (
	office = name("OFFICE", netbios.Workstation)
	host2  = name("HOST2", netbios.Messenger)
)

func name(base string, suffix netbios.Suffix) netbios.Name {
	n, err := netbios.NewName(base, suffix)
	if err != nil {
		panic(err)
	}
	return n
}

// newPost returns a listener that does not run.
func newPost(t testing.TB, change func(*MailslotConfig)) *post {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	p := new(post)
	cfg := MailslotConfig{
		Deliver: func(_ context.Context, messages ...*messngr.Message) (int, error) {
			p.mu.Lock()
			defer p.mu.Unlock()
			for _, m := range messages {
				p.delivered = append(p.delivered, *m)
			}
			return 0, nil
		},
		Check: func(a netip.Addr) error {
			if a == netip.MustParseAddr("10.77.0.66") {
				return messngr.ErrRefused
			}
			return nil
		},
		Owned: func(n netbios.Name) bool { return n == office || n == host2 || n[0] == '*' },
		Page:  func(netip.Addr, []byte) *oem.Page { return page(t, oem.Default) },
		Announced: func(from netip.Addr, to netbios.Name, a browse.Announcement) {
			p.heard = append(p.heard, fmt.Sprintf("%v to %v: %s, %q", from, to, a.Name, a.Comment))
		},
		MaxText: 1000, MaxWaiting: 1000,
	}
	if change != nil {
		change(&cfg)
	}
	p.Mailslot = NewMailslot(conn, cfg)
	return p
}

// run runs the listener until the function that it returns is called, which
// waits.
func (p *post) run(t testing.TB) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	<-p.Ready()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// texts returns what has been delivered.
func (p *post) texts() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var texts []string
	for _, m := range p.delivered {
		texts = append(texts, m.Text)
	}
	return texts
}

// await waits until a counter has a value.
func (p *post) await(t testing.TB, counter string, want int64) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); p.Counters()[counter] != want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: %d, want %d in %v", counter, p.Counters()[counter], want, p.Counters())
		}
	}
}

var from9 = netip.MustParseAddrPort("10.77.0.9:138")

// take takes a packet as if it had come from an address.
func (p *post) take(from netip.AddrPort, b []byte) { p.packet(b, from, false, time.Now()) }

// written returns a write to a mailslot.
func written(t testing.TB, slot string, data []byte) []byte {
	t.Helper()
	b, err := mailslot.Write{Name: []byte(slot), Class: mailslot.Class2, Data: data}.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// datagram returns a datagram to a name.
func datagram(to netbios.Name, data []byte) nbdgm.Packet {
	return nbdgm.Packet{
		Type: nbdgm.DirectGroup, Flags: nbdgm.First, ID: 7, Source: from9,
		SourceName: name("HOST9", netbios.Workstation), DestinationName: to, Data: data,
	}
}

func encoded(t testing.TB, p nbdgm.Packet) []byte {
	t.Helper()
	b, err := p.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// said returns the packet of a message.
func said(t testing.TB, to netbios.Name, text string) []byte {
	t.Helper()
	return encoded(t, datagram(to, written(t, mailslot.Messenger, []byte("ALICE\x00OFFICE\x00"+text+"\x00"))))
}

// A message has what its datagram says, over a real socket.
func TestMailslotMessage(t *testing.T) {
	p := newPost(t, nil)
	stop := p.run(t)
	conn, err := net.DialUDP("udp4", nil, p.conn.LocalAddr().(*net.UDPAddr))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	before := time.Now()
	if _, err := conn.Write(said(t, office, "one\x14tw\x82")); err != nil {
		t.Fatal(err)
	}
	p.await(t, "messages", 1)
	stop()
	want := messngr.Message{
		From: "ALICE", To: "OFFICE", Text: "one\ntwé", Priority: messngr.Normal,
		Source: messngr.Source{
			Transport: messngr.Mailslot, Addr: conn.LocalAddr().(*net.UDPAddr).AddrPort(),
			Called: "OFFICE<00>", Calling: "HOST9<00>",
		},
		Provenance: messngr.Claimed,
	}
	got := p.delivered[0]
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(messngr.Message{}, "ID", "Sent", "Received"), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got.ID == (messngr.ID{}) || got.Received.Before(before) || !got.Sent.Equal(got.Received) {
		t.Errorf("id %v, sent %v, received %v", got.ID, got.Sent, got.Received)
	}
}

// What is not taken is counted by its reason, and nothing of it is delivered.
func TestMailslotRefuses(t *testing.T) {
	message := []byte("ALICE\x00OFFICE\x00hi\x00")
	host, err := browse.Announcement{Command: browse.HostAnnouncement, Name: []byte("HOST9"), Comment: []byte("here")}.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	scoped := datagram(office, written(t, mailslot.Messenger, message))
	scoped.DestinationScope = "\x01X"
	failure := nbdgm.Packet{Type: nbdgm.DatagramError, Source: from9, ErrorCode: nbdgm.DestinationNotPresent}
	query := nbdgm.Packet{Type: nbdgm.QueryRequest, Source: from9, DestinationName: office}
	long := bytes.Repeat([]byte("x"), 400)
	for what, tt := range map[string]struct {
		packet  []byte
		from    string
		counter string
	}{
		"a source that is not served": {said(t, office, "hi"), "10.77.0.66:138", "refused_source"},
		"a name that is not ours":     {said(t, name("OTHER", 0), "hi"), "", "refused_name"},
		"a scope":                     {encoded(t, scoped), "", "refused_name"},
		"another mailslot":            {encoded(t, datagram(office, written(t, `\MAILSLOT\OTHER`, message))), "", "other_mailslots"},
		"an election":                 {encoded(t, datagram(office, written(t, mailslot.Browser, []byte{8, 1, 2, 3}))), "", "other_mailslots"},
		"half an announcement":        {encoded(t, datagram(office, written(t, mailslot.Browser, host[:20]))), "", "malformed_announcement"},
		"an announcement":             {encoded(t, datagram(office, written(t, mailslot.Browser, host))), "", "announcements"},
		"an error":                    {encoded(t, failure), "", "datagram_errors"},
		"a query":                     {encoded(t, query), "", "other_packets"},
		"nothing":                     {nil, "", "malformed"},
		"zeros":                       {make([]byte, 1<<16-1), "", "malformed"},
		"no SMB":                      {encoded(t, datagram(office, []byte("hello"))), "", "malformed_write"},
		"no end of a name":            {encoded(t, datagram(office, written(t, mailslot.Messenger, long))), "", "malformed_message"},
		"one name alone":              {encoded(t, datagram(office, written(t, mailslot.Messenger, []byte("ALICE\x00OFFICE")))), "", "malformed_message"},
		"too long a name":             {encoded(t, datagram(office, written(t, mailslot.Messenger, append(long[:300:300], "\x00B\x00C\x00"...)))), "", "too_long"},
		"too long a text":             {encoded(t, datagram(office, written(t, mailslot.Messenger, append([]byte("A\x00B\x00"), bytes.Repeat([]byte("\xc4"), 400)...)))), "", "too_long"},
	} {
		t.Run(what, func(t *testing.T) {
			p := newPost(t, nil)
			from := from9
			if tt.from != "" {
				from = netip.MustParseAddrPort(tt.from)
			}
			p.take(from, tt.packet)
			got := p.Counters()
			for counter, n := range got {
				if want := map[bool]int64{true: 1}[counter == tt.counter]; n != want {
					t.Errorf("%s: %d", counter, n)
				}
			}
			if _, ok := got[tt.counter]; !ok || len(p.waiting) > 0 {
				t.Errorf("%d messages, %v", len(p.waiting), got)
			}
			if tt.counter == "announcements" && !slices.Equal(p.heard, []string{`10.77.0.9 to OFFICE<00>: HOST9, "here"`}) {
				t.Errorf("heard %q", p.heard)
			}
		})
	}
}

// The sender of a datagram to one name is told when it is not here; that answer
// is smaller than what it answers.
func TestMailslotSaysThatANameIsNotHere(t *testing.T) {
	p := newPost(t, nil)
	stop := p.run(t)
	conn, err := net.DialUDP("udp4", nil, p.conn.LocalAddr().(*net.UDPAddr))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	other := datagram(name("OTHER", netbios.Messenger), written(t, mailslot.Messenger, []byte("A\x00B\x00C\x00")))
	group := encoded(t, other) // who is not in it keeps silent
	other.Type = nbdgm.DirectUnique
	other.ID = 99
	other.Source = netip.MustParseAddrPort("10.9.9.9:999") // what it says of itself does not count
	for _, b := range [][]byte{group, encoded(t, other)} {
		if _, err := conn.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	answer := make([]byte, 1000)
	if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	n, err := conn.Read(answer)
	if err != nil {
		t.Fatal(err)
	}
	stop()
	got, err := nbdgm.Parse(answer[:n])
	if err != nil || got.Type != nbdgm.DatagramError || got.ErrorCode != nbdgm.DestinationNotPresent || got.ID != 99 || n != 11 {
		t.Errorf("the answer is %+v, %v", got, err)
	}
}

// Fragments make a message; those that never end are bounded and counted.
func TestMailslotFragments(t *testing.T) {
	p := newPost(t, nil)
	whole := datagram(office, written(t, mailslot.Messenger, []byte("ALICE\x00OFFICE\x00"+strings.Repeat("x", 300)+"\x00")))
	fragments, err := nbdgm.Fragments(whole, 200)
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for f := range fragments {
		p.take(from9, encoded(t, f))
		count++
	}
	if len(p.waiting) != 1 || count < 3 || len(p.waiting[0].Text) != 300 {
		t.Fatalf("%d fragments made %d messages", count, len(p.waiting))
	}
	for i := range 1000 { // from 250 sources
		f := whole
		f.ID, f.Flags, f.Data = uint16(i), nbdgm.First|nbdgm.More, whole.Data[:100]
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 77, 1, byte(i / 4)}), 138)
		p.take(from, encoded(t, f))
	}
	if n := p.fragments.Unfinished(); n == 0 || n > 64 {
		t.Errorf("%d unfinished datagrams are kept", n)
	}
	if got := p.Counters()["fragments_too_many"]; got != 1000-64 {
		t.Errorf("%d are counted: %v", got, p.Counters())
	}
}

// While the store hangs, so many wait, in number and in bytes; what comes then
// is counted, and what was taken is delivered, in its order, at the end at the
// latest.
func TestMailslotNoRoom(t *testing.T) {
	const room, sent = 20, 100
	open := make(chan struct{})
	inDelivery := make(chan struct{}, 1)
	p := newPost(t, func(c *MailslotConfig) {
		c.MaxWaiting = room
		deliver := c.Deliver
		c.Deliver = func(ctx context.Context, messages ...*messngr.Message) (int, error) {
			select {
			case inDelivery <- struct{}{}:
			default:
			}
			<-open
			return deliver(ctx, messages...)
		}
	})
	stop := p.run(t)
	p.take(from9, said(t, office, "first"))
	<-inDelivery
	for i := range sent {
		p.take(from9, said(t, office, fmt.Sprint(i)))
	}
	if got := p.Counters(); got["no_room"] != sent-room || got["messages"] != 0 {
		t.Errorf("%v", got)
	}
	ended := make(chan struct{})
	go func() { stop(); close(ended) }()
	time.AfterFunc(20*time.Millisecond, func() { close(open) }) // the end waits for it
	<-ended
	want := []string{"first"}
	for i := range room {
		want = append(want, fmt.Sprint(i))
	}
	if got := p.texts(); !slices.Equal(got, want) {
		t.Errorf("delivered %q, want %q", got, want)
	}
	if got := p.Counters()["messages"]; got != room+1 || p.text != 0 {
		t.Errorf("%d messages are counted, %d bytes wait", got, p.text)
	}
}

// A flood from forged sources, of everything that can come: each packet is
// counted once, by its reason, and what is kept of it stays within its bounds.
func TestMailslotFlood(t *testing.T) {
	const rounds, room = 2000, 500
	p := newPost(t, func(c *MailslotConfig) { c.MaxWaiting, c.Announced = room, nil })
	whole := datagram(office, written(t, mailslot.Messenger, []byte("ALICE\x00OFFICE\x00"+strings.Repeat("x", 300)+"\x00")))
	begun, going := whole, whole
	begun.Flags |= nbdgm.More
	begun.Data = whole.Data[:200]
	going.Flags, going.Offset, going.Data = 0, 100, bytes.Repeat([]byte("y"), 200) // over what has come
	other := encoded(t, datagram(name("OTHER", 0), whole.Data))
	host, err := browse.Announcement{Command: browse.HostAnnouncement, Name: []byte("HOST9")}.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	announced := encoded(t, datagram(office, written(t, mailslot.Browser, host)))
	for i := range rounds {
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 78, byte(i >> 8), byte(i)}), uint16(i))
		begun.ID, going.ID = uint16(i), uint16(i)
		for _, packet := range [][]byte{
			said(t, office, fmt.Sprint(i)), encoded(t, begun), encoded(t, going), other, announced,
			make([]byte, 1<<16-1), encoded(t, whole)[:100],
		} {
			p.take(from, packet)
			if len(p.waiting) > room || p.fragments.Unfinished() > 64 || len(p.out) > 16 {
				t.Fatalf("round %d: %d messages wait, %d are unfinished, %d bytes of an answer", i, len(p.waiting), p.fragments.Unfinished(), len(p.out))
			}
		}
	}
	got := p.Counters()
	// The second fragment finds the first and kills both; so no datagram waits.
	want := map[string]int64{
		"no_room": rounds - room, "refused_name": rounds, "announcements": rounds, "malformed": 2 * rounds, "fragments_overlap": rounds,
	}
	for counter, n := range got {
		if n != want[counter] {
			t.Errorf("%s: %d, want %d", counter, n, want[counter])
		}
	}
	if len(p.waiting) != room {
		t.Errorf("%d messages wait, want %d", len(p.waiting), room)
	}
}

func TestMailslotWaitingTextIsBounded(t *testing.T) {
	p := newPost(t, nil)
	p.text = maxWaitingText - 1
	p.take(from9, said(t, office, "xx"))
	if got := p.Counters()["no_room"]; got != 1 || len(p.waiting) != 0 {
		t.Errorf("%d, %d wait", got, len(p.waiting))
	}
}

// What the store does not take, and copies, are counted.
func TestMailslotNotStored(t *testing.T) {
	var err error
	p := newPost(t, func(c *MailslotConfig) {
		c.Deliver = func(_ context.Context, messages ...*messngr.Message) (int, error) { return 1, err }
	})
	p.take(from9, said(t, office, "a"))
	p.take(from9, said(t, office, "b"))
	p.deliver(t.Context())
	err = errors.New("the disk is full")
	p.take(from9, said(t, office, "c"))
	p.deliver(t.Context())
	if got := p.Counters(); got["messages"] != 1 || got["copies"] != 1 || got["not_stored"] != 1 {
		t.Errorf("%v", got)
	}
}

// A socket that fails ends the listener with its error.
func TestMailslotSocketFails(t *testing.T) {
	p := newPost(t, nil)
	ended := make(chan error, 1)
	go func() { ended <- p.Run(t.Context()) }()
	<-p.Ready()
	p.conn.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Run: %v", err)
	}
}

// FuzzMailslot: whatever arrives, what is taken is what a message may hold, and
// an answer, which goes to who asked, is no larger than the question.
func FuzzMailslot(f *testing.F) {
	f.Add(said(f, office, "hello\x14\r\n\x1b[2J"))
	f.Add(said(f, host2, strings.Repeat("\xc4", 300)))
	whole := datagram(office, written(f, mailslot.Messenger, []byte("A\x00B\x00"+strings.Repeat("x", 300)+"\x00")))
	whole.Flags |= nbdgm.More
	f.Add(encoded(f, whole))
	f.Add(encoded(f, datagram(office, written(f, mailslot.Browser, bytes.Repeat([]byte{1}, 40)))))
	p := newPost(f, func(c *MailslotConfig) { c.MaxText = fuzzText })
	f.Fuzz(func(t *testing.T, packet []byte) {
		before := p.Counters()["datagrams"]
		p.take(netip.MustParseAddrPort("127.0.0.1:9"), packet)
		for _, m := range p.take1() {
			checkMessage(t, *m)
		}
		if len(p.out) > 0 && len(p.out) > len(packet) {
			t.Errorf("%d bytes are answered with %d", len(packet), len(p.out))
		}
		p.out = p.out[:0]
		if p.fragments.Unfinished() > 64 || p.Counters()["datagrams"] != before {
			t.Errorf("%d unfinished datagrams", p.fragments.Unfinished())
		}
	})
}

// take1 takes what waits.
func (p *post) take1() []*messngr.Message { return p.Mailslot.take() }

func BenchmarkMailslot(b *testing.B) {
	p := newPost(b, nil)
	packet := said(b, office, strings.Repeat("x", 100))
	b.ReportAllocs()
	for b.Loop() {
		p.take(from9, packet)
		if len(p.waiting) == p.cfg.MaxWaiting {
			p.take1()
			p.waiting, p.text = p.waiting[:0], 0
		}
	}
}
