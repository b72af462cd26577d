package state

import (
	"fmt"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

func finishRecoverySigners(v View, t *tx.Tx) ([]signer, error) {
	a, err := GetAccount(v, t.Body.Account)
	if err != nil {
		return nil, err
	}
	r, err := a.open(t.Payload.(*tx.FinishRecovery).Version)
	if err != nil {
		return nil, err
	}
	_, next, err := recovered(v, t.Body.Account, a.KeySet, r)
	if err != nil {
		return nil, err
	}
	return partySigner(a.KeySet.Guardians, adminSigner(tx.RoleParty, next)), nil
}

// recovered gives the transaction that started a recovery, and the key set that
// it makes.
func recovered(v View, id key.AccountID, old KeySet, r Recovery) (raw []byte, next KeySet, err error) {
	if raw, err = getEnvelope(v, RecoveryKey(id, r.Version)); err != nil {
		return raw, old, err
	}
	t, err := tx.Decode(raw)
	if err != nil {
		return raw, old, fmt.Errorf("recovery of %s: %w", id, err)
	}
	_, next, err = keyChange(old, t.Payload)
	return raw, next, err
}

// applyFinishRecovery puts the new keys in force. What the guardians signed is
// kept as the evidence of the key version.
func applyFinishRecovery(s Tree, b Block, t *tx.Tx) error {
	a, err := GetAccount(s, t.Body.Account)
	if err != nil {
		return err
	}
	r, err := a.open(t.Payload.(*tx.FinishRecovery).Version)
	if err != nil {
		return err
	}
	if now := uint64(max(b.Time, 0)); now < r.Due {
		return &Error{Kind: RecoveryEarly, Detail: fmt.Sprintf("not before %d, block time is %d", r.Due, now)}
	}
	raw, next, err := recovered(s, t.Body.Account, a.KeySet, r)
	if err != nil {
		return err
	}
	a.KeySet, a.Recovery = next, nil
	if err := s.Set(KeyChangeKey(t.Body.Account, next.Version), raw); err != nil {
		return err
	}
	return put(s, AccountKey(t.Body.Account), a)
}
