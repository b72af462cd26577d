package draft

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// RotateKey drafts the replacement of the party's key by next, with the same
// rights. Both sign: the old one gives up its place, the new one proves that
// somebody holds it.
func (l Ledger) RotateKey(p Party, next *key.Private) (*tx.Tx, error) {
	a, err := l.account(p)
	if err != nil {
		return nil, err
	}
	old := p.Key.Public()
	keys := slices.Clone(a.KeySet.Keys)
	for i := range keys {
		if keys[i].Key.Equal(old) {
			keys[i].Key = next.Public()
		}
	}
	t, err := l.rotation(p, a, keys)
	if err != nil {
		return nil, err
	}
	t.Sign(l.Chain, tx.RoleNewKey, next)
	return t, nil
}

// AddKey drafts the owner's half of giving a further key rights; its holder
// adds the other half with AcceptKey.
func (l Ledger) AddKey(p Party, added key.Public, rights tx.Rights) (*tx.Tx, error) {
	a, err := l.account(p)
	if err != nil {
		return nil, err
	}
	t, err := tx.New(p.Account, a.Sequence, l.expires(OfferLife), &tx.RotateKeys{
		Version:   a.KeySet.Version + 1,
		Keys:      append(slices.Clone(a.KeySet.Keys), tx.AccountKey{Key: added, Rights: rights}),
		Threshold: a.KeySet.Threshold,
	})
	if err != nil {
		return nil, err
	}
	t.Sign(l.Chain, tx.RoleAccount, p.Key)
	return t, nil
}

// AddPhone drafts the owner's half of adding a phone's key, which may only
// command the devices. The phone proves itself at once, with ProvePhone.
func (l Ledger) AddPhone(p Party, added key.Public) (*tx.Tx, error) {
	a, err := l.account(p)
	if err != nil {
		return nil, err
	}
	if _, ok := a.KeySet.Find(added.ID()); ok {
		return nil, fmt.Errorf("%s: %w", added.ID(), ErrKeyOfAccount)
	}
	return l.rotation(p, a, append(slices.Clone(a.KeySet.Keys), tx.AccountKey{Key: added, Rights: tx.RightInvoke}))
}

// ProvePhone adds a phone's proof to the transaction that adds its key, if it
// is one.
func (l Ledger) ProvePhone(t *tx.Tx, added key.Public, proof key.Signature) error {
	if err := added.Verify(t.Digest(l.Chain), proof); err != nil {
		return err
	}
	t.AddSig(tx.Sig{Role: tx.RoleNewKey, Key: added.ID(), Bytes: proof})
	return nil
}

// CanSign reports whether the party's key alone may sign for its account, and
// gives the account.
func (l Ledger) CanSign(p Party) (state.Account, error) { return l.account(p) }

// AcceptKey adds the proof of a key that is being added.
func (l Ledger) AcceptKey(k *key.Private, t *tx.Tx) error {
	offer, ok := t.Payload.(*tx.RotateKeys)
	if !ok {
		return fmt.Errorf("%w: a %s adds no key", ErrNotForUs, t.Body.Kind)
	}
	mine := k.Public()
	if !slices.ContainsFunc(offer.Keys, func(o tx.AccountKey) bool { return o.Key.Equal(mine) }) {
		return fmt.Errorf("%w: it does not name %s", ErrNotForUs, mine)
	}
	t.Sign(l.Chain, tx.RoleNewKey, k)
	return nil
}

// RemoveKey drafts the end of a key of the account.
func (l Ledger) RemoveKey(p Party, id key.KeyID) (*tx.Tx, error) {
	a, err := l.account(p)
	if err != nil {
		return nil, err
	}
	keys := slices.DeleteFunc(slices.Clone(a.KeySet.Keys), func(k tx.AccountKey) bool { return k.Key.ID() == id })
	if len(keys) == len(a.KeySet.Keys) {
		return nil, fmt.Errorf("%s: %w", id, ErrNoKeyOfAccount)
	}
	return l.rotation(p, a, keys)
}

func (l Ledger) rotation(p Party, a state.Account, keys []tx.AccountKey) (*tx.Tx, error) {
	return l.build(p, a.Sequence, Life, tx.RoleAccount, &tx.RotateKeys{
		Version: a.KeySet.Version + 1, Keys: keys, Threshold: a.KeySet.Threshold,
	})
}

// ErrKeyOfAccount means that a key has its place in the account already.
var ErrKeyOfAccount = errors.New("a key of the account already")

// ErrNoKeyOfAccount means that a key is not among the account's.
var ErrNoKeyOfAccount = fmt.Errorf("not a key of the account: %w", state.WrongSigner)
