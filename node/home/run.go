package home

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/hybridos-net/hybridos/chain/store/durable"
)

// Run is what a running hosd tells about itself in run.json. The file is there
// from the moment when all addresses answer until the process stops; one left
// by a killed process is removed at the next start.
//
// Evolution: names are fixed; new ones may come.
type Run struct {
	PID     int    `json:"pid"`
	Name    string `json:"name"`
	ChainID string `json:"chain_id"`
	Genesis string `json:"genesis_hash"` // hex
	// Validator is the hex Ed25519 key that a genesis document would name.
	Validator string `json:"validator"`
	// P2P is id@host:port of the consensus network.
	P2P string `json:"p2p"`
	// Mesh are multiaddresses ending in /p2p/<id>.
	Mesh []string `json:"mesh"`
	// HTTP is the base URL of the API.
	HTTP string `json:"http"`
	// Phone is the origin under which phones reach the page, empty if they are
	// not served.
	Phone string `json:"phone,omitempty"`
	// RPC is host:port of CometBFT's RPC, empty if it is off.
	RPC string `json:"rpc,omitempty"`
}

// ErrNotRunning: there is no run.json.
var ErrNotRunning = errors.New("no hosd is running in this home")

// ReadRun reads run.json of a home.
func ReadRun(root string) (Run, error) {
	var r Run
	f, err := os.Open(Dir(root).RunFile())
	if errors.Is(err, fs.ErrNotExist) {
		return r, fmt.Errorf("%s: %w", root, ErrNotRunning)
	}
	if err != nil {
		return r, err
	}
	defer f.Close()
	if err := json.NewDecoder(io.LimitReader(f, MaxConfig)).Decode(&r); err != nil {
		return r, fmt.Errorf("%s: %w", Dir(root).RunFile(), err)
	}
	return r, nil
}

// WriteRun writes run.json whole.
func (d Dir) WriteRun(r Run) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return durable.Write(d.RunFile(), append(b, '\n'))
}

// RemoveRun removes run.json, if it is there.
func (d Dir) RemoveRun() error {
	if err := os.Remove(d.RunFile()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// ErrLocked: another hosd runs in this home.
var ErrLocked = errors.New("another hosd runs in this home")

// Lock keeps other hosd processes out of the home until Unlock, or until this
// process ends in whatever way.
type Lock struct{ file *os.File }

// Lock takes the home for this process, and ends an import that a crash cut
// off. It fails with ErrLocked at once if another holds it.
func (d Dir) Lock() (*Lock, error) {
	f, err := os.OpenFile(d.lockFile(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lock(f); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", string(d), err), f.Close())
	}
	if err := d.settle(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &Lock{file: f}, nil
}

// Unlock gives the home free.
func (l *Lock) Unlock() error { return l.file.Close() }
