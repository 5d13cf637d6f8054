package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/ncruces/go-strftime"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/messngr/messngr"
	"github.com/messngr/messngr/internal/api"
	"github.com/messngr/messngr/internal/display"
)

func (p Process) inboxCommand() *cobra.Command {
	var s settings
	var asJSON bool
	var after string
	q := api.Query{}
	cmd := &cobra.Command{
		Use:   "inbox",
		Short: "List the messages that have come",
		Long: `List the messages that the running service keeps, oldest first: one line a
message, or with --json one object a line.

An object has id, from, to, text, transport, source (the sender's address),
called and calling (the NetBIOS names of the session), provenance (what is
known of the sender: "claimed" is what it said of itself), sent, received and
state: "received", "displayed", "held" while the recipient has paused, or
"quarantined", which it is until "inbox release" shows it.`,
		Example: `  messngr inbox --last 10
  messngr inbox --watch --last 0
  messngr inbox --state quarantined
  messngr inbox --json | jq -r 'select(.from == "UPS") | .text'`,
		Args:        noArgs,
		Annotations: map[string]string{doesMore: "yes"},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("last") {
				q.Last = -1
			} else if q.Last < 0 {
				return usagef("--last %d: it takes a number of messages", q.Last)
			}
			if after != "" {
				var err error
				if q.After, err = messngr.ParseID(after); err != nil {
					return usagef("--after: %w", err)
				}
			}
			if q.State != "" && !slices.Contains(states, q.State) {
				return usagef("--state %q: it takes one of %s", q.State, strings.Join(stateNames(), ", "))
			}
			if q.State != "" && q.Watch {
				return usagef("--state and --watch do not go together: with --json each message has its state")
			}
			cfg, err := s.load()
			if err != nil {
				return err
			}
			// Where bytes are not UTF-8, those of a harmless letter can be
			// control characters.
			ascii := term.IsTerminal(int(p.Stdout.Fd())) && !display.IsUTF8(os.Getenv)
			line := textLine(display.DateLayout(display.Locale(os.Getenv)), ascii)
			if asJSON {
				line = jsonLine(ascii)
			}
			return p.inbox(cmd.Context(), cfg.Data, q, line)
		},
	}
	s.fileFlag(cmd)
	s.dataFlag(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	cmd.Flags().BoolVar(&q.Watch, "watch", false, "go on with each new message, until Ctrl-C")
	cmd.Flags().IntVar(&q.Last, "last", 0, "only the last `N` messages (default all)")
	cmd.Flags().StringVar(&after, "after", "", "only those after the message with this `ID`")
	cmd.Flags().StringVar((*string)(&q.State), "state", "", "only those in this `STATE`: "+strings.Join(stateNames(), ", "))
	_ = cmd.RegisterFlagCompletionFunc("state", cobra.FixedCompletions(stateNames(), cobra.ShellCompDirectiveNoFileComp))
	cmd.AddCommand(p.releaseCommand())
	return cmd
}

// inbox writes the messages of q, each with line.
func (p Process) inbox(ctx context.Context, data string, q api.Query, line func(io.Writer, api.Message) error) error {
	err := api.NewClient(data).Messages(ctx, q, func(m api.Message) error { return line(p.Stdout, m) })
	if q.Watch && errors.Is(err, context.Canceled) {
		return nil // Ctrl-C is the way to end it
	}
	return err
}

// jsonLine returns a function that writes m as one object, safe for a terminal.
func jsonLine(ascii bool) func(io.Writer, api.Message) error {
	return func(w io.Writer, m api.Message) error {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(m); err != nil {
			return err
		}
		line := display.AppendSafeJSON(nil, b.Bytes())
		if ascii {
			line = asciiJSON(line)
		}
		_, err := w.Write(line)
		return err
	}
}

// asciiJSON returns encoded JSON with every rune outside ASCII, which can only
// stand in a string, escaped.
func asciiJSON(line []byte) []byte {
	var b []byte
	for _, r := range string(line) {
		if r < utf8.RuneSelf {
			b = append(b, byte(r))
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			b = fmt.Appendf(b, `\u%04x`, unit)
		}
	}
	return b
}

// textLine returns a function that writes m as one line for people.
func textLine(date string, ascii bool) func(io.Writer, api.Message) error {
	clean := display.SafeLine
	if ascii {
		clean = func(s string) string { return display.ASCII(display.SafeLine(s)) }
	}
	return func(w io.Writer, m api.Message) error {
		source := m.Source
		if source == "" {
			source = string(m.Transport)
		}
		_, err := fmt.Fprintf(w, "%s  %s%s to %s (%s): %s\n",
			strftime.Format(date, m.Received.Local()), mark(m), clean(m.From), clean(m.To), source, clean(m.Text))
		return err
	}
}
