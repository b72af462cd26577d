package adversary_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/chain/light/lighttest"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/deviceos/clock"
	"github.com/hybridos-net/hybridos/deviceos/gate"
	"github.com/hybridos-net/hybridos/deviceos/peripheral"
	"github.com/hybridos-net/hybridos/deviceos/vault"
)

// newKey makes the same key for the same name.
func newKey(name string) *key.Private {
	sum := sha256.Sum256([]byte("adversary " + name))
	k, err := key.FromBytes(sum[:])
	if err != nil {
		panic(err)
	}
	return k
}

var (
	device   = newKey("device")
	owner    = newKey("owner")
	guest    = newKey("guest")
	friend   = newKey("friend")
	vendor   = newKey("vendor")
	stranger = newKey("stranger")
)

// node is the one full node that the device can ask: it gives what the ledger
// has until it is told to lie.
type node struct {
	*lighttest.Chain
	mu     sync.Mutex
	newest int64                                              // 0: tells of every header; else of none above
	blocks func(height int64, raw []byte) []byte              // nil: as they are
	proofs func(k []byte, p light.Proof) (light.Proof, error) // nil: as they are
}

var errSilent = errors.New("the node does not answer")

// LightBlock implements light.Source.
func (n *node) LightBlock(ctx context.Context, height int64) ([]byte, error) {
	n.mu.Lock()
	newest, lie := n.newest, n.blocks
	n.mu.Unlock()
	if newest > 0 && (height == 0 || height > newest) {
		height = newest
	}
	raw, err := n.Chain.LightBlock(ctx, height)
	if err == nil && lie != nil {
		if raw = lie(height, raw); raw == nil {
			return nil, errSilent
		}
	}
	return raw, err
}

// Prove implements light.Source.
func (n *node) Prove(ctx context.Context, k []byte, height int64) (light.Proof, error) {
	p, err := n.Chain.Prove(ctx, k, height)
	n.mu.Lock()
	lie := n.proofs
	n.mu.Unlock()
	if err == nil && lie != nil {
		return lie(k, p)
	}
	return p, err
}

// withhold makes the node tell of no header above the present one.
func (n *node) withhold() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.newest = n.Height()
}

// honest makes it tell the truth again.
func (n *node) honest() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.newest, n.blocks, n.proofs = 0, nil, nil
}

// bolt counts what was done, by command.
type bolt struct {
	mu    sync.Mutex
	count int
	ids   map[command.ID]int
	hold  func()             // nil: at once
	judge func(o gate.Order) // nil: nobody looks on
}

// Actuate implements gate.Actuator.
func (b *bolt) Actuate(_ context.Context, o gate.Order) ([]byte, error) {
	b.mu.Lock()
	b.count++
	b.ids[o.Command]++
	hold, judge := b.hold, b.judge
	b.mu.Unlock()
	if judge != nil {
		judge(o)
	}
	if hold != nil {
		hold()
	}
	return o.Body.Params, nil
}

func (b *bolt) total() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.count
}

func (b *bolt) of(id command.ID) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ids[id]
}

// world is one owned device, a guest with a grant, their ledger, and a carrier
// between them.
type world struct {
	t      *testing.T
	chain  codec.ChainDigest
	node   *node
	client *light.Client
	bolt   *bolt
	dir    string
	vault  *vault.Vault
	gate   atomic.Pointer[gate.Gate]
	limits gate.Limits
	spoil  atomic.Pointer[func(asked, answer []byte) []byte] // what is made of an answer on its way
	carry  carrier

	now   atomic.Int64 // Unix milliseconds
	born  time.Time
	grant tx.ID
	nonce uint64
	seq   map[key.AccountID]uint64 // of transactions, by who acts

	last, early []byte // answers of before, for those who replay them
}

// free are limits that do not get in the way of attacks that are about others.
func free(l gate.Limits) gate.Limits {
	for _, v := range []*float64{&l.PerKey, &l.PerPeer, &l.Strangers, &l.Lookups} {
		if *v == 0 {
			*v = 1e6
		}
	}
	return l
}

func classes(endpoint, method string) (peripheral.Class, bool) {
	class, ok := map[string]peripheral.Class{"open": peripheral.Access, "dim": peripheral.Comfort, "state": peripheral.Read}[method]
	if endpoint != "lock" || !ok {
		return peripheral.Access, false
	}
	return class, true
}

// newWorld sets all of it up by real transactions in signed blocks.
func newWorld(t *testing.T, limits gate.Limits, open func(*world) carrier) *world {
	t.Helper()
	w := &world{t: t, limits: free(limits), seq: make(map[key.AccountID]uint64), bolt: &bolt{ids: make(map[command.ID]int)}, dir: filepath.Join(t.TempDir(), "vault")}
	w.node = &node{Chain: lighttest.New(t, 4, genesis.Vendor{Name: "maker", Keys: []key.Public{vendor.Public()}, Threshold: 1, Quota: 9})}
	w.chain = w.node.Doc.Chain()
	w.born = w.node.Now()
	w.now.Store(w.born.UnixMilli())
	var err error
	w.client, err = light.New(light.Config{Genesis: w.node.Doc, Source: w.node, Now: w.time})
	w.check(err)
	w.open()
	w.exec(vendor, &tx.RegisterDevice{Key: device.Public(), SealKey: [32]byte{1}, Model: "bolt"}, tx.RoleVendor)
	w.claim()
	w.grant = w.exec(owner, w.terms(guest.Public(), nil), tx.RoleAccount)
	w.carry = open(w)
	return w
}

func (w *world) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) time() time.Time { return time.UnixMilli(w.now.Load()) }

// open starts the device on what its disk holds.
func (w *world) open() {
	w.t.Helper()
	v, err := vault.Open(w.dir, vault.Config{})
	w.check(err)
	w.t.Cleanup(func() { v.Close() })
	g, err := gate.Open(gate.Config{
		Chain: w.chain, Device: device, Vault: v, Clock: clock.New(w.time), Ledger: gate.Follow(w.client),
		Actuator: w.bolt, Class: classes, Limits: w.limits,
	})
	w.check(err)
	w.vault = v
	w.gate.Store(g)
}

// restart ends the device and starts it again on its disk.
func (w *world) restart() {
	w.t.Helper()
	w.check(w.vault.Close())
	w.open()
}

// handle is the device's end of every carrier.
func (w *world) handle(ctx context.Context, peer string, raw []byte) []byte {
	answer := w.gate.Load().Handle(ctx, peer, raw)
	if spoil := w.spoil.Load(); spoil != nil {
		return (*spoil)(raw, answer)
	}
	return answer
}

// build is the next transaction of the account whose first key is k.
func (w *world) build(k *key.Private, p tx.Payload, roles ...tx.Role) *tx.Tx {
	w.t.Helper()
	id := k.Public().AccountID()
	t, err := tx.New(id, w.seq[id], uint64(w.node.Now().Unix())+600, p)
	w.check(err)
	for _, r := range roles {
		t.Sign(w.chain, r, k)
	}
	return t
}

// commit executes transactions in a block, seals it and lets the device hear of
// it as far as its node tells.
func (w *world) commit(ts ...*tx.Tx) {
	w.t.Helper()
	for _, t := range ts {
		w.node.Execute(t)
		w.seq[t.Body.Account]++
	}
	w.seal()
}

func (w *world) seal() {
	w.node.Seal()
	w.now.Store(max(w.now.Load(), w.node.Now().UnixMilli()))
	_, _ = w.client.Update(w.t.Context()) // whether the node lies is the attack's affair
}

func (w *world) exec(k *key.Private, p tx.Payload, roles ...tx.Role) tx.ID {
	w.t.Helper()
	t := w.build(k, p, roles...)
	w.commit(t)
	return t.ID(w.chain)
}

// claim makes the owner the owner, on the ledger and in the device.
func (w *world) claim() {
	w.t.Helper()
	root := owner.Public()
	t := w.build(owner, &tx.Claim{Device: w.id(), Epoch: 1, Root: &root}, tx.RoleAccount)
	t.Sign(w.chain, tx.RoleDevice, device)
	w.commit(t)
	own, err := state.VerifyClaim(w.chain, device.Public(), state.NewPin(root), t.Bytes())
	w.check(err)
	w.check(w.gate.Load().Arm(own))
}

// terms is a grant on this device, changed by change.
func (w *world) terms(to key.Public, change func(*tx.CreateGrant)) *tx.CreateGrant {
	g := &tx.CreateGrant{
		Grantee: to, NotBefore: uint64(w.born.Add(-time.Hour).Unix()), NotAfter: uint64(w.born.Add(48 * time.Hour).Unix()),
		Targets: []tx.Target{{Device: w.id(), Epoch: 1, Endpoint: "lock", Methods: []string{"open", "state"}}},
	}
	if change != nil {
		change(g)
	}
	return g
}

func (w *world) id() key.DeviceID { return device.Public().DeviceID() }

// drift moves the device's clock alone.
func (w *world) drift(d time.Duration) { w.now.Add(d.Milliseconds()) }

// pass lets time go by, with a header at its end.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	w.drift(d)
	w.node.Advance(w.time().Sub(w.node.Now()))
	_, _ = w.client.Update(w.t.Context())
}

// body is a good command of the owner's, changed by change.
func (w *world) body(change func(*command.Body)) command.Body {
	w.nonce++
	ms := uint64(w.now.Load())
	b := command.Body{
		Chain: command.Prefix(w.chain), Device: w.id(), Endpoint: "lock", Epoch: 1,
		Principal: owner.Public().AccountID(), Key: owner.Public().ID(), Salt: 7, Nonce: w.nonce,
		IssuedAt: ms, Expires: ms + 30_000, Method: "open", Params: []byte("wide"), Seen: uint64(w.client.Head().Height),
	}
	if change != nil {
		change(&b)
	}
	return b
}

// by makes a command one of a grantee's.
func by(k key.Signer, grant tx.ID) func(*command.Body) {
	return func(b *command.Body) {
		b.Principal, b.Key, b.Grant = k.Public().AccountID(), k.Public().ID(), &grant
	}
}

// sign makes the envelope, also of bodies that command.New would not build.
func (w *world) sign(b command.Body, k key.Signer) []byte {
	if b.Version == 0 {
		b.Version = command.Version
	}
	if b.Type == 0 {
		b.Type = command.TypeInvoke
	}
	return w.seals(codec.MustMarshal(b), k)
}

// seals signs any body bytes.
func (w *world) seals(body []byte, k key.Signer) []byte {
	sig := k.Sign(codec.Digest(codec.LabelCommand, w.chain, body))
	return codec.MustMarshal(command.Envelope{Body: body, Sigs: []command.Sig{{Key: k.Public().ID(), Bytes: sig}}})
}

// owned and lent are good commands of the owner and the guest, changed by
// change.
func (w *world) owned(change func(*command.Body)) []byte { return w.sign(w.body(change), owner) }

func (w *world) lent(change func(*command.Body)) []byte {
	b := w.body(by(guest, w.grant))
	if change != nil {
		change(&b)
	}
	return w.sign(b, guest)
}

// ok sends what must be obeyed.
func (w *world) ok(raw []byte) *command.Receipt {
	w.t.Helper()
	before := w.bolt.total()
	r, err := w.ask(raw)
	w.check(err)
	if r.Body.Status != command.Executed || w.bolt.total() != before+1 {
		w.t.Fatalf("%s %s and %d actuations, want it obeyed once", r.Body.Status, r.Body.Code, w.bolt.total()-before)
	}
	return r
}

// ask sends bytes and gives the device's answer to them, whose signature holds.
func (w *world) ask(raw []byte) (*command.Receipt, error) {
	w.t.Helper()
	answer, err := w.carry.Carry(w.t.Context(), raw)
	if err != nil {
		return nil, err
	}
	r, err := command.DecodeReceipt(answer)
	if err != nil {
		return nil, err
	}
	if c, err := command.Decode(raw); err == nil {
		return r, r.Answers(w.chain, device.Public(), c)
	}
	return r, r.Verify(w.chain, device.Public(), sha256.Sum256(raw))
}

// kept is all that the device keeps on its disk but its pinned owner, whose keys
// it follows whoever asks.
func (w *world) kept() map[string]string {
	w.t.Helper()
	all := make(map[string]string)
	for _, f := range []vault.Family{
		vault.FamilyHead, vault.FamilyCommand, vault.FamilyLane, vault.FamilyTail, vault.FamilyTime, vault.FamilyUse, vault.FamilyClaim,
	} {
		w.check(w.vault.Each(f, func(rest, value []byte) error {
			all[fmt.Sprintf("%c%x", f, rest)] = string(value)
			return nil
		}))
	}
	return all
}

// unchanged fails if the device keeps anything that it did not keep before.
func (w *world) unchanged(before map[string]string) {
	w.t.Helper()
	if after := w.kept(); !maps.Equal(before, after) {
		w.t.Fatalf("%d records on the disk, %d before", len(after), len(before))
	}
}
