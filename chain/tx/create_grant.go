package tx

import (
	"fmt"

	"github.com/hybridos-net/hybridos/chain/key"
)

// Target names the methods of one device that a grant covers. The epoch ties
// it to the present ownership: a transfer ends it.
type Target struct {
	Device   key.DeviceID `cbor:"1,keyasint"`
	Epoch    uint64       `cbor:"2,keyasint"`
	Endpoint string       `cbor:"3,keyasint"`
	Methods  []string     `cbor:"4,keyasint"` // never empty: an empty list would mean nothing, not all
}

// CreateGrant gives a key the right to call methods of devices that the acting
// account owns. The grant's id is the transaction's id. In a private one (field
// 10) every other field is empty: Open gives what it stands for.
//
// Evolution: fields 1 to 10 are fixed; new ones are optional and must narrow the
// grant, so that an old device which refuses them errs on the safe side.
type CreateGrant struct {
	Grantee   key.Public `cbor:"1,keyasint"`
	Targets   []Target   `cbor:"2,keyasint"`
	NotBefore uint64     `cbor:"3,keyasint"` // Unix seconds, first valid
	NotAfter  uint64     `cbor:"4,keyasint"` // Unix seconds, last valid

	Windows []Window `cbor:"5,keyasint,omitempty"`  // none: the whole week
	Zone    string   `cbor:"6,keyasint,omitempty"`  // IANA name of the windows' time zone
	Uses    uint64   `cbor:"7,keyasint,omitempty"`  // commands in its whole life; 0: any number
	Rate    *Rate    `cbor:"8,keyasint,omitempty"`  // nil: any
	Depth   uint8    `cbor:"9,keyasint,omitempty"`  // how often it may be given on, one after the other
	Private *Private `cbor:"10,keyasint,omitempty"` // the ledger gets to know no more than this
}

// Kind is KindCreateGrant.
func (*CreateGrant) Kind() Kind { return KindCreateGrant }

// StaticValidate checks grantee, targets, times and what narrows them.
func (p *CreateGrant) StaticValidate() error {
	if p.Private != nil {
		return p.validatePrivate()
	}
	if err := p.Grantee.Validate(); err != nil {
		return err
	}
	if len(p.Targets) == 0 || len(p.Targets) > MaxTargets {
		return malformed(fmt.Sprintf("%d targets, want 1 to %d", len(p.Targets), MaxTargets))
	}
	if p.NotAfter == 0 || p.NotAfter < p.NotBefore {
		return malformed("ends before it begins, or never")
	}
	for _, t := range p.Targets {
		if err := t.validate(); err != nil {
			return err
		}
	}
	return p.validateTerms()
}

func (t Target) validate() error {
	if t.Device.IsZero() || t.Epoch == 0 || !ValidName(t.Endpoint) {
		return malformed("target without device, epoch or endpoint")
	}
	if len(t.Methods) == 0 || len(t.Methods) > MaxMethods {
		return malformed(fmt.Sprintf("%d methods, want 1 to %d", len(t.Methods), MaxMethods))
	}
	for i, m := range t.Methods {
		if !ValidName(m) {
			return malformed(fmt.Sprintf("method name %q", m))
		}
		if i > 0 && t.Methods[i-1] >= m {
			return malformed("methods repeated or out of order")
		}
	}
	return nil
}

// Covers reports whether the grant names this method of this device at this
// epoch. Times are not looked at.
func (p *CreateGrant) Covers(device key.DeviceID, epoch uint64, endpoint, method string) bool {
	for _, t := range p.Targets {
		if t.Device != device || t.Epoch != epoch || t.Endpoint != endpoint {
			continue
		}
		for _, m := range t.Methods {
			if m == method {
				return true
			}
		}
	}
	return false
}
