//go:build race

package abci

// raced is set under the race detector, where everything takes ten times as
// long: the replay then runs the diagonal of its table.
const raced = true
