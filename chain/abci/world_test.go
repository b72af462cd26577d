package abci

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/crypto/ed25519"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/store"
	"github.com/hybridos-net/hybridos/chain/store/kv"
	"github.com/hybridos-net/hybridos/chain/tx"
)

const start = 1_700_000_000 // genesis time of the tests

// world is an application on disk with the keys of everybody in it.
type world struct {
	t    testing.TB
	dir  string
	fs   kv.FS // nil for the disk
	doc  *genesis.Doc
	tree *store.Tree
	app  *App
	now  time.Time
	at   time.Time // of the next block, if it is not to follow from the height

	evidence []types.Misbehavior // of the next block

	vendor, owner, other *key.Private
	devices              []*key.Private
}

func secret(t testing.TB, name string) *key.Private {
	t.Helper()
	seed := sha256.Sum256([]byte(name))
	k, err := key.Generate(bytes.NewReader(bytes.Repeat(seed[:], 8)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// newWorld makes a ledger whose vendor may register three devices.
func newWorld(t testing.TB) *world { return newWorldOf(t, 3) }

// newWorldOf makes a ledger whose vendor has the given quota.
func newWorldOf(t testing.TB, quota uint64) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), now: time.Unix(start+100, 0)}
	w.vendor, w.owner, w.other = secret(t, "vendor"), secret(t, "owner"), secret(t, "other")
	for _, name := range []string{"device 0", "device 1", "device 2", "device 3"} {
		w.devices = append(w.devices, secret(t, name))
	}
	w.doc = &genesis.Doc{
		ChainID: "hos-test", Time: start,
		Validators: []genesis.Validator{{Name: "one", PubKey: valKey("one")}},
		Vendors:    []genesis.Vendor{{Name: "maker", Keys: []key.Public{w.vendor.Public()}, Threshold: 1, Quota: quota}},
	}
	w.open()
	w.init(w.initRequest())
	return w
}

func valKey(name string) []byte { return ed25519.GenPrivKeyFromSecret([]byte(name)).PubKey().Bytes() }

// newGoverned makes a ledger with the given validators and three governors, two
// of whom decide.
func newGoverned(t *testing.T, validators ...string) *world {
	t.Helper()
	w := newWorld(t)
	w.dir = t.TempDir()
	w.doc.Validators = nil
	for _, name := range validators {
		w.doc.Validators = append(w.doc.Validators, genesis.Validator{Name: name, PubKey: valKey(name)})
	}
	w.doc.Governance = &genesis.Governance{Threshold: 2}
	for i := range 3 {
		w.doc.Governance.Governors = append(w.doc.Governance.Governors, genesis.Governor{Name: fmt.Sprint("governor ", i), Key: w.governor(i).Public()})
	}
	w.open()
	w.init(w.initRequest())
	return w
}

func (w *world) governor(i int) *key.Private { return secret(w.t, fmt.Sprint("governor ", i)) }

// propose is a proposal that is open until ten minutes after the start.
func (w *world) propose(governor int, sequence uint64, c tx.Change) *tx.Tx {
	return w.proposeUntil(governor, sequence, start+600, c)
}

func (w *world) proposeUntil(governor int, sequence, until uint64, c tx.Change) *tx.Tx {
	k := w.governor(governor)
	return w.tx(k.Public().AccountID(), sequence, &tx.Propose{Until: until, Change: c}, signer{tx.RoleGovernor, k})
}

func (w *world) approve(governor int, sequence uint64, p *tx.Tx) *tx.Tx {
	k := w.governor(governor)
	return w.tx(k.Public().AccountID(), sequence, &tx.Approve{Proposal: p.ID(w.doc.Chain())}, signer{tx.RoleGovernor, k})
}

// adding is the change that adds a validator, with its proof.
func (w *world) adding(name string) tx.Change {
	k := tx.ValidatorKey(valKey(name))
	d := k.Digest(w.doc.Chain())
	proof, err := ed25519.GenPrivKeyFromSecret([]byte(name)).Sign(d[:])
	if err != nil {
		w.t.Fatal(err)
	}
	return tx.Change{AddValidator: &tx.AddValidator{ValidatorName: name, Key: k, Proof: [64]byte(proof)}}
}

func removing(name string) tx.Change {
	return tx.Change{RemoveValidator: &tx.RemoveValidator{Key: tx.ValidatorKey(valKey(name))}}
}

// accused is evidence against a validator.
func accused(name string, kind types.MisbehaviorType) types.Misbehavior {
	a := tx.ValidatorKey(valKey(name)).Address()
	return types.Misbehavior{Type: kind, Validator: types.Validator{Address: a[:], Power: genesis.Power}}
}

// open opens the tree as after a start of the process.
func (w *world) open() {
	w.t.Helper()
	tree, err := store.Open(store.Config{Dir: w.dir, FS: w.fs})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { tree.Close() })
	app, err := New(Config{Genesis: w.doc, Tree: tree, Now: func() time.Time { return w.now }})
	if err != nil {
		w.t.Fatal(err)
	}
	w.tree, w.app = tree, app
}

func (w *world) initRequest() *types.RequestInitChain {
	r := &types.RequestInitChain{
		Time: time.Unix(start, 0), ChainId: w.doc.ChainID, InitialHeight: 1, AppStateBytes: w.doc.JSON(),
	}
	for _, v := range w.doc.Validators {
		r.Validators = append(r.Validators, types.UpdateValidator(v.PubKey, genesis.Power, ed25519.KeyType))
	}
	return r
}

func (w *world) init(r *types.RequestInitChain) {
	w.t.Helper()
	out, err := w.app.InitChain(w.t.Context(), r)
	if err != nil {
		w.t.Fatal(err)
	}
	if len(out.AppHash) > 0 || len(out.Validators) > 0 || out.ConsensusParams != nil {
		w.t.Fatalf("InitChain changes what the genesis document says: %+v", out)
	}
}

func (w *world) blockTime() time.Time {
	if !w.at.IsZero() {
		return w.at
	}
	return time.Unix(start+100+w.app.Height(), 0)
}

func blockHash(height int64, txs [][]byte) []byte {
	h := sha256.New()
	h.Write([]byte{byte(height)})
	for _, raw := range txs {
		h.Write(raw)
	}
	return h.Sum(nil)
}

func (w *world) finalize(txs ...[]byte) *types.ResponseFinalizeBlock {
	w.t.Helper()
	height := w.app.Height() + 1
	out, err := w.app.FinalizeBlock(w.t.Context(), &types.RequestFinalizeBlock{
		Txs: txs, Height: height, Time: w.blockTime(), Hash: blockHash(height, txs), Misbehavior: w.evidence,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.evidence = nil
	return out
}

func (w *world) commit() {
	w.t.Helper()
	if _, err := w.app.Commit(w.t.Context(), &types.RequestCommit{}); err != nil {
		w.t.Fatal(err)
	}
}

// block executes and commits transactions that must all pass.
func (w *world) block(txs ...[]byte) {
	w.t.Helper()
	for i, r := range w.finalize(txs...).TxResults {
		if r.Code != CodeOK {
			w.t.Fatalf("transaction %d: code %d: %s", i, r.Code, r.Log)
		}
	}
	w.commit()
}

func (w *world) checkTx(raw []byte) *types.ResponseCheckTx {
	w.t.Helper()
	out, err := w.app.CheckTx(w.t.Context(), &types.RequestCheckTx{Tx: raw})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func (w *world) process(txs ...[]byte) types.ResponseProcessProposal_ProposalStatus {
	w.t.Helper()
	height := w.app.Height() + 1
	out, err := w.app.ProcessProposal(w.t.Context(), &types.RequestProcessProposal{
		Txs: txs, Height: height, Time: w.blockTime(), Hash: blockHash(height, txs), Misbehavior: w.evidence,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return out.Status
}

// signer is one signature to be made.
type signer struct {
	role tx.Role
	by   key.Signer
}

func (w *world) tx(account key.AccountID, sequence uint64, p tx.Payload, by ...signer) *tx.Tx {
	w.t.Helper()
	return w.txUntil(account, sequence, start+3600, p, by...)
}

func (w *world) txUntil(account key.AccountID, sequence, expires uint64, p tx.Payload, by ...signer) *tx.Tx {
	w.t.Helper()
	t, err := tx.New(account, sequence, expires, p)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, s := range by {
		t.Sign(w.doc.Chain(), s.role, s.by)
	}
	return t
}

func (w *world) register(sequence uint64, device int) *tx.Tx {
	p := &tx.RegisterDevice{Key: w.devices[device].Public(), SealKey: [32]byte{1}, Model: "lock"}
	return w.tx(w.vendor.Public().AccountID(), sequence, p, signer{tx.RoleVendor, w.vendor})
}

func (w *world) claim(owner *key.Private, sequence uint64, device int) *tx.Tx {
	p := &tx.Claim{Device: w.devices[device].Public().DeviceID(), Epoch: 1}
	if sequence == 0 {
		root := owner.Public()
		p.Root = &root
	}
	return w.tx(owner.Public().AccountID(), sequence, p, signer{tx.RoleAccount, owner}, signer{tx.RoleDevice, w.devices[device]})
}

func (w *world) grant(owner *key.Private, sequence uint64, device int, epoch uint64) *tx.Tx {
	p := &tx.CreateGrant{
		Grantee: w.other.Public(), NotAfter: start + 9999,
		Targets: []tx.Target{{Device: w.devices[device].Public().DeviceID(), Epoch: epoch, Endpoint: "lock", Methods: []string{"open"}}},
	}
	return w.tx(owner.Public().AccountID(), sequence, p, signer{tx.RoleAccount, owner})
}

func (w *world) revoke(owner *key.Private, sequence uint64, grant tx.ID) *tx.Tx {
	return w.tx(owner.Public().AccountID(), sequence, &tx.RevokeGrant{Grant: grant}, signer{tx.RoleAccount, owner})
}

func (w *world) transfer(from, to *key.Private, sequence uint64, device int, epoch uint64, root bool) *tx.Tx {
	p := &tx.Transfer{Device: w.devices[device].Public().DeviceID(), Epoch: epoch, To: to.Public().AccountID()}
	if root {
		k := to.Public()
		p.Root = &k
	}
	return w.tx(from.Public().AccountID(), sequence, p, signer{tx.RoleAccount, from}, signer{tx.RoleNewOwner, to})
}

// repack encodes a transaction after its body has been changed, bypassing the
// builder's checks.
func repack(t *tx.Tx, change func(*tx.Body)) []byte {
	body := t.Body
	change(&body)
	return codec.MustMarshal(tx.Envelope{Body: codec.MustMarshal(body), Sigs: t.Sigs})
}
