package home

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/multiformats/go-multiaddr"

	"github.com/hybridos-net/hybridos/chain/tx"
)

// Config is what config.toml holds. Addresses are host:port; port 0 takes a
// free one. The zero value of a list means none.
type Config struct {
	// Name is told to peers.
	Name string `toml:"name"`
	// P2P is where the consensus network listens.
	P2P string `toml:"p2p_listen"`
	// P2PExternal is the address told to peers, if it is another.
	P2PExternal string `toml:"p2p_external"`
	// P2PPeers are id@host:port of other nodes.
	P2PPeers []string `toml:"p2p_peers"`
	// Mesh is where devices, wallets and other nodes connect.
	Mesh string `toml:"mesh_listen"`
	// MeshAnnounce are multiaddresses told instead of the listening ones.
	MeshAnnounce []string `toml:"mesh_announce"`
	// MeshPeers are multiaddresses, with /p2p/, of nodes to stay connected to.
	MeshPeers []string `toml:"mesh_peers"`
	// MeshRelay: devices that no wallet can dial are reached through this node.
	MeshRelay bool `toml:"mesh_relay"`
	// HTTP is where the API listens; loopback only.
	HTTP string `toml:"http_listen"`
	// Phone is where the page for phones listens; empty for nowhere.
	Phone string `toml:"phone_listen"`
	// PhoneHosts are the names under which phones reach it; none means localhost
	// on this machine only.
	PhoneHosts []string `toml:"phone_hosts"`
	// PhoneCert and PhoneKey are PEM files; with them the page is served by TLS.
	PhoneCert string `toml:"phone_tls_cert"`
	PhoneKey  string `toml:"phone_tls_key"`
	// RPC is where CometBFT's own RPC listens; loopback only, empty for none.
	RPC string `toml:"rpc_listen"`
	// LogLevel is debug, info, warn or error.
	LogLevel string `toml:"log_level"`
	// SnapshotInterval: a snapshot of the state for nodes that join after every
	// so many blocks; 0 for none.
	SnapshotInterval int64 `toml:"snapshot_interval"`
	// SnapshotKeep is how many of them stay.
	SnapshotKeep int64 `toml:"snapshot_keep"`
	// KeepBlocks is how many blocks stay; 0 for all.
	KeepBlocks int64 `toml:"keep_blocks"`
	// StateSync: a home without blocks begins with a snapshot of its peers.
	StateSync bool `toml:"state_sync"`
	// TrustHeight and TrustHash name a header that the operator trusts, where the
	// genesis document is older than the trusting period.
	TrustHeight int64  `toml:"trust_height"`
	TrustHash   string `toml:"trust_hash"`
	// SkipUpgrades are upgrades of the ledger at which this program goes on
	// although it is none of theirs.
	SkipUpgrades []string `toml:"skip_upgrade"`
}

// Default is the configuration of a new home.
func Default() Config {
	return Config{
		Name: "hosd", P2P: "127.0.0.1:27656", Mesh: "127.0.0.1:27700", HTTP: "127.0.0.1:27780", LogLevel: "info",
		MeshRelay: true, SnapshotInterval: 1000, SnapshotKeep: 2, KeepBlocks: 14 * 24 * 360,
	}
}

// Validate checks every value.
func (c Config) Validate() error {
	if c.Name == "" || len(c.Name) > maxName || strings.Trim(c.Name, printable) != "" {
		return fmt.Errorf("name %q: want 1 to %d of A-Z, a-z, 0-9, '-', '_' and '.'", c.Name, maxName)
	}
	for _, a := range []struct {
		name, addr string
		optional   bool
		loopback   bool
	}{
		{"p2p_listen", c.P2P, false, false}, {"p2p_external", c.P2PExternal, true, false},
		{"mesh_listen", c.Mesh, false, false},
		{"http_listen", c.HTTP, false, true}, {"rpc_listen", c.RPC, true, true},
	} {
		if a.addr == "" && a.optional {
			continue
		}
		if err := checkAddr(a.addr, a.loopback); err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
	}
	if err := c.checkPhone(); err != nil {
		return err
	}
	if err := c.checkSync(); err != nil {
		return err
	}
	switch c.LogLevel {
	case "debug", "info", "warn", "error":
	default:
		return fmt.Errorf("log_level %q: want debug, info, warn or error", c.LogLevel)
	}
	for _, name := range c.SkipUpgrades {
		if !tx.ValidName(name) {
			return fmt.Errorf("skip_upgrade: %q is no upgrade's name", name)
		}
	}
	return c.checkPeers()
}

const printable = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."

func (c Config) checkPeers() error {
	if len(c.P2PPeers) > MaxPeers || len(c.MeshPeers) > MaxPeers || len(c.MeshAnnounce) > MaxPeers {
		return fmt.Errorf("more than %d peers in a list", MaxPeers)
	}
	for _, p := range c.P2PPeers {
		id, addr, ok := strings.Cut(p, "@")
		if !ok || len(id) != 40 || strings.Trim(id, "0123456789abcdef") != "" {
			return fmt.Errorf("p2p_peers: %q is not id@host:port", p)
		}
		if err := checkAddr(addr, false); err != nil {
			return fmt.Errorf("p2p_peers: %w", err)
		}
	}
	for _, list := range [][]string{c.MeshPeers, c.MeshAnnounce} {
		for _, p := range list {
			if _, err := multiaddr.NewMultiaddr(p); err != nil {
				return fmt.Errorf("mesh address %q: %w", p, err)
			}
		}
	}
	return nil
}

func checkAddr(addr string, loopback bool) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%q is not host:port", addr)
	}
	if _, err := net.LookupPort("tcp", port); err != nil || host == "" {
		return fmt.Errorf("%q is not host:port", addr)
	}
	if ip := net.ParseIP(host); loopback && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("%q is not a loopback address", addr)
	}
	return nil
}

// MeshAddr is the mesh address as a multiaddress.
func (c Config) MeshAddr() (string, error) {
	host, port, err := net.SplitHostPort(c.Mesh)
	if err != nil {
		return "", fmt.Errorf("mesh_listen: %w", err)
	}
	switch ip := net.ParseIP(host); {
	case ip == nil:
		return "/dns/" + host + "/tcp/" + port, nil
	case ip.To4() != nil:
		return "/ip4/" + host + "/tcp/" + port, nil
	default:
		return "/ip6/" + host + "/tcp/" + port, nil
	}
}

// Config reads config.toml. Unknown names are refused: a misspelt one would
// silently leave its default in force.
func (d Dir) Config() (Config, error) {
	f, err := os.Open(d.ConfigFile())
	if err != nil {
		return Config{}, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, MaxConfig+1))
	if err != nil {
		return Config{}, err
	}
	c, err := ParseConfig(raw)
	if err != nil {
		return c, fmt.Errorf("%s: %w", d.ConfigFile(), err)
	}
	return c, nil
}

// ParseConfig reads the TOML form over the defaults. Values are not checked:
// flags and the environment may still replace them.
func ParseConfig(raw []byte) (Config, error) {
	c := Default()
	if len(raw) > MaxConfig {
		return c, fmt.Errorf("over %d bytes", MaxConfig)
	}
	meta, err := toml.NewDecoder(bytes.NewReader(raw)).Decode(&c)
	if err != nil {
		return c, err
	}
	if odd := meta.Undecoded(); len(odd) > 0 {
		return c, fmt.Errorf("unknown name %q", odd[0].String())
	}
	return c, nil
}

func (c Config) encode() []byte {
	var b bytes.Buffer
	b.WriteString("# Configuration of hosd. Flags and HOSD_* variables go before it.\n" +
		"# Phones: phone_listen = \"127.0.0.1:8080\" serves them on this machine; for others\n" +
		"# phone_hosts names the node, and phone_tls_cert and phone_tls_key are PEM files.\n")
	if err := toml.NewEncoder(&b).Encode(c); err != nil {
		panic("home: encode configuration: " + err.Error())
	}
	return b.Bytes()
}
