package state

import (
	"fmt"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// keyChange gives who must sign the evidence of a key version, and the key set
// that it makes of the one before: what the ledger and those who follow keys
// outside of it agree on. Guardians are part of a key set, so that only those
// whom the account has named itself can recover it.
func keyChange(old KeySet, payload tx.Payload) ([]signer, KeySet, error) {
	admins := []signer{adminSigner(tx.RoleAccount, old)}
	next, version := old, uint64(0)
	switch p := payload.(type) {
	case *tx.RotateKeys:
		admins = rotationSigners(old, p)
		version, next.Threshold, next.Keys = p.Version, p.Threshold, p.Keys
	case *tx.SetGuardians:
		version, next.Guardians = p.Version, p.Guardians
	case *tx.CancelRecovery:
		version = p.Version
	case *tx.StartRecovery:
		by, err := recoverySigners(old, p)
		if err != nil {
			return nil, old, err
		}
		admins = by
		version, next.Threshold, next.Keys = p.Version, p.Threshold, p.Keys
	default:
		return nil, old, forged("a %s changes no keys", payload.Kind())
	}
	if version != old.Version+1 {
		return nil, old, &Error{Kind: BadKeyVersion, Detail: fmt.Sprintf("key version %d, next is %d", version, old.Version+1)}
	}
	next.Version = version
	return admins, next, nil
}

// recoverySigners demands the guardians' threshold and every key of the new
// set: one that is lost must not stay in it by mistake.
func recoverySigners(old KeySet, p *tx.StartRecovery) ([]signer, error) {
	g := old.Guardians
	if g == nil {
		return nil, &Error{Kind: NoGuardians, Detail: "the account has named none"}
	}
	proofs := make([]key.Public, len(p.Keys))
	for i, k := range p.Keys {
		proofs[i] = k.Key
	}
	return []signer{
		{role: tx.RoleNewKey, keys: proofs, threshold: len(proofs)},
		{role: tx.RoleGuardian, keys: g.Keys, threshold: max(1, int(g.Threshold))},
	}, nil
}

// partySigner is any one of the account's guardians and of the given admins.
func partySigner(guardians *tx.Guardians, admins signer) []signer {
	s := signer{role: tx.RoleParty, keys: admins.keys, threshold: 1}
	if guardians != nil {
		s.keys = append(s.keys, guardians.Keys...)
	}
	return []signer{s}
}

// applyKeyChange makes the next version of the acting account's keys, with the
// transaction as its evidence.
func applyKeyChange(s Tree, t *tx.Tx, change func(*Account) error) error {
	a, err := GetAccount(s, t.Body.Account)
	if err != nil {
		return err
	}
	if err := change(&a); err != nil {
		return err
	}
	if _, a.KeySet, err = keyChange(a.KeySet, t.Payload); err != nil {
		return err
	}
	if err := s.Set(KeyChangeKey(t.Body.Account, a.KeySet.Version), t.Bytes()); err != nil {
		return err
	}
	return put(s, AccountKey(t.Body.Account), a)
}

// settled refuses a change of keys while the account is frozen or a recovery is
// open: what the guardians have begun is cancelled openly or carried out.
func settled(a *Account) error {
	if a.Frozen {
		return &Error{Kind: AccountFrozen, Detail: "no key changes but recovery"}
	}
	if a.Recovery != nil {
		return &Error{Kind: RecoveryOpen, Detail: fmt.Sprintf("of key version %d", a.Recovery.Version)}
	}
	return nil
}

// thawed refuses what a frozen account may not do.
func thawed(v View, t *tx.Tx) error {
	a, err := GetAccount(v, t.Body.Account)
	if err == nil && a.Frozen {
		err = &Error{Kind: AccountFrozen, Detail: t.Body.Account.String()}
	}
	return err
}
