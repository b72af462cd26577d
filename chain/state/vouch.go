package state

import (
	"bytes"
	"slices"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Vouch is an owner's word to one device that a header is of the real ledger.
// After the trusting period the signatures of validators alone are not enough,
// since they may have sold their keys meanwhile: such a device has no way to tell
// the ledger from a fork, and its owner has.
//
// Evolution: fields 1 to 6 are fixed; new ones are optional.
type Vouch struct {
	Version uint8        `cbor:"1,keyasint"`
	Device  key.DeviceID `cbor:"2,keyasint"`
	Epoch   uint64       `cbor:"3,keyasint"`
	Height  uint64       `cbor:"4,keyasint"`
	Hash    []byte       `cbor:"5,keyasint"` // of the header
	Expires uint64       `cbor:"6,keyasint"` // Unix seconds
}

// vouchEnvelope is what travels.
//
// Evolution: fields 1 and 2 are fixed; new ones are optional.
type vouchEnvelope struct {
	Body []byte     `cbor:"1,keyasint"`
	Sigs []vouchSig `cbor:"2,keyasint"`
}

type vouchSig struct {
	Key   key.KeyID     `cbor:"1,keyasint"`
	Bytes key.Signature `cbor:"2,keyasint"`
}

const (
	vouchVersion = 1
	// MaxVouch is the longest vouch: a body of 100 bytes and tx.MaxKeys
	// signatures.
	MaxVouch = 2 << 10
	// MaxVouchLife is how long a vouch is good, in seconds: as long as it takes to
	// bring it to the device.
	MaxVouchLife = 600
)

// SignVouch gives the owner's word in the envelope's canonical encoding.
func SignVouch(chain codec.ChainDigest, v Vouch, keys ...key.Signer) []byte {
	v.Version = vouchVersion
	e := vouchEnvelope{Body: codec.MustMarshal(v)}
	for _, k := range keys {
		e.Sigs = append(e.Sigs, vouchSig{k.Public().ID(), k.Sign(codec.Digest(codec.LabelVouch, chain, e.Body))})
	}
	slices.SortFunc(e.Sigs, func(a, b vouchSig) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	return codec.MustMarshal(e)
}

// VerifyVouch checks that as many of the owner's admin keys as its threshold asks
// for have vouched for a header to the device in its epoch, not long ago. now is
// in Unix seconds.
func VerifyVouch(chain codec.ChainDigest, own Ownership, raw []byte, height uint64, hash []byte, now uint64) error {
	var e vouchEnvelope
	var v Vouch
	if err := codec.Unmarshal(raw, &e, MaxVouch); err != nil {
		return forged("vouch: %v", err)
	}
	if err := codec.Unmarshal(e.Body, &v, MaxVouch); err != nil {
		return forged("vouch: %v", err)
	}
	switch {
	case v.Version != vouchVersion:
		return forged("vouch of version %d", v.Version)
	case v.Device != own.Device || v.Epoch != own.Epoch:
		return forged("vouch for %s in epoch %d", v.Device, v.Epoch)
	case v.Height != height || !bytes.Equal(v.Hash, hash):
		return forged("vouch for another header, of height %d", v.Height)
	case v.Expires <= now || v.Expires > now+2*MaxVouchLife:
		return forged("vouch good until %d, now %d", v.Expires, now)
	case len(e.Sigs) > tx.MaxKeys:
		return forged("vouch with %d signatures", len(e.Sigs))
	}
	admins := adminSigner(tx.RoleAccount, own.Owner.Keys)
	digest, have := codec.Digest(codec.LabelVouch, chain, e.Body), 0
	for i, s := range e.Sigs {
		if i > 0 && bytes.Compare(e.Sigs[i-1].Key[:], s.Key[:]) >= 0 {
			return forged("vouch with signatures repeated or out of order")
		}
		j := slices.IndexFunc(admins.keys, func(k key.Public) bool { return k.ID() == s.Key })
		if j < 0 {
			return forged("vouch signed by %s, which is no admin key of the owner", s.Key)
		}
		if err := admins.keys[j].Verify(digest, s.Bytes); err != nil {
			return forged("vouch: %v", err)
		}
		have++
	}
	if have < admins.threshold {
		return forged("vouch with %d of %d signatures", have, admins.threshold)
	}
	return nil
}
