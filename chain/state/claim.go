package state

import (
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

func claimSigners(v View, t *tx.Tx) ([]signer, error) {
	p := t.Payload.(*tx.Claim)
	dev, err := claimed(v, p)
	if err != nil {
		return nil, err
	}
	owner, err := accountOrRoot(v, t.Body.Account, p.Root)
	if err != nil {
		return nil, err
	}
	return []signer{
		adminSigner(tx.RoleAccount, owner),
		{role: tx.RoleDevice, keys: []key.Public{dev.Key}, threshold: 1},
	}, nil
}

func applyClaim(s Tree, b Block, t *tx.Tx) error {
	p := t.Payload.(*tx.Claim)
	dev, err := claimed(s, p)
	if err != nil {
		return err
	}
	if dev.Owner != nil {
		return &Error{Kind: DeviceOwned, Detail: p.Device.String()}
	}
	if err := createAccount(s, t.Body.Account, p.Root); err != nil {
		return err
	}
	return setOwner(s, b, t, p.Device, dev, &t.Body.Account, p.Epoch)
}

// createAccount makes the account of a root key; without one there is nothing
// to do.
func createAccount(s Tree, id key.AccountID, root *key.Public) error {
	if root == nil {
		return nil
	}
	return put(s, AccountKey(id), Account{Root: *root, KeySet: RootKeySet(*root)})
}

// setOwner begins a new epoch of a device and keeps the transaction that did
// it, so that the device can check the signatures itself. Without an owner, the
// epoch is one in which nobody owns it. A lost device stays where it is.
func setOwner(s Tree, b Block, t *tx.Tx, id key.DeviceID, dev Device, owner *key.AccountID, epoch uint64) error {
	if dev.Lost {
		return deviceLost(id)
	}
	if epoch != dev.Epoch+1 {
		return staleEpoch(epoch, dev.Epoch+1)
	}
	if err := moveDevice(s, b, id, &dev, owner); err != nil {
		return err
	}
	dev.Epoch, dev.Owner, dev.Policy = epoch, owner, 0
	if err := s.Set(OwnerChangeKey(id, epoch), t.Bytes()); err != nil {
		return err
	}
	return put(s, DeviceKey(id), dev)
}
