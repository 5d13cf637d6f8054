package main

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/dustin/go-humanize"
)

// A table is rows of cells in aligned columns.
type table struct {
	right int // number of the first column that is aligned to the right; the last one never is
	rows  [][]string
}

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) write(b *strings.Builder) {
	widths := make([]int, len(t.rows[0]))
	for _, row := range t.rows {
		for i, s := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(s))
		}
	}
	for _, row := range t.rows {
		var line strings.Builder
		for i, s := range row {
			width := widths[i]
			if i < t.right || i == len(row)-1 {
				width = -width
			}
			fmt.Fprintf(&line, "  %*s", width, s)
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}

// What is said of a target.
const (
	met    = "met"
	missed = "missed"
)

func atLeast(v, target float64) string {
	if v >= target {
		return met
	}
	return missed
}

func atMost[T int64 | float64](v, target T) string {
	if v <= target {
		return met
	}
	return missed
}

func number(v float64) string {
	if v < 10 && v != float64(int(v)) {
		return fmt.Sprintf("%.2f", v)
	}
	return humanize.Comma(int64(v + 0.5))
}

func ratio(v float64) string { return fmt.Sprintf("%.2f", v) }

func spread(s summary) string { return fmt.Sprintf("(%.2f to %.2f)", s.Min, s.Max) }

func mib(n int64) string { return fmt.Sprintf("%.1f", float64(n)/(1<<20)) }
