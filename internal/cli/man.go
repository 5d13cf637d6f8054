package cli

import (
	"fmt"
	"os"
	"regexp"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"
)

func (p Process) manCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "man DIRECTORY",
		Short: "Write the manual pages into a directory",
		Args:  oneArg("the DIRECTORY"),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("cannot make the directory: %w", err)
			}
			head := &doc.GenManHeader{Section: "1", Source: "messngr " + p.Version, Manual: "Messngr"}
			escapeTags(cmd.Root())
			return doc.GenManTree(cmd.Root(), head, args[0])
		},
	}
}

var tag = regexp.MustCompile(`<\w`)

// escapeTags keeps what stands in angle brackets, as in HOST2<03>: the pages are
// made by way of Markdown, where it is a tag of HTML and vanishes. Any other "<"
// stays: in the shell's "source <(...)", a block of code, the escape would show.
func escapeTags(cmd *cobra.Command) {
	escape := func(s string) string { return tag.ReplaceAllString(s, `\$0`) }
	cmd.Short, cmd.Long = escape(cmd.Short), escape(cmd.Long)
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) { f.Usage = escape(f.Usage) })
	for _, c := range cmd.Commands() {
		escapeTags(c)
	}
}
