package cli

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/messngr/messngr"
)

// ours are the words after `net` that this program answers, controls those that
// it answers when they are about the Messenger service.
var (
	ours     = []string{"send", "name", "helpmsg"}
	controls = []string{"start", "stop", "pause", "continue"}
)

// isOurs reports whether a call of `net` is for this program.
func isOurs(args []string) bool {
	if len(args) == 0 {
		return false
	}
	word := strings.ToLower(args[0])
	return slices.Contains(ours, word) || slices.Contains(controls, word) && slices.ContainsFunc(args[1:], isMessenger)
}

// nextNet hands a call of `net` to the next program of that name in PATH, such
// as Samba's.
func (p Process) nextNet(args []string) int {
	next, err := nextInPath("net")
	if err != nil {
		fmt.Fprintf(p.Stderr, "messngr: %s is not one of net %s, net %s messenger, and there is no other net in PATH to ask\n",
			strings.Join(append([]string{"net"}, args...), " "), strings.Join(ours, ", net "), strings.Join(controls, "|"))
		return exitUsage
	}
	code, err := replaceBy(next, append([]string{next}, args...), p)
	if err != nil {
		fmt.Fprintf(p.Stderr, "messngr: cannot run %s: %v\n", next, err)
		return exitFailure
	}
	return code
}

// nextInPath finds a program in PATH that is not this one.
func nextInPath(name string) (string, error) {
	exe, err := os.Executable()
	if err != nil {
		return "", err
	}
	self, err := os.Stat(exe)
	if err != nil {
		return "", err
	}
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if !filepath.IsAbs(dir) {
			continue // LookPath would search all of PATH, and find us
		}
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && !os.SameFile(info, self) {
			if path, err := exec.LookPath(path); err == nil {
				return path, nil
			}
		}
	}
	return "", exec.ErrNotFound
}

func (p Process) netCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "net",
		Short: "The net command of Windows, as far as it is about messages",
		Long: `The net command of Windows, as far as it is about messages.

Make a symbolic link named "net" to this program, in a directory that stands
before others in PATH, and "net send" works as it did. What is not about
messages is handed to the next "net" in PATH, such as Samba's.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.netSendCommand(), p.netNameCommand(), p.helpmsgCommand())
	cmd.AddCommand(p.controlCommands()...)
	return cmd
}

func (p Process) helpmsgCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "helpmsg NUMBER",
		Short: "Show the text of a message number",
		Args:  oneArg("the NUMBER"),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var numbers []string
			for _, n := range messngr.NERRs() {
				text, _ := n.Text()
				numbers = append(numbers, fmt.Sprintf("%d\t%s", n, text))
			}
			return numbers, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			n, err := strconv.ParseUint(args[0], 10, 16)
			if err != nil {
				return usagef("%q is not a message number", args[0])
			}
			text, ok := messngr.NERR(n).Text()
			if !ok {
				// What Windows says of a number that it does not know (3871).
				return fmt.Errorf("%d is not a valid Windows network message number", n)
			}
			_, err = fmt.Fprintf(p.Stdout, "\n%s\n\n", fill(text, "***"))
			return err
		},
	}
}

// fill puts what a text is about into it.
func fill(text, what string) string { return strings.ReplaceAll(text, "%1", what) }

// say writes the text of a number.
func say(w io.Writer, n messngr.NERR, what string) {
	text, _ := n.Text()
	fmt.Fprintln(w, fill(text, what))
}
