package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/internal/api"
)

// serviceName is the service as Windows names it.
const serviceName = "Messenger"

// isMessenger reports whether a word is the name of our service.
func isMessenger(word string) bool { return strings.EqualFold(word, serviceName) }

// stopTimeout is the longest time that the service may take to end.
const stopTimeout = 30 * time.Second

// controlCommands are `net start`, `net stop`, `net pause` and `net continue`.
func (p Process) controlCommands() []*cobra.Command {
	return []*cobra.Command{
		p.controlCommand("pause", "Have messages held instead of shown", `Have the running service hold messages: they are kept and not shown, until "net
continue messenger", also over a restart. Who sends one over a session is told
that the recipient has paused.`,
			func(ctx context.Context, service *api.Client) error {
				if err := service.Pause(ctx); err != nil {
					return err
				}
				say(p.Stdout, messngr.MsgServicePaused, serviceName)
				return nil
			}),
		p.controlCommand("continue", "Show messages again, and those that were held", `Have the running service show messages again: first those that were held, in
the order in which they came.`,
			func(ctx context.Context, service *api.Client) error {
				if err := service.Continue(ctx); err != nil {
					return err
				}
				say(p.Stdout, messngr.MsgServiceContinued, serviceName)
				return nil
			}),
		p.controlCommand("start", "Say whether the service runs, and how to start it", `Say whether the service runs, and how to start it if it does not: it is a
program of its own, "messngr serve".`, p.netStart),
		p.controlCommand("stop", "End the service", `End the running service, as Ctrl-C where it was started does. The exit status
is 0 when it has ended.`, p.netStop),
	}
}

// controlCommand is one of the commands whose one word is the service's name.
func (p Process) controlCommand(name, short, long string, run func(context.Context, *api.Client) error) *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:   name + " messenger",
		Short: short,
		Long:  long,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := oneArg("the service, messenger,")(cmd, args); err != nil {
				return err
			}
			if !isMessenger(args[0]) {
				return fmt.Errorf("%q is another service: this one is messenger", args[0])
			}
			return nil
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return []string{strings.ToLower(serviceName)}, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := s.load()
			if err != nil {
				return err
			}
			return p.sayNumber(run(cmd.Context(), api.NewClient(cfg.Data)))
		},
	}
	s.fileFlag(cmd)
	s.dataFlag(cmd)
	return cmd
}

// netStart starts nothing: who runs the service, where and as whom is for a
// person to say, or for the system's own service manager.
func (p Process) netStart(ctx context.Context, service *api.Client) error {
	st, err := service.Status(ctx)
	if err == nil {
		return &numbered{messngr.NERRMsgAlreadyStarted, fmt.Sprintf("it is process %d, with its data in %s", st.PID, st.Data)}
	}
	if !errors.Is(err, messngr.NERRMsgNotStarted) {
		return err
	}
	say(p.Stderr, messngr.MsgServiceNotStarted, serviceName)
	fmt.Fprintf(p.Stderr, "\nmessngr: it is a program of its own: start it with \"%s serve\"\n", p.program())
	return errSaid
}

// A numbered error is one for which Windows has a number.
type numbered struct {
	number messngr.NERR
	text   string
}

func (e *numbered) Error() string { return e.text }
func (e *numbered) Unwrap() error { return e.number }

func (p Process) netStop(ctx context.Context, service *api.Client) error {
	if _, err := service.Status(ctx); err != nil {
		return err
	}
	say(p.Stdout, messngr.MsgServiceStopping, serviceName)
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	err := service.Stop(ctx)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the service has not ended after %v: messngr status says which process it is", stopTimeout)
	case err != nil:
		return err
	}
	say(p.Stdout, messngr.MsgServiceStopped, serviceName)
	return nil
}
