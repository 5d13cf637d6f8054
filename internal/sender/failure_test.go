package sender

import (
	"context"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/internal/resolver"
	"github.com/messngr/messngr/netbios/nbss"
	"github.com/messngr/messngr/smb"
)

// What a recipient refuses, whenever it does, and in both forms of an error.
func TestRefusals(t *testing.T) {
	for _, tt := range []struct {
		err  smb.Error
		nerr messngr.NERR
		says []string
	}{
		{smb.ErrPaused, messngr.NERRPausedRemote, []string{"ERRSRV/81", "paused"}},
		{smb.ErrMessagesOff, messngr.NERRBadReceive, []string{"ERRSRV/82", "message command"}},
		{smb.ErrNotAccepted, messngr.NERRBadReceive, []string{"ERRDOS/71", "message command"}},
		{smb.ErrNoRoom, messngr.NERRBadReceive, []string{"ERRSRV/83", "no room"}},
		{smb.ErrBadCommand, messngr.NERRBadReceive, []string{"ERRSRV/22"}},
		{smb.ErrAccess, messngr.NERRBadReceive, []string{"ERRSRV/4", "access"}},
		{smb.ErrInvalidParameter, messngr.NERRBadReceive, []string{"ERRDOS/87"}},
		{smb.Error{Class: 3, Code: 31}, messngr.NERRBadReceive, []string{"0x03/31"}},
	} {
		for i, step := range append(steps[1:], smb.SendMessage) {
			for form, flags2 := range map[string]smb.Flags2{"DOS": 0, "NT": smb.NTStatus} {
				t.Run(tt.err.Error()+" "+form+" "+step.String(), func(t *testing.T) {
					r := newRecipient(t, at(step, func(s *session, p nbss.Packet) {
						h := smb.Header{Command: step, Flags2: flags2}.Response(tt.err)
						b, _ := h.AppendBinary(nil)
						s.packet(nbss.SessionMessage, smb.AppendEmpty(b))
					}))
					s := newSender(t, r, func(c *Config) { c.SingleBlock = step == smb.SendMessage })
					d := s.Send(t.Context(), Draft{"ALICE", "HOST2", "hello"})
					wantFailure(t, d, tt.nerr, append(tt.says, step.String())...)
					// Nothing is said after it.
					if got, want := len(r.take()), i+2; got != want && step != smb.SendMessage {
						t.Errorf("%d packets, want %d", got, want)
					}
				})
			}
		}
	}
}

// A 32-bit status that has no other form.
func TestUnknownStatus(t *testing.T) {
	r := newRecipient(t, at(smb.SendEndMessage, func(s *session, p nbss.Packet) {
		b, _ := smb.Header{Command: smb.SendEndMessage, Flags: smb.Reply, Flags2: smb.NTStatus, Status: 0xC0000001}.AppendBinary(nil)
		s.packet(nbss.SessionMessage, smb.AppendEmpty(b))
	}))
	wantFailure(t, newSender(t, r, nil).Send(t.Context(), Draft{"ALICE", "HOST2", "hello"}), messngr.NERRBadReceive, "0xC0000001")
}

// A recipient that closes, at any step, orderly or with a reset.
func TestRecipientCloses(t *testing.T) {
	for _, step := range steps {
		for how, linger := range map[string]int{"orderly": -1, "reset": 0} {
			t.Run(stepName(step)+" "+how, func(t *testing.T) {
				r := newRecipient(t, at(step, func(s *session, p nbss.Packet) {
					s.Conn.(*net.TCPConn).SetLinger(linger)
					s.Close()
				}))
				d := newSender(t, r, nil).Send(t.Context(), Draft{"ALICE", "HOST2", "hello"})
				remedy := "min protocol"
				if step == steps[0] {
					remedy = "[guard] networks"
				}
				wantFailure(t, d, messngr.NERRBadReceive, "closed the connection on "+stepName(step))
				wantFailure(t, d, messngr.NERRBadReceive, remedy)
			})
		}
	}
}

// A recipient that closes in the middle of a response.
func TestHalfAResponse(t *testing.T) {
	r := newRecipient(t, at(smb.SendEndMessage, func(s *session, p nbss.Packet) {
		s.Write([]byte("\x00\x00\x00\x23\xffSMB\xd6"))
		s.Close()
	}))
	wantFailure(t, newSender(t, r, nil).Send(t.Context(), Draft{"ALICE", "HOST2", "hello"}), messngr.NERRBadReceive, "closed the connection on "+smb.SendEndMessage.String())
}

// A recipient that stays silent has Timeout for each step.
func TestRecipientIsSilent(t *testing.T) {
	const timeout = 50 * time.Millisecond
	for _, step := range steps[:3] {
		t.Run(stepName(step), func(t *testing.T) {
			t.Parallel()
			r := newRecipient(t, at(step, func(*session, nbss.Packet) {}))
			start := time.Now()
			d := newSender(t, r, func(c *Config) { c.Timeout = timeout }).Send(t.Context(), Draft{"ALICE", "HOST2", "hello"})
			wantFailure(t, d, messngr.NERRBadReceive, "did not answer "+stepName(step)+" in time")
			if took := time.Since(start); took < timeout || took > 100*timeout {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// Keepalives are no answer, however many come.
func TestNothingButKeepAlives(t *testing.T) {
	r := newRecipient(t, at(smb.SendStartMessage, func(s *session, _ nbss.Packet) {
		for err := error(nil); err == nil; time.Sleep(time.Millisecond) {
			_, err = s.Write([]byte{byte(nbss.KeepAlive), 0, 0, 0})
		}
	}))
	d := newSender(t, r, func(c *Config) { c.Timeout = 50 * time.Millisecond }).Send(t.Context(), Draft{"ALICE", "HOST2", "hello"})
	wantFailure(t, d, messngr.NERRBadReceive, "in time")
}

// The end of a message, and a single block, may take half a minute: smbd
// answers when its message command has returned.
func TestSilentAtTheEnd(t *testing.T) {
	for name, tt := range map[string]struct {
		send    func(context.Context, *call, encoded) error
		step    smb.Command
		timeout time.Duration
		want    time.Duration
	}{
		"end":               {sendBlocks, smb.SendEndMessage, 10 * time.Second, 30 * time.Second},
		"single block":      {sendSingleBlock, smb.SendMessage, 10 * time.Second, 30 * time.Second},
		"end, long timeout": {sendBlocks, smb.SendEndMessage, time.Minute, time.Minute},
		"text":              {sendBlocks, smb.SendTextMessage, 10 * time.Second, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			for _, answers := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					near, far := net.Pipe()
					done := make(chan struct{})
					defer func() {
						near.Close()
						<-done
					}()
					go func() {
						defer close(done)
						defer far.Close()
						s := &session{Conn: far, in: nbss.NewReader(far, nbss.MaxLength)}
						for {
							p, err := s.in.Next()
							if err != nil {
								return
							}
							if commandOf(p) == tt.step {
								time.Sleep(tt.want - time.Second)
								if !answers {
									time.Sleep(2 * time.Second)
								}
							}
							s.yes(p)
						}
					}()
					c := newCall(t.Context(), near, tt.timeout)
					start := time.Now()
					err := tt.send(t.Context(), c, encoded{from: []byte("ALICE"), to: []byte("HOST2"), text: []byte("hello")})
					want := tt.want
					if answers {
						want -= time.Second
					}
					if took := time.Since(start); took != want || (err == nil) != answers {
						t.Errorf("after %v: %v; want %v", took, err, want)
					}
				})
			}
		})
	}
}

func sendBlocks(ctx context.Context, c *call, m encoded) error      { return c.sendBlocks(ctx, m) }
func sendSingleBlock(ctx context.Context, c *call, m encoded) error { return c.sendSingleBlock(ctx, m) }

// What is no answer to the command is an error of the network; the message is
// not taken for delivered.
func TestBadResponses(t *testing.T) {
	header := func(c smb.Command, flags smb.Flags) []byte {
		b, _ := smb.Header{Command: c, Flags: flags}.AppendBinary(nil)
		return b
	}
	for _, step := range steps[1:] {
		for name, answer := range map[string]func(*session){
			"another command":     func(s *session) { s.packet(nbss.SessionMessage, append(header(0x72, smb.Reply), 0, 0, 0)) },
			"no reply":            func(s *session) { s.packet(nbss.SessionMessage, append(header(step, 0), 0, 0, 0)) },
			"half a header":       func(s *session) { s.packet(nbss.SessionMessage, header(step, smb.Reply)[:31]) },
			"an empty message":    func(s *session) { s.packet(nbss.SessionMessage, nil) },
			"SMB2":                func(s *session) { s.packet(nbss.SessionMessage, []byte("\xfeSMB"+strings.Repeat("\x00", 60))) },
			"a session response":  func(s *session) { s.packet(nbss.PositiveResponse, nil) },
			"a negative response": func(s *session) { s.Write(nbss.AppendNegative(nil, nbss.Unspecified)) },
			"garbage":             func(s *session) { s.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")) },
			"more than is read":   func(s *session) { s.packet(nbss.SessionMessage, make([]byte, 5000)) },
		} {
			t.Run(step.String()+" "+name, func(t *testing.T) {
				r := newRecipient(t, at(step, func(s *session, _ nbss.Packet) { answer(s) }))
				d := newSender(t, r, nil).Send(t.Context(), Draft{"ALICE", "HOST2", "hello"})
				wantFailure(t, d, messngr.NERRNetworkError, step.String())
			})
		}
	}
	for name, body := range map[string]string{
		"no body": "", "half a group": "\x01\x07", "no ByteCount": "\x01\x07\x00", "a ByteCount past the end": "\x00\x01\x00",
	} {
		t.Run("response to a start with "+name, func(t *testing.T) {
			r := newRecipient(t, at(smb.SendStartMessage, func(s *session, _ nbss.Packet) {
				s.packet(nbss.SessionMessage, append(header(smb.SendStartMessage, smb.Reply), body...))
			}))
			wantFailure(t, newSender(t, r, nil).Send(t.Context(), Draft{"ALICE", "HOST2", "hello"}), messngr.NERRNetworkError)
		})
	}
}

// Whoever waits may give up, whatever the recipient does just then.
func TestInterrupted(t *testing.T) {
	for _, step := range steps {
		t.Run(stepName(step), func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			r := newRecipient(t, at(step, func(*session, nbss.Packet) { cancel() }))
			start := time.Now()
			d := newSender(t, r, func(c *Config) { c.Timeout = time.Minute }).Send(ctx, Draft{"ALICE", "HOST2", "hello"})
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("it took %v", took)
			}
			if d.State != messngr.Failed || !strings.HasPrefix(d.Detail, "interrupted") {
				t.Errorf("%s: %s", d.State, d.Detail)
			}
		})
	}
}

// Before it has begun, too; then nobody is called.
func TestInterruptedBefore(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := newRecipient(t, nil)
	for _, to := range []string{"HOST2", "127.0.0.1"} {
		if d := newSender(t, r, nil).Send(ctx, Draft{"ALICE", to, "hello"}); d.State != messngr.Failed {
			t.Errorf("%s: %s", to, d.State)
		}
	}
	if n := r.calls(t); n != 0 {
		t.Errorf("%d calls", n)
	}
}

// Between two commands is the worst time: each sets a new deadline.
func TestInterruptedBetween(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		defer near.Close()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		c := newCall(ctx, near, time.Hour)
		start := time.Now()
		if err := c.sendBlocks(ctx, encoded{from: []byte("ALICE"), to: []byte("HOST2")}); err == nil || time.Since(start) > 0 {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}

// A message that has been taken is delivered, even if the sender gave up in
// the same moment.
func TestInterruptedTooLate(t *testing.T) {
	r := newRecipient(t, nil)
	s := newSender(t, r, nil)
	ctx, cancel := context.WithCancel(t.Context())
	var d messngr.Delivery
	m, err := s.encode(page(t, 850), Draft{"ALICE", "HOST2", "hello"})
	if err != nil {
		t.Fatal(err)
	}
	err = s.sendSMB(ctx, resolver.Found{Addr: r.addr().Addr(), Name: own("HOST2", 3, 0).Name, From: resolver.FromLMHosts}, m, &d)
	cancel()
	if err != nil {
		t.Error(err)
	}
}
