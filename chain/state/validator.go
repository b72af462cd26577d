package state

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/hybridos-net/hybridos/chain/tx"
)

// Power is the voting power of every validator.
const Power = 1

// ValidatorStatus is the state of a validator's key.
type ValidatorStatus uint8

// The states of a validator. Numbers are append-only.
const (
	// Validating: it has power.
	Validating ValidatorStatus = 1
	// Removed: governors took its power away.
	Removed ValidatorStatus = 2
	// Replaced: its operator signs with another key.
	Replaced ValidatorStatus = 3
	// Jailed: it signed two things where it may sign one, and lost its power.
	Jailed ValidatorStatus = 4
)

// Validator is a key that signs or signed blocks.
//
// Evolution: fields 1 to 5 are fixed; new ones are optional.
type Validator struct {
	Name   string               `cbor:"1,keyasint"`
	Key    tx.ValidatorKey      `cbor:"2,keyasint"`
	Power  uint64               `cbor:"3,keyasint"`
	Status ValidatorStatus      `cbor:"4,keyasint"`
	Next   *tx.ValidatorAddress `cbor:"5,keyasint,omitempty"` // of the key that replaced this one
}

// ValidatorSet is who has power. What stands here after block H signs from block
// H+2 on.
//
// Evolution: fields 1 to 4 are fixed; new ones are optional.
type ValidatorSet struct {
	Members []tx.ValidatorAddress `cbor:"1,keyasint"` // in ascending order
	Height  int64                 `cbor:"2,keyasint"` // of the block that changed it last; 0: none has
	Before  uint64                `cbor:"3,keyasint"` // members before that block
	Changed uint64                `cbor:"4,keyasint"` // changes in that block
}

// GetValidator reads a validator; kind NoValidator if there is none.
func GetValidator(v View, a tx.ValidatorAddress) (r Validator, err error) {
	err = get(v, ValidatorKey(a), &r, NoValidator)
	return r, err
}

// GetValidatorSet reads who has power; kind NoValidator if nothing is recorded.
func GetValidatorSet(v View) (r ValidatorSet, err error) {
	err = get(v, ValidatorSetKey(), &r, NoValidator)
	return r, err
}

// FirstValidators writes the validators that a ledger starts with; power and
// status are set here.
func FirstValidators(s Tree, first []Validator) error {
	var set ValidatorSet
	for _, v := range first {
		v.Power, v.Status, v.Next = Power, Validating, nil
		set.join(v.Key.Address())
		if err := put(s, ValidatorKey(v.Key.Address()), v); err != nil {
			return err
		}
	}
	return put(s, ValidatorSetKey(), set)
}

// Punish takes the power of a validator that signed two things where it may
// sign one, or of the key that has replaced it since. The last validator keeps
// its power, since the ledger would stand still for good. Who has none already,
// or is not known, is left alone.
func Punish(s Tree, b Block, a tx.ValidatorAddress) error {
	v, err := GetValidator(s, a)
	for err == nil && v.Status == Replaced && v.Next != nil { // ends: no key is used twice
		v, err = GetValidator(s, *v.Next)
	}
	if isKind(err, NoValidator) || err == nil && v.Power == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	set, err := GetValidatorSet(s)
	if err != nil || len(set.Members) == 1 {
		return err
	}
	set.count(b)
	return leave(s, set, v, Jailed, nil)
}

// count notes a change in this block and reports whether it keeps to a third of
// the power. A set of less than three may change by one at a time, or it could
// never grow.
func (set *ValidatorSet) count(b Block) bool {
	if set.Height != b.Height {
		set.Height, set.Before, set.Changed = b.Height, uint64(len(set.Members)), 0
	}
	set.Changed++
	return set.Changed <= max(1, set.Before/3)
}

func (set *ValidatorSet) join(a tx.ValidatorAddress) {
	if i, found := slices.BinarySearchFunc(set.Members, a, compareAddresses); !found {
		set.Members = slices.Insert(set.Members, i, a)
	}
}

func compareAddresses(a, b tx.ValidatorAddress) int { return bytes.Compare(a[:], b[:]) }

// leave takes a validator's power and writes the set.
func leave(s Tree, set ValidatorSet, v Validator, why ValidatorStatus, next *tx.ValidatorAddress) error {
	a := v.Key.Address()
	if i, found := slices.BinarySearchFunc(set.Members, a, compareAddresses); found {
		set.Members = slices.Delete(set.Members, i, i+1)
	}
	v.Power, v.Status, v.Next = 0, why, next
	if err := put(s, ValidatorKey(a), v); err != nil {
		return err
	}
	return put(s, ValidatorSetKey(), set)
}

// changing reads the set and counts the change that is about to be made.
func changing(s Tree, b Block) (ValidatorSet, error) {
	set, err := GetValidatorSet(s)
	if err != nil {
		return set, err
	}
	if !set.count(b) {
		return set, &Error{Kind: PowerLimit, Detail: fmt.Sprintf("change %d of %d validators in block %d", set.Changed, set.Before, b.Height)}
	}
	return set, nil
}

// checkNewKey demands a key that never was a validator's, and whose holder has
// proven to hold it.
func checkNewKey(v View, b Block, k tx.ValidatorKey, proof [64]byte) error {
	if !k.Proves(b.Chain, proof) {
		return &Error{Kind: BadProof, Detail: "validator's key " + k.String()}
	}
	_, err := GetValidator(v, k.Address())
	if err == nil {
		return &Error{Kind: ValidatorExists, Detail: k.String()}
	}
	if isKind(err, NoValidator) {
		return nil
	}
	return err
}

func addValidator(s Tree, b Block, a *tx.AddValidator) error {
	if err := checkNewKey(s, b, a.Key, a.Proof); err != nil {
		return err
	}
	set, err := changing(s, b)
	if err != nil {
		return err
	}
	if len(set.Members) >= MaxValidators {
		return &Error{Kind: TooManyValidators, Detail: fmt.Sprintf("there are %d", len(set.Members))}
	}
	return enter(s, set, a.ValidatorName, a.Key)
}

// enter gives a new key power and writes the set.
func enter(s Tree, set ValidatorSet, name string, k tx.ValidatorKey) error {
	set.join(k.Address())
	if err := put(s, ValidatorKey(k.Address()), Validator{Name: name, Key: k, Power: Power, Status: Validating}); err != nil {
		return err
	}
	return put(s, ValidatorSetKey(), set)
}

func removeValidator(s Tree, b Block, a *tx.RemoveValidator) error {
	v, err := powerful(s, a.Key)
	if err != nil {
		return err
	}
	set, err := changing(s, b)
	if err != nil {
		return err
	}
	if len(set.Members) == 1 {
		return &Error{Kind: LastValidator, Detail: v.Name}
	}
	return leave(s, set, v, Removed, nil)
}

// replaceKey is one change: the operator stays the same.
func replaceKey(s Tree, b Block, a *tx.ReplaceKey) error {
	v, err := powerful(s, a.Old)
	if err != nil {
		return err
	}
	if err := checkNewKey(s, b, a.New, a.Proof); err != nil {
		return err
	}
	set, err := changing(s, b)
	if err != nil {
		return err
	}
	next := a.New.Address()
	if err := leave(s, set, v, Replaced, &next); err != nil {
		return err
	}
	if set, err = GetValidatorSet(s); err != nil {
		return err
	}
	return enter(s, set, v.Name, a.New)
}

// powerful reads a validator that has power.
func powerful(v View, k tx.ValidatorKey) (Validator, error) {
	r, err := GetValidator(v, k.Address())
	if err == nil && r.Power == 0 {
		err = &Error{Kind: NoValidator, Detail: k.String() + " has no power"}
	}
	return r, err
}
