package cli

import (
	"context"
	"fmt"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/wallet/draft"
	"github.com/hybridos-net/hybridos/wallet/keystore"
)

// anchorTrail puts the hash of the last receipt on the ledger: the owner signs and
// submits, and the device signs that its chain stands there.
func (s *session) anchorTrail(ctx context.Context, r *keystore.Ring, t target, last *command.Receipt) error {
	if last == nil {
		return fail(exitNotFound, "no_receipts", "do something with the device first", "%s has no receipts", t.name)
	}
	c, err := s.commit(ctx, "anchor the receipts", func(l draft.Ledger) (*tx.Tx, error) {
		p, err := party(l.View, r)
		if err != nil {
			return nil, err
		}
		anchor, err := l.Anchor(p, t.id, last.Body.Counter, last.Hash())
		if err != nil {
			return nil, err
		}
		sig, err := s.deviceSigns(ctx, r, t, anchor)
		if err != nil {
			return nil, err
		}
		anchor.AddSig(tx.Sig{Role: tx.RoleDevice, Key: t.key.ID(), Bytes: sig})
		return anchor, nil
	})
	if err != nil {
		return err
	}
	return s.printTx(c, fmt.Sprintf("receipts up to %d are anchored", last.Body.Counter))
}

// deviceSigns asks the device for its signature under an anchor.
func (s *session) deviceSigns(ctx context.Context, r *keystore.Ring, t target, anchor *tx.Tx) (key.Signature, error) {
	receipt, err := s.invoke(ctx, r, t, ownMethod("anchor"), anchor.Bytes())
	if err != nil {
		return nil, err
	}
	return receipt.Body.Result, outcome(receipt, t)
}
