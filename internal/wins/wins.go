// Package wins is a NetBIOS name server: the hosts of all networks register
// their names with it and ask it for those of others, as described in RFC 1001
// 15 and RFC 1002 5.1.4, and as Windows and Samba hosts expect of a WINS server.
//
//	                     +-- names in memory --> reply          a query, a refresh
//	request --> Handle --+-- queue --> store --> names --> Send a change
//	                     +-- WACK; Ask the owner --> as above   a conflict
//
// A change is answered when the store has it, and not before: what a host was
// told outlives the process. A refresh that only moves the expiry is answered
// at once; see [Config.Store] for what is then in the store.
//
// # The life of a name
//
// A unique name belongs to the host that has registered it, until it releases
// it or does not refresh it in time. Then it is released: it is not given out
// any more, and who claims it has it. After [Config.Extinct] it is forgotten.
//
// Who claims a name that has an owner is told to wait (WACK) while the owner is
// asked whether it still has it. When it has, it keeps it; when it says no or
// nothing, the claimant gets it. When the owner says that the claimed address
// is one of its own, the name becomes that of a multi-homed host.
//
// A normal group has no owner and no addresses: everybody can join, and a query
// is answered with 255.255.255.255. It goes when nobody has refreshed it for
// long enough (RFC 1001 15.1.3.4, group name fade-out), never by a release. An
// internet group, which is what a group with the suffix 0x1C is, has up to 25
// members with an address each.
//
// The names of master browsers (suffix 0x1D) are those of one segment: they are
// granted to everybody and never kept, as Windows does it.
//
// # Trust
//
// There is no proof of identity in this protocol. A host may speak for the
// address that its packet came from, and for another one only as a multi-homed
// host, or if it has registered the name before. The loopback network and what
// is no host's address is granted and not kept. Only an owner releases a name.
// How many names there are in all and of one host, how many changes wait for
// the store and how many owners are being asked: all of it has a bound.
//
// # Limitations
//
// There is no replication with other name servers. IPv4 only, as NetBIOS over
// TCP/IP is.
package wins

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbns"
)

// Records is where the names are kept.
type Records interface {
	PutRecords(ctx context.Context, records ...messngr.NameRecord) error
	DeleteRecords(ctx context.Context, keys ...messngr.NameKey) error
	Records(ctx context.Context, f func(messngr.NameRecord) error) error
}

// A Config says how a Server works. Store, Send and Ask must be there; all else
// has a good default.
type Config struct {
	// Store keeps the names. Nothing is answered as done that it does not
	// have, but with one liberty: it is told that a name is good for a quarter
	// longer than was granted, and not told of a refresh that stays within
	// that. After a restart a name that nobody refreshes lives on for so long.
	Store Records

	// Send sends a packet from port 137, of what Handle did not answer at once.
	Send func(p nbns.Packet, to netip.AddrPort)

	// Ask sends a request from port 137, as often as is usual, and returns the
	// response. The ID is its to choose.
	Ask func(ctx context.Context, request nbns.Packet, to netip.AddrPort) (nbns.Packet, error)

	// Own reports whether a name without a scope is a unique name of this very
	// station, and Local whether an address is one of its own: nobody else
	// gets such a name. Nil: none is.
	Own   func(netbios.Name) bool
	Local func(netip.Addr) bool

	// MinTTL and MaxTTL are the shortest and the longest time for which a name
	// is granted. A host that asks for no limit gets MaxTTL. Zero: 40 minutes
	// and 144 hours.
	MinTTL, MaxTTL time.Duration
	// Extinct is how long a released name is remembered. Zero: 144 hours.
	Extinct time.Duration
	// Challenge is how long the owner of a name has to say that it still has
	// it, all tries together. Zero: 5 seconds, for Windows' 3 tries of 1.5 s.
	Challenge time.Duration

	// MaxNames is the most names, and MaxPerSource the most that one host has
	// registered. When seven eighths of MaxNames are there, those that are
	// released are forgotten at once. Zero: 1,048,576 and 4,096.
	MaxNames, MaxPerSource int
	// MaxPending is the most changes that wait for the store, and
	// MaxChallenges the most owners that are being asked. What comes then gets
	// no answer, and its sender tries again. Zero: 4,096 and 64.
	MaxPending, MaxChallenges int

	// Static are names that are always there: they do not expire, and a claim,
	// refresh or release changes nothing. Of their fields count Name, Scope,
	// Kind and, of each address, Addr and Flags. They hide what the store has
	// under their names.
	Static []messngr.NameRecord

	// Log is told of conflicts and of failures of the store. Nil: nobody is.
	Log *slog.Logger
}

// Defaults of a Config.
const (
	defaultMinTTL        = 40 * time.Minute
	defaultMaxTTL        = 144 * time.Hour
	defaultExtinct       = 144 * time.Hour
	defaultChallenge     = 5 * time.Second
	defaultMaxNames      = 1 << 20
	defaultMaxPerSource  = 4096
	defaultMaxPending    = 4096
	defaultMaxChallenges = 64
)

// maxTTL is the most that MaxTTL can be, for its sums to fit 32 bits.
const maxTTL = 366 * 24 * time.Hour

// A Server is a name server. Its methods may be called from any goroutine, but
// see Handle.
type Server struct {
	cfg      Config
	table    *table
	counters counters
	rdata    [maxMembers * addrSize]byte // of the latest reply to a query
	ready    chan struct{}
	wake     chan struct{}   // the queue is worth a commit
	asking   chan *challenge // those that were just started

	// mu is held by who decides about a change, from the look at the table to
	// the end. Queries need no more than the table's own locks.
	mu         sync.Mutex
	queue      []*change          // in the order in which they go to the store
	company    int                // changes that are worth a commit
	pending    map[key]*change    // those of the queue, and those that are on their way
	challenges map[key]*challenge // the owners that are being asked
	names      int                // in the table, without static ones, and with those that are pending
	bySource   map[[4]byte]int32  // of these, how many each host has registered
	failing    bool               // the store did not take the latest changes
}

// New returns a Server with the names that the store has. They are given out
// as soon as Handle is called; whatever changes something waits for Run.
func New(ctx context.Context, cfg Config) (*Server, error) {
	setDefault(&cfg.MinTTL, defaultMinTTL)
	setDefault(&cfg.MaxTTL, defaultMaxTTL)
	setDefault(&cfg.Extinct, defaultExtinct)
	setDefault(&cfg.Challenge, defaultChallenge)
	setDefault(&cfg.MaxNames, defaultMaxNames)
	setDefault(&cfg.MaxPerSource, defaultMaxPerSource)
	setDefault(&cfg.MaxPending, defaultMaxPending)
	setDefault(&cfg.MaxChallenges, defaultMaxChallenges)
	if cfg.Own == nil {
		cfg.Own = func(netbios.Name) bool { return false }
	}
	if cfg.Local == nil {
		cfg.Local = func(netip.Addr) bool { return false }
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.MinTTL < time.Second || cfg.MaxTTL < cfg.MinTTL || cfg.MaxTTL > maxTTL {
		return nil, fmt.Errorf("name server: TTL from %v to %v: want at least a second, at most %v, and the longest not shorter than the shortest", cfg.MinTTL, cfg.MaxTTL, maxTTL)
	}
	s := &Server{
		cfg:        cfg,
		table:      newTable(),
		ready:      make(chan struct{}),
		wake:       make(chan struct{}, 1),
		asking:     make(chan *challenge, cfg.MaxChallenges),
		pending:    make(map[key]*change),
		challenges: make(map[key]*challenge),
		bySource:   make(map[[4]byte]int32),
	}
	if err := s.load(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

func setDefault[T int | time.Duration](v *T, to T) {
	if *v == 0 {
		*v = to
	}
}

// load fills the table. What has expired meanwhile is swept out in its time.
func (s *Server) load(ctx context.Context) error {
	for _, r := range s.cfg.Static {
		r.Static, r.State, r.Source = true, messngr.NameActive, netip.Addr{}
		k, e, err := fromRecord(r)
		if err != nil {
			return fmt.Errorf("name server: static names: %w", err)
		}
		if _, there := s.table.get(k); there {
			return fmt.Errorf("name server: static names: %v is there twice", k)
		}
		s.table.put(k, e)
	}
	err := s.cfg.Store.Records(ctx, func(r messngr.NameRecord) error {
		k, e, err := fromRecord(r)
		if err != nil {
			s.cfg.Log.Warn("a stored name makes no sense and is left out", "error", err)
			return nil
		}
		if old, there := s.table.get(k); r.Static || there && old.static() {
			return nil
		}
		s.table.put(k, e)
		s.names++
		s.bySource[e.source]++
		return nil
	})
	if err != nil {
		return fmt.Errorf("name server: load the names: %w", err)
	}
	return nil
}

// Ready is closed when Run has begun.
func (s *Server) Ready() <-chan struct{} { return s.ready }

func (s *Server) String() string { return "name server" }

// Run makes changes durable, asks owners and forgets what has expired, until
// ctx is done, and then returns nil. Changes that have not reached the store by
// then are dropped; nobody was told that they were made. It can be called once.
func (s *Server) Run(ctx context.Context) error {
	var parts sync.WaitGroup
	parts.Go(func() { s.commit(ctx) })
	parts.Go(func() { s.sweep(ctx) })
	parts.Go(func() { s.challengeAll(ctx) })
	close(s.ready)
	parts.Wait()
	return nil
}

// errNoAddress is about a record from which nobody could be given an address.
var errNoAddress = errors.New("no address, or too many of them")
