package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/messngr/messngr/internal/api"
)

func (p Process) statusCommand() *cobra.Command {
	var s settings
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what the service has open, its names and what it has counted",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := s.load()
			if err != nil {
				return err
			}
			st, err := api.NewClient(cfg.Data).Status(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(p.Stdout)
				enc.SetIndent("", "  ")
				enc.SetEscapeHTML(false)
				return enc.Encode(st)
			}
			return writeStatus(p.Stdout, st)
		},
	}
	s.fileFlag(cmd)
	s.dataFlag(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "as one JSON object")
	return cmd
}

// writeStatus writes st for people.
func writeStatus(w io.Writer, st api.Status) error {
	var b strings.Builder
	fmt.Fprintf(&b, "messngr %s, process %d, up %s, data in %s\n", st.Version, st.PID, time.Since(st.Started).Round(time.Second), st.Data)
	fmt.Fprintf(&b, "Computer %s in workgroup %s, answers to:\n", st.Computer, st.Workgroup)
	for _, n := range st.Names {
		kind := "unique"
		if n.Group {
			kind = "group"
		}
		line := fmt.Sprintf("  %-20s %-6s", n.Name, kind)
		for _, st := range n.States {
			fmt.Fprintf(&b, "%s  %s\n", line, st.Line())
			line = strings.Repeat(" ", len(line))
		}
		if len(n.States) == 0 {
			fmt.Fprintf(&b, "%s  not known to any network\n", line)
		}
	}
	for _, line := range st.PauseLines() {
		fmt.Fprintln(&b, line)
	}
	if st.Copies > 0 {
		fmt.Fprintf(&b, "%d messages came again, another way, and were not shown twice\n", st.Copies)
	}
	for _, l := range st.Listeners {
		fmt.Fprintf(&b, "%s\n", l.Line())
		// What has not happened is left out: there is much of it.
		counters := slices.DeleteFunc(slices.Sorted(maps.Keys(l.Counters)), func(name string) bool { return l.Counters[name] == 0 })
		width := 0
		for _, name := range counters {
			width = max(width, len(name))
		}
		for _, name := range counters {
			fmt.Fprintf(&b, "  %-*s  %d\n", width, strings.ReplaceAll(name, "_", " "), l.Counters[name])
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
