package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Cobra's words for wrong usage are a programmer's. These are for the one who
// typed it.

// noArgs refuses arguments.
func noArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%q is one word too many", args[0])
	}
	return nil
}

// oneArg wants one argument, which is a what.
func oneArg(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch len(args) {
		case 0:
			return fmt.Errorf("%s is missing", what)
		case 1:
			return nil
		}
		return fmt.Errorf("%q is one word too many", args[1])
	}
}

// flagError says what a flag takes.
func flagError(_ *cobra.Command, err error) error {
	bad := (*pflag.InvalidValueError)(nil)
	if !errors.As(err, &bad) {
		return err
	}
	takes := "it takes a number"
	switch bad.GetFlag().Value.Type() {
	case "uint16":
		takes = "it takes a number up to 65535"
	case "duration":
		takes = "it takes a time such as 10s"
	case "bool":
		takes = "it takes true, false or nothing"
	}
	return fmt.Errorf("--%s %q: %s", bad.GetFlag().Name, bad.GetValue(), takes)
}

// doesMore annotates a command that has commands below it and is more than their
// group.
const doesMore = "does more than to group commands"

// mendCobra gives wrong usage of cobra's own commands an error: they would show
// some help and exit with success. And what only groups commands is not shown
// as a command.
func mendCobra(root *cobra.Command) {
	root.SetUsageTemplate(strings.Replace(root.UsageTemplate(),
		"{{if .Runnable}}", fmt.Sprintf("{{if and .Runnable (or (not .HasAvailableSubCommands) (index .Annotations %q))}}", doesMore), 1))
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "completion":
			cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		case "help":
			show := cmd.Run
			cmd.Run = nil
			cmd.RunE = func(cmd *cobra.Command, args []string) error {
				if _, rest, err := root.Find(args); err != nil || len(rest) > 0 {
					return usagef("there is no command %q", strings.Join(args, " "))
				}
				show(cmd, args)
				return nil
			}
		}
	}
}
