package state

import (
	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// ReadRights reads every record that a device, which stands in the given epoch,
// will read to judge a command under a grant or, with nil, by its owner. It
// judges nothing: the error is the view's own. It is for those who bring the
// device what it reads.
func ReadRights(v View, chain codec.ChainDigest, device key.DeviceID, epoch uint64, grant *tx.ID) error {
	r := &reader{view: v}
	dev, err := GetDevice(r, device)
	if err != nil {
		return r.failed
	}
	for e := epoch + 1; e <= dev.Epoch && e-epoch <= MaxFollow; e++ {
		r.ownerChange(chain, device, e)
	}
	if dev.Owner != nil {
		_, _ = PinAccount(r, chain, *dev.Owner)
	}
	if dev.Policy > 0 {
		_, _ = GetPolicy(r, device)
	}
	if grant != nil {
		_, _ = ReadGrants(r, chain, *grant)
	}
	return r.failed
}

// ownerChange reads what began an epoch, and the keys of both owners.
func (r *reader) ownerChange(chain codec.ChainDigest, device key.DeviceID, epoch uint64) {
	raw, err := GetOwnerChange(r, device, epoch)
	if err != nil {
		return
	}
	t, err := tx.Decode(raw)
	if err != nil {
		return
	}
	_, _ = PinAccount(r, chain, t.Body.Account)
	if p, ok := t.Payload.(*tx.Transfer); ok {
		_, _ = PinAccount(r, chain, p.To)
	}
}

// reader remembers whether the view failed to answer.
type reader struct {
	view   View
	failed error
}

// Get reads through.
func (r *reader) Get(k []byte) ([]byte, error) {
	v, err := r.view.Get(k)
	if err != nil && r.failed == nil {
		r.failed = err
	}
	return v, err
}
