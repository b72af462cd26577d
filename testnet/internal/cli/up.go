package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/testnet/harness"
	"github.com/hybridos-net/hybridos/testnet/manifest"
)

// upTime is how long a network may take to be up.
const upTime = 5 * time.Minute

// downTime is how long it may take to end.
const downTime = time.Minute

type upFlags struct {
	file, shape                    string
	validators, fullNodes, devices int
	bridge, phone, foreground      bool
	changed                        func(string) bool
}

func (a *app) up() *cobra.Command {
	var f upFlags
	def := manifest.Default()
	c := &cobra.Command{
		Use: "up", Short: "Start a network: validators, devices, optionally the MQTT bridge", Args: cobra.NoArgs,
		Long: "Starts a network and prints how to use it. It goes on in the background until\n'hos-testnet down'. A network that was put down goes on where it was.",
		RunE: func(c *cobra.Command, _ []string) error {
			f.changed = c.Flags().Changed
			return a.runUp(c.Context(), f)
		},
	}
	fl := c.Flags()
	fl.StringVar(&f.file, "manifest", "", "TOML file that describes the network")
	fl.StringVar(&f.shape, "shape", "default", "network that has a name (hos-testnet shapes)")
	fl.IntVar(&f.validators, "validators", def.Validators, "validators; with fewer than 4 none may fail")
	fl.IntVar(&f.fullNodes, "full-nodes", 0, "full nodes beside them")
	fl.IntVar(&f.devices, "devices", def.Devices, "locks")
	fl.BoolVar(&f.bridge, "bridge", false, "start the MQTT bridge")
	fl.BoolVar(&f.phone, "phone", false, "serve the page that makes a phone a key, and print its link")
	fl.BoolVar(&f.foreground, "foreground", false, "stay, and put the network down at ctrl-C")
	return c
}

// manifest puts the flags over the file or the shape.
func (f upFlags) manifest() (manifest.Manifest, error) {
	m, ok := manifest.Shape(f.shape)
	if !ok {
		names, _ := manifest.Shapes()
		return m, fmt.Errorf("%w: no shape %q; there are %s", manifest.ErrInvalid, f.shape, strings.Join(names, ", "))
	}
	if f.file != "" {
		var err error
		if m, err = manifest.Load(f.file); err != nil {
			return m, err
		}
	}
	if f.changed("validators") {
		m.Validators = f.validators
	}
	if f.changed("full-nodes") {
		m.FullNodes = f.fullNodes
	}
	if f.changed("devices") {
		m.Devices = f.devices
	}
	if f.changed("bridge") {
		m.Bridge = f.bridge
	}
	if f.changed("phone") {
		m.Phone = f.phone
	}
	return m, m.Validate()
}

// network is the one in the directory, or a new one.
func (a *app) network(f upFlags) (*harness.Network, error) {
	n, err := harness.Open(harness.Config{Dir: a.dir, Programs: a.programs, Tied: f.foreground, Tell: a.say})
	if !errors.Is(err, harness.ErrNoNetwork) {
		for _, name := range []string{"manifest", "shape", "validators", "full-nodes", "devices", "bridge", "phone"} {
			if err == nil && f.changed(name) {
				return nil, fmt.Errorf("%s: %w, --%s would change it", a.dir, harness.ErrExists, name)
			}
		}
		return n, err
	}
	m, err := f.manifest()
	if err != nil {
		return nil, err
	}
	programs, err := a.programDir()
	if err != nil {
		return nil, err
	}
	return harness.New(harness.Config{Dir: a.dir, Programs: programs, Manifest: m, Tied: f.foreground, Tell: a.say})
}

func (a *app) runUp(ctx context.Context, f upFlags) error {
	n, err := a.network(f)
	if err != nil {
		return err
	}
	starting, cancel := context.WithTimeout(ctx, upTime)
	defer cancel()
	if err := n.Up(starting); err != nil {
		return err
	}
	if err := a.printUse(starting, n); err != nil {
		return err
	}
	if !f.foreground {
		a.say("\nThe network runs in the background; logs in %s\nhos-testnet status%s shows it, hos-testnet down%s ends it.", n.Logs(), a.dirFlag(), a.dirFlag())
		return nil
	}
	a.say("\nThe network runs until ctrl-C; logs in %s", n.Logs())
	select {
	case <-ctx.Done():
		err = nil
	case err = <-n.Crashes():
	}
	return errors.Join(err, a.runDown(n, false))
}

// dirFlag repeats --dir where it is not the default.
func (a *app) dirFlag() string {
	if a.dir == defaultDir(os.Getenv) {
		return ""
	}
	return " --dir " + a.dir
}

// usage is the JSON of up.
type usage struct {
	Dir      string        `json:"dir"`
	HOSHome  string        `json:"hos_home"`
	Programs string        `json:"programs"`
	ChainID  string        `json:"chain_id"`
	Genesis  string        `json:"genesis"`
	Hash     string        `json:"genesis_hash"`
	Nodes    []nodeUsage   `json:"nodes"`
	Devices  []deviceUsage `json:"devices"`
	Bridge   *bridgeUsage  `json:"bridge,omitempty"`
	Phone    string        `json:"phone,omitempty"` // origin of the phone page
}

type nodeUsage struct {
	Name string   `json:"name"`
	HTTP string   `json:"http"`
	P2P  string   `json:"p2p"`
	Mesh []string `json:"mesh"`
}

type deviceUsage struct {
	Name string `json:"name"`
	ID   string `json:"id"`
	Code string `json:"code"`
}

type bridgeUsage struct {
	Listen   string `json:"listen"`
	User     string `json:"user"`
	Password string `json:"password_file"`
	Key      string `json:"key"`
}

func use(ctx context.Context, n *harness.Network) (usage, error) {
	s := n.State()
	u := usage{Dir: n.Dir(), HOSHome: n.Wallet(), Programs: n.Programs(), ChainID: s.Manifest.Name, Genesis: n.GenesisFile(), Hash: s.GenesisHash}
	for _, d := range s.Nodes {
		u.Nodes = append(u.Nodes, nodeUsage{d.Name, d.HTTP, d.P2P, d.Mesh})
	}
	u.Phone = s.Nodes[0].Phone
	for _, d := range s.Devices {
		code, err := n.PairingCode(ctx, d.Name)
		if err != nil {
			return u, err
		}
		u.Devices = append(u.Devices, deviceUsage{d.Name, d.ID.String(), code})
	}
	if b := s.Bridge; b != nil {
		u.Bridge = &bridgeUsage{b.Listen, b.User, b.Password, b.Key.String()}
	}
	return u, nil
}

func (a *app) printUse(ctx context.Context, n *harness.Network) error {
	u, err := use(ctx, n)
	if err != nil {
		return err
	}
	if a.json {
		return a.print(u)
	}
	p := func(format string, args ...any) { fmt.Fprintf(a.out, format+"\n", args...) }
	p("\nThe network is up. To open the first door:\n")
	p("  export PATH=%s:$PATH HOS_HOME=%s", u.Programs, u.HOSHome)
	p("  hos key new")
	for _, d := range u.Devices[:min(1, len(u.Devices))] {
		p("  hos device pair --name %s %s", d.Name, d.Code)
		p("  hos door open")
	}
	for _, d := range u.Devices[min(1, len(u.Devices)):] {
		p("\nanother lock:\n  hos device pair --name %s %s", d.Name, d.Code)
	}
	if b := u.Bridge; b != nil && len(u.Devices) > 0 {
		p("\nMQTT at mqtt://%s, user %s, password in %s. The bridge may do nothing until you let it:", b.Listen, b.User, b.Password)
		p("  hos grant add --device %s --to %s --method lock.open,lock.lock,lock.unlock,lock.state --for 24h --json", u.Devices[0].Name, b.Key)
		p("  hos-testnet grant%s --device %s GRANT", a.dirFlag(), u.Devices[0].Name)
	}
	if u.Phone != "" {
		p("\nThe phone page is at %s (by this name and on this machine only: browsers keep passkeys\nfor https and for localhost). To make a browser here a key, once a door is paired:\n  hos key add-phone", u.Phone)
	}
	p("\nTo join it with a full node:\n  hos-testnet join --dir DIR --genesis %s --genesis-hash %s \\\n    --node %s \\\n    --peer %s",
		u.Genesis, u.Hash, u.Nodes[0].Mesh[0], u.Nodes[0].P2P)
	return nil
}
