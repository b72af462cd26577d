// Package join takes part in a ledger of others with a full node: it checks
// the genesis document against the pin, starts hosd and is content only when
// that node has verified the same head as an independent light client.
//
// It holds no rules: the light client (chain/light) and the node verify. Callers
// use Run.
//
// What must never change: a ledger other than the pinned one is refused before
// anything is started, and success means that the head was proven.
package join

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/testnet/harness"
)

var (
	// ErrPin: the genesis document is not the one that was pinned.
	ErrPin = errors.New("not the pinned genesis document")
	// ErrOtherLedger: the nodes serve a ledger that does not begin with this
	// genesis document.
	ErrOtherLedger = errors.New("the nodes do not serve the ledger of this genesis document")
	// ErrUnreachable: no node answers.
	ErrUnreachable = errors.New("no node answers")
	// ErrFork: the new node and the nodes asked show two verified heads.
	ErrFork = errors.New("the new node follows another fork")
	// ErrSlow: the node did not catch up in time.
	ErrSlow = errors.New("the node did not catch up in time")
)

// Config says what to join. Genesis, Peers, Nodes, Dir and Programs are needed.
type Config struct {
	Genesis *genesis.Doc
	// Pin is the hash of the genesis document in hex, learned from somebody
	// trusted; empty means that the document itself is trusted.
	Pin string
	// Peers are id@host:port in the consensus network.
	Peers []string
	// Nodes are multiaddresses, with /p2p/ID, in the mesh.
	Nodes []string
	// StateSync: the node begins with a snapshot of Peers instead of block 1.
	StateSync bool
	// Dir is the new node's directory, empty or absent.
	Dir      string
	Programs string
	// Tell is told what happens; nil: nobody is.
	Tell func(format string, args ...any)
}

// Result is what was joined.
type Result struct {
	Dir     string   `json:"dir"`
	ChainID string   `json:"chain_id"`
	Genesis string   `json:"genesis_hash"`
	Height  int64    `json:"height"`
	Hash    string   `json:"header_hash"`
	HTTP    string   `json:"http"`
	Mesh    []string `json:"mesh"`
	P2P     string   `json:"p2p"`
}

const pollTime = 200 * time.Millisecond

// Run joins and returns with the node running, for the caller to end; after an
// error nothing runs.
func Run(ctx context.Context, cfg Config) (_ *harness.Network, r Result, err error) {
	if cfg.Tell == nil {
		cfg.Tell = func(string, ...any) {}
	}
	if err := CheckPin(cfg.Genesis, cfg.Pin); err != nil {
		return nil, r, err
	}
	others, err := harness.Dial(cfg.Genesis, cfg.Nodes)
	if err != nil {
		return nil, r, err
	}
	defer others.Close()
	head, err := others.Ledger().Update(ctx)
	if err != nil {
		return nil, r, classify(err)
	}
	cfg.Tell("the ledger %s is at height %d, verified from its genesis document", cfg.Genesis.ChainID, head.Height)
	net, err := harness.NewFollower(harness.Config{Dir: cfg.Dir, Programs: cfg.Programs, Tell: cfg.Tell}, harness.Ledger{Peers: cfg.Peers, Mesh: cfg.Nodes, StateSync: cfg.StateSync})
	if err != nil {
		return nil, r, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, net.Down(context.WithoutCancel(ctx)))
		}
	}()
	cfg.Tell("starting a full node in %s", net.Dir())
	if err := net.Follow(ctx, cfg.Genesis); err != nil {
		return nil, r, err
	}
	if err := catchUp(ctx, net, head.Height, cfg.Tell); err != nil {
		return nil, r, err
	}
	head, err = agree(ctx, net, others)
	if err != nil {
		return nil, r, err
	}
	d := net.State().Nodes[0]
	hash := cfg.Genesis.Hash()
	return net, Result{
		Dir: net.Dir(), ChainID: cfg.Genesis.ChainID, Genesis: hex.EncodeToString(hash[:]), Height: head.Height,
		Hash: hex.EncodeToString(head.Hash), HTTP: d.HTTP, Mesh: d.Mesh, P2P: d.P2P,
	}, nil
}

// CheckPin compares a document with the hash that it should have.
func CheckPin(doc *genesis.Doc, pin string) error {
	if doc == nil {
		return errors.New("no genesis document")
	}
	hash := doc.Hash()
	if text := hex.EncodeToString(hash[:]); pin != "" && !strings.EqualFold(pin, text) {
		return fmt.Errorf("%w: its hash is %s", ErrPin, text)
	}
	return nil
}

// classify tells nodes that are silent from nodes of another ledger.
func classify(err error) error {
	for _, k := range []light.ErrorKind{light.WrongChain, light.BadHeader, light.BadCommit, light.TooFewKnown, light.Fork} {
		if errors.Is(err, k) {
			return fmt.Errorf("%w: %w", ErrOtherLedger, err)
		}
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, err)
}

// catchUp waits until the node itself says that it has come to the height.
func catchUp(ctx context.Context, net *harness.Network, height int64, tell func(string, ...any)) error {
	base := net.State().Nodes[0].HTTP
	last := int64(-1)
	for {
		s, err := harness.NodeStatus(ctx, base)
		if err == nil && s.Height > last {
			last = s.Height
			tell("the node has executed block %d, to catch up with %d", s.Height, max(height, s.Height))
		}
		if err == nil && !s.Syncing && s.Height >= height {
			return nil
		}
		if err := pause(ctx, net); err != nil {
			return errors.Join(err, fmt.Errorf("the node stands at %d of %d", last, height))
		}
	}
}

// agree compares the heads that two light clients verify: one that believes
// only the new node, one that asks the others. Then it has the new node prove a
// record.
func agree(ctx context.Context, net *harness.Network, others *harness.Client) (light.Head, error) {
	ours, err := net.Dial()
	if err != nil {
		return light.Head{}, err
	}
	defer ours.Close()
	for {
		a, err := others.Ledger().Update(ctx)
		if err != nil {
			return a, classify(err)
		}
		b, err := ours.Ledger().Update(ctx)
		if err == nil && a.Height == b.Height {
			if !bytes.Equal(a.Hash, b.Hash) {
				return b, fmt.Errorf("%w at height %d: %x and %x", ErrFork, a.Height, b.Hash, a.Hash)
			}
			return b, proveParams(ctx, ours)
		}
		if err := pause(ctx, net); err != nil {
			return b, err
		}
	}
}

// proveParams reads the ledger's first record, proven under the head.
func proveParams(ctx context.Context, c *harness.Client) error {
	raw, err := c.Ledger().View(ctx).Get(state.ParamsKey())
	if err != nil {
		return fmt.Errorf("the new node does not prove the ledger's parameters: %w", err)
	}
	var p state.Params
	if err := codec.Unmarshal(raw, &p, len(raw)); err != nil {
		return fmt.Errorf("the ledger's parameters: %w", err)
	}
	if p.Chain != c.Chain() {
		return fmt.Errorf("%w: its parameters name another", ErrOtherLedger)
	}
	return nil
}

func pause(ctx context.Context, net *harness.Network) error {
	select {
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrSlow, ctx.Err())
	case err := <-net.Crashes():
		return err
	case <-time.After(pollTime):
		return nil
	}
}
