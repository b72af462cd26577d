package gate_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/deviceos/clock"
	"github.com/hybridos-net/hybridos/deviceos/gate"
	"github.com/hybridos-net/hybridos/deviceos/peripheral"
	"github.com/hybridos-net/hybridos/deviceos/vault"
	"github.com/hybridos-net/hybridos/deviceos/vault/vaulttest"
)

var start = time.Date(2026, 6, 1, 9, 0, 0, 0, time.UTC)

// newKey makes the same key for the same seed.
func newKey(seed uint64) *key.Private {
	sum := sha256.Sum256(fmt.Appendf(nil, "test key %d", seed))
	k, err := key.FromBytes(sum[:])
	if err != nil {
		panic(err)
	}
	return k
}

// tree is ledger state in memory.
type tree map[string][]byte

func (t tree) Get(k []byte) ([]byte, error) { return t[string(k)], nil }
func (t tree) Set(k, v []byte) error        { t[string(k)] = v; return nil }

// ledger is a light client over a tree that the test controls. Transactions
// are executed by the rules of chain/state; forge is what lying validators do.
type ledger struct {
	mu      sync.Mutex
	present tree // what the validators have agreed on
	next    gate.Head
	head    gate.Head // what the device has verified
	offline bool      // headers and proofs do not come
	gets    int
	updates int
	slow    func(k []byte) // nil: proofs come at once
}

var errOffline = errors.New("no node answers")

func (l *ledger) Head() gate.Head {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head
}

func (l *ledger) View(context.Context) (state.View, gate.Head) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return &proven{l: l, records: maps.Clone(l.present)}, l.head
}

func (l *ledger) Update(context.Context) (gate.Head, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.updates++
	if l.offline {
		return l.head, errOffline
	}
	l.head = l.next
	return l.head, nil
}

// Present and Expired: evidence wants a real light client, see offline.
func (l *ledger) Present([]byte, func([]byte, gate.Head) error) error { return errOffline }

func (l *ledger) Expired() bool { return false }

// block makes a block at the given time; gossip tells the device of it.
func (l *ledger) block(at time.Time, gossip bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.next.Height + 1
	sum := sha256.Sum256(fmt.Appendf(nil, "header %d", h))
	l.next = gate.Head{Height: h, Hash: sum[:], Time: at}
	if gossip {
		l.head = l.next
	}
}

type proven struct {
	l       *ledger
	records tree
}

func (p *proven) Get(k []byte) ([]byte, error) {
	p.l.mu.Lock()
	slow := p.l.slow
	p.l.mu.Unlock()
	if slow != nil {
		slow(k)
	}
	p.l.mu.Lock()
	defer p.l.mu.Unlock()
	p.l.gets++
	if p.l.offline {
		return nil, errOffline
	}
	return p.records.Get(k)
}

// bolt counts actuations.
type bolt struct {
	mu    sync.Mutex
	count int
	ids   map[command.ID]int
	do    func(ctx context.Context, o gate.Order) ([]byte, error) // nil: succeeds
}

func (b *bolt) Actuate(ctx context.Context, o gate.Order) ([]byte, error) {
	b.mu.Lock()
	b.count++
	if b.ids == nil {
		b.ids = make(map[command.ID]int)
	}
	b.ids[o.Command]++
	do := b.do
	b.mu.Unlock()
	if do != nil {
		return do(ctx, o)
	}
	return o.Body.Params, nil
}

func (b *bolt) total() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.count
}

// world is a device with an owner, a guest with a grant, and their ledger.
type world struct {
	t      testing.TB
	chain  codec.ChainDigest
	ledger *ledger
	bolt   *bolt
	fs     vault.FS
	dir    string
	vault  *vault.Vault
	gate   *gate.Gate
	limits gate.Limits
	floor  func(endpoint, method string) peripheral.Class

	resource func(endpoint, method string) string

	device, owner, guest, vendor, stranger *key.Private

	now   time.Time
	grant tx.ID
	seq   map[key.AccountID]uint64
	nonce uint64
}

func classes(endpoint, method string) (peripheral.Class, bool) {
	if endpoint != "lock" {
		return peripheral.Access, false
	}
	switch method {
	case "open":
		return peripheral.Access, true
	case "dim":
		return peripheral.Comfort, true
	case "state":
		return peripheral.Read, true
	}
	return peripheral.Access, false
}

// newWorld sets everything up through real transactions. Limits that are zero
// do not get in the way.
func newWorld(t testing.TB, limits gate.Limits) *world { return owned(unowned(t, limits)) }

// worldOn is newWorld on a disk whose power can be cut.
func worldOn(t testing.TB, disk *vaulttest.Disk) *world {
	w := unowned(t, gate.Limits{})
	w.vault.Close()
	w.fs = disk
	w.open()
	return owned(w)
}

// owned gives the device its owner, and the guest a grant.
func owned(w *world) *world {
	t := w.t
	root := w.owner.Public()
	own, err := state.VerifyClaim(w.chain, w.device.Public(), state.NewPin(root), w.claim())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.gate.Arm(own); err != nil {
		t.Fatal(err)
	}
	w.grant = w.createGrant(&tx.CreateGrant{
		Grantee:   w.guest.Public(),
		Targets:   []tx.Target{{Device: w.device.Public().DeviceID(), Epoch: 1, Endpoint: "lock", Methods: []string{"open", "state"}}},
		NotBefore: uint64(w.now.Add(-time.Hour).Unix()), NotAfter: uint64(w.now.Add(48 * time.Hour).Unix()),
	})
	return w
}

// unowned is a registered device that nobody has claimed.
func unowned(t testing.TB, limits gate.Limits) *world {
	l := func(v *float64) {
		if *v == 0 {
			*v = 1e6
		}
	}
	l(&limits.PerKey)
	l(&limits.PerPeer)
	l(&limits.Strangers)
	l(&limits.Lookups)
	w := &world{
		t: t, bolt: new(bolt), limits: limits, fs: vaulttest.New(), dir: "device", now: start, seq: make(map[key.AccountID]uint64),
		device: newKey(1), owner: newKey(2), guest: newKey(3), vendor: newKey(4), stranger: newKey(5),
		ledger: &ledger{present: make(tree)},
	}
	doc := &genesis.Doc{
		ChainID: "gate-test", Time: start.Unix() - 1000,
		Validators: []genesis.Validator{{Name: "v", PubKey: bytes.Repeat([]byte{1}, 32)}},
		Vendors:    []genesis.Vendor{{Name: "maker", Keys: []key.Public{w.vendor.Public()}, Threshold: 1, Quota: 9}},
	}
	if err := errors.Join(doc.Validate(), doc.Apply(w.ledger.present)); err != nil {
		t.Fatal(err)
	}
	w.chain = doc.Chain()
	w.execute(w.vendor, &tx.RegisterDevice{Key: w.device.Public(), SealKey: [32]byte{1}, Model: "bolt"}, tx.RoleVendor)
	w.open()
	return w
}

// open starts the device on what its disk holds.
func (w *world) open() {
	w.t.Helper()
	v, err := vault.Open(w.dir, vault.Config{FS: w.fs})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { v.Close() })
	w.vault = v
	w.gate, err = gate.Open(gate.Config{
		Chain: w.chain, Device: w.device, Vault: v, Clock: clockAt(w),
		Ledger: w.ledger, Actuator: w.bolt, Class: classes, Floor: w.floor, Resource: w.resource, Limits: w.limits,
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func clockAt(w *world) *clock.Clock { return clock.New(func() time.Time { return w.now }) }

// restart ends the device in an orderly way and starts it again.
func (w *world) restart() {
	w.t.Helper()
	if err := w.vault.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.open()
}

func (w *world) build(k *key.Private, p tx.Payload, roles ...tx.Role) *tx.Tx {
	w.t.Helper()
	id := k.Public().AccountID()
	t, err := tx.New(id, w.seq[id], uint64(w.now.Unix())+600, p)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range roles {
		t.Sign(w.chain, r, k)
	}
	return t
}

func (w *world) execute(k *key.Private, p tx.Payload, roles ...tx.Role) *tx.Tx {
	t := w.build(k, p, roles...)
	w.commit(t)
	return t
}

// commit executes a transaction in a block of its own, of which the device
// hears.
func (w *world) commit(t *tx.Tx) {
	w.t.Helper()
	w.seq[t.Body.Account]++
	b := state.Block{Chain: w.chain, Height: int64(w.ledger.next.Height) + 1, Time: w.now.Unix()}
	w.ledger.mu.Lock()
	err := state.Execute(w.ledger.present, b, t)
	w.ledger.mu.Unlock()
	if err != nil {
		w.t.Fatal(err)
	}
	w.ledger.block(w.now, true)
}

func (w *world) claim() []byte {
	root := w.owner.Public()
	t := w.build(w.owner, &tx.Claim{Device: w.device.Public().DeviceID(), Epoch: 1, Root: &root}, tx.RoleAccount)
	t.Sign(w.chain, tx.RoleDevice, w.device)
	w.commit(t)
	return t.Bytes()
}

func (w *world) createGrant(p *tx.CreateGrant) tx.ID {
	return w.execute(w.owner, p, tx.RoleAccount).ID(w.chain)
}

func (w *world) revoke() {
	w.execute(w.owner, &tx.RevokeGrant{Grant: w.grant}, tx.RoleAccount)
}

// body is a good command body by the owner.
func (w *world) body() command.Body {
	w.nonce++
	ms := uint64(w.now.UnixMilli())
	return command.Body{
		Chain: command.Prefix(w.chain), Device: w.device.Public().DeviceID(), Endpoint: "lock", Epoch: 1,
		Principal: w.owner.Public().AccountID(), Key: w.owner.Public().ID(), Salt: 7, Nonce: w.nonce,
		IssuedAt: ms, Expires: ms + 30_000, Method: "open", Params: []byte("wide"), Seen: w.ledger.Head().Height,
	}
}

// guestBody is a good command body by the guest.
func (w *world) guestBody() command.Body {
	b := w.body()
	b.Principal, b.Key, b.Grant = w.guest.Public().AccountID(), w.guest.Public().ID(), &w.grant
	return b
}

func (w *world) sign(b command.Body, k key.Signer) []byte {
	w.t.Helper()
	c, err := command.New(b)
	if err != nil {
		w.t.Fatal(err)
	}
	c.Sign(w.chain, k)
	return c.Bytes()
}

func (w *world) send(raw []byte) *command.Receipt {
	w.t.Helper()
	return w.decode(raw, w.gate.Handle(context.Background(), "peer", raw))
}

// decode checks that an answer is the device's signed answer to raw.
func (w *world) decode(raw, answer []byte) *command.Receipt {
	w.t.Helper()
	r, err := command.DecodeReceipt(answer)
	if err != nil {
		w.t.Fatalf("receipt: %v", err)
	}
	id := command.ID(sha256.Sum256(raw))
	if c, err := command.Decode(raw); err == nil {
		id = c.ID(w.chain)
	}
	if err := r.Verify(w.chain, w.device.Public(), id); err != nil {
		w.t.Fatalf("receipt: %v", err)
	}
	return r
}

// want sends raw and checks verdict, actuator and, for refusals, that the
// disk did not change.
func (w *world) want(raw []byte, status command.Status, code command.Code) *command.Receipt {
	w.t.Helper()
	count, disk := w.bolt.total(), w.disk()
	r := w.send(raw)
	if r.Body.Status != status || r.Body.Code != code {
		w.t.Fatalf("got %s %s, want %s %s", r.Body.Status, r.Body.Code, status, code)
	}
	if status != command.Executed {
		if w.bolt.total() != count {
			w.t.Fatal("a refused command moved the bolt")
		}
		if r.Body.Counter != 0 || len(r.Body.Prev) != 0 {
			w.t.Fatal("a refusal stands in the receipt chain")
		}
		if d := w.disk(); d != disk {
			w.t.Fatal("a refusal was written to disk")
		}
		return r
	}
	if w.bolt.total() != count+1 {
		w.t.Fatalf("%d actuations", w.bolt.total()-count)
	}
	return r
}

func (w *world) ok(raw []byte) *command.Receipt {
	w.t.Helper()
	return w.want(raw, command.Executed, command.OK)
}

func (w *world) refused(raw []byte, code command.Code) *command.Receipt {
	w.t.Helper()
	return w.want(raw, command.Rejected, code)
}

// disk is all that the device has stored but its pinned owner.
func (w *world) disk() string {
	w.t.Helper()
	var b bytes.Buffer
	for _, f := range []vault.Family{vault.FamilyHead, vault.FamilyCommand, vault.FamilyLane, vault.FamilyTail, vault.FamilyTime, vault.FamilyUse, vault.FamilyResource} {
		err := w.vault.Each(f, func(rest, value []byte) error {
			fmt.Fprintf(&b, "%c%x=%x\n", f, rest, value)
			return nil
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	return b.String()
}
