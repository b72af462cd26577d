// Package manifest says what a test network consists of: how many validators,
// full nodes and devices, and whether there is a bridge.
//
// It starts nothing: testnet/harness does. Callers use Parse for a file, Shape
// for a network that has a name, or fill a Manifest and call Validate.
//
// What must never change: the names in the file; a name that is not known is
// refused, never ignored.
package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"

	"github.com/BurntSushi/toml"
)

// Manifest is a network in numbers. The file is TOML.
//
// Evolution: names are fixed; new ones are optional and mean "none" when they
// are left out.
type Manifest struct {
	// Name is the ledger's chain id.
	Name string `toml:"name" json:"name"`
	// Validators make blocks; with fewer than four none may fail.
	Validators int `toml:"validators" json:"validators"`
	// FullNodes follow and serve, but have no vote.
	FullNodes int `toml:"full_nodes" json:"full_nodes"`
	// Devices are locks, each an agent, a bus and a lock app.
	Devices int `toml:"devices" json:"devices"`
	// Bridge adds the MQTT bridge.
	Bridge bool `toml:"bridge" json:"bridge"`
	// Phone lets every node serve the phone page, on localhost.
	Phone bool `toml:"phone" json:"phone"`
	// LogLevel is that of nodes and agents: debug, info, warn or error.
	LogLevel string `toml:"log_level" json:"log_level"`
}

// Default is what a file without any name in it means.
func Default() Manifest {
	return Manifest{Name: "hybridos-testnet", Validators: 4, Devices: 1, LogLevel: "info"}
}

// ErrInvalid: a value is missing or out of its range.
var ErrInvalid = errors.New("invalid manifest")

// nameForm is that of a chain id (chain/genesis), with a length that leaves
// room for it in paths.
var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{2,}$`)

// Validate checks every value.
func (m Manifest) Validate() error {
	if !nameForm.MatchString(m.Name) || len(m.Name) > MaxName {
		return fmt.Errorf("%w: name %q: want 3 to %d of a-z, 0-9 and '-'", ErrInvalid, m.Name, MaxName)
	}
	for _, n := range []struct {
		name            string
		value, min, max int
	}{
		{"validators", m.Validators, 1, MaxValidators},
		{"full_nodes", m.FullNodes, 0, MaxFullNodes},
		{"devices", m.Devices, 0, MaxDevices},
	} {
		if n.value < n.min || n.value > n.max {
			return fmt.Errorf("%w: %s = %d, want %d to %d", ErrInvalid, n.name, n.value, n.min, n.max)
		}
	}
	if m.Bridge && m.Devices == 0 {
		return fmt.Errorf("%w: a bridge needs a device to show", ErrInvalid)
	}
	switch m.LogLevel {
	case "debug", "info", "warn", "error":
		return nil
	}
	return fmt.Errorf("%w: log_level %q: want debug, info, warn or error", ErrInvalid, m.LogLevel)
}

// Parse reads a manifest over the defaults and checks it.
func Parse(b []byte) (Manifest, error) {
	m := Default()
	if len(b) > MaxBytes {
		return m, fmt.Errorf("%w: %d bytes, at most %d", ErrInvalid, len(b), MaxBytes)
	}
	meta, err := toml.NewDecoder(bytes.NewReader(b)).Decode(&m)
	if err != nil {
		return m, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if odd := meta.Undecoded(); len(odd) > 0 {
		return m, fmt.Errorf("%w: unknown name %q", ErrInvalid, odd[0].String())
	}
	return m, m.Validate()
}

// Load reads a manifest from a file.
func Load(path string) (Manifest, error) {
	f, err := os.Open(path)
	if err != nil {
		return Manifest{}, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, MaxBytes+1))
	if err != nil {
		return Manifest{}, err
	}
	m, err := Parse(b)
	if err != nil {
		return m, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// TOML is the file that means m.
func (m Manifest) TOML() []byte {
	var b bytes.Buffer
	if err := toml.NewEncoder(&b).Encode(m); err != nil {
		panic("manifest: encode: " + err.Error())
	}
	return b.Bytes()
}
