package resolver

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbns"
)

// ScanOptions say how a scan goes. The zero value is made for a local network.
type ScanOptions struct {
	// Rate is the most questions a second; 2000 if zero. What is asked faster
	// than the network resolves hardware addresses, or than answers can be
	// taken, is lost.
	Rate int
	// Tries is how often a silent address is asked; 2 if zero.
	Tries int
	// Wait is how long an address has before it is asked again, or given up;
	// 600 ms if zero.
	Wait time.Duration
	// Progress, if it is not nil, is told from time to time how much is done.
	// It is called by another goroutine than found.
	Progress func(done, total int)
}

// Scan asks all addresses of a set for their node status and calls found with
// each that answers, as the answers come. An answer counts if it comes from an
// address that was asked and not yet heard, from its port, with the id of the
// question that went there. The error is ctx's, or says that and why addresses
// could not be asked.
//
// The memory that it takes is a bit for each address.
func (r *Resolver) Scan(ctx context.Context, ranges Ranges, o ScanOptions, found func(Host)) error {
	if ranges.Len() == 0 {
		return errors.New("no address to ask")
	}
	var lc net.ListenConfig
	pc, err := lc.ListenPacket(ctx, "udp4", ":0")
	if err != nil {
		return cause(err)
	}
	conn := pc.(*net.UDPConn)
	defer conn.Close()
	// Best effort: while found is busy, answers wait there.
	_ = conn.SetReadBuffer(1 << 20)
	// And the questions to silent addresses are in it until the system has
	// given up to find their hardware, which takes three seconds.
	_ = conn.SetWriteBuffer(1 << 20)

	s := &scan{
		conn: conn, port: r.port(), ranges: ranges, seed: maphash.MakeSeed(),
		rate: o.Rate, tries: o.Tries, wait: orDefault(o.Wait, 600*time.Millisecond), progress: o.Progress,
		heard: make([]uint64, (ranges.Len()+63)/64), silent: ranges.Len(),
	}
	if s.rate <= 0 {
		s.rate = 2000
	}
	if s.tries <= 0 {
		s.tries = 2
	}
	if s.progress == nil {
		s.progress = func(int, int) {}
	}
	sending, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(sending, s.stopReading)
	sent := make(chan error, 1)
	go func() { sent <- s.send(sending) }()
	err = s.receive(found)
	cancel()
	stop()
	notSent := <-sent
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.Join(err, notSent)
}

// A scan is one call of Scan.
type scan struct {
	conn     *net.UDPConn
	port     uint16
	ranges   Ranges
	seed     maphash.Seed
	rate     int
	tries    int
	wait     time.Duration
	progress func(done, total int)

	silent int // addresses not yet heard
	mu     sync.Mutex
	heard  []uint64 // a bit for each address
}

// id returns the id of the questions to an address. One who was asked cannot
// tell that of another by its own.
func (s *scan) id(n uint32) uint16 { return uint16(maphash.Comparable(s.seed, n)) }

func (s *scan) wasHeard(i int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.heard[i/64]&(1<<(i%64)) != 0
}

func (s *scan) stopReading() { s.conn.SetReadDeadline(time.Unix(1, 0)) }

// receive hands what answers to found, until all have answered or the last of
// the silent ones has had its time.
func (s *scan) receive(found func(Host)) error {
	packet := make([]byte, 1<<16)
	for troubles := 0; ; {
		size, from, err := s.conn.ReadFromUDPAddrPort(packet)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil {
			// Windows tells us so of each host that has closed its port.
			if troubles++; troubles > 2*s.tries*s.ranges.Len() {
				return cause(err)
			}
			continue
		}
		host, ok := s.hostIn(packet[:size], from)
		if !ok {
			continue
		}
		found(host)
		if s.silent == 0 {
			return nil
		}
	}
}

// hostIn returns the host whose answer a packet is, if it is one that counts.
func (s *scan) hostIn(packet []byte, from netip.AddrPort) (Host, bool) {
	addr := from.Addr().Unmap()
	i, ok := s.ranges.index(addr)
	if !ok || from.Port() != s.port || len(packet) < 2 {
		return Host{}, false
	}
	n, _ := number(addr) // it is in the ranges
	query := nbns.StatusQuery(s.id(n), netbios.Wildcard, "")
	if binary.BigEndian.Uint16(packet) != query.ID || s.wasHeard(i) {
		return Host{}, false // without reading the rest of what forgers send
	}
	status, ok := statusIn(query, packet)
	if !ok {
		return Host{}, false
	}
	s.silent--
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard[i/64] |= 1 << (i % 64)
	return Host{addr, status}, true
}

// send asks all addresses, then those that are silent again. It ends the
// reading when the last has had its time.
func (s *scan) send(ctx context.Context) error {
	query := nbns.StatusQuery(0, netbios.Wildcard, "")
	question, _ := query.AppendBinary(nil) // without a scope it can be written
	pace := pacer{interval: time.Second / time.Duration(s.rate), next: time.Now()}
	done, total := 0, s.tries*s.ranges.Len()
	said := time.Time{}
	defer s.stopReading()
	var failed int
	var first error
	for try := range s.tries {
		begun := time.Now()
		failed, first = 0, nil
		for _, span := range s.ranges.spans {
			for i := range int(span.last-span.first) + 1 {
				if now := time.Now(); now.Sub(said) > 50*time.Millisecond {
					s.progress(done, total)
					said = now
				}
				done++
				if s.wasHeard(span.before + i) {
					continue
				}
				if !pace.wait(ctx) {
					return nil
				}
				n := span.first + uint32(i)
				binary.BigEndian.PutUint16(question, s.id(n))
				if err := s.ask(ctx, question, address(n)); err != nil {
					if failed++; first == nil {
						first = fmt.Errorf("%s: %w", address(n), cause(err))
					}
				}
			}
		}
		if failed == s.ranges.Len() {
			return fmt.Errorf("cannot ask %w", first) // and so nobody can answer
		}
		rest := time.Until(begun.Add(s.wait)) // of the time that the first one has
		if try == s.tries-1 {
			s.progress(total, total)
			rest = s.wait
		}
		if !sleep(ctx, rest) {
			return nil
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d addresses could not be asked, first %w", failed, s.ranges.Len(), first)
	}
	return nil
}

// ask sends the question to an address. The queue of packets that wait for
// hardware addresses may be full of those that nobody has: it empties within
// some seconds.
func (s *scan) ask(ctx context.Context, question []byte, addr netip.Addr) error {
	for begun := time.Now(); ; {
		_, err := s.conn.WriteToUDPAddrPort(question, netip.AddrPortFrom(addr, s.port))
		if !errors.Is(err, syscall.ENOBUFS) || time.Since(begun) > 5*time.Second || !sleep(ctx, 10*time.Millisecond) {
			return err
		}
	}
}

// A pacer spreads packets over time.
type pacer struct {
	interval time.Duration
	next     time.Time
}

const (
	// maxBurst is the most packets that are sent at once to make up for time
	// in which the program did not run.
	maxBurst = 32
	// minSleep is what is not worth a sleep.
	minSleep = time.Millisecond
)

// wait waits until the next packet is due. It reports false if ctx has ended.
func (p *pacer) wait(ctx context.Context) bool {
	now := time.Now()
	if earliest := now.Add(-maxBurst * p.interval); p.next.Before(earliest) {
		p.next = earliest
	}
	p.next = p.next.Add(p.interval)
	if early := p.next.Sub(now); early > minSleep {
		return sleep(ctx, early)
	}
	return ctx.Err() == nil
}

// sleep reports false if ctx has ended.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
