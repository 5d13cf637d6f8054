package wins

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbns"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The hosts of the tests.
var (
	alice   = netip.MustParseAddr("10.77.0.2")
	alice2  = netip.MustParseAddr("10.77.1.2") // her other address
	bob     = netip.MustParseAddr("10.77.0.3")
	carol   = netip.MustParseAddr("10.77.0.4")
	station = netip.MustParseAddr("10.77.0.9") // the name server itself
)

// asked is the TTL that hosts ask for, in seconds: what Windows does.
const asked = 300000

// A fakeStore keeps records in memory. It can be made to wait and to fail.
type fakeStore struct {
	mu      sync.Mutex
	records map[messngr.NameKey]messngr.NameRecord
	puts    int
	fail    error
	takes   time.Duration // a call
	gate    chan struct{} // not nil: a call waits for it to be closed
}

func (f *fakeStore) do(ctx context.Context, change func()) error {
	f.mu.Lock()
	gate, takes := f.gate, f.takes
	f.mu.Unlock()
	time.Sleep(takes)
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail == nil {
		change()
	}
	return f.fail
}

func (f *fakeStore) PutRecords(ctx context.Context, records ...messngr.NameRecord) error {
	return f.do(ctx, func() {
		f.puts++
		for _, r := range records {
			f.records[r.NameKey] = r
		}
	})
}

func (f *fakeStore) DeleteRecords(ctx context.Context, keys ...messngr.NameKey) error {
	return f.do(ctx, func() {
		for _, k := range keys {
			delete(f.records, k)
		}
	})
}

func (f *fakeStore) Records(_ context.Context, yield func(messngr.NameRecord) error) error {
	for r := range maps.Values(f.records) {
		if err := yield(r); err != nil {
			return err
		}
	}
	return nil
}

func (f *fakeStore) set(change func(*fakeStore)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

func (f *fakeStore) counts() (records, puts int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.records), f.puts
}

// A sent is a packet with where it went.
type sent struct {
	packet nbns.Packet
	to     netip.AddrPort
	at     time.Time
}

// A lab is a server with its store and the hosts around it.
type lab struct {
	*Server
	t     testing.TB
	store *fakeStore

	mu     sync.Mutex
	sent   []sent
	asks   []netip.Addr                               // who was asked
	owners map[netip.Addr]func() (nbns.Packet, error) // what a host that is asked says; silent if nil
	id     uint16
}

// newLab starts a server, which ends with the test. It is called in a bubble.
func newLab(t testing.TB, change ...func(*Config)) *lab {
	t.Helper()
	l := &lab{
		t:      t,
		store:  &fakeStore{records: make(map[messngr.NameKey]messngr.NameRecord)},
		owners: make(map[netip.Addr]func() (nbns.Packet, error)),
	}
	cfg := Config{
		Store: l.store,
		Send: func(p nbns.Packet, to netip.AddrPort) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.sent = append(l.sent, sent{p, to, time.Now()})
		},
		Ask:   l.ask,
		Own:   func(n netbios.Name) bool { return n == name("STATION<03>") },
		Local: func(a netip.Addr) bool { return a == station || a.IsLoopback() },
		Log:   slog.New(slog.DiscardHandler),
	}
	for _, f := range change {
		f(&cfg)
	}
	var err error
	if l.Server, err = New(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- l.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	<-l.Ready()
	return l
}

// errSilent is what Ask returns when nobody has answered three times.
var errSilent = errors.New("no answer")

func (l *lab) ask(ctx context.Context, q nbns.Packet, to netip.AddrPort) (nbns.Packet, error) {
	if q.Opcode != nbns.Query || q.Flags != 0 || q.Question.Type != nbns.TypeNB || to.Port() != 137 {
		l.t.Errorf("asked %+v of %v", q, to)
	}
	l.mu.Lock()
	l.asks = append(l.asks, to.Addr())
	answer := l.owners[to.Addr()]
	l.mu.Unlock()
	wait := 4500 * time.Millisecond
	if answer != nil {
		wait = 10 * time.Millisecond
	}
	select {
	case <-time.After(wait):
	case <-ctx.Done():
		return nbns.Packet{}, ctx.Err()
	}
	if answer == nil {
		return nbns.Packet{}, errSilent
	}
	return answer()
}

// says makes a host answer, when it is asked, that it has the name at these
// addresses; that it has not, if there are none.
func (l *lab) says(host netip.Addr, addrs ...netip.Addr) {
	query := nbns.NameQuery(1, name("HOST<03>"), "", false)
	answer := nbns.NegativeQueryResponse(query, nbns.NameError)
	if len(addrs) > 0 {
		answer = nbns.PositiveQueryResponse(query, asked, rdata(0, addrs...))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.owners[host] = func() (nbns.Packet, error) { return answer, nil }
}

// later returns what has been sent since it was last called, once everything
// stands still.
func (l *lab) later() []sent {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	got := l.sent
	l.sent = nil
	return got
}

func (l *lab) asksMade() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.asks)
}

// do hands a request to the server and returns the answer in words, such as
// "AD80": the header, and of a query the addresses. "" is no answer.
func (l *lab) do(p nbns.Packet, from netip.Addr) string {
	l.t.Helper()
	l.id++
	p.ID = l.id
	return l.doID(p, from)
}

func (l *lab) doID(p nbns.Packet, from netip.Addr) string {
	l.t.Helper()
	reply, ok := l.Handle(p, netip.AddrPortFrom(from, 137), time.Now())
	if !ok {
		later := l.later()
		if len(later) == 0 {
			return ""
		}
		if len(later) > 1 || later[0].to != netip.AddrPortFrom(from, 137) {
			l.t.Fatalf("sent %+v", later)
		}
		reply = later[0].packet
	}
	return l.words(p, reply)
}

// words says what is in a reply, and checks what all of them have.
func (l *lab) words(request, reply nbns.Packet) string {
	l.t.Helper()
	b, err := reply.AppendBinary(nil)
	if err != nil {
		l.t.Fatalf("%+v: %v", reply, err)
	}
	if len(b) > nbns.MaxSize {
		l.t.Errorf("a reply of %d bytes", len(b))
	}
	if reply.ID != request.ID || reply.Answer.Name != request.Question.Name || reply.Answer.Scope != request.Question.Scope {
		l.t.Errorf("%+v is no answer to %+v", reply, request)
	}
	s := fmt.Sprintf("%X", b[2:4])
	if reply.Opcode == nbns.Query && reply.RCode == nbns.Success {
		addrs, err := nbns.ParseAddrs(nil, reply.Answer.Data)
		if err != nil {
			l.t.Fatal(err)
		}
		for _, a := range addrs {
			s += " " + a.Addr.String()
		}
	}
	return s
}

// want does a request and compares the answer.
func (l *lab) want(p nbns.Packet, from netip.Addr, want string) {
	l.t.Helper()
	if got := l.do(p, from); got != want {
		l.t.Errorf("%v from %v: %q, want %q", requestWords(p), from, got, want)
	}
}

func requestWords(p nbns.Packet) string {
	addrs, _ := nbns.ParseAddrs(nil, p.Additional.Data)
	return fmt.Sprintf("opcode %d, %v %v", p.Opcode, p.Question.Name, addrs)
}

// name reads NAME<03>.
func name(text string) netbios.Name {
	base, rest, _ := strings.Cut(text, "<")
	var suffix byte
	fmt.Sscanf(rest, "%02X>", &suffix)
	n, err := netbios.NewName(base, netbios.Suffix(suffix))
	if err != nil {
		panic(err)
	}
	return n
}

func rdata(flags nbns.NameFlags, addrs ...netip.Addr) (b []byte) {
	for _, a := range addrs {
		b, _ = nbns.Addr{Flags: flags | nbns.HNode, Addr: a}.AppendBinary(b)
	}
	return b
}

func query(n string) nbns.Packet { return nbns.NameQuery(1, name(n), "", false) }

func register(n string, addrs ...netip.Addr) nbns.Packet {
	return nbns.RegistrationRequest(1, name(n), "", asked, rdata(0, addrs...), false)
}

func group(n string, addr netip.Addr) nbns.Packet {
	return nbns.RegistrationRequest(1, name(n), "", asked, rdata(nbns.Group, addr), false)
}

func multiHomed(n string, addrs ...netip.Addr) nbns.Packet {
	return nbns.MultiHomedRegistration(1, name(n), "", asked, rdata(0, addrs...))
}

func refresh(n string, addr netip.Addr) nbns.Packet {
	return nbns.RefreshRequest(1, name(n), "", asked, rdata(0, addr))
}

func release(n string, addr netip.Addr) nbns.Packet {
	return nbns.ReleaseRequest(1, name(n), "", rdata(0, addr), false)
}
