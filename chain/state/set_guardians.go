package state

import "github.com/hybridos-net/hybridos/chain/tx"

func applySetGuardians(s Tree, _ Block, t *tx.Tx) error { return applyKeyChange(s, t, settled) }
