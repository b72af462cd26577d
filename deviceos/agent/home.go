package agent

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/store/durable"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/deviceos/vault"
)

// The files of a home beside the keys.
const (
	configFile  = "agent.toml"
	genesisFile = "genesis.json"
	busKeyFile  = "bus.pub" // for hbusd --agent-key
	runFile     = "run.json"
	storeDir    = "store"
	batchFile   = "batch.proof" // of a device that was registered with a batch
)

var (
	// ErrNoHome: the directory holds no device.
	ErrNoHome = errors.New("no device lives here")
	// ErrNotRunning: there is no run.json.
	ErrNotRunning = errors.New("no hos-agent is running in this home")
)

// Info is what a vendor needs to register the device.
type Info struct {
	Device  key.DeviceID `json:"device"`
	Key     key.Public   `json:"key"`
	SealKey string       `json:"seal_key"` // hex
	Model   string       `json:"model"`
	ChainID string       `json:"chain_id"`
	Bus     string       `json:"bus_key"` // hex, the agent's key on the bus
}

// Init makes a device in a new or empty directory: its keys, its configuration,
// and its own copy of the genesis document, which it trusts from then on.
func Init(home string, doc *genesis.Doc, cfg Config) (Info, error) {
	if _, err := os.Stat(filepath.Join(home, configFile)); err == nil {
		return Info{}, fmt.Errorf("%s: %w", home, vault.ErrExists)
	}
	if err := os.MkdirAll(home, 0o700); err != nil {
		return Info{}, err
	}
	id, err := vault.CreateIdentity(home, rand.Reader)
	if err != nil {
		return Info{}, err
	}
	info := infoOf(id, doc, cfg.Model)
	text, err := cfg.encode()
	if err != nil {
		return Info{}, err
	}
	// The configuration comes last: with it the home is complete.
	return info, errors.Join(
		durable.Write(filepath.Join(home, genesisFile), doc.JSON()),
		durable.Write(filepath.Join(home, busKeyFile), []byte(info.Bus+"\n")),
		durable.Write(filepath.Join(home, configFile), text),
	)
}

func infoOf(id *vault.Identity, doc *genesis.Doc, model string) Info {
	return Info{
		Device: id.Device.Public().DeviceID(), Key: id.Device.Public(),
		SealKey: hex.EncodeToString(id.Seal.PublicKey().Bytes()), Model: model, ChainID: doc.ChainID,
		Bus: hex.EncodeToString(id.Bus.Public().(ed25519.PublicKey)),
	}
}

// Home is a device's directory, read.
type Home struct {
	Dir     string
	ID      *vault.Identity
	Genesis *genesis.Doc
	Batch   *tx.BatchMember // nil: the device was registered by itself
}

// OpenHome reads keys, genesis document and the proof of a batch, if there is one.
func OpenHome(dir string) (*Home, error) {
	if _, err := os.Stat(filepath.Join(dir, configFile)); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", dir, ErrNoHome)
	}
	id, err := vault.LoadIdentity(dir)
	if err != nil {
		return nil, err
	}
	doc, err := ReadGenesis(filepath.Join(dir, genesisFile))
	if err != nil {
		return nil, err
	}
	h := &Home{Dir: dir, ID: id, Genesis: doc}
	h.Batch, err = h.readBatch()
	return h, err
}

// ReadGenesis reads a genesis document from a file.
func ReadGenesis(path string) (*genesis.Doc, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, genesis.MaxBytes+1))
	if err != nil {
		return nil, err
	}
	doc, err := genesis.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return doc, nil
}

// Run is what a running agent tells about itself in run.json, which is there
// from the moment when it answers until it stops.
//
// Evolution: names are fixed; new ones may come.
type Run struct {
	PID    int          `json:"pid"`
	Device key.DeviceID `json:"device"`
	Listen []string     `json:"listen"` // multiaddresses that end in /p2p/ID
	Bus    string       `json:"bus"`    // path of the bus socket
}

// ReadRun reads run.json of a home.
func ReadRun(home string) (Run, error) {
	var r Run
	f, err := os.Open(filepath.Join(home, runFile))
	if errors.Is(err, fs.ErrNotExist) {
		return r, fmt.Errorf("%s: %w", home, ErrNotRunning)
	}
	if err != nil {
		return r, err
	}
	defer f.Close()
	if err := json.NewDecoder(io.LimitReader(f, maxConfig)).Decode(&r); err != nil {
		return r, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return r, nil
}

func writeRun(home string, r Run) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return durable.Write(filepath.Join(home, runFile), append(b, '\n'))
}

func removeRun(home string) error {
	if err := os.Remove(filepath.Join(home, runFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
