package abci

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// scenesPerKind is how often each scene is played.
const scenesPerKind = 5

// scenes has one for each kind, which adds at least one transaction of it that
// passes. Scenes are played in any order and may share a block, so each makes
// its own people and devices, or takes those of a.owned. A new kind needs a row
// here; statetest has what builds its transaction.
var scenes = map[tx.Kind]func(a *author){
	tx.KindRegisterDevice: func(a *author) { a.registered() },
	tx.KindClaim:          func(a *author) { a.owned() },
	tx.KindTransfer: func(a *author) {
		owner, dev := a.owned()
		other, _ := a.owned()
		a.add(a.w.TransferTx(a.t, owner, other, dev))
		a.add(a.w.TransferTx(a.t, other, a.key("newcomer"), dev))
	},
	tx.KindRotateKeys: func(a *author) {
		owner, _ := a.owned()
		second, third := a.key("second"), a.key("third")
		a.add(a.w.RotateTx(a.t, owner, owner, second, third))
		a.add(a.w.RotateTx(a.t, owner, third, second))
	},
	tx.KindCreateGrant: func(a *author) { a.granted() },
	tx.KindRevokeGrant: func(a *author) {
		owner, grant := a.granted()
		a.add(a.w.RevokeTx(a.t, owner, grant))
	},
	tx.KindPropose: func(a *author) {
		a.add(a.w.AddTx(a.t, statetest.Governor(2), a.name("validator")))
		a.later(2 * time.Hour) // it is void then
	},
	tx.KindApprove: func(a *author) {
		p := a.w.AddTx(a.t, statetest.Governor(0), a.name("validator"))
		a.cut() // one change of validators a block is always allowed
		a.add(p)
		a.add(a.w.ApproveTx(a.t, statetest.Governor(1), p.ID(a.w.Block.Chain)))
		a.cut()
	},
	tx.KindRelease: func(a *author) {
		owner, dev := a.owned()
		a.add(a.w.ReleaseTx(a.t, owner, dev))
		a.add(a.w.ClaimTx(a.t, a.key("finder"), dev))
	},
	tx.KindReportLost: func(a *author) {
		owner, dev := a.owned()
		a.add(a.w.LostTx(a.t, owner, dev))
	},
	tx.KindReportFound: func(a *author) {
		owner, dev := a.owned()
		a.add(a.w.LostTx(a.t, owner, dev))
		a.later(time.Minute)
		a.add(a.w.FoundTx(a.t, owner, dev))
	},
	tx.KindSetGuardians: func(a *author) { a.guarded() },
	tx.KindStartRecovery: func(a *author) {
		a.add(a.w.StartTx(a.t, a.guarded(), a.key("heir")))
	},
	tx.KindCancelRecovery: func(a *author) {
		owner := a.guarded()
		a.add(a.w.StartTx(a.t, owner, a.key("thief")))
		a.add(a.w.CancelTx(a.t, owner))
	},
	tx.KindFinishRecovery: func(a *author) {
		owner, heir := a.guarded(), a.key("heir")
		a.add(a.w.StartTx(a.t, owner, heir))
		a.later(2 * statetest.Delay * time.Second)
		a.add(a.w.FinishTx(a.t, owner, heir))
	},
	tx.KindFreeze: func(a *author) {
		owner := a.guarded()
		a.add(a.w.FreezeTx(a.t, owner, statetest.Guardian(0)))
	},
	tx.KindUnfreeze: func(a *author) {
		owner, _ := a.owned()
		a.add(a.w.FreezeTx(a.t, owner, owner))
		a.add(a.w.UnfreezeTx(a.t, owner))
	},
	tx.KindRegisterBatch: func(a *author) {
		run := []*key.Private{a.key("device"), a.key("device"), a.key("device")}
		a.add(a.w.BatchTx(a.t, run...))
		a.add(a.w.MemberTx(a.t, a.key("owner"), run[1], a.w.Member(a.t, 1, run...)))
	},
	tx.KindSetPolicy: func(a *author) {
		owner, dev := a.owned()
		a.add(a.w.PolicyTx(a.t, owner, dev, tx.MethodPolicy{Endpoint: "lock", Method: "open", Class: tx.FreshAccess, Signers: 2}))
		a.add(a.w.PolicyTx(a.t, owner, dev))
	},
	tx.KindSetAddresses: func(a *author) {
		owner, dev := a.owned()
		a.add(a.w.AddressesTx(a.t, owner, dev, "/ip4/192.0.2.7/tcp/27800/p2p/"+statetest.PeerID))
	},
	tx.KindDelegateGrant: func(a *author) {
		owner, dev := a.owned()
		guest := a.key("guest")
		terms := a.w.Terms(guest.Public(), dev, "open", "state")
		terms.Depth = 1
		parent := a.w.GiveTx(a.t, owner, terms)
		a.add(parent)
		terms = a.w.Terms(a.key("friend").Public(), dev, "state")
		terms.NotBefore, terms.NotAfter = terms.NotBefore+1, terms.NotAfter-60
		child := a.w.DelegateTx(a.t, guest, &tx.DelegateGrant{Parent: parent.ID(a.w.Block.Chain), Grant: terms})
		a.add(child)
		end := child.ID(a.w.Block.Chain)
		a.add(a.w.DelegateTx(a.t, guest, &tx.DelegateGrant{Parent: parent.ID(a.w.Block.Chain), Revoke: &end}))
	},
	tx.KindOpenSeal: func(a *author) { a.sealing(1) },
	tx.KindApproveSeal: func(a *author) {
		owner, dev, second, command := a.sealing(2)
		a.add(a.w.ApproveSealTx(a.t, owner, dev, command, second))
	},
	tx.KindAnchorReceipts: func(a *author) {
		owner, dev := a.owned()
		a.add(a.w.AnchorTx(a.t, owner, dev, 256))
		a.add(a.w.AnchorTx(a.t, owner, dev, 300))
	},
	tx.KindPublishRelease: func(a *author) { a.add(a.w.VendorTx(a.t, statetest.ReleaseOf(a.version()))) },
	tx.KindRevokeRelease: func(a *author) {
		r := statetest.ReleaseOf(a.version())
		a.add(a.w.VendorTx(a.t, r))
		a.add(a.w.VendorTx(a.t, &tx.RevokeRelease{Model: r.Model, Version: r.Version}))
	},
	tx.KindPublishApp: func(a *author) { a.add(a.w.VendorTx(a.t, statetest.AppOf(a.version()))) },
	tx.KindRevokeApp: func(a *author) {
		p := statetest.AppOf(a.version())
		a.add(a.w.VendorTx(a.t, p))
		a.add(a.w.VendorTx(a.t, &tx.RevokeApp{App: p.App, Version: p.Version}))
	},
	tx.KindRotateVendorKeys: func(a *author) {
		a.add(a.w.RotateVendorTx(a.t, a.w.Vendor, 1, a.w.Vendor, a.key("vendor")))
	},
}

// author plays the scenes on a ledger in memory, and has the application execute
// the same: both must agree on every transaction and on every record.
type author struct {
	*world
	w     *statetest.World
	rand  *rand.Rand
	kinds map[tx.Kind]int
	out   recording
	txs   [][]byte // of the block that is open
	good  []bool   // which of them pass
	made  int
}

func newAuthor(t *testing.T) *author {
	w := newWorld(t)
	w.dir = t.TempDir()
	w.doc = &genesis.Doc{
		ChainID: "hos-test", Time: start, Governance: &genesis.Governance{Threshold: 2},
		Vendors: []genesis.Vendor{{Name: "maker", Keys: []key.Public{statetest.Key("vendor").Public()}, Threshold: 1, Quota: 1000}},
	}
	for i := range statetest.Validators {
		pub := statetest.ValidatorPub(statetest.ValidatorKey(fmt.Sprint("validator ", i)))
		w.doc.Validators = append(w.doc.Validators, genesis.Validator{Name: fmt.Sprint("validator ", i), PubKey: pub[:]})
	}
	for i := range statetest.Governors {
		w.doc.Governance.Governors = append(w.doc.Governance.Governors, genesis.Governor{Name: fmt.Sprint("governor ", i), Key: statetest.Governor(i).Public()})
	}
	w.open()
	w.init(w.initRequest())
	w.at = time.Unix(start+100, 0)
	a := &author{world: w, w: statetest.NewWorld(), rand: rand.New(rand.NewPCG(4, 4)), kinds: map[tx.Kind]int{}}
	a.out.Doc = w.doc.JSON()
	a.w.Tree, a.w.Vendor = new(statetest.Tree), statetest.Key("vendor")
	a.w.Block = state.Block{Chain: w.doc.Chain(), Height: 1, Time: start + 100}
	a.cut() // an empty block, after which the genesis state is committed
	a.records(func(k, v []byte) error { return a.w.Tree.Set(k, v) })
	return a
}

// records reads all that the application has committed.
func (a *author) records(f func(k, v []byte) error) {
	a.t.Helper()
	for prefix := 1; prefix < 0xff; prefix++ {
		if err := a.tree.ScanAt(a.tree.Version(), []byte{byte(prefix)}, f); err != nil {
			a.t.Fatal(err)
		}
	}
}

// record plays every scene and gives the blocks.
func (a *author) record() recording {
	var play []tx.Kind
	for _, k := range tx.Kinds() {
		for range scenesPerKind {
			play = append(play, k)
		}
	}
	a.rand.Shuffle(len(play), func(i, j int) { play[i], play[j] = play[j], play[i] })
	for _, k := range play {
		if scene := scenes[k]; scene != nil {
			scene(a)
		}
		a.noise()
		if a.rand.IntN(3) == 0 {
			a.cut()
		}
	}
	a.cut()
	seen := new(statetest.Tree)
	a.records(seen.Set)
	if diff := cmp.Diff(a.w.Tree.Keys(), seen.Keys()); diff != "" || !seen.Equal(a.w.Tree) {
		a.t.Errorf("the application has other records than its rules alone make: %s", diff)
	}
	a.records(func(k, v []byte) error {
		_, _, err := state.Describe(k, v)
		return err
	})
	return a.out
}

// noise adds what does not pass.
func (a *author) noise() {
	switch a.rand.IntN(6) {
	case 0:
		a.txs, a.good = append(a.txs, []byte("no transaction")), append(a.good, false)
	case 1: // executed once already, or refused
		if blocks := a.out.Blocks; len(blocks) > 0 {
			if past := blocks[a.rand.IntN(len(blocks))].Txs; len(past) > 0 {
				a.txs, a.good = append(a.txs, past[a.rand.IntN(len(past))]), append(a.good, false)
			}
		}
	}
}

// add executes a transaction, which must pass, and puts it into the open block.
func (a *author) add(x *tx.Tx) {
	a.t.Helper()
	if err := state.Execute(a.w.Tree, a.w.Block, x); err != nil {
		a.t.Fatalf("%s: %v", x.Body.Kind, err)
	}
	a.txs, a.good = append(a.txs, x.Bytes()), append(a.good, true)
	a.kinds[x.Body.Kind]++
	if len(a.txs) > 12 {
		a.cut()
	}
}

// cut ends the open block: the application executes it.
func (a *author) cut() {
	a.t.Helper()
	a.at = time.Unix(a.w.Block.Time, 0)
	for i, r := range a.finalize(a.txs...).TxResults {
		if (r.Code == CodeOK) != a.good[i] {
			a.t.Fatalf("block %d, transaction %d: code %d: %s", a.w.Block.Height, i, r.Code, r.Log)
		}
	}
	a.commit()
	a.out.Blocks = append(a.out.Blocks, recorded{a.w.Block.Time, a.txs})
	a.txs, a.good = nil, nil
	a.w.Block.Height++
	a.w.Block.Time++
}

// later lets time go by.
func (a *author) later(d time.Duration) {
	a.t.Helper()
	a.cut()
	a.w.Block.Time += int64(d / time.Second)
}

// name gives a name that nobody has.
func (a *author) name(role string) string {
	a.made++
	return fmt.Sprintf("%s %d", role, 100+a.made)
}

// key gives the key of somebody new.
func (a *author) key(role string) *key.Private { return statetest.Key(a.name(role)) }

// registered is a new device.
func (a *author) registered() *key.Private {
	dev := a.key("device")
	a.add(a.w.RegisterTx(a.t, dev))
	return dev
}

// owned is a new device and its new owner.
func (a *author) owned() (owner, dev *key.Private) {
	owner, dev = a.key("owner"), a.registered()
	a.add(a.w.ClaimTx(a.t, owner, dev))
	return owner, dev
}

// granted is a new owner's grant.
func (a *author) granted() (owner *key.Private, grant tx.ID) {
	owner, dev := a.owned()
	x := a.w.GrantTx(a.t, owner, a.key("guest").Public(), dev, "open", "state")
	a.add(x)
	return owner, x.ID(a.w.Block.Chain)
}

// guarded is a new owner with guardians.
func (a *author) guarded() *key.Private {
	owner, _ := a.owned()
	a.add(a.w.GuardiansTx(a.t, owner))
	return owner
}

// sealing is a seal of a new owner with two keys, which the first has approved.
func (a *author) sealing(needed uint8) (owner, dev, second *key.Private, command tx.ID) {
	owner, dev = a.owned()
	second, command = a.key("second"), statetest.Command(a.name("command"))
	a.add(a.w.RotateTx(a.t, owner, owner, owner, second))
	a.add(a.w.OpenSealTx(a.t, owner, dev, command, needed, owner))
	return owner, dev, second, command
}

// version gives a version that was never published.
func (a *author) version() string {
	a.made++
	return fmt.Sprintf("1.0.%d", a.made)
}
