//go:build unix

package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func writeFile(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func noService(data string) result {
	return result{
		err:  fmt.Sprintf("messngr: no service is running in %s: start it with \"messngr serve\", or name its directory with --data or MESSNGR_DATA\n", data),
		code: 1,
	}
}

// asking are the commands that talk to the service, each with what it needs.
var asking = map[string][]string{
	"messngr inbox":         {"--json", "--watch", "--last", "0"},
	"messngr inbox release": {"--all"},
	"messngr inject":        {"--from", "ALICE", "hello"},
	"messngr neighbours":    nil,
	"messngr net continue":  {"messenger"},
	"messngr net name":      nil,
	"messngr net pause":     {"messenger"},
	"messngr net stop":      {"messenger"},
	"messngr status":        {"--json"},
	"messngr wins":          nil,
}

// TestWhichData: the flag wins over the environment, the environment over the
// file, for every command that talks to the service.
func TestWhichData(t *testing.T) {
	dir := t.TempDir()
	file := writeFile(t, filepath.Join(dir, "messngr.toml"), "data = '"+dir+"/file'\n")
	for _, tt := range []struct {
		env  string
		args []string
		want string
	}{
		{"", []string{"--config", file}, dir + "/file"},
		{dir + "/env", []string{"--config", file}, dir + "/env"},
		{dir + "/env", []string{"--config", file, "--data", dir + "/flag"}, dir + "/flag"},
		{"", []string{"--data", dir + "/flag"}, dir + "/flag"},
		{dir + "/env", nil, dir + "/env"},
	} {
		for path, needs := range asking {
			args := slices.Concat(strings.Fields(path)[1:], tt.args, needs)
			got := run(t, command(t, tt.env, "messngr", args...))
			// Those of net say it first in the words of Windows.
			if want := noService(tt.want); got.out != "" || got.code != want.code || !strings.HasSuffix(got.err, want.err) ||
				got.err != want.err && !strings.HasPrefix(path, "messngr net ") {
				t.Errorf("%q with MESSNGR_DATA=%s:\n got %+v\nwant %+v", args, tt.env, got, want)
			}
		}
	}
	// A new command belongs among them.
	var check func(*cobra.Command)
	check = func(cmd *cobra.Command) {
		_, asks := asking[cmd.CommandPath()]
		switch cmd.CommandPath() {
		case "messngr serve", "messngr net start": // the service, and what only names it
			asks = true
		}
		if cmd.Flags().Lookup("data") != nil && !asks {
			t.Errorf("%s has --data and is not tested", cmd.CommandPath())
		}
		for _, sub := range cmd.Commands() {
			check(sub)
		}
	}
	check(Process{Args: []string{"messngr"}}.rootCommand())
}

// TestReferenceFileIsAFile: what config prints can be given to --config.
func TestReferenceFileIsAFile(t *testing.T) {
	data := t.TempDir()
	reference := run(t, command(t, data, "messngr", "config"))
	if reference.code != 0 || reference.err != "" || !strings.HasSuffix(reference.out, "\n") {
		t.Fatalf("%+v", reference)
	}
	file := writeFile(t, filepath.Join(t.TempDir(), "reference.toml"), reference.out)
	if got := run(t, command(t, data, "messngr", "inbox", "--config", file)); got != noService(data) {
		t.Errorf("got %+v", got)
	}
}

// TestBadSettings: one line, with the file, the line where it is known, and what
// would be right. Nothing starts.
func TestBadSettings(t *testing.T) {
	dir := t.TempDir()
	unknown := writeFile(t, filepath.Join(dir, "unknown.toml"), "name = 'HOST1'\n\n[smb]\nlistn = [':139']\n")
	syntax := writeFile(t, filepath.Join(dir, "syntax.toml"), "name = 'HOST1'\nworkgroup = WORK\n")
	value := writeFile(t, filepath.Join(dir, "value.toml"), "smb.max_text = 0\n")
	deep := filepath.Join(dir, strings.Repeat("d", 100))
	for _, tt := range []struct {
		data string
		args []string
		want string
	}{
		{dir, []string{"serve", "--config", unknown}, unknown + `:4: there is no option "smb.listn"; the reference file (messngr config) lists all`},
		{dir, []string{"net", "send", "--config", unknown, "HOST1", "x"}, unknown + `:4: there is no option "smb.listn"; the reference file (messngr config) lists all`},
		{dir, []string{"inbox", "--config", syntax}, syntax + `:2:13: `},
		{dir, []string{"status", "--config", value}, value + `: smb.max_text: 0 is not between 1 and 1048576`},
		{dir, []string{"serve", "--config", dir + "/missing"}, "cannot read the configuration: open " + dir + "/missing: no such file or directory"},
		{dir, []string{"serve", "--name", "A-VERY-LONG-NAME"}, `--name: invalid NetBIOS name "A-VERY-LONG-NAME": 16 bytes, at most 15 fit`},
		{dir, []string{"serve", "--workgroup", `A\B`}, `--workgroup: "A\\B": a name has none of \ / : * ? " < > |`},
		{value, []string{"serve", "--name", "HOST1"}, "cannot make the data directory: mkdir " + value + ": not a directory; name another with --data or MESSNGR_DATA"},
		{deep, []string{"serve", "--name", "HOST1"}, "the path of the service's socket, " + deep + "/messngr.sock, has "},
		{deep, []string{"inbox"}, "the path of the service's socket, " + deep + "/messngr.sock, has "},
	} {
		got := run(t, command(t, tt.data, "messngr", tt.args...))
		if got.code != 1 || got.out != "" || !strings.HasPrefix(got.err, "messngr: "+tt.want) || strings.Count(got.err, "\n") != 1 {
			t.Errorf("%q:\n got %+v\nwant %s", tt.args, got, tt.want)
		}
	}
}
