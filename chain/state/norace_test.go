//go:build !race

package state_test

// histories is how many random histories TestModel runs.
const histories = "2000"

// complete: so many histories have every kind of transaction.
const complete = true
