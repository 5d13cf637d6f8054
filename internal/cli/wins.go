package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/messngr/messngr/internal/api"
	"github.com/messngr/messngr/internal/display"
)

func (p Process) winsCommand() *cobra.Command {
	var s settings
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "wins",
		Short: "List the names that the name server of this station knows",
		Long: `List the names that this station knows as a name server (WINS), which it is with
serve = true in the [wins] of its configuration: who has registered them, with
which addresses, and until when they are good if nobody refreshes them. A name
that is released has no owner any more; who claims it has it.`,
		Example: `  messngr wins
  messngr wins --json | jq -r 'select(.state == "active") | .name'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := s.load()
			if err != nil {
				return err
			}
			out := bufio.NewWriter(p.Stdout)
			line := func(n api.WINSName) error { return writeWINSName(out, n) }
			if asJSON {
				enc := json.NewEncoder(out)
				enc.SetEscapeHTML(false)
				line = func(n api.WINSName) error { return enc.Encode(n) }
			}
			count := 0
			err = api.NewClient(cfg.Data).WINS(cmd.Context(), func(n api.WINSName) error {
				if count++; count == 1 && !asJSON {
					fmt.Fprintf(out, winsLine, "NAME", "KIND", "STATE", "GOOD UNTIL", "ADDRESSES")
				}
				return line(n)
			})
			if e := out.Flush(); err == nil {
				err = e
			}
			switch {
			case err != nil || asJSON:
				return err
			case count == 0:
				fmt.Fprintln(p.Stderr, "messngr: no host has registered a name yet")
			}
			return nil
		},
	}
	s.fileFlag(cmd)
	s.dataFlag(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON, one object a line")
	return cmd
}

// winsLine is a name: there may be a million of them, so nobody waits to see how
// wide they are.
const winsLine = "%-19s  %-14s  %-8s  %-19s  %s\n"

func writeWINSName(out *bufio.Writer, n api.WINSName) error {
	state, until := n.State, n.Expires.Local().Format("2006-01-02 15:04:05")
	if n.Static {
		state, until = "static", "for ever"
	}
	_, err := fmt.Fprintf(out, winsLine, display.SafeLine(n.Name), n.Kind, state, until, strings.Join(n.Addresses, " "))
	return err
}
