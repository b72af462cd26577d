// Package lighttest makes ledgers in memory for tests: real validator keys,
// headers and commits made by CometBFT's own types, and a real state tree.
//
// It is not a node: nothing votes, so it can also sign what no honest network
// would, which is what tests of light clients and devices need. Callers use New,
// Chain.Execute and Chain.Seal; a Chain is a light.Source.
//
// What must never change: it shares no code with the verifier under test.
package lighttest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/cometbft/cometbft/crypto/ed25519"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmtversion "github.com/cometbft/cometbft/proto/tendermint/version"
	"github.com/cometbft/cometbft/types"

	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/store"
	"github.com/hybridos-net/hybridos/chain/store/kv"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Interval is the time between two headers.
const Interval = time.Second

// Chain is a ledger whose validators do what the test says. Safe for
// concurrent use, as a Source must be.
type Chain struct {
	Doc *genesis.Doc

	t      testing.TB
	mu     sync.Mutex
	tree   *store.Tree
	keys   map[string]ed25519.PrivKey // by address
	since  map[string]int             // order in which validators were made, by address
	vals   *types.ValidatorSet
	next   *types.ValidatorSet
	blocks map[int64][]byte
	height int64
	last   types.BlockID
	now    time.Time
}

var _ light.Source = (*Chain)(nil)

// New starts a ledger with n validators and the given vendors, and seals its
// first state. Its clock starts now.
func New(t testing.TB, n int, vendors ...genesis.Vendor) *Chain {
	t.Helper()
	now := time.Now().UTC().Truncate(time.Second)
	c := &Chain{
		t: t, keys: make(map[string]ed25519.PrivKey), since: make(map[string]int), blocks: make(map[int64][]byte), now: now,
		Doc: &genesis.Doc{ChainID: "light-test", Time: now.Unix(), Vendors: vendors},
	}
	c.next = c.newValidators(n)
	c.vals = c.next
	for _, v := range c.vals.Validators {
		c.Doc.Validators = append(c.Doc.Validators, genesis.Validator{Name: v.Address.String(), PubKey: v.PubKey.Bytes()})
	}
	c.check(c.Doc.Validate())
	tree, err := store.Open(store.Config{Dir: "tree", FS: kv.NewMemFS(), KeepVersions: -1})
	c.check(err)
	t.Cleanup(func() { tree.Close() })
	c.tree = tree
	c.check(c.Doc.Apply(tree))
	c.Seal()
	return c
}

func (c *Chain) check(err error) {
	if err != nil {
		c.t.Helper()
		c.t.Fatal(err)
	}
}

func (c *Chain) newValidators(n int) *types.ValidatorSet {
	vals := make([]*types.Validator, n)
	for i := range vals {
		k := ed25519.GenPrivKey()
		c.keys[string(k.PubKey().Address())] = k
		c.since[string(k.PubKey().Address())] = len(c.since)
		vals[i] = types.NewValidator(k.PubKey(), genesis.Power)
	}
	return types.NewValidatorSet(vals)
}

// Now is the time of the newest header.
func (c *Chain) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Height is the newest header's.
func (c *Chain) Height() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.height
}

// Block is the block in which the next transaction would execute.
func (c *Chain) Block() state.Block {
	c.mu.Lock()
	defer c.mu.Unlock()
	return state.Block{Chain: c.Doc.Chain(), Height: c.height + 1, Time: c.now.Unix()}
}

// Execute runs a transaction by the ledger's rules; it must succeed.
func (c *Chain) Execute(t *tx.Tx) {
	c.t.Helper()
	b := c.Block()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.check(state.Execute(c.tree, b, t))
}

// Set writes a record past all rules, as lying validators could.
func (c *Chain) Set(key, value []byte) {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.check(c.tree.Set(key, value))
}

// Get reads the working state.
func (c *Chain) Get(key []byte) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tree.Get(key)
}

// Replace announces n new validators; they sign from the header after next.
func (c *Chain) Replace(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next = c.newValidators(n)
}

// ReplaceOne announces a set in which the longest-serving validator is another.
func (c *Chain) ReplaceOne() {
	c.mu.Lock()
	defer c.mu.Unlock()
	oldest := c.next.Validators[0]
	for _, v := range c.next.Validators {
		if c.since[string(v.Address)] < c.since[string(oldest.Address)] {
			oldest = v
		}
	}
	vals := c.newValidators(1).Validators
	for _, v := range c.next.Validators {
		if v != oldest {
			vals = append(vals, types.NewValidator(v.PubKey, v.VotingPower))
		}
	}
	c.next = types.NewValidatorSet(vals)
}

// Seal commits what was written and signs headers until it can be proven under
// the newest one, whose height it returns.
func (c *Chain) Seal() int64 {
	c.Advance(Interval)
	return c.Advance(Interval)
}

// Advance signs one more header, d after the last.
func (c *Chain) Advance(d time.Duration) int64 {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.height++
	if c.height > 1 {
		c.now = c.now.Add(d)
	}
	c.blocks[c.height] = c.sign(c.header(), c.vals)
	_, _, err := c.tree.Commit()
	c.check(err)
	c.vals = c.next
	return c.height
}

func (c *Chain) header() *types.Header {
	hash := func(s string) []byte { h := sha256.Sum256([]byte(s)); return h[:] }
	return &types.Header{
		Version: cmtversion.Consensus{Block: 11, App: 1}, ChainID: c.Doc.ChainID, Height: c.height, Time: c.now,
		LastBlockID: c.last, LastCommitHash: hash("commit"), DataHash: hash("data"),
		ValidatorsHash: c.vals.Hash(), NextValidatorsHash: c.next.Hash(), ConsensusHash: hash("consensus"),
		AppHash: c.tree.Hash(), LastResultsHash: hash("results"), EvidenceHash: hash("evidence"),
		ProposerAddress: c.vals.Validators[0].Address,
	}
}

// sign makes a light block in which every validator of the set signs.
func (c *Chain) sign(h *types.Header, set *types.ValidatorSet) []byte {
	id := types.BlockID{Hash: h.Hash(), PartSetHeader: types.PartSetHeader{Total: 1, Hash: h.DataHash}}
	commit := &types.Commit{Height: h.Height, BlockID: id}
	for i, v := range set.Validators {
		vote := &cmtproto.Vote{
			Type: cmtproto.PrecommitType, Height: h.Height, BlockID: id.ToProto(),
			Timestamp: h.Time.Add(time.Duration(i) * time.Millisecond), ValidatorAddress: v.Address, ValidatorIndex: int32(i),
		}
		sig, err := c.keys[string(v.Address)].Sign(types.VoteSignBytes(h.ChainID, vote))
		c.check(err)
		commit.Signatures = append(commit.Signatures, types.CommitSig{
			BlockIDFlag: types.BlockIDFlagCommit, ValidatorAddress: v.Address, Timestamp: vote.Timestamp, Signature: sig,
		})
	}
	c.last = id
	lb := &types.LightBlock{SignedHeader: &types.SignedHeader{Header: h, Commit: commit}, ValidatorSet: set}
	c.check(lb.ValidateBasic(h.ChainID))
	return c.encode(lb)
}

func (c *Chain) encode(lb *types.LightBlock) []byte {
	p, err := lb.ToProto()
	c.check(err)
	raw, err := p.Marshal()
	c.check(err)
	return raw
}

// Forge gives the light block of a height with a change made to its header.
// Resigned says whether all validators sign the changed header, as a network
// of liars would; else the old signatures stay.
func (c *Chain) Forge(height int64, resigned bool, change func(*types.LightBlock)) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	var p cmtproto.LightBlock
	c.check(p.Unmarshal(c.blocks[height]))
	lb, err := types.LightBlockFromProto(&p)
	c.check(err)
	change(lb)
	if !resigned {
		return c.encode(lb)
	}
	last := c.last
	defer func() { c.last = last }()
	return c.sign(lb.Header, lb.ValidatorSet)
}

// Usurp gives a header two heights ahead of the newest that n of the present
// validators sign alone: it names nobody but them as validators, so that all of
// its own set has signed.
func (c *Chain) Usurp(n int) []byte {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	few := make([]*types.Validator, n)
	for i, v := range c.vals.Validators[:n] {
		few[i] = types.NewValidator(v.PubKey, v.VotingPower)
	}
	set := types.NewValidatorSet(few)
	h := c.header()
	h.Height, h.Time = c.height+2, c.now.Add(time.Millisecond)
	h.ValidatorsHash, h.NextValidatorsHash = set.Hash(), set.Hash()
	h.ProposerAddress = set.Validators[0].Address
	h.AppHash = bytes.Repeat([]byte{0xee}, sha256.Size)
	last := c.last
	defer func() { c.last = last }()
	return c.sign(h, set)
}

// LightBlock gives a header; 0 means the newest.
func (c *Chain) LightBlock(_ context.Context, height int64) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if height == 0 {
		height = c.height
	}
	b, ok := c.blocks[height]
	if !ok {
		return nil, errors.New("no such height")
	}
	return bytes.Clone(b), nil
}

// Prove gives a record with its proof.
func (c *Chain) Prove(_ context.Context, key []byte, height int64) (light.Proof, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	value, proof, err := c.tree.ProveAt(height, key)
	return light.Proof{Height: height, Key: key, Value: value, Proof: proof}, err
}
