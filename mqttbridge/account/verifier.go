package account

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"sync"
	"sync/atomic"
)

// VerifierConfig bounds the cost of logins. The zero value takes the defaults.
type VerifierConfig struct {
	// Concurrency is how many hashes are computed at once.
	Concurrency int
	// Waiting is how many logins may wait for their turn.
	Waiting int
}

// Verifier checks logins against a Book with bounded memory. It is safe for
// concurrent use.
type Verifier struct {
	book    *Book
	dummy   hash
	slots   chan struct{}
	waiting atomic.Int64
	queue   int64

	// good holds a tag of each account's password once it was right: who has
	// logged in before need not stand in the queue with those who guess. The key
	// is drawn at the start and never leaves the process.
	tagKey [32]byte
	mu     sync.Mutex
	good   map[string][32]byte
}

// NewVerifier makes a Verifier; it starts nothing.
func NewVerifier(book *Book, cfg VerifierConfig) (*Verifier, error) {
	if book == nil || cfg.Concurrency < 0 || cfg.Waiting < 0 {
		return nil, errors.New("mqtt account: verifier needs a book and no negative bounds")
	}
	if cfg.Concurrency == 0 {
		cfg.Concurrency = DefaultConcurrency
	}
	if cfg.Waiting == 0 {
		cfg.Waiting = DefaultWaiting
	}
	v := &Verifier{book: book, slots: make(chan struct{}, cfg.Concurrency), queue: int64(cfg.Waiting), good: map[string][32]byte{}}
	rand.Read(v.tagKey[:]) // never fails (crypto/rand, since Go 1.24)
	// An unknown name costs what the first account costs. The sum is all zero
	// bytes: no password leads to it, and the verdict does not rest on it.
	v.dummy = hash{cost: DefaultCost(), salt: make([]byte, 16), sum: make([]byte, 32)}
	if len(book.accounts) > 0 {
		v.dummy.cost = book.hashes[book.accounts[0].Name].cost
	}
	return v, nil
}

// Verify returns the account if name and password belong together. Otherwise
// the error is of kind Refused, or Busy when too many logins wait or ctx ends
// before a turn came.
func (v *Verifier) Verify(ctx context.Context, name string, password []byte) (Account, error) {
	tag := v.tag(name, password)
	if v.seen(name, tag) {
		if found, listed := v.book.Lookup(name); listed {
			return found, nil
		}
	}
	if v.waiting.Add(1) > v.queue {
		v.waiting.Add(-1)
		return Account{}, refuse(Busy, "too many logins wait")
	}
	select {
	case v.slots <- struct{}{}:
		v.waiting.Add(-1)
	case <-ctx.Done():
		v.waiting.Add(-1)
		return Account{}, refuse(Busy, "no turn in time: %v", context.Cause(ctx))
	}
	defer func() { <-v.slots }()

	h, known := v.book.hashes[name]
	if !known {
		h = v.dummy
	}
	fits := len(password) <= maxPassword
	if !fits {
		password = password[:maxPassword]
	}
	matches := h.matches(password)
	found, listed := v.book.Lookup(name)
	if !known || !fits || !matches || !listed {
		return Account{}, refuse(Refused, "unknown name or wrong password")
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.good[name] = tag
	return found, nil
}

// tag stands for a password in memory; it is of no use outside this process.
func (v *Verifier) tag(name string, password []byte) [32]byte {
	sum := sha256.Sum256([]byte(name)) // fixed length, so that no two pairs run together
	m := hmac.New(sha256.New, v.tagKey[:])
	m.Write(sum[:])
	m.Write(password)
	return [32]byte(m.Sum(nil))
}

// seen tells whether this very password was right before.
func (v *Verifier) seen(name string, tag [32]byte) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	good, ok := v.good[name]
	return ok && hmac.Equal(good[:], tag[:])
}
