// Package settings reads the bridge's configuration file.
//
// It is not the configuration of a running bridge (mqttbridge.Config), which is
// made out of it. Entry points: Load and Settings.Validate. What must never
// change: the file is read strictly, so that a mistyped key is an error and never
// a silent default.
package settings

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/multiformats/go-multiaddr"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/mqttbridge/topicmap"
)

// Settings is the configuration file, in TOML.
//
// Rules of evolution: keys are fixed, new keys are optional.
type Settings struct {
	// Listen is the loopback address for MQTT; empty is the default port.
	Listen string `toml:"listen"`
	// Accounts is the accounts file; empty is accounts.json in Home.
	Accounts string `toml:"accounts"`
	// Home is the bridge's own folder, where its keys are.
	Home string `toml:"home"`
	// Genesis is the genesis file that pins the ledger.
	Genesis string `toml:"genesis"`
	// Nodes are the multiaddrs of full nodes, with their peer ids.
	Nodes []string `toml:"nodes"`
	// Devices are the devices to be shown.
	Devices []Device `toml:"device"`
}

// Device is one [[device]] table.
type Device struct {
	// ID is the device id (hosdev1…).
	ID string `toml:"id"`
	// Name is shown to people.
	Name string `toml:"name"`
	// Addrs are the device's multiaddrs, with its peer id.
	Addrs []string `toml:"addrs"`
	// Grant is the id of the grant that the owner gave to the delegate key, 64
	// hex digits. Without it every command will be refused by the device.
	Grant string `toml:"grant"`
	// Mapping is the kind of thing it is; empty is a lock.
	Mapping string `toml:"mapping"`
}

// Load reads the file at path. Relative paths in it are relative to its folder.
func Load(path string) (Settings, error) {
	f, err := os.Open(path)
	if err != nil {
		return Settings{}, fmt.Errorf("open settings: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return Settings{}, fmt.Errorf("read settings: %w", err)
	}
	s, err := Decode(data)
	if err != nil {
		return Settings{}, fmt.Errorf("%s: %w", path, err)
	}
	dir := filepath.Dir(path)
	if s.Accounts == "" {
		s.Accounts = filepath.Join(s.Home, "accounts.json")
	}
	for _, p := range []*string{&s.Accounts, &s.Home, &s.Genesis} {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
	return s, nil
}

// Decode reads settings strictly and validates them.
func Decode(data []byte) (Settings, error) {
	if len(data) > maxFile {
		return Settings{}, fmt.Errorf("settings are larger than %d bytes", maxFile)
	}
	var s Settings
	meta, err := toml.Decode(string(data), &s)
	if err != nil {
		return Settings{}, fmt.Errorf("settings: %w", err)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return Settings{}, fmt.Errorf("settings: unknown key %s", unknown[0])
	}
	return s, s.Validate()
}

// Validate checks all that can be checked without the network.
func (s Settings) Validate() error {
	if s.Home == "" {
		return fmt.Errorf("settings: home is missing")
	}
	if len(s.Nodes) > maxNodes {
		return fmt.Errorf("settings: more than %d nodes", maxNodes)
	}
	for _, n := range s.Nodes {
		if err := validateAddr(n); err != nil {
			return fmt.Errorf("settings: node: %w", err)
		}
	}
	for i, d := range s.Devices {
		if err := d.validate(); err != nil {
			return fmt.Errorf("settings: device %d: %w", i+1, err)
		}
		if slices.ContainsFunc(s.Devices[:i], func(e Device) bool { return e.ID == d.ID }) {
			return fmt.Errorf("settings: device %s stands twice", d.ID)
		}
	}
	return nil
}

// validateAddr demands a peer id, without which nobody knows who answers.
func validateAddr(s string) error {
	a, err := multiaddr.NewMultiaddr(s)
	if err != nil {
		return fmt.Errorf("%q: %w", s, err)
	}
	if _, err := a.ValueForProtocol(multiaddr.P_P2P); err != nil {
		return fmt.Errorf("%q has no /p2p/ peer id", s)
	}
	return nil
}

func (d Device) validate() error {
	if _, err := key.ParseDeviceID(d.ID); err != nil {
		return fmt.Errorf("id: %w", err)
	}
	if strings.TrimSpace(d.Name) == "" {
		return fmt.Errorf("name is missing")
	}
	if len(d.Addrs) > maxNodes {
		return fmt.Errorf("more than %d addresses", maxNodes)
	}
	for _, a := range d.Addrs {
		if err := validateAddr(a); err != nil {
			return fmt.Errorf("address: %w", err)
		}
	}
	if d.Grant != "" {
		if _, err := tx.ParseID(d.Grant); err != nil {
			return fmt.Errorf("grant: %w", err)
		}
	}
	if d.Mapping != "" {
		if _, ok := topicmap.Find(d.Mapping); !ok {
			return fmt.Errorf("mapping %q is not known", d.Mapping)
		}
	}
	return nil
}
