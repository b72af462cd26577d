package harness

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/deviceos/agent"
	"github.com/hybridos-net/hybridos/node/home"
)

// Up makes what is missing and starts the network: homes and genesis document
// at the first time, then nodes, devices, bridge and a wallet folder that needs
// no further setting up. When it returns, the chain makes blocks, the devices
// are registered and answer. After an error nothing runs.
func (n *Network) Up(ctx context.Context) (err error) {
	if r := n.Running(); len(r) > 0 {
		return fmt.Errorf("%s: %w", n.cfg.Dir, ErrRunning)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Down(context.WithoutCancel(ctx)))
		}
	}()
	fresh := !n.State().Complete
	if fresh {
		err = n.create(ctx)
	} else {
		err = n.makeSocketDir()
	}
	if err != nil {
		return err
	}
	if err := n.startNodes(ctx); err != nil {
		return err
	}
	if fresh {
		if err := n.createDevices(ctx); err != nil {
			return err
		}
	}
	if err := n.startDevices(ctx); err != nil {
		return err
	}
	if fresh {
		if err := n.finish(ctx); err != nil {
			return err
		}
	}
	if n.State().Bridge == nil {
		return nil
	}
	n.cfg.Tell("starting the MQTT bridge")
	return n.Start(ctx, bridgeName)
}

// create makes everything that the nodes need.
func (n *Network) create(ctx context.Context) error {
	s := n.State()
	if len(s.Nodes) > 0 {
		return fmt.Errorf("%s: %w", n.cfg.Dir, ErrIncomplete)
	}
	m := s.Manifest
	for _, dir := range []string{n.cfg.Dir, n.Logs()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	n.cfg.Tell("making the keys of %d validators and %d full nodes", m.Validators, m.FullNodes)
	if err := n.change(func(s *State) error { return nil }); err != nil {
		return err
	}
	nodes, err := n.createNodes(ctx, m.Validators, m.FullNodes)
	if err != nil {
		return err
	}
	doc, err := n.createGenesis(m.Name, nodes)
	if err != nil {
		return err
	}
	for _, d := range nodes {
		if err := replace(home.Dir(d.Home).GenesisFile(), doc.JSON(), 0o600); err != nil {
			return err
		}
	}
	if err := n.makeSocketDir(); err != nil {
		return err
	}
	hash := doc.Hash()
	return n.change(func(s *State) error {
		s.Nodes, s.GenesisHash = nodes, hex.EncodeToString(hash[:])
		return nil
	})
}

func (n *Network) createNodes(ctx context.Context, validators, full int) ([]Node, error) {
	nodes := make([]Node, validators+full)
	errs := make([]error, len(nodes))
	var wg sync.WaitGroup
	for i := range nodes {
		name := "val" + strconv.Itoa(i+1)
		if i >= validators {
			name = "full" + strconv.Itoa(i+1-validators)
		}
		wg.Go(func() {
			d := Node{Name: name, Home: filepath.Join(n.cfg.Dir, name), Validator: i < validators}
			out, err := run(ctx, n.cfg.Programs, "hosd", "", nil, "init", "--home", d.Home, "--name", name, "--json")
			var id struct {
				Validator string `json:"validator"`
			}
			if err == nil {
				err = json.Unmarshal(out, &id)
			}
			d.Key = id.Validator
			nodes[i], errs[i] = d, err
		})
	}
	wg.Wait()
	return nodes, errors.Join(errs...)
}

// createGenesis makes the document and the vendor's key.
func (n *Network) createGenesis(chainID string, nodes []Node) (*genesis.Doc, error) {
	vendor, err := n.createVendor()
	if err != nil {
		return nil, err
	}
	doc := &genesis.Doc{ChainID: chainID, Time: time.Now().Unix(), Vendors: []genesis.Vendor{
		{Name: vendorName, Keys: []key.Public{vendor.Public()}, Threshold: 1, Quota: 1_000_000},
	}}
	for _, d := range nodes {
		if !d.Validator {
			continue
		}
		pub, err := hex.DecodeString(d.Key)
		if err != nil {
			return nil, fmt.Errorf("validator key of %s: %w", d.Name, err)
		}
		doc.Validators = append(doc.Validators, genesis.Validator{Name: d.Name, PubKey: pub})
	}
	if n.cfg.Genesis != nil {
		n.cfg.Genesis(doc)
	}
	if err := doc.Validate(); err != nil {
		return nil, err
	}
	return doc, replace(n.GenesisFile(), doc.JSON(), 0o644)
}

// makeSocketDir finds a place for the bus sockets whose path is short enough.
func (n *Network) makeSocketDir() error {
	dir := filepath.Join(n.cfg.Dir, "bus")
	if len(filepath.Join(dir, "dev99.sock")) > maxSocket {
		n.mu.Lock()
		old := n.state.Sockets
		n.mu.Unlock()
		if old != "" {
			return os.MkdirAll(old, 0o700)
		}
		var err error
		if dir, err = os.MkdirTemp("", "hos-bus-"); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return n.change(func(s *State) error { s.Sockets = dir; return nil })
}

// startNodes starts nodes one after the other, so that each knows the addresses
// of those before it, and waits for blocks.
func (n *Network) startNodes(ctx context.Context) error {
	for _, d := range n.State().Nodes {
		n.cfg.Tell("starting %s", d.Name)
		if err := n.Start(ctx, d.Name); err != nil {
			return err
		}
	}
	n.cfg.Tell("waiting for the first blocks")
	h, err := n.AwaitHead(ctx, firstProvable)
	if err != nil {
		return err
	}
	n.cfg.Tell("the ledger makes blocks: height %d, verified against the genesis document", h.Height)
	return nil
}

// createDevices makes the keys of the devices.
func (n *Network) createDevices(ctx context.Context) error {
	s := n.State()
	devices := make([]Device, s.Manifest.Devices)
	for i := range devices {
		name := "dev" + strconv.Itoa(i+1)
		d := Device{
			Name: name, Home: filepath.Join(n.cfg.Dir, name), Bus: filepath.Join(s.Sockets, name+".sock"),
			Bolt: filepath.Join(n.cfg.Dir, name, "actuations.jsonl"), Model: "hybridos-lock",
		}
		out, err := run(ctx, n.cfg.Programs, "hos-agent", "", nil, "init", "--home", d.Home, "--genesis", n.GenesisFile(), "--model", d.Model, "--json")
		if err != nil {
			return err
		}
		var info agent.Info
		if err := json.Unmarshal(out, &info); err != nil {
			return fmt.Errorf("hos-agent init: %w", err)
		}
		// Without a key of its own any app of this user could pose as the lock.
		if _, err := run(ctx, n.cfg.Programs, "hos-lock", "", nil, "key", d.lockKey()); err != nil {
			return err
		}
		d.ID, d.Key, d.SealKey = info.Device, info.Key, info.SealKey
		devices[i] = d
	}
	return n.change(func(s *State) error { s.Devices = devices; return nil })
}

func (n *Network) startDevices(ctx context.Context) error {
	for _, d := range n.State().Devices {
		n.cfg.Tell("starting the lock %s: bus, bolt and agent", d.Name)
		for _, part := range []string{"-bus", "-lock", "-agent"} {
			if err := n.Start(ctx, d.Name+part); err != nil {
				return err
			}
		}
	}
	return nil
}

// finish does what needs a running ledger, once.
func (n *Network) finish(ctx context.Context) error {
	if len(n.State().Devices) > 0 {
		n.cfg.Tell("registering the devices on the ledger as their vendor")
		if err := n.register(ctx); err != nil {
			return fmt.Errorf("register the devices: %w", err)
		}
	}
	if n.State().Manifest.Bridge {
		if err := n.createBridge(ctx); err != nil {
			return fmt.Errorf("make the bridge: %w", err)
		}
	}
	if _, err := n.NewWallet(ctx, ownerWallet); err != nil {
		return fmt.Errorf("make the wallet's folder: %w", err)
	}
	return n.change(func(s *State) error { s.Complete = true; return nil })
}
