// Package light turns headers and proofs from anybody into ledger state that
// can be relied on.
//
// It trusts the genesis document and, from there on, what more than two thirds
// of the validators signed; never the node that it asks. It is not a full node:
// it keeps one header and its validator set. It does not know whose rights are
// real either: that takes owners' signatures, which chain/state checks. Callers
// use New, Client.Update and Client.View.
//
// The rules are those of the CometBFT light client specification (skipping
// verification, but more than two thirds of the trusted power for every step, as
// there are no witnesses), written out here on the protobuf types alone, since the
// library's own types link gRPC and double the size of a device's binary. Tests
// hold both against each other.
//
// What must never change: a head never goes back, and View answers with nothing
// that is not proven under that head.
package light

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hybridos-net/hybridos/chain/genesis"
)

// Source gives headers and proofs; nothing that it says is believed. It is
// implemented by p2p/fetch.
type Source interface {
	// LightBlock returns the CometBFT protobuf LightBlock of a height; 0 means
	// the newest.
	LightBlock(ctx context.Context, height int64) ([]byte, error)
	// Prove returns what the tree of the given version holds under key. Version
	// h is committed to by the header of height h+1.
	Prove(ctx context.Context, key []byte, height int64) (Proof, error)
}

// Doubter is a Source that stands for several nodes. Whoever lies in proofs only
// could otherwise keep a client from every record.
type Doubter interface {
	// Doubt says that the last answer was a lie: the next question goes to
	// another node. It returns how many others there are.
	Doubt() int
}

// Proof is a record with its ics23 proof.
type Proof struct {
	Height int64 // version of the tree
	Key    []byte
	Value  []byte // empty: the proof shows absence
	Proof  []byte
}

// Store keeps the head across restarts. Losing it is safe: the client starts
// again from the genesis document.
type Store interface {
	// Load returns what was saved last, or nil.
	Load() ([]byte, error)
	// Save keeps b in place of what was saved before.
	Save(b []byte) error
}

// Head is the newest verified header.
type Head struct {
	Height int64     // 0: none yet
	Hash   []byte    // header hash
	Time   time.Time // when the validators agreed on it
}

// Config says what a client trusts. Genesis and Source are needed.
type Config struct {
	Genesis *genesis.Doc
	Source  Source
	Store   Store            // nil: nothing is kept
	Now     func() time.Time // nil: time.Now
	Period  time.Duration    // trusting period; 0: DefaultPeriod
	Drift   time.Duration    // how far ahead of Now a header may be; 0: DefaultDrift
	Cached  int              // how many records are kept for a head; 0: DefaultCached
}

// Defaults of Config.
const (
	// DefaultPeriod is how long a validator set can be relied on without news,
	// well below the time in which its members could have sold their keys.
	DefaultPeriod = 14 * 24 * time.Hour
	// DefaultDrift allows for clocks that are not quite the same.
	DefaultDrift = 10 * time.Second
	// DefaultCached is what a device needs of records, and more.
	DefaultCached = 256
)

// Client follows one ledger. It is safe for concurrent use.
type Client struct {
	cfg     Config
	genesis anchor

	mu     sync.Mutex
	head   *Block // nil before the first
	proofs map[string][]byte
	held   int // bytes in proofs

	fetching sync.Mutex // one verification at a time
}

// New makes a client at the head that the store holds, or at the genesis
// document. It fetches nothing.
func New(cfg Config) (*Client, error) {
	if cfg.Genesis == nil || cfg.Source == nil {
		return nil, errors.New("light client needs a genesis document and a source")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Period == 0 {
		cfg.Period = DefaultPeriod
	}
	if cfg.Drift == 0 {
		cfg.Drift = DefaultDrift
	}
	if cfg.Cached == 0 {
		cfg.Cached = DefaultCached
	}
	c := &Client{cfg: cfg, genesis: genesisAnchor(cfg.Genesis)}
	if cfg.Store == nil {
		return c, nil
	}
	raw, err := cfg.Store.Load()
	if err != nil {
		return nil, fmt.Errorf("load ledger head: %w", err)
	}
	if raw == nil {
		return c, nil
	}
	if c.head, err = DecodeBlock(cfg.Genesis.ChainID, raw); err != nil {
		return nil, fmt.Errorf("load ledger head: %w", err)
	}
	return c, nil
}

// Head is the newest verified header; its Height is 0 before the first.
func (c *Client) Head() Head {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.head == nil {
		return Head{}
	}
	return c.head.Head()
}

// Update fetches and verifies the newest header. A source that gives an older
// one than the present head changes nothing; whoever needs freshness looks at
// the time of the head that is returned.
func (c *Client) Update(ctx context.Context) (Head, error) {
	raw, err := c.cfg.Source.LightBlock(ctx, 0)
	if err != nil {
		return c.Head(), fmt.Errorf("fetch newest header: %w", err)
	}
	return c.Offer(ctx, raw)
}

// Offer verifies a header that came from anywhere and moves the head to it if
// it is newer. Where too few of the known validators signed it, the headers
// between are fetched.
func (c *Client) Offer(ctx context.Context, raw []byte) (Head, error) {
	b, err := DecodeBlock(c.cfg.Genesis.ChainID, raw)
	if err != nil {
		return c.Head(), err
	}
	c.fetching.Lock()
	defer c.fetching.Unlock()
	if b.Header.Height <= c.Head().Height {
		return c.Head(), c.checkFork(b)
	}
	if err := c.reach(ctx, b); err != nil {
		return c.Head(), err
	}
	return c.Head(), nil
}

// Vouches reports whether a header can be verified from the present head
// without fetching anything: what a gossip validator asks before it forwards.
func (c *Client) Vouches(raw []byte) error {
	b, err := DecodeBlock(c.cfg.Genesis.ChainID, raw)
	if err != nil {
		return err
	}
	if b.Header.Height <= c.Head().Height {
		return c.checkFork(b)
	}
	return c.verify(c.anchor(), b)
}

// checkFork compares a header with the head of the same height. Two headers of
// one height that two thirds of the same validators signed are proof that some
// of them signed twice; anything less is just a bad header.
func (c *Client) checkFork(b *Block) error {
	c.mu.Lock()
	head := c.head
	c.mu.Unlock()
	if head == nil || b.Header.Height != head.Header.Height || b.Hash == head.Hash {
		return nil
	}
	if !bytes.Equal(b.Header.ValidatorsHash, head.Header.ValidatorsHash) {
		return refuse(BadHeader, "height %d is known with other validators", b.Header.Height)
	}
	if _, err := b.signers(nil); err != nil {
		return err
	}
	return refuse(Fork, "validators signed both %x and %x at height %d", head.Hash, b.Hash, b.Header.Height)
}

// reach verifies b from the present head, by bisection where needed.
func (c *Client) reach(ctx context.Context, b *Block) error {
	pending := []*Block{b}
	for len(pending) > 0 {
		next := pending[len(pending)-1]
		a := c.anchor()
		err := c.verify(a, next)
		switch {
		case err == nil:
			if err := c.advance(next); err != nil {
				return err
			}
			pending = pending[:len(pending)-1]
		case errors.Is(err, TooFewKnown) && next.Header.Height > a.height+1:
			if len(pending) > maxBisection {
				return err
			}
			mid, err := c.fetch(ctx, a.height+(next.Header.Height-a.height)/2)
			if err != nil {
				return err
			}
			pending = append(pending, mid)
		default:
			return err
		}
	}
	return nil
}

func (c *Client) fetch(ctx context.Context, height int64) (*Block, error) {
	raw, err := c.cfg.Source.LightBlock(ctx, height)
	if err != nil {
		return nil, fmt.Errorf("fetch header %d: %w", height, err)
	}
	b, err := DecodeBlock(c.cfg.Genesis.ChainID, raw)
	if err == nil && b.Header.Height != height {
		err = refuse(BadHeader, "asked for height %d, got %d", height, b.Header.Height)
	}
	return b, err
}

func (c *Client) anchor() anchor {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.head == nil {
		return c.genesis
	}
	return c.head.anchor()
}

// advance makes b the head. The store comes first: after a restart the client
// must not know less than it has acted on.
func (c *Client) advance(b *Block) error {
	if c.cfg.Store != nil {
		if err := c.cfg.Store.Save(b.raw); err != nil {
			return fmt.Errorf("save ledger head: %w", err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.head, c.proofs, c.held = b, nil, 0
	return nil
}
