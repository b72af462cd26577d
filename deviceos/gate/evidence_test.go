package gate_test

import (
	"bytes"
	"context"
	"errors"
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
	"github.com/hybridos-net/hybridos/deviceos/vault"
	"github.com/hybridos-net/hybridos/deviceos/vault/vaulttest"
)

// offline is a device that reaches nobody: all that it knows of the ledger, a
// real light client has verified out of evidence that others brought.
type offline struct {
	t      *testing.T
	chain  *lighttest.Chain
	digest codec.ChainDigest
	client *light.Client
	vault  *vault.Vault
	gate   *gate.Gate
	bolt   *bolt
	now    time.Time

	device, owner, guest, vendor *key.Private
	seq                          map[key.AccountID]uint64
	nonce                        uint64
}

// nobody is a source that cannot be reached.
type nobody struct{}

func (nobody) LightBlock(context.Context, int64) ([]byte, error) { return nil, errOffline }

func (nobody) Prove(context.Context, []byte, int64) (light.Proof, error) {
	return light.Proof{}, errOffline
}

func newOffline(t *testing.T) *offline {
	o := &offline{
		t: t, bolt: new(bolt), device: newKey(1), owner: newKey(2), guest: newKey(3), vendor: newKey(4), seq: make(map[key.AccountID]uint64),
	}
	o.chain = lighttest.New(t, 4, genesis.Vendor{Name: "maker", Keys: []key.Public{o.vendor.Public()}, Threshold: 1, Quota: 9})
	o.digest = o.chain.Doc.Chain()
	o.execute(o.vendor, &tx.RegisterDevice{Key: o.device.Public(), SealKey: [32]byte{1}, Model: "bolt"}, tx.RoleVendor)
	root := o.owner.Public()
	claim := o.build(o.owner, &tx.Claim{Device: o.id(), Epoch: 1, Root: &root}, tx.RoleAccount)
	claim.Sign(o.digest, tx.RoleDevice, o.device)
	o.chain.Execute(claim)
	o.chain.Seal()
	o.seq[o.owner.Public().AccountID()]++
	own, err := state.VerifyClaim(o.digest, o.device.Public(), state.NewPin(root), claim.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	v, err := vault.Open("device", vault.Config{FS: vaulttest.New()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	o.vault = v
	o.start()
	if err := o.gate.Arm(own); err != nil {
		t.Fatal(err)
	}
	return o
}

// start starts the device on what its disk holds.
func (o *offline) start() {
	o.t.Helper()
	o.now = o.chain.Now()
	var err error
	o.client, err = light.New(light.Config{Genesis: o.chain.Doc, Source: nobody{}, Store: o.vault.Blob(vault.FamilyHead), Now: func() time.Time { return o.now }})
	if err != nil {
		o.t.Fatal(err)
	}
	o.gate, err = gate.Open(gate.Config{Chain: o.digest, Device: o.device, Vault: o.vault, Clock: clock.New(func() time.Time { return o.now }),
		Ledger: gate.Follow(o.client), Actuator: o.bolt, Class: classes, Limits: gate.Limits{PerKey: 1e6, PerPeer: 1e6, Strangers: 1e6, Lookups: 1e6}})
	if err != nil {
		o.t.Fatal(err)
	}
}

func (o *offline) id() key.DeviceID { return o.device.Public().DeviceID() }

func (o *offline) build(k *key.Private, p tx.Payload, roles ...tx.Role) *tx.Tx {
	o.t.Helper()
	id := k.Public().AccountID()
	t, err := tx.New(id, o.seq[id], uint64(o.chain.Now().Unix())+600, p)
	if err != nil {
		o.t.Fatal(err)
	}
	for _, r := range roles {
		t.Sign(o.digest, r, k)
	}
	return t
}

func (o *offline) execute(k *key.Private, p tx.Payload, roles ...tx.Role) tx.ID {
	o.t.Helper()
	t := o.build(k, p, roles...)
	o.chain.Execute(t)
	o.chain.Seal()
	o.now = o.chain.Now()
	o.seq[t.Body.Account]++
	return t.ID(o.digest)
}

func (o *offline) give() tx.ID {
	return o.execute(o.owner, &tx.CreateGrant{Grantee: o.guest.Public(), NotAfter: uint64(o.chain.Now().Unix()) + 99999999,
		Targets: []tx.Target{{Device: o.id(), Epoch: 1, Endpoint: "lock", Methods: []string{"open"}}}}, tx.RoleAccount)
}

// ask is a command to open by the owner, or under a grant by the guest.
func (o *offline) ask(grant *tx.ID) *command.Command {
	o.t.Helper()
	o.nonce++
	ms, k := uint64(o.now.UnixMilli()), o.owner
	if grant != nil {
		k = o.guest
	}
	c, err := command.New(command.Body{Chain: command.Prefix(o.digest), Device: o.id(), Endpoint: "lock", Epoch: 1, Principal: k.Public().AccountID(), Key: k.Public().ID(),
		Grant: grant, Salt: 1, Nonce: o.nonce, IssuedAt: ms, Expires: ms + 30_000, Method: "open"})
	if err != nil {
		o.t.Fatal(err)
	}
	c.Sign(o.digest, k)
	return c
}

func (o *offline) send(c *command.Command) *command.Receipt {
	o.t.Helper()
	raw := o.gate.Handle(o.t.Context(), "phone", c.Bytes())
	r, err := command.DecodeReceipt(raw)
	if err == nil {
		err = r.Answers(o.digest, o.device.Public(), c)
	}
	if err != nil {
		o.t.Fatal(err)
	}
	return r
}

// wants sends and checks verdict and actuations.
func (o *offline) wants(c *command.Command, code command.Code) *command.Receipt {
	o.t.Helper()
	before := o.bolt.total()
	r := o.send(c)
	moved := o.bolt.total() - before
	if r.Body.Code != code || moved != map[bool]int{true: 1}[code == command.OK] {
		o.t.Fatalf("%s %s, %d actuations, want %s", r.Body.Status, r.Body.Code, moved, code)
	}
	return r
}

// bring collects what the device's receipt asks for: the phone's part.
func (o *offline) bring(r *command.Receipt, c *command.Command, vouch func(light.Head) ([]byte, error)) *light.Evidence {
	o.t.Helper()
	e, err := light.Gather(o.t.Context(), light.Gathering{
		Genesis: o.chain.Doc, Source: o.chain, Now: o.chain.Now, From: light.Head{Height: int64(r.Body.Height), Hash: r.Body.HeadHash}, Vouch: vouch, To: o.newest(),
		Read: func(v state.View) error { return state.ReadRights(v, o.digest, o.id(), r.Body.Epoch, c.Body.Grant) },
	})
	if err != nil {
		o.t.Fatal(err)
	}
	return e
}

// newest is the header that the owner's own wallet has verified.
func (o *offline) newest() light.Head {
	o.t.Helper()
	raw, err := o.chain.LightBlock(o.t.Context(), 0)
	if err != nil {
		o.t.Fatal(err)
	}
	b, err := light.DecodeBlock(o.chain.Doc.ChainID, raw)
	if err != nil {
		o.t.Fatal(err)
	}
	return b.Head()
}

// with is the same command with evidence.
func with(c *command.Command, e *light.Evidence) *command.Command {
	d := c.Bare()
	d.Evidence = e.Bytes()
	return d
}

// TestEvidence: a lock that reaches nobody is as fresh as the phone beside it,
// for the owner and for a guest whose grant it has never heard of; what was
// revoked meanwhile does not open.
func TestEvidence(t *testing.T) {
	o := newOffline(t)
	c := o.ask(nil)
	r := o.wants(c, command.Stale)
	if r.Body.Status != command.Deferred || r.Body.Height != 0 {
		t.Fatalf("%s at %d", r.Body.Status, r.Body.Height)
	}
	first := o.wants(with(c, o.bring(r, c, nil)), command.OK)
	if again := o.send(c); !bytes.Equal(again.Bytes(), first.Bytes()) {
		t.Fatal("without the evidence it is another command")
	}
	o.wants(o.ask(nil), command.OK) // by what the first one brought

	grant := o.give()
	g := o.ask(&grant)
	r = o.wants(g, command.Stale)
	o.wants(with(g, o.bring(r, g, nil)), command.OK)

	o.now = o.now.Add(2 * time.Minute) // the news is old again
	o.chain.Advance(2 * time.Minute)
	o.chain.Seal()
	g = o.ask(&grant)
	r = o.wants(g, command.Stale)
	if r.Body.Height != uint64(o.client.Head().Height) || !bytes.Equal(r.Body.HeadHash, o.client.Head().Hash) {
		t.Fatalf("the challenge names height %d", r.Body.Height)
	}
	old := o.bring(r, g, nil)
	o.execute(o.owner, &tx.RevokeGrant{Grant: grant}, tx.RoleAccount)
	o.wants(with(g, o.bring(r, g, nil)), command.GrantRevoked)
	o.wants(with(o.ask(&grant), old), command.GrantRevoked) // older evidence takes nothing back

	o.start() // what was proven is gone with the power, the head is not
	c = o.ask(nil)
	r = o.wants(c, command.Stale)
	o.wants(with(c, o.bring(r, c, nil)), command.OK)
}

// TestEvidence_Seal: a seal is brought like anything else of the ledger, also to a
// device that knows all the rest.
func TestEvidence_Seal(t *testing.T) {
	o := newOffline(t)
	c := o.ask(nil)
	o.wants(with(c, o.bring(o.wants(c, command.Stale), c, nil)), command.OK)
	b := o.ask(nil).Body
	b.Notarise()
	sealed, err := command.New(b)
	if err != nil {
		t.Fatal(err)
	}
	sealed.Sign(o.digest, o.owner)
	id := tx.ID(sealed.ID(o.digest))
	o.execute(o.owner, &tx.OpenSeal{Device: o.id(), Epoch: 1, Command: id, Needed: 1, Until: uint64(o.chain.Now().Unix()) + 60}, tx.RoleApprover)
	r := o.wants(sealed, command.Stale)
	e, err := light.Gather(t.Context(), light.Gathering{Genesis: o.chain.Doc, Source: o.chain, Now: o.chain.Now,
		From: light.Head{Height: int64(r.Body.Height), Hash: r.Body.HeadHash},
		Read: func(v state.View) error {
			_, err := state.GetSeal(v, o.id(), id)
			return errors.Join(err, state.ReadRights(v, o.digest, o.id(), 1, nil))
		}})
	if err != nil {
		t.Fatal(err)
	}
	o.wants(with(sealed, e), command.OK)
}

// TestEvidence_Refusals: evidence convinces by itself or not at all, and bad one
// changes nothing.
func TestEvidence_Refusals(t *testing.T) {
	o := newOffline(t)
	c := o.ask(nil)
	r := o.wants(c, command.Stale)
	o.wants(with(c, o.bring(r, c, nil)), command.OK)
	for range 6 {
		o.chain.ReplaceOne()
		o.chain.Advance(time.Minute)
		o.chain.Seal()
	}
	o.now = o.chain.Now()
	before := o.client.Head()
	flip := func(b []byte) { b[len(b)*2/3] ^= 1 }
	for name, f := range map[string]func(e *light.Evidence){
		"hidden change of validators": func(e *light.Evidence) { e.Blocks = e.Blocks[len(e.Blocks)-1:] },
		"spoiled header":              func(e *light.Evidence) { flip(e.Blocks[0]) },
		"cut header":                  func(e *light.Evidence) { e.Blocks[0] = e.Blocks[0][:99] },
		"nothing":                     func(e *light.Evidence) { *e = light.Evidence{} },
		"rubbish":                     func(e *light.Evidence) { e.Blocks = [][]byte{bytes.Repeat([]byte{7}, 50_000)} },
	} {
		t.Run(name, func(t *testing.T) {
			c := o.ask(nil)
			e := o.bring(&command.Receipt{Body: command.ReceiptBody{Height: uint64(before.Height), HeadHash: before.Hash, Epoch: 1}}, c, nil)
			f(e)
			r := o.wants(with(c, e), command.BadEvidence)
			if o.client.Head().Height != before.Height || r.Body.Counter != 0 {
				t.Fatal("something changed")
			}
		})
	}
	good := o.bring(&command.Receipt{Body: command.ReceiptBody{Height: uint64(before.Height), HeadHash: before.Hash, Epoch: 1}}, c, nil)
	forged := *good
	forged.Proofs = bytesOf(good.Proofs)
	flip(forged.Proofs[0].Proof)
	o.wants(with(o.ask(nil), &forged), command.BadEvidence)
	if o.client.Head().Height == before.Height {
		t.Fatal("good headers before a bad proof are good")
	}
	less := *good // honest, but not enough
	less.Proofs = nil
	o.wants(with(o.ask(nil), &less), command.Stale)
	o.wants(with(o.ask(nil), good), command.OK)
}

func bytesOf(in []light.KeyProof) (out []light.KeyProof) {
	for _, p := range in {
		out = append(out, light.KeyProof{Key: p.Key, Proof: bytes.Clone(p.Proof)})
	}
	return out
}

// TestEvidence_Vouch: after the trusting period neither headers nor the word of
// somebody who is not the owner lead on.
func TestEvidence_Vouch(t *testing.T) {
	o := newOffline(t)
	c := o.ask(nil)
	o.wants(with(c, o.bring(o.wants(c, command.Stale), c, nil)), command.OK)
	o.chain.Advance(light.DefaultPeriod + time.Hour)
	o.chain.Seal()
	o.now = o.chain.Now()
	c = o.ask(nil)
	r := o.wants(c, command.AnchorExpired)
	if r.Body.Status != command.Deferred {
		t.Fatal(r.Body.Status)
	}
	o.wants(with(c, o.bring(r, c, nil)), command.AnchorExpired)
	by := func(change func(*state.Vouch), keys ...key.Signer) *light.Evidence {
		return o.bring(r, c, func(h light.Head) ([]byte, error) {
			v := state.Vouch{Device: o.id(), Epoch: 1, Height: uint64(h.Height), Hash: h.Hash, Expires: uint64(o.now.Unix()) + state.MaxVouchLife}
			change(&v)
			return state.SignVouch(o.digest, v, keys...), nil
		})
	}
	as := func(*state.Vouch) {}
	for name, e := range map[string]*light.Evidence{
		"a guest's word":    by(as, o.guest),
		"nobody's word":     by(as),
		"the vendor's too":  by(as, o.owner, o.vendor),
		"for another lock":  by(func(v *state.Vouch) { v.Device[0] ^= 1 }, o.owner),
		"of another epoch":  by(func(v *state.Vouch) { v.Epoch++ }, o.owner),
		"for another block": by(func(v *state.Vouch) { v.Hash = bytes.Repeat([]byte{1}, 32) }, o.owner),
		"of another height": by(func(v *state.Vouch) { v.Height++ }, o.owner),
		"of yesterday":      by(func(v *state.Vouch) { v.Expires = uint64(o.now.Unix()) }, o.owner),
		"for ever":          by(func(v *state.Vouch) { v.Expires = 1 << 40 }, o.owner),
	} {
		t.Run(name, func(t *testing.T) { o.wants(with(o.ask(nil), e), command.BadEvidence) })
	}
	o.wants(with(c, by(as, o.owner)), command.OK)
	o.wants(o.ask(nil), command.OK)
}
