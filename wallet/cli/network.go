package cli

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/libp2p/go-libp2p/core/crypto"

	"github.com/hybridos-net/hybridos/chain/audit"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/p2p/host"
	"github.com/hybridos-net/hybridos/p2p/pairing"
	"github.com/hybridos-net/hybridos/sdk"
)

// View is proven ledger state under one verified header.
type View interface {
	state.View
	// Head is the header under which the view answers.
	Head() light.Head
}

// Ledger is the ledger as reached through nodes that are not believed.
type Ledger interface {
	// Known is the newest verified header without asking anybody.
	Known() light.Head
	// View fetches and verifies the newest header.
	View(ctx context.Context) (View, error)
	// ViewAfter waits for a view in which a block has taken effect.
	ViewAfter(ctx context.Context, height int64) (View, error)
	// Submit hands in a transaction and waits for its block.
	Submit(ctx context.Context, t *tx.Tx) (int64, error)
	// Follow calls onHead with every new verified header until ctx ends.
	Follow(ctx context.Context, onHead func(light.Head) error) error
}

// Devices reaches devices.
type Devices interface {
	// Pair makes the account of the owner the owner of the code's device.
	Pair(ctx context.Context, code pairing.Code, o pairing.Owner) (pairing.Peer, pairing.Armed, error)
	// Send sends a command and gives the verified receipt.
	Send(ctx context.Context, device key.Public, addrs []string, c *command.Command) (*command.Receipt, error)
	// WithEvidence adds to a command what the device asked for in a receipt.
	WithEvidence(ctx context.Context, c *command.Command, r *command.Receipt, vouch func(light.Head) ([]byte, error)) (*command.Command, error)
	Auditor
}

// Auditor fetches what devices have answered.
type Auditor interface {
	// TrailRequest is the params of the command that Trail sends.
	TrailRequest(from uint64) []byte
	// Trail gives the device's verified answer and the entries that it keeps.
	Trail(ctx context.Context, device key.Public, addrs []string, c *command.Command) (*command.Receipt, [][]byte, error)
	// Audited gathers what a third party needs to check entries.
	Audited(ctx context.Context, device key.Public, addrs []string, entries [][]byte) (*audit.File, error)
}

// Network is what the command line needs of the world outside. The caller
// closes it.
type Network interface {
	Ledger
	Devices
	Close() error
}

// network is the real one.
type network struct {
	host   *host.Host
	client *sdk.Client
}

var _ Network = (*network)(nil)

// Dial makes a network client with a host that only dials. Its transport key
// is new each time: it is not what commands are signed with, and a lasting one
// would let nodes follow the owner about.
func Dial(doc *genesis.Doc, nodes []string, store light.Store) (Network, error) {
	transport, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		return nil, err
	}
	h, err := host.Listen(host.Config{Key: transport, DialOnly: true})
	if err != nil {
		return nil, err
	}
	c, err := sdk.New(sdk.Config{Genesis: doc, Host: h, Nodes: nodes, Store: store})
	if err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return &network{host: h, client: c}, nil
}

func (n *network) Known() light.Head { return n.client.Ledger().Head() }

// View returns a plain nil on failure, not a typed one.
func (n *network) View(ctx context.Context) (View, error) {
	v, err := n.client.View(ctx)
	if err != nil {
		return nil, err
	}
	return v, nil
}

func (n *network) ViewAfter(ctx context.Context, height int64) (View, error) {
	v, err := n.client.ViewAfter(ctx, height)
	if err != nil {
		return nil, err
	}
	return v, nil
}

func (n *network) Submit(ctx context.Context, t *tx.Tx) (int64, error) {
	return n.client.Submit(ctx, t)
}

func (n *network) Follow(ctx context.Context, onHead func(light.Head) error) error {
	return n.client.Follow(ctx, onHead)
}

func (n *network) Pair(ctx context.Context, code pairing.Code, o pairing.Owner) (pairing.Peer, pairing.Armed, error) {
	return n.client.Pair(ctx, code, o)
}

func (n *network) Send(ctx context.Context, device key.Public, addrs []string, c *command.Command) (*command.Receipt, error) {
	d, err := n.client.Device(device, addrs)
	if err != nil {
		return nil, err
	}
	return d.Send(ctx, c)
}

func (n *network) WithEvidence(ctx context.Context, c *command.Command, r *command.Receipt, vouch func(light.Head) ([]byte, error)) (*command.Command, error) {
	return n.client.WithEvidence(ctx, c, r, vouch)
}

func (n *network) TrailRequest(from uint64) []byte { return n.client.TrailRequest(from) }

func (n *network) Trail(ctx context.Context, device key.Public, addrs []string, c *command.Command) (*command.Receipt, [][]byte, error) {
	d, err := n.client.Device(device, addrs)
	if err != nil {
		return nil, nil, err
	}
	return d.Trail(ctx, c)
}

func (n *network) Audited(ctx context.Context, device key.Public, addrs []string, entries [][]byte) (*audit.File, error) {
	d, err := n.client.Device(device, addrs)
	if err != nil {
		return nil, err
	}
	return n.client.Audited(ctx, d, entries)
}

// Close ends the streams and the host.
func (n *network) Close() error { return errors.Join(n.client.Close(), n.host.Close()) }
