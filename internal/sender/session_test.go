package sender

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/internal/resolver"
	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbns"
	"github.com/messngr/messngr/netbios/nbss"
)

// refuse answers a session request with a reason.
func refuse(code nbss.ErrorCode) func(*session, nbss.Packet) {
	return func(s *session, _ nbss.Packet) { s.Write(nbss.AppendNegative(nil, code)) }
}

// knows answers session requests as a host that has one name.
func knows(name netbios.Name) func(*session, nbss.Packet) {
	return at(0, func(s *session, p nbss.Packet) {
		if q, err := nbss.ParseRequest(p.Trailer); err != nil || q.Called != name {
			refuse(nbss.CalledNameNotPresent)(s, p)
			return
		}
		s.yes(p)
	})
}

// RFC 1002 4.3.4: what a negative response means to the sender.
func TestNegativeResponse(t *testing.T) {
	for code, nerr := range map[nbss.ErrorCode]messngr.NERR{
		nbss.NotListeningOnCalled:   messngr.NERRNameNotFound,
		nbss.NotListeningForCalling: messngr.NERRNameNotFound,
		nbss.CalledNameNotPresent:   messngr.NERRNameNotFound,
		nbss.InsufficientResources:  messngr.NERRBadReceive,
		nbss.Unspecified:            messngr.NERRNameNotFound,
		0x42:                        messngr.NERRNameNotFound,
	} {
		t.Run(code.Error(), func(t *testing.T) {
			r := newRecipient(t, refuse(code))
			d := newSender(t, r, nil).Send(t.Context(), Draft{"ALICE", "HOST2", "hello"})
			wantFailure(t, d, nerr, "127.0.0.1", "HOST2<03>", code.Error())
			// The name was found as such: no other is tried.
			r.expect(t, "call HOST2<03> from MYHOST<03>")
		})
	}
}

// An address is asked for the name of its messenger. Without an answer it is
// called by the name that stands for any server.
func TestCalledNameOfAddress(t *testing.T) {
	for name, tt := range map[string]struct {
		names  []nbns.NodeName
		called string
	}{
		"no status":    {nil, "*SMBSERVER<20>"},
		"no messenger": {[]nbns.NodeName{own("HOST2", 0x00, 0), own("HOST2", 0x20, 0)}, "*SMBSERVER<20>"},
		"a group's":    {[]nbns.NodeName{own("HOST2", 0x00, 0), own("ALL", 0x03, nbns.Group)}, "*SMBSERVER<20>"},
		"a messenger":  {[]nbns.NodeName{own("BOB", 0x03, 0), own("HOST2", 0x00, 0), own("HOST2", 0x03, 0)}, "HOST2<03>"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRecipient(t, nil)
			s := newSender(t, r, func(c *Config) { c.Resolver.Port = newNode(t, tt.names...) })
			d := s.Send(t.Context(), Draft{"ALICE", "127.0.0.1", "hello"})
			wantAccepted(t, d)
			if d.Called != tt.called || d.FoundBy != "address" || d.Addr != r.addr() {
				t.Errorf("called %s at %v, found by %s", d.Called, d.Addr, d.FoundBy)
			}
			r.expect(t, "call "+tt.called+" from MYHOST<03>", "start ALICE to 127.0.0.1", `text 7: "hello"`, "end 7")
		})
	}
}

// A host of the DNS may have any NetBIOS name: its own is tried, then what its
// node status says, then the name that stands for any server.
func TestCalledNameOfDNSHost(t *testing.T) {
	status := []nbns.NodeName{own("OTHER", 0x00, 0), own("OTHER", 0x03, 0)}
	for name, tt := range map[string]struct {
		answer func(*session, nbss.Packet)
		names  []nbns.NodeName
		calls  []string
		ok     bool
	}{
		"its own":                  {knows(own("HOST2", 0x03, 0).Name), status, []string{"HOST2<03>"}, true},
		"that of its status":       {knows(own("OTHER", 0x03, 0).Name), status, []string{"HOST2<03>", "OTHER<03>"}, true},
		"neither, with a status":   {refuse(nbss.CalledNameNotPresent), status, []string{"HOST2<03>", "OTHER<03>"}, false},
		"any":                      {knows(netbios.SMBServer), nil, []string{"HOST2<03>", "*SMBSERVER<20>"}, true},
		"none":                     {refuse(nbss.CalledNameNotPresent), nil, []string{"HOST2<03>", "*SMBSERVER<20>"}, false},
		"refused for other causes": {refuse(nbss.InsufficientResources), status, []string{"HOST2<03>"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRecipient(t, tt.answer)
			s := newSender(t, r, func(c *Config) { c.Resolver.Port = newNode(t, tt.names...) })
			m, err := s.encode(page(t, 850), Draft{"ALICE", "host2.example.com", ""})
			if err != nil {
				t.Fatal(err)
			}
			var d messngr.Delivery
			found := resolver.Found{Addr: r.addr().Addr(), Name: own("HOST2", 0x03, 0).Name, From: resolver.FromDNS}
			err = s.sendSMB(t.Context(), found, m, &d)
			if (err == nil) != tt.ok {
				t.Errorf("sent: %v", err)
			}
			var want []string
			for _, called := range tt.calls {
				want = append(want, "call "+called+" from MYHOST<03>")
			}
			if tt.ok {
				want = append(want, "start ALICE to HOST2.EXAMPLE.C", "end 7")
			}
			r.expect(t, want...)
			if last := tt.calls[len(tt.calls)-1]; d.Called != last {
				t.Errorf("called %s, want %s", d.Called, last)
			}
		})
	}
}

// RFC 1002 4.3.5: a recipient may send the session on to another address.
func TestRetarget(t *testing.T) {
	second := newRecipient(t, nil)
	first := newRecipient(t, retarget(second.addr()))
	d := newSender(t, first, nil).Send(t.Context(), Draft{"ALICE", "HOST2", "hello"})
	wantAccepted(t, d)
	first.expect(t, "call HOST2<03> from MYHOST<03>")
	second.expect(t, "call HOST2<03> from MYHOST<03>", "start ALICE to HOST2", `text 7: "hello"`, "end 7")
	if d.Addr != second.addr() {
		t.Errorf("delivered to %v, want %v", d.Addr, second.addr())
	}
}

func retarget(addr netip.AddrPort) func(*session, nbss.Packet) {
	return func(s *session, _ nbss.Packet) {
		b, err := nbss.Retarget{Addr: addr}.AppendBinary(nil)
		if err != nil {
			panic(err)
		}
		s.Write(b)
	}
}

// One that sends the session round and round is not followed for ever.
func TestRetargetRound(t *testing.T) {
	var r *recipient
	r = newRecipient(t, func(s *session, p nbss.Packet) { retarget(r.addr())(s, p) })
	d := newSender(t, r, nil).Send(t.Context(), Draft{"ALICE", "HOST2", "hello"})
	wantFailure(t, d, messngr.NERRNetworkError, "more than 3 times")
	if n := r.calls(t); n != 4 {
		t.Errorf("%d calls", n)
	}
}

func TestRetargetNowhere(t *testing.T) {
	closed := newRecipient(t, nil)
	closed.ln.Close()
	r := newRecipient(t, retarget(closed.addr()))
	d := newSender(t, r, nil).Send(t.Context(), Draft{"ALICE", "HOST2", "hello"})
	wantFailure(t, d, messngr.NERRNameNotFound, fmt.Sprint(closed.addr().Port()), "refuses")
}

// What is no lawful response to a session request is an error of the network.
func TestBadSessionResponse(t *testing.T) {
	for name, response := range map[string]string{
		"a retarget of 5 bytes":          "\x84\x00\x00\x05\x7f\x00\x00\x01\x8b",
		"a negative response of 2 bytes": "\x83\x00\x00\x02\x82\x82",
		"a session request":              "\x81\x00\x00\x00",
		"a message":                      "\x00\x00\x00\x00",
		"no packet":                      "HTTP/1.1 400 Bad Request\r\n\r\n",
		"a packet past the limit":        "\x82\x01\xff\xff",
	} {
		t.Run(name, func(t *testing.T) {
			r := newRecipient(t, func(s *session, _ nbss.Packet) { s.Write([]byte(response)) })
			wantFailure(t, newSender(t, r, nil).Send(t.Context(), Draft{"ALICE", "HOST2", "hello"}), messngr.NERRNetworkError)
			r.expect(t, "call HOST2<03> from MYHOST<03>")
		})
	}
}

// Nobody listens there.
func TestPortClosed(t *testing.T) {
	r := newRecipient(t, nil)
	s := newSender(t, r, nil)
	r.ln.Close()
	for _, to := range []string{"HOST2", "127.0.0.1"} {
		d := s.Send(t.Context(), Draft{"ALICE", to, "hello"})
		wantFailure(t, d, messngr.NERRNameNotFound, "127.0.0.1", fmt.Sprint(r.addr().Port()), "neither a Messenger Service nor Samba")
	}
}

// A name that nobody can have is only asked of the DNS, which has none such.
func TestNameNotFound(t *testing.T) {
	r := newRecipient(t, nil)
	d := newSender(t, r, nil).Send(t.Context(), Draft{"ALICE", "*NOBODY", "hello"})
	wantFailure(t, d, messngr.NERRNameNotFound, "*NOBODY", "not found")
	if d.Addr.IsValid() || d.Called != "" {
		t.Errorf("called %q at %v", d.Called, d.Addr)
	}
}

// The texts of failures keep their cause.
func TestFailureWraps(t *testing.T) {
	err := failed(messngr.NERRNameNotFound, "no: %w", nbss.CalledNameNotPresent)
	if !errors.Is(err, nbss.CalledNameNotPresent) || err.Error() != "no: called name not present" {
		t.Error(err)
	}
}
