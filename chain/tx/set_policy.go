package tx

import (
	"fmt"

	"github.com/hybridos-net/hybridos/chain/key"
)

// Freshness is how new the ledger's word must be before a method runs (design
// section 8). The numbers are those of the classes R0 to R3.
type Freshness uint8

// The classes. Numbers are append-only; a higher one is stricter.
const (
	// FreshRead is R0: 24 hours.
	FreshRead Freshness = 0
	// FreshComfort is R1: one hour.
	FreshComfort Freshness = 1
	// FreshAccess is R2: 60 seconds.
	FreshAccess Freshness = 2
	// FreshSealed is R3: the very command must be sealed in a block.
	FreshSealed Freshness = 3
)

// String is the class's name in the design.
func (f Freshness) String() string { return fmt.Sprintf("R%d", uint8(f)) }

// ParseFreshness reads the name of a class.
func ParseFreshness(s string) (Freshness, error) {
	for f := FreshRead; f <= FreshSealed; f++ {
		if f.String() == s {
			return f, nil
		}
	}
	return 0, malformed(fmt.Sprintf("class %q, want R0, R1, R2 or R3", s))
}

// MethodPolicy is what an owner demands of commands that call one method.
//
// Evolution: fields 1 to 4 are fixed; new ones are optional and must narrow.
type MethodPolicy struct {
	Endpoint string    `cbor:"1,keyasint"`
	Method   string    `cbor:"2,keyasint"`
	Class    Freshness `cbor:"3,keyasint"`
	Signers  uint8     `cbor:"4,keyasint"` // distinct keys of the owner over the same command
}

// SetPolicy replaces the policy of the owner's device whole. Methods that it
// does not name are as the device's maker made them.
//
// Evolution: fields 1 to 4 are fixed; new ones are optional.
type SetPolicy struct {
	Device  key.DeviceID   `cbor:"1,keyasint"`
	Epoch   uint64         `cbor:"2,keyasint"` // the device's present epoch
	Version uint64         `cbor:"3,keyasint"` // of the policy, in this epoch: present + 1
	Rules   []MethodPolicy `cbor:"4,keyasint"` // strictly rising by (endpoint, method); none: as made
}

// Kind is KindSetPolicy.
func (*SetPolicy) Kind() Kind { return KindSetPolicy }

// StaticValidate checks that the fields are present and the rules in order.
func (p *SetPolicy) StaticValidate() error {
	if err := validateDeviceEpoch(p.Device, p.Epoch); err != nil {
		return err
	}
	if p.Version == 0 {
		return malformed("no policy version")
	}
	if len(p.Rules) > MaxRules {
		return malformed(fmt.Sprintf("%d rules, at most %d", len(p.Rules), MaxRules))
	}
	for i, r := range p.Rules {
		if !ValidName(r.Endpoint) || !ValidName(r.Method) {
			return malformed(fmt.Sprintf("endpoint %q, method %q", r.Endpoint, r.Method))
		}
		if r.Class > FreshSealed || r.Signers == 0 || r.Signers > MaxKeys {
			return malformed(fmt.Sprintf("class %d with %d signers", r.Class, r.Signers))
		}
		if i > 0 && !p.Rules[i-1].before(r) {
			return malformed("rules repeated or out of order")
		}
	}
	return nil
}

func (r MethodPolicy) before(s MethodPolicy) bool {
	return r.Endpoint < s.Endpoint || r.Endpoint == s.Endpoint && r.Method < s.Method
}

// Rule finds what the policy says of a method; false for nothing.
func (p *SetPolicy) Rule(endpoint, method string) (MethodPolicy, bool) {
	for _, r := range p.Rules {
		if r.Endpoint == endpoint && r.Method == method {
			return r, true
		}
	}
	return MethodPolicy{}, false
}
