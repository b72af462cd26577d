package state

import (
	"fmt"

	"github.com/hybridos-net/hybridos/chain/tx"
)

func startRecoverySigners(v View, t *tx.Tx) ([]signer, error) {
	a, err := GetAccount(v, t.Body.Account)
	if err != nil {
		return nil, err
	}
	return recoverySigners(a.KeySet, t.Payload.(*tx.StartRecovery))
}

// applyStartRecovery keeps what the guardians signed and starts the delay, in
// which the owner, if the keys are not lost at all, can cancel. The account's
// keys stay as they are; also a frozen account can be recovered.
func applyStartRecovery(s Tree, b Block, t *tx.Tx) error {
	a, err := GetAccount(s, t.Body.Account)
	if err != nil {
		return err
	}
	if a.Recovery != nil {
		return &Error{Kind: RecoveryOpen, Detail: fmt.Sprintf("of key version %d", a.Recovery.Version)}
	}
	_, next, err := keyChange(a.KeySet, t.Payload)
	if err != nil {
		return err
	}
	a.Recovery = &Recovery{Version: next.Version, Due: uint64(max(b.Time, 0)) + a.KeySet.Guardians.Delay}
	if err := s.Set(RecoveryKey(t.Body.Account, next.Version), t.Bytes()); err != nil {
		return err
	}
	return put(s, AccountKey(t.Body.Account), a)
}

// open gives the recovery of an account, which must be of the given version.
func (a *Account) open(version uint64) (Recovery, error) {
	if a.Recovery == nil {
		return Recovery{}, &Error{Kind: NoRecovery, Detail: "no recovery is open"}
	}
	if a.Recovery.Version != version {
		return Recovery{}, &Error{Kind: BadKeyVersion, Detail: fmt.Sprintf("key version %d, the recovery's is %d", version, a.Recovery.Version)}
	}
	return *a.Recovery, nil
}
