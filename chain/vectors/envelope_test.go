package vectors_test

import (
	"bytes"
	"crypto/sha256"
	"testing"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/vectors"
)

// envelopeReceiptCases are receipts outside the chain, which name the bytes that
// they answer. What a sender sent stands as "envelope".
func envelopeReceiptCases(t *testing.T) []vectors.Case {
	c := chain()
	sent := mustCommand(t, commandBody(), owner)
	spoilt := bytes.Clone(sent.Bytes())
	spoilt[len(spoilt)-1] ^= 1
	in := func() m {
		return m{"chain_digest": b32(c), "public": x(device.Public().Bytes), "command": sent.ID(c).String(), "envelope": x(sent.Bytes())}
	}
	var out []vectors.Case
	add := func(name, note string, change func(*command.ReceiptBody), code command.Code) {
		sum := sha256.Sum256(sent.Bytes())
		b := receiptBody(sent.ID(c))
		b.Counter, b.Prev, b.Result, b.Envelope = 0, nil, nil, sum[:]
		b.Status, b.Code = command.Rejected, command.BadSignature
		change(&b)
		r := command.SignReceipt(c, b, device)
		want := m{"refused": code.String()}
		if code == command.OK {
			want = m{"status": u(uint64(b.Status)), "code": u(uint64(b.Code)), "result": "", "counter": u(b.Counter), "hash": b32(r.Hash())}
		}
		out = append(out, vectors.Case{Name: name, Note: note, Hex: x(r.Bytes()), In: in(), Want: want})
	}
	add("valid/envelope", "not persisted, about the bytes that were sent", func(*command.ReceiptBody) {}, command.OK)
	add("valid/counted", "persisted: about the command, in any envelope", func(b *command.ReceiptBody) { b.Counter, b.Envelope = 3, nil }, command.OK)
	add("refused/other-envelope", "a true refusal of the same command with a spoilt signature", func(b *command.ReceiptBody) {
		sum := sha256.Sum256(spoilt)
		b.Envelope = sum[:]
	}, command.Malformed)
	add("refused/no-envelope", "not persisted, and names no bytes", func(b *command.ReceiptBody) { b.Envelope = nil }, command.Malformed)
	add("refused/envelope-size", "31 bytes of a hash", func(b *command.ReceiptBody) { b.Envelope = b.Envelope[:31] }, command.Malformed)
	add("refused/envelope-counted", "persisted, and names bytes", func(b *command.ReceiptBody) { b.Counter = 3 }, command.Malformed)
	return out
}
