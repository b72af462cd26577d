package ticket

import "github.com/hybridos-net/hybridos/chain/tx"

// Caps of the decoders.
const (
	// MaxText is the longest text form of an invitation.
	MaxText = 128 << 10
	// MaxOffer is the longest offer file: a transaction in base64 and what
	// stands around it.
	MaxOffer = 2*tx.MaxBytes + 1<<10

	maxBytes   = 3 * MaxText / 4
	maxGenesis = 16 << 10 // a ledger with more validators or vendors is pinned by hos init
	maxAddrs   = 8
	maxNodes   = 8
	maxAddr    = 512
)
