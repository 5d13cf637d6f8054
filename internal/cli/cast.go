package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/internal/config"
	"github.com/messngr/messngr/internal/display"
	"github.com/messngr/messngr/internal/sender"
)

// A target is whom the first word after `net send` names.
type target struct {
	to        string       // as it stands in the message
	workgroup string       // everybody in it; "" for one recipient
	users     bool         // every user who can be seen, each for himself
	said      messngr.NERR // when it was sent to everybody
}

// parseTarget reads the recipient: a name, *, /DOMAIN[:NAME], /USERS, or
// /BROADCAST as older systems have it.
func parseTarget(word string, cfg *config.Config) (target, error) {
	kind, name, hasName := strings.Cut(word, ":")
	switch {
	case word == "*" || strings.EqualFold(word, "/broadcast"):
		return target{to: "*", workgroup: cfg.Workgroup, said: messngr.MsgSentAll}, nil
	case strings.EqualFold(kind, "/domain"):
		if hasName && strings.TrimSpace(name) == "" {
			return target{}, usagef("%q: the name of the domain is missing", word)
		}
		if !hasName {
			name = cfg.Workgroup
		}
		name = strings.ToUpper(name)
		return target{to: name, workgroup: name, said: messngr.MsgSentDomain}, nil
	case strings.EqualFold(word, "/users"):
		return target{workgroup: cfg.Workgroup, users: true}, nil
	case strings.HasPrefix(word, "/"):
		return target{}, usagef("%q is neither /domain[:NAME] nor /users", word)
	case strings.HasPrefix(word, `\`) || strings.HasSuffix(word, "*"):
		return target{}, usagef("%q is no name: give a NAME, an ADDRESS, *, /domain[:NAME] or /users", word)
	}
	return target{to: word}, nil
}

// cast sends to everybody in a workgroup, and says who could be seen there.
func (p Process) cast(ctx context.Context, send *sender.Sender, o netSend, t target, from, text string) error {
	c, err := send.Cast(ctx, t.workgroup, sender.Draft{From: from, To: t.to, Text: text}, o.truncate)
	if err != nil && !o.json {
		say(p.Stderr, messngr.MsgSendFailed, t.to)
		return err
	}
	if o.json {
		if werr := writeCast(p.Stdout, t.to, c, err); werr != nil {
			return werr
		}
		if err != nil {
			return errSaid
		}
		return nil
	}
	say(p.Stdout, t.said, t.workgroup)
	fmt.Fprintf(p.Stderr, "messngr: %s\n", describeCast(c))
	for _, failure := range c.Failed {
		fmt.Fprintf(p.Stderr, "messngr: not sent on %s\n", failure)
	}
	if c.Cut > 0 {
		text, _ := messngr.NERRTruncated.Text()
		fmt.Fprintf(p.Stderr, "messngr: %s The last %d bytes were cut off.\n", text, c.Cut)
	}
	p.reportLost(c.Lost, c.CodePage)
	return nil
}

// describeCast says where a message went, and that nobody knows who has it.
func describeCast(c sender.Cast) string {
	var ways []string
	if len(c.Networks) > 0 {
		ways = append(ways, "broadcast on "+strings.Join(c.Networks, ", "))
	}
	if n := len(c.Members); n > 0 {
		ways = append(ways, fmt.Sprintf("sent to %s elsewhere that the name server knows", counted(n, "member")))
	}
	seen := fmt.Sprintf("no station of %s could be seen", c.Workgroup)
	if n := len(c.Stations); n > 0 {
		seen = fmt.Sprintf("%s of %s could be seen (%s)", counted(n, "station"), c.Workgroup, strings.Join(stationNames(c.Stations), ", "))
	}
	return fmt.Sprintf("%s; %s. Nothing answers such a message: who has it is not known.", strings.Join(ways, ", "), seen)
}

// counted returns such as "1 station" and "2 stations".
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// maxNamed is how many stations are named in a line.
const maxNamed = 8

func stationNames(stations []sender.Station) []string {
	var names []string
	for i, st := range stations {
		if i == maxNamed && len(stations) > maxNamed+1 {
			return append(names, fmt.Sprintf("and %d more", len(stations)-i))
		}
		if st.Name == "" {
			names = append(names, st.Addr.String())
			continue
		}
		names = append(names, display.SafeLine(st.Name)) // it says so itself
	}
	return names
}

// writeCast writes c as a JSON object.
func writeCast(w io.Writer, to string, c sender.Cast, err error) error {
	type station struct {
		Address string   `json:"address"`
		Name    string   `json:"name"`
		Users   []string `json:"users,omitempty"`
	}
	out := struct {
		To        string            `json:"to"`
		State     string            `json:"state"` // "sent" says nothing about anybody who has it
		Transport messngr.Transport `json:"transport"`
		Workgroup string            `json:"workgroup"`
		Networks  []string          `json:"networks"`
		Members   []string          `json:"members"`  // elsewhere, by the name server
		Failed    []string          `json:"failed"`   // where it could not be sent, and why
		Stations  []station         `json:"stations"` // that could be seen
		CodePage  int               `json:"code_page"`
		Lost      int               `json:"lost"` // characters sent as "?"
		Cut       int               `json:"cut"`  // bytes cut off
		Error     string            `json:"error,omitempty"`
		At        time.Time         `json:"at"`
	}{
		To: to, State: "sent", Transport: messngr.Mailslot, Workgroup: c.Workgroup,
		Networks: append([]string{}, c.Networks...), Members: []string{}, Failed: append([]string{}, c.Failed...), Stations: []station{},
		CodePage: c.CodePage, Lost: c.Lost, Cut: c.Cut, At: c.At,
	}
	for _, m := range c.Members {
		out.Members = append(out.Members, m.String())
	}
	for _, st := range c.Stations {
		to := station{Address: st.Addr.String(), Name: st.Name}
		for _, u := range st.Users {
			to.Users = append(to.Users, u.Name)
		}
		out.Stations = append(out.Stations, to)
	}
	if err != nil {
		out.State, out.Error = string(messngr.Failed), oneLine(err)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(out)
}

// toUsers sends to every user that can be seen on the networks of this host,
// each for himself, and reports on each.
func (p Process) toUsers(ctx context.Context, send *sender.Sender, o netSend, t target, from, text string) error {
	users, hosts, err := send.Users(ctx, t.workgroup)
	if err != nil {
		return err
	}
	if len(users) == 0 {
		say(p.Stderr, messngr.MsgSendFailed, "/users")
		return fmt.Errorf("no user could be seen: %s answered, and none has a user's name; nothing was sent", counted(hosts, "station"))
	}
	bad := 0
	send.SendToUsers(ctx, users, sender.Draft{From: from, Text: text}, func(del messngr.Delivery) {
		if del.State != messngr.Accepted {
			bad++
		}
		if !o.json {
			p.report(del)
		} else if werr := writeDelivery(p.Stdout, del); err == nil {
			err = werr
		}
	})
	if err == nil && bad > 0 {
		err = fmt.Errorf("%d of %d users did not get the message", bad, len(users))
	}
	return err
}
