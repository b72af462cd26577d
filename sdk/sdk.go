// Package sdk is the client half of HybridOS in Go: it reads proven ledger
// state, submits transactions, pairs devices and sends commands.
//
// It holds no keys (callers sign) and believes no node: what it returns has been
// verified against the genesis document. Callers use New, Client.View,
// Client.Submit and Client.Device.
//
// What must never change: no unverified value leaves this package as if it were
// verified, and a command whose outcome is not known is never reported as not
// sent.
package sdk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/p2p/fetch"
)

// Config says which ledger a client follows and through whom. Genesis, Host
// and Nodes are needed.
type Config struct {
	Genesis *genesis.Doc
	Host    host.Host        // the caller closes it
	Nodes   []string         // multiaddrs that end in /p2p/<peer id>, asked in this order
	Store   light.Store      // keeps the verified head; nil: starts from genesis each time
	Now     func() time.Time // nil: time.Now
	Logger  *slog.Logger     // nil: silent
}

// Client follows one ledger. It is safe for concurrent use.
type Client struct {
	cfg    Config
	chain  codec.ChainDigest
	nodes  []peer.AddrInfo
	fetch  *fetch.Client
	ledger *light.Client

	mu    sync.Mutex
	links map[peer.ID]*sharedLink
}

// New checks the configuration; it contacts nobody.
func New(cfg Config) (*Client, error) {
	if cfg.Genesis == nil || cfg.Host == nil {
		return nil, errors.New("sdk client needs a genesis document and a host")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	nodes, err := parseAddrs(cfg.Nodes)
	if err != nil {
		return nil, err
	}
	if len(nodes) == 0 {
		return nil, &Error{Kind: NoNode, Detail: "no node is configured"}
	}
	f, err := fetch.NewClient(fetch.ClientConfig{Host: cfg.Host, Nodes: nodes, Logger: cfg.Logger})
	if err != nil {
		return nil, err
	}
	l, err := light.New(light.Config{Genesis: cfg.Genesis, Source: f, Store: cfg.Store, Now: cfg.Now})
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &Client{
		cfg: cfg, chain: cfg.Genesis.Chain(), nodes: nodes, fetch: f, ledger: l,
		links: make(map[peer.ID]*sharedLink),
	}, nil
}

// Close ends every stream that the client holds.
func (c *Client) Close() error {
	c.mu.Lock()
	links := c.links
	c.links = nil
	c.mu.Unlock()
	errs := []error{c.fetch.Close()}
	for _, l := range links {
		errs = append(errs, l.close())
	}
	return errors.Join(errs...)
}

// Chain is the digest of the ledger, for signing.
func (c *Client) Chain() codec.ChainDigest { return c.chain }

// Ledger is the light client, for callers that feed or watch it themselves.
func (c *Client) Ledger() *light.Client { return c.ledger }

// View fetches and verifies the newest header and gives the state under it.
// Every Get of the view is proven.
func (c *Client) View(ctx context.Context) (*light.View, error) {
	if _, err := c.ledger.Update(ctx); err != nil {
		return nil, nodeError(err)
	}
	return c.ledger.View(ctx), nil
}

// ViewAfter gives a view in which the block of the given height has taken
// effect, waiting for the next header where needed.
func (c *Client) ViewAfter(ctx context.Context, height int64) (*light.View, error) {
	for {
		v, err := c.View(ctx)
		if err != nil {
			return nil, err
		}
		if v.Head().Height > height {
			return v, nil
		}
		select {
		case <-ctx.Done():
			return nil, &Error{Kind: NoNode, Detail: fmt.Sprintf("no header after height %d came", height), Cause: ctx.Err()}
		case <-time.After(pollPause):
		}
	}
}

// Build makes an unsigned transaction with the actor's next sequence number
// and the usual life. vendor says that the actor is a vendor.
func (c *Client) Build(ctx context.Context, actor key.AccountID, vendor bool, p tx.Payload) (*tx.Tx, error) {
	v, err := c.View(ctx)
	if err != nil {
		return nil, err
	}
	seq, err := nextSequence(v, actor, vendor)
	if err != nil {
		return nil, err
	}
	return tx.New(actor, seq, uint64(c.cfg.Now().Add(txLife).Unix()), p)
}

func nextSequence(v state.View, actor key.AccountID, vendor bool) (uint64, error) {
	if vendor {
		r, err := state.GetVendor(v, actor)
		return r.Sequence, err
	}
	r, err := state.GetAccount(v, actor)
	if errors.Is(err, state.NoAccount) {
		return 0, nil // a claim or transfer that creates it
	}
	return r.Sequence, err
}

// Submit hands in a signed transaction and waits until it is committed; it
// returns the height. A refusal is of kind Refused and carries the ledger's
// words. The node's word on the height is not proof: read the record with
// ViewAfter.
func (c *Client) Submit(ctx context.Context, t *tx.Tx) (int64, error) {
	r, err := c.fetch.Submit(ctx, t.Bytes())
	if err != nil {
		return 0, nodeError(err)
	}
	if r.Code != 0 {
		return r.Height, &Error{Kind: Refused, Detail: printable(r.Log)}
	}
	return r.Height, nil
}

func parseAddrs(texts []string) ([]peer.AddrInfo, error) {
	var out []peer.AddrInfo
	for _, s := range texts {
		info, err := peer.AddrInfoFromString(s)
		if err != nil {
			return nil, &Error{Kind: BadAddress, Detail: fmt.Sprintf("%q: %v", s, err)}
		}
		out = append(out, *info)
	}
	return out, nil
}
