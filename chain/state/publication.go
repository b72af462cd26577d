package state

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Publication is a version of firmware or of an app on the ledger, with the
// transaction that proves that its vendor published it.
//
// Evolution: fields 1 to 5 are fixed; new ones are optional.
type Publication struct {
	Vendor   key.AccountID `cbor:"1,keyasint"`
	Status   Status        `cbor:"2,keyasint"`
	Tx       []byte        `cbor:"3,keyasint"`           // the signed PublishRelease or PublishApp envelope
	Keys     uint64        `cbor:"4,keyasint"`           // version of the vendor's keys that signed it
	Previous string        `cbor:"5,keyasint,omitempty"` // the version that was published before this one; none: the first
}

// Newest is which version of a model's firmware, or of an app, was published
// last. Previous leads from there to all others.
//
// Evolution: field 1 is fixed; new ones are optional.
type Newest struct {
	Version string `cbor:"1,keyasint"`
}

// Shelf is where the versions of one thing of a vendor stand.
type Shelf struct {
	prefix byte
	vendor key.AccountID
	name   string
}

// Releases is the shelf of the firmware for a vendor's model.
func Releases(vendor key.AccountID, model string) Shelf { return Shelf{prefixRelease, vendor, model} }

// Apps is the shelf of an app of a vendor.
func Apps(vendor key.AccountID, app string) Shelf { return Shelf{prefixApp, vendor, app} }

// NewestKey is where the shelf's Newest stands.
func (s Shelf) NewestKey() []byte { return s.key(s.name) }

// Key is where a version stands. Names and versions have no zero byte, so no
// two of them meet.
func (s Shelf) Key(version string) []byte { return s.key(s.name + "\x00" + version) }

func (s Shelf) key(of string) []byte {
	h := sha256.Sum256([]byte(of))
	return append(append([]byte{s.prefix}, s.vendor[:]...), h[:]...)
}

// Newest reads which version was published last; kind NoRelease if none was.
func (s Shelf) Newest(v View) (string, error) {
	var r Newest
	err := get(v, s.NewestKey(), &r, NoRelease)
	return r.Version, err
}

// Get reads a version; kind NoRelease if it was never published.
func (s Shelf) Get(v View, version string) (r Publication, err error) {
	err = get(v, s.Key(version), &r, NoRelease)
	return r, err
}

// publish puts a version on its shelf. What stands there already may be signed
// again by newer keys of the vendor, word for word, since devices believe only
// its present keys.
func (s Shelf) publish(tree Tree, t *tx.Tx, version string) error {
	ven, err := admitted(tree, s.vendor)
	if err != nil {
		return err
	}
	next := Publication{Vendor: s.vendor, Status: Active, Tx: t.Bytes(), Keys: ven.KeyVersion}
	had, err := s.Get(tree, version)
	switch {
	case err == nil:
		if err := s.again(had, next, t, version); err != nil {
			return err
		}
		next.Previous = had.Previous
		return put(tree, s.Key(version), next)
	case !isKind(err, NoRelease):
		return err
	}
	if next.Previous, err = s.Newest(tree); err != nil && !isKind(err, NoRelease) {
		return err
	}
	if err := put(tree, s.NewestKey(), Newest{version}); err != nil {
		return err
	}
	return put(tree, s.Key(version), next)
}

// again refuses a version that stands there already, unless it is signed by
// newer keys and changes nothing.
func (s Shelf) again(had, next Publication, t *tx.Tx, version string) error {
	if had.Status != Active {
		return &Error{Kind: ReleaseRevoked, Detail: s.title(version)}
	}
	old, err := tx.Decode(had.Tx)
	if err != nil {
		return fmt.Errorf("%s: %w", s.title(version), err)
	}
	if had.Keys >= next.Keys || !bytes.Equal(old.Body.Payload, t.Body.Payload) {
		return &Error{Kind: ReleaseExists, Detail: s.title(version)}
	}
	return nil
}

// revoke ends a version for good. Also a suspended vendor may: it takes away.
func (s Shelf) revoke(tree Tree, version string) error {
	r, err := s.Get(tree, version)
	if err != nil {
		return err
	}
	if r.Status != Active {
		return &Error{Kind: ReleaseRevoked, Detail: s.title(version)}
	}
	r.Status = Revoked
	return put(tree, s.Key(version), r)
}

func (s Shelf) title(version string) string {
	return fmt.Sprintf("%q %s of %s", s.name, version, s.vendor)
}

// admitted reads a vendor that is not suspended.
func admitted(v View, id key.AccountID) (Vendor, error) {
	ven, err := GetVendor(v, id)
	if err == nil && ven.Suspended {
		err = &Error{Kind: VendorSuspended, Detail: fmt.Sprintf("vendor %q", ven.Name)}
	}
	return ven, err
}

// VerifyRelease checks that the pinned keys of a vendor signed the firmware that
// a record shows, for this model and version, and that it is not revoked. No
// validator is trusted for it.
func VerifyRelease(chain codec.ChainDigest, vendor VendorPin, model, version string, r Publication) (*tx.PublishRelease, error) {
	t, err := published(chain, vendor, r)
	if err != nil {
		return nil, err
	}
	p, ok := t.Payload.(*tx.PublishRelease)
	if !ok || p.Model != model || p.Version != version {
		return nil, forged("the record of %q %s holds another release", model, version)
	}
	return p, nil
}

// VerifyApp is VerifyRelease for a version of an app.
func VerifyApp(chain codec.ChainDigest, vendor VendorPin, app, version string, r Publication) (*tx.PublishApp, error) {
	t, err := published(chain, vendor, r)
	if err != nil {
		return nil, err
	}
	p, ok := t.Payload.(*tx.PublishApp)
	if !ok || p.App != app || p.Version != version {
		return nil, forged("the record of app %q %s holds another one", app, version)
	}
	return p, nil
}

func published(chain codec.ChainDigest, vendor VendorPin, r Publication) (*tx.Tx, error) {
	if r.Status != Active {
		return nil, &Error{Kind: ReleaseRevoked, Detail: "of " + vendor.Vendor.String()}
	}
	t, err := tx.Decode(r.Tx)
	if err != nil {
		return nil, forged("release of %s: %v", vendor.Vendor, err)
	}
	if t.Body.Account != vendor.Vendor || r.Vendor != vendor.Vendor {
		return nil, forged("a release of %s, not of %s", t.Body.Account, vendor.Vendor)
	}
	if err := verify(t, t.Digest(chain), []signer{vendorSigner(vendor.Keys)}); err != nil {
		return nil, forged("release of %s: %v", vendor.Vendor, err)
	}
	return t, nil
}
