package state

import (
	"fmt"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// signer is one role that must sign: threshold of the listed keys. The keys
// come from the ledger or from a pinned right, never from the signature.
type signer struct {
	role      tx.Role
	keys      []key.Public
	threshold int
}

// Verifier checks one signature. key.Public.Verify is one; a validator may put
// a cache of what it has verified before in front of it.
type Verifier func(k key.Public, digest [32]byte, sig key.Signature) error

// verify is verifyWith, each signature checked afresh.
func verify(t *tx.Tx, digest [32]byte, signers []signer) error {
	return verifyWith(key.Public.Verify, t, digest, signers)
}

// verifyWith demands that every signature of t belongs to a required signer and
// is valid, and that each signer's threshold is reached. A needless signature
// is refused: it would be an unchecked byte string in a record. A key that may
// only invoke can prove that it exists and nothing else; decoding refuses it in
// every other place already, and this holds should a record show one there.
func verifyWith(check Verifier, t *tx.Tx, digest [32]byte, signers []signer) error {
	for _, s := range t.Sigs {
		k, ok := findKey(signers, s)
		if !ok {
			return &Error{Kind: WrongSigner, Detail: fmt.Sprintf("%s may not sign as role %d", s.Key, s.Role)}
		}
		if k.Alg.InvokeOnly() && s.Role != tx.RoleNewKey {
			return &Error{Kind: WrongSigner, Detail: fmt.Sprintf("%s is of algorithm %d, which signs commands only", s.Key, k.Alg)}
		}
		if err := check(k, digest, s.Bytes); err != nil {
			return err
		}
	}
	for _, want := range signers {
		have := 0
		for _, s := range t.Sigs {
			if s.Role == want.role {
				have++
			}
		}
		if have < want.threshold {
			return &Error{Kind: MissingSigner, Detail: fmt.Sprintf("%d of %d signatures of role %d", have, want.threshold, want.role)}
		}
	}
	return nil
}

func findKey(signers []signer, s tx.Sig) (key.Public, bool) {
	for _, want := range signers {
		if want.role != s.Role {
			continue
		}
		for _, k := range want.keys {
			if k.ID() == s.Key {
				return k, true
			}
		}
	}
	return key.Public{}, false
}

// adminSigner is the acting account's threshold of admin keys. It is never
// below one, so that an unset key set gives no right to anybody.
func adminSigner(role tx.Role, a KeySet) signer {
	s := signer{role: role, threshold: max(1, int(a.Threshold))}
	for _, k := range a.Keys {
		if k.Rights&tx.RightAdmin != 0 {
			s.keys = append(s.keys, k.Key)
		}
	}
	return s
}

// accountSigners is the signer list of kinds that only the acting account
// signs.
func accountSigners(v View, t *tx.Tx) ([]signer, error) {
	a, err := GetAccount(v, t.Body.Account)
	if err != nil {
		return nil, err
	}
	return []signer{adminSigner(tx.RoleAccount, a.KeySet)}, nil
}

// accountOrRoot gives the key set of an account that may not exist yet: then
// its root key, which must match the id.
func accountOrRoot(v View, id key.AccountID, root *key.Public) (KeySet, error) {
	a, err := GetAccount(v, id)
	switch {
	case err == nil && root != nil:
		return KeySet{}, &Error{Kind: AccountExists, Detail: id.String()}
	case err == nil:
		return a.KeySet, nil
	case root != nil && root.AccountID() == id && isKind(err, NoAccount):
		return RootKeySet(*root), nil
	default:
		return KeySet{}, err
	}
}
