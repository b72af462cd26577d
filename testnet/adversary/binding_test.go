package adversary_test

import (
	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// own makes an attack of a command that the owner has signed with a change.
func own(change func(*command.Body)) func(*world) []byte {
	return func(w *world) []byte { return w.owned(change) }
}

// lend is own for the guest.
func lend(change func(*command.Body)) func(*world) []byte {
	return func(w *world) []byte { return w.lent(change) }
}

// moved makes an attack of a good command whose body is changed after it was
// signed.
func moved(change func(*command.Body)) func(*world) []byte {
	return func(w *world) []byte {
		var e command.Envelope
		w.check(codec.Unmarshal(w.owned(nil), &e, command.MaxBytes))
		var b command.Body
		w.check(codec.Unmarshal(e.Body, &b, command.MaxBytes))
		change(&b)
		e.Body = codec.MustMarshal(b)
		return codec.MustMarshal(e)
	}
}

var binding = []attack{
	{name: "positive control: the next epoch after a transfer and back", bytes: func(w *world) []byte {
		w.transfer(2, owner, stranger)
		w.transfer(3, stranger, owner)
		return w.owned(func(b *command.Body) { b.Epoch = 3 })
	}, code: command.OK},
	{name: "for another ledger", bytes: own(func(b *command.Body) { b.Chain[0] ^= 1 }), code: command.WrongChain},
	{name: "for no ledger", bytes: own(func(b *command.Body) { clear(b.Chain[:]) }), code: command.WrongChain},
	{name: "for another device", bytes: own(func(b *command.Body) { b.Device = newKey("other device").Public().DeviceID() }), code: command.WrongDevice},
	{name: "for no device", bytes: own(func(b *command.Body) { clear(b.Device[:]) }), code: command.WrongDevice},
	{name: "for the epoch after", bytes: own(func(b *command.Body) { b.Epoch = 2 }), code: command.StaleEpoch},
	{name: "for an epoch far away", bytes: own(func(b *command.Body) { b.Epoch = 1<<64 - 1 }), code: command.StaleEpoch},
	{name: "the seller's, after the transfer", bytes: func(w *world) []byte {
		raw := w.owned(nil)
		w.transfer(2, owner, stranger)
		w.ok(w.sign(w.body(func(b *command.Body) {
			b.Epoch, b.Principal, b.Key = 2, stranger.Public().AccountID(), stranger.Public().ID()
		}), stranger))
		return raw
	}, code: command.StaleEpoch},
	{name: "the seller's, signed for the buyer's epoch", bytes: func(w *world) []byte {
		w.transfer(2, owner, stranger)
		return w.owned(func(b *command.Body) { b.Epoch = 2 })
	}, code: command.UnknownKey},
	{name: "the seller's, after the device came back to him", bytes: func(w *world) []byte {
		raw := w.owned(nil)
		w.transfer(2, owner, stranger)
		w.transfer(3, stranger, owner)
		w.ok(w.owned(func(b *command.Body) { b.Epoch = 3 }))
		return raw
	}, code: command.StaleEpoch},
	{name: "after the owner has let go of it", bytes: func(w *world) []byte {
		raw := w.owned(nil)
		w.exec(owner, &tx.Release{Device: w.id(), Epoch: 2}, tx.RoleAccount)
		return raw
	}, code: command.Unowned},
	{name: "the guest's, after the transfer", bytes: func(w *world) []byte {
		raw := w.lent(nil)
		w.transfer(2, owner, stranger)
		return raw
	}, code: command.NotGranted},
	{name: "a method put in after signing", bytes: moved(func(b *command.Body) { b.Method = "dim" }), code: command.BadSignature},
	{name: "params put in after signing", bytes: moved(func(b *command.Body) { b.Params = []byte("wider") }), code: command.BadSignature},
	{name: "params taken out after signing", bytes: moved(func(b *command.Body) { b.Params = nil }), code: command.BadSignature},
	{name: "a later end put in after signing", bytes: moved(func(b *command.Body) { b.Expires += 1000 }), code: command.BadSignature},
	{name: "an earlier beginning put in after signing", bytes: moved(func(b *command.Body) { b.IssuedAt -= 1000 }), code: command.BadSignature},
	{name: "another nonce put in after signing", bytes: moved(func(b *command.Body) { b.Nonce++ }), code: command.BadSignature},
	{name: "another lane put in after signing", bytes: moved(func(b *command.Body) { b.Salt++ }), code: command.BadSignature},
	{name: "an older head put in after signing", bytes: moved(func(b *command.Body) { b.Seen = 1 }), code: command.BadSignature},
	{name: "an optional extension put in after signing", bytes: moved(func(b *command.Body) { b.Ext = map[uint64]codec.Raw{200: {0xf5}} }), code: command.BadSignature},
	{name: "a grant put in after signing", bytes: func(w *world) []byte {
		return moved(func(b *command.Body) { b.Grant = &w.grant })(w)
	}, code: command.UnknownKey},
	{name: "a grant taken out after signing", bytes: func(w *world) []byte {
		var e command.Envelope
		w.check(codec.Unmarshal(w.lent(nil), &e, command.MaxBytes))
		var b command.Body
		w.check(codec.Unmarshal(e.Body, &b, command.MaxBytes))
		b.Grant = nil
		e.Body = codec.MustMarshal(b)
		return codec.MustMarshal(e)
	}, code: command.UnknownKey},
	{name: "another endpoint, which the owner signed for", bytes: own(func(b *command.Body) { b.Endpoint = "oven" }), code: command.NoMethod},
	{name: "a method that does not exist", bytes: own(func(b *command.Body) { b.Method = "melt" }), code: command.NoMethod},
	{name: "the guest at another endpoint", bytes: lend(func(b *command.Body) { b.Endpoint = "oven" }), code: command.NotGranted},
	{name: "the guest's grant in the owner's name", bytes: lend(func(b *command.Body) { b.Principal = owner.Public().AccountID() }), code: command.UnknownKey},
	{name: "the guest's grant with the owner's key", bytes: func(w *world) []byte {
		return w.sign(w.body(func(b *command.Body) { b.Grant = &w.grant }), owner)
	}, code: command.UnknownKey},
	{name: "a command for one of two devices at the other", bytes: func(w *world) []byte {
		second := newKey("second device")
		w.exec(vendor, &tx.RegisterDevice{Key: second.Public(), SealKey: [32]byte{1}, Model: "bolt"}, tx.RoleVendor)
		return w.owned(func(b *command.Body) { b.Device = second.Public().DeviceID() })
	}, code: command.WrongDevice},
}

// transfer hands the device over, which both sign.
func (w *world) transfer(epoch uint64, from, to *key.Private) {
	w.t.Helper()
	p := &tx.Transfer{Device: w.id(), Epoch: epoch, To: to.Public().AccountID()}
	if _, err := state.GetAccount(w.node, p.To); err != nil {
		root := to.Public()
		p.Root = &root
	}
	t := w.build(from, p, tx.RoleAccount)
	t.Sign(w.chain, tx.RoleNewOwner, to)
	w.commit(t)
}
