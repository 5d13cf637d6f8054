// Package cli is the command line: what a person or a script types, what it
// prints and with which status it exits. 0 is success, 1 failure, 2 wrong
// usage.
package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/messngr/messngr/internal/config"
)

// The exit statuses.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// A Process is what the program was started with.
type Process struct {
	Version               string
	Args                  []string // with the program's own name
	Stdin, Stdout, Stderr *os.File
}

// Main runs the command that the arguments name and returns the exit status.
func Main(p Process) int {
	called := strings.ToLower(strings.TrimSuffix(filepath.Base(p.Args[0]), ".exe"))
	args := p.Args[1:]
	if called == "net" {
		if !isOurs(args) {
			return p.nextNet(args)
		}
		// Windows does not mind the case of "NET SEND".
		args = append([]string{"net", strings.ToLower(args[0])}, args[1:]...)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	return p.run(ctx, args)
}

// run runs the command of args.
func (p Process) run(ctx context.Context, args []string) int {
	usage := true // until a command has begun to run, an error is one of usage
	root := p.rootCommand()
	root.PersistentPreRun = func(*cobra.Command, []string) { usage = false }
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if u := (*usageError)(nil); errors.As(err, &u) {
		usage = true
	}
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errSaid):
		return exitFailure
	case usage:
		fmt.Fprintf(p.Stderr, "messngr: %v; see %s --help\n", oneLine(err), cmd.CommandPath())
		return exitUsage
	}
	fmt.Fprintf(p.Stderr, "messngr: %v\n", oneLine(err))
	return exitFailure
}

// errSaid is a failure of which all has been said.
var errSaid = errors.New("failed")

// A usageError is wrong usage that shows only when the command runs.
type usageError struct{ error }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

// oneLine returns the error's text on one line.
func oneLine(err error) string {
	return strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' }), "; ")
}

// rootCommand returns the tree of commands.
func (p Process) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "messngr",
		Short: "The Messenger Service: net send, WinPopup and smbclient -M, received and sent",
		Long: `messngr receives the messages that old machines send with "net send" and
WinPopup, and that Samba sends with "smbclient -M", shows them and keeps them.
It sends such messages too, and says whether the recipient took them.`,
		Version:       p.Version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },

		DisableAutoGenTag: true, // of the manual pages
	}
	root.SetIn(p.Stdin)
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	root.SetVersionTemplate("messngr {{.Version}}\n")
	root.SetFlagErrorFunc(flagError)
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	root.AddCommand(
		p.serveCommand(),
		p.inboxCommand(),
		p.statusCommand(),
		p.netSendCommand(),
		p.neighboursCommand(),
		p.winsCommand(),
		p.injectCommand(),
		p.lookupCommand(),
		p.netCommand(),
		p.configCommand(),
		p.manCommand(),
	)
	mendCobra(root)
	return root
}

// A settings is the flags that choose a configuration.
type settings struct {
	config.Options
}

// dataEnv names the data directory where --data does not.
const dataEnv = "MESSNGR_DATA"

// fileFlag adds --config.
func (s *settings) fileFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.File, "config", "", "configuration `FILE` (default /etc/messngr/messngr.toml)")
	_ = cmd.MarkFlagFilename("config", "toml")
}

// dataFlag adds --data, of every command that talks to the service.
func (s *settings) dataFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.Data, "data", "", "the service's data `DIR` (default $MESSNGR_DATA, else as configured)")
	_ = cmd.MarkFlagDirname("data")
}

// load returns the configuration.
func (s *settings) load() (*config.Config, error) {
	o := s.Options
	if o.Data == "" {
		o.Data = os.Getenv(dataEnv)
	}
	return config.Load(o)
}

func (p Process) configCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "config",
		Short: "Print the reference configuration file: every option, with its default",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprint(p.Stdout, config.Reference)
			return err
		},
	}
}
