// Package state is the ledger's rules: the records, where they stand in the
// tree, who must sign which transaction, and what a transaction does.
//
// It is pure: no clock, randomness, map order, float or goroutine, so that all
// validators agree. It keeps nothing itself; chain/store does. Validators call
// Check and Apply; devices and wallets call the functions of rights.go, which
// re-check owners' signatures without trusting any validator.
//
// What must never change: the key layout, the meaning of a record's fields, and
// that every right in a record comes with the signed transaction that gave it.
package state

import (
	"errors"
	"fmt"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// View reads records. It is implemented by the ledger's tree and by light
// clients that verify every value with a proof.
type View interface {
	// Get returns the record's bytes, or nil if there is none. An error means
	// that it is not known whether there is one.
	Get(key []byte) ([]byte, error)
}

// Tree is a View that can be written.
type Tree interface {
	View
	// Set stores a record.
	Set(key, value []byte) error
}

// Block is the block in which a transaction executes.
type Block struct {
	Chain  codec.ChainDigest
	Height int64
	Time   int64 // Unix seconds of the block's header
	// Verify checks signatures; nil means each one afresh.
	Verify Verifier
}

// Check decides whether t may execute in the given block: it is alive, its
// sequence number is next, and exactly the required signers signed it. It
// writes nothing.
func Check(v View, b Block, t *tx.Tx) error {
	rule, err := ruleOf(t.Body.Kind)
	if err != nil {
		return err
	}
	if err := checkExpiry(b, t.Body.Expires); err != nil {
		return err
	}
	if err := checkSequence(v, t, rule.actor); err != nil {
		return err
	}
	signers, err := rule.signers(v, t)
	if err != nil {
		return err
	}
	if !rule.demands(signers) {
		return &Error{Kind: NotAuthorised, Detail: t.Body.Kind.String() + " asks for other roles than its rule lists"}
	}
	check := b.Verify
	if check == nil {
		check = key.Public.Verify
	}
	return verifyWith(check, t, t.Digest(b.Chain), signers)
}

// Apply executes t, which must have passed Check against the same state. On
// error the tree may hold part of the change and must be discarded; Overlay
// exists for that.
func Apply(s Tree, b Block, t *tx.Tx) error {
	rule, err := ruleOf(t.Body.Kind)
	if err != nil {
		return err
	}
	if err := rule.apply(s, b, t); err != nil {
		return err
	}
	return bumpSequence(s, t, rule.actor)
}

// Execute is Check and Apply on an overlay: either all of the transaction
// reaches s, or nothing.
func Execute(s Tree, b Block, t *tx.Tx) error {
	o := newAttempt(s)
	if err := Check(o, b, t); err != nil {
		return err
	}
	if err := Apply(o, b, t); err != nil {
		return err
	}
	return o.Flush()
}

// checkExpiry bounds the life of a transaction from both sides: without the
// upper bound, a captured one could wait for years.
func checkExpiry(b Block, expires uint64) error {
	now := uint64(max(b.Time, 0))
	if now >= expires {
		return &Error{Kind: TxExpired, Detail: fmt.Sprintf("expired at %d, block time is %d", expires, now)}
	}
	if expires-now > MaxTxLife {
		return &Error{Kind: TxLifeTooLong, Detail: fmt.Sprintf("lives for %d s, at most %d", expires-now, uint64(MaxTxLife))}
	}
	return nil
}

// checkSequence demands the actor's next number. A claim may come from an
// account that does not exist yet; its number is 0.
func checkSequence(v View, t *tx.Tx, a actor) error {
	want, err := sequence(v, t, a)
	if err != nil {
		return err
	}
	if t.Body.Sequence != want {
		return &Error{Kind: BadSequence, Detail: fmt.Sprintf("sequence %d, next is %d", t.Body.Sequence, want)}
	}
	return nil
}

func sequence(v View, t *tx.Tx, a actor) (uint64, error) {
	switch a {
	case actorVendor:
		ven, err := GetVendor(v, t.Body.Account)
		return ven.Sequence, err
	case actorGovernor:
		gov, err := GetGovernor(v, t.Body.Account)
		return gov.Sequence, err
	case actorGrantee:
		g, err := GetGrant(v, t.Payload.(*tx.DelegateGrant).Parent)
		return g.Next, err
	}
	acc, err := GetAccount(v, t.Body.Account)
	if a == actorMaybeNew && errors.Is(err, NoAccount) {
		return 0, nil
	}
	return acc.Sequence, err
}

func bumpSequence(s Tree, t *tx.Tx, a actor) error {
	switch a {
	case actorVendor:
		ven, err := GetVendor(s, t.Body.Account)
		if err != nil {
			return err
		}
		ven.Sequence++
		return put(s, VendorKey(t.Body.Account), ven)
	case actorGovernor:
		gov, err := GetGovernor(s, t.Body.Account)
		if err != nil {
			return err
		}
		gov.Sequence++
		return put(s, GovernorKey(t.Body.Account), gov)
	case actorGrantee:
		id := t.Payload.(*tx.DelegateGrant).Parent
		g, err := GetGrant(s, id)
		if err != nil {
			return err
		}
		g.Next++
		return put(s, GrantKey(id), g)
	}
	acc, err := GetAccount(s, t.Body.Account)
	if err != nil {
		return err
	}
	acc.Sequence++
	return put(s, AccountKey(t.Body.Account), acc)
}
