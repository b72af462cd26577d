package state

import (
	"fmt"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Policy is what the owner of a device demands of commands, with the
// transaction that proves it. It is dead with the epoch.
//
// Evolution: fields 1 to 3 are fixed; new ones are optional.
type Policy struct {
	Epoch   uint64 `cbor:"1,keyasint"`
	Version uint64 `cbor:"2,keyasint"`
	Tx      []byte `cbor:"3,keyasint"` // the signed SetPolicy envelope
}

// GetPolicy reads the policy of a device; kind NoPolicy if there never was one.
func GetPolicy(v View, id key.DeviceID) (r Policy, err error) {
	err = get(v, PolicyKey(id), &r, NoPolicy)
	return r, err
}

// applySetPolicy replaces the policy. The version stands in the device's record
// too, so that who follows the device sees whether there is a newer one. A
// frozen account loosens nothing.
func applySetPolicy(s Tree, _ Block, t *tx.Tx) error {
	p := t.Payload.(*tx.SetPolicy)
	if err := thawed(s, t); err != nil {
		return err
	}
	dev, err := reported(s, t, p.Device, p.Epoch)
	if err != nil {
		return err
	}
	if p.Version != dev.Policy+1 {
		return &Error{Kind: BadPolicyVersion, Detail: fmt.Sprintf("policy version %d, next is %d", p.Version, dev.Policy+1)}
	}
	dev.Policy = p.Version
	if err := put(s, PolicyKey(p.Device), Policy{Epoch: p.Epoch, Version: p.Version, Tx: t.Bytes()}); err != nil {
		return err
	}
	return put(s, DeviceKey(p.Device), dev)
}

// VerifyPolicy checks that the policy which a record shows is for this
// ownership and that the owner's present keys signed it. If they did not, kind
// Forged, the policy is given all the same: whoever wrote it may well have been
// the owner before a change of keys, so a device takes from it what makes it
// stricter, and nothing else. After any other error there is none.
func VerifyPolicy(chain codec.ChainDigest, own Ownership, r Policy) (*tx.SetPolicy, error) {
	t, err := tx.Decode(r.Tx)
	if err != nil {
		return nil, &Error{Kind: BadPolicy, Detail: err.Error()}
	}
	p, ok := t.Payload.(*tx.SetPolicy)
	if !ok || p.Device != own.Device || p.Epoch != r.Epoch || p.Version != r.Version {
		return nil, &Error{Kind: BadPolicy, Detail: "record holds another transaction than it says"}
	}
	if p.Epoch != own.Epoch || t.Body.Account != own.Owner.Account {
		return nil, staleEpoch(p.Epoch, own.Epoch)
	}
	if err := verify(t, t.Digest(chain), []signer{adminSigner(tx.RoleAccount, own.Owner.Keys)}); err != nil {
		return p, forged("policy %d of %s: %v", p.Version, own.Device, err)
	}
	return p, nil
}
