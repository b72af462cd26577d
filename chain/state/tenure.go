package state

import (
	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Tenure is one epoch of a device: who owned it, and the key sets that the owner
// had, the first one first. Which of them it had at which moment of the epoch is
// not told by signatures.
type Tenure struct {
	Epoch   uint64
	Account key.AccountID // zero: nobody owned it
	Keys    []KeySet
}

// ReadTenures gives every epoch of a device, with the signatures under each claim,
// transfer, release and change of keys checked: Forged if one does not hold.
func ReadTenures(v View, chain codec.ChainDigest, device key.DeviceID) ([]Tenure, error) {
	dev, err := GetDevice(v, device)
	if err != nil {
		return nil, err
	}
	if dev.Key.DeviceID() != device || dev.Epoch > MaxFollow {
		return nil, forged("record of %s", device)
	}
	var out []Tenure
	var pin *Pin // of the owner so far
	for e := uint64(1); e <= dev.Epoch; e++ {
		if pin, err = tenureBegins(v, chain, dev.Key, e, pin); err != nil {
			return nil, err
		}
		t := Tenure{Epoch: e}
		if pin != nil {
			t.Account = pin.Account
			if t.Keys, err = keySets(v, chain, pin.Account); err != nil {
				return nil, err
			}
		}
		out = append(out, t)
	}
	return out, nil
}

// tenureBegins checks what began an epoch, and gives the pin of its owner.
func tenureBegins(v View, chain codec.ChainDigest, dev key.Public, epoch uint64, before *Pin) (*Pin, error) {
	raw, err := GetOwnerChange(v, dev.DeviceID(), epoch)
	if err != nil {
		return nil, err
	}
	t, err := tx.Decode(raw)
	if err != nil {
		return nil, forged("change of %s: %v", dev.DeviceID(), err)
	}
	if _, ok := t.Payload.(*tx.Claim); ok {
		return claimedBy(v, chain, dev, t)
	}
	if before == nil {
		return nil, forged("epoch %d of %s does not begin with a claim", epoch, dev.DeviceID())
	}
	next, err := stepOwner(v, chain, Ownership{Device: dev.DeviceID(), Epoch: epoch - 1, Owner: *before})
	if isKind(err, Released) {
		return nil, nil
	}
	return &next.Owner, err
}

// claimedBy gives the pin of a claim's account at the key set that signed it.
func claimedBy(v View, chain codec.ChainDigest, dev key.Public, t *tx.Tx) (*Pin, error) {
	sets, err := keySets(v, chain, t.Body.Account)
	if err != nil {
		return nil, err
	}
	for _, k := range sets {
		pin := Pin{Account: t.Body.Account, Keys: k}
		if _, err = VerifyClaim(chain, dev, pin, t.Bytes()); err == nil {
			return &pin, nil
		}
	}
	return nil, forged("claim of %s: %v", dev.DeviceID(), err)
}

// keySets gives all key sets of an account, each signed for by the one before.
func keySets(v View, chain codec.ChainDigest, id key.AccountID) ([]KeySet, error) {
	last, err := PinAccount(v, chain, id)
	if err != nil {
		return nil, err
	}
	root, err := rootOf(v, id)
	if err != nil {
		return nil, err
	}
	pin := NewPin(root)
	out := []KeySet{pin.Keys}
	for pin.Keys.Version < last.Keys.Version {
		if pin, err = stepKeys(v, chain, pin); err != nil {
			return nil, err
		}
		out = append(out, pin.Keys)
	}
	return out, nil
}
