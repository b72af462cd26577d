package gate_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/deviceos/gate"
)

// joint gives the owner's account a second and a third key with all rights, one
// that may only invoke, and one that may not.
func (w *world) joint() (second, third, invoker, clerk *key.Private) {
	w.t.Helper()
	second, third, invoker, clerk = newKey(21), newKey(22), newKey(23), newKey(24)
	full := tx.RightAdmin | tx.RightInvoke
	p := &tx.RotateKeys{Version: 1, Threshold: 1, Keys: []tx.AccountKey{
		{Key: w.owner.Public(), Rights: full}, {Key: second.Public(), Rights: full}, {Key: third.Public(), Rights: full},
		{Key: invoker.Public(), Rights: tx.RightInvoke}, {Key: clerk.Public(), Rights: tx.RightAdmin},
	}}
	t := w.build(w.owner, p, tx.RoleAccount)
	for _, k := range []*key.Private{second, third, invoker, clerk} {
		t.Sign(w.chain, tx.RoleNewKey, k)
	}
	w.commit(t)
	return second, third, invoker, clerk
}

// signedBy is a command that several keys have signed.
func (w *world) signedBy(b command.Body, keys ...*key.Private) *command.Command {
	w.t.Helper()
	c, err := command.New(b)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, k := range keys {
		c.Sign(w.chain, k)
	}
	return c
}

// TestSigners: as many distinct keys of the owner as the policy asks for open
// the door, and nothing else in their place does.
func TestSigners(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	second, third, invoker, clerk := w.joint()
	w.policy(demand("open", tx.FreshAccess, 2), demand("state", tx.FreshRead, 3))
	guest := w.createGrant(&tx.CreateGrant{Grantee: w.guest.Public(), NotAfter: uint64(w.now.Unix()) + 9999,
		Targets: []tx.Target{{Device: w.id(), Epoch: 1, Endpoint: "lock", Methods: []string{"open"}}}})
	of := func(method string) command.Body {
		b := w.body()
		b.Method = method
		return b
	}
	guestBody := func() command.Body {
		b := w.guestBody()
		b.Grant = &guest
		return b
	}
	forged := func(b command.Body) []byte { // second's name on owner's signature
		c := w.signedBy(b, w.owner, second)
		i := slices.IndexFunc(c.Sigs, func(s command.Sig) bool { return s.Key == second.Public().ID() })
		c.Sigs[i].Bytes = w.owner.Sign(c.Digest(w.chain))
		return c.Bytes()
	}
	for _, c := range []struct {
		name string
		raw  []byte
		code command.Code
	}{
		{"one", w.signedBy(of("open"), w.owner).Bytes(), command.TooFewSigners},
		{"two", w.signedBy(of("open"), w.owner, second).Bytes(), command.OK},
		{"two, one of which may only invoke", w.signedBy(of("open"), w.owner, invoker).Bytes(), command.OK},
		{"three where two do", w.signedBy(of("open"), w.owner, second, third).Bytes(), command.OK},
		{"two where three are asked for", w.signedBy(of("state"), w.owner, second).Bytes(), command.TooFewSigners},
		{"three", w.signedBy(of("state"), w.owner, second, invoker).Bytes(), command.OK},
		{"a second that may not invoke", w.signedBy(of("open"), w.owner, clerk).Bytes(), command.ExtraSigner},
		{"a second of a stranger", w.signedBy(of("open"), w.owner, w.stranger).Bytes(), command.ExtraSigner},
		{"a second of the guest", w.signedBy(of("open"), w.owner, w.guest).Bytes(), command.ExtraSigner},
		{"not by the key it names", w.signedBy(of("open"), second, third).Bytes(), command.UnknownKey},
		{"a second that did not sign", forged(of("open")), command.BadSignature}, // who carries it can take that one out
		{"a guest alone", w.signedBy(guestBody(), w.guest).Bytes(), command.TooFewSigners},
		{"a guest and one of the owner", w.signedBy(guestBody(), w.guest, w.owner).Bytes(), command.TooFewSigners},
		{"a guest and two of the owner", w.signedBy(guestBody(), w.guest, w.owner, second).Bytes(), command.OK},
	} {
		t.Run(c.name, func(t *testing.T) {
			switch c.code {
			case command.OK:
				w.ok(c.raw)
			case command.ExtraSigner, command.BadSignature:
				w.want(c.raw, command.Deferred, c.code)
			default:
				w.refused(c.raw, c.code)
			}
		})
	}
}

// TestSigners_SameCommand: who else has signed does not make another command.
func TestSigners_SameCommand(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	second, third, _, _ := w.joint()
	w.policy(demand("open", tx.FreshAccess, 2))
	b := w.body()
	w.refused(w.signedBy(b, w.owner).Bytes(), command.TooFewSigners)
	first := w.ok(w.signedBy(b, w.owner, second).Bytes())
	again := w.send(w.signedBy(b, w.owner, third).Bytes())
	if !bytes.Equal(first.Bytes(), again.Bytes()) || w.bolt.total() != 1 {
		t.Fatalf("another receipt, or %d actuations", w.bolt.total())
	}
}

// TestSigners_Metered: signatures beside the first one cost as much as the first.
func TestSigners_Metered(t *testing.T) {
	w := newWorld(t, gate.Limits{PerPeer: 2, Strangers: 2})
	second, third, invoker, _ := w.joint()
	if err := w.gate.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	raw := w.signedBy(w.body(), w.owner, second, third, invoker).Bytes()
	w.ok(raw) // the first by the strangers' rate, three by that of a known peer
	w.want(w.signedBy(w.body(), w.owner, second, third).Bytes(), command.Deferred, command.RateLimited)
	w.now = w.now.Add(5 * time.Second)
	w.ok(w.signedBy(w.body(), w.owner, second, third).Bytes())
}

// seal opens a seal of a command and approves it.
func (w *world) seal(c *command.Command, needed uint8, by ...*key.Private) {
	w.t.Helper()
	id := tx.ID(c.ID(w.chain))
	open := w.build(w.owner, &tx.OpenSeal{Device: w.id(), Epoch: 1, Command: id, Needed: needed, Until: uint64(w.now.Unix()) + 3600})
	open.Sign(w.chain, tx.RoleApprover, by[0])
	w.commit(open)
	for _, k := range by[1:] {
		t := w.build(w.owner, &tx.ApproveSeal{Device: w.id(), Epoch: 1, Command: id})
		t.Sign(w.chain, tx.RoleApprover, k)
		w.commit(t)
	}
}

// TestSeal: a method that its owner wants sealed, and a command that says so of
// itself, run only when the ledger has the seal and the owner's keys made it.
func TestSeal(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	second, _, _, _ := w.joint()
	w.policy(demand("dim", tx.FreshSealed, 1), demand("state", tx.FreshSealed, 2))
	of := func(method string) *command.Command {
		b := w.body()
		b.Method = method
		return w.signedBy(b, w.owner)
	}
	dim := of("dim")
	w.want(dim.Bytes(), command.Deferred, command.NotSealed)
	w.seal(dim, 1, w.owner)
	w.ok(dim.Bytes())

	state := of("state")
	w.seal(state, 1, w.owner)
	w.want(state.Bytes(), command.Deferred, command.NotSealed) // one approval, the policy asks for two
	both := of("state")
	w.seal(both, 2, w.owner, second)
	w.ok(both.Bytes())
	b := w.body()
	b.Method = "state"
	signed := w.signedBy(b, w.owner, second) // two have signed, one seals
	w.seal(signed, 1, w.owner)
	w.ok(signed.Bytes())

	b = w.body()
	b.Notarise()
	mine := w.signedBy(b, w.owner)
	w.want(mine.Bytes(), command.Deferred, command.NotSealed)
	w.seal(of("open"), 1, w.owner) // of another command
	w.want(mine.Bytes(), command.Deferred, command.NotSealed)
	w.seal(mine, 1, w.owner)
	w.ledger.offline = true
	w.restart()
	w.want(mine.Bytes(), command.Deferred, command.Stale)
	w.ledger.offline = false
	w.ok(mine.Bytes())
}

// TestSeal_Forged: validators who act together make no seal.
func TestSeal_Forged(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	second, _, _, _ := w.joint()
	w.policy(demand("open", tx.FreshSealed, 1))
	good := w.signedBy(w.body(), w.owner)
	w.seal(good, 1, second)
	right, err := state.GetSeal(w.ledger.present, w.id(), tx.ID(good.ID(w.chain)))
	if err != nil {
		t.Fatal(err)
	}
	bad := w.signedBy(w.body(), w.owner)
	id := tx.ID(bad.ID(w.chain))
	for name, s := range map[string]state.Seal{
		"of another command":     right,
		"without a transaction":  {Account: right.Account, Epoch: 1, Status: state.Sealed, Needed: 1, Height: 9, Keys: right.Keys},
		"with an unsigned":       {Account: right.Account, Epoch: 1, Status: state.Sealed, Needed: 1, Height: 9, Keys: right.Keys, Txs: [][]byte{w.build(w.owner, &tx.OpenSeal{Device: w.id(), Epoch: 1, Command: id, Needed: 1, Until: 1 << 40}).Bytes()}},
		"signed by the stranger": {Account: right.Account, Epoch: 1, Status: state.Sealed, Needed: 1, Height: 9, Keys: right.Keys, Txs: [][]byte{w.build(w.stranger, &tx.OpenSeal{Device: w.id(), Epoch: 1, Command: id, Needed: 1, Until: 1 << 40}, tx.RoleApprover).Bytes()}},
	} {
		t.Run(name, func(t *testing.T) {
			w.lie(state.SealKey(w.id(), id), s)
			w.ledger.block(w.now, true)
			w.want(bad.Bytes(), command.Deferred, command.NotSealed)
		})
	}
	w.ok(good.Bytes())
}

// TestSeal_Life: a notarised command waits a day for its owners and no longer,
// takes no number of its lane, and is done once.
func TestSeal_Life(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	b := w.body()
	b.Expires = b.IssuedAt + command.MaxSealedLife + 1
	w.refused(w.sign(b, w.owner), command.LifeTooLong)
	b.Notarise()
	w.refused(w.sign(b, w.owner), command.LifeTooLong)
	b.Expires--
	c := w.signedBy(b, w.owner)
	for range 70 { // the lane goes on
		w.ok(w.sign(w.body(), w.owner))
	}
	w.now = w.now.Add(23 * time.Hour)
	w.seal(c, 1, w.owner)
	first := w.ok(c.Bytes())
	w.restart()
	for range 3 {
		w.ok(w.sign(w.body(), w.owner)) // lane and memory are as they were
	}
	if again := w.send(c.Bytes()); !bytes.Equal(again.Bytes(), first.Bytes()) {
		t.Fatal("another receipt")
	}
	w.now = w.now.Add(2 * time.Hour)
	w.ledger.block(w.now, true)
	w.ok(w.sign(w.body(), w.owner)) // forgets what has expired
	if r := w.send(c.Bytes()); r.Body.Status == command.Executed && !bytes.Equal(r.Bytes(), first.Bytes()) {
		t.Fatal("done twice")
	}
	if n := w.bolt.ids[c.ID(w.chain)]; n != 1 {
		t.Fatalf("%d actuations", n)
	}
}

// TestSeal_Room: what is remembered for long is bounded for each key.
func TestSeal_Room(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	end := func(b command.Body, k *key.Private, until uint64) []byte {
		w.nonce++
		c, err := command.NewCancel(b, command.Cancel{Command: command.ID{byte(w.nonce), byte(w.nonce >> 8), 1}, Until: until})
		if err != nil {
			t.Fatal(err)
		}
		c.Sign(w.chain, k)
		return c.Bytes()
	}
	day := uint64(w.now.UnixMilli()) + command.MaxSealedLife
	for range 32 {
		w.send(end(w.guestBody(), w.guest, day))
	}
	w.want(end(w.guestBody(), w.guest, day), command.Deferred, command.RateLimited)
	w.refused(end(w.guestBody(), w.guest, day+uint64(time.Minute.Milliseconds())), command.LifeTooLong)
	w.ok(w.sign(w.guestBody(), w.guest)) // others are not hindered, nor is what lives as usual
	if r := w.send(end(w.body(), w.owner, day)); r.Body.Status != command.Executed {
		t.Fatal(r.Body.Code)
	}
	w.now = w.now.Add(25 * time.Hour)
	w.ledger.block(w.now, true)
	if r := w.send(end(w.guestBody(), w.guest, day+command.MaxSealedLife)); r.Body.Status != command.Executed {
		t.Fatal(r.Body.Code)
	}
}

// TestNotarised_Form: the extension says true or nothing.
func TestNotarised_Form(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	for _, v := range []any{false, 1, []byte{1}} {
		b := w.body()
		b.Version, b.Type = command.Version, command.TypeInvoke
		b.Ext = map[uint64]codec.Raw{command.ExtNotarised: codec.MustMarshal(v)}
		w.refused(envelope(w, b, w.owner), command.Malformed)
	}
}
