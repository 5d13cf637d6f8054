//go:build unix

package cli

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// dates matches a date as the service writes it.
var dates = regexp.MustCompile(`\d+/\d+/\d{4} \d+:\d\d:\d\d [AP]M`)

// TestSendToNobody: the texts of Windows, what went wrong here, and failure.
func TestSendToNobody(t *testing.T) {
	s := newStation(t) // nobody listens
	got := s.run("net", "send", "--config", s.conf, "HOST1", "Hello")
	detail := fmt.Sprintf("127.0.0.1 refuses TCP port %d: neither a Messenger Service nor Samba listens there; nor is there an RPC endpoint mapper (UDP port %[1]d)", s.port)
	want := result{code: 1, err: `An error occurred while sending a message to HOST1.

The message alias could not be found on the network.

More help is available by typing NET HELPMSG 2273.

messngr: ` + detail + "\n"}
	if got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}

	got = s.run("net", "send", "--config", s.conf, "--json", "HOST1", "Hello")
	if got.code != 1 || got.err != "" {
		t.Errorf("--json: %+v", got)
	}
	d := decode(t, got.out)[0]
	for key, want := range map[string]any{
		"to": "HOST1", "state": "failed", "transport": "smb", "address": fmt.Sprintf("127.0.0.1:%d", s.port), "called": "HOST1<03>",
		"found_by": "lmhosts", "code_page": 850., "lost": 0., "nerr": 2273.,
		"nerr_text": "The message alias could not be found on the network.", "error": detail,
	} {
		if d[key] != want {
			t.Errorf("--json: %s is %v, want %v", key, d[key], want)
		}
	}
}

// TestSendRefuses: what cannot be sent is refused before anything is sent, with
// the count, and is never cut.
func TestSendRefuses(t *testing.T) {
	s := newStation(t)
	serve := s.serve()
	for _, tt := range []struct {
		args []string
		text string
		want string
	}{
		{[]string{"HOST1"}, strings.Repeat("x", 4096), "the text has 4096 bytes in code page 850, at most 4095 can be sent: nothing was sent"},
		{[]string{"--code-page", "932", "HOST1"}, strings.Repeat("あ", 2048), "the text has 4096 bytes in code page 932, at most 4095 can be sent: nothing was sent"},
		{[]string{"--single-block", "HOST1"}, strings.Repeat("x", 129), "the text has 129 bytes, a single block carries 128: leave --single-block out; nothing was sent"},
		{[]string{"A-VERY-LONG-NAME"}, "x", `invalid NetBIOS name "A-VERY-LONG-NAME": 16 bytes, at most 15 fit`},
		{[]string{"--from", "A-VERY-LONG-NAME", "HOST1"}, "x", `sender's name: invalid NetBIOS name "A-VERY-LONG-NAME": 16 bytes, at most 15 fit`},
	} {
		cmd := s.command(append([]string{"net", "send", "--config", s.conf}, tt.args...)...)
		cmd.Stdin = strings.NewReader(tt.text)
		got := run(t, cmd)
		to := tt.args[len(tt.args)-1]
		if want := (result{err: "An error occurred while sending a message to " + to + ".\n\nmessngr: " + tt.want + "\n", code: 1}); got != want {
			t.Errorf("%q:\n got %+v\nwant %+v", tt.args, got, want)
		}
	}
	cmd := s.command("net", "send", "--config", s.conf, "HOST1")
	cmd.Stdin = strings.NewReader(strings.Repeat("x", maxInput+1))
	if got, want := run(t, cmd), (result{err: "messngr: the standard input has more than 1048576 bytes: no message is so long; nothing was sent\n", code: 1}); got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if got := s.run("inbox"); got != (result{}) {
		t.Errorf("something came all the same: %+v", got)
	}
	if serve.out.String() != "" {
		t.Errorf("something was shown:\n%s", serve.out.String())
	}
}

// TestSend: what is accepted arrives as it was, from arguments and from the
// standard input, in one block and in several.
func TestSend(t *testing.T) {
	s := newStation(t)
	s.serve()
	sent := result{out: "The message was successfully sent to HOST1.\n"}
	for _, tt := range []struct {
		name, stdin string
		args        []string
		want        result
		text        string // as it arrives
	}{
		{"words", "", []string{"HOST1", "two", "words"}, sent, "two words"},
		{"dashes", "", []string{"HOST1", "--json", "-h"}, sent, "--json -h"},
		{"two dashes", "", []string{"--", "HOST1", "--", "x"}, sent, "-- x"},
		{"an empty text", "", []string{"HOST1", ""}, sent, ""},
		{"an empty input", "", []string{"HOST1"}, sent, ""},
		{"lines", "one\r\ntwo\n\nthree\n", []string{"HOST1"}, sent, "one\ntwo\n\nthree"},
		{"no line end", "one", []string{"HOST1"}, sent, "one"},
		{"the longest", strings.Repeat("x", 4095), []string{"HOST1"}, sent, strings.Repeat("x", 4095)},
		{"one block", strings.Repeat("x", 128), []string{"--single-block", "HOST1"}, sent, strings.Repeat("x", 128)},
		{"letters", "", []string{"HOST1", "café fermé: 5 £"}, sent, "café fermé: 5 £"},
		{
			"letters that there are not", "", []string{"HOST1", "5 €, ☃"},
			result{out: sent.out, err: "messngr: 2 characters sent as \"?\": not in code page 850\n"}, "5 ?, ?",
		},
		{"an address", "", []string{"127.0.0.1", "x"}, result{out: "The message was successfully sent to 127.0.0.1.\n"}, "x"},
	} {
		cmd := s.command(append([]string{"net", "send", "--config", s.conf}, tt.args...)...)
		cmd.Stdin = strings.NewReader(tt.stdin)
		if got := run(t, cmd); got != tt.want {
			t.Errorf("%s:\n got %+v\nwant %+v", tt.name, got, tt.want)
		}
		last := decode(t, s.run("inbox", "--json", "--last", "1").out)
		if len(last) != 1 || last[0]["text"] != tt.text {
			t.Errorf("%s: %v arrived, want %q", tt.name, last, tt.text)
		}
	}
	var d struct {
		State, Address, Called, At string
		FoundBy                    string `json:"found_by"`
		NERR                       int
	}
	got := s.run("net", "send", "--config", s.conf, "--json", "HOST1", "x")
	if err := json.Unmarshal([]byte(got.out), &d); err != nil || got.code != 0 || got.err != "" {
		t.Errorf("--json: %v, %+v", err, got)
	}
	if d.State != "accepted" || d.Called != "HOST1<03>" || d.FoundBy != "lmhosts" || d.NERR != 0 || d.At == "" || d.Address != fmt.Sprintf("127.0.0.1:%d", s.port) {
		t.Errorf("--json: %+v", d)
	}
}
