package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestMain is also every process that the bench starts of itself: their first
// argument is a word, a test's is a flag.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-") {
		if err := run(context.Background(), os.Args[1:], os.Stdout, os.Stderr); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// The whole bench, so short that its numbers mean nothing: every cell is there,
// and every server that can run here has taken messages.
func TestBench(t *testing.T) {
	o := options{
		JSON: filepath.Join(t.TempDir(), "report.json"), Quick: true,
		Senders: []int{1, 3}, Rounds: 2, Slice: slice{N: 6}, SMBD: slice{N: 2},
		Sends: 1, Messages: 20, GoBench: "1x",
	}
	t.Setenv("GORACE", "atexit_sleep_ms=0") // else each process sleeps for a second
	var table, said bytes.Buffer
	if err := o.run(t.Context(), &table, &said); err != nil {
		t.Fatalf("%v\n%s", err, &said)
	}
	var r report
	b, err := os.ReadFile(o.JSON)
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err != nil {
		t.Fatal(err)
	}

	var want []cell
	for _, multi := range []bool{false, true} {
		for _, keep := range []bool{false, true} {
			want = append(want, cell{multi, keep, 1}, cell{multi, keep, 3})
		}
	}
	var got []cell
	for _, c := range r.Rates {
		got = append(got, c.cell)
		positive(t, c.String(), c.Floor, c.Durable, c.Ours, c.DurableToFloor, c.OursToDurable, c.OursToFloor)
	}
	if !slices.Equal(got, want) {
		t.Errorf("rates of %v, want %v", got, want)
	}
	for _, c := range r.Calls {
		positive(t, string(c.Mode), c.Floor, c.Durable, c.Ours, c.DurableToFloor, c.OursToDurable, c.OursToFloor)
	}
	if len(r.Calls) != 3*len(o.Senders) {
		t.Errorf("%d rates of calls", len(r.Calls))
	}
	rows := []string{"one a message", "asked back", "kept open", "the program's file", "Parse/single-alice", "Add/sqlite/8senders"}
	if os.Geteuid() == 0 {
		rows = append(rows, "smbclient -M", "smbd and nmbd, started")
		if r.SMBD == nil || r.Sends == nil || len(r.LeftOut) > 0 {
			t.Fatalf("root has left out %q", r.LeftOut)
		}
		positive(t, "datagrams", r.Datagrams.Floor, r.Datagrams.Ours, r.Datagrams.OursToFloor)
		if d := r.Datagrams; d.Overload.Stored == 0 || d.Overload.Missing != 0 || len(d.Latency) != len(latencyRates) {
			t.Errorf("datagrams %+v", d)
		}
		for _, l := range r.Datagrams.Latency {
			positive(t, "time to a subscriber", l.Floor.P50, l.Floor.P99, l.Ours.P50, l.Ours.P99, l.P50, l.P99)
		}
		positive(t, "smbd", r.SMBD.Ours, r.SMBD.SMBD, r.SMBD.OursToSMBD)
		positive(t, "sends", r.Sends.Ours, r.Sends.SMBClient, r.Sends.OursToSMBClient)
	}
	if m := r.Memory; m.Messages > 0 && (m.Started.RSS <= 0 || m.Loaded.PSS <= 0 || m.Peak < m.Loaded.RSS) {
		t.Errorf("memory %+v", m)
	}
	if r.Program < 1<<20 || r.Machine == "" || r.Took == "" {
		t.Errorf("a program of %d bytes, on %q, in %q", r.Program, r.Machine, r.Took)
	}
	for _, m := range r.Benchmarks {
		if m.Values["ns/op"] <= 0 {
			t.Errorf("benchmark %+v", m)
		}
	}
	for _, row := range rows {
		if !strings.Contains(table.String(), row) {
			t.Errorf("the table lacks %q", row)
		}
	}
	if t.Failed() {
		t.Logf("%s%s", &said, &table)
	}
}

// A part that is named is measured alone.
func TestParts(t *testing.T) {
	t.Setenv("GORACE", "atexit_sleep_ms=0")
	file := filepath.Join(t.TempDir(), "report.json")
	var table, said bytes.Buffer
	if err := run(t.Context(), []string{"-quick", "-json", file, "memory"}, &table, &said); err != nil {
		t.Fatalf("%v\n%s", err, &said)
	}
	var r report
	b, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err != nil {
		t.Fatal(err)
	}
	if r.Memory.Messages == 0 || r.Datagrams != nil || r.Rates != nil || r.SMBD != nil || r.Sends != nil || r.Names != nil || r.Benchmarks != nil {
		t.Errorf("measured %s", b)
	}
	err = run(t.Context(), []string{"memory", "nothing"}, &table, &said)
	if err == nil || !strings.Contains(err.Error(), `"nothing" is no part of the bench; the parts are datagrams sessions`) {
		t.Errorf("a part that there is not: %v", err)
	}
}

// positive checks that there is a number in every summary.
func positive(t *testing.T, of string, all ...summary) {
	t.Helper()
	for i, s := range all {
		if s.Min <= 0 || s.Median < s.Min || s.Max < s.Median {
			t.Errorf("%s: number %d is %+v", of, i, s)
		}
	}
}
