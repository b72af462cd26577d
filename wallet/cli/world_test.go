package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hybridos-net/hybridos/chain/audit"
	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/p2p/pairing"
	"github.com/hybridos-net/hybridos/sdk"
)

// world is a ledger and devices without a network between: transactions go
// through the real rules, devices check rights and sign real receipts.
type world struct {
	mu      sync.Mutex
	doc     *genesis.Doc
	tree    *statetest.Tree
	height  int64
	now     time.Time
	down    bool                         // no node answers
	sending func() error                 // what happens when a transaction is on its way
	refuse  int                          // so many transactions find another one before them
	spoil   func(*command.Receipt) error // what goes wrong on the way back
	before  func(heads int, w *world)    // what happens between two headers of Follow
	devices map[key.DeviceID]*worldDevice
}

type worldDevice struct {
	key     *key.Private
	secret  [pairing.SecretSize]byte
	batch   *tx.BatchMember // nil: registered by itself
	seal    [32]byte        // zero: 1
	opened  int
	counter uint64
	done    map[command.ID]*command.Receipt
	lanes   map[uint64]uint64
	ended   map[command.ID]bool
	signers int // so many owners must sign a command
	prev    []byte
	trail   [][]byte
	expired bool // it wants its owner's word for a header
	busy    int  // so many times it must first catch up
}

var vendorKey = statetest.Key("vendor")

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{tree: new(statetest.Tree), height: 1, now: time.Unix(1_800_000_000, 0), devices: make(map[key.DeviceID]*worldDevice)}
	w.doc = &genesis.Doc{ChainID: "hos-test", Time: 1_700_000_000,
		Validators: []genesis.Validator{{Name: "v", PubKey: make([]byte, 32)}},
		Vendors:    []genesis.Vendor{{Name: "acme", Keys: []key.Public{vendorKey.Public()}, Threshold: 1, Quota: 8}}}
	if err := w.doc.Apply(w.tree); err != nil {
		t.Fatal(err)
	}
	return w
}

// device makes and registers a device and gives its pairing code.
func (w *world) device(t *testing.T, name string) pairing.Code {
	t.Helper()
	d := &worldDevice{key: statetest.Key(name), done: make(map[command.ID]*command.Receipt), lanes: make(map[uint64]uint64), ended: make(map[command.ID]bool)}
	d.secret[0] = byte(len(w.devices) + 1)
	id := d.key.Public().DeviceID()
	w.devices[id] = d
	v, err := state.GetVendor(w.tree, vendorKey.Public().AccountID())
	if err != nil {
		t.Fatal(err)
	}
	reg, err := tx.New(vendorKey.Public().AccountID(), v.Sequence, uint64(w.now.Add(time.Minute).Unix()),
		&tx.RegisterDevice{Key: d.key.Public(), SealKey: [32]byte{1}, Model: "Front Door"})
	if err != nil {
		t.Fatal(err)
	}
	reg.Sign(w.doc.Chain(), tx.RoleVendor, vendorKey)
	if _, err := w.Submit(t.Context(), reg); err != nil {
		t.Fatal(err)
	}
	return pairing.Code{Version: pairing.Version, Device: id, ChainID: w.doc.ChainID, Chain: w.doc.Chain(), Secret: d.secret,
		Addrs: []string{"/ip4/127.0.0.1/tcp/1"}}
}

func (w *world) noNode() error { return &sdk.Error{Kind: sdk.NoNode, Detail: "no node answers"} }

// worldView ends with its context, as the real one does.
type worldView struct {
	ctx  context.Context
	tree *statetest.Tree
	head light.Head
}

func (v worldView) Get(k []byte) ([]byte, error) {
	if err := v.ctx.Err(); err != nil {
		return nil, err
	}
	return v.tree.Get(k)
}

func (v worldView) Head() light.Head { return v.head }

func (w *world) Known() light.Head {
	return light.Head{Height: w.height, Hash: []byte{byte(w.height)}, Time: w.now}
}

func (w *world) View(ctx context.Context) (View, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down {
		return nil, w.noNode()
	}
	return worldView{ctx, w.tree.Clone(), w.Known()}, nil
}

func (w *world) ViewAfter(ctx context.Context, _ int64) (View, error) { return w.View(ctx) }

// set changes the world while a command line is at work in it.
func (w *world) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

func (w *world) Submit(_ context.Context, t *tx.Tx) (int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.sending != nil {
		if err := w.sending(); err != nil {
			return 0, err
		}
	}
	if w.down {
		return 0, w.noNode()
	}
	if w.refuse > 0 {
		w.refuse--
		return 0, &sdk.Error{Kind: sdk.Refused, Detail: (&state.Error{Kind: state.BadSequence, Detail: "sequence 0, next is 1"}).Error()}
	}
	again, err := tx.Decode(t.Bytes())
	if err != nil {
		return 0, &sdk.Error{Kind: sdk.Refused, Detail: err.Error()}
	}
	if err := state.Execute(w.tree, state.Block{Chain: w.doc.Chain(), Height: w.height, Time: w.now.Unix()}, again); err != nil {
		return 0, &sdk.Error{Kind: sdk.Refused, Detail: err.Error()}
	}
	w.height++
	return w.height, nil
}

func (w *world) Follow(ctx context.Context, onHead func(light.Head) error) error {
	for n := 0; ctx.Err() == nil; n++ {
		if w.before != nil {
			w.before(n, w)
		}
		w.height++
		if err := onHead(w.Known()); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) Pair(_ context.Context, code pairing.Code, o pairing.Owner) (pairing.Peer, pairing.Armed, error) {
	d, ok := w.devices[code.Device]
	if !ok {
		return pairing.Peer{}, pairing.Armed{}, &sdk.Error{Kind: sdk.Unreachable, Detail: "device of the pairing code"}
	}
	seal := d.seal
	if seal == [32]byte{} {
		seal[0] = 1
	}
	a, b := net.Pipe()
	defer a.Close()
	go func() {
		defer b.Close()
		_ = pairing.Device(b, pairing.Claimed{Chain: w.doc.Chain(), Key: d.key, SealKey: seal, Model: "Front Door", Secret: d.secret, Batch: d.batch,
			Owned: func() bool { return false },
			Keep:  func(key.AccountID, []byte) error { return nil },
			Arm: func(_ key.AccountID, _ []byte, height uint64) (pairing.Armed, error) {
				return pairing.Armed{Epoch: 1, Height: height}, nil
			}})
	}()
	return pairing.Wallet(a, code, o)
}

// Send lets the device judge, and the way back go wrong.
func (w *world) Send(_ context.Context, device key.Public, _ []string, c *command.Command) (*command.Receipt, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d, ok := w.devices[device.DeviceID()]
	if !ok {
		return nil, &sdk.Error{Kind: sdk.Unreachable, Detail: "device"}
	}
	cmd, err := command.Decode(c.Bytes())
	if err != nil {
		return nil, err
	}
	r := d.answer(w, cmd)
	if w.spoil != nil {
		if err := w.spoil(r); err != nil {
			return nil, err
		}
	}
	return r, r.Answers(w.doc.Chain(), device, cmd)
}

func (d *worldDevice) answer(w *world, c *command.Command) *command.Receipt {
	chain := w.doc.Chain()
	id := c.ID(chain)
	if r, ok := d.done[id]; ok {
		return r
	}
	b := command.ReceiptBody{Command: id, Device: d.key.Public().DeviceID(), Time: uint64(w.now.UnixMilli()), Height: uint64(w.height), HeadHash: []byte{1}}
	if d.busy > 0 {
		d.busy--
		return d.later(w, c, b, command.Stale)
	}
	if d.expired {
		rec, _ := state.GetDevice(w.tree, b.Device)
		pin, _ := state.PinAccount(w.tree, chain, *rec.Owner)
		own := state.Ownership{Device: b.Device, Epoch: rec.Epoch, Owner: pin}
		if state.VerifyVouch(chain, own, c.Evidence, b.Height, b.HeadHash, uint64(w.now.Unix())) != nil {
			return d.later(w, c, b, command.AnchorExpired)
		}
		d.expired = false
	}
	b.Status, b.Code = command.Executed, d.judge(w, c)
	of, ends := c.Body.Cancel()
	switch {
	case b.Code == command.NotSealed:
		return d.later(w, c, b, command.NotSealed)
	case b.Code != command.OK:
		b.Status = command.Rejected
	case ends:
		d.ended[of.Command] = true
	case c.Body.Method == "open":
		d.opened++
	default:
		b.Result = []byte(`{"state":"locked"}`)
	}
	d.counter++
	b.Counter, b.Epoch = d.counter, c.Body.Epoch
	if c.Body.Endpoint == "device" && c.Body.Method == "anchor" {
		t, err := tx.Decode(c.Body.Params)
		if err == nil {
			b.Result = d.key.Sign(t.Digest(chain))
		}
	}
	b.Prev = d.prev
	r := command.SignReceipt(chain, b, d.key)
	hash := r.Hash()
	d.prev, d.done[id] = hash[:], r
	d.trail = append(d.trail, audit.Entry{Receipt: r.Bytes(), Command: c.Bytes()}.Bytes())
	return r
}

// later tells that the same bytes may fare better another time.
func (d *worldDevice) later(w *world, c *command.Command, b command.ReceiptBody, code command.Code) *command.Receipt {
	sum := sha256.Sum256(c.Bytes())
	b.Status, b.Code, b.Envelope = command.Deferred, code, sum[:]
	return command.SignReceipt(w.doc.Chain(), b, d.key)
}

func (d *worldDevice) judge(w *world, c *command.Command) command.Code {
	chain := w.doc.Chain()
	rec, err := state.GetDevice(w.tree, c.Body.Device)
	if err != nil || rec.Owner == nil {
		return command.Unowned
	}
	if c.Body.Epoch != rec.Epoch {
		return command.StaleEpoch
	}
	pin, err := state.PinAccount(w.tree, chain, *rec.Owner)
	if err != nil {
		return command.Untrusted
	}
	signer, code := rightOf(w.tree, chain, pin, c)
	if code != command.OK {
		return code
	}
	if err := c.VerifyBy(chain, signer); err != nil {
		return command.CodeOf(err)
	}
	if code := d.joint(w, pin, c); code != command.OK || c.Body.Notarised() {
		return code
	}
	if c.Body.Nonce <= d.lanes[c.Body.Salt] {
		return command.Replayed
	}
	d.lanes[c.Body.Salt] = c.Body.Nonce
	return command.OK
}

// joint judges what several owners have to do with a command: their signatures,
// their seal, and what one of them has ended.
func (d *worldDevice) joint(w *world, pin state.Pin, c *command.Command) command.Code {
	chain := w.doc.Chain()
	for _, s := range c.Sigs {
		k, ok := pin.Keys.Find(s.Key)
		if s.Key != c.Body.Key && (!ok || c.VerifyBy(chain, k.Key) != nil) {
			return command.ExtraSigner
		}
	}
	if len(c.Sigs) < d.signers {
		return command.TooFewSigners
	}
	if c.Body.Notarised() {
		device, id := d.key.Public().DeviceID(), tx.ID(c.ID(chain))
		seal, err := state.GetSeal(w.tree, device, id)
		if err != nil || state.VerifySeal(chain, state.Ownership{Device: device, Epoch: c.Body.Epoch, Owner: pin}, id, 1, seal) != nil {
			return command.NotSealed
		}
	}
	if d.ended[c.ID(chain)] {
		return command.Cancelled
	}
	if of, ok := c.Body.Cancel(); ok && d.done[of.Command] != nil {
		return command.TooLate
	}
	return command.OK
}

func rightOf(v state.View, chain codec.ChainDigest, pin state.Pin, c *command.Command) (key.Public, command.Code) {
	if c.Body.Grant == nil {
		k, ok := pin.Keys.Find(c.Body.Key)
		if !ok || c.Body.Principal != pin.Account {
			return key.Public{}, command.UnknownKey
		}
		return k.Key, command.OK
	}
	grants, err := state.ReadGrants(v, chain, *c.Body.Grant)
	if err != nil {
		return key.Public{}, command.UnknownGrant
	}
	if _, dead := grants.Revoked(); dead {
		return key.Public{}, command.GrantRevoked
	}
	if err := state.VerifyGrants(chain, pin, grants); err != nil {
		return key.Public{}, command.ForgedGrant
	}
	p := grants.Leaf().Grant
	if p.Private != nil {
		if p, err = p.Open(chain, c.Body.GrantBody()); err != nil {
			return key.Public{}, command.BadGrantBody
		}
	}
	if !p.Covers(c.Body.Device, c.Body.Epoch, c.Body.Endpoint, c.Body.Method) {
		return key.Public{}, command.NotGranted
	}
	return p.Grantee, command.OK
}

// WithEvidence brings what the devices of this world take for evidence.
func (w *world) WithEvidence(_ context.Context, c *command.Command, r *command.Receipt, vouch func(light.Head) ([]byte, error)) (*command.Command, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down {
		return nil, w.noNode()
	}
	out := c.Bare()
	out.Evidence = []byte("evidence")
	if vouch != nil {
		word, err := vouch(light.Head{Height: int64(r.Body.Height), Hash: r.Body.HeadHash, Time: w.now})
		if err != nil {
			return nil, err
		}
		out.Evidence = word
	}
	return out, nil
}

func (w *world) TrailRequest(uint64) []byte { return nil }

func (w *world) Trail(ctx context.Context, device key.Public, addrs []string, c *command.Command) (*command.Receipt, [][]byte, error) {
	r, err := w.Send(ctx, device, addrs, c)
	if err != nil {
		return nil, nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return r, slices.Clone(w.devices[device.DeviceID()].trail), nil
}

// Audited has no headers to offer: files are tested with a real ledger.
func (w *world) Audited(context.Context, key.Public, []string, [][]byte) (*audit.File, error) {
	return nil, w.noNode()
}

func (w *world) Close() error { return nil }

// person is somebody with a wallet.
type person struct {
	t       *testing.T
	w       *world
	dir     string
	env     map[string]string
	console Console
}

// answers is a Console of prepared answers.
type answers struct{ list []string }

func (a *answers) next() (string, error) {
	if len(a.list) == 0 {
		return "", errors.New("asked once too often")
	}
	s := a.list[0]
	a.list = a.list[1:]
	return s, nil
}

func (a *answers) Secret(context.Context, string) ([]byte, error) {
	s, err := a.next()
	return []byte(s), err
}

func (a *answers) Line(context.Context, string) (string, error) { return a.next() }

func (w *world) person(t *testing.T) *person {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "genesis.json")
	if err := os.WriteFile(file, w.doc.JSON(), 0o600); err != nil {
		t.Fatal(err)
	}
	return &person{t: t, w: w, dir: dir, env: map[string]string{
		"HOS_HOME": filepath.Join(dir, "home"), "HOS_GENESIS": file, "HOS_NODE": "/ip4/127.0.0.1/tcp/2", "HOS_PASSPHRASE": "a passphrase"}}
}

// hos runs a command line and wants an exit code.
func (p *person) hos(want int, args ...string) (out, talk string) {
	p.t.Helper()
	var stdout, stderr bytes.Buffer
	a := New(Config{In: strings.NewReader(""), Out: &stdout, Err: &stderr, Random: rand.Reader, Console: p.console,
		Getenv: func(k string) string { return p.env[k] },
		Now:    func() time.Time { return p.w.now },
		Dial:   func(*genesis.Doc, []string, light.Store) (Network, error) { return p.w, nil }})
	if got := a.Run(p.t.Context(), args); got != want {
		p.t.Fatalf("hos %s: exit %d, want %d\n%s%s", strings.Join(args, " "), got, want, stdout.String(), stderr.String())
	}
	if want != exitOK && !strings.Contains(stderr.String(), "try: ") && !strings.Contains(stderr.String(), `"try":`) {
		p.t.Errorf("hos %s: no try line:\n%s", strings.Join(args, " "), stderr.String())
	}
	return stdout.String(), stderr.String()
}

// json runs a command line with --json and decodes what it prints.
func (p *person) json(schema string, args ...string) map[string]any {
	p.t.Helper()
	out, _ := p.hos(exitOK, append(args, "--json")...)
	var m map[string]any
	if err := json.Unmarshal([]byte(out), &m); err != nil {
		p.t.Fatalf("hos %s printed %q: %v", strings.Join(args, " "), out, err)
	}
	if m["schema"] != schema || m["version"] != float64(1) {
		p.t.Errorf("hos %s: schema %v version %v, want %s version 1", strings.Join(args, " "), m["schema"], m["version"], schema)
	}
	return m
}

func (p *person) public() string {
	p.t.Helper()
	return p.json("hos.key", "key", "show")["public"].(string)
}

// owner is a person who has paired a device.
func (w *world) owner(t *testing.T, device string) (*person, *worldDevice) {
	t.Helper()
	code := w.device(t, device)
	p := w.person(t)
	p.hos(exitOK, "key", "new")
	p.hos(exitOK, "device", "pair", code.String())
	return p, w.devices[code.Device]
}
