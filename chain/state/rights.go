package state

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Pin is what somebody outside the ledger holds to be an account's keys. It
// starts at the root key, which the account's id commits to, and moves only
// along signed key changes; no proof by validators can move it otherwise.
//
// Evolution: fields 1 and 2 are fixed; new ones are optional.
type Pin struct {
	Account key.AccountID `cbor:"1,keyasint"`
	Keys    KeySet        `cbor:"2,keyasint"`
}

// NewPin pins the account whose first key is root.
func NewPin(root key.Public) Pin {
	return Pin{Account: root.AccountID(), Keys: RootKeySet(root)}
}

// Ownership is what a device holds to be true about its owner.
//
// Evolution: fields 1 to 3 are fixed; new ones are optional.
type Ownership struct {
	Device key.DeviceID `cbor:"1,keyasint"`
	Epoch  uint64       `cbor:"2,keyasint"`
	Owner  Pin          `cbor:"3,keyasint"`
}

// PinAccount pins an account from its id alone: the root key of the record
// must hash to the id, and every later key set must be signed for.
func PinAccount(v View, chain codec.ChainDigest, id key.AccountID) (Pin, error) {
	root, err := rootOf(v, id)
	if err != nil {
		return Pin{}, err
	}
	return FollowKeys(v, chain, NewPin(root))
}

// rootOf reads an account's first key and checks it against the id.
func rootOf(v View, id key.AccountID) (key.Public, error) {
	a, err := GetAccount(v, id)
	if err == nil && a.Root.AccountID() != id {
		err = forged("root key of %s does not hash to its id", id)
	}
	return a.Root, err
}

// FollowKeys moves a pin to the account's present key set by checking each
// signed change since. A record that shows other keys than the changes give,
// or an older version than the pin, is refused.
func FollowKeys(v View, chain codec.ChainDigest, pin Pin) (Pin, error) {
	a, err := GetAccount(v, pin.Account)
	if err != nil {
		return pin, err
	}
	if a.KeySet.Version < pin.Keys.Version {
		return pin, forged("key version of %s went back from %d to %d", pin.Account, pin.Keys.Version, a.KeySet.Version)
	}
	if a.KeySet.Version-pin.Keys.Version > MaxFollow {
		return pin, forged("%s has %d key changes to follow", pin.Account, a.KeySet.Version-pin.Keys.Version)
	}
	next := pin
	for next.Keys.Version < a.KeySet.Version {
		if next, err = stepKeys(v, chain, next); err != nil {
			return pin, err
		}
	}
	if !reflect.DeepEqual(next.Keys, a.KeySet) {
		return pin, forged("keys of %s were not signed for", pin.Account)
	}
	return next, nil
}

// stepKeys moves a pin by one signed change. A recovery counts only if the
// guardians signed it whom the pinned keys had named; that its delay had passed
// is the ledger's word.
func stepKeys(v View, chain codec.ChainDigest, pin Pin) (Pin, error) {
	raw, err := GetKeyChange(v, pin.Account, pin.Keys.Version+1)
	if err != nil {
		return pin, err
	}
	t, err := tx.Decode(raw)
	if err != nil {
		return pin, forged("key change of %s: %v", pin.Account, err)
	}
	if t.Body.Account != pin.Account {
		return pin, forged("key change of %s is another transaction", pin.Account)
	}
	signers, keys, err := keyChange(pin.Keys, t.Payload)
	if err != nil {
		return pin, forged("key change of %s: %v", pin.Account, err)
	}
	if err := verify(t, t.Digest(chain), signers); err != nil {
		return pin, forged("key change of %s: %v", pin.Account, err)
	}
	return Pin{Account: pin.Account, Keys: keys}, nil
}

// VerifyClaim checks that a claim binds the device with the given key to an
// owner, and gives the ownership that the claim begins. The device must have
// signed it, and the owner as pinned by the caller.
func VerifyClaim(chain codec.ChainDigest, dev key.Public, owner Pin, envelope []byte) (Ownership, error) {
	t, err := tx.Decode(envelope)
	if err != nil {
		return Ownership{}, err
	}
	p, ok := t.Payload.(*tx.Claim)
	if !ok || p.Device != dev.DeviceID() || t.Body.Account != owner.Account {
		return Ownership{}, forged("not a claim of %s by %s", dev.DeviceID(), owner.Account)
	}
	err = verify(t, t.Digest(chain), []signer{
		adminSigner(tx.RoleAccount, owner.Keys),
		{role: tx.RoleDevice, keys: []key.Public{dev}, threshold: 1},
	})
	if err != nil {
		return Ownership{}, err
	}
	return Ownership{Device: p.Device, Epoch: p.Epoch, Owner: owner}, nil
}

// FollowOwner moves an ownership to the ledger's present state by checking the
// owners' signatures under every change. This is the check that all validators
// together cannot get round: a header in which the device has another owner,
// with no transfer that the old owner signed, is refused as Forged. If the owner
// signed a release, the ownership is over, whatever came after it: kind Released.
func FollowOwner(v View, chain codec.ChainDigest, own Ownership) (Ownership, error) {
	dev, err := GetDevice(v, own.Device)
	if err != nil {
		return own, err
	}
	if dev.Key.DeviceID() != own.Device {
		return own, forged("record of %s holds another key", own.Device)
	}
	if dev.Epoch < own.Epoch || dev.Epoch-own.Epoch > MaxFollow {
		return own, forged("epoch of %s went from %d to %d", own.Device, own.Epoch, dev.Epoch)
	}
	next := own
	for next.Epoch < dev.Epoch {
		if next, err = stepOwner(v, chain, next); err != nil {
			return own, err
		}
	}
	if dev.Owner == nil || *dev.Owner != next.Owner.Account {
		return own, forged("nobody signed for the owner that %s shows", own.Device)
	}
	if next.Owner, err = FollowKeys(v, chain, next.Owner); err != nil {
		return own, err
	}
	return next, nil
}

// stepOwner moves an ownership by one signed transfer. Both owners' keys are
// tried from the version on that is already held, since they may have changed
// before the transfer; versions before it are never tried. The new owner is
// pinned at the version that signed, since its next transfer may have been
// signed by keys that it has replaced since.
func stepOwner(v View, chain codec.ChainDigest, own Ownership) (Ownership, error) {
	raw, err := GetOwnerChange(v, own.Device, own.Epoch+1)
	if isKind(err, NoChange) {
		return own, forged("no transfer begins epoch %d of %s", own.Epoch+1, own.Device)
	}
	if err != nil {
		return own, err
	}
	t, err := tx.Decode(raw)
	if err != nil {
		return own, forged("transfer of %s: %v", own.Device, err)
	}
	if p, ok := t.Payload.(*tx.Release); ok {
		return own, released(v, chain, own, t, p)
	}
	p, ok := t.Payload.(*tx.Transfer)
	if !ok || p.Device != own.Device || p.Epoch != own.Epoch+1 || t.Body.Account != own.Owner.Account {
		return own, forged("epoch %d of %s was begun by another transaction", own.Epoch+1, own.Device)
	}
	if _, err := signedAt(v, chain, t, tx.RoleAccount, own.Owner); err != nil {
		return own, err
	}
	root, err := rootOf(v, p.To)
	if err != nil {
		return own, err
	}
	to, err := signedAt(v, chain, t, tx.RoleNewOwner, NewPin(root))
	if err != nil {
		return own, err
	}
	return Ownership{Device: own.Device, Epoch: p.Epoch, Owner: to}, nil
}

// released gives the error of an ownership that ends with a release: Released
// if the pinned owner or a later key set of it signed that.
func released(v View, chain codec.ChainDigest, own Ownership, t *tx.Tx, p *tx.Release) error {
	if p.Device != own.Device || p.Epoch != own.Epoch+1 || t.Body.Account != own.Owner.Account {
		return forged("epoch %d of %s was begun by another release", own.Epoch+1, own.Device)
	}
	if _, err := signedAt(v, chain, t, tx.RoleAccount, own.Owner); err != nil {
		return err
	}
	return &Error{Kind: Released, Detail: fmt.Sprintf("%s gave up %s with epoch %d", own.Owner.Account, own.Device, p.Epoch)}
}

// signedAt gives the first key set, from the pin on, under which a transfer's
// signatures of one role hold. The roles are looked at one by one, so that the
// work rises with the sum of both owners' key changes and not the product.
func signedAt(v View, chain codec.ChainDigest, t *tx.Tx, role tx.Role, pin Pin) (Pin, error) {
	one := *t
	one.Sigs = nil
	for _, s := range t.Sigs {
		switch s.Role {
		case role:
			one.Sigs = append(one.Sigs, s)
		case tx.RoleAccount, tx.RoleNewOwner:
		default:
			return pin, forged("transfer %s has a signature of role %d", t.ID(chain), s.Role)
		}
	}
	digest := t.Digest(chain)
	for range MaxFollow {
		last := verify(&one, digest, []signer{adminSigner(role, pin.Keys)})
		if last == nil {
			return pin, nil
		}
		next, err := stepKeys(v, chain, pin)
		if isKind(err, NoChange) {
			return pin, forged("transfer %s: %v", t.ID(chain), last)
		}
		if err != nil {
			return pin, err
		}
		pin = next
	}
	return pin, forged("%s has too many key changes to follow", pin.Account)
}

// VerifyGrant checks that the owner's present keys signed the grant that a
// record shows, and that it is not revoked. A key that has been rotated out
// takes the grants that it signed with it: if it was stolen, so may they be.
func VerifyGrant(chain codec.ChainDigest, owner Pin, id tx.ID, g Grant) (*tx.CreateGrant, error) {
	if g.Status != Active {
		return nil, &Error{Kind: GrantRevoked, Detail: id.String()}
	}
	t, err := tx.Decode(g.Tx)
	if err != nil {
		return nil, forged("grant %s: %v", id, err)
	}
	p, ok := t.Payload.(*tx.CreateGrant)
	if !ok || t.ID(chain) != id {
		return nil, forged("record of grant %s holds another transaction", id)
	}
	if t.Body.Account != owner.Account || g.Issuer != owner.Account {
		return nil, &Error{Kind: NotIssuer, Detail: fmt.Sprintf("grant %s is not by the owner", id)}
	}
	if err := verify(t, t.Digest(chain), []signer{adminSigner(tx.RoleAccount, owner.Keys)}); err != nil {
		return nil, forged("grant %s: %v", id, err)
	}
	return p, nil
}

func forged(format string, args ...any) error {
	return &Error{Kind: Forged, Detail: fmt.Sprintf(format, args...)}
}

func isKind(err error, k ErrorKind) bool { return errors.Is(err, k) }
