package main

import (
	"bytes"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

// Every wire package with a Parse has benchmarks that the bench runs.
func TestBenchmarked(t *testing.T) {
	root := os.DirFS("../..")
	has := map[string]map[string]bool{} // what a package has
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || name == ".":
			return err
		case d.IsDir() && (name == "internal" || name == "cmd" || strings.HasPrefix(name, ".")):
			return fs.SkipDir
		case path.Ext(name) != ".go" || path.Dir(name) == ".":
			return nil
		}
		b, err := fs.ReadFile(root, name)
		for _, what := range []string{"\nfunc Parse", "\nfunc BenchmarkParse"} {
			if bytes.Contains(b, []byte(what)) {
				if has[path.Dir(name)] == nil {
					has[path.Dir(name)] = map[string]bool{}
				}
				has[path.Dir(name)][what] = true
			}
		}
		return err
	})
	if err != nil || len(has) < 5 {
		t.Fatalf("%d packages, %v", len(has), err)
	}
	for pkg, what := range has {
		if pkg == "dcerpc" {
			continue // its Parse reads what a person writes
		}
		if !what["\nfunc BenchmarkParse"] {
			t.Errorf("%s has a Parse and no benchmark of it", pkg)
		}
		if !slices.ContainsFunc(benchmarked, func(pattern string) bool { return covers(pattern, pkg) }) {
			t.Errorf("%s is not among what the bench runs: %q", pkg, benchmarked)
		}
	}
}

func TestIsParse(t *testing.T) {
	for _, tt := range []struct {
		pkg, name string
		want      bool
	}{
		{"smb", "Parse/single-alice", true},
		{"smb", "ParseTransaction", true},
		{"smb", "Append/start", false},
		{"netbios", "ParseName", true},
		{"netbios/nbns", "Parse/nmbd-query-broadcast", true},
		{"mailslot", "Parse", true},
		{"dcerpc/ncadg", "Parse/request", true},
		{"msgsvc", "ParseSend", true},
		{"msgsvc", "ParseSendHostile", false},
		{"internal/listener", "ParseCall", true},
		{"internal/listener", "Throughput/single", false},
		{"netbiosx", "ParseName", false},
		{"internal/oem", "Parse", false},
	} {
		if got := (benchmark{Package: tt.pkg, Name: tt.name}).isParse(); got != tt.want {
			t.Errorf("%s %s: %v", tt.pkg, tt.name, got)
		}
	}
}
