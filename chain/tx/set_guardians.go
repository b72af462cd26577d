package tx

import (
	"fmt"

	"github.com/hybridos-net/hybridos/chain/key"
)

// Guardians are keys that may give an account new keys when its own are lost:
// threshold of them start a recovery, which takes effect after the delay.
//
// Evolution: fields 1 to 3 are fixed; new ones are optional.
type Guardians struct {
	Keys      []key.Public `cbor:"1,keyasint"`
	Threshold uint8        `cbor:"2,keyasint"`
	Delay     uint64       `cbor:"3,keyasint"` // seconds of block time
}

// SetGuardians names the guardians of the acting account. It is a change of its
// key set, so that whoever follows the keys knows whom the owner trusts.
//
// Evolution: fields 1 and 2 are fixed; new ones are optional.
type SetGuardians struct {
	Version   uint64     `cbor:"1,keyasint"`           // the account's present key version + 1
	Guardians *Guardians `cbor:"2,keyasint,omitempty"` // nil: no guardians any more
}

// Kind is KindSetGuardians.
func (*SetGuardians) Kind() Kind { return KindSetGuardians }

// StaticValidate checks distinct valid keys of an algorithm that signs
// transactions, a threshold that they reach, and a delay within its bounds.
func (p *SetGuardians) StaticValidate() error {
	if err := validateVersion(p.Version); err != nil || p.Guardians == nil {
		return err
	}
	return p.Guardians.Validate()
}

// Validate checks what StaticValidate says of guardians.
func (g *Guardians) Validate() error {
	if len(g.Keys) == 0 || len(g.Keys) > MaxKeys {
		return malformed(fmt.Sprintf("%d guardians, want 1 to %d", len(g.Keys), MaxKeys))
	}
	if g.Threshold == 0 || int(g.Threshold) > len(g.Keys) {
		return malformed(fmt.Sprintf("threshold %d of %d guardians", g.Threshold, len(g.Keys)))
	}
	if g.Delay == 0 || g.Delay > MaxDelay {
		return malformed(fmt.Sprintf("delay of %d s, want 1 to %d", g.Delay, MaxDelay))
	}
	seen := make(map[key.KeyID]bool, len(g.Keys))
	for _, k := range g.Keys {
		if err := k.Validate(); err != nil {
			return err
		}
		if k.Alg.InvokeOnly() {
			return &Error{Kind: InvokeOnly, Detail: fmt.Sprintf("a key of algorithm %d cannot be a guardian", k.Alg)}
		}
		if seen[k.ID()] {
			return malformed("a guardian stands twice")
		}
		seen[k.ID()] = true
	}
	return nil
}
