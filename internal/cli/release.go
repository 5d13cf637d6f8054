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
	"github.com/messngr/messngr/internal/display"
)

// states are those that a message can be in.
var states = []messngr.State{messngr.Received, messngr.Displayed, messngr.Held, messngr.Quarantined}

// stateNames returns the states as words.
func stateNames() []string {
	var names []string
	for _, s := range states {
		names = append(names, string(s))
	}
	return names
}

// mark returns what stands before a message in the list: nothing, unless it is
// not shown; for one that a person can release, with its ID.
func mark(m api.Message) string {
	switch m.State {
	case messngr.Held:
		return "[held] "
	case messngr.Quarantined:
		return fmt.Sprintf("[quarantined %v] ", m.ID)
	}
	return ""
}

func (p Process) releaseCommand() *cobra.Command {
	var s settings
	var which api.Release
	cmd := &cobra.Command{
		Use:   "release ID... | --all",
		Short: "Show messages that are quarantined",
		Long: `Have the running service show messages that it has quarantined, as any other
message. While the recipient has paused, that is when it continues.

"inbox --state quarantined" lists them with their IDs.`,
		Example: `  messngr inbox release 019ac1f2-6c5e-7c1b-9f0e-3d2b5a4c7e10
  messngr inbox release --all`,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case which.All && len(args) > 0:
				return fmt.Errorf("%q is one word too many: --all is all of them", args[0])
			case !which.All && len(args) == 0:
				return errors.New("the ID of a message, or --all, is missing")
			}
			for _, arg := range args {
				id, err := messngr.ParseID(arg)
				if err != nil {
					return err
				}
				which.IDs = append(which.IDs, id)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := s.load()
			if err != nil {
				return err
			}
			n, err := api.NewClient(cfg.Data).Release(cmd.Context(), which)
			if err != nil {
				return err
			}
			what := fmt.Sprintf("%d messages were released.", n)
			if n == 1 {
				what = "1 message was released."
			}
			_, err = fmt.Fprintln(p.Stdout, what)
			return err
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			return completeQuarantined(cmd.Context(), s, args), cobra.ShellCompDirectiveNoFileComp
		},
	}
	s.fileFlag(cmd)
	s.dataFlag(cmd)
	cmd.Flags().BoolVar(&which.All, "all", false, "all that are quarantined")
	return cmd
}

// completeTimeout bounds what a person waits for between two keys.
const completeTimeout = 2 * time.Second

// completeQuarantined returns the IDs of the latest quarantined messages that are
// not among args, each with what it says.
func completeQuarantined(ctx context.Context, s settings, args []string) []string {
	const most = 50
	cfg, err := s.load()
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, completeTimeout)
	defer cancel()
	var ids []string
	named := strings.Join(args, " ")
	err = api.NewClient(cfg.Data).Messages(ctx, api.Query{State: messngr.Quarantined, Last: most}, func(m api.Message) error {
		if id := m.ID.String(); !strings.Contains(named, id) {
			ids = append(ids, id+"\t"+display.SafeLine(m.From)+": "+display.SafeLine(m.Text))
		}
		return nil
	})
	if err != nil {
		return nil
	}
	return ids
}
