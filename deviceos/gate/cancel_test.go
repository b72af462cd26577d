package gate_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/deviceos/gate"
)

// cancel is a cancel of c with the rights and by the key of b.
func (w *world) cancel(b command.Body, k *key.Private, c *command.Command) []byte {
	w.t.Helper()
	r, err := command.NewCancel(b, command.Cancel{Command: c.ID(w.chain), Until: c.Body.Expires})
	if err != nil {
		w.t.Fatal(err)
	}
	r.Sign(w.chain, k)
	return r.Bytes()
}

// done sends a cancel that is taken, which moves nothing.
func (w *world) done(raw []byte) *command.Receipt {
	w.t.Helper()
	count := w.bolt.total()
	r := w.send(raw)
	if r.Body.Status != command.Executed || w.bolt.total() != count {
		w.t.Fatalf("%s, %d actuations", r.Body.Code, w.bolt.total()-count)
	}
	return r
}

// TestCancel: what its sender or the owner has cancelled is not begun, also
// after a restart; what has been begun cannot be cancelled, and its receipt
// tells how it ended.
func TestCancel(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	late := w.signedBy(w.body(), w.owner)
	raw := w.cancel(w.body(), w.owner, late)
	first := w.done(raw)
	w.refused(late.Bytes(), command.Cancelled)
	w.restart()
	w.refused(late.Bytes(), command.Cancelled)
	if again := w.send(raw); !bytes.Equal(first.Bytes(), again.Bytes()) {
		t.Fatal("another receipt")
	}

	begun := w.signedBy(w.body(), w.owner)
	receipt := w.ok(begun.Bytes())
	w.refused(w.cancel(w.body(), w.owner, begun), command.TooLate)
	if again := w.send(begun.Bytes()); !bytes.Equal(receipt.Bytes(), again.Bytes()) {
		t.Fatal("another receipt")
	}

	guests := w.signedBy(w.guestBody(), w.guest)
	w.done(w.cancel(w.body(), w.owner, guests))
	w.refused(guests.Bytes(), command.Cancelled)
	own := w.signedBy(w.guestBody(), w.guest)
	w.done(w.cancel(w.guestBody(), w.guest, own))
	w.refused(own.Bytes(), command.Cancelled)
	owners := w.signedBy(w.body(), w.owner)
	w.done(w.cancel(w.guestBody(), w.guest, owners)) // says nothing to the owner's
	w.ok(owners.Bytes())
	w.refused(w.cancel(w.body(), w.stranger, late), command.UnknownKey)
}

// TestCancel_LongLived: a cancel is remembered for as long as what it ends lives,
// and makes way afterwards.
func TestCancel_LongLived(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	b := w.body()
	b.Notarise()
	b.Expires = b.IssuedAt + command.MaxSealedLife
	c := w.signedBy(b, w.owner)
	w.done(w.cancel(w.body(), w.owner, c))
	w.now = w.now.Add(23 * time.Hour)
	w.seal(c, 1, w.owner)
	w.ok(w.sign(w.body(), w.owner))
	w.restart()
	w.refused(c.Bytes(), command.Cancelled)
	w.now = w.now.Add(2 * time.Hour)
	w.ledger.block(w.now, true)
	w.ok(w.sign(w.body(), w.owner))
	w.want(c.Bytes(), command.Unknown, command.Expired) // forgotten, and never run again
}

// TestCancel_NeedsLess: neither as many keys, nor a seal, nor a use is asked of
// who stops something.
func TestCancel_NeedsLess(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	once := w.createGrant(&tx.CreateGrant{Grantee: w.guest.Public(), NotAfter: uint64(w.now.Unix()) + 9999, Uses: 1,
		Targets: []tx.Target{{Device: w.id(), Epoch: 1, Endpoint: "lock", Methods: []string{"dim"}}}})
	w.policy(demand("open", tx.FreshSealed, 3))
	w.done(w.cancel(w.body(), w.owner, w.signedBy(w.body(), w.owner)))
	guest := func() command.Body {
		b := w.guestBody()
		b.Grant, b.Method = &once, "dim"
		return b
	}
	w.done(w.cancel(guest(), w.guest, w.signedBy(guest(), w.guest)))
	w.ok(w.sign(guest(), w.guest))
	w.refused(w.sign(guest(), w.guest), command.UsedUp)
	b := guest()
	b.Method = "open"
	w.refused(w.cancel(b, w.guest, w.signedBy(guest(), w.guest)), command.NotGranted)
	b = w.body()
	b.Method = "melt"
	w.refused(w.cancel(b, w.owner, w.signedBy(w.body(), w.owner)), command.NoMethod)
}

// TestExclusive: of commands to one bolt an older one does not follow a newer.
func TestExclusive(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	w.resource = func(_, method string) string {
		if method == "state" {
			return ""
		}
		return "bolt"
	}
	w.restart()
	older := w.signedBy(w.body(), w.owner)
	state := w.body()
	state.Method = "state"
	newer := w.body()
	newer.Method = "dim"
	w.ok(w.sign(newer, w.owner))
	w.refused(older.Bytes(), command.Superseded) // same moment, lower number
	w.ok(w.sign(state, w.owner))                 // shares
	w.restart()
	w.refused(older.Bytes(), command.Superseded)

	ahead := w.guestBody() // a clock that is ahead shuts nobody out
	ahead.IssuedAt += 20_000
	ahead.Expires += 20_000
	w.ok(w.sign(ahead, w.guest))
	w.ok(w.sign(w.body(), w.owner))
	past := w.body()
	past.IssuedAt--
	w.refused(w.sign(past, w.owner), command.Superseded)

	b := w.body()
	b.Notarise()
	b.IssuedAt -= 1000
	sealed := w.signedBy(b, w.owner)
	w.seal(sealed, 1, w.owner)
	w.ok(sealed.Bytes())
	w.ok(w.sign(w.body(), w.owner))
}
