package draft

import (
	"github.com/hybridos-net/hybridos/chain/batch"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// RegisterBatch drafts a vendor's registration of a production run.
func (l Ledger) RegisterBatch(p Party, root batch.Hash, size uint64, model string) (*tx.Tx, error) {
	v, err := state.GetVendor(l.View, p.Account)
	if err != nil {
		return nil, err
	}
	return l.build(p, v.Sequence, Life, tx.RoleVendor, &tx.RegisterBatch{Root: root, Size: size, Model: model})
}

// SetPolicy drafts the next policy of a device, whole; rules stand in order.
func (l Ledger) SetPolicy(p Party, device key.DeviceID, rules []tx.MethodPolicy) (*tx.Tx, error) {
	d, err := l.owned(p, device)
	if err != nil {
		return nil, err
	}
	return l.ofDevice(p, device, func(epoch uint64) tx.Payload {
		return &tx.SetPolicy{Device: device, Epoch: epoch, Version: d.Policy + 1, Rules: rules}
	})
}

// SetAddresses drafts where a device can be reached; none takes it back.
func (l Ledger) SetAddresses(p Party, device key.DeviceID, addrs []string) (*tx.Tx, error) {
	return l.ofDevice(p, device, func(epoch uint64) tx.Payload {
		return &tx.SetAddresses{Device: device, Epoch: epoch, Addrs: addrs}
	})
}
