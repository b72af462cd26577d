package gate_test

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"time"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/deviceos/gate"
)

// asked gives the answer to raw and what whoever sent the good command makes of
// it.
func (w *world) asked(good, raw []byte) (*command.Receipt, error) {
	w.t.Helper()
	r, err := command.DecodeReceipt(w.gate.Handle(context.Background(), "carrier", raw))
	if err != nil {
		w.t.Fatal(err)
	}
	c, err := command.Decode(good)
	if err != nil {
		w.t.Fatal(err)
	}
	return r, r.Answers(w.chain, w.device.Public(), c)
}

// A carrier spoils the signature to get a true refusal of the owner's command.
// It is no answer to what the owner sent, whenever the carrier asks for it.
func TestTruth_SpoiltSignature(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	good := w.sign(w.body(), w.owner)
	spoilt := slices.Clone(good)
	spoilt[len(spoilt)-1] ^= 1
	try := func(when string, status command.Status) {
		t.Helper()
		r, err := w.asked(good, spoilt)
		if r.Body.Status != status || r.Body.Code != command.BadSignature || command.CodeOf(err) != command.Malformed {
			t.Fatalf("%s: %s %s, which the owner takes for %v", when, r.Body.Status, r.Body.Code, err)
		}
	}
	try("before", command.Rejected)
	first, err := w.asked(good, good)
	if err != nil || first.Body.Status != command.Executed {
		t.Fatalf("%+v, %v", first.Body, err)
	}
	try("afterwards", command.Unknown)
	w.now = w.now.Add(2 * time.Minute)
	w.ledger.block(w.now, true)
	try("when it has expired", command.Unknown)
	w.restart()
	try("after a restart", command.Unknown)
	if w.bolt.total() != 1 {
		t.Fatalf("%d actuations", w.bolt.total())
	}
}

// A transfer and time do not make of a done command one that was refused: other
// bytes of it are told that it was begun.
func TestTruth_BegunIsNeverDenied(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	good := w.sign(w.guestBody(), w.guest)
	w.ok(good)
	spoilt := slices.Clone(good)
	spoilt[len(spoilt)-1] ^= 1
	w.execute(w.owner, &tx.Release{Device: w.device.Public().DeviceID(), Epoch: 2}, tx.RoleAccount)
	w.refused(w.sign(w.body(), w.owner), command.Unowned)
	w.want(spoilt, command.Unknown, command.Unowned)
	if r := w.send(good); r.Body.Status != command.Executed {
		t.Fatalf("the receipt of before has become %s %s", r.Body.Status, r.Body.Code)
	}
}

// What was done long ago is forgotten; then nobody is told that it was not done.
// What expired later than all that was forgotten surely was not.
func TestTruth_Forgotten(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	done, never := w.sign(w.body(), w.owner), w.sign(w.body(), w.owner)
	w.ok(done)
	w.now = w.now.Add(time.Minute)
	w.refused(never, command.Expired)
	w.now = w.now.Add(time.Hour)
	w.ledger.block(w.now, true)
	late := w.body()
	w.ok(w.sign(w.body(), w.owner)) // has the first one forgotten
	w.want(done, command.Unknown, command.Expired)
	w.now = w.now.Add(time.Minute)
	w.refused(w.sign(late, w.owner), command.Expired)
}

// A node that holds headers back must not have the device refuse for good what
// the next header would show.
func TestTruth_WithheldHeads(t *testing.T) {
	for name, c := range map[string]struct {
		give  func(w *world) (command.Body, *key.Private)
		final command.Code // under a head that the signer has not seen past
	}{
		"grant": {func(w *world) (command.Body, *key.Private) {
			id := w.createGrant(&tx.CreateGrant{
				Grantee:   w.stranger.Public(),
				Targets:   []tx.Target{{Device: w.device.Public().DeviceID(), Epoch: 1, Endpoint: "lock", Methods: []string{"open"}}},
				NotBefore: uint64(w.now.Add(-time.Hour).Unix()), NotAfter: uint64(w.now.Add(time.Hour).Unix()),
			})
			b := w.body()
			b.Principal, b.Key, b.Grant = w.stranger.Public().AccountID(), w.stranger.Public().ID(), &id
			return b, w.stranger
		}, command.UnknownGrant},
		"key": {func(w *world) (command.Body, *key.Private) {
			next := newKey(60)
			r := w.build(w.owner, &tx.RotateKeys{Version: 1, Threshold: 1, Keys: []tx.AccountKey{{Key: next.Public(), Rights: tx.RightAdmin | tx.RightInvoke}}})
			r.Sign(w.chain, tx.RoleAccount, w.owner)
			r.Sign(w.chain, tx.RoleNewKey, next)
			w.commit(r)
			b := w.body()
			b.Key = next.Public().ID()
			return b, next
		}, command.UnknownKey},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, gate.Limits{})
			old, records := w.ledger.Head(), w.ledger.present
			fresh := make(tree)
			for k, v := range records {
				fresh[k] = v
			}
			w.ledger.present = fresh
			b, k := c.give(w)
			// The node shows the device the ledger of before, and no newer head.
			w.ledger.head, w.ledger.present, w.ledger.offline = old, records, false
			newest := w.ledger.next
			w.ledger.next = old
			b.Seen = newest.Height
			raw := w.sign(b, k)
			w.want(raw, command.Deferred, command.Stale)
			b.Seen, b.Nonce = old.Height, b.Nonce+1
			w.refused(w.sign(b, k), c.final)
			w.ledger.next, w.ledger.head, w.ledger.present = newest, newest, fresh
			w.ok(raw)
		})
	}
}

// A receipt lost on a dying disk names the bytes that it is about, as every
// answer outside the chain does.
func TestTruth_EveryAnswerIsBound(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	good := w.sign(w.body(), w.owner)
	w.bolt.do = func(context.Context, gate.Order) ([]byte, error) { return nil, w.vault.Close() }
	r, err := w.asked(good, good)
	if err != nil || r.Body.Status != command.Unknown || r.Body.Code != command.Internal || r.Body.Counter != 0 || len(r.Body.Envelope) == 0 {
		t.Fatalf("%+v, %v", r.Body, err)
	}
	if w.bolt.total() != 1 || bytes.Equal(r.Body.HeadHash, nil) {
		t.Fatalf("%d actuations", w.bolt.total())
	}
}
