package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/internal/api"
)

func (p Process) netNameCommand() *cobra.Command {
	var s settings
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "name [flags] [NAME [/add | /delete]]",
		Short: "List, add and delete the names under which messages are received",
		Long: `List the names under which the service receives messages: without NAME. With a
NAME, have the service claim it on the network and keep it, also over a restart;
with /delete, have it give the name up.

A name that another computer has is not added: it is said which one has it.`,
		Example: `  messngr net name
  messngr net name ALICE
  messngr net name ALICE /delete`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 2 {
				return fmt.Errorf("%q is one word too many", args[2])
			}
			if len(args) == 2 && !isSwitch(args[1], "add") && !isSwitch(args[1], "delete") {
				return fmt.Errorf("%q is neither /add nor /delete", args[1])
			}
			if len(args) > 0 && strings.HasPrefix(args[0], "/") {
				return fmt.Errorf("the NAME is missing before %s", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := s.load()
			if err != nil {
				return err
			}
			service := api.NewClient(cfg.Data)
			switch {
			case len(args) == 0:
				err = p.listNames(cmd.Context(), service, asJSON)
			case len(args) == 2 && isSwitch(args[1], "delete"):
				err = p.deleteName(cmd.Context(), service, args[0])
			default:
				err = p.addName(cmd.Context(), service, args[0], asJSON)
			}
			return p.sayNumber(err)
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			return p.completeNames(cmd.Context(), s, args), cobra.ShellCompDirectiveNoFileComp
		},
	}
	s.fileFlag(cmd)
	s.dataFlag(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "list as JSON, one object a line")
	return cmd
}

// isSwitch reports whether a word is a switch of Windows, such as /ADD.
func isSwitch(word, name string) bool { return strings.EqualFold(word, "/"+name) }

func (p Process) listNames(ctx context.Context, service *api.Client, asJSON bool) error {
	all, err := service.Aliases(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		return writeLines(p.Stdout, all)
	}
	var b strings.Builder
	title, _ := messngr.MsgName.Text()
	fmt.Fprintf(&b, "\n%s\n%s\n", title, strings.Repeat("-", 79))
	columns := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, a := range all {
		if what := standing(a); what != "" {
			fmt.Fprintf(columns, "%s\t%s\n", a.Name, what)
		} else {
			fmt.Fprintln(columns, a.Name) // as Windows lists it
		}
	}
	columns.Flush()
	text, _ := messngr.MsgCommandSuccessful.Text()
	_, err = fmt.Fprintf(p.Stdout, "%s%s\n\n", b.String(), text)
	return err
}

// standing says what is not as it should be about a name; "" if all is well.
func standing(a api.Alias) string {
	if a.Warning != "" {
		return a.Warning
	}
	var wrong []string
	for _, st := range a.States {
		if st.State != "owned" {
			wrong = append(wrong, st.Line())
		}
	}
	return strings.Join(wrong, "; ")
}

func (p Process) addName(ctx context.Context, service *api.Client, name string, asJSON bool) error {
	a, err := service.AddAlias(ctx, name)
	if err != nil {
		return err
	}
	if asJSON {
		return writeLines(p.Stdout, []api.Alias{a})
	}
	say(p.Stdout, messngr.MsgNameAdded, a.Name)
	if what := standing(a); what != "" {
		fmt.Fprintf(p.Stderr, "messngr: %s\n", what)
	}
	return nil
}

func (p Process) deleteName(ctx context.Context, service *api.Client, name string) error {
	if err := service.DeleteAlias(ctx, name); err != nil {
		return err
	}
	say(p.Stdout, messngr.MsgNameDeleted, strings.ToUpper(strings.TrimSpace(name)))
	return nil
}

// sayNumber says an error that has a number in the words of Windows and in
// ours, and returns any other as it is.
func (p Process) sayNumber(err error) error {
	var number messngr.NERR
	if problem := (*api.Problem)(nil); errors.As(err, &problem) {
		number = problem.NERR
	} else if !errors.As(err, &number) {
		return err
	}
	if number == 0 {
		return err
	}
	fmt.Fprintf(p.Stderr, "%v\n\n", number)
	say(p.Stderr, messngr.MsgHelpAvailable, fmt.Sprint(uint16(number)))
	fmt.Fprintf(p.Stderr, "\nmessngr: %s\n", oneLine(err))
	return errSaid
}

// completeNames returns the words that can come next.
func (p Process) completeNames(ctx context.Context, s settings, args []string) []string {
	switch len(args) {
	case 0:
		cfg, err := s.load()
		if err != nil {
			return nil
		}
		all, err := api.NewClient(cfg.Data).Aliases(ctx)
		if err != nil {
			return nil
		}
		var names []string
		for _, a := range all {
			if a.Origin == api.OfCommand {
				names = append(names, a.Name)
			}
		}
		return names
	case 1:
		return []string{"/add", "/delete"}
	}
	return nil
}

// writeLines writes each value as a line of JSON.
func writeLines[T any](w io.Writer, values []T) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, v := range values {
		if err := enc.Encode(v); err != nil {
			return err
		}
	}
	return nil
}
