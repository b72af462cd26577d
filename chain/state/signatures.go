package state

import (
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Signed is one signature of a transaction and the key that it must fit.
type Signed struct {
	Key key.Public
	Sig key.Signature
}

// Signatures foretells which signatures Check would verify if t executed on v,
// so that a validator can verify many at once before it executes a block. It
// decides nothing: the list is empty or short where v does not know the signers
// yet, and Check looks at every signature for itself.
func Signatures(v View, t *tx.Tx) []Signed {
	rule, err := ruleOf(t.Body.Kind)
	if err != nil {
		return nil
	}
	signers, err := rule.signers(v, t)
	if err != nil {
		return nil
	}
	out := make([]Signed, 0, len(t.Sigs))
	for _, s := range t.Sigs {
		if k, ok := findKey(signers, s); ok {
			out = append(out, Signed{Key: k, Sig: s.Bytes})
		}
	}
	return out
}
