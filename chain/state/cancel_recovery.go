package state

import (
	"fmt"

	"github.com/hybridos-net/hybridos/chain/tx"
)

// applyCancelRecovery spends the key version that the guardians signed for, so
// that their signatures are worth nothing afterwards.
func applyCancelRecovery(s Tree, b Block, t *tx.Tx) error {
	return applyKeyChange(s, t, func(a *Account) error {
		r, err := a.open(t.Payload.(*tx.CancelRecovery).Version)
		if err != nil {
			return err
		}
		if now := uint64(max(b.Time, 0)); now >= r.Due {
			return &Error{Kind: RecoveryDue, Detail: fmt.Sprintf("since %d, block time is %d", r.Due, now)}
		}
		a.Recovery = nil
		return nil
	})
}
