package abci

import (
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// deepGrant is a grant to w.other that it may give on, in a block of its own.
func (w *world) deepGrant() (tx.ID, *tx.CreateGrant) {
	p := *w.grant(w.owner, 4, 0, 1).Payload.(*tx.CreateGrant)
	p.Depth = 1
	x := w.byOwner(0, &p)
	w.block(x.Bytes())
	return x.ID(w.doc.Chain()), &p
}

// giveOn is w.other's n-th giving on of a grant.
func (w *world) giveOn(parent tx.ID, n uint64, p tx.CreateGrant) *tx.Tx {
	p.Grantee, p.Depth = w.devices[2].Public(), 0
	return w.tx(w.other.Public().AccountID(), n, &tx.DelegateGrant{Parent: parent, Grant: &p}, signer{tx.RoleGrantee, w.other})
}

// refusedGrants has a transaction for each kind of the giving on of grants.
var refusedGrants = []struct {
	name string
	kind error
	make func(w *world, live, dead tx.ID) []byte
}{
	{"given on wider", state.NotNarrower, func(w *world, _, _ tx.ID) []byte {
		id, p := w.deepGrant()
		p.NotAfter++
		return w.giveOn(id, 0, *p).Bytes()
	}},
	{"given on too often", state.TooManyGrants, func(w *world, _, _ tx.ID) []byte {
		id, p := w.deepGrant()
		var block [][]byte
		for n := range uint64(state.MaxGiven) {
			block = append(block, w.giveOn(id, n, *p).Bytes())
		}
		w.block(block...)
		return w.giveOn(id, state.MaxGiven, *p).Bytes()
	}},
	{"given on by a stranger", state.WrongSigner, func(w *world, _, _ tx.ID) []byte {
		id, p := w.deepGrant()
		x := w.giveOn(id, 0, *p)
		x.Sigs = nil
		x.Sign(w.doc.Chain(), tx.RoleGrantee, w.owner)
		return x.Bytes()
	}},
}
