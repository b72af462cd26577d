package adversary_test

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/types"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/chain/light/lighttest"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// offers gives the device a header, which it must refuse with this kind and
// without moving its head.
func (w *world) offers(raw []byte, kind light.ErrorKind) {
	w.t.Helper()
	head := w.client.Head()
	_, err := w.client.Offer(w.t.Context(), raw)
	if !errors.Is(err, kind) || w.client.Head().Height != head.Height || !bytes.Equal(w.client.Head().Hash, head.Hash) {
		w.t.Fatalf("%v, head %d, want %s and head %d", err, w.client.Head().Height, kind, head.Height)
	}
}

// thief is a command of the stranger's in the name of the owner that the ledger
// is made to show.
func (w *world) thief(epoch uint64) []byte {
	return w.sign(w.body(func(b *command.Body) {
		b.Epoch, b.Principal, b.Key = epoch, stranger.Public().AccountID(), stranger.Public().ID()
	}), stranger)
}

// stolen makes all validators show the device as the stranger's.
func (w *world) stolen(epoch uint64) {
	w.t.Helper()
	d, err := state.GetDevice(w.node, w.id())
	w.check(err)
	id := stranger.Public().AccountID()
	d.Owner, d.Epoch = &id, epoch
	w.node.Set(state.DeviceKey(w.id()), codec.MustMarshal(d))
	w.node.Set(state.AccountKey(id), codec.MustMarshal(state.Account{Root: stranger.Public(), KeySet: state.RootKeySet(stranger.Public())}))
}

// view makes an attack of a good command after the ledger was lied about.
func view(lie func(w *world)) func(*world) []byte {
	return func(w *world) []byte {
		raw := w.owned(nil)
		lie(w)
		return raw
	}
}

// header makes an attack of a header that is offered to the device, and a good
// command after it, which is still obeyed.
func header(kind light.ErrorKind, make func(w *world) []byte) func(*world) []byte {
	return func(w *world) []byte {
		w.offers(make(w), kind)
		return w.owned(nil)
	}
}

// forge is the next header, changed.
func forge(kind light.ErrorKind, resigned bool, change func(*types.LightBlock)) func(*world) []byte {
	return header(kind, func(w *world) []byte {
		w.node.withhold()
		return w.node.Forge(w.node.Advance(lighttest.Interval), resigned, change)
	})
}

// proofs makes an attack of proofs that are changed on their way, for a right
// that the device must look up.
func proofs(lie func(w *world, k []byte, p light.Proof) (light.Proof, error)) func(*world) []byte {
	return func(w *world) []byte {
		w.pass(time.Second)
		w.node.mu.Lock()
		w.node.proofs = func(k []byte, p light.Proof) (light.Proof, error) { return lie(w, k, p) }
		w.node.mu.Unlock()
		return w.lent(nil)
	}
}

func bit(b []byte, i int) []byte {
	b = slices.Clone(b)
	if len(b) > 0 {
		b[(i+len(b))%len(b)] ^= 1
	}
	return b
}

// hidden makes the node tell of nothing that came after now.
func hidden(w *world) { w.node.withhold() }

var views = []attack{
	{name: "positive control: new headers", bytes: func(w *world) []byte { w.pass(30 * time.Second); return w.owned(nil) }, code: command.OK},
	{name: "positive control: all validators replaced one by one, an hour unseen", bytes: func(w *world) []byte {
		w.node.withhold()
		for range 6 {
			w.node.ReplaceOne()
			w.node.Advance(10 * time.Second)
		}
		w.node.honest()
		w.pass(time.Hour)
		return w.owned(nil)
	}, code: command.OK},
	{name: "positive control: reading by a head of hours ago", bytes: func(w *world) []byte {
		w.ok(w.owned(method("state")))
		w.drift(5 * time.Hour)
		hidden(w)
		return w.owned(method("state"))
	}, code: command.OK},

	{name: "eclipse: no header for a minute", bytes: func(w *world) []byte {
		hidden(w)
		w.drift(61 * time.Second)
		return w.owned(nil)
	}, status: command.Deferred, code: command.Stale},
	{name: "eclipse: no header for a minute, the guest", bytes: func(w *world) []byte {
		w.ok(w.lent(nil))
		hidden(w)
		w.drift(61 * time.Second)
		return w.lent(nil)
	}, status: command.Deferred, code: command.Stale},
	{name: "eclipse: no header for an hour, comfort", bytes: func(w *world) []byte {
		hidden(w)
		w.drift(time.Hour + time.Second)
		return w.owned(method("dim"))
	}, status: command.Deferred, code: command.Stale},
	{name: "eclipse: no header for a day, reading", bytes: func(w *world) []byte {
		hidden(w)
		w.drift(24*time.Hour + time.Second)
		return w.owned(method("state"))
	}, status: command.Deferred, code: command.Stale},
	{name: "eclipse: a new grant is held back", bytes: func(w *world) []byte {
		hidden(w)
		id := w.exec(owner, w.terms(friend.Public(), nil), tx.RoleAccount)
		return w.sign(w.body(func(b *command.Body) { by(friend, id)(b); b.Seen = uint64(w.node.Height()) }), friend)
	}, status: command.Deferred, code: command.Stale},
	{name: "eclipse: a new key is held back", bytes: func(w *world) []byte {
		hidden(w)
		w.addKeys(friend)
		return w.sign(w.body(func(b *command.Body) { b.Key = friend.Public().ID(); b.Seen = uint64(w.node.Height()) }), friend)
	}, status: command.Deferred, code: command.Stale},
	{name: "eclipse: a transfer is held back from the buyer", bytes: func(w *world) []byte {
		hidden(w)
		w.transfer(2, owner, stranger)
		return w.sign(w.body(func(b *command.Body) {
			b.Epoch, b.Principal, b.Key, b.Seen = 2, stranger.Public().AccountID(), stranger.Public().ID(), uint64(w.node.Height())
		}), stranger)
	}, status: command.Deferred, code: command.Stale},
	{name: "eclipse: a revocation is held back for a minute", bytes: func(w *world) []byte {
		w.ok(w.lent(nil))
		hidden(w)
		w.revoke(w.grant)
		w.drift(61 * time.Second)
		return w.lent(nil)
	}, status: command.Deferred, code: command.Stale},
	{name: "eclipse: evidence of noise with the command", bytes: func(w *world) []byte {
		hidden(w)
		w.drift(61 * time.Second)
		return envelope(func(_ *world, e *command.Envelope) { e.Evidence = bytes.Repeat([]byte{7}, 300) })(w)
	}, status: command.Deferred, code: command.BadEvidence},
	{name: "eclipse: evidence of noise where none is needed", bytes: func(w *world) []byte {
		w.ok(w.owned(nil))
		return envelope(func(_ *world, e *command.Envelope) { e.Evidence = bytes.Repeat([]byte{7}, 300) })(w)
	}, code: command.OK},
	{name: "eclipse: proofs do not come", bytes: proofs(func(*world, []byte, light.Proof) (light.Proof, error) { return light.Proof{}, errSilent }), status: command.Deferred, code: command.Stale},

	{name: "rollback: an older header changes nothing", bytes: func(w *world) []byte {
		old, err := w.node.LightBlock(w.t.Context(), 3)
		w.check(err)
		head := w.client.Head()
		if _, err := w.client.Offer(w.t.Context(), old); err != nil || w.client.Head().Height != head.Height {
			w.t.Fatalf("%v, head %d, was %d", err, w.client.Head().Height, head.Height)
		}
		return w.owned(nil)
	}, code: command.OK},
	{name: "rollback: a revoked grant proven under an older version", bytes: func(w *world) []byte {
		version := w.node.Height() - 1
		w.revoke(w.grant)
		old := w.node.Chain
		w.node.mu.Lock()
		w.node.proofs = func(k []byte, _ light.Proof) (light.Proof, error) { return old.Prove(w.t.Context(), k, version) }
		w.node.mu.Unlock()
		return w.lent(nil)
	}, status: command.Deferred, code: command.Stale},
	{name: "rollback: an older proof that calls itself a new one", bytes: func(w *world) []byte {
		version := w.node.Height() - 1
		w.revoke(w.grant)
		old := w.node.Chain
		w.node.mu.Lock()
		w.node.proofs = func(k []byte, now light.Proof) (light.Proof, error) {
			p, err := old.Prove(w.t.Context(), k, version)
			p.Height = now.Height
			return p, err
		}
		w.node.mu.Unlock()
		return w.lent(nil)
	}, status: command.Deferred, code: command.Stale},
	{name: "rollback: all validators bring a revoked grant back", bytes: func(w *world) []byte {
		alive, err := w.node.Get(state.GrantKey(w.grant))
		w.check(err)
		w.revoke(w.grant)
		if r, err := w.ask(w.lent(nil)); err != nil || r.Body.Code != command.GrantRevoked {
			w.t.Fatalf("%v, %v", r, err)
		}
		w.node.Set(state.GrantKey(w.grant), alive)
		w.seal()
		return w.lent(nil)
	}, code: command.GrantRevoked},
	{name: "rollback: all validators bring back a key that was rotated out", bytes: func(w *world) []byte {
		account := state.AccountKey(owner.Public().AccountID())
		before, err := w.node.Get(account)
		w.check(err)
		next := newKey("next")
		w.replaced(next)
		w.ok(w.sign(w.body(func(b *command.Body) { b.Key = next.Public().ID() }), next))
		w.node.Set(account, before)
		w.seal()
		return w.owned(nil)
	}, code: command.Untrusted},

	{name: "cabal: the device is shown as the thief's, in the next epoch", bytes: func(w *world) []byte { w.stolen(2); w.seal(); return w.thief(2) }, code: command.Untrusted},
	{name: "cabal: the device is shown as the thief's, in this epoch", bytes: func(w *world) []byte { w.stolen(1); w.seal(); return w.thief(1) }, code: command.Untrusted},
	{name: "cabal: the owner, while the device is shown as the thief's", bytes: view(func(w *world) { w.stolen(2); w.seal() }), code: command.Untrusted},
	{name: "cabal: a transfer that only the thief has signed", bytes: func(w *world) []byte {
		t := w.build(owner, &tx.Transfer{Device: w.id(), Epoch: 2, To: stranger.Public().AccountID()})
		t.Sign(w.chain, tx.RoleAccount, stranger)
		t.Sign(w.chain, tx.RoleNewOwner, stranger)
		w.stolen(2)
		w.node.Set(state.OwnerChangeKey(w.id(), 2), t.Bytes())
		w.seal()
		return w.thief(2)
	}, code: command.Untrusted},
	{name: "cabal: a release that only the thief has signed", bytes: view(func(w *world) {
		d, err := state.GetDevice(w.node, w.id())
		w.check(err)
		t := w.build(owner, &tx.Release{Device: w.id(), Epoch: 2})
		t.Sign(w.chain, tx.RoleAccount, stranger)
		d.Owner, d.Epoch = nil, 2
		w.node.Set(state.DeviceKey(w.id()), codec.MustMarshal(d))
		w.node.Set(state.OwnerChangeKey(w.id(), 2), t.Bytes())
		w.seal()
	}), code: command.Untrusted},
	{name: "cabal: a key of the thief's in the owner's account", bytes: func(w *world) []byte {
		a, err := state.GetAccount(w.node, owner.Public().AccountID())
		w.check(err)
		a.KeySet.Keys = append(a.KeySet.Keys, tx.AccountKey{Key: stranger.Public(), Rights: tx.RightInvoke})
		w.node.Set(state.AccountKey(owner.Public().AccountID()), codec.MustMarshal(a))
		w.seal()
		return w.sign(w.body(func(b *command.Body) { b.Key = stranger.Public().ID() }), stranger)
	}, code: command.Untrusted},
	{name: "cabal: a rotation that only the thief has signed", bytes: func(w *world) []byte {
		p := &tx.RotateKeys{Version: 1, Threshold: 1, Keys: []tx.AccountKey{{Key: stranger.Public(), Rights: tx.RightAdmin | tx.RightInvoke}}}
		t := w.build(owner, p)
		t.Sign(w.chain, tx.RoleAccount, stranger)
		t.Sign(w.chain, tx.RoleNewKey, stranger)
		a, err := state.GetAccount(w.node, owner.Public().AccountID())
		w.check(err)
		a.KeySet = state.KeySet{Version: 1, Threshold: 1, Keys: p.Keys}
		w.node.Set(state.KeyChangeKey(owner.Public().AccountID(), 1), t.Bytes())
		w.node.Set(state.AccountKey(owner.Public().AccountID()), codec.MustMarshal(a))
		w.seal()
		return w.sign(w.body(func(b *command.Body) { b.Key = stranger.Public().ID() }), stranger)
	}, code: command.Untrusted},
	{name: "cabal: the device's record is gone", bytes: view(func(w *world) { w.node.Set(state.DeviceKey(w.id()), []byte{0xa0}); w.seal() }), code: command.Untrusted},
	{name: "cabal: a grant that the owner has not signed", bytes: func(w *world) []byte {
		t := w.build(owner, w.terms(stranger.Public(), nil))
		t.Sign(w.chain, tx.RoleAccount, stranger)
		id := t.ID(w.chain)
		w.node.Set(state.GrantKey(id), codec.MustMarshal(state.Grant{Issuer: owner.Public().AccountID(), Status: state.Active, Tx: t.Bytes()}))
		w.seal()
		return w.sign(w.body(by(stranger, id)), stranger)
	}, code: command.ForgedGrant},
	{name: "cabal: the record of one grant under the id of another", bytes: func(w *world) []byte {
		raw, err := w.node.Get(state.GrantKey(w.grant))
		w.check(err)
		w.node.Set(state.GrantKey(tx.ID{7}), raw)
		w.seal()
		return w.lent(func(b *command.Body) { b.Grant = &tx.ID{7} })
	}, code: command.ForgedGrant},
	{name: "cabal: a grant in the name of another account", bytes: func(w *world) []byte {
		t := w.build(stranger, w.terms(stranger.Public(), nil))
		t.Sign(w.chain, tx.RoleAccount, stranger)
		id := t.ID(w.chain)
		w.node.Set(state.GrantKey(id), codec.MustMarshal(state.Grant{Issuer: stranger.Public().AccountID(), Status: state.Active, Tx: t.Bytes()}))
		w.seal()
		return w.sign(w.body(by(stranger, id)), stranger)
	}, code: command.NotGranted},
	{name: "cabal: a policy that the owner has not signed", bytes: view(func(w *world) {
		d, err := state.GetDevice(w.node, w.id())
		w.check(err)
		d.Policy++
		w.node.Set(state.DeviceKey(w.id()), codec.MustMarshal(d))
		w.seal()
	}), code: command.Untrusted},

	{name: "hidden change: half of the validators make themselves all", bytes: func(w *world) []byte {
		w.node.withhold()
		raw := w.node.Usurp(2) // it leaves one height out, in which the set may have changed
		w.node.mu.Lock()
		w.node.blocks = func(height int64, _ []byte) []byte { return raw }
		w.node.mu.Unlock()
		w.offers(raw, light.BadHeader) // the header between, which is asked for, is the same again
		w.node.honest()
		return w.owned(nil)
	}, code: command.OK},
	{name: "hidden change: the header between is not given", bytes: func(w *world) []byte {
		w.node.withhold()
		raw := w.node.Usurp(2)
		head := w.client.Head().Height
		w.node.mu.Lock()
		w.node.blocks = func(int64, []byte) []byte { return nil }
		w.node.mu.Unlock()
		if _, err := w.client.Offer(w.t.Context(), raw); !errors.Is(err, errSilent) || w.client.Head().Height != head {
			w.t.Fatalf("%v, head %d, was %d", err, w.client.Head().Height, head)
		}
		w.node.honest()
		return w.owned(nil)
	}, code: command.OK},
	{name: "hidden change: another set in the header than signed", bytes: forge(light.BadHeader, false, func(lb *types.LightBlock) { lb.Header.ValidatorsHash = bytes.Repeat([]byte{1}, 32) }), code: command.OK},
	{name: "hidden change: one more validator in the set", bytes: forge(light.BadHeader, false, func(lb *types.LightBlock) {
		lb.ValidatorSet = types.NewValidatorSet(append(lb.ValidatorSet.Validators, types.NewValidator(ed25519.GenPrivKey().PubKey(), 1)))
	}), code: command.OK},
	{name: "hidden change: a validator less in the set", bytes: forge(light.BadHeader, false, func(lb *types.LightBlock) {
		lb.ValidatorSet = types.NewValidatorSet(lb.ValidatorSet.Validators[:3])
	}), code: command.OK},
	{name: "hidden change: ten times the power", bytes: forge(light.BadHeader, false, func(lb *types.LightBlock) { lb.ValidatorSet.Validators[0].VotingPower *= 10 }), code: command.OK},
	{name: "forged header: another state, old signatures", bytes: forge(light.BadHeader, false, func(lb *types.LightBlock) { lb.Header.AppHash = bytes.Repeat([]byte{1}, 32) }), code: command.OK},
	{name: "forged header: another time, old signatures", bytes: forge(light.BadHeader, false, func(lb *types.LightBlock) { lb.Header.Time = lb.Header.Time.Add(time.Second) }), code: command.OK},
	{name: "forged header: half of the signatures", bytes: forge(light.BadCommit, false, func(lb *types.LightBlock) {
		for i := range 2 {
			lb.Commit.Signatures[i] = types.NewCommitSigAbsent()
		}
	}), code: command.OK},
	{name: "forged header: votes for nothing", bytes: forge(light.BadCommit, false, func(lb *types.LightBlock) {
		for i := range 2 {
			lb.Commit.Signatures[i].BlockIDFlag = types.BlockIDFlagNil
		}
	}), code: command.OK},
	{name: "forged header: one signature bent", bytes: forge(light.BadCommit, false, func(lb *types.LightBlock) {
		for i := range 2 {
			lb.Commit.Signatures[i].Signature = bit(lb.Commit.Signatures[i].Signature, 5)
		}
	}), code: command.OK},
	{name: "forged header: one validator's signature in all places", bytes: forge(light.BadCommit, false, func(lb *types.LightBlock) {
		for i := range lb.Commit.Signatures {
			lb.Commit.Signatures[i].Signature = lb.Commit.Signatures[0].Signature
		}
	}), code: command.OK},
	{name: "forged header: of another ledger", bytes: header(light.WrongChain, func(w *world) []byte { return w.other(1) }), code: command.OK},
	{name: "forged header: from tomorrow, signed by all", bytes: header(light.FromFuture, func(w *world) []byte {
		w.node.withhold()
		w.node.Advance(24 * time.Hour)
		raw, err := w.node.Chain.LightBlock(w.t.Context(), 0)
		w.check(err)
		return raw
	}), code: command.OK},
	{name: "forged header: cut short", bytes: header(light.BadHeader, func(w *world) []byte {
		raw, err := w.node.LightBlock(w.t.Context(), 0)
		w.check(err)
		return raw[:len(raw)/2]
	}), code: command.OK},
	{name: "forged header: a mebibyte of noise", bytes: header(light.BadHeader, func(*world) []byte { return bytes.Repeat([]byte{0x0a, 0x7f}, 1<<19) }), code: command.OK},
	{name: "equivocation: two headers of the head's height, signed by all", bytes: header(light.Fork, func(w *world) []byte {
		return w.node.Forge(w.client.Head().Height, true, func(lb *types.LightBlock) { lb.Header.AppHash = bytes.Repeat([]byte{1}, 32) })
	}), code: command.OK},
	{name: "long range: a header of before with another state, signed by all", bytes: func(w *world) []byte {
		old := w.node.Forge(3, true, func(lb *types.LightBlock) { lb.Header.AppHash = bytes.Repeat([]byte{1}, 32) })
		head := w.client.Head()
		if _, err := w.client.Offer(w.t.Context(), old); err != nil || !bytes.Equal(w.client.Head().Hash, head.Hash) {
			w.t.Fatalf("%v, head %d", err, w.client.Head().Height)
		}
		return w.owned(nil)
	}, code: command.OK},
	{name: "long range: the first news after the trusting period", bytes: func(w *world) []byte {
		w.node.withhold()
		w.drift(light.DefaultPeriod + time.Hour)
		w.node.Advance(w.time().Sub(w.node.Now()))
		raw, err := w.node.Chain.LightBlock(w.t.Context(), 0)
		w.check(err)
		w.offers(raw, light.AnchorExpired)
		return w.owned(nil)
	}, status: command.Deferred, code: command.AnchorExpired},

	{name: "forged proof: a bit of the record", bytes: proofs(func(_ *world, _ []byte, p light.Proof) (light.Proof, error) { p.Value = bit(p.Value, 3); return p, nil }), status: command.Deferred, code: command.Stale},
	{name: "forged proof: the last bit of the proof", bytes: proofs(func(_ *world, _ []byte, p light.Proof) (light.Proof, error) {
		p.Proof = bit(p.Proof, -1)
		return p, nil
	}), status: command.Deferred, code: command.Stale},
	{name: "forged proof: half of the proof", bytes: proofs(func(_ *world, _ []byte, p light.Proof) (light.Proof, error) {
		p.Proof = p.Proof[:len(p.Proof)/2]
		return p, nil
	}), status: command.Deferred, code: command.Stale},
	{name: "forged proof: no proof", bytes: proofs(func(_ *world, _ []byte, p light.Proof) (light.Proof, error) { p.Proof = nil; return p, nil }), status: command.Deferred, code: command.Stale},
	{name: "forged proof: absence of what is there", bytes: proofs(func(_ *world, _ []byte, p light.Proof) (light.Proof, error) { p.Value = nil; return p, nil }), status: command.Deferred, code: command.Stale},
	{name: "forged proof: true absence of another record", bytes: proofs(func(w *world, k []byte, p light.Proof) (light.Proof, error) {
		other, err := w.node.Chain.Prove(w.t.Context(), state.GrantKey(tx.ID{9}), p.Height)
		other.Key = k
		return other, err
	}), status: command.Deferred, code: command.Stale},
	{name: "forged proof: true presence of another record", bytes: proofs(func(w *world, k []byte, p light.Proof) (light.Proof, error) {
		other, err := w.node.Chain.Prove(w.t.Context(), state.DeviceKey(w.id()), p.Height)
		if !bytes.HasPrefix(k, state.DeviceKey(w.id())) {
			other.Key = k
		}
		return other, err
	}), status: command.Deferred, code: command.Stale},
	{name: "forged proof: of another ledger with the same records", bytes: proofs(func(w *world, k []byte, p light.Proof) (light.Proof, error) {
		c := lighttest.New(w.t, 1, genesis.Vendor{Name: "maker", Keys: []key.Public{vendor.Public()}, Threshold: 1, Quota: 9})
		c.Set(k, p.Value)
		c.Seal()
		other, err := c.Prove(w.t.Context(), k, c.Height()-1)
		other.Height = p.Height
		return other, err
	}), status: command.Deferred, code: command.Stale},
	{name: "forged proof: a proof of the key's neighbour under its name", bytes: proofs(func(w *world, k []byte, p light.Proof) (light.Proof, error) {
		p.Key = append(slices.Clone(k), 0)
		return p, nil
	}), status: command.Deferred, code: command.Stale},
	{name: "forged proof: a bomb of a mebibyte", bytes: proofs(func(_ *world, _ []byte, p light.Proof) (light.Proof, error) {
		p.Proof = bytes.Repeat([]byte{0x0a}, 1<<20)
		return p, nil
	}), status: command.Deferred, code: command.Stale},
}

// other is a header of another ledger whose validators all signed it.
func (w *world) other(n int) []byte {
	c := lighttest.New(w.t, n, genesis.Vendor{Name: "other", Keys: []key.Public{stranger.Public()}, Threshold: 1, Quota: 1})
	return c.Forge(c.Height(), true, func(lb *types.LightBlock) { lb.Header.ChainID = "another" })
}
