// Package keystore keeps an owner's secret keys in one encrypted file:
// argon2id over the passphrase, XChaCha20-Poly1305 over the secrets, the header
// in clear but authenticated. docs/spec/keystore.md has the format.
//
// It asks nobody for a passphrase and knows no ledger; that is wallet/cli.
// Callers start at New, then Store.Create or Store.Unlock.
//
// What must never change: a file of version 1 opens for ever, the derivation
// from 24 words to a key, and that a key file is replaced only by a whole new
// one.
package keystore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/store/durable"
)

// lockWait is how long a change waits for another process's: some ten times
// what stretching a passphrase takes.
const lockWait = 10 * time.Second

// Config says where the file is. All but Path may be left unset.
type Config struct {
	Path   string
	Cost   Cost           // of new writes; unset: DefaultCost
	Random io.Reader      // a cryptographic source; unset: the system's
	Writer durable.Writer // how files are replaced
}

// Store is a key file, existing or not. Safe for concurrent use, also by
// several processes.
type Store struct {
	cfg Config
}

// New gives the store at cfg.Path. It touches nothing.
func New(cfg Config) (*Store, error) {
	if cfg.Cost == (Cost{}) {
		cfg.Cost = DefaultCost()
	}
	if cfg.Random == nil {
		cfg.Random = rand.Reader
	}
	return &Store{cfg: cfg}, cfg.Cost.Validate()
}

// Info is what a key file shows without the passphrase. It is authenticated
// only once Unlock has succeeded.
type Info struct {
	Account key.AccountID
	Active  key.Public
	Keys    []key.Public
	Cost    Cost
}

// Path is where the file stands.
func (s *Store) Path() string { return s.cfg.Path }

// Create makes a key file for the key of entropy (nil: a new one) and never
// overwrites one. A zero account means the one whose first key this is. The
// passphrase may be empty here; asking whether that is meant is up to the
// caller.
func (s *Store) Create(ctx context.Context, pass, entropy []byte, account key.AccountID) (Info, error) {
	if len(pass) > MaxPassphrase {
		return Info{}, refuse(BadPassphrase, fmt.Sprintf("more than %d bytes", MaxPassphrase))
	}
	unlock, err := s.lock(ctx)
	if err != nil {
		return Info{}, err
	}
	defer unlock()
	if _, err := os.Lstat(s.cfg.Path); !errors.Is(err, fs.ErrNotExist) {
		return Info{}, refuse(Exists, s.cfg.Path)
	}
	r := &Ring{account: account}
	defer r.Zero()
	var pub key.Public
	if entropy == nil {
		pub, err = r.Add(s.cfg.Random)
	} else {
		pub, err = r.add(append([]byte(nil), entropy...))
	}
	if err != nil {
		return Info{}, err
	}
	if account.IsZero() {
		r.account = pub.AccountID()
	}
	return s.write(r, pass)
}

// Inspect reads what the file shows in clear.
func (s *Store) Inspect() (Info, error) {
	f, err := s.read()
	if err != nil {
		return Info{}, err
	}
	return f.info(), nil
}

// Unlock opens the file. The caller wipes the ring with Zero.
func (s *Store) Unlock(pass []byte) (*Ring, error) {
	f, err := s.read()
	if err != nil {
		return nil, err
	}
	if len(pass) > MaxPassphrase {
		return nil, refuse(BadPassphrase, fmt.Sprintf("more than %d bytes", MaxPassphrase))
	}
	return f.open(pass)
}

// Update opens the file, lets change work on the ring and writes it back under
// the same passphrase, all under the lock. If change fails, nothing is written.
func (s *Store) Update(ctx context.Context, pass []byte, change func(*Ring) error) (Info, error) {
	return s.update(ctx, pass, pass, change)
}

// ChangePassphrase seals the file anew. A crash at any point leaves it whole
// under one of the two passphrases.
func (s *Store) ChangePassphrase(ctx context.Context, old, next []byte) (Info, error) {
	if len(next) > MaxPassphrase {
		return Info{}, refuse(BadPassphrase, fmt.Sprintf("more than %d bytes", MaxPassphrase))
	}
	return s.update(ctx, old, next, func(*Ring) error { return nil })
}

func (s *Store) update(ctx context.Context, pass, next []byte, change func(*Ring) error) (Info, error) {
	unlock, err := s.lock(ctx)
	if err != nil {
		return Info{}, err
	}
	defer unlock()
	r, err := s.Unlock(pass)
	if err != nil {
		return Info{}, err
	}
	defer r.Zero()
	if err := change(r); err != nil {
		return Info{}, err
	}
	return s.write(r, next)
}

// write seals the ring and reads its own bytes back before they replace the
// old file: what cannot be opened must never take the place of what can.
func (s *Store) write(r *Ring, pass []byte) (Info, error) {
	b, err := seal(r, pass, s.cfg.Cost, s.cfg.Random)
	if err != nil {
		return Info{}, err
	}
	f, err := parse(b)
	if err != nil {
		return Info{}, err
	}
	again, err := f.open(pass)
	if err != nil {
		return Info{}, fmt.Errorf("read back: %w", err)
	}
	again.Zero()
	return f.info(), s.cfg.Writer.Write(s.cfg.Path, b)
}

func (s *Store) lock(ctx context.Context) (func(), error) {
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	unlock, err := durable.Lock(ctx, s.cfg.Path+".lock")
	if errors.Is(err, durable.ErrLocked) {
		return nil, refuse(Locked, s.cfg.Path)
	}
	return unlock, err
}

func (s *Store) read() (*file, error) {
	info, err := os.Stat(s.cfg.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, refuse(NotFound, s.cfg.Path)
	}
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, refuse(Corrupt, s.cfg.Path+" is not a regular file")
	}
	if durable.OthersCanRead(info) {
		return nil, refuse(Insecure, fmt.Sprintf("%s has mode %04o", s.cfg.Path, info.Mode().Perm()))
	}
	b, err := durable.Read(s.cfg.Path, MaxFile)
	if errors.Is(err, durable.ErrTooLarge) {
		return nil, refuse(Corrupt, err.Error())
	}
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	return parse(b)
}

func (f *file) info() Info {
	h := f.header
	return Info{Account: h.Account, Active: h.Keys[h.Active], Keys: h.Keys, Cost: h.Cost}
}
