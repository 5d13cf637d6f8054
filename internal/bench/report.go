package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
)

// A report is what was measured.
type report struct {
	Machine    string      `json:"machine"`
	Quick      bool        `json:"quick"` // then the numbers mean nothing
	Took       string      `json:"took"`
	LeftOut    []string    `json:"left_out,omitempty"`
	Rates      []rate      `json:"rates"`
	SMBD       *smbdRate   `json:"smbd,omitempty"`
	Sends      *sendTimes  `json:"sends,omitempty"`
	Memory     memoryUse   `json:"memory"`
	Program    int64       `json:"program_bytes"`
	Benchmarks []benchmark `json:"benchmarks"`

	Datagrams *datagramsReport `json:"datagrams,omitempty"`
	Calls     []callRate       `json:"calls,omitempty"`
	Names     *namesReport     `json:"names,omitempty"`
}

// A rate is a cell of messages accepted a second.
type rate struct {
	cell
	Floor          summary `json:"floor"`
	Durable        summary `json:"durable_floor"`
	Ours           summary `json:"ours"`
	DurableToFloor summary `json:"durable_floor_to_floor"`
	OursToDurable  summary `json:"ours_to_durable_floor"`
	OursToFloor    summary `json:"ours_to_floor"`

	// Processor time of the server for a message, in microseconds; 0 where it
	// is not known.
	FloorCPU   float64 `json:"floor_cpu_us"`
	DurableCPU float64 `json:"durable_floor_cpu_us"`
	OursCPU    float64 `json:"ours_cpu_us"`
}

// An smbdRate is a cell against smbd.
type smbdRate struct {
	cell
	Ours       summary `json:"ours"`
	SMBD       summary `json:"smbd"`
	OursToSMBD summary `json:"ours_to_smbd"`
}

// SendTimes are the times of whole processes, in milliseconds.
type sendTimes struct {
	Ours            summary `json:"ours_ms"`
	SMBClient       summary `json:"smbclient_ms"`
	OursToSMBClient summary `json:"ours_to_smbclient"`
}

// sendTarget is the part of smbclient's time that ours may take, at most.
const sendTarget = 0.5

// A memoryUse is the memory of ours and of smbd with nmbd.
type memoryUse struct {
	Started  size  `json:"started"`
	Loaded   size  `json:"loaded"`
	Messages int   `json:"messages"` // before Loaded
	Peak     int64 `json:"peak_rss"`
	Samba    size  `json:"smbd_and_nmbd"`
}

// describe fills in what is known without measuring.
func (r *report) describe(b *bench) error {
	r.Machine = fmt.Sprintf("%s/%s, %d processors, %s, data in %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version(), b.dir)
	info, err := os.Stat(b.program)
	if err != nil {
		return err
	}
	r.Program = info.Size()
	return nil
}

// writeJSON writes the report to a file.
func (r *report) writeJSON(path string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}

// write writes the report for people.
func (r *report) write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", r.Machine)
	if r.Quick {
		fmt.Fprintf(&b, "A quick run: these numbers mean nothing.\n")
	}
	if len(r.Rates) > 0 {
		r.writeRates(&b)
	}
	r.writePeers(&b)
	r.writeSizes(&b)
	if r.Datagrams != nil {
		r.Datagrams.write(&b)
	}
	if len(r.Calls) > 0 {
		r.writeCalls(&b)
	}
	if r.Names != nil {
		r.Names.write(&b)
	}
	if len(r.Benchmarks) > 0 {
		r.writeBenchmarks(&b)
	}
	for _, s := range r.LeftOut {
		fmt.Fprintf(&b, "\n%s\n", s)
	}
	fmt.Fprintf(&b, "\ntook %s\n", r.Took)
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *report) writeRates(b *strings.Builder) {
	fmt.Fprintf(b, "\nMessages accepted a second, durable; target: %.1f of the floor.\n"+
		"The floor keeps nothing. The durable floor does nothing but sync: where it is below\n"+
		"%.1[1]f of the floor itself, the disk alone misses the target. The last of the numbers\n"+
		"is the processor time of each server for a message, which a busy machine changes less.\n\n", floorTarget)
	t := table{right: 2}
	t.row("message", "connection", "senders", "floor", "durable", "ours", "durable/floor", "ours/durable", "ours/floor", "(min to max)", "µs", "")
	for _, c := range r.Rates {
		form, connection := "single-block", "one a message"
		if c.Multi {
			form = "multi-block"
		}
		if c.Keep {
			connection = "kept open"
		}
		verdict := atLeast(c.OursToFloor.Median, floorTarget)
		if verdict == missed && c.DurableToFloor.Median < floorTarget {
			verdict += ", so does the disk"
		}
		t.row(form, connection, fmt.Sprint(c.Senders),
			number(c.Floor.Median), number(c.Durable.Median), number(c.Ours.Median),
			ratio(c.DurableToFloor.Median), ratio(c.OursToDurable.Median), ratio(c.OursToFloor.Median), spread(c.OursToFloor),
			fmt.Sprintf("%.0f, %.0f, %.0f", c.FloorCPU, c.DurableCPU, c.OursCPU), verdict)
	}
	t.write(b)
}

func (r *report) writePeers(b *strings.Builder) {
	if s := r.SMBD; s != nil {
		fmt.Fprintf(b, "\nMessages accepted a second, against smbd with a message command (%v).\n\n", s.cell)
		t := table{right: 0}
		t.row("smbd", "ours", "ours/smbd", "(min to max)", "target", "")
		t.row(number(s.SMBD.Median), number(s.Ours.Median), ratio(s.OursToSMBD.Median), spread(s.OursToSMBD),
			fmt.Sprintf("at least %d", smbdTarget), atLeast(s.OursToSMBD.Median, smbdTarget))
		t.write(b)
	}
	if s := r.Sends; s != nil {
		fmt.Fprintf(b, "\nOne message from a process of its own, its name looked up by broadcast, in milliseconds.\n\n")
		t := table{right: 0}
		t.row("smbclient -M", "net send", "ratio", "(min to max)", "target", "")
		t.row(fmt.Sprintf("%.1f", s.SMBClient.Median), fmt.Sprintf("%.1f", s.Ours.Median), ratio(s.OursToSMBClient.Median), spread(s.OursToSMBClient),
			fmt.Sprintf("at most %.1f", sendTarget), atMost(s.OursToSMBClient.Median, sendTarget))
		t.write(b)
	}
}

func (r *report) writeSizes(b *strings.Builder) {
	fmt.Fprintf(b, "\nSizes in MiB.\n\n")
	t := table{right: 1}
	t.row("", "resident", "proportional", "target", "")
	if m := r.Memory; m.Messages > 0 {
		t.row("messngr serve, started", mib(m.Started.RSS), mib(m.Started.PSS), "at most "+mib(startTarget), atMost(m.Started.RSS, startTarget))
		t.row(fmt.Sprintf("after %d messages", m.Messages), mib(m.Loaded.RSS), mib(m.Loaded.PSS), "at most "+mib(loadedTarget), atMost(m.Loaded.RSS, loadedTarget))
		t.row("at its peak", mib(m.Peak), "", "", "")
		if m.Samba.RSS > 0 {
			t.row("smbd and nmbd, started", mib(m.Samba.RSS), mib(m.Samba.PSS), "", "")
		}
	}
	t.row("the program's file", mib(r.Program), "", "at most "+mib(programTarget), atMost(r.Program, programTarget))
	t.write(b)
}

func (r *report) writeBenchmarks(b *strings.Builder) {
	fmt.Fprintf(b, "\nBenchmarks of the packages; target: no allocation where what arrives is parsed, and\n"+
		"a call of NetrSendMessage, packet and stub, in less than %d ns.\n\n", callParseTarget)
	t := table{right: 2}
	t.row("package", "benchmark", "ns/op", "B/op", "allocs/op", "acks/s", "")
	for _, m := range r.Benchmarks {
		verdict := ""
		if m.isParse() {
			verdict = atMost(m.Values["allocs/op"], 0)
			if m.isCall() && m.Values["ns/op"] >= callParseTarget {
				verdict = missed
			}
		}
		value := func(unit string) string {
			if v, ok := m.Values[unit]; ok {
				return number(v)
			}
			return ""
		}
		t.row(m.Package, m.Name, value("ns/op"), value("B/op"), value("allocs/op"), value("acks/s"), verdict)
	}
	t.write(b)
}
