package sender

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/netbios/nbss"
	"github.com/messngr/messngr/smb"
)

// Every byte of a message, against a recipient with a group, as [MS-MSRP]
// 2.2.3 has it: a header of zeros but for the command, 0x14 for line ends.
func TestBytes(t *testing.T) {
	r := newRecipient(t, nil)
	before := time.Now()
	d := newSender(t, r, nil).Send(t.Context(), Draft{"alice", "host2", "one\nté"})
	wantAccepted(t, d)
	want := []string{
		"81000044" +
			"20" + "45494550464446454443" + strings.Repeat("4341", 10) + "4144" + "00" + // HOST2<03>
			"20" + "454e46" + "4a4549455046444645" + strings.Repeat("4341", 9) + "4144" + "00", // MYHOST<03>
		"00000031 ff534d42 d5" + strings.Repeat("00", 27) + "00 0e00 04414c49434500 04484f53543200",
		"0000002e ff534d42 d7" + strings.Repeat("00", 27) + "01 0700 0900 010600 6f6e65147482",
		"00000025 ff534d42 d6" + strings.Repeat("00", 27) + "01 0700 0000",
	}
	packets := r.take()
	if len(packets) != len(want) {
		t.Fatalf("%d packets, want %d", len(packets), len(want))
	}
	for i, b := range packets {
		if got, want := hex.EncodeToString(b), strings.ReplaceAll(want[i], " ", ""); got != want {
			t.Errorf("packet %d:\n got %s\nwant %s", i, got, want)
		}
	}
	if d.At.Before(before) || d.At.After(time.Now()) {
		t.Errorf("at %v", d.At)
	}
	d.At = time.Time{}
	if diff := cmp.Diff(messngr.Delivery{
		To: "host2", State: messngr.Accepted, Transport: messngr.SMB, Addr: r.addr(),
		Called: "HOST2<03>", FoundBy: "lmhosts", CodePage: 850,
	}, d, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
}

// The group of the response to the start comes back in every block and in the
// end.
func TestGroupComesBack(t *testing.T) {
	for _, group := range []uint16{1, 0x0100, 0xFFFF, 0} {
		r := newRecipient(t, func(s *session, p nbss.Packet) {
			s.start.GroupID = group
			s.yes(p)
		})
		wantAccepted(t, newSender(t, r, nil).Send(t.Context(), Draft{"ALICE", "HOST2", strings.Repeat("x", 129)}))
		r.expect(t, "call HOST2<03> from MYHOST<03>", "start ALICE to HOST2",
			fmt.Sprintf("text %d: %q", group, strings.Repeat("x", 128)), fmt.Sprintf("text %d: %q", group, "x"),
			fmt.Sprintf("end %d", group))
	}
}

// smbd gives no group, and it hands 0x14 on as it is: it gets group 0 and CR LF.
func samba(s *session, p nbss.Packet) {
	s.start.NoGroupID = true
	s.yes(p)
}

func TestLineEnds(t *testing.T) {
	const text = "one\r\ntwo\n\nthree\n"
	for name, tt := range map[string]struct {
		answer func(*session, nbss.Packet)
		want   []string
	}{
		"Windows": {nil, []string{`text 7: "one\x14two\x14\x14three\x14"`, "end 7"}},
		"Samba":   {samba, []string{`text 0: "one\r\ntwo\r\n\r\nthree\r\n"`, "end 0"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRecipient(t, tt.answer)
			wantAccepted(t, newSender(t, r, nil).Send(t.Context(), Draft{"ALICE", "HOST2", text}))
			r.expect(t, append([]string{"call HOST2<03> from MYHOST<03>", "start ALICE to HOST2"}, tt.want...)...)
		})
	}
}

// [MS-MSRP] 3.2.4.4: all blocks but the last have exactly 128 bytes.
func TestBlockSizes(t *testing.T) {
	for _, n := range []int{0, 1, 127, 128, 129, 256, 257, 4095} {
		for name, answer := range map[string]func(*session, nbss.Packet){"Windows": nil, "Samba": samba} {
			t.Run(fmt.Sprint(name, " ", n), func(t *testing.T) {
				r := newRecipient(t, answer)
				text := strings.Repeat("x", n)
				if n > 200 {
					text = text[:100] + "\n" + text[101:] // one byte more for Samba
				}
				wantAccepted(t, newSender(t, r, nil).Send(t.Context(), Draft{"ALICE", "HOST2", text}))
				var whole string
				var sizes []int
				packets := r.take()
				for _, b := range packets[2 : len(packets)-1] {
					_, body, _ := smb.ParseHeader(b[nbss.HeaderSize:])
					m, err := smb.ParseText(body)
					if err != nil {
						t.Fatal(err)
					}
					whole += string(m.Text)
					sizes = append(sizes, len(m.Text))
				}
				lineEnd := "\x14"
				if name == "Samba" {
					lineEnd = "\r\n"
				}
				if want := strings.ReplaceAll(text, "\n", lineEnd); whole != want {
					t.Errorf("got %q\nwant %q", whole, want)
				}
				for i, size := range sizes {
					if last := i == len(sizes)-1; size == 0 || size > 128 || !last && size != 128 {
						t.Errorf("blocks of %v bytes", sizes)
						break
					}
				}
			})
		}
	}
}

// [MS-MSRP] 3.2.4.4: the next block is sent after the response to the last.
func TestWaitsForEachResponse(t *testing.T) {
	r := newRecipient(t, func(s *session, p nbss.Packet) {
		s.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		if n, err := s.Read(make([]byte, 1)); s.in.Buffered() != 0 || n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("more came before the response to %v: %v", commandOf(p), err)
		}
		s.SetReadDeadline(time.Time{})
		s.yes(p)
	})
	wantAccepted(t, newSender(t, r, nil).Send(t.Context(), Draft{"ALICE", "HOST2", strings.Repeat("x", 300)}))
	if n := len(r.take()); n != 6 {
		t.Errorf("%d packets", n)
	}
}

// Keepalives may come at any time.
func TestKeepAlives(t *testing.T) {
	r := newRecipient(t, func(s *session, p nbss.Packet) {
		for range 3 {
			s.packet(nbss.KeepAlive, nil)
		}
		s.yes(p)
	})
	wantAccepted(t, newSender(t, r, nil).Send(t.Context(), Draft{"ALICE", "HOST2", "hello"}))
}

// A response may come in pieces.
func TestSlowResponses(t *testing.T) {
	r := newRecipient(t, func(s *session, p nbss.Packet) {
		slow := *s
		slow.Conn = drip{s.Conn}
		slow.yes(p)
	})
	wantAccepted(t, newSender(t, r, nil).Send(t.Context(), Draft{"ALICE", "HOST2", "hello"}))
}

// --single-block: the whole message in SMB_COM_SEND_MESSAGE, up to 128 bytes.
func TestSingleBlock(t *testing.T) {
	r := newRecipient(t, nil)
	s := newSender(t, r, func(c *Config) { c.SingleBlock = true })
	for _, text := range []string{"", "one\ntwo", strings.Repeat("x", 128)} {
		wantAccepted(t, s.Send(t.Context(), Draft{"ALICE", "HOST2", text}))
		r.expect(t, "call HOST2<03> from MYHOST<03>", fmt.Sprintf("single ALICE to HOST2: %q", strings.ReplaceAll(text, "\n", "\x14")))
	}
	calls := r.calls(t)
	wantFailure(t, s.Send(t.Context(), Draft{"ALICE", "HOST2", strings.Repeat("x", 129)}), 0, "129", "128", "nothing was sent")
	if r.calls(t) != calls {
		t.Error("it was called with a text that it cannot be sent")
	}
}

// One Sender serves many at once.
func TestConcurrentSends(t *testing.T) {
	r := newRecipient(t, nil)
	s := newSender(t, r, nil)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() { wantAccepted(t, s.Send(t.Context(), Draft{"ALICE", "HOST2", fmt.Sprint("message ", i)})) })
	}
	wg.Wait()
	if n := len(r.take()); n != 4*20 {
		t.Errorf("%d packets", n)
	}
}
