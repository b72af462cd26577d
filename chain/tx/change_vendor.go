package tx

import (
	"fmt"

	"github.com/hybridos-net/hybridos/chain/key"
)

// AdmitVendor admits a vendor, or lets a suspended one in again, with the keys,
// threshold and quota given here. Its id follows from the first key.
//
// Evolution: fields 1 to 4 are fixed; new ones are optional.
type AdmitVendor struct {
	VendorName string       `cbor:"1,keyasint"`
	Keys       []key.Public `cbor:"2,keyasint"`
	Threshold  uint8        `cbor:"3,keyasint"`
	Quota      uint64       `cbor:"4,keyasint"` // devices that it may register in all
}

// Name is "admit-vendor".
func (*AdmitVendor) Name() string { return "admit-vendor" }

func (a *AdmitVendor) validate() error {
	if !validModel(a.VendorName) {
		return malformed("a vendor's name must be 1 to 64 printable ASCII characters")
	}
	return validateVendorKeys(a.Keys, a.Threshold)
}

// validateVendorKeys checks distinct valid keys that sign more than commands,
// and a threshold that they reach.
func validateVendorKeys(keys []key.Public, threshold uint8) error {
	if len(keys) == 0 || len(keys) > MaxKeys || threshold == 0 || int(threshold) > len(keys) {
		return malformed(fmt.Sprintf("threshold %d of %d keys", threshold, len(keys)))
	}
	seen := make(map[key.KeyID]bool, len(keys))
	for _, k := range keys {
		if err := fullKey(k, "a vendor's"); err != nil {
			return err
		}
		if seen[k.ID()] {
			return malformed("a key stands twice")
		}
		seen[k.ID()] = true
	}
	return nil
}

// SuspendVendor stops a vendor from registering devices. Those that it has
// registered stay what they are.
//
// Evolution: field 1 is fixed; new ones are optional.
type SuspendVendor struct {
	Vendor key.AccountID `cbor:"1,keyasint"`
}

// Name is "suspend-vendor".
func (*SuspendVendor) Name() string { return "suspend-vendor" }

func (a *SuspendVendor) validate() error { return named(a.Vendor) }

// SetQuota sets how many devices a vendor may register in all. A quota below
// what it has used stops it.
//
// Evolution: fields 1 and 2 are fixed; new ones are optional.
type SetQuota struct {
	Vendor key.AccountID `cbor:"1,keyasint"`
	Quota  uint64        `cbor:"2,keyasint"`
}

// Name is "set-quota".
func (*SetQuota) Name() string { return "set-quota" }

func (a *SetQuota) validate() error { return named(a.Vendor) }

func named(vendor key.AccountID) error {
	if vendor.IsZero() {
		return malformed("no vendor")
	}
	return nil
}
