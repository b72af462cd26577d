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
	"sync"
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
	// FamilyUse: how often a grant was used, by grant id.
	FamilyUse Family = 'u'
	// FamilyPolicy: the newest policy that the owner's signature was found under,
	// one record.
	FamilyPolicy Family = 'y'
	// FamilyResource: the newest command to a part of the device that only one can
	// have at a time, by the part's name.
	FamilyResource Family = 'x'
	// FamilyTrail: the last receipts with their commands, by counter.
	FamilyTrail Family = 'r'
)

// Key is a record's key in a family.
func (f Family) Key(rest ...byte) []byte { return append([]byte{byte(f)}, rest...) }

// Config configures Open. The zero value is usable.
type Config struct {
	// FS is nil for the operating system's file system.
	FS FS
}

// Vault is the open store; safe for concurrent use.
type Vault struct {
	dir    string
	log    *log
	failed chan struct{}

	mu      sync.Mutex
	queue   []*Pending
	writing bool  // somebody is writing a group
	err     error // what stopped the store
	closed  bool
}

// Open opens or creates the store in dir. Errors are *Error.
func Open(dir string, cfg Config) (*Vault, error) {
	if cfg.FS == nil {
		cfg.FS = disk{}
	}
	l, err := openLog(cfg.FS, dir)
	if err != nil {
		return nil, err
	}
	return &Vault{dir: dir, log: l, failed: make(chan struct{})}, nil
}

// Get reads a record; nil if there is none.
func (v *Vault) Get(k []byte) ([]byte, error) {
	if err := v.usable(); err != nil {
		return nil, err
	}
	return v.log.get(string(k))
}

// Each calls f with every record of a family in key order until f fails; the
// family's byte is cut off. Records that change meanwhile may be seen either
// way.
func (v *Vault) Each(family Family, f func(rest, value []byte) error) error {
	if err := v.usable(); err != nil {
		return err
	}
	for _, k := range v.log.keys(byte(family)) {
		value, err := v.log.get(k)
		if err != nil {
			return err
		}
		if value == nil {
			continue
		}
		if err := f([]byte(k[1:]), value); err != nil {
			return err
		}
	}
	return nil
}

func (v *Vault) usable() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return &Error{Kind: Closed, Dir: v.dir, Detail: "the store is closed"}
	}
	return nil
}

// Failed is closed when the disk has failed or is full; the process should end
// with Err, since nothing more will be written.
func (v *Vault) Failed() <-chan struct{} { return v.failed }

// Err is what stopped the store, or nil.
func (v *Vault) Err() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.err
}

// Close releases the directory; call it when no Commit is under way. A second
// call does nothing.
func (v *Vault) Close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return nil
	}
	v.closed = true
	if err := v.log.close(); err != nil {
		return fault(v.dir, "close", err)
	}
	return nil
}

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
