package harness

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/mqttbridge/settings"
)

// mqttUser is the bridge's one login.
const mqttUser = "home"

// createBridge makes a bridge that shows every device and may do nothing yet.
func (n *Network) createBridge(ctx context.Context) error {
	s := n.State()
	root := filepath.Join(n.cfg.Dir, bridgeName)
	b := &Bridge{
		Config: filepath.Join(root, "bridge.toml"), Home: filepath.Join(root, "home"),
		User: mqttUser, Password: filepath.Join(root, "password"),
	}
	if err := os.MkdirAll(root, 0o700); err != nil {
		return err
	}
	cfg := settings.Settings{Listen: "127.0.0.1:0", Home: b.Home, Genesis: n.GenesisFile(), Nodes: s.mesh()}
	args := []string{"account", "add", b.User, "--config", b.Config}
	for _, d := range s.Devices {
		cfg.Devices = append(cfg.Devices, settings.Device{ID: d.ID.String(), Name: d.Name, Addrs: d.Addrs})
		args = append(args, "--device", d.ID.String())
	}
	if err := writeBridge(b.Config, cfg); err != nil {
		return err
	}
	secret := make([]byte, 16)
	if _, err := rand.Read(secret); err != nil {
		return fmt.Errorf("draw a password: %w", err)
	}
	password := hex.EncodeToString(secret) + "\n"
	if err := replace(b.Password, []byte(password), 0o600); err != nil {
		return err
	}
	if _, err := run(ctx, n.cfg.Programs, "hos-bridge", password, nil, args...); err != nil {
		return err
	}
	out, err := run(ctx, n.cfg.Programs, "hos-bridge", "", nil, "key", "show", "--config", b.Config)
	if err != nil {
		return err
	}
	if b.Key, err = key.ParsePublic(strings.TrimSpace(string(out))); err != nil {
		return fmt.Errorf("hos-bridge key show: %w", err)
	}
	return n.change(func(s *State) error { s.Bridge = b; return nil })
}

func writeBridge(path string, cfg settings.Settings) error {
	var b bytes.Buffer
	if err := toml.NewEncoder(&b).Encode(cfg); err != nil {
		return err
	}
	return replace(path, b.Bytes(), 0o600)
}

// keepBridgeAddr writes the port that the bridge took into its settings, so
// that clients find it there after a restart.
func (n *Network) keepBridgeAddr(b *Bridge, addr string) error {
	cfg, err := settings.Load(b.Config)
	if err != nil {
		return err
	}
	b.Listen, cfg.Listen = addr, addr
	return writeBridge(b.Config, cfg)
}

// GrantBridge tells the bridge which grant to use for a device, and starts it
// anew.
func (n *Network) GrantBridge(ctx context.Context, device, grant string) error {
	if _, err := tx.ParseID(grant); err != nil {
		return err
	}
	d, err := n.Device(device)
	if err != nil {
		return err
	}
	b := n.State().Bridge
	if b == nil {
		return fmt.Errorf("%s: %w", bridgeName, ErrNoProcess)
	}
	cfg, err := settings.Load(b.Config)
	if err != nil {
		return err
	}
	for i := range cfg.Devices {
		if cfg.Devices[i].ID == d.ID.String() {
			cfg.Devices[i].Grant = grant
		}
	}
	if err := writeBridge(b.Config, cfg); err != nil {
		return err
	}
	if err := n.Stop(ctx, bridgeName); err != nil && !errors.Is(err, ErrNotRunning) {
		return err
	}
	return n.Start(ctx, bridgeName)
}
