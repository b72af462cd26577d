package harness

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/p2p/host"
	"github.com/hybridos-net/hybridos/p2p/mux"
	"github.com/hybridos-net/hybridos/sdk"
)

// vendorName is that of the one vendor of a test network.
const vendorName = "testnet-vendor"

// Client is a client of the network's ledger with a mesh host of its own.
type Client struct {
	*sdk.Client
	Host *host.Host
}

// Dial makes a client that believes only the genesis document. It contacts
// nobody yet; the caller closes it.
func Dial(doc *genesis.Doc, nodes []string) (*Client, error) {
	seed, err := mux.NewSeed(rand.Reader)
	if err != nil {
		return nil, err
	}
	k, err := mux.Key(seed)
	if err != nil {
		return nil, err
	}
	h, err := host.Listen(host.Config{Key: k, DialOnly: true})
	if err != nil {
		return nil, err
	}
	c, err := sdk.New(sdk.Config{Genesis: doc, Host: h, Nodes: nodes})
	if err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return &Client{Client: c, Host: h}, nil
}

// Close frees everything.
func (c *Client) Close() error { return errors.Join(c.Client.Close(), c.Host.Close()) }

// Dial makes a client of this network, or of the given nodes only.
func (n *Network) Dial(nodes ...string) (*Client, error) {
	doc, err := n.Genesis()
	if err != nil {
		return nil, err
	}
	if len(nodes) == 0 {
		nodes = n.Mesh()
	}
	return Dial(doc, nodes)
}

// AwaitHead returns a head of at least the given height, verified by the light
// client's rules, as soon as the given nodes (none: any of the network) have one.
func (n *Network) AwaitHead(ctx context.Context, height int64, nodes ...string) (light.Head, error) {
	c, err := n.Dial(nodes...)
	if err != nil {
		return light.Head{}, err
	}
	defer c.Close()
	for {
		h, err := c.Ledger().Update(ctx)
		if err == nil && h.Height >= height {
			return h, nil
		}
		select {
		case <-ctx.Done():
			return h, errors.Join(fmt.Errorf("no block %d came", height), err)
		case err := <-n.crashes:
			return h, err
		case <-time.After(pollTime):
		}
	}
}

func (n *Network) vendorFile() string { return filepath.Join(n.cfg.Dir, "vendor.key") }

// createVendor makes the key of the vendor. It is worth nothing but test
// devices.
func (n *Network) createVendor() (*key.Private, error) {
	k, err := key.Generate(rand.Reader)
	if err != nil {
		return nil, err
	}
	return k, replace(n.vendorFile(), []byte(hex.EncodeToString(k.Secret())+"\n"), 0o600)
}

// Vendor reads the key of the network's vendor.
func (n *Network) Vendor() (*key.Private, error) {
	b, err := os.ReadFile(n.vendorFile())
	if err != nil {
		return nil, err
	}
	raw, err := hex.DecodeString(strings.TrimSpace(string(b)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", n.vendorFile(), err)
	}
	return key.FromBytes(raw)
}

// register puts the devices on the ledger and proves that they are there.
func (n *Network) register(ctx context.Context) error {
	c, err := n.Dial()
	if err != nil {
		return err
	}
	defer c.Close()
	vendor, err := n.Vendor()
	if err != nil {
		return err
	}
	devices := n.State().Devices
	view, err := c.View(ctx)
	if err != nil {
		return err
	}
	record, err := state.GetVendor(view, vendor.Public().AccountID())
	if err != nil {
		return err
	}
	height := int64(0)
	for i, d := range devices {
		t, err := registration(d, vendor, record.Sequence+uint64(i))
		if err != nil {
			return err
		}
		t.Sign(c.Chain(), tx.RoleVendor, vendor)
		if height, err = c.Submit(ctx, t); err != nil {
			return fmt.Errorf("%s: %w", d.Name, err)
		}
	}
	if view, err = c.ViewAfter(ctx, height); err != nil {
		return err
	}
	for _, d := range devices {
		if _, err := state.GetDevice(view, d.ID); err != nil {
			return fmt.Errorf("%s: %w", d.Name, err)
		}
	}
	return nil
}

func registration(d Device, vendor *key.Private, sequence uint64) (*tx.Tx, error) {
	seal, err := hex.DecodeString(d.SealKey)
	if err != nil || len(seal) != 32 {
		return nil, fmt.Errorf("seal key of %s is not 32 bytes of hex", d.Name)
	}
	return tx.New(vendor.Public().AccountID(), sequence, uint64(time.Now().Add(txLife).Unix()),
		&tx.RegisterDevice{Key: d.Key, SealKey: [32]byte(seal), Model: d.Model})
}
