package draft

import (
	"errors"
	"testing"

	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
)

func TestLedger_Batch(t *testing.T) {
	f := fixture{World: statetest.NewWorld(), owner: statetest.Key("owner"), dev: statetest.Key("lock")}
	other := statetest.Key("other lock")
	tree := statetest.BatchTree(t, other, f.dev)
	m := f.Member(t, 1, other, f.dev)
	if c, err := f.ledger().ClaimMember(party(f.owner), m); err != nil || !errors.Is(f.ledger().Rehearse(c), state.MissingSigner) && !errors.Is(f.ledger().Rehearse(c), state.NoBatch) {
		t.Errorf("before the batch: %v", err)
	}
	if _, err := f.ledger().RegisterBatch(party(f.owner), tree.Root(), tree.Size(), "Lock 2"); !errors.Is(err, state.NoVendor) {
		t.Errorf("not a vendor: %v", err)
	}
	d, err := f.ledger().RegisterBatch(party(f.Vendor), tree.Root(), tree.Size(), "Lock 2")
	f.accept(t, d, err)
	claim, err := f.ledger().ClaimMember(party(f.owner), m)
	if err != nil {
		t.Fatal(err)
	}
	claim.Sign(f.Block.Chain, tx.RoleDevice, f.dev)
	f.accept(t, claim, nil)
	if _, err := f.ledger().ClaimMember(party(f.owner), m); !errors.Is(err, state.DeviceOwned) {
		t.Errorf("claimed twice: %v", err)
	}
	release, err := f.ledger().Release(party(f.owner), m.Key.DeviceID())
	f.accept(t, release, err)
	again, err := f.ledger().ClaimMember(party(f.owner), m)
	if err != nil || again.Payload.(*tx.Claim).Batch != nil {
		t.Fatalf("a device with a record is claimed with a proof: %v", err)
	}
	again.Sign(f.Block.Chain, tx.RoleDevice, f.dev)
	f.accept(t, again, nil)
}

func TestLedger_PolicyAndAddresses(t *testing.T) {
	f := owned(t)
	id := f.dev.Public().DeviceID()
	if _, err := f.ledger().SetPolicy(party(f.next), id, nil); !errors.Is(err, state.NotOwner) {
		t.Errorf("policy by a stranger: %v", err)
	}
	if _, err := f.ledger().SetAddresses(party(f.next), id, nil); !errors.Is(err, state.NotOwner) {
		t.Errorf("addresses by a stranger: %v", err)
	}
	for range 2 {
		d, err := f.ledger().SetPolicy(party(f.owner), id, []tx.MethodPolicy{{Endpoint: "lock", Method: "open", Class: tx.FreshComfort, Signers: 1}})
		f.accept(t, d, err)
	}
	if r, err := state.GetPolicy(f.Tree, id); err != nil || r.Version != 2 {
		t.Errorf("policy %d, %v", r.Version, err)
	}
	d, err := f.ledger().SetAddresses(party(f.owner), id, []string{"/dns4/door/tcp/1/p2p/" + statetest.PeerID})
	f.accept(t, d, err)
}
