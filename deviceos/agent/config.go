package agent

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
)

// Config is what agent.toml in the home holds.
type Config struct {
	// Model is shown to who pairs the device.
	Model string `toml:"model"`
	// Nodes are multiaddresses, with /p2p/, of the nodes that are asked for
	// headers and proofs. None of them is trusted.
	Nodes []string `toml:"nodes"`
	// Bus is the path of the bus socket.
	Bus string `toml:"bus"`
	// Listen are multiaddresses; port 0 takes a free one.
	Listen []string `toml:"listen"`
	// Rate is how many commands a second one key may have executed; 0 means
	// gate's default.
	Rate float64 `toml:"commands_per_second"`
	// LogLevel is debug, info, warn or error.
	LogLevel string `toml:"log_level"`
}

// DefaultConfig is the configuration of a new home.
func DefaultConfig() Config {
	return Config{Model: "hybridos-lock", Bus: "/run/hbus/bus.sock", Listen: []string{"/ip4/0.0.0.0/tcp/27800"}, LogLevel: "info"}
}

// LoadConfig reads agent.toml strictly, then the environment: HOS_AGENT_MODEL,
// _NODES, _BUS, _LISTEN and _LOG_LEVEL; lists are separated by commas.
func LoadConfig(home string, getenv func(string) string) (Config, error) {
	cfg := DefaultConfig()
	path := filepath.Join(home, configFile)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return cfg, fmt.Errorf("%s: %w", home, ErrNoHome)
	}
	if err != nil {
		return cfg, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return cfg, err
	}
	if len(raw) > maxConfig {
		return cfg, fmt.Errorf("%s: longer than %d bytes", path, maxConfig)
	}
	meta, err := toml.Decode(string(raw), &cfg)
	if err != nil {
		return cfg, fmt.Errorf("%s: %w", path, err)
	}
	if extra := meta.Undecoded(); len(extra) > 0 {
		return cfg, fmt.Errorf("%s: unknown setting %q", path, extra[0].String())
	}
	cfg.environment(getenv)
	return cfg, nil
}

func (c *Config) environment(getenv func(string) string) {
	for _, v := range []struct {
		name string
		into *string
	}{{"MODEL", &c.Model}, {"BUS", &c.Bus}, {"LOG_LEVEL", &c.LogLevel}} {
		if s := getenv("HOS_AGENT_" + v.name); s != "" {
			*v.into = s
		}
	}
	for _, v := range []struct {
		name string
		into *[]string
	}{{"NODES", &c.Nodes}, {"LISTEN", &c.Listen}} {
		if s := getenv("HOS_AGENT_" + v.name); s != "" {
			*v.into = strings.Split(s, ",")
		}
	}
}

// Validate checks every value.
func (c Config) Validate() error {
	if c.Model == "" || len(c.Model) > maxModel || strings.IndexFunc(c.Model, func(r rune) bool { return r < ' ' || r > '~' }) >= 0 {
		return fmt.Errorf("model %q: want 1 to %d printable ASCII characters", c.Model, maxModel)
	}
	if c.Bus == "" {
		return errors.New("bus: the path of the bus socket is missing")
	}
	if len(c.Nodes) == 0 || len(c.Nodes) > maxNodes {
		return fmt.Errorf("nodes: %d of them, want 1 to %d", len(c.Nodes), maxNodes)
	}
	if _, err := c.nodes(); err != nil {
		return err
	}
	for _, a := range c.Listen {
		if _, err := multiaddr.NewMultiaddr(a); err != nil {
			return fmt.Errorf("listen %q: %w", a, err)
		}
	}
	if len(c.Listen) == 0 || c.Rate < 0 || c.Rate > maxRate {
		return fmt.Errorf("listen is empty, or commands_per_second is not between 0 and %d", maxRate)
	}
	switch c.LogLevel {
	case "debug", "info", "warn", "error":
		return nil
	}
	return fmt.Errorf("log_level %q: want debug, info, warn or error", c.LogLevel)
}

func (c Config) nodes() ([]peer.AddrInfo, error) {
	out := make([]peer.AddrInfo, len(c.Nodes))
	for i, text := range c.Nodes {
		info, err := peer.AddrInfoFromString(text)
		if err != nil {
			return nil, fmt.Errorf("node %q: want a multiaddress that ends in /p2p/ID: %w", text, err)
		}
		out[i] = *info
	}
	return out, nil
}

func (c Config) encode() ([]byte, error) {
	var b bytes.Buffer
	if err := toml.NewEncoder(&b).Encode(c); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
