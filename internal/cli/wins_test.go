//go:build linux

package cli

import (
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/messngr/messngr/netbios"
	"github.com/messngr/messngr/netbios/nbns"
)

// register registers a name at the name server at addr, for two addresses.
func register(t *testing.T, addr string, name netbios.Name, scope netbios.Scope) {
	t.Helper()
	conn, err := net.Dial("udp4", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	claim, err := nbns.MultiHomedRegistration(1, name, scope, 3600, []byte{0x60, 0, 10, 77, 0, 5, 0x60, 0, 10, 77, 1, 5}).AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := conn.Write(claim); err != nil {
		t.Fatal(err)
	}
	reply := make([]byte, 1024)
	n, err := conn.Read(reply)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := nbns.Parse(reply[:n]); err != nil || p.RCode != nbns.Success {
		t.Fatalf("%+v, %v", p, err)
	}
}

// TestWINS: the names of the name server, as lines and as objects.
func TestWINS(t *testing.T) {
	s := newStation(t)
	addr := s.withNames()
	static := s.data + "/static"
	writeFile(t, static, "10.77.0.8 PRINTER#20\n")
	conf, err := os.ReadFile(s.conf)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, s.conf, strings.Replace(string(conf), "[wins]\nserve = true\n", "[wins]\nserve = true\nstatic = '"+static+"'\n", 1))
	s.serve()
	register(t, addr, name(t, "CLIENT<03>"), "")
	register(t, addr, netbios.Name([]byte("M\x9aLLER\x01\x1b[2J    \x00")), "\x03abc")

	got := s.run("wins")
	const date = `\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`
	want := regexp.MustCompile(`^NAME                 KIND            STATE     GOOD UNTIL           ADDRESSES
CLIENT<03>           multi-homed     active    ` + date + `  10\.77\.0\.5 10\.77\.1\.5
MÜLLER[^\x00-\x1f]+2J<00>\.abc +multi-homed     active    ` + date + `  10\.77\.0\.5 10\.77\.1\.5
PRINTER<20>          unique          static    for ever             10\.77\.0\.8
$`)
	if got.code != 0 || got.err != "" || !want.MatchString(got.out) {
		t.Errorf("%+v\nwant %v", got, want)
	}
	got = s.run("wins", "--json")
	objects := decode(t, got.out)
	if got.code != 0 || len(objects) != 3 || objects[0]["name"] != "CLIENT<03>" || objects[0]["source"] != "127.0.0.1" || objects[2]["static"] != true {
		t.Errorf("%+v", got)
	}
}

// TestWINSEmpty: what there is to say when there is nothing to list.
func TestWINSEmpty(t *testing.T) {
	s := newStation(t)
	serve := s.serve()
	if got := s.run("wins"); got.code != 1 || got.out != "" || !strings.HasPrefix(got.err, "messngr: this station is no name server: serve = true ") {
		t.Errorf("no name server: %+v", got)
	}
	serve.interrupt(t)
	if got, want := s.run("wins"), noService(s.data); got != want {
		t.Errorf("no service: %+v, want %+v", got, want)
	}
	s.withNames()
	s.serve()
	if got := s.run("wins"); got != (result{err: "messngr: no host has registered a name yet\n"}) {
		t.Errorf("no names: %+v", got)
	}
	if got := s.run("wins", "--json"); got != (result{}) {
		t.Errorf("no names: %+v", got)
	}
}
