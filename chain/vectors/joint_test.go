package vectors_test

import (
	"testing"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/vectors"
)

// jointCommandCases are commands that several keys sign, that the ledger must
// seal, and that end another.
func jointCommandCases(t *testing.T) (out []vectors.Case) {
	c := chain()
	accept := func(name, note string, r *command.Command, by ...*key.Private) {
		for _, k := range by {
			r.Sign(c, k)
		}
		b := r.Body
		out = append(out, vectors.Case{Name: "valid/" + name, Note: note, Hex: x(r.Bytes()), In: m{"chain_digest": b32(c), "public": x(by[0].Public().Bytes)},
			Want: m{"id": r.ID(c).String(), "endpoint": b.Endpoint, "method": b.Method, "params": x(b.Params), "nonce": u(b.Nonce), "salt": u(b.Salt), "issued_at": u(b.IssuedAt), "expires": u(b.Expires), "signature": x(r.Sigs[0].Bytes)}})
	}
	sealed := commandBody()
	sealed.Notarise()
	sealed.Expires = sealed.IssuedAt + command.MaxSealedLife
	plain := mustCommand(t, commandBody(), owner)
	of := command.Cancel{Command: plain.ID(c), Until: plain.Body.Expires}
	cancel, err := command.NewCancel(commandBody(), of)
	if err != nil {
		t.Fatal(err)
	}
	notarised, err := command.New(sealed)
	if err != nil {
		t.Fatal(err)
	}
	accept("joint", "two keys have signed; the signature is the first one's", plain, owner, buyer)
	accept("notarised", "extension 8: only when it is sealed, for a day at most", notarised, owner)
	accept("cancel", "type 3: the params name a command and when it expires", cancel, owner)

	refuse := func(name, note string, f func(*command.Body)) {
		b := commandBody()
		f(&b)
		raw := codec.MustMarshal(command.Envelope{Body: codec.MustMarshal(b), Sigs: plain.Sigs})
		out = append(out, vectors.Case{Name: "refused/" + name, Note: note, Hex: x(raw), Want: m{"refused": command.Malformed.String()}})
	}
	ext := func(raw ...byte) func(*command.Body) {
		return func(b *command.Body) { b.Ext = map[uint64]codec.Raw{command.ExtNotarised: raw} }
	}
	ends := func(v any) func(*command.Body) {
		return func(b *command.Body) { b.Type, b.Params = command.TypeCancel, codec.MustMarshal(v) }
	}
	refuse("notarised-false", "extension 8 says false", ext(0xf4))
	refuse("notarised-number", "extension 8 is a number", ext(1))
	refuse("cancel-nothing", "a cancel without params", func(b *command.Body) { b.Type, b.Params = command.TypeCancel, nil })
	refuse("cancel-zeros", "a cancel of a command of zeros", ends(command.Cancel{Until: 1}))
	refuse("cancel-endless", "a cancel of what never expires", ends(command.Cancel{Command: of.Command}))
	refuse("cancel-text", "a cancel of a text", ends("open"))
	refuse("cancel-notarised", "a cancel that would have to be sealed", func(b *command.Body) {
		ends(of)(b)
		b.Notarise()
	})
	return out
}
