//go:build unix

package cli

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// A text longer than the configuration allows is refused before anything is
// sent, in both forms of the report.
func TestCastTooLong(t *testing.T) {
	dir := t.TempDir()
	conf := writeFile(t, filepath.Join(dir, "messngr.toml"), "name = \"HOST1\"\n[send]\nmax_workgroup_text = 128\n")
	const why = "the text has 129 bytes in code page 850, a message to a workgroup carries 128: send it to single names, or let it be cut with --truncate; nothing was sent"
	text := strings.Repeat("x", 129)
	want := result{err: "An error occurred while sending a message to OFFICE.\nmessngr: " + why + "\n", code: 1}
	if got := run(t, command(t, dir, "messngr", "net", "send", "--config", conf, "/domain:office", text)); got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	got := run(t, command(t, dir, "messngr", "send", "--config", conf, "--json", "--workgroup", "office", text))
	var report struct{ To, State, Error string }
	if err := json.Unmarshal([]byte(got.out), &report); err != nil || got.code != 1 || got.err != "" {
		t.Fatalf("%v, %+v", err, got)
	}
	if report.To != "OFFICE" || report.State != "failed" || report.Error != why {
		t.Errorf("reported %+v", report)
	}
}
