package state

import "github.com/hybridos-net/hybridos/chain/tx"

const (
	// MaxRecord is the longest record: the longest transaction, kept whole, and
	// the fields around it.
	MaxRecord = tx.MaxBytes + 1<<10
	// MaxTxLife is how far ahead of block time a transaction may expire, in
	// seconds.
	MaxTxLife = 24 * 60 * 60
	// MaxFollow is how many key changes a verifier follows in one go, so that a
	// liar cannot keep it busy.
	MaxFollow = 1024
)
