package adversary_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"slices"
	"testing"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/deviceos/gate"
)

// lie is what somebody on the way makes of the device's answer. The owner must
// not take it for one.
type lie struct {
	name string
	code command.Code
	make func(w *world, asked, answer []byte) []byte
}

// says signs a receipt with another key or for another ledger, or changes what
// the device has signed and leaves its signature.
func says(change func(w *world, b *command.ReceiptBody), chain func(codec.ChainDigest) codec.ChainDigest, by *key.Private) func(*world, []byte, []byte) []byte {
	return func(w *world, _, answer []byte) []byte {
		r, err := command.DecodeReceipt(answer)
		if err != nil {
			return answer
		}
		b := r.Body
		if change != nil {
			change(w, &b)
		}
		c := w.chain
		if chain != nil {
			c = chain(c)
		}
		if by != nil {
			return command.SignReceipt(c, b, by).Bytes()
		}
		return codec.MustMarshal(command.ReceiptEnvelope{Body: codec.MustMarshal(b), Sig: r.Sig})
	}
}

func altered(change func(b *command.ReceiptBody)) func(*world, []byte, []byte) []byte {
	return says(func(_ *world, b *command.ReceiptBody) { change(b) }, nil, nil)
}

func mangled(change func(b []byte) []byte) func(*world, []byte, []byte) []byte {
	return func(_ *world, _, answer []byte) []byte { return change(slices.Clone(answer)) }
}

// elicited has the device itself answer other bytes, as a carrier can.
func elicited(other func(w *world, asked []byte) []byte) func(*world, []byte, []byte) []byte {
	return func(w *world, asked, _ []byte) []byte {
		return w.gate.Load().Handle(w.t.Context(), "carrier", other(w, asked))
	}
}

var lies = []lie{
	{"executed said of a rejection, the old signature", command.Malformed, altered(func(b *command.ReceiptBody) { b.Status, b.Code = command.Rejected, command.OK })},
	{"a rejection in place of what was done", command.BadSignature, altered(func(b *command.ReceiptBody) { b.Status, b.Code = command.Rejected, command.Failed })},
	{"deferred in place of what was done", command.BadSignature, altered(func(b *command.ReceiptBody) { b.Status, b.Code = command.Deferred, command.Stale })},
	{"another result", command.BadSignature, altered(func(b *command.ReceiptBody) { b.Result = []byte("shut") })},
	{"no result", command.BadSignature, altered(func(b *command.ReceiptBody) { b.Result = nil })},
	{"another counter", command.BadSignature, altered(func(b *command.ReceiptBody) { b.Counter++ })},
	{"another time", command.BadSignature, altered(func(b *command.ReceiptBody) { b.Time++ })},
	{"another head", command.BadSignature, altered(func(b *command.ReceiptBody) { b.Height++ })},
	{"another epoch", command.BadSignature, altered(func(b *command.ReceiptBody) { b.Epoch++ })},
	{"another receipt before it", command.BadSignature, altered(func(b *command.ReceiptBody) { b.Prev = make([]byte, 32) })},
	{"another device's name on it", command.WrongDevice, altered(func(b *command.ReceiptBody) { b.Device[0] ^= 1 })},
	{"another command's id on it", command.Malformed, altered(func(b *command.ReceiptBody) { b.Command[0] ^= 1 })},
	{"a status that does not exist", command.Malformed, altered(func(b *command.ReceiptBody) { b.Status = 9 })},
	{"another version", command.BadVersion, altered(func(b *command.ReceiptBody) { b.Version = 2 })},
	{"an envelope named by a receipt of the chain", command.Malformed, altered(func(b *command.ReceiptBody) { b.Envelope = make([]byte, 32) })},
	{"signed by a stranger", command.BadSignature, says(nil, nil, stranger)},
	{"signed by the owner himself", command.BadSignature, says(nil, nil, owner)},
	{"signed by another device in its own name", command.WrongDevice, says(func(_ *world, b *command.ReceiptBody) { b.Device = stranger.Public().DeviceID() }, nil, stranger)},
	{"signed by the device for another ledger", command.BadSignature, says(nil, func(c codec.ChainDigest) codec.ChainDigest { c[0] ^= 1; return c }, device)},
	{"the device's signature in its high form", command.HighS, func(_ *world, _, answer []byte) []byte {
		r, err := command.DecodeReceipt(answer)
		if err != nil {
			return answer
		}
		var e command.ReceiptEnvelope
		_ = codec.Unmarshal(answer, &e, command.MaxReceipt)
		return codec.MustMarshal(command.ReceiptEnvelope{Body: e.Body, Sig: negate(r.Sig)})
	}},
	{"no signature", command.BadSignature, func(_ *world, _, answer []byte) []byte {
		var e command.ReceiptEnvelope
		_ = codec.Unmarshal(answer, &e, command.MaxReceipt)
		e.Sig = key.Signature{}
		return codec.MustMarshal(e)
	}},
	{"the first byte flipped", command.Malformed, mangled(func(b []byte) []byte { b[0] ^= 0x40; return b })},
	{"the last byte flipped", command.BadSignature, mangled(func(b []byte) []byte { b[len(b)-1] ^= 1; return b })},
	{"cut short", command.Malformed, mangled(func(b []byte) []byte { return b[:len(b)-1] })},
	{"a byte behind the end", command.Malformed, mangled(func(b []byte) []byte { return append(b, 0) })},
	{"in a longer spelling", command.NotCanonical, mangled(func(b []byte) []byte { return append([]byte{0xb8, 2}, b[1:]...) })},
	{"the command itself sent back", command.Malformed, func(_ *world, asked, _ []byte) []byte { return asked }},
	{"text", command.Malformed, mangled(func([]byte) []byte { return []byte("opened") })},
	{"too long", command.TooLarge, mangled(func([]byte) []byte { return make([]byte, command.MaxReceipt+1) })},
	{"the receipt of the owner's last command", command.Malformed, func(w *world, _, _ []byte) []byte { return w.last }},
	{"the device's true refusal of a spoilt signature", command.Malformed, elicited(func(_ *world, asked []byte) []byte { return spoilt(asked) })},
	{"the device's true refusal of the command under a stranger's key", command.Malformed, elicited(func(w *world, asked []byte) []byte {
		var e command.Envelope
		w.check(codec.Unmarshal(asked, &e, command.MaxBytes))
		e.Sigs[0].Key = stranger.Public().ID()
		return codec.MustMarshal(e)
	})},
	{"the device's true refusal of a truncated command", command.Malformed, elicited(func(_ *world, asked []byte) []byte { return asked[:len(asked)-1] })},
	{"a true refusal of before the command was done", command.Malformed, func(w *world, _, _ []byte) []byte { return w.early }},
}

// TestLies: the device does what the owner asks for, once; of the answer
// something else is made, which the owner does not take for one; the same bytes
// again bring the true answer.
func TestLies(t *testing.T) {
	for _, c := range carriers {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, l := range lies {
				t.Run(l.name, func(t *testing.T) { l.tell(newWorld(t, gate.Limits{}, c.open)) })
			}
		})
	}
}

func (l lie) tell(w *world) {
	w.t.Helper()
	w.last = w.ok(w.owned(nil)).Bytes()
	raw := w.owned(nil)
	w.early = w.gate.Load().Handle(w.t.Context(), "carrier", spoilt(raw))
	spoil := func(asked, answer []byte) []byte { return l.make(w, asked, answer) }
	w.spoil.Store(&spoil)
	before := w.bolt.total()
	if _, err := w.ask(raw); !errors.Is(err, l.code) && !(l.code == command.TooLarge && errors.Is(err, errNoAnswer)) {
		w.t.Fatalf("%v, want %s", err, l.code)
	}
	w.spoil.Store(nil)
	r, err := w.ask(raw)
	w.check(err)
	if r.Body.Status != command.Executed || w.bolt.total() != before+1 {
		w.t.Fatalf("the truth is %s, and the bolt moved %d times", r.Body.Status, w.bolt.total()-before)
	}
}

// TestFlips: every byte of a command flipped, in one bit and in all, and every
// shorter length, by owner and guest. None moves the bolt or leaves a trace, each
// answer is about the bytes that it answers, and the command itself is still
// obeyed.
func TestFlips(t *testing.T) {
	for _, c := range carriers {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, gate.Limits{}, c.open)
			for _, raw := range [][]byte{w.owned(nil), w.lent(nil)} {
				kept, moved := w.kept(), w.bolt.total()
				for _, bad := range variants(raw) {
					w.harmless(raw, bad)
				}
				w.unchanged(kept)
				if w.bolt.total() != moved {
					t.Fatal("the bolt moved")
				}
				w.ok(raw)
			}
		})
	}
}

func variants(raw []byte) [][]byte {
	var all [][]byte
	for i := range raw {
		for _, mask := range []byte{1 << (i % 8), 0xff} {
			bad := slices.Clone(raw)
			bad[i] ^= mask
			all = append(all, bad)
		}
		if i > 0 {
			all = append(all, raw[:i])
		}
	}
	return all
}

// harmless fails if an answer to bad bytes says that something was done, or can
// be taken for an answer to good.
func (w *world) harmless(good, bad []byte) {
	w.t.Helper()
	answer, err := w.carry.Carry(w.t.Context(), bad)
	if no := refusal(""); errors.As(err, &no) {
		return
	}
	w.check(err)
	r, err := command.DecodeReceipt(answer)
	w.check(err)
	sum := sha256.Sum256(bad)
	if r.Body.Status == command.Executed || r.Body.Counter != 0 || !bytes.Equal(r.Body.Envelope, sum[:]) {
		w.t.Fatalf("%s %s, counter %d, about %x for %x", r.Body.Status, r.Body.Code, r.Body.Counter, r.Body.Envelope, bad)
	}
	cmd, err := command.Decode(good)
	w.check(err)
	if r.Answers(w.chain, device.Public(), cmd) == nil {
		w.t.Fatalf("an answer to %x passes for one to the command", bad)
	}
}
