package cli

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/messngr/messngr/internal/api"
	"github.com/messngr/messngr/internal/display"
)

func (p Process) neighboursCommand() *cobra.Command {
	var s settings
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "neighbours",
		Short: "List the computers that announce themselves on the network",
		Long: `List the computers that have announced themselves to the browser service of
their workgroup, as Windows and Samba do every few minutes. The running service
has heard them; what they say of themselves is not checked.

"messngr lookup 10.77.0.0/24" asks all addresses of a network instead.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := s.load()
			if err != nil {
				return err
			}
			all, err := api.NewClient(cfg.Data).Neighbours(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return writeLines(p.Stdout, all)
			}
			if len(all) == 0 {
				fmt.Fprintln(p.Stderr, "messngr: nobody has announced himself yet; hosts do so every 12 minutes at the latest")
				return nil
			}
			columns := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(columns, "NAME\tWORKGROUP\tADDRESS\tOS\tSEEN\tCOMMENT")
			for _, n := range all {
				fmt.Fprintf(columns, "%s\t%s\t%s\t%s\t%s\t%s\n", display.SafeLine(n.Name), display.SafeLine(n.Workgroup), n.Address, n.OS,
					time.Since(n.Seen).Round(time.Second).String()+" ago", display.SafeLine(n.Comment))
			}
			return columns.Flush()
		},
	}
	s.fileFlag(cmd)
	s.dataFlag(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON, one object a line")
	return cmd
}
