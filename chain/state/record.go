package state

import (
	"fmt"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Params are the ledger's own settings.
//
// Evolution: field 1 is fixed; new ones are optional.
type Params struct {
	Chain codec.ChainDigest `cbor:"1,keyasint"`
	Quota *Quota            `cbor:"2,keyasint,omitempty"` // nil: DefaultQuota
}

// Vendor is a maker of devices, admitted by governance.
//
// Evolution: fields 1 to 8 are fixed; new ones are optional.
type Vendor struct {
	Name      string       `cbor:"1,keyasint"`
	Keys      []key.Public `cbor:"2,keyasint"`
	Threshold uint8        `cbor:"3,keyasint"`
	Quota     uint64       `cbor:"4,keyasint"`           // devices it may register in all
	Used      uint64       `cbor:"5,keyasint"`           // devices it has registered
	Sequence  uint64       `cbor:"6,keyasint"`           // number of its next transaction
	Suspended bool         `cbor:"7,keyasint,omitempty"` // may register and publish nothing

	KeyVersion uint64 `cbor:"8,keyasint,omitempty"` // how often the vendor has changed its keys
}

// KeySet is the keys of an account at one version.
//
// Evolution: fields 1 to 4 are fixed; new ones are optional.
type KeySet struct {
	Version   uint64          `cbor:"1,keyasint"` // how often the keys have been changed
	Threshold uint8           `cbor:"2,keyasint"`
	Keys      []tx.AccountKey `cbor:"3,keyasint"`
	Guardians *tx.Guardians   `cbor:"4,keyasint,omitempty"` // nil: nobody can recover the account
}

// RootKeySet is the key set that every account starts with: its first key,
// alone, with all rights.
func RootKeySet(root key.Public) KeySet {
	return KeySet{Threshold: 1, Keys: []tx.AccountKey{{Key: root, Rights: tx.RightAdmin | tx.RightInvoke}}}
}

// Find gives the key with the given id, if it is in the set.
func (s KeySet) Find(id key.KeyID) (tx.AccountKey, bool) {
	for _, k := range s.Keys {
		if k.Key.ID() == id {
			return k, true
		}
	}
	return tx.AccountKey{}, false
}

// Account is a set of owner keys.
//
// Evolution: fields 1 to 5 are fixed; new ones are optional.
type Account struct {
	Root     key.Public `cbor:"1,keyasint"` // the first key; its hash is the account's id
	KeySet   KeySet     `cbor:"2,keyasint"`
	Sequence uint64     `cbor:"3,keyasint"`           // number of its next transaction
	Frozen   bool       `cbor:"4,keyasint,omitempty"` // gives nothing away
	Recovery *Recovery  `cbor:"5,keyasint,omitempty"` // open, if not nil
	Devices  uint64     `cbor:"6,keyasint,omitempty"` // that it owns
	Period   uint64     `cbor:"7,keyasint,omitempty"` // Unix seconds at which the period began in which it wrote last
	Used     uint64     `cbor:"8,keyasint,omitempty"` // units that it wrote in that period
}

// Recovery is an open recovery of an account.
//
// Evolution: fields 1 and 2 are fixed; new ones are optional.
type Recovery struct {
	Version uint64 `cbor:"1,keyasint"` // of the keys that it is to make
	Due     uint64 `cbor:"2,keyasint"` // Unix seconds of block time; finished from then on, cancelled until then
}

// Device is a registered device.
//
// Evolution: fields 1 to 8 are fixed; new ones are optional.
type Device struct {
	Key     key.Public     `cbor:"1,keyasint"`
	SealKey [32]byte       `cbor:"2,keyasint"`
	Vendor  key.AccountID  `cbor:"3,keyasint"`
	Model   string         `cbor:"4,keyasint"`
	Epoch   uint64         `cbor:"5,keyasint"`           // counts claims, transfers and releases
	Owner   *key.AccountID `cbor:"6,keyasint,omitempty"` // nil: unowned
	Lost    bool           `cbor:"7,keyasint,omitempty"` // the owner has reported it lost
	Policy  uint64         `cbor:"8,keyasint,omitempty"` // version of the policy of this epoch; 0: none

	Period uint64 `cbor:"16,keyasint,omitempty"` // Unix seconds at which the period began in which it got an owner last
	Moves  uint64 `cbor:"17,keyasint,omitempty"` // owners that it got in that period
}

// Status is the state of a grant. Revocation is a record, not an absence, so
// that one membership proof tells a device that a grant is dead.
type Status uint8

// The states of a grant. Numbers are append-only.
const (
	// Active: the grant holds within its times.
	Active Status = 1
	// Revoked: dead for good.
	Revoked Status = 2
)

// Grant is a right that an account gave, with the transaction that proves it.
//
// Evolution: fields 1 to 5 are fixed; new ones are optional.
type Grant struct {
	Issuer key.AccountID `cbor:"1,keyasint"`
	Status Status        `cbor:"2,keyasint"`
	Tx     []byte        `cbor:"3,keyasint"` // the signed CreateGrant or DelegateGrant envelope
	// Next numbers what the grantee signs next about grants given on from it.
	Next uint64 `cbor:"4,keyasint,omitempty"`
	// Given is how many grants were given on under it, on every level; the record
	// of the owner's own grant counts them.
	Given uint64 `cbor:"5,keyasint,omitempty"`
}

// GetVendor reads a vendor; kind NoVendor if there is none.
func GetVendor(v View, id key.AccountID) (r Vendor, err error) {
	err = get(v, VendorKey(id), &r, NoVendor)
	return r, err
}

// GetAccount reads an account; kind NoAccount if there is none.
func GetAccount(v View, id key.AccountID) (r Account, err error) {
	err = get(v, AccountKey(id), &r, NoAccount)
	return r, err
}

// GetDevice reads a device; kind NoDevice if there is none.
func GetDevice(v View, id key.DeviceID) (r Device, err error) {
	err = get(v, DeviceKey(id), &r, NoDevice)
	return r, err
}

// GetGrant reads a grant; kind NoGrant if there is none.
func GetGrant(v View, id tx.ID) (r Grant, err error) {
	err = get(v, GrantKey(id), &r, NoGrant)
	return r, err
}

// GetKeyChange reads the signed transaction that made an account's key set of
// the given version.
func GetKeyChange(v View, id key.AccountID, version uint64) ([]byte, error) {
	return getEnvelope(v, KeyChangeKey(id, version))
}

// GetOwnerChange reads the signed transaction that began a device's epoch.
func GetOwnerChange(v View, id key.DeviceID, epoch uint64) ([]byte, error) {
	return getEnvelope(v, OwnerChangeKey(id, epoch))
}

func getEnvelope(v View, k []byte) ([]byte, error) {
	raw, err := v.Get(k)
	if err != nil {
		return nil, fmt.Errorf("read record %x: %w", k, err)
	}
	if raw == nil {
		return nil, &Error{Kind: NoChange, Detail: fmt.Sprintf("record %x", k)}
	}
	return raw, nil
}

func get[T any](v View, k []byte, into *T, missing ErrorKind) error {
	found, err := find(v, k, into)
	if err == nil && !found {
		err = &Error{Kind: missing, Detail: fmt.Sprintf("record %x", k)}
	}
	return err
}

// find reads a record that need not be there.
func find[T any](v View, k []byte, into *T) (bool, error) {
	memory := recallOf(v)
	if memory != nil {
		if known, ok := memory.find(k).(T); ok {
			*into = known
			return true, nil
		}
	}
	raw, err := v.Get(k)
	if err != nil {
		return false, fmt.Errorf("read record %x: %w", k, err)
	}
	if raw == nil {
		return false, nil
	}
	if err := codec.Unmarshal(raw, into, MaxRecord); err != nil {
		return false, fmt.Errorf("record %x: %w", k, err)
	}
	if memory != nil {
		memory.keep(k, *into)
	}
	return true, nil
}

func put[T any](s Tree, k []byte, record T) error {
	raw, err := codec.Marshal(record)
	if err != nil {
		return err
	}
	if err := s.Set(k, raw); err != nil {
		return fmt.Errorf("write record %x: %w", k, err)
	}
	if memory := recallOf(s); memory != nil {
		memory.keep(k, record)
	}
	return nil
}
