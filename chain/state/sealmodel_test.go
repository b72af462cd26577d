package state_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// sealModel is what the ledger should hold of one owner's seals, one device's
// anchors and one vendor's releases, kept in the simplest way.
type sealModel struct {
	model
	pool    []*key.Private // the keys that come and go
	admins  []*key.Private // those of the owner's account now; the first signs
	version uint64
	frozen  bool
	epoch   uint64
	seals   map[tx.ID]*sealing
	counter uint64

	makers  []*key.Private // the vendor's keys now, all of which must sign
	keys    uint64         // their version
	release map[string]*releasing
	order   []string // versions in the order of their first publication
	pin     state.VendorPin
	own     state.Ownership
}

type sealing struct {
	needed int
	until  int64
	epoch  uint64
	by     []*key.Private
	sealed bool
}

type releasing struct {
	file    string
	signers []*key.Private
	keys    uint64
	revoked bool
}

func newSealModel(tb testing.TB) *sealModel {
	w := statetest.NewWorld()
	w.Do(tb, w.RegisterTx(tb, dev))
	claim := w.ClaimTx(tb, owner, dev)
	w.Do(tb, claim)
	m := &sealModel{model: model{tb: tb, w: w}, admins: []*key.Private{owner}, epoch: 1, seals: map[tx.ID]*sealing{},
		makers: []*key.Private{w.Vendor}, release: map[string]*releasing{}, pin: pinVendor(w)}
	m.own = must(state.VerifyClaim(w.Block.Chain, dev.Public(), state.NewPin(owner.Public()), claim.Bytes()))
	m.pool = []*key.Private{owner, guest, spare, statetest.Key("third")}
	w.Do(tb, w.RotateTx(tb, owner, owner, owner, guest, spare, m.pool[3]))
	m.admins, m.version = m.pool, 1
	return m
}

// some draws distinct keys of the pool, at least one.
func (m *sealModel) some(r *rapid.T, what string) []*key.Private {
	mask := rapid.IntRange(1, 1<<len(m.pool)-1).Draw(r, what)
	var out []*key.Private
	for i, k := range m.pool {
		if mask>>i&1 == 1 {
			out = append(out, k)
		}
	}
	return out
}

// approvers draws who signs for a seal: mostly keys of the owner.
func (m *sealModel) approvers(r *rapid.T) []*key.Private {
	if rapid.IntRange(0, 4).Draw(r, "strangers") == 0 {
		return m.some(r, "by")
	}
	i := rapid.IntRange(0, len(m.admins)-1).Draw(r, "first")
	last := min(len(m.admins), i+rapid.SampledFrom([]int{1, 1, 1, 2}).Draw(r, "how many"))
	return m.admins[i:last]
}

func among(keys, all []*key.Private) bool {
	return !slices.ContainsFunc(keys, func(k *key.Private) bool { return !slices.Contains(all, k) })
}

func common(keys, with []*key.Private) (n int) {
	for _, k := range keys {
		if slices.Contains(with, k) {
			n++
		}
	}
	return n
}

func (m *sealModel) command(r *rapid.T) tx.ID {
	return statetest.Command(fmt.Sprint(rapid.IntRange(0, 1).Draw(r, "command")))
}

// rekey replaces the owner's keys.
func (m *sealModel) rekey(r *rapid.T) {
	next := m.some(r, "keys")
	signers := make([]key.Signer, len(next))
	for i, k := range next {
		signers[i] = k
	}
	if m.try(r, m.w.RotateTx(m.tb, owner, m.admins[0], signers...), !m.frozen) {
		m.admins = next
		m.version++
	}
}

// hold freezes the account, or ends that.
func (m *sealModel) hold(r *rapid.T) {
	p, role := tx.Payload(&tx.Freeze{}), tx.RoleParty
	on := rapid.IntRange(0, 3).Draw(r, "frozen") == 0
	if !on {
		p, role = &tx.Unfreeze{}, tx.RoleAccount
	}
	if m.try(r, m.w.Build(m.tb, owner.Public().AccountID(), p, as(role, m.admins[0])), m.frozen != on) {
		m.frozen = on
	}
}

// move gives the device to the owner anew, which begins an epoch.
func (m *sealModel) move(r *rapid.T) {
	p := &tx.Transfer{Device: devID, Epoch: m.epoch + 1, To: owner.Public().AccountID()}
	x := m.w.Build(m.tb, owner.Public().AccountID(), p, as(tx.RoleAccount, m.admins[0]), as(tx.RoleNewOwner, m.admins[0]))
	if m.try(r, x, !m.frozen) {
		m.epoch++
	}
}

func (m *sealModel) open(r *rapid.T) {
	id, by, needed := m.command(r), m.approvers(r), rapid.SampledFrom([]int{1, 2, 2, 3, 3, 4}).Draw(r, "needed")
	if m.try(r, m.w.OpenSealTx(m.tb, owner, dev, id, uint8(needed), by...), !m.frozen && among(by, m.admins) && needed <= len(m.admins) && m.seals[id] == nil) {
		m.seals[id] = &sealing{needed: needed, until: m.w.Block.Time + 3600, epoch: m.epoch, by: slices.Clone(by), sealed: len(by) >= needed}
	}
}

func (m *sealModel) approve(r *rapid.T) {
	id, by := m.command(r), m.approvers(r)
	s := m.seals[id]
	ok := s != nil && !m.frozen && among(by, m.admins) && !s.sealed && m.w.Block.Time < s.until && common(by, s.by) == 0
	if m.try(r, m.w.ApproveSealTx(m.tb, owner, dev, id, by...), ok) {
		s.by = append(s.by, by...)
		s.sealed = common(s.by, m.admins) >= s.needed
	}
}

func (m *sealModel) wait(r *rapid.T) { m.w.Block.Time += rapid.Int64Range(1, 2400).Draw(r, "seconds") }

func (m *sealModel) anchor(r *rapid.T) {
	from := m.counter + 1 + uint64(rapid.SampledFrom([]int{0, 0, 0, 1}).Draw(r, "gap"))
	p := &tx.AnchorReceipts{Device: devID, Epoch: m.epoch, From: from, To: from + 9, Head: [32]byte{1}}
	if m.try(r, m.w.Build(m.tb, owner.Public().AccountID(), p, as(tx.RoleAccount, m.admins[0]), byDevice), from == m.counter+1) {
		m.counter = from + 9
	}
}

// signed is a transaction of the vendor by the given keys.
func (m *sealModel) signed(p tx.Payload, by []*key.Private) *tx.Tx {
	x := m.w.Build(m.tb, vendorID, p)
	for _, k := range by {
		x.Sign(m.w.Block.Chain, tx.RoleVendor, k)
	}
	return x
}

func (m *sealModel) publish(r *rapid.T) {
	version := fmt.Sprintf("1.%d.0", rapid.IntRange(0, 2).Draw(r, "version"))
	file, by := rapid.SampledFrom([]string{"a", "a", "b"}).Draw(r, "file"), m.makers
	if rapid.IntRange(0, 3).Draw(r, "stranger") == 0 {
		by = []*key.Private{thief}
	}
	had := m.release[version]
	ok := &by[0] == &m.makers[0] && (had == nil || !had.revoked && had.file == file && had.keys < m.keys)
	p := &tx.PublishRelease{Model: "Lock 1", Version: version, Artefact: statetest.Artefact(file)}
	if m.try(r, m.signed(p, by), ok) {
		if had == nil {
			m.order = append(m.order, version)
		}
		m.release[version] = &releasing{file: file, signers: by, keys: m.keys}
	}
}

func (m *sealModel) withdraw(r *rapid.T) {
	version := fmt.Sprintf("1.%d.0", rapid.IntRange(0, 2).Draw(r, "version"))
	had := m.release[version]
	if m.try(r, m.signed(&tx.RevokeRelease{Model: "Lock 1", Version: version}, m.makers), had != nil && !had.revoked) {
		had.revoked = true
	}
}

// remake replaces the vendor's keys.
func (m *sealModel) remake(r *rapid.T) {
	next := m.some(r, "makers")
	p := &tx.RotateVendorKeys{Version: m.keys + 1, Threshold: uint8(len(next))}
	x := []*key.Private{}
	for _, k := range next {
		p.Keys = append(p.Keys, k.Public())
		if !slices.Contains(m.makers, k) {
			x = append(x, k)
		}
	}
	by, whole := m.makers, rapid.IntRange(0, 3).Draw(r, "whole") > 0
	if !whole {
		by = by[1:]
	}
	t := m.signed(p, by)
	for _, k := range x {
		t.Sign(m.w.Block.Chain, tx.RoleNewKey, k)
	}
	if len(t.Sigs) > 0 && m.try(r, t, whole) {
		m.makers = next
		m.keys++
	}
}

// check compares the ledger with the model.
func (m *sealModel) check(r *rapid.T) {
	for id, s := range m.seals {
		rec := must(state.GetSeal(m.w.Tree, devID, id))
		if (rec.Status == state.Sealed) != s.sealed || len(rec.Keys) != len(s.by) {
			r.Fatalf("seal is %+v, model %+v", rec, s)
		}
	}
	if a, err := state.GetAnchor(m.w.Tree, devID); err == nil && a.Counter != m.counter || err != nil && m.counter != 0 {
		r.Fatalf("anchored up to %d, model %d: %v", a.Counter, m.counter, err)
	}
}

// wakeUp lets a device follow its owner and its vendor from whenever it last
// did, and shows it every seal and every release.
func (m *sealModel) wakeUp(r *rapid.T) {
	own, err := state.FollowOwner(m.w.Tree, m.w.Block.Chain, m.own)
	if err != nil || own.Epoch != m.epoch {
		r.Fatalf("device refuses its owner: %v", err)
	}
	if rapid.Bool().Draw(r, "followed") {
		m.own = own
	}
	for id, s := range m.seals {
		err := state.VerifySeal(m.w.Block.Chain, own, id, 0, must(state.GetSeal(m.w.Tree, devID, id)))
		if want := s.sealed && s.epoch == m.epoch && common(s.by, m.admins) >= s.needed; (err == nil) != want {
			r.Fatalf("a device says %v to seal %+v of keys %d", err, s, m.version)
		}
	}
	m.checkReleases(r)
}

func (m *sealModel) checkReleases(r *rapid.T) {
	pin, err := state.FollowVendor(m.w.Tree, m.w.Block.Chain, m.pin)
	if err != nil || pin.Keys.Version != m.keys || len(pin.Keys.Keys) != len(m.makers) {
		r.Fatalf("device refuses its vendor: %+v, %v", pin, err)
	}
	if rapid.Bool().Draw(r, "pinned") {
		m.pin = pin
	}
	v, err := shelf.Newest(m.w.Tree)
	if err != nil && (!errors.Is(err, state.NoRelease) || len(m.order) > 0) {
		r.Fatalf("newest: %v", err)
	}
	for i := len(m.order) - 1; i >= 0; i-- {
		if v != m.order[i] {
			r.Fatalf("version %s is listed, model %v", v, m.order)
		}
		had, rec := m.release[v], must(shelf.Get(m.w.Tree, v))
		p, err := state.VerifyRelease(m.w.Block.Chain, pin, "Lock 1", v, rec)
		good := among(had.signers, m.makers) && len(had.signers) >= len(m.makers)
		if (err == nil) != (good && !had.revoked) || had.revoked && !errors.Is(err, state.ReleaseRevoked) {
			r.Fatalf("a device says %v to release %s %+v", err, v, had)
		}
		if err == nil && p.Artefact.SHA256 != statetest.Artefact(had.file).SHA256 {
			r.Fatalf("release %s has another file", v)
		}
		v = rec.Previous
	}
	if v != "" {
		r.Fatalf("version %s was never published", v)
	}
}

// TestModel_Seals runs random histories of seals, anchors, releases and vendors'
// keys. The invariants: a device takes a seal only with as many of the owner's
// present keys as it needs; a command is sealed once; anchors have no gap; a
// release is its vendor's by its present keys, never changes its file and never
// comes back once revoked; a replay changes nothing.
func TestModel_Seals(t *testing.T) {
	ends := make(map[tx.Kind]int)
	rapid.Check(t, func(r *rapid.T) {
		m := newSealModel(t)
		r.Repeat(map[string]func(*rapid.T){
			"": m.check, "open": m.open, "open again": m.open, "approve": m.approve, "approve again": m.approve, "rekey": m.rekey, "hold": m.hold, "move": m.move, "wait": m.wait,
			"anchor": m.anchor, "publish": m.publish, "withdraw": m.withdraw, "remake": m.remake, "replay": m.replay, "wake": m.wakeUp, "wake again": m.wakeUp,
		})
		for _, x := range m.past {
			ends[x.Body.Kind]++
		}
	})
	mustHave(t, ends, tx.KindOpenSeal, tx.KindApproveSeal, tx.KindAnchorReceipts, tx.KindPublishRelease, tx.KindRevokeRelease, tx.KindRotateVendorKeys)
}
