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
	"slices"
	"sync"
	"sync/atomic"
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
	"github.com/hybridos-net/hybridos/p2p/link"
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
	cfg     Config
	chain   codec.ChainDigest
	nodes   []peer.AddrInfo
	fetch   *fetch.Client   // goes from node to node when one fails
	each    []*fetch.Client // one for each node, if there are several
	ledger  *light.Client
	silence time.Duration

	following atomic.Bool

	mu    sync.Mutex
	links map[peer.ID]*sharedLink // nil once closed
	calls map[*call]struct{}      // to devices, under way
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
	c := &Client{
		cfg: cfg, chain: cfg.Genesis.Chain(), nodes: nodes, silence: silence,
		links: make(map[peer.ID]*sharedLink), calls: make(map[*call]struct{}),
	}
	if c.fetch, err = fetch.NewClient(fetch.ClientConfig{Host: cfg.Host, Nodes: nodes, Logger: cfg.Logger}); err != nil {
		return nil, err
	}
	for i := range nodes {
		if len(nodes) == 1 {
			break
		}
		f, err := fetch.NewClient(fetch.ClientConfig{Host: cfg.Host, Nodes: nodes[i : i+1], Logger: cfg.Logger})
		if err != nil {
			return nil, err
		}
		c.each = append(c.each, f)
	}
	c.ledger, err = light.New(light.Config{Genesis: cfg.Genesis, Source: source{c.fetch, len(nodes)}, Store: cfg.Store, Now: cfg.Now})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Close ends every stream and every dial to a device, also that of a pairing.
// Commands under way return; what was sent by then is of kind NoReceipt. Questions
// to nodes end on their own.
func (c *Client) Close() error {
	c.mu.Lock()
	links := c.links
	c.links = nil
	for under := range c.calls {
		under.end()
	}
	c.mu.Unlock()
	errs := []error{c.fetch.Close()}
	for _, f := range c.each {
		errs = append(errs, f.Close())
	}
	for _, s := range links {
		if s.link != nil { // nobody changes it any more
			errs = append(errs, s.link.Close())
		}
	}
	return errors.Join(errs...)
}

// call is a conversation with a device that Close ends.
type call struct{ end context.CancelFunc }

// begin derives a context that Close ends as well. The caller calls the function
// when it is done.
func (c *Client) begin(ctx context.Context) (context.Context, func(), error) {
	ctx, cancel := context.WithCancel(ctx)
	under := &call{cancel}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.links == nil {
		cancel()
		return nil, nil, link.ErrClosed
	}
	c.calls[under] = struct{}{}
	return ctx, func() {
		cancel()
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.calls, under)
	}, nil
}

// isClosed reports whether Close was called.
func (c *Client) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.links == nil
}

// source is fetch with the errors of this package, so that a read of a View
// fails with the same kinds as a call of the Client.
type source struct {
	f     *fetch.Client
	nodes int // that f asks
}

// onlyKey marks a context under which one node answers for all.
type onlyKey struct{}

var (
	_ light.Source  = source{}
	_ light.Doubter = source{}
)

func (s source) LightBlock(ctx context.Context, height int64) (raw []byte, err error) {
	if only, ok := ctx.Value(onlyKey{}).(*fetch.Client); ok {
		s = source{only, 1}
	}
	err = s.ask(func() error {
		raw, err = s.f.LightBlock(ctx, height)
		return err
	})
	return raw, err
}

func (s source) Prove(ctx context.Context, key []byte, height int64) (p light.Proof, err error) {
	err = s.ask(func() error {
		p, err = s.f.Prove(ctx, key, height)
		return err
	})
	return p, err
}

// ask goes on to the next node where one says that a read is a bad request or
// takes too long. Such answers end a round, since they tell of a transaction; of a
// read they tell only that this node does not serve it.
func (s source) ask(read func() error) error {
	unserved := func(err error) bool { return errors.Is(err, fetch.BadRequest) || errors.Is(err, fetch.Timeout) }
	err := read()
	for n := 1; n < s.nodes && unserved(err); n++ {
		s.f.Doubt()
		err = read()
	}
	if unserved(err) {
		return &Error{Kind: NoNode, Detail: "no node serves this read", Cause: err}
	}
	return nodeError(err)
}

func (s source) Doubt() int { return s.f.Doubt() }

// Chain is the digest of the ledger, for signing.
func (c *Client) Chain() codec.ChainDigest { return c.chain }

// Ledger is the light client, for callers that feed or watch it themselves.
func (c *Client) Ledger() *light.Client { return c.ledger }

// View fetches and verifies the newest header and gives the state under it.
// Every Get of the view is proven, or fails with a kind of this package or of
// chain/light. A node cannot change what a view says, but it can know of nothing
// new; where several are configured, the others are then asked too. Whoever needs
// a fresh state looks at View.Head.
func (c *Client) View(ctx context.Context) (*light.View, error) {
	if _, err := c.update(ctx); err != nil {
		return nil, err
	}
	return c.ledger.View(ctx), nil
}

// update moves the head to the newest header. A node that lies, or whose newest
// header is old, is one of several: the others are asked, once each.
func (c *Client) update(ctx context.Context) (light.Head, error) {
	h, err := c.ledger.Update(ctx)
	for _, f := range c.each {
		if errors.Is(err, NoNode) || ctx.Err() != nil || err == nil && c.fresh(h) {
			break
		}
		if other, e := c.askOne(ctx, f); e == nil {
			h, err = other, nil
		}
	}
	return h, err
}

// askOne offers the newest header of one node to the light client. The headers
// between come from that node too: one that lies in those only must not keep the
// client from what the others say.
func (c *Client) askOne(ctx context.Context, f *fetch.Client) (light.Head, error) {
	raw, err := f.LightBlock(ctx, 0)
	if err != nil {
		return light.Head{}, err
	}
	return c.ledger.Offer(context.WithValue(ctx, onlyKey{}, f), raw)
}

// fresh reports whether a head is not older than an idle ledger's newest one.
func (c *Client) fresh(h light.Head) bool { return c.cfg.Now().Sub(h.Time) < c.silence }

// ViewAfter gives a view in which the block of the given height has taken
// effect, waiting for the next header where needed. It waits until ctx ends.
func (c *Client) ViewAfter(ctx context.Context, height int64) (*light.View, error) {
	for n := 0; ; n++ {
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
		// The node asked first may have stopped at an old height.
		if len(c.each) > 0 {
			if _, err := c.askOne(ctx, c.each[n%len(c.each)]); err != nil {
				c.cfg.Logger.Debug("no newer header", "node", c.nodes[n%len(c.each)].ID, "err", err)
			}
		}
	}
}

// Build makes an unsigned transaction with the actor's next sequence number
// and the usual life. vendor says that the actor is a vendor. The number is that
// of the newest proven state: after a Submit of the same actor, wait with ViewAfter
// first, or the number is one that has been used.
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
// words. After any other error its fate is open, since a node may have taken it
// before it failed; handing in the same bytes again is safe and gives the
// outcome. Neither height nor refusal is proof, only a node's word: read the
// record with ViewAfter.
func (c *Client) Submit(ctx context.Context, t *tx.Tx) (int64, error) {
	r, err := c.fetch.Submit(ctx, t.Bytes())
	switch {
	case errors.Is(err, fetch.Timeout):
		c.fetch.Doubt() // the next try goes through another node, if there is one
		return 0, &Error{Kind: Undecided, Detail: "the transaction was taken but not yet committed", Cause: err}
	case err != nil:
		return 0, nodeError(err)
	case r.Code != 0:
		return r.Height, &Error{Kind: Refused, Detail: printable(r.Log)}
	}
	return r.Height, nil
}

// parseAddrs reads multiaddrs; those of one peer become one entry, at the place
// of the first.
func parseAddrs(texts []string) ([]peer.AddrInfo, error) {
	var out []peer.AddrInfo
	for _, s := range texts {
		info, err := peer.AddrInfoFromString(s)
		if err != nil {
			return nil, &Error{Kind: BadAddress, Detail: fmt.Sprintf("%q: %v", s, err)}
		}
		i := slices.IndexFunc(out, func(o peer.AddrInfo) bool { return o.ID == info.ID })
		if i < 0 {
			out = append(out, *info)
			continue
		}
		out[i].Addrs = append(out[i].Addrs, info.Addrs...)
	}
	return out, nil
}
