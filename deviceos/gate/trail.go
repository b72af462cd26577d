package gate

import (
	"encoding/binary"
	"fmt"

	"github.com/hybridos-net/hybridos/chain/audit"
	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/deviceos/vault"
)

func trailKey(counter uint64) []byte {
	return vault.FamilyTrail.Key(binary.BigEndian.AppendUint64(nil, counter)...)
}

// trail keeps a receipt with its command, in place of the oldest.
func (j *journal) trail(counter uint64, receipt, command []byte) []vault.Write {
	writes := []vault.Write{{Key: trailKey(counter), Value: audit.Entry{Receipt: receipt, Command: command}.Bytes()}}
	if counter > Trail {
		writes = append(writes, vault.Write{Key: trailKey(counter - Trail)})
	}
	return writes
}

// Trail calls f with each kept entry (audit.Entry, encoded) from a counter on, as
// far as the chain goes now, until f fails. Entries that are gone are left out.
func (g *Gate) Trail(from uint64, f func(entry []byte) error) error {
	last := g.journal.count()
	if last > Trail {
		from = max(from, last-Trail+1)
	}
	for n := max(from, 1); n <= last; n++ {
		raw, err := g.cfg.Vault.Get(trailKey(n))
		if err != nil {
			return err
		}
		if raw == nil {
			continue
		}
		if err := f(raw); err != nil {
			return err
		}
	}
	return nil
}

// SignAnchor gives the device's signature under an owner's anchor of its receipts,
// if the chain stands there.
func (g *Gate) SignAnchor(t *tx.Tx) (key.Signature, error) {
	p, ok := t.Payload.(*tx.AnchorReceipts)
	if !ok || p.Device != g.id {
		return nil, fmt.Errorf("a %s is no anchor of this device", t.Body.Kind)
	}
	raw, err := g.cfg.Vault.Get(trailKey(p.To))
	if err != nil {
		return nil, err
	}
	var e audit.Entry
	if raw == nil || codec.Unmarshal(raw, &e, audit.MaxEntry) != nil {
		return nil, fmt.Errorf("receipt %d is not kept", p.To)
	}
	r, err := command.DecodeReceipt(e.Receipt)
	if err != nil {
		return nil, err
	}
	if r.Hash() != p.Head {
		return nil, fmt.Errorf("receipt %d has the hash %x", p.To, r.Hash())
	}
	return g.cfg.Device.Sign(t.Digest(g.cfg.Chain)), nil
}
