// Package statetest is a ledger state in memory and a small world on it (keys,
// a vendor, signed transactions), for tests of everything that reads or
// verifies the ledger.
//
// It is not a store: nothing is authenticated or kept. Tests start at NewWorld,
// or at Tree for an empty state.
//
// What must never change: Key gives the same key for the same name, since
// vectors are made with it.
package statetest

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"strconv"
	"testing"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Key gives the test key of a name: its secret is SHA-256 of "hybridos test
// key " and the name. Everybody knows it; it must never guard anything.
func Key(name string) *key.Private {
	h := sha256.Sum256([]byte("hybridos test key " + name))
	k, err := key.FromBytes(h[:])
	if err != nil {
		panic("statetest: " + err.Error())
	}
	return k
}

// As is a key in a role.
type As struct {
	Role tx.Role
	Key  key.Signer
}

// World is a ledger in the middle of its life.
type World struct {
	Tree   *Tree
	Block  state.Block
	Vendor *key.Private
}

// Governors is how many governors NewWorld has: Key("governor 0") and up. Two
// of them must approve.
const Governors = 3

// Validators is how many validators NewWorld has: ValidatorKey("validator 0")
// and up.
const Validators = 4

// ValidatorKey gives the consensus key of a name, as Key does.
func ValidatorKey(name string) ed25519.PrivateKey {
	h := sha256.Sum256([]byte("hybridos test validator " + name))
	return ed25519.NewKeyFromSeed(h[:])
}

// ValidatorPub is the public half of a consensus key.
func ValidatorPub(k ed25519.PrivateKey) tx.ValidatorKey {
	return tx.ValidatorKey(k.Public().(ed25519.PublicKey))
}

// Prove is the proof that somebody holds a consensus key.
func Prove(chain codec.ChainDigest, k ed25519.PrivateKey) [ed25519.SignatureSize]byte {
	d := ValidatorPub(k).Digest(chain)
	return [ed25519.SignatureSize]byte(ed25519.Sign(k, d[:]))
}

// Governor is the i-th governor's key.
func Governor(i int) *key.Private { return Key("governor " + strconv.Itoa(i)) }

// Govern writes the governors and validators of NewWorld into a state.
func Govern(s state.Tree) error {
	var governors []state.Governor
	for i := range Governors {
		governors = append(governors, state.Governor{Name: "governor " + strconv.Itoa(i), Key: Governor(i).Public()})
	}
	var validators []state.Validator
	for i := range Validators {
		name := "validator " + strconv.Itoa(i)
		validators = append(validators, state.Validator{Name: name, Key: ValidatorPub(ValidatorKey(name))})
	}
	return errors.Join(state.FirstGovernors(s, 2, governors), state.FirstValidators(s, validators))
}

// Quota is how many devices the vendor of NewWorld may register.
const Quota = 8

// NewWorld gives a ledger with one vendor, whose only key is Key("vendor"), and
// the governors and validators of Govern.
func NewWorld() *World {
	w := &World{Tree: new(Tree), Vendor: Key("vendor")}
	w.Block = state.Block{
		Chain:  codec.NewChainDigest("hos-test", sha256.Sum256([]byte("genesis"))),
		Height: 1, Time: 1_800_000_000,
	}
	w.put(state.ParamsKey(), state.Params{Chain: w.Block.Chain})
	w.put(state.VendorKey(w.Vendor.Public().AccountID()), state.Vendor{
		Name: "acme", Keys: []key.Public{w.Vendor.Public()}, Threshold: 1, Quota: Quota,
	})
	if err := Govern(w.Tree); err != nil {
		panic("statetest: " + err.Error())
	}
	return w
}

func (w *World) put(k []byte, record any) {
	if err := w.Tree.Set(k, codec.MustMarshal(record)); err != nil {
		panic("statetest: " + err.Error())
	}
}

// Put writes a record past all rules, as liars do.
func (w *World) Put(k []byte, record any) { w.put(k, record) }

// Clone gives an independent copy.
func (w *World) Clone() *World {
	c := *w
	c.Tree = w.Tree.Clone()
	return &c
}

// Build makes a transaction of the actor with its next sequence number, alive
// for a minute, signed by the given keys.
func (w *World) Build(tb testing.TB, actor key.AccountID, p tx.Payload, by ...As) *tx.Tx {
	tb.Helper()
	t, err := tx.New(actor, w.sequence(actor, p), uint64(w.Block.Time)+60, p)
	if err != nil {
		tb.Fatalf("build %s: %v", p.Kind(), err)
	}
	for _, s := range by {
		t.Sign(w.Block.Chain, s.Role, s.Key)
	}
	return t
}

func (w *World) sequence(actor key.AccountID, p tx.Payload) uint64 {
	switch p.Kind() {
	case tx.KindRegisterDevice, tx.KindRegisterBatch:
		v, err := state.GetVendor(w.Tree, actor)
		if err != nil {
			return 0
		}
		return v.Sequence
	case tx.KindPropose, tx.KindApprove:
		g, err := state.GetGovernor(w.Tree, actor)
		if err != nil {
			return 0
		}
		return g.Sequence
	case tx.KindPublishRelease, tx.KindRevokeRelease, tx.KindPublishApp, tx.KindRevokeApp, tx.KindRotateVendorKeys:
		v, err := state.GetVendor(w.Tree, actor)
		if err != nil {
			return 0
		}
		return v.Sequence
	}
	a, err := state.GetAccount(w.Tree, actor)
	if err != nil {
		return 0
	}
	return a.Sequence
}

// Do executes a transaction and fails the test if it is refused.
func (w *World) Do(tb testing.TB, t *tx.Tx) {
	tb.Helper()
	if err := state.Execute(w.Tree, w.Block, t); err != nil {
		tb.Fatalf("%s refused: %v", t.Body.Kind, err)
	}
	w.Block.Height++
	w.Block.Time++
}

// RegisterTx is the vendor's registration of a device.
func (w *World) RegisterTx(tb testing.TB, dev *key.Private) *tx.Tx {
	tb.Helper()
	return w.Build(tb, w.Vendor.Public().AccountID(),
		&tx.RegisterDevice{Key: dev.Public(), SealKey: sha256.Sum256(dev.Public().Bytes), Model: "Lock 1"},
		As{tx.RoleVendor, w.Vendor})
}

// ClaimTx is a claim of a device by the account whose root key is owner; the
// account is created if need be.
func (w *World) ClaimTx(tb testing.TB, owner, dev *key.Private) *tx.Tx {
	tb.Helper()
	p := &tx.Claim{Device: dev.Public().DeviceID(), Epoch: w.epoch(dev) + 1, Root: w.rootIfNew(owner)}
	return w.Build(tb, owner.Public().AccountID(), p, As{tx.RoleAccount, owner}, As{tx.RoleDevice, dev})
}

// TransferTx gives a device from one account to another; both are named by and
// sign with their root keys.
func (w *World) TransferTx(tb testing.TB, from, to, dev *key.Private) *tx.Tx {
	tb.Helper()
	p := &tx.Transfer{
		Device: dev.Public().DeviceID(), Epoch: w.epoch(dev) + 1,
		To: to.Public().AccountID(), Root: w.rootIfNew(to),
	}
	return w.Build(tb, from.Public().AccountID(), p, As{tx.RoleAccount, from}, As{tx.RoleNewOwner, to})
}

// RotateTx replaces the keys of the account whose root key is root by the
// given ones, all with all rights that they may have, under a threshold of one.
// The key signer signs for the old set, and every key that is new for itself.
func (w *World) RotateTx(tb testing.TB, root, signer key.Signer, keys ...key.Signer) *tx.Tx {
	tb.Helper()
	id := root.Public().AccountID()
	acc, err := state.GetAccount(w.Tree, id)
	if err != nil {
		tb.Fatal(err)
	}
	p := &tx.RotateKeys{Version: acc.KeySet.Version + 1, Threshold: 1}
	by := []As{{tx.RoleAccount, signer}}
	for _, k := range keys {
		rights := tx.RightAdmin | tx.RightInvoke
		if k.Public().Alg.InvokeOnly() {
			rights = tx.RightInvoke
		}
		p.Keys = append(p.Keys, tx.AccountKey{Key: k.Public(), Rights: rights})
		if _, had := acc.KeySet.Find(k.Public().ID()); !had {
			by = append(by, As{tx.RoleNewKey, k})
		}
	}
	return w.Build(tb, id, p, by...)
}

// GrantTx lets grantee call methods of a device's endpoint "lock"; the owner
// signs with its root key.
func (w *World) GrantTx(tb testing.TB, owner *key.Private, grantee key.Public, dev *key.Private, methods ...string) *tx.Tx {
	tb.Helper()
	p := &tx.CreateGrant{
		Grantee: grantee, NotBefore: uint64(w.Block.Time), NotAfter: uint64(w.Block.Time) + 3600,
		Targets: []tx.Target{{Device: dev.Public().DeviceID(), Epoch: w.epoch(dev), Endpoint: "lock", Methods: methods}},
	}
	return w.Build(tb, owner.Public().AccountID(), p, As{tx.RoleAccount, owner})
}

// RevokeTx ends a grant of the account whose root key is owner.
func (w *World) RevokeTx(tb testing.TB, owner *key.Private, grant tx.ID) *tx.Tx {
	tb.Helper()
	return w.Build(tb, owner.Public().AccountID(), &tx.RevokeGrant{Grant: grant}, As{tx.RoleAccount, owner})
}

// ProposeTx is a governor's proposal, open for an hour.
func (w *World) ProposeTx(tb testing.TB, governor *key.Private, c tx.Change) *tx.Tx {
	tb.Helper()
	return w.Build(tb, governor.Public().AccountID(), &tx.Propose{Until: uint64(w.Block.Time) + 3600, Change: c}, As{tx.RoleGovernor, governor})
}

// ApproveTx is a governor's approval.
func (w *World) ApproveTx(tb testing.TB, governor *key.Private, id tx.ID) *tx.Tx {
	tb.Helper()
	return w.Build(tb, governor.Public().AccountID(), &tx.Approve{Proposal: id}, As{tx.RoleGovernor, governor})
}

// AddTx proposes the validator of a name.
func (w *World) AddTx(tb testing.TB, governor *key.Private, name string) *tx.Tx {
	tb.Helper()
	k := ValidatorKey(name)
	return w.ProposeTx(tb, governor, tx.Change{AddValidator: &tx.AddValidator{
		ValidatorName: name, Key: ValidatorPub(k), Proof: Prove(w.Block.Chain, k),
	}})
}

// ReleaseTx gives a device up; the owner signs with its root key.
func (w *World) ReleaseTx(tb testing.TB, owner, dev *key.Private) *tx.Tx {
	tb.Helper()
	return w.Build(tb, owner.Public().AccountID(), &tx.Release{Device: dev.Public().DeviceID(), Epoch: w.epoch(dev) + 1}, As{tx.RoleAccount, owner})
}

// LostTx reports a device lost; the owner signs with its root key.
func (w *World) LostTx(tb testing.TB, owner, dev *key.Private) *tx.Tx {
	tb.Helper()
	return w.Build(tb, owner.Public().AccountID(), &tx.ReportLost{Device: dev.Public().DeviceID(), Epoch: w.epoch(dev)}, As{tx.RoleAccount, owner})
}

// FoundTx reports a device found; the owner signs with its root key.
func (w *World) FoundTx(tb testing.TB, owner, dev *key.Private) *tx.Tx {
	tb.Helper()
	return w.Build(tb, owner.Public().AccountID(), &tx.ReportFound{Device: dev.Public().DeviceID(), Epoch: w.epoch(dev)}, As{tx.RoleAccount, owner})
}

func (w *World) epoch(dev *key.Private) uint64 {
	d, err := state.GetDevice(w.Tree, dev.Public().DeviceID())
	if err != nil {
		return 0
	}
	return d.Epoch
}

func (w *World) policy(dev *key.Private) uint64 {
	d, err := state.GetDevice(w.Tree, dev.Public().DeviceID())
	if err != nil {
		return 0
	}
	return d.Policy
}

func (w *World) rootIfNew(root *key.Private) *key.Public {
	pub := root.Public()
	if _, err := state.GetAccount(w.Tree, pub.AccountID()); err == nil {
		return nil
	}
	return &pub
}
