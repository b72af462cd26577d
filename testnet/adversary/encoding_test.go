package adversary_test

import (
	"bytes"
	"maps"
	"slices"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/key/keytest"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// fields takes a canonical map apart.
func fields(w *world, raw []byte) map[uint64]codec.Raw {
	w.t.Helper()
	m := make(map[uint64]codec.Raw)
	w.check(codec.Unmarshal(raw, &m, command.MaxBytes))
	return m
}

// envelope makes an attack of what is done to the parts of a good envelope.
func envelope(change func(w *world, e *command.Envelope)) func(*world) []byte {
	return func(w *world) []byte {
		var e command.Envelope
		w.check(codec.Unmarshal(w.owned(nil), &e, command.MaxBytes))
		change(w, &e)
		return codec.MustMarshal(e)
	}
}

// field makes an attack of a good command in whose body one field is another,
// signed by the owner all the same.
func field(n uint64, item ...byte) func(*world) []byte {
	return func(w *world) []byte {
		b := w.body(nil)
		b.Version, b.Type = command.Version, command.TypeInvoke
		m := fields(w, codec.MustMarshal(b))
		if m[n] = item; item == nil {
			delete(m, n)
		}
		return w.seals(pack(m), owner)
	}
}

// pack writes a map of few fields, also with items that the codec refuses.
func pack(m map[uint64]codec.Raw) []byte {
	b := []byte{0xa0 + byte(len(m))}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		b = append(append(b, byte(k)), m[k]...) // all below 24
	}
	return b
}

// bent makes an attack of a good command whose bytes are changed.
func bent(change func(raw []byte) []byte) func(*world) []byte {
	return func(w *world) []byte { return change(w.owned(nil)) }
}

// spelt makes an attack of a good body in another spelling, which the owner has
// signed.
func spelt(change func(body []byte) []byte) func(*world) []byte {
	return func(w *world) []byte {
		b := w.body(nil)
		b.Version, b.Type = command.Version, command.TypeInvoke
		return w.seals(change(codec.MustMarshal(b)), owner)
	}
}

// digests gives the owner's signature over what sum makes of the body.
func digests(sum func(w *world, body []byte) [32]byte) func(*world) []byte {
	return envelope(func(w *world, e *command.Envelope) { e.Sigs[0].Bytes = owner.Sign(sum(w, e.Body)) })
}

var encoding = []attack{
	{name: "positive control: the owner opens", bytes: func(w *world) []byte { return w.owned(nil) }, code: command.OK},
	{name: "positive control: the guest opens", bytes: func(w *world) []byte { return w.lent(nil) }, code: command.OK},
	{name: "positive control: the longest params that fit", bytes: func(w *world) []byte {
		return w.owned(func(b *command.Body) { b.Params = make([]byte, 2800) })
	}, code: command.OK},
	{name: "positive control: no params", bytes: func(w *world) []byte { return w.owned(func(b *command.Body) { b.Params = nil }) }, code: command.OK},
	{name: "positive control: an optional extension", bytes: func(w *world) []byte {
		return w.owned(func(b *command.Body) { b.Ext = map[uint64]codec.Raw{200: {0xf5}} })
	}, code: command.OK},

	{name: "nothing but a zero", bytes: func(*world) []byte { return []byte{0} }, code: command.Malformed},
	{name: "text", bytes: func(*world) []byte { return []byte("open the door") }, code: command.Malformed},
	{name: "JSON", bytes: func(*world) []byte { return []byte(`{"method":"open"}`) }, code: command.Malformed},
	{name: "an empty map", bytes: func(*world) []byte { return []byte{0xa0} }, code: command.NotCanonical},
	{name: "a byte behind the end", bytes: bent(func(b []byte) []byte { return append(b, 0) }), code: command.Malformed},
	{name: "the command twice", bytes: bent(func(b []byte) []byte { return append(b, b...) }), code: command.Malformed},
	{name: "one byte over the cap", bytes: func(*world) []byte { return make([]byte, command.MaxBytes+1) }, code: command.TooLarge},
	{name: "map head in its long form", bytes: bent(func(b []byte) []byte { return append([]byte{0xb8, 2}, b[1:]...) }), code: command.NotCanonical},
	{name: "map of indefinite length", bytes: bent(func(b []byte) []byte { return append(append([]byte{0xbf}, b[1:]...), 0xff) }), code: command.Malformed},
	{name: "a tag around it", bytes: bent(func(b []byte) []byte { return append([]byte{0xc1}, b...) }), code: command.Malformed},
	{name: "an unknown field of the envelope", bytes: func(w *world) []byte {
		m := fields(w, w.owned(nil))
		m[9] = codec.Raw{0}
		return codec.MustMarshal(m)
	}, code: command.Malformed},
	{name: "a field of the envelope twice", bytes: bent(func(b []byte) []byte { return append([]byte{0xa3}, append(b[1:], 0x02, 0x80)...) }), code: command.Malformed},
	{name: "fields of the envelope in the other order", bytes: func(w *world) []byte {
		m := fields(w, w.owned(nil))
		return slices.Concat([]byte{0xa2, 2}, m[2], []byte{1}, m[1])
	}, code: command.NotCanonical},
	{name: "nested deeper than anything of ours", bytes: func(*world) []byte { return bytes.Repeat([]byte{0x81}, 200) }, code: command.Malformed},
	{name: "an array that announces four thousand millions", bytes: func(*world) []byte { return []byte{0xa2, 1, 0x40, 2, 0x9a, 0xff, 0xff, 0xff, 0xff} }, code: command.Malformed},
	{name: "a string longer than the message", bytes: func(*world) []byte { return []byte{0xa2, 1, 0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff} }, code: command.Malformed},
	{name: "no body", bytes: envelope(func(_ *world, e *command.Envelope) { e.Body = nil }), code: command.Malformed},
	{name: "a receipt in place of a command", bytes: func(w *world) []byte { return w.ok(w.owned(nil)).Bytes() }, code: command.Malformed},
	{name: "a transaction in place of a command", bytes: func(w *world) []byte {
		return w.build(owner, &tx.RevokeGrant{Grant: w.grant}, tx.RoleAccount).Bytes()
	}, code: command.Malformed},

	{name: "version 0", bytes: field(1, 0), code: command.BadVersion},
	{name: "version 2", bytes: field(1, 2), code: command.BadVersion},
	{name: "version as text", bytes: field(1, 0x61, '1'), code: command.Malformed},
	{name: "version as a float", bytes: field(1, 0xf9, 0x3c, 0), code: command.Malformed},
	{name: "type 0", bytes: field(2, 0), code: command.BadType},
	{name: "type 200", bytes: field(2, 0x18, 200), code: command.BadType},
	{name: "a critical extension that nobody knows", bytes: field(17, 0xa1, 0x18, 99, 0xf5), code: command.UnknownExtension},
	{name: "an unknown critical extension beside an optional one", bytes: field(17, 0xa2, 0x18, 99, 0xf5, 0x18, 200, 0xf5), code: command.UnknownExtension},
	{name: "an unknown field of the body", bytes: field(18, 0), code: command.Malformed},
	{name: "no endpoint", bytes: field(5), code: command.NotCanonical},
	{name: "an empty endpoint", bytes: field(5, 0x60), code: command.Malformed},
	{name: "an endpoint with a slash", bytes: field(5, 0x63, 'a', '/', 'b'), code: command.Malformed},
	{name: "an endpoint in capitals", bytes: field(5, 0x64, 'L', 'O', 'C', 'K'), code: command.Malformed},
	{name: "a method that is no UTF-8", bytes: field(14, 0x62, 0xc3, 0x28), code: command.Malformed},
	{name: "a method with a zero byte in it", bytes: field(14, 0x65, 'o', 'p', 'e', 'n', 0), code: command.Malformed},
	{name: "a method with spaces", bytes: field(14, 0x65, 'o', 'p', 'e', 'n', ' '), code: command.Malformed},
	{name: "epoch 0", bytes: field(6, 0), code: command.Malformed},
	{name: "a negative epoch", bytes: field(6, 0x20), code: command.Malformed},
	{name: "epoch beyond 64 bits", bytes: field(6, 0xc2, 0x49, 1, 0, 0, 0, 0, 0, 0, 0, 0), code: command.Malformed},
	{name: "nonce 0", bytes: field(11, 0), code: command.Malformed},
	{name: "a device id that is too short", bytes: field(4, 0x41, 1), code: command.NotCanonical},
	{name: "a grant id that is too short", bytes: field(9, 0x41, 1), code: command.NotCanonical},
	{name: "params as text", bytes: field(15, 0x64, 'w', 'i', 'd', 'e'), code: command.Malformed},
	{name: "expires before it was issued", bytes: field(13, 1), code: command.Malformed},
	{name: "expires when it was issued", bytes: func(w *world) []byte {
		return w.owned(func(b *command.Body) { b.Expires = b.IssuedAt })
	}, code: command.Malformed},
	{name: "the body in a longer spelling, signed so", bytes: spelt(func(b []byte) []byte { return append([]byte{0xb8, b[0] - 0xa0}, b[1:]...) }), code: command.NotCanonical},
	{name: "a field of the body twice, signed so", bytes: spelt(func(b []byte) []byte {
		return append([]byte{b[0] + 1}, append(b[1:], 0x0e, 0x64, 'o', 'p', 'e', 'n')...)
	}), code: command.Malformed},
	{name: "a byte behind the body, signed so", bytes: spelt(func(b []byte) []byte { return append(b, 0) }), code: command.Malformed},
	{name: "seen as null, signed so", bytes: field(16, 0xf6), code: command.NotCanonical},

	{name: "no signature", bytes: envelope(func(_ *world, e *command.Envelope) { e.Sigs = nil }), code: command.Malformed},
	{name: "an empty signature", bytes: envelope(func(_ *world, e *command.Envelope) { e.Sigs[0].Bytes = key.Signature{} }), code: command.Malformed},
	{name: "a signature of 1025 bytes", bytes: envelope(func(_ *world, e *command.Envelope) { e.Sigs[0].Bytes = make(key.Signature, 1025) }), code: command.Malformed},
	{name: "a signature of 63 bytes", bytes: envelope(func(_ *world, e *command.Envelope) { e.Sigs[0].Bytes = e.Sigs[0].Bytes[:63] }), code: command.BadSignature},
	{name: "a signature of 65 bytes", bytes: envelope(func(_ *world, e *command.Envelope) { e.Sigs[0].Bytes = append(e.Sigs[0].Bytes, 0) }), code: command.BadSignature},
	{name: "a signature of zeros", bytes: envelope(func(_ *world, e *command.Envelope) { clear(e.Sigs[0].Bytes) }), code: command.BadSignature},
	{name: "a signature of ones", bytes: envelope(func(_ *world, e *command.Envelope) {
		copy(e.Sigs[0].Bytes, bytes.Repeat([]byte{0xff}, 64))
	}), code: command.BadSignature},
	{name: "r of zero", bytes: envelope(func(_ *world, e *command.Envelope) { clear(e.Sigs[0].Bytes[:32]) }), code: command.BadSignature},
	{name: "s of zero", bytes: envelope(func(_ *world, e *command.Envelope) { clear(e.Sigs[0].Bytes[32:]) }), code: command.BadSignature},
	{name: "r beyond the order of the curve", bytes: envelope(func(_ *world, e *command.Envelope) {
		copy(e.Sigs[0].Bytes, bytes.Repeat([]byte{0xff}, 32))
	}), code: command.BadSignature},
	{name: "a bit of r", bytes: envelope(func(_ *world, e *command.Envelope) { e.Sigs[0].Bytes[9] ^= 2 }), code: command.BadSignature},
	{name: "the lowest bit of s", bytes: envelope(func(_ *world, e *command.Envelope) { e.Sigs[0].Bytes[63] ^= 1 }), code: command.BadSignature},
	{name: "s in its high form", bytes: envelope(func(_ *world, e *command.Envelope) { e.Sigs[0].Bytes = negate(e.Sigs[0].Bytes) }), code: command.HighS},
	{name: "the signature of another command", bytes: envelope(func(w *world, e *command.Envelope) {
		var other command.Envelope
		w.check(codec.Unmarshal(w.owned(nil), &other, command.MaxBytes))
		e.Sigs = other.Sigs
	}), code: command.BadSignature},
	{name: "a stranger's signature in the owner's name", bytes: envelope(func(w *world, e *command.Envelope) {
		e.Sigs[0].Bytes = stranger.Sign(codec.Digest(codec.LabelCommand, w.chain, e.Body))
	}), code: command.BadSignature},
	{name: "the guest's signature in the owner's name", bytes: envelope(func(w *world, e *command.Envelope) {
		e.Sigs[0].Bytes = guest.Sign(codec.Digest(codec.LabelCommand, w.chain, e.Body))
	}), code: command.BadSignature},
	{name: "the owner's signature under a stranger's key id", bytes: envelope(func(_ *world, e *command.Envelope) { e.Sigs[0].Key = stranger.Public().ID() }), code: command.UnknownKey},
	{name: "nine signatures", bytes: envelope(func(w *world, e *command.Envelope) {
		for i := range 8 {
			e.Sigs = append(e.Sigs, command.Sig{Key: key.KeyID{byte(i + 1)}, Bytes: e.Sigs[0].Bytes})
		}
	}), code: command.Malformed},
	{name: "the same signature twice", bytes: envelope(func(_ *world, e *command.Envelope) { e.Sigs = append(e.Sigs, e.Sigs[0]) }), code: command.Malformed},
	{name: "signatures out of order", bytes: envelope(func(_ *world, e *command.Envelope) {
		e.Sigs = append(e.Sigs, command.Sig{Key: key.KeyID{}, Bytes: e.Sigs[0].Bytes})
	}), code: command.Malformed},
	{name: "a stranger's signature beside the owner's", bytes: envelope(func(w *world, e *command.Envelope) {
		e.Sigs = both(e.Sigs[0], command.Sig{Key: stranger.Public().ID(), Bytes: stranger.Sign(codec.Digest(codec.LabelCommand, w.chain, e.Body))})
	}), status: command.Deferred, code: command.ExtraSigner},
	{name: "a forged signature of a second key of the owner's", bytes: func(w *world) []byte {
		w.addKeys(friend)
		return envelope(func(w *world, e *command.Envelope) {
			e.Sigs = both(e.Sigs[0], command.Sig{Key: friend.Public().ID(), Bytes: e.Sigs[0].Bytes})
		})(w)
	}, status: command.Deferred, code: command.BadSignature},
	{name: "signed as a transaction", bytes: digests(func(w *world, body []byte) [32]byte { return codec.Digest(codec.LabelTx, w.chain, body) }), code: command.BadSignature},
	{name: "signed as a receipt", bytes: digests(func(w *world, body []byte) [32]byte { return codec.Digest(codec.LabelReceipt, w.chain, body) }), code: command.BadSignature},
	{name: "signed as an attestation", bytes: digests(func(w *world, body []byte) [32]byte { return codec.Digest(codec.LabelAttest, w.chain, body) }), code: command.BadSignature},
	{name: "signed as a login", bytes: digests(func(w *world, body []byte) [32]byte { return codec.Digest(codec.LabelLogin, w.chain, body) }), code: command.BadSignature},
	{name: "signed as a pairing", bytes: digests(func(w *world, body []byte) [32]byte { return codec.Digest(codec.LabelPair, w.chain, body) }), code: command.BadSignature},
	{name: "signed for another ledger, same prefix", bytes: digests(func(w *world, body []byte) [32]byte {
		other := w.chain
		other[31] ^= 1
		return codec.Digest(codec.LabelCommand, other, body)
	}), code: command.BadSignature},
	{name: "signed without a label", bytes: digests(func(_ *world, body []byte) [32]byte { return codec.Hash(codec.LabelReceipts, body) }), code: command.BadSignature},

	{name: "positive control: a passkey of the owner", bytes: passkey(nil), code: command.OK},
	{name: "passkey: over another challenge", bytes: passkey(func(a *keytest.Assertion) { a.Challenge = make([]byte, 32) }), code: command.WrongChallenge},
	{name: "passkey: on another page", bytes: passkey(func(a *keytest.Assertion) { a.Origin = "https://evil.example" }), code: command.WrongOrigin},
	{name: "passkey: within a frame of another page", bytes: passkey(func(a *keytest.Assertion) { a.CrossOrigin = "true" }), code: command.WrongOrigin},
	{name: "passkey: for another relying party", bytes: passkey(func(a *keytest.Assertion) { a.RPID = "evil.example" }), code: command.WrongRP},
	{name: "passkey: nobody touched it", bytes: passkey(func(a *keytest.Assertion) { a.Flags = keytest.FlagUserVerified }), code: command.UserNotPresent},
	{name: "passkey: nobody was recognised", bytes: passkey(func(a *keytest.Assertion) { a.Flags = keytest.FlagUserPresent }), code: command.UserNotVerified},
	{name: "passkey: high s", bytes: passkey(func(a *keytest.Assertion) { a.HighS = true }), code: command.HighS},
	{name: "passkey: another signature", bytes: passkey(func(a *keytest.Assertion) { a.BadSig = true }), code: command.BadSignature},
	{name: "passkey: made when the key was created", bytes: passkey(func(a *keytest.Assertion) { a.Type = "webauthn.create" }), code: command.BadSignature},
	{name: "passkey: 64 plain bytes in place of an assertion", bytes: func(w *world) []byte {
		phone := keytest.Phone("phone")
		w.addKeys(phone)
		b := w.body(func(b *command.Body) { b.Key = phone.Public().ID() })
		b.Version, b.Type = command.Version, command.TypeInvoke
		return codec.MustMarshal(command.Envelope{Body: codec.MustMarshal(b), Sigs: []command.Sig{{Key: b.Key, Bytes: make(key.Signature, 64)}}})
	}, code: command.BadSignature},
}

// passkey makes an attack of a command that a phone of the owner signs with a
// changed assertion.
func passkey(change func(*keytest.Assertion)) func(*world) []byte {
	return func(w *world) []byte {
		phone := keytest.Phone("phone")
		w.addKeys(phone)
		b := w.body(func(b *command.Body) { b.Key = phone.Public().ID() })
		if change != nil {
			phone = phone.With(change)
		}
		return w.sign(b, phone)
	}
}

// addKeys gives the owner's account further keys that may invoke.
func (w *world) addKeys(more ...key.Signer) {
	w.t.Helper()
	w.rotate(func(p *tx.RotateKeys) {
		for _, k := range more {
			p.Keys = append(p.Keys, tx.AccountKey{Key: k.Public(), Rights: tx.RightInvoke})
		}
	}, more...)
}

// rotate changes the keys of the owner's account, which new keys sign too.
func (w *world) rotate(change func(*tx.RotateKeys), news ...key.Signer) {
	w.t.Helper()
	p := &tx.RotateKeys{Version: 1, Threshold: 1, Keys: []tx.AccountKey{{Key: owner.Public(), Rights: tx.RightAdmin | tx.RightInvoke}}}
	change(p)
	t := w.build(owner, p, tx.RoleAccount)
	for _, k := range news {
		t.Sign(w.chain, tx.RoleNewKey, k)
	}
	w.commit(t)
}

// negate gives the other s of a secp256k1 signature.
func negate(sig key.Signature) key.Signature {
	var s secp256k1.ModNScalar
	s.SetByteSlice(sig[32:])
	high := s.Negate().Bytes()
	return slices.Concat(sig[:32], high[:])
}

// both is two signatures in their order.
func both(a, b command.Sig) []command.Sig {
	if bytes.Compare(a.Key[:], b.Key[:]) > 0 {
		a, b = b, a
	}
	return []command.Sig{a, b}
}
