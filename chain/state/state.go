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
// sequence number is next, its account has some of its quota left, and exactly
// the required signers signed it. The costly signatures come last. It writes
// nothing.
func Check(v View, b Block, t *tx.Tx) error {
	rule, err := ruleOf(t.Body.Kind)
	if err != nil {
		return err
	}
	if err := checkExpiry(b, t.Body.Expires); err != nil {
		return err
	}
	if err := checkActor(v, b, t, rule.actor); err != nil {
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
	return bumpSequence(s, b, t, rule.actor)
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

// checkActor demands the actor's next number, and of an account that its quota
// has room for the transaction. A claim may come from an account that does not
// exist yet; its number is 0.
func checkActor(v View, b Block, t *tx.Tx, a actor) error {
	var acc Account
	var next uint64
	var err error
	switch a {
	case actorVendor:
		var ven Vendor
		ven, err = GetVendor(v, t.Body.Account)
		next = ven.Sequence
	case actorGovernor:
		var gov Governor
		gov, err = GetGovernor(v, t.Body.Account)
		next = gov.Sequence
	case actorGrantee:
		var g Grant
		g, err = GetGrant(v, t.Payload.(*tx.DelegateGrant).Parent)
		next = g.Next
	default:
		acc, err = GetAccount(v, t.Body.Account)
		next = acc.Sequence
		if a == actorMaybeNew && isKind(err, NoAccount) {
			err = nil
		}
	}
	if err != nil {
		return err
	}
	if t.Body.Sequence != next {
		return &Error{Kind: BadSequence, Detail: fmt.Sprintf("sequence %d, next is %d", t.Body.Sequence, next)}
	}
	if a == actorVendor || a == actorGovernor || a == actorGrantee {
		return nil // bounded by other numbers, see docs/spec/state.md
	}
	return checkQuota(v, b, t, acc)
}

func bumpSequence(s Tree, b Block, t *tx.Tx, a actor) error {
	switch a {
	case actorVendor:
		ven, err := GetVendor(s, t.Body.Account)
		if err != nil {
			return err
		}
		ven.Sequence++
		return put(s, VendorKey(t.Body.Account), ven)
	case actorGovernor:
		gov, err := anyGovernor(s, t.Body.Account) // who may have left with this very transaction
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
	if err := charge(s, b, t, &acc); err != nil {
		return err
	}
	return put(s, AccountKey(t.Body.Account), acc)
}
