package keystore

import (
	"fmt"
	"io"

	"github.com/hybridos-net/hybridos/chain/key"
)

// entry is one key with the entropy behind it.
type entry struct {
	entropy []byte
	key     *key.Private
}

// Ring is an opened key file: the secret keys of one account. Printing it
// shows no secret. Callers Zero it when they are done. Not safe for concurrent
// use.
type Ring struct {
	account key.AccountID
	entries []entry
	active  int
}

func newRing(h header, s secrets) (*Ring, error) {
	if len(s.Entropy) != len(h.Keys) {
		return nil, refuse(Corrupt, fmt.Sprintf("%d secrets for %d keys", len(s.Entropy), len(h.Keys)))
	}
	r := &Ring{account: h.Account, active: int(h.Active)}
	for i, entropy := range s.Entropy {
		k, err := deriveKey(entropy)
		if err != nil {
			r.Zero()
			return nil, refuse(Corrupt, err.Error())
		}
		r.entries = append(r.entries, entry{entropy, k})
		if !k.Public().Equal(h.Keys[i]) {
			r.Zero()
			return nil, refuse(Corrupt, "a public key does not belong to its secret")
		}
	}
	return r, nil
}

// Account is the account that the keys act for.
func (r *Ring) Account() key.AccountID { return r.account }

// SetAccount makes the keys act for another account, for a key that was added
// to an account which exists.
func (r *Ring) SetAccount(id key.AccountID) { r.account = id }

// Active is the key that signs. It belongs to the ring.
func (r *Ring) Active() *key.Private { return r.entries[r.active].key }

// Find gives the secret key with the given id, if the ring holds it.
func (r *Ring) Find(id key.KeyID) (*key.Private, bool) {
	for _, e := range r.entries {
		if e.key.Public().ID() == id {
			return e.key, true
		}
	}
	return nil, false
}

// Use makes the key with the given id the one that signs.
func (r *Ring) Use(id key.KeyID) error {
	for i, e := range r.entries {
		if e.key.Public().ID() == id {
			r.active = i
			return nil
		}
	}
	return refuse(NoKey, id.String())
}

// Add makes a new key from random and keeps it beside the others; the active
// one stays.
func (r *Ring) Add(random io.Reader) (key.Public, error) {
	entropy := make([]byte, EntropySize)
	if _, err := io.ReadFull(random, entropy); err != nil {
		return key.Public{}, fmt.Errorf("read random: %w", err)
	}
	return r.add(entropy)
}

func (r *Ring) add(entropy []byte) (key.Public, error) {
	if len(r.entries) >= MaxKeys {
		return key.Public{}, refuse(Full, fmt.Sprintf("%d keys", len(r.entries)))
	}
	k, err := deriveKey(entropy)
	if err != nil {
		return key.Public{}, err
	}
	r.entries = append(r.entries, entry{entropy, k})
	return k.Public(), nil
}

// Words gives the 24 words of the active key.
func (r *Ring) Words() (string, error) { return Words(r.entries[r.active].entropy) }

// Zero wipes all secrets; the ring is unusable afterwards.
func (r *Ring) Zero() {
	for _, e := range r.entries {
		clear(e.entropy)
		e.key.Zero()
	}
	r.entries = nil
}

// String shows no secret.
func (r *Ring) String() string { return "keys of " + r.account.String() + " (hidden)" }

// GoString shows no secret.
func (r *Ring) GoString() string { return r.String() }
