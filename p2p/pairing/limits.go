package pairing

import "github.com/hybridos-net/hybridos/chain/tx"

// Caps of the conversation and the code.
const (
	// MaxMessage is the longest message: a transaction and what is around it.
	MaxMessage = tx.MaxBytes + 1<<10

	maxDetail    = 200
	maxAddrs     = 8
	maxCodeBytes = 2 << 10
	maxCodeText  = 4 << 10
)
