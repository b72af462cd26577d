package tx

import (
	"fmt"

	"github.com/hybridos-net/hybridos/chain/key"
)

// Rights is a set of what an account's key may do.
type Rights uint8

// The rights. Bits are append-only.
const (
	// RightAdmin: sign transactions of the account.
	RightAdmin Rights = 1 << 0
	// RightInvoke: sign commands to the account's devices.
	RightInvoke Rights = 1 << 1

	allRights = RightAdmin | RightInvoke
)

// AccountKey is a key of an account with its rights.
type AccountKey struct {
	Key    key.Public `cbor:"1,keyasint"`
	Rights Rights     `cbor:"2,keyasint"`
}

// RotateKeys replaces the keys of the acting account. The old threshold signs,
// and every key that was not there before proves that somebody holds it.
//
// Evolution: fields 1 to 3 are fixed; new ones are optional.
type RotateKeys struct {
	Version   uint64       `cbor:"1,keyasint"` // the account's present key version + 1
	Keys      []AccountKey `cbor:"2,keyasint"`
	Threshold uint8        `cbor:"3,keyasint"` // how many admin keys must sign a transaction
}

// Kind is KindRotateKeys.
func (*RotateKeys) Kind() Kind { return KindRotateKeys }

// StaticValidate checks the new key set: distinct valid keys, known rights that
// their algorithms allow, a threshold that the admin keys can reach.
func (p *RotateKeys) StaticValidate() error {
	if err := validateVersion(p.Version); err != nil {
		return err
	}
	if len(p.Keys) == 0 || len(p.Keys) > MaxKeys {
		return malformed(fmt.Sprintf("%d keys, want 1 to %d", len(p.Keys), MaxKeys))
	}
	admins := 0
	seen := make(map[key.KeyID]bool, len(p.Keys))
	for _, k := range p.Keys {
		if err := k.Key.Validate(); err != nil {
			return err
		}
		if seen[k.Key.ID()] {
			return malformed("a key stands twice")
		}
		seen[k.Key.ID()] = true
		if k.Rights == 0 || k.Rights&^allRights != 0 {
			return malformed("a key has no rights or unknown ones")
		}
		if k.Key.Alg.InvokeOnly() && k.Rights != RightInvoke {
			return &Error{Kind: InvokeOnly, Detail: fmt.Sprintf("a key of algorithm %d has rights %d, want %d", k.Key.Alg, k.Rights, RightInvoke)}
		}
		if k.Rights&RightAdmin != 0 {
			admins++
		}
	}
	if p.Threshold == 0 || int(p.Threshold) > admins {
		return malformed(fmt.Sprintf("threshold %d cannot be reached by %d admin keys", p.Threshold, admins))
	}
	return nil
}
