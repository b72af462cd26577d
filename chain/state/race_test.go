//go:build race

package state_test

// histories is small under the race detector: the package has no goroutines.
const histories = "60"

// complete: so few histories need not have every kind of transaction.
const complete = false
