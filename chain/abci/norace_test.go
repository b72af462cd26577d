//go:build !race

package abci

const raced = false
