package bench

import (
	"slices"
	"time"
)

// sample is the durations of one run.
type sample []time.Duration

// quantile gives the duration below which the fraction q of the sample lies.
func (s sample) quantile(q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(s))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// median gives the middle of a few figures, the lower one of two.
func median[T int | float64 | time.Duration](v []T) T {
	sorted := slices.Sorted(slices.Values(v))
	return sorted[(len(sorted)-1)/2]
}
