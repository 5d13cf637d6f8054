package main

import "slices"

// A summary is what is said of several values.
type summary struct {
	Min    float64 `json:"min"`
	Median float64 `json:"median"`
	Max    float64 `json:"max"`
}

// summarize returns the summary of values; there is at least one.
func summarize(values []float64) summary {
	v := slices.Sorted(slices.Values(values))
	n := len(v)
	return summary{v[0], (v[(n-1)/2] + v[n/2]) / 2, v[n-1]}
}

// ratios returns the summary of a/b, pair by pair: what shares a round shares
// the mood of the machine.
func ratios(a, b []float64) summary {
	r := make([]float64, len(a))
	for i := range a {
		r[i] = a[i] / b[i]
	}
	return summarize(r)
}
