// Package home is the folder in which a wallet remembers things: the ledger
// that it follows, the devices it knows, the grants it gave and was given, the
// newest header it verified, and the numbers it has put on commands.
//
// It holds no secret (wallet/keystore does) and nothing that cannot be had
// again from the ledger, except names. Callers use Dir and Open, then the
// methods of Home.
//
// What must never change: two wallets at work at once lose no entry and use no
// command number twice; a file that cannot be understood is refused and left
// alone.
package home

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/hybridos-net/hybridos/chain/store/durable"
)

// Names of the files in the folder.
const (
	keyFile     = "owner.key"
	lockFile    = "lock"
	configFile  = "config.json"
	genesisFile = "genesis.json"
	deviceFile  = "devices.json"
	grantFile   = "grants.json"
	inviteFile  = "invites.json"
	phoneFile   = "phones.json"
	laneFile    = "lane.json"
	headFile    = "head"
)

// lockWait is how long a change waits for another process; each holds the lock
// for some milliseconds.
const lockWait = 10 * time.Second

// Home is the folder. Safe for concurrent use, also by several processes.
type Home struct {
	dir string
}

// Dir tells where the folder is: HOS_HOME, else hybridos below XDG_DATA_HOME,
// else ~/.local/share/hybridos, or what the system uses instead.
func Dir(getenv func(string) string) (string, error) {
	if dir := getenv("HOS_HOME"); dir != "" {
		return filepath.Abs(dir)
	}
	if dir := getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "hybridos"), nil
	}
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		dir, err := os.UserConfigDir()
		if err != nil {
			return "", refuse(NoHome, "%v", err)
		}
		return filepath.Join(dir, "HybridOS"), nil
	}
	dir := getenv("HOME")
	if !filepath.IsAbs(dir) {
		return "", refuse(NoHome, "neither HOS_HOME nor HOME is set")
	}
	return filepath.Join(dir, ".local", "share", "hybridos"), nil
}

// Open gives the folder at dir. It touches nothing; the first write makes the
// folder.
func Open(dir string) *Home { return &Home{dir: dir} }

// Path is the folder's path.
func (h *Home) Path() string { return h.dir }

// KeyPath is where the key file stands.
func (h *Home) KeyPath() string { return h.file(keyFile) }

// Make makes the folder, for its owner only.
func (h *Home) Make() error { return os.MkdirAll(h.dir, durable.DirMode) }

func (h *Home) file(name string) string { return filepath.Join(h.dir, name) }

func (h *Home) lock(ctx context.Context) (func(), error) {
	if err := h.Make(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	unlock, err := durable.Lock(ctx, h.file(lockFile))
	if errors.Is(err, durable.ErrLocked) {
		return nil, refuse(Busy, "%s", h.dir)
	}
	return unlock, err
}

// Head keeps the newest verified header; it is a light.Store.
type Head struct{ h *Home }

// Head gives the keeper of the newest verified header.
func (h *Home) Head() Head { return Head{h} }

// Load returns what was saved last, or nil.
func (s Head) Load() ([]byte, error) {
	b, err := durable.Read(s.h.file(headFile), maxHead)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// Save keeps b in place of what was saved before. Two wallets at once may save
// in any order: an older header is verified forward again.
func (s Head) Save(b []byte) error {
	unlock, err := s.h.lock(context.Background())
	if err != nil {
		return err
	}
	defer unlock()
	return durable.Write(s.h.file(headFile), b)
}
