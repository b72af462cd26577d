// Package vault is what a device keeps over a power cut: its secret keys, each
// in a file of its own, and a small ordered store whose writes are on disk when
// they are reported done.
//
// It does not know what the records mean; deviceos/gate does. Secrets are kept
// in plain on the device (mode 0600): whoever can read its disk owns the device
// anyway. Callers start at Open for records and at LoadIdentity for keys.
//
// What must never change: a Commit that returned nil survives a power cut; two
// commits reach the disk in the order in which they were queued, so that what
// survives is always a prefix; the first byte of a key says what it holds.
package vault

import (
	"fmt"
	"log/slog"
	"sync"

	"github.com/hybridos-net/hybridos/chain/store/kv"
)

const (
	layoutName    = "hybridos/device"
	layoutVersion = 1
)

// Family is the first byte of a record's key. Bytes are append-only.
type Family byte

// The families.
const (
	// FamilyOwner: who owns the device, one record.
	FamilyOwner Family = 'o'
	// FamilyHead: the light client's state, one record.
	FamilyHead Family = 'h'
	// FamilyCommand: intents and receipts by command id.
	FamilyCommand Family = 'c'
	// FamilyLane: replay lanes by key id and salt.
	FamilyLane Family = 'l'
	// FamilyTail: the end of the receipt chain, one record.
	FamilyTail Family = 't'
	// FamilyClaim: claims that the device signed and has not yet found on the
	// ledger.
	FamilyClaim Family = 'p'
	// FamilyTime: the stored floor of the clock, one record.
	FamilyTime Family = 'f'
)

// Key is a record's key in a family.
func (f Family) Key(rest ...byte) []byte { return append([]byte{byte(f)}, rest...) }

// Config configures Open. The zero value is usable.
type Config struct {
	// FS is nil for the operating system's file system.
	FS kv.FS
	// Logger is nil for none.
	Logger *slog.Logger
}

// Vault is the open store; safe for concurrent use.
type Vault struct {
	db *kv.DB

	mu      sync.Mutex
	queue   []*Pending
	writing bool // somebody is writing a group
}

// Open opens or creates the store in dir; errors are those of kv.Open.
func Open(dir string, cfg Config) (*Vault, error) {
	db, err := kv.Open(dir, kv.Options{
		FS: cfg.FS, Logger: cfg.Logger, Layout: layoutName, LayoutVersion: layoutVersion,
		CacheBytes: cacheBytes, MemTableBytes: kv.MinMemTableBytes, OpenFiles: openFiles,
	})
	if err != nil {
		return nil, fmt.Errorf("open the device's store: %w", err)
	}
	return &Vault{db: db}, nil
}

// Get reads a record; nil if there is none.
func (v *Vault) Get(k []byte) ([]byte, error) { return v.db.Get(k) }

// Each calls f with every record of a family in key order until f fails. Key
// and value are valid only during the call; the family's byte is cut off.
func (v *Vault) Each(family Family, f func(rest, value []byte) error) (err error) {
	it, err := v.db.NewIterator([]byte{byte(family)}, []byte{byte(family) + 1}, kv.Forward)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := it.Close(); err == nil {
			err = cerr
		}
	}()
	for ; it.Valid(); it.Next() {
		if err := f(it.Key()[1:], it.Value()); err != nil {
			return err
		}
	}
	return it.Error()
}

// Failed is closed when the disk has failed or is full; the process should end
// with Err, since nothing more will be written.
func (v *Vault) Failed() <-chan struct{} { return v.db.Failed() }

// Err is what stopped the store, or nil.
func (v *Vault) Err() error { return v.db.Err() }

// Close waits for what is under way and releases the directory.
func (v *Vault) Close() error { return v.db.Close() }

// Blob is one record with the methods that chain/light's store asks for.
type Blob struct {
	vault *Vault
	key   []byte
}

// Blob gives the single record of a family.
func (v *Vault) Blob(f Family) *Blob { return &Blob{vault: v, key: f.Key()} }

// Load reads the record; nil if there is none.
func (b *Blob) Load() ([]byte, error) { return b.vault.Get(b.key) }

// Save replaces the record; it is on disk when Save returns.
func (b *Blob) Save(value []byte) error { return b.vault.Commit(Write{Key: b.key, Value: value}) }
