package state

import (
	"fmt"
	"reflect"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// VendorKeys is the keys of a vendor at one version.
//
// Evolution: fields 1 to 3 are fixed; new ones are optional.
type VendorKeys struct {
	Version   uint64       `cbor:"1,keyasint"` // how often the vendor has changed them
	Threshold uint8        `cbor:"2,keyasint"`
	Keys      []key.Public `cbor:"3,keyasint"`
}

// VendorPin is what a device holds to be its vendor's keys. Its maker builds the
// first one in; it moves only along changes that the vendor signed.
//
// Evolution: fields 1 and 2 are fixed; new ones are optional.
type VendorPin struct {
	Vendor key.AccountID `cbor:"1,keyasint"`
	Keys   VendorKeys    `cbor:"2,keyasint"`
}

// KeySet is the keys of the vendor now.
func (v Vendor) KeySet() VendorKeys {
	return VendorKeys{Version: v.KeyVersion, Threshold: v.Threshold, Keys: v.Keys}
}

// GetVendorChange reads the signed transaction that made a vendor's keys of the
// given version; kind NoChange if there is none.
func GetVendorChange(v View, id key.AccountID, version uint64) ([]byte, error) {
	return getEnvelope(v, VendorChangeKey(id, version))
}

func vendorSigner(k VendorKeys) signer {
	return signer{role: tx.RoleVendor, keys: k.Keys, threshold: max(1, int(k.Threshold))}
}

func rotateVendorKeysSigners(v View, t *tx.Tx) ([]signer, error) {
	ven, err := GetVendor(v, t.Body.Account)
	if err != nil {
		return nil, err
	}
	return vendorRotation(ven.KeySet(), t.Payload.(*tx.RotateVendorKeys)), nil
}

// vendorRotation demands the old threshold and each key that is new.
func vendorRotation(old VendorKeys, p *tx.RotateVendorKeys) []signer {
	had := make(map[key.KeyID]bool, len(old.Keys))
	for _, k := range old.Keys {
		had[k.ID()] = true
	}
	var added []key.Public
	for _, k := range p.Keys {
		if !had[k.ID()] {
			added = append(added, k)
		}
	}
	return []signer{vendorSigner(old), {role: tx.RoleNewKey, keys: added, threshold: len(added)}}
}

func applyRotateVendorKeys(s Tree, _ Block, t *tx.Tx) error {
	p := t.Payload.(*tx.RotateVendorKeys)
	ven, err := admitted(s, t.Body.Account)
	if err != nil {
		return err
	}
	if p.Version != ven.KeyVersion+1 {
		return &Error{Kind: BadKeyVersion, Detail: fmt.Sprintf("key version %d, next is %d", p.Version, ven.KeyVersion+1)}
	}
	ven.Keys, ven.Threshold, ven.KeyVersion = p.Keys, p.Threshold, p.Version
	if err := s.Set(VendorChangeKey(t.Body.Account, p.Version), t.Bytes()); err != nil {
		return err
	}
	return put(s, VendorKey(t.Body.Account), ven)
}

// FollowVendor moves a pin to the vendor's present keys by checking each signed
// change since. Keys that nobody of the vendor signed for are refused as Forged,
// whoever put them on the ledger.
func FollowVendor(v View, chain codec.ChainDigest, pin VendorPin) (VendorPin, error) {
	ven, err := GetVendor(v, pin.Vendor)
	if err != nil {
		return pin, err
	}
	if ven.KeyVersion < pin.Keys.Version || ven.KeyVersion-pin.Keys.Version > MaxFollow {
		return pin, forged("key version of vendor %s went from %d to %d", pin.Vendor, pin.Keys.Version, ven.KeyVersion)
	}
	next := pin
	for next.Keys.Version < ven.KeyVersion {
		if next, err = stepVendor(v, chain, next); err != nil {
			return pin, err
		}
	}
	if !reflect.DeepEqual(next.Keys, ven.KeySet()) {
		return pin, forged("keys of vendor %s were not signed for", pin.Vendor)
	}
	return next, nil
}

func stepVendor(v View, chain codec.ChainDigest, pin VendorPin) (VendorPin, error) {
	raw, err := GetVendorChange(v, pin.Vendor, pin.Keys.Version+1)
	if err != nil {
		return pin, err
	}
	t, err := tx.Decode(raw)
	if err != nil {
		return pin, forged("key change of vendor %s: %v", pin.Vendor, err)
	}
	p, ok := t.Payload.(*tx.RotateVendorKeys)
	if !ok || t.Body.Account != pin.Vendor || p.Version != pin.Keys.Version+1 {
		return pin, forged("key change of vendor %s is another transaction", pin.Vendor)
	}
	if err := verify(t, t.Digest(chain), vendorRotation(pin.Keys, p)); err != nil {
		return pin, forged("key change of vendor %s: %v", pin.Vendor, err)
	}
	return VendorPin{pin.Vendor, VendorKeys{Version: p.Version, Threshold: p.Threshold, Keys: p.Keys}}, nil
}
