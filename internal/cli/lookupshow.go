package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"text/tabwriter"

	"github.com/messngr/messngr/internal/display"
	"github.com/messngr/messngr/internal/resolver"
)

// text returns the bytes of a name as text for this terminal. A control
// character, which names of services have, is a dot, as nbtstat shows it.
func (l *lookup) text(base string, found resolver.Found) string {
	b := []byte(base)
	for i, c := range b {
		if c < ' ' || c == 0x7F {
			b[i] = '.'
		}
	}
	page := l.cfg.SendPage(found.Addr, found.Name.Base())
	return l.clean(page.DecodeName(b))
}

// clean returns of s what may reach the standard output as one line. In an
// object everything is escaped that must be.
func (l *lookup) clean(s string) string {
	if l.json {
		return s
	}
	if s = display.SafeLine(s); l.ascii {
		s = display.ASCII(s)
	}
	return s
}

// writeFound shows where a name is: a line for each address.
func (l *lookup) writeFound(text string, found resolver.Found) error {
	name := l.text(found.Name.Base(), found)
	service := ""
	unnamed := found.Name == [16]byte{}
	switch {
	case unnamed:
		name = l.clean(text)
	default:
		service = found.Name.Service(found.Group)
	}
	if l.json {
		out := struct {
			nameJSON
			Address   string   `json:"address"`
			Addresses []string `json:"addresses"`
			FoundBy   string   `json:"found_by"`
			Source    string   `json:"source"`
		}{nameJSON{Name: name, Suffix: suffix(found.Name.Suffix()), Group: found.Group, Service: service}, found.Addr.String(), nil, found.From, found.Source()}
		for _, a := range found.Addrs {
			out.Addresses = append(out.Addresses, a.String())
		}
		return l.writeJSON(out)
	}
	if !unnamed {
		name += "<" + suffix(found.Name.Suffix()) + ">"
	}
	for _, addr := range found.Addrs {
		if _, err := fmt.Fprintf(l.Stdout, "%-15s  %-19s  %s\n", addr, name, l.clean(found.Source())); err != nil {
			return err
		}
	}
	return nil
}

func suffix[S ~uint8](s S) string { return fmt.Sprintf("%02X", uint8(s)) }

// mac returns the hardware address of a host, "" if it does not tell.
func mac(h resolver.Host) string {
	b, ok := h.Hardware()
	if !ok {
		return ""
	}
	return net.HardwareAddr(b[:]).String()
}

// writeStatus shows the node status of a host as a table.
func (l *lookup) writeStatus(r row) error {
	if l.json {
		return l.writeRow(r)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "Node status of %s", r.Addr)
	if r.found.From != resolver.FromAddress {
		fmt.Fprintf(&b, ", found by %s", l.clean(r.found.Source()))
	}
	fmt.Fprint(&b, "\n\n")
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tSUFFIX\tTYPE\tNODE\tSTATE\tSERVICE")
	for _, e := range r.Entries() {
		kind := "UNIQUE"
		if e.Group {
			kind = "GROUP"
		}
		fmt.Fprintf(t, "%s\t<%s>\t%s\t%s\t%s\t%s\n", l.text(e.Name.Base(), r.found), suffix(e.Name.Suffix()), kind, e.NodeType, strings.Join(state(e), ", "), e.Name.Service(e.Group))
	}
	t.Flush()
	hardware := mac(r.Host)
	if hardware == "" {
		hardware = "the host does not tell it"
	}
	fmt.Fprintf(&b, "\nMAC address: %s\n", hardware)
	return l.writeTrimmed(&b)
}

// state returns what the flags of a name say of it.
func state(e resolver.Entry) []string {
	words := []string{}
	for _, w := range []struct {
		is   bool
		word string
	}{{e.Active, "active"}, {e.Permanent, "permanent"}, {e.Conflict, "conflict"}, {e.Deregister, "deregister"}} {
		if w.is {
			words = append(words, w.word)
		}
	}
	return words
}

// writeTable shows hosts, a line for each.
func (l *lookup) writeTable(rows []row) error {
	var b bytes.Buffer
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ADDRESS\tCOMPUTER\tSERVER\tUSER\tWORKGROUP\tMAC ADDRESS\tFOUND BY")
	for _, r := range rows {
		j := l.rowJSON(r)
		server := ""
		if j.FileServer {
			server = "<20>"
		}
		cells := []string{j.Address, j.Computer, server, j.User, j.Workgroup, j.MAC, j.Source}
		for i := range cells {
			if cells[i] == "" {
				cells[i] = "-"
			}
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	t.Flush()
	return l.writeTrimmed(&b)
}

// writeTrimmed writes lines without the blanks at their ends.
func (l *lookup) writeTrimmed(b *bytes.Buffer) error {
	var out strings.Builder
	for line := range strings.Lines(b.String()) {
		out.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	_, err := io.WriteString(l.Stdout, out.String())
	return err
}

// A nameJSON is a name as an object.
type nameJSON struct {
	Name    string `json:"name"`
	Suffix  string `json:"suffix"` // two hexadecimal digits
	Group   bool   `json:"group"`
	Service string `json:"service,omitempty"` // what registers such a name
}

// A hostJSON is a host as an object. What the host does not tell is "".
type hostJSON struct {
	Address    string           `json:"address"`
	Computer   string           `json:"computer"`
	Workgroup  string           `json:"workgroup"`
	User       string           `json:"user"`
	FileServer bool             `json:"file_server"`
	MAC        string           `json:"mac"`
	FoundBy    string           `json:"found_by"`
	Source     string           `json:"source"`
	Names      []statusNameJSON `json:"names"`
}

// A statusNameJSON is a name of a node status as an object.
type statusNameJSON struct {
	nameJSON
	Node  string   `json:"node"` // B, P, M or H
	State []string `json:"state"`
}

func (l *lookup) rowJSON(r row) hostJSON {
	j := hostJSON{
		Address: r.Addr.String(), FileServer: r.FileServer(), MAC: mac(r.Host),
		FoundBy: r.found.From, Source: l.clean(r.found.Source()), Names: []statusNameJSON{},
	}
	if name, ok := r.Computer(); ok {
		j.Computer = l.text(name.Base(), r.found)
	}
	if name, ok := r.Workgroup(); ok {
		j.Workgroup = l.text(name.Base(), r.found)
	}
	if name, ok := r.User(); ok {
		j.User = l.text(name.Base(), r.found)
	}
	for _, e := range r.Entries() {
		name := nameJSON{l.text(e.Name.Base(), r.found), suffix(e.Name.Suffix()), e.Group, e.Name.Service(e.Group)}
		j.Names = append(j.Names, statusNameJSON{name, e.NodeType, state(e)})
	}
	return j
}

// writeRow writes a host as an object.
func (l *lookup) writeRow(r row) error { return l.writeJSON(l.rowJSON(r)) }

// writeJSON writes v as one object on a line, safe for a terminal.
func (l *lookup) writeJSON(v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	line := display.AppendSafeJSON(nil, b.Bytes())
	if l.ascii {
		line = asciiJSON(line)
	}
	_, err := l.Stdout.Write(line)
	return err
}
