package main

import (
	"fmt"
	"strings"
)

// write writes the report for people.
func (r *namesReport) write(b *strings.Builder) {
	r.writeTorture(b)
	r.writeAsked(b)
	r.writeTimes(b)
	r.writeRecords(b)
}

func (r *namesReport) writeTorture(b *strings.Builder) {
	fmt.Fprintf(b, "\nAnswers a second to smbtorture; target: %.1f times nmbd, or the client's own limit (%.1f of the\n"+
		"floor, which answers at once whatever it is asked) with less processor time than nmbd.\n\n", nmbdTarget, limitTarget)
	t := table{right: 1}
	t.row("test", "floor", "nmbd", "ours", "nmbd/floor", "ours/floor", "ours/nmbd", "(min to max)", "")
	for _, c := range r.Torture {
		t.row(c.Test, number(c.Floor.Rate.Median), number(c.NMBD.Rate.Median), number(c.Ours.Rate.Median),
			ratio(c.NMBDToFloor.Median), ratio(c.OursToFloor.Median), ratio(c.OursToNMBD.Median), spread(c.OursToNMBD), c.verdict())
	}
	t.write(b)

	fmt.Fprintf(b, "\nIts processor time, in microseconds an answer, and how many answers were not right.\n\n")
	t = table{right: 2}
	t.row("test", "server", "server's", "client's", "failures")
	for _, c := range r.Torture {
		for _, s := range []struct {
			name string
			nameServe
		}{{"floor", c.Floor}, {"nmbd", c.NMBD}, {"ours", c.Ours}} {
			t.row(c.Test, s.name, ratio(s.CPU.Median), ratio(s.Client.Median), fmt.Sprint(s.Failures))
		}
	}
	t.write(b)
}

func (r *namesReport) writeAsked(b *strings.Builder) {
	fmt.Fprintf(b, "\nAnswers a second to our own load, and processor time of the server in microseconds an answer;\n"+
		"target: %.1f of the floor, which answers with as many bytes.\n\n", echoTarget)
	t := table{right: 1}
	t.row("question", "sockets", "floor", "ours", "floor's time", "ours", "ours/floor", "(min to max)", "")
	for _, c := range r.Asked {
		t.row(c.askCell.String(), fmt.Sprint(c.Sockets), number(c.Floor.Rate.Median), number(c.Ours.Rate.Median),
			ratio(c.Floor.CPU.Median), ratio(c.Ours.CPU.Median),
			ratio(c.OursToFloor.Median), spread(c.OursToFloor), atLeast(c.OursToFloor.Median, echoTarget))
	}
	t.write(b)
}

func (r *namesReport) writeTimes(b *strings.Builder) {
	fmt.Fprintf(b, "\nTimes in milliseconds: from start until another host's broadcast finds the name, and of a scan of a /24.\n\n")
	t := table{right: 1}
	t.row("", "peer", "its time", "ours", "(min to max)", "target", "")
	t.row("first name", "nmbd", number(r.Start.NMBD), number(r.Start.Ours.Median), spreadOf(r.Start.Ours),
		fmt.Sprintf("at most %d", firstTarget.Milliseconds()), atMost(r.Start.Ours.Median, milliseconds(firstTarget)))
	for _, s := range r.Scans {
		target, verdict := "", ""
		if s.Live == 0 {
			target, verdict = fmt.Sprintf("at most %d", scanTarget.Milliseconds()), atMost(s.Ours.Median, milliseconds(scanTarget))
		}
		t.row(fmt.Sprintf("scan, %d of 254 live", s.Live), "nbtscan", number(s.NBTScan.Median), number(s.Ours.Median), spreadOf(s.Ours), target, verdict)
	}
	t.write(b)
}

// spreadOf is spread for numbers that are not ratios.
func spreadOf(s summary) string { return "(" + number(s.Min) + " to " + number(s.Max) + ")" }

func (r *namesReport) writeRecords(b *strings.Builder) {
	m := r.Records
	fmt.Fprintf(b, "\nA name server with %s names, asked for one after the other.\n\n", number(float64(m.Names)))
	t := table{right: 1}
	t.row("", "ours", "floor")
	t.row("answers a second", number(m.Ours.Rate.Median), number(m.Floor.Rate.Median))
	t.row("microseconds, half of them within", ratio(m.Ours.P50.Median), ratio(m.Floor.P50.Median))
	t.row("microseconds, 99 of 100 within", ratio(m.Ours.P99.Median), ratio(m.Floor.P99.Median))
	t.row("bytes of memory a name", number(m.Each), "")
	t.row("MiB resident, without a name", mib(m.Before.RSS), "")
	t.row("MiB resident, with all", mib(m.After.RSS), "")
	t.row("MiB resident, at its peak", mib(m.Peak), "")
	t.row("milliseconds from start to answer, without a name", number(m.Empty), "")
	t.row("milliseconds from start to answer, with all", number(m.Start), "")
	t.row("milliseconds to store them", number(m.Fill), "")
	t.write(b)
}
