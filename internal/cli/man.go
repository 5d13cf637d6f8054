package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func (p Process) manCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "man DIRECTORY",
		Short: "Write the manual pages into a directory",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("cannot make the directory: %w", err)
			}
			head := &doc.GenManHeader{Title: "MESSNGR", Section: "1", Source: "messngr " + p.Version, Manual: "Messngr"}
			return doc.GenManTree(cmd.Root(), head, args[0])
		},
	}
}
