//go:build unix

package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestHelp: without arguments one wants to know what there is; each command
// says how it is called.
func TestHelp(t *testing.T) {
	help := run(t, command(t, t.TempDir(), "messngr"))
	if help.code != 0 || help.err != "" || !strings.Contains(help.out, "\nUsage:\n  messngr [command]\n") {
		t.Errorf("messngr: %+v", help)
	}
	for _, arg := range []string{"help", "--help", "-h"} {
		if got := run(t, command(t, t.TempDir(), "messngr", arg)); got != help {
			t.Errorf("messngr %s says something else: %+v", arg, got)
		}
	}
	for args, want := range map[string]string{
		"serve":         `^  messngr serve \[flags\]$`,
		"inbox ":        `^  messngr inbox \[flags\]$`,
		"inbox release": `^  messngr inbox release ID\.\.\. \| --all \[flags\]$`,
		"net pause":     `^  messngr net pause messenger \[flags\]$`,
		"inbox":         `^      --last N +only the last N messages \(default all\)$`,
		"status":        `^      --data DIR +the service's data DIR \(`,
		"config":        `^  messngr config \[flags\]$`,
		"man":           `^  messngr man DIRECTORY \[flags\]$`,
		"net":           `^  messngr net \[command\]$`,
		"net name":      `^  messngr net name \[flags\] \[NAME \[/add \| /delete\]\]$`,
		"net helpmsg":   `^  messngr net helpmsg NUMBER \[flags\]$`,
		"net send":      `^  messngr net send \[flags\] NAME\|ADDRESS\|\*\|/domain\[:NAME\]\|/users \[TEXT\.\.\.\]$`, // flags stand before the text
	} {
		words := strings.Fields(args)
		flag := run(t, command(t, t.TempDir(), "messngr", append(words, "--help")...))
		word := run(t, command(t, t.TempDir(), "messngr", append([]string{"help"}, words...)...))
		if flag.code != 0 || flag.err != "" || flag != word {
			t.Errorf("%s --help: %+v\nhelp %s: %+v", args, flag, args, word)
		}
		if !regexp.MustCompile("(?m)" + want).MatchString(flag.out) {
			t.Errorf("%s --help: no line is %s in\n%s", args, want, flag.out)
		}
	}
}

// TestWrongUsage: one line that says what is wrong and where to read more, and
// nothing that a script could take for a result.
func TestWrongUsage(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"frob"}, `unknown command "frob" for "messngr"; see messngr --help`},
		{[]string{"--frob"}, `unknown flag: --frob; see messngr --help`},
		{[]string{"-x"}, `unknown shorthand flag: 'x' in -x; see messngr --help`},
		{[]string{"help", "net", "frob"}, `there is no command "net frob"; see messngr help --help`},
		{[]string{"completion", "frob"}, `unknown command "frob" for "messngr completion"; see messngr completion --help`},
		{[]string{"config", "x"}, `"x" is one word too many; see messngr config --help`},
		{[]string{"man"}, `the DIRECTORY is missing; see messngr man --help`},
		{[]string{"man", "a", "b"}, `"b" is one word too many; see messngr man --help`},
		{[]string{"serve", "x"}, `"x" is one word too many; see messngr serve --help`},
		{[]string{"status", "--data"}, `flag needs an argument: --data; see messngr status --help`},
		{[]string{"inbox", "--last", "x"}, `--last "x": it takes a number; see messngr inbox --help`},
		{[]string{"inbox", "--last", "-1"}, `--last -1: it takes a number of messages; see messngr inbox --help`},
		{[]string{"inbox", "--json=maybe"}, `--json "maybe": it takes true, false or nothing; see messngr inbox --help`},
		{[]string{"inbox", "--after", "x"}, `--after: invalid message id "x": want 8-4-4-4-12 hexadecimal digits; see messngr inbox --help`},
		{[]string{"inbox", "frob"}, `"frob" is one word too many; see messngr inbox --help`},
		{[]string{"inbox", "--state", "frob"}, `--state "frob": it takes one of received, displayed, held, quarantined; see messngr inbox --help`},
		{[]string{"inbox", "--state", "held", "--watch"}, `--state and --watch do not go together: with --json each message has its state; see messngr inbox --help`},
		{[]string{"inbox", "release"}, `the ID of a message, or --all, is missing; see messngr inbox release --help`},
		{[]string{"inbox", "release", "--all", "x"}, `"x" is one word too many: --all is all of them; see messngr inbox release --help`},
		{[]string{"inbox", "release", "x"}, `invalid message id "x": want 8-4-4-4-12 hexadecimal digits; see messngr inbox release --help`},
		{[]string{"net", "pause"}, `the service, messenger, is missing; see messngr net pause --help`},
		{[]string{"net", "pause", "spooler"}, `"spooler" is another service: this one is messenger; see messngr net pause --help`},
		{[]string{"net", "stop", "messenger", "x"}, `"x" is one word too many; see messngr net stop --help`},
		{[]string{"net", "frob"}, `unknown command "frob" for "messngr net"; see messngr net --help`},
		{[]string{"net", "helpmsg"}, `the NUMBER is missing; see messngr net helpmsg --help`},
		{[]string{"net", "helpmsg", "1", "2"}, `"2" is one word too many; see messngr net helpmsg --help`},
		{[]string{"net", "helpmsg", "65536"}, `"65536" is not a message number; see messngr net helpmsg --help`},
		{[]string{"net", "name", "A", "/frob"}, `"/frob" is neither /add nor /delete; see messngr net name --help`},
		{[]string{"net", "name", "/add"}, `the NAME is missing before /add; see messngr net name --help`},
		{[]string{"net", "name", "A", "/add", "x"}, `"x" is one word too many; see messngr net name --help`},
		{[]string{"net", "send"}, `the recipient is missing: a NAME, an ADDRESS, *, /domain[:NAME] or /users; see messngr net send --help`},
		{[]string{"net", "send", " ", "x"}, `the recipient is missing: a NAME, an ADDRESS, *, /domain[:NAME] or /users; see messngr net send --help`},
		{[]string{"net", "send", "/all", "x"}, `"/all" is neither /domain[:NAME] nor /users; see messngr net send --help`},
		{[]string{"net", "send", "/domain: ", "x"}, `"/domain: ": the name of the domain is missing; see messngr net send --help`},
		{[]string{"net", "send", "OFF*", "x"}, `"OFF*" is no name: give a NAME, an ADDRESS, *, /domain[:NAME] or /users; see messngr net send --help`},
		{[]string{"send", "--transport", "smb", "/domain", "x"}, `a workgroup is reached by datagrams alone: leave out --transport smb; see messngr send --help`},
		{[]string{"send", "--single-block", "--workgroup", "A", "x"}, `a workgroup is reached by datagrams alone: leave out --single-block; see messngr send --help`},
		{[]string{"send", "--workgroup", " ", "x"}, `--workgroup: the NAME is empty; see messngr send --help`},
		{[]string{"send"}, `the recipient is missing: a NAME, an ADDRESS, *, /domain[:NAME] or /users; see messngr send --help`},
		{[]string{"net", "send", "--frob", "A", "x"}, `unknown flag: --frob; see messngr net send --help`},
		{[]string{"net", "send", "--port", "65536", "A", "x"}, `--port "65536": it takes a number up to 65535; see messngr net send --help`},
		{[]string{"net", "send", "--timeout", "5", "A", "x"}, `--timeout "5": it takes a time such as 10s; see messngr net send --help`},
		{[]string{"net", "send", "--timeout", "-5s", "A", "x"}, `--timeout -5s: it takes a time such as 10s; see messngr net send --help`},
		{[]string{"net", "send", "--lmhosts", "/missing", "A", "x"}, `--lmhosts: stat /missing: no such file or directory; see messngr net send --help`},
	} {
		got := run(t, command(t, t.TempDir(), "messngr", tt.args...))
		if want := (result{err: "messngr: " + tt.want + "\n", code: 2}); got != want {
			t.Errorf("%q:\n got %+v\nwant %+v", tt.args, got, want)
		}
	}
}

// TestHelpmsg: as Windows answers, with a blank line before and after.
func TestHelpmsg(t *testing.T) {
	for _, tt := range []struct {
		number string
		want   result
	}{
		{"2273", result{out: "\nThe message alias could not be found on the network.\n\n"}},
		{"4652", result{out: "\nThe message was successfully sent to ***.\n\n"}},
		{"2290", result{err: "messngr: 2290 is not a valid Windows network message number\n", code: 1}},
	} {
		if got := run(t, command(t, t.TempDir(), "messngr", "net", "helpmsg", tt.number)); got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.number, got, tt.want)
		}
	}
}

// TestCompletion: files are offered where files are wanted, and nowhere else.
func TestCompletion(t *testing.T) {
	for shell, want := range map[string]string{
		"bash": "__start_messngr", "zsh": "#compdef messngr\n", "fish": "complete -c messngr ", "powershell": "Register-ArgumentCompleter",
	} {
		if got := run(t, command(t, t.TempDir(), "messngr", "completion", shell)); got.code != 0 || got.err != "" || !strings.Contains(got.out, want) {
			t.Errorf("%s: %q is not in it: status %d, %s", shell, want, got.code, got.err)
		}
	}
	const anyFile, noFile, byEnding, directory = ":0\n", ":4\n", ":8\n", ":16\n"
	for _, tt := range []struct{ line, want string }{
		{"", "serve\tReceive messages and show them, until Ctrl-C\n"},
		{"net se", "send\tSend a message to a computer, a user, an address or a workgroup\n" + noFile},
		{"net send ", noFile},
		{"net send HOST2 ", noFile},
		{"net send --code-page 85", "850\n"},
		{"net send --lmhosts ", anyFile},
		{"net helpmsg 227", "2273\tThe message alias could not be found on the network.\n"},
		{"inbox ", "release\tShow messages that are quarantined\n" + noFile},
		{"inbox --state ", "received\ndisplayed\nheld\nquarantined\n" + noFile},
		{"inbox release ", noFile},
		{"net pause ", "messenger\n" + noFile},
		{"net pause messenger ", noFile},
		{"inbox --last ", noFile},
		{"serve --name ", noFile},
		{"serve --data ", directory},
		{"serve --config ", "toml\n" + byEnding},
		{"man ", directory},
	} {
		args := append([]string{"__complete"}, strings.Split(tt.line, " ")...)
		if got := run(t, command(t, t.TempDir(), "messngr", args...)); got.code != 0 || !strings.Contains(got.out, tt.want) {
			t.Errorf("%q: %q is not in %q", tt.line, tt.want, got.out)
		}
	}
}

// TestManualPagesSay: each has its own title, and nothing in them changes with
// the day they are made, when SOURCE_DATE_EPOCH says so.
func TestManualPagesSay(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "man1")
	cmd := command(t, t.TempDir(), "messngr", "man", dir)
	cmd.Env = append(cmd.Env, "SOURCE_DATE_EPOCH=0")
	if got := run(t, cmd); got != (result{}) {
		t.Fatalf("%+v", got)
	}
	for _, name := range []string{"", "-serve", "-inbox", "-inbox-release", "-status", "-config", "-man", "-net", "-net-send", "-net-helpmsg", "-net-pause", "-net-continue", "-net-start", "-net-stop", "-completion"} {
		page, err := os.ReadFile(filepath.Join(dir, "messngr"+name+".1"))
		if err != nil {
			t.Error(err)
			continue
		}
		title := `.TH "MESSNGR` + strings.ToUpper(name) + `" "1" "Jan 1970" "messngr test" "Messngr"`
		if !strings.Contains(string(page), title+"\n") {
			t.Errorf("messngr%s.1 lacks %s", name, title)
		}
		if strings.Contains(string(page), "cobra") {
			t.Errorf("messngr%s.1 speaks of cobra", name)
		}
	}
	for _, tt := range []struct{ name, text string }{
		{"messngr-lookup.1", "messenger (<03>) unless"},
		{"messngr-lookup.1", "workgroup (<00>), unless"},
		{"messngr-completion-bash.1", " source <(messngr completion bash)"},
	} {
		page, err := os.ReadFile(filepath.Join(dir, tt.name))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(strings.ReplaceAll(string(page), "\n", " "), tt.text) {
			t.Errorf("%s lacks %q", tt.name, tt.text)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	want := result{err: "messngr: cannot make the directory: mkdir " + file + ": not a directory\n", code: 1}
	if got := run(t, command(t, t.TempDir(), "messngr", "man", filepath.Join(file, "x"))); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
