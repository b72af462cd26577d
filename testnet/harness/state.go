package harness

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/testnet/manifest"
)

// stateVersion is the version of the state file; a higher one is refused.
const stateVersion = 1

// stateFile is the name of the state file in the network's directory.
const stateFile = "testnet.json"

// State is what the state file holds: all that a later invocation needs to look
// after the network.
//
// Evolution: names are fixed; new ones are optional; a change of meaning raises
// the version.
type State struct {
	Version     int               `json:"version"`
	Manifest    manifest.Manifest `json:"manifest"`
	Programs    string            `json:"programs"`     // directory of the programs
	GenesisHash string            `json:"genesis_hash"` // hex
	Complete    bool              `json:"complete"`     // it has been up once
	Nodes       []Node            `json:"nodes"`
	Devices     []Device          `json:"devices"`
	Bridge      *Bridge           `json:"bridge,omitempty"`
	Follows     *Ledger           `json:"follows,omitempty"` // a network of others, joined with one full node
	Sockets     string            `json:"sockets"`           // directory of the bus sockets
	Processes   map[string]Mark   `json:"processes"`
}

// Ledger is how a network of others is reached.
type Ledger struct {
	Peers []string `json:"peers"` // id@host:port of the consensus network
	Mesh  []string `json:"mesh"`  // multiaddresses that end in /p2p/ID
	// StateSync: the node begins with a snapshot of its peers.
	StateSync bool `json:"state_sync,omitempty"`
}

// Node is one hosd.
type Node struct {
	Name      string   `json:"name"`
	Home      string   `json:"home"`
	Validator bool     `json:"validator"`
	Key       string   `json:"key"`             // hex, Ed25519
	P2P       string   `json:"p2p"`             // id@host:port, once it has run
	Mesh      []string `json:"mesh"`            // multiaddresses that end in /p2p/ID
	HTTP      string   `json:"http"`            // base URL
	Phone     string   `json:"phone,omitempty"` // origin of the phone page, if it serves one
}

// Device is one lock.
type Device struct {
	Name    string       `json:"name"`
	Home    string       `json:"home"`
	Bus     string       `json:"bus"`  // socket
	Bolt    string       `json:"bolt"` // the lock's own log of its movements
	ID      key.DeviceID `json:"id"`
	Key     key.Public   `json:"key"`
	SealKey string       `json:"seal_key"` // hex
	Model   string       `json:"model"`
	Addrs   []string     `json:"addrs"` // multiaddresses that end in /p2p/ID
	Nodes   []string     `json:"nodes"` // whom it asks; empty: all of the network
}

// Bridge is the MQTT bridge.
type Bridge struct {
	Config   string     `json:"config"`
	Home     string     `json:"home"`
	Listen   string     `json:"listen"` // host:port, once it has run
	User     string     `json:"user"`
	Password string     `json:"password_file"`
	Key      key.Public `json:"key"` // the delegate key, for hos grant add --to
}

// processes are the names of all processes in the order in which they start.
func (s *State) processes() []string {
	var names []string
	for _, n := range s.Nodes {
		names = append(names, n.Name)
	}
	for _, d := range s.Devices {
		names = append(names, d.Name+"-bus", d.Name+"-lock", d.Name+"-agent")
	}
	if s.Bridge != nil {
		names = append(names, bridgeName)
	}
	return names
}

const bridgeName = "bridge"

// mesh lists where nodes answer.
func (s *State) mesh() []string {
	var out []string
	for _, n := range s.Nodes {
		out = append(out, n.Mesh...)
	}
	return out
}

func loadState(dir string) (*State, error) {
	path := filepath.Join(dir, stateFile)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", dir, ErrNoNetwork)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxState+1))
	if err != nil {
		return nil, err
	}
	s, err := parseState(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// parseState reads the file strictly: processes are killed by what it says.
func parseState(raw []byte) (*State, error) {
	if len(raw) > maxState {
		return nil, fmt.Errorf("longer than %d bytes", maxState)
	}
	var v struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return nil, err
	}
	if v.Version > stateVersion {
		return nil, fmt.Errorf("version %d: %w", v.Version, ErrNewer)
	}
	if v.Version != stateVersion {
		return nil, fmt.Errorf("version %d is not one of a state file", v.Version)
	}
	s := new(State)
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(s); err != nil {
		return nil, err
	}
	for name, m := range s.Processes {
		if m.PID <= 1 {
			return nil, fmt.Errorf("process %s has the number %d", name, m.PID)
		}
	}
	if s.Processes == nil {
		s.Processes = make(map[string]Mark)
	}
	if s.Follows != nil {
		return s, nil
	}
	return s, s.Manifest.Validate()
}

func (s *State) save(dir string) error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return replace(filepath.Join(dir, stateFile), append(b, '\n'), 0o600)
}

// replace writes a file whole or not at all.
func replace(path string, b []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Chmod(mode), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
