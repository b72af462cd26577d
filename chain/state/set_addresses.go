package state

import (
	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Addresses is where a device can be reached, with the transaction that its
// owner signed.
//
// Evolution: fields 1 and 2 are fixed; new ones are optional.
type Addresses struct {
	Epoch uint64 `cbor:"1,keyasint"`
	Tx    []byte `cbor:"2,keyasint"` // the signed SetAddresses envelope
}

// GetAddresses reads the addresses of a device; kind NoAddresses if there never
// were any.
func GetAddresses(v View, id key.DeviceID) (r Addresses, err error) {
	err = get(v, AddressesKey(id), &r, NoAddresses)
	return r, err
}

// applySetAddresses replaces the addresses. They give nobody a right, so a
// frozen account may set them too.
func applySetAddresses(s Tree, _ Block, t *tx.Tx) error {
	p := t.Payload.(*tx.SetAddresses)
	if _, err := reported(s, t, p.Device, p.Epoch); err != nil {
		return err
	}
	return put(s, AddressesKey(p.Device), Addresses{Epoch: p.Epoch, Tx: t.Bytes()})
}

// VerifyAddresses gives the addresses that a record shows, if they are of this
// ownership and the owner's present keys signed them. Whoever dials one of them
// asks for proof of the device's key all the same.
func VerifyAddresses(chain codec.ChainDigest, own Ownership, r Addresses) ([]string, error) {
	t, err := tx.Decode(r.Tx)
	if err != nil {
		return nil, forged("addresses of %s: %v", own.Device, err)
	}
	p, ok := t.Payload.(*tx.SetAddresses)
	if !ok || p.Device != own.Device || p.Epoch != r.Epoch || t.Body.Account != own.Owner.Account && p.Epoch == own.Epoch {
		return nil, forged("addresses of %s: record holds another transaction than it says", own.Device)
	}
	if p.Epoch != own.Epoch {
		return nil, staleEpoch(p.Epoch, own.Epoch)
	}
	if err := verify(t, t.Digest(chain), []signer{adminSigner(tx.RoleAccount, own.Owner.Keys)}); err != nil {
		return nil, forged("addresses of %s: %v", own.Device, err)
	}
	return p.Addrs, nil
}
