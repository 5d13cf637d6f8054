// Package sender takes a message to its recipient, one file for each
// transport, and reports what became of it.
package sender

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/internal/oem"
	"github.com/messngr/messngr/internal/resolver"
	"github.com/messngr/messngr/netbios"
)

// Config is what a Sender is told. All fields up to Page must be set, but for
// MaxCast.
type Config struct {
	Resolver *resolver.Resolver
	// Computer is the name that calls.
	Computer string
	// Port is the TCP port that is called, as a rule 139.
	Port uint16
	// Timeout bounds each step: connecting, one block.
	Timeout time.Duration
	// MaxText is the most bytes of text, in the recipient's code page.
	MaxText int
	// MaxCast is the most bytes of a text to a workgroup, in its code page. If
	// it is zero only the size of a datagram bounds it.
	MaxCast int
	// Page returns the code page in which the recipient with that address and
	// one of those names reads.
	Page func(addr netip.Addr, names ...string) *oem.Page
	// Transport is messngr.SMB or messngr.RPC; if empty, a message goes by RPC
	// when no session is to be had.
	Transport messngr.Transport
	// DatagramPort is the UDP port that datagrams go to; 138 if zero.
	DatagramPort uint16
	// MapperPort is the UDP port of the recipient's endpoint mapper; 135 if
	// zero.
	MapperPort uint16
	// SingleBlock sends SMB_COM_SEND_MESSAGE instead of start, text and end.
	SingleBlock bool
}

// A Sender sends messages. It may be used by many goroutines.
type Sender struct {
	cfg Config
}

// New returns a Sender.
func New(cfg Config) *Sender { return &Sender{cfg} }

// A Draft is a message to send.
type Draft struct {
	From, To, Text string
}

// A failure is why a delivery failed: the number that Windows has for it and
// what happened, in words that say what to do.
type failure struct {
	nerr messngr.NERR
	err  error
	// unsent says that the recipient has surely not taken the message, and has
	// not said that it will not: it may be sent another way.
	unsent bool
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func failed(nerr messngr.NERR, format string, args ...any) error {
	return &failure{nerr: nerr, err: fmt.Errorf(format, args...)}
}

// unsent returns err, and says of it that the message may be sent another way.
func unsent(err error) error {
	if f := (*failure)(nil); errors.As(err, &f) {
		return &failure{f.nerr, err, true}
	}
	return err
}

// Send sends d to the one recipient that it names: a NetBIOS name, a host name
// or an address. What went wrong is in the Delivery.
func (s *Sender) Send(ctx context.Context, d Draft) messngr.Delivery {
	return s.deliver(ctx, d, func() (resolver.Found, error) { return s.find(ctx, d.To) })
}

// deliver sends d to the one that find finds.
func (s *Sender) deliver(ctx context.Context, d Draft, find func() (resolver.Found, error)) messngr.Delivery {
	del := messngr.Delivery{To: d.To, Transport: messngr.SMB}
	err := s.send(ctx, d, find, &del)
	del.At = time.Now()
	if err == nil {
		del.State = messngr.Accepted
		return del
	}
	del.State, del.Detail = messngr.Failed, err.Error()
	if f := (*failure)(nil); errors.As(err, &f) {
		del.NERR = f.nerr
	}
	if ctx.Err() != nil {
		del.Detail = "interrupted; the recipient may have the message or not"
	}
	return del
}

func (s *Sender) send(ctx context.Context, d Draft, find func() (resolver.Found, error), del *messngr.Delivery) error {
	found, err := find()
	if err != nil {
		return err
	}
	del.Addr, del.FoundBy = netip.AddrPortFrom(found.Addr, s.cfg.Port), found.From
	page := s.cfg.Page(found.Addr, d.To, found.Name.Base())
	del.CodePage = page.Number()
	m, err := s.encode(page, d)
	if err != nil {
		return err
	}
	del.Lost = m.lost
	return s.transmit(ctx, found, m, del)
}

// transmit sends a message to whom was found. Where no session is to be had it
// tries RPC, as Windows does: [MS-MSRP] <25>.
func (s *Sender) transmit(ctx context.Context, to resolver.Found, m encoded, del *messngr.Delivery) error {
	if s.cfg.Transport == messngr.RPC {
		return s.sendRPC(ctx, to, m, del)
	}
	err := s.sendSMB(ctx, to, m, del)
	f := (*failure)(nil)
	if err == nil || s.cfg.Transport == messngr.SMB || !errors.As(err, &f) || !f.unsent || ctx.Err() != nil {
		return err
	}
	session := *del
	byRPC := s.sendRPC(ctx, to, m, del)
	r := (*failure)(nil)
	switch {
	case errors.Is(byRPC, errNoMapper):
		byRPC = fmt.Errorf("nor is there an RPC endpoint mapper (UDP port %d)", s.cfg.mapperPort())
	case errors.As(byRPC, &r) && r.unsent:
		byRPC = fmt.Errorf("nor by RPC: %w", byRPC)
	default:
		return byRPC
	}
	*del = session // it says more than that the other way is closed too
	return &failure{nerr: f.nerr, err: fmt.Errorf("%w; %w", err, byRPC)}
}

// find turns what a person wrote into an address and, where it is one, the
// NetBIOS name to call.
func (s *Sender) find(ctx context.Context, to string) (resolver.Found, error) {
	if addr, err := netip.ParseAddr(to); err == nil {
		return resolver.Found{Addr: addr, From: resolver.FromAddress}, nil
	}
	label, _, isHost := strings.Cut(to, ".")
	// The name is looked up in the page of those about whom nothing is known.
	page := s.cfg.Page(netip.Addr{}, to)
	name, err := encodeName(page, label)
	switch {
	case err == nil:
	case isHost:
		name = netbios.SMBServer // a host name whose first label is no NetBIOS name
	default:
		return resolver.Found{}, err
	}
	found, err := s.cfg.Resolver.Resolve(ctx, name, to)
	if err != nil {
		return resolver.Found{}, failed(messngr.NERRNameNotFound, "%w", err)
	}
	return found, nil
}

// encodeName returns the name of a messenger: text as a person wrote it, with
// the suffix <03>.
func encodeName(page *oem.Page, text string) (netbios.Name, error) {
	b, err := page.EncodeName(text)
	if err != nil {
		return netbios.Name{}, err
	}
	if len(b) == 0 {
		return netbios.Name{}, errors.New("the name is empty")
	}
	return netbios.NewName(string(b), netbios.Messenger)
}

// An encoded message is a Draft in the bytes of the recipient's code page.
type encoded struct {
	from, to []byte
	// text has 0x14 for line ends, as Windows writes them, crlf has CR LF, for
	// those who take 0x14 for a character.
	text, crlf []byte
	lost       int // characters that became '?'
}

func (s *Sender) encode(page *oem.Page, d Draft) (encoded, error) {
	var m encoded
	from, err := encodeName(page, d.From)
	if err != nil {
		return m, fmt.Errorf("sender's name: %w", err)
	}
	m.from = []byte(from.Base())
	// [MS-MSRP] 2.2.3: a name of at most 15 characters. An address is one
	// that tells the reader which of its own it was.
	if m.to, err = page.EncodeName(d.To); err != nil {
		return m, fmt.Errorf("recipient's name: %w", err)
	}
	m.to = m.to[:min(len(m.to), netbios.MaxBase)]
	// Code pages have letters with their accents, not accents of their own.
	text := norm.NFC.String(d.Text)
	m.text, m.lost = page.EncodeText(text, oem.TextNewline)
	m.crlf, _ = page.EncodeText(text, oem.CRLF)
	if n := len(m.text); n > s.cfg.MaxText {
		return m, fmt.Errorf("the text has %d bytes in code page %d, at most %d can be sent: nothing was sent", n, page.Number(), s.cfg.MaxText)
	}
	return m, nil
}
