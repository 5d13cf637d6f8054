package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// wirePackages are the packages of what goes over the wire.
var wirePackages = []string{"netbios/...", "smb/...", "mailslot/...", "dcerpc/...", "msgsvc/..."}

// benchmarked are the packages with benchmarks of every wire value, of what
// becomes of them, of text and of the store.
var benchmarked = append([]string{"internal/listener", "internal/oem", "internal/store"}, wirePackages...)

// offTheWay are the parses that a message does not go through.
var offTheWay = map[string]bool{
	"ParseBind":             true, // once for each connection
	"ParseNameEnumResponse": true, // of the client
	"ParseSendHostile":      true, // ends in an error
}

// A benchmark is a line of go test -bench.
type benchmark struct {
	Package string             `json:"package"`
	Name    string             `json:"name"`
	Values  map[string]float64 `json:"values"` // by unit, such as ns/op
}

// isParse reports whether the benchmark parses what arrives with a message,
// which must not allocate.
func (m benchmark) isParse() bool {
	wire := slices.ContainsFunc(wirePackages, func(pattern string) bool { return covers(pattern, m.Package) })
	return (wire || m.isCall()) && strings.HasPrefix(m.Name, "Parse") && !offTheWay[m.Name]
}

// callParseTarget is how many nanoseconds the parse of a call may take: of its
// packet and of what it says.
const callParseTarget = 100

// isCall reports whether the benchmark is that.
func (m benchmark) isCall() bool { return m.Package == "internal/listener" && m.Name == "ParseCall" }

// covers reports whether a pattern such as "netbios/..." stands for a package.
func covers(pattern, pkg string) bool {
	tree, isTree := strings.CutSuffix(pattern, "/...")
	return pkg == tree || isTree && strings.HasPrefix(pkg, tree+"/")
}

// module is the path of this module.
const module = "github.com/messngr/messngr/"

// goBenchmarks runs the benchmarks of the packages.
func (b *bench) goBenchmarks(ctx context.Context) error {
	b.progress("go test -bench of %s", strings.Join(benchmarked, ", "))
	args := []string{"test", "-run", "^$", "-bench", ".", "-benchmem", "-benchtime", b.GoBench}
	for _, pkg := range benchmarked {
		args = append(args, module+pkg)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), "TMPDIR="+b.dir) // the store's files: on the disk
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s%s", cmd, err, out, &stderr)
	}
	if b.report.Benchmarks = parseBenchmarks(string(out)); len(b.report.Benchmarks) == 0 {
		return fmt.Errorf("%s ran no benchmark", cmd)
	}
	return nil
}

// parseBenchmarks reads the output of go test -bench.
func parseBenchmarks(out string) (all []benchmark) {
	pkg := ""
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) == 2 && f[0] == "pkg:" {
			pkg = strings.TrimPrefix(f[1], module)
		}
		// BenchmarkName-2   1000   123 ns/op   4 B/op ...
		if len(f) < 4 || !strings.HasPrefix(f[0], "Benchmark") {
			continue
		}
		name := strings.TrimPrefix(f[0], "Benchmark")
		if i := strings.LastIndexByte(name, '-'); i > 0 {
			name = name[:i]
		}
		m := benchmark{Package: pkg, Name: name, Values: make(map[string]float64)}
		for i := 2; i+1 < len(f); i += 2 {
			if v, err := strconv.ParseFloat(f[i], 64); err == nil {
				m.Values[f[i+1]] = v
			}
		}
		all = append(all, m)
	}
	return all
}
