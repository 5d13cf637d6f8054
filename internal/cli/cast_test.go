package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/internal/config"
	"github.com/messngr/messngr/internal/sender"
)

func TestParseTarget(t *testing.T) {
	cfg := &config.Config{Workgroup: "OFFICE"}
	for word, want := range map[string]target{
		"HOST2":       {to: "HOST2"},
		"10.77.0.2":   {to: "10.77.0.2"},
		"*":           {to: "*", workgroup: "OFFICE", said: messngr.MsgSentAll},
		"/BROADCAST":  {to: "*", workgroup: "OFFICE", said: messngr.MsgSentAll},
		"/domain":     {to: "OFFICE", workgroup: "OFFICE", said: messngr.MsgSentDomain},
		"/DOMAIN:lab": {to: "LAB", workgroup: "LAB", said: messngr.MsgSentDomain},
		"/domain:a:b": {to: "A:B", workgroup: "A:B", said: messngr.MsgSentDomain},
		"/users":      {workgroup: "OFFICE", users: true},
	} {
		if got, err := parseTarget(word, cfg); err != nil || got != want {
			t.Errorf("%s: %+v, %v, want %+v", word, got, err, want)
		}
	}
}

// casts are what can become of a message to a workgroup, and what is said of
// it: never that anybody has it.
var casts = map[string]struct {
	cast sender.Cast
	want string
}{
	"one network": {
		sender.Cast{Workgroup: "OFFICE", Networks: []string{"eth0 (10.77.0.255)"}, Stations: stations("HOST2", "HOST3")},
		"broadcast on eth0 (10.77.0.255); 2 stations of OFFICE could be seen (HOST2, HOST3)",
	},
	"nobody": {
		sender.Cast{Workgroup: "OFFICE", Networks: []string{"eth0 (10.77.0.255)", "eth1 (10.78.0.255)"}},
		"broadcast on eth0 (10.77.0.255), eth1 (10.78.0.255); no station of OFFICE could be seen",
	},
	"elsewhere": {
		sender.Cast{Workgroup: "OFFICE", Members: []netip.Addr{netip.MustParseAddr("10.9.0.1"), netip.MustParseAddr("10.9.0.2")}, Stations: stations("")},
		"sent to 2 members elsewhere that the name server knows; 1 station of OFFICE could be seen (10.77.0.9)",
	},
	"many": {
		sender.Cast{Workgroup: "OFFICE", Networks: []string{"eth0 (10.77.0.255)"}, Stations: stations(strings.Fields("A B C D E F G H I J")...)},
		"broadcast on eth0 (10.77.0.255); 10 stations of OFFICE could be seen (A, B, C, D, E, F, G, H, and 2 more)",
	},
	"one more than are named": {
		sender.Cast{Workgroup: "OFFICE", Networks: []string{"eth0 (10.77.0.255)"}, Stations: stations(strings.Fields("A B C D E F G H I")...)},
		"broadcast on eth0 (10.77.0.255); 9 stations of OFFICE could be seen (A, B, C, D, E, F, G, H, I)",
	},
	"a station that lies": {
		sender.Cast{Workgroup: "OFFICE", Networks: []string{"eth0 (10.77.0.255)"}, Stations: stations("\u202eEVE\u009b2J")},
		"broadcast on eth0 (10.77.0.255); 1 station of OFFICE could be seen (EVE�2J)",
	},
}

// stations returns stations with these names, at 10.77.0.9.
func stations(names ...string) []sender.Station {
	var all []sender.Station
	for _, name := range names {
		all = append(all, sender.Station{Addr: netip.MustParseAddr("10.77.0.9"), Name: name, Users: []sender.User{{Name: "ALICE"}}})
	}
	return all
}

func TestDescribeCast(t *testing.T) {
	for name, tt := range casts {
		want := tt.want + ". Nothing answers such a message: who has it is not known."
		if got := describeCast(tt.cast); got != want || strings.Contains(got, "delivered") {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
	}
}

// The JSON form has every field, with lists that are never null, and says
// "sent" or "failed" and nothing else.
func TestWriteCast(t *testing.T) {
	c := casts["one network"].cast
	c.CodePage, c.Lost, c.Cut, c.At = 850, 1, 2, time.Date(2026, 11, 23, 8, 40, 0, 0, time.UTC)
	c.Failed = []string{"eth1 (10.78.0.255): network is unreachable"}
	for _, tt := range []struct {
		cast sender.Cast
		err  error
		want string
	}{
		{c, nil, `{"to":"*","state":"sent","transport":"mailslot","workgroup":"OFFICE","networks":["eth0 (10.77.0.255)"],"members":[],` +
			`"failed":["eth1 (10.78.0.255): network is unreachable"],` +
			`"stations":[{"address":"10.77.0.9","name":"HOST2","users":["ALICE"]},{"address":"10.77.0.9","name":"HOST3","users":["ALICE"]}],` +
			`"code_page":850,"lost":1,"cut":2,"at":"2026-11-23T08:40:00Z"}`},
		{sender.Cast{Workgroup: "OFFICE", CodePage: 850, At: c.At}, errors.New("too\nlong"), `{"to":"*","state":"failed","transport":"mailslot","workgroup":"OFFICE","networks":[],"members":[],` +
			`"failed":[],"stations":[],"code_page":850,"lost":0,"cut":0,"error":"too; long","at":"2026-11-23T08:40:00Z"}`},
	} {
		var out bytes.Buffer
		if err := writeCast(&out, "*", tt.cast, tt.err); err != nil || !json.Valid(out.Bytes()) {
			t.Errorf("%v: %s", err, &out)
		}
		if diff := cmp.Diff(tt.want+"\n", out.String()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}
