package engine

import (
	"github.com/cometbft/cometbft/abci/types"

	"github.com/hybridos-net/hybridos/chain/abci"
)

// App is the application that the engine drives: chain/abci's, or a peer that
// is measured against it.
type App interface {
	types.Application
	// Failed is closed when the application cannot go on; nil means never.
	Failed() <-chan struct{}
	// Err tells why; nil while it runs.
	Err() error
}

var _ App = (*abci.App)(nil)
