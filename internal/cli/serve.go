package cli

import (
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/messngr/messngr/internal/display"
	"github.com/messngr/messngr/internal/server"
)

func (p Process) serveCommand() *cobra.Command {
	var s settings
	var greet bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Receive messages and show them, until Ctrl-C",
		Long: `Receive messages, keep them and show each on the standard output.

It listens on TCP port 139 and UDP port 138 for messages, and on UDP port 137
for those who look for this computer by name. All take a privilege, and what
cannot be opened is said, with the remedy, and tried again. Only addresses of
this host's own private networks are served, until the configuration names
others.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := s.load()
			if err != nil {
				return err
			}
			// A reader that goes away (serve | head) must not end the service.
			ignorePipe()
			isTerminal := p.describeTerminal(&cfg.Display)
			return server.Run(cmd.Context(), cfg, server.Options{
				Version: p.Version,
				Program: p.program(),
				Out:     p.Stdout, Terminal: isTerminal, Width: p.columns,
				Banner: p.Stderr,
				Log:    slog.New(slog.NewTextHandler(p.Stderr, &slog.HandlerOptions{Level: cfg.Log})),
				Greet:  greet,
			})
		},
	}
	s.fileFlag(cmd)
	s.dataFlag(cmd)
	cmd.Flags().StringVar(&s.Name, "name", "", "computer `NAME`, at most 15 characters (default the host's)")
	cmd.Flags().StringVar(&s.Workgroup, "workgroup", "", "`WORKGROUP` or domain")
	cmd.Flags().BoolVar(&greet, "greet", false, "send a first message to this computer, to see that all works")
	return cmd
}

// program returns how the user calls this program again: by its name if that
// leads here, as it does once installed, else as it was called: bin/messngr.
func (p Process) program() string {
	const name = "messngr"
	called := p.Args[0]
	if filepath.Base(called) == called { // found in PATH
		return name
	}
	if found, err := exec.LookPath(name); err == nil && sameFile(found, called) {
		return name
	}
	return called
}

func sameFile(a, b string) bool {
	x, xerr := os.Stat(a)
	y, yerr := os.Stat(b)
	return xerr == nil && yerr == nil && os.SameFile(x, y)
}

// describeTerminal sets the part of c that depends on the standard output, and
// reports whether that is a terminal.
func (p Process) describeTerminal(c *display.Config) bool {
	fd := int(p.Stdout.Fd())
	c.Locale = display.Locale(os.Getenv)
	if !term.IsTerminal(fd) {
		c.Bell = false
		return false
	}
	c.ASCII = !display.IsUTF8(os.Getenv)
	c.Color = os.Getenv("NO_COLOR") == ""
	return true
}

// columns returns the width of the standard output; 0 when it has none.
func (p Process) columns() int {
	width, _, err := term.GetSize(int(p.Stdout.Fd()))
	if err != nil {
		return 0
	}
	return width
}
