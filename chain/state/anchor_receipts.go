package state

import (
	"fmt"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Anchor is how far a device's chain of receipts stands on the ledger.
//
// Evolution: fields 1 to 4 are fixed; new ones are optional.
type Anchor struct {
	Counter uint64   `cbor:"1,keyasint"` // of the last receipt
	Head    [32]byte `cbor:"2,keyasint"` // its hash
	Height  int64    `cbor:"3,keyasint"` // of the block
	Tx      []byte   `cbor:"4,keyasint"` // the signed AnchorReceipts envelope
}

// GetAnchor reads a device's newest anchor; kind NoAnchor if there is none.
func GetAnchor(v View, device key.DeviceID) (r Anchor, err error) {
	err = get(v, AnchorKey(device), &r, NoAnchor)
	return r, err
}

// GetAnchorAt reads the anchor that ends with the given counter; kind NoAnchor
// if there is none. Each anchor's From leads to the one before it.
func GetAnchorAt(v View, device key.DeviceID, counter uint64) (r Anchor, err error) {
	err = get(v, AnchorAtKey(device, counter), &r, NoAnchor)
	return r, err
}

func anchorSigners(v View, t *tx.Tx) ([]signer, error) {
	dev, err := GetDevice(v, t.Payload.(*tx.AnchorReceipts).Device)
	if err != nil {
		return nil, err
	}
	by, err := accountSigners(v, t)
	return append(by, signer{role: tx.RoleDevice, keys: []key.Public{dev.Key}, threshold: 1}), err
}

// applyAnchorReceipts lets the counter only grow, and without a gap: what lies
// between two anchors is one chain of receipts, which the head commits to.
func applyAnchorReceipts(s Tree, b Block, t *tx.Tx) error {
	p := t.Payload.(*tx.AnchorReceipts)
	if _, err := reported(s, t, p.Device, p.Epoch); err != nil {
		return err
	}
	last, err := GetAnchor(s, p.Device)
	if err != nil && !isKind(err, NoAnchor) {
		return err
	}
	if p.From != last.Counter+1 {
		return &Error{Kind: BadCounter, Detail: fmt.Sprintf("receipts from %d, next is %d", p.From, last.Counter+1)}
	}
	r := Anchor{Counter: p.To, Head: p.Head, Height: b.Height, Tx: t.Bytes()}
	if err := put(s, AnchorAtKey(p.Device, p.To), r); err != nil {
		return err
	}
	return put(s, AnchorKey(p.Device), r)
}

// VerifyAnchor checks that the device itself signed what an anchor shows. When
// it was anchored is the ledger's word.
func VerifyAnchor(chain codec.ChainDigest, dev key.Public, r Anchor) (*tx.AnchorReceipts, error) {
	t, err := tx.Decode(r.Tx)
	if err != nil {
		return nil, forged("anchor of %s: %v", dev.DeviceID(), err)
	}
	p, ok := t.Payload.(*tx.AnchorReceipts)
	if !ok || p.Device != dev.DeviceID() || p.To != r.Counter || p.Head != r.Head {
		return nil, forged("anchor of %s holds another transaction", dev.DeviceID())
	}
	one := *t
	one.Sigs = nil
	for _, s := range t.Sigs {
		if s.Role == tx.RoleDevice {
			one.Sigs = append(one.Sigs, s)
		}
	}
	if err := verify(&one, t.Digest(chain), []signer{{role: tx.RoleDevice, keys: []key.Public{dev}, threshold: 1}}); err != nil {
		return nil, forged("anchor of %s: %v", dev.DeviceID(), err)
	}
	return p, nil
}
