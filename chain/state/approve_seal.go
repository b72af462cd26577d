package state

import (
	"fmt"

	"github.com/hybridos-net/hybridos/chain/tx"
)

func applyApproveSeal(s Tree, b Block, t *tx.Tx) error {
	p := t.Payload.(*tx.ApproveSeal)
	if err := sealable(s, t, p.Device, p.Epoch); err != nil {
		return err
	}
	r, err := GetSeal(s, p.Device, p.Command)
	if err != nil {
		return err
	}
	switch {
	case r.Status != SealOpen:
		return &Error{Kind: SealClosed, Detail: p.Command.String() + " is sealed"}
	case len(r.Txs) >= tx.MaxKeys: // of keys that came and went
		return &Error{Kind: SealClosed, Detail: fmt.Sprintf("%s has %d approvals", p.Command, len(r.Txs))}
	case uint64(max(b.Time, 0)) >= r.Until:
		return &Error{Kind: SealExpired, Detail: fmt.Sprintf("%s ended at %d", p.Command, r.Until)}
	}
	if err := r.approve(s, b, t); err != nil {
		return err
	}
	return put(s, SealKey(p.Device, p.Command), r)
}
