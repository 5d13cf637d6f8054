// Command tally reads the output of "go test -json" and prints what a person
// wants of it: the line of each package and all that a failed test has said.
// With -o it appends a line for each test to a file, fields separated by tabs:
// pass, fail or skip; package and name; the reason of a skip.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
)

func main() {
	output := flag.String("o", os.DevNull, "append the results to this `file`")
	flag.Parse()
	if err := run(*output); err != nil {
		fmt.Fprintln(os.Stderr, "tally:", err)
		os.Exit(1)
	}
}

func run(output string) error {
	results, err := os.OpenFile(output, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return errors.Join(tally(os.Stdin, os.Stdout, results), results.Close())
}

// An event is one line of "go test -json": go doc test2json.
type event struct {
	Action, Package, Test, ImportPath, Output string
}

// tally reads events from in, prints to out and writes results.
func tally(in io.Reader, out, results io.Writer) error {
	said := map[string]string{} // what a test, or a package as a whole, has said
	failed := map[string]bool{} // packages with a failed test
	for events := json.NewDecoder(in); ; {
		var e event
		if err := events.Decode(&e); err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("go test -json: %w", err)
		}
		name := strings.TrimSuffix(e.Package+" "+e.Test, " ")
		switch {
		case e.Action == "build-output":
			fmt.Fprint(out, e.Output)
		case e.Action == "output":
			if !strings.HasPrefix(e.Output, "=== ") { // RUN, PAUSE, CONT, NAME
				said[name] += e.Output
			}
		case e.Test == "" && e.Action == "fail":
			fmt.Fprint(out, said[name])
			if !failed[e.Package] { // it did not build, or failed outside its tests
				fmt.Fprintf(results, "fail\t%s\n", name)
			}
		case e.Test == "" && (e.Action == "pass" || e.Action == "skip"):
			fmt.Fprint(out, lastLine(said[name]))
		case e.Action == "fail":
			fmt.Fprint(out, said[name])
			failed[e.Package] = true
			fmt.Fprintf(results, "fail\t%s\n", name)
		case e.Action == "skip":
			fmt.Fprintf(results, "skip\t%s\t%s\n", name, reason(said[name]))
		case e.Action == "pass":
			fmt.Fprintf(results, "pass\t%s\n", name)
		}
	}
}

func lastLine(s string) string {
	i := strings.LastIndexByte(strings.TrimSuffix(s, "\n"), '\n')
	return s[i+1:]
}

var logLine = regexp.MustCompile(`(?m)^ *\S+\.go:\d+: (.*)$`)

// reason returns what a skipped test has logged last.
func reason(output string) string {
	lines := logLine.FindAllStringSubmatch(output, -1)
	if lines == nil {
		return "no reason given"
	}
	return strings.ReplaceAll(lines[len(lines)-1][1], "\t", " ")
}
