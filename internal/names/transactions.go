package names

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/messngr/messngr/netbios/nbns"
)

// maxTransactions is the most questions that wait for their answers.
const maxTransactions = 1024

// maxAnswers is how many answers to one question are kept until somebody looks.
const maxAnswers = 16

var (
	errBusy   = errors.New("too many questions wait for their answers")
	errSilent = errors.New("no answer")
)

// An answer is a response and who sent it.
type answer struct {
	nbns.Packet
	from netip.AddrPort
}

// A transaction is a question of ours: RFC 1002 4.2.1.1, NAME_TRN_ID.
type transaction struct {
	question nbns.Packet
	where    netip.Prefix // where answers can come from
	port     uint16       // and from which port
	answers  chan answer
}

// transactions are the questions that wait, by their ids.
type transactions struct {
	mu  sync.Mutex
	all map[uint16]*transaction
}

// open begins a transaction, whose question gets an id that nobody can guess.
func (ts *transactions) open(question nbns.Packet, where netip.Prefix, port uint16) (*transaction, error) {
	t := &transaction{question: question, where: where, port: port, answers: make(chan answer, maxAnswers)}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if len(ts.all) >= maxTransactions {
		return nil, errBusy
	}
	if ts.all == nil {
		ts.all = make(map[uint16]*transaction)
	}
	for {
		var b [2]byte
		rand.Read(b[:]) // never fails: crypto/rand
		id := binary.BigEndian.Uint16(b[:])
		if ts.all[id] == nil {
			t.question.ID = id
			ts.all[id] = t
			return t, nil
		}
	}
}

func (ts *transactions) close(t *transaction) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	delete(ts.all, t.question.ID)
}

func (ts *transactions) find(id uint16) *transaction {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return ts.all[id]
}

// isAnswer reports whether a response is one to the question: about its name,
// of a kind that answers it, from where it can come. A name service answers from
// its own port, which a user of that host does not have.
func (t *transaction) isAnswer(p nbns.Packet, from netip.AddrPort) bool {
	if !t.where.Contains(from.Addr()) || from.Port() != t.port {
		return false
	}
	q := t.question
	kind := p.Opcode == q.Opcode
	switch q.Opcode {
	case nbns.Refresh, nbns.MultiHomed:
		kind = kind || p.Opcode == nbns.Registration
	}
	if p.Opcode == nbns.WACK {
		kind = true
	}
	rr := p.Answer
	if rr.Type == 0 {
		rr = p.Authority // a redirect
	}
	if q.Question.Type == nbns.TypeNBSTAT {
		// The wildcard stands for any name of the node.
		return kind && p.Answer.Type == nbns.TypeNBSTAT
	}
	return kind && rr.Name == q.Question.Name && rr.Scope == q.Question.Scope
}

// responded takes a response to whoever waits for it.
func (n *Node) responded(p nbns.Packet, from netip.AddrPort) {
	t := n.transactions.find(p.ID)
	switch {
	case t != nil && t.isAnswer(p, from):
		for _, rr := range []*nbns.Resource{&p.Answer, &p.Authority, &p.Additional} {
			rr.Data = bytes.Clone(rr.Data) // the receiver's buffer is used again
		}
		select {
		case t.answers <- answer{p, from}:
		default: // a flood of answers is cut
			n.counters.stray.Add(1)
		}
	case p.Opcode == nbns.Registration && p.RCode == nbns.NameInConflict:
		n.demanded(p, from)
	case t != nil:
		n.counters.forged.Add(1)
	default:
		n.counters.stray.Add(1)
	}
}

// next waits for the next answer, for as long as d; false says that there was
// none.
func (t *transaction) next(ctx context.Context, d time.Duration) (answer, bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case a := <-t.answers:
		return a, true
	case <-timer.C:
	case <-ctx.Done():
	}
	return answer{}, false
}

// Ask sends a request to one host, as often as RFC 1002 has it for requests that
// are not broadcast, and returns the response. It chooses the id. A host that
// asks to wait (WACK) gets the time that it asks for, within bounds.
func (n *Node) Ask(ctx context.Context, request nbns.Packet, to netip.AddrPort) (nbns.Packet, error) {
	return n.ask(ctx, request, to, n.cfg.Timers.ServerCount, n.cfg.Timers.Server)
}

func (n *Node) ask(ctx context.Context, request nbns.Packet, to netip.AddrPort, count int, every time.Duration) (nbns.Packet, error) {
	t, err := n.transactions.open(request, netip.PrefixFrom(to.Addr(), to.Addr().BitLen()), to.Port())
	if err != nil {
		return nbns.Packet{}, err
	}
	defer n.transactions.close(t)
	patience := time.Now().Add(maxWait)
	for range count {
		n.Send(t.question, to)
		wait := every
		for deadline := time.Now().Add(wait); ; {
			a, ok := t.next(ctx, time.Until(deadline))
			if err := ctx.Err(); err != nil {
				return nbns.Packet{}, err
			}
			if !ok {
				break
			}
			if a.Opcode != nbns.WACK {
				return a.Packet, nil
			}
			if deadline = time.Now().Add(time.Duration(a.Answer.TTL) * time.Second); deadline.After(patience) {
				deadline = patience
			}
		}
	}
	return nbns.Packet{}, errSilent
}
