package listener

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/smb"
)

// RFC 1002 5.2.1: a session request is answered before anything else is.
func TestSessionRequest(t *testing.T) {
	for _, tt := range []struct {
		comment string
		sent    []byte
		want    []byte
		ends    bool
		count   string
	}{
		{"our name", request("LEGACY", netbios.Messenger), positive, false, ""},
		{"a server of which only the address is known", request("*SMBSERVER", netbios.FileServer), positive, false, ""},
		{"another's name", request("OTHER", netbios.Messenger), negative, true, "refused_name"},
		{"our name of another service", request("LEGACY", netbios.FileServer), negative, true, "refused_name"},
		{"no encoded name", unhex("81000044" + strings.Repeat("41", 68)), negative, true, "malformed"},
		{"one name", unhex("81000022 204544454d454a4546454f4645434143414341434143414341434143414341414100"), negative, true, "malformed"},
		{"no trailer", unhex("81000000"), negative, true, "malformed"},
		{"a keepalive", keepAlive, nil, false, ""},
		{"a positive response", unhex("82000000"), nil, true, "malformed"},
		{"a negative response", unhex("8300000182"), nil, true, "malformed"},
		{"a retarget response", unhex("84000006 7f000001 008b"), nil, true, "malformed"},
		{"an unknown type", unhex("86000000"), nil, true, "malformed"},
		{"reserved flags", unhex("00020000"), nil, true, "malformed"},
	} {
		t.Run(tt.comment, func(t *testing.T) {
			r := listen(t, nil)
			c := r.call(t)
			want := map[string]int64{"connections": 1}
			if tt.count != "" {
				want[tt.count] = 1
			}
			c.send(tt.sent)
			c.expect(tt.want)
			if tt.ends {
				c.expectEnd()
			} else {
				c.deliver("hello")
				c.nc.Close()
				want["messages"] = 1
			}
			r.counted(t, want)
		})
	}
}

// A session begins once.
func TestSecondSessionRequest(t *testing.T) {
	r := listen(t, nil)
	c := r.call(t)
	c.send(request("LEGACY", netbios.Messenger))
	c.expect(positive)
	c.deliver("hello")
	c.send(request("LEGACY", netbios.Messenger))
	c.expectEnd()
	r.counted(t, map[string]int64{"connections": 1, "messages": 1, "malformed": 1})
}

// smbclient leaves the session request out when it is told to use a port other
// than 139; the message then has no names of a session.
func TestNoSessionRequest(t *testing.T) {
	r := listen(t, nil)
	r.call(t).deliver("hello")
	if m := r.message(t); m.Source.Called != "" || m.Source.Calling != "" {
		t.Errorf("called %q by %q", m.Source.Called, m.Source.Calling)
	}
}

// RFC 1002 5.2.2: a keepalive may come at any time, and nothing is said to it.
func TestKeepAlives(t *testing.T) {
	r := listen(t, nil)
	c := r.call(t)
	c.send(keepAlive, request("LEGACY", netbios.Messenger), keepAlive, keepAlive)
	c.expect(positive)
	c.send(keepAlive, begin("ALICE", "LEGACY"), keepAlive, block(1, "one "), keepAlive, block(1, "two"), keepAlive, end(1), keepAlive)
	c.expect(yes(1, 2)...)
	r.texts(t, "one two")
}

// A source that is not served gets nothing.
func TestSourceNotServed(t *testing.T) {
	r := listen(t, func(cfg *SMBConfig) {
		cfg.Check = func(a netip.Addr) error {
			if a != netip.MustParseAddr("127.0.0.1") {
				t.Errorf("asked about %v", a)
			}
			return errors.New("not today")
		}
	})
	r.call(t).expectEnd()
	r.counted(t, map[string]int64{"connections": 1, "refused_source": 1})
}

// An IPv4 address is one however the socket writes it.
func TestMappedSource(t *testing.T) {
	l := newPipes()
	r := serve(t, l, func(cfg *SMBConfig) {
		cfg.Check = func(a netip.Addr) error {
			if a != netip.MustParseAddr("10.77.0.1") {
				t.Errorf("asked about %v", a)
			}
			return nil
		}
	})
	c := l.call(t, "::ffff:10.77.0.1")
	c.send(single("ALICE", "LEGACY", "hello"))
	c.expect(answer(smb.SendMessage, success))
	if m := r.message(t); m.Source.Addr != netip.MustParseAddrPort("10.77.0.1:1024") {
		t.Errorf("source %v", m.Source.Addr)
	}
}
