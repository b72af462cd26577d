package abci

import (
	"crypto/sha256"

	"github.com/hashicorp/golang-lru/v2"

	"github.com/hybridos-net/hybridos/chain/key"
)

// verified remembers signatures that were found valid, so that a validator
// verifies each once and not at admission, recheck, proposal and execution
// anew. Only successes are kept, under a hash of key, digest and signature, so
// a hit says exactly what the verification would; a miss is always verified.
// Which of the two happened never shows in the result, so validators with
// different caches agree.
type verified struct {
	hits *lru.Cache[[sha256.Size]byte, struct{}]
	keys *lru.Cache[string, key.Checker] // read keys, by their bytes
	miss func()                          // told of each real verification; nil but in tests
}

func newVerified() (*verified, error) {
	hits, err := lru.New[[sha256.Size]byte, struct{}](maxVerified)
	if err != nil {
		return nil, err
	}
	keys, err := lru.New[string, key.Checker](maxKeys)
	return &verified{hits: hits, keys: keys}, err
}

// check is a state.Verifier.
func (v *verified) check(k key.Public, digest [32]byte, sig key.Signature) error {
	name := nameOf(k, digest, sig)
	if _, ok := v.hits.Get(name); ok {
		return nil
	}
	if v.miss != nil {
		v.miss()
	}
	if err := v.verify(k, digest, sig); err != nil {
		return err
	}
	v.hits.Add(name, struct{}{})
	return nil
}

// verify is key.Public.Verify, with the key read only once.
func (v *verified) verify(k key.Public, digest [32]byte, sig key.Signature) error {
	name := string(append([]byte{byte(k.Alg)}, k.Bytes...))
	c, ok := v.keys.Get(name)
	if !ok {
		var err error
		if c, err = k.Checker(); err != nil {
			return k.Verify(digest, sig) // which says what is wrong first
		}
		v.keys.Add(name, c)
	}
	return c.Verify(digest, sig)
}

// nameOf hashes what was verified; key and signature have fixed lengths for
// each algorithm, and the digest stands between them.
func nameOf(k key.Public, digest [32]byte, sig key.Signature) (out [sha256.Size]byte) {
	h := sha256.New()
	h.Write([]byte{byte(k.Alg), byte(len(k.Bytes))})
	h.Write(k.Bytes)
	h.Write(digest[:])
	h.Write(sig)
	h.Sum(out[:0])
	return out
}
