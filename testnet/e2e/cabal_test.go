package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/cometbft/cometbft/crypto"
	"github.com/cometbft/cometbft/privval"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/store"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/node/home"
	"github.com/hybridos-net/hybridos/p2p/fetch"
)

// cabal is all validators of a network acting together: it has their real keys
// and one's real state, goes on where they stopped, and writes what it likes.
// Safe for concurrent use.
type cabal struct {
	t  *testing.T
	mu sync.Mutex

	tree   *store.Tree
	keys   map[string]crypto.PrivKey // by address
	last   *types.LightBlock
	blocks map[int64][]byte
}

var _ fetch.Backend = (*cabal)(nil)

// takeOver stops the validators and takes what they have.
func takeOver(d *door) *cabal {
	d.t.Helper()
	c := &cabal{t: d.t, keys: make(map[string]crypto.PrivKey), blocks: make(map[int64][]byte)}
	raw := must(ask(d.t, d.net.Mesh()).LightBlock(d.ctx, 0))(d.t)
	var p cmtproto.LightBlock
	c.check(p.Unmarshal(raw))
	c.last = must(types.LightBlockFromProto(&p))(d.t)
	nodes := d.net.State().Nodes
	for _, n := range nodes {
		c.check(d.net.Stop(d.ctx, n.Name))
		pv := privval.LoadFilePVEmptyState(home.Dir(n.Home).ConsensusKey(), "")
		c.keys[string(pv.Key.Address)] = pv.Key.PrivKey
	}
	if len(c.keys) != 4 || c.last.ValidatorSet.Size() != 4 {
		d.t.Fatalf("%d keys of %d validators, want all of 4", len(c.keys), c.last.ValidatorSet.Size())
	}
	c.tree = must(store.Open(store.Config{Dir: home.Dir(nodes[0].Home).StateDir()}))(d.t)
	d.t.Cleanup(func() { c.check(c.tree.Close()) })
	return c
}

func (c *cabal) check(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// write changes records past all rules and signs headers until the change can
// be proven; it returns the height.
func (c *cabal) write(records map[string][]byte) int64 {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for k, v := range records {
		if v == nil {
			c.check(c.tree.Delete([]byte(k)))
			continue
		}
		c.check(c.tree.Set([]byte(k), v))
	}
	// The change is in the next version, which the header after it vouches for.
	// The tree may have been a version ahead of the last header that was fetched.
	for proven := c.tree.Version() + 2; c.last.Height < proven; {
		c.advance()
	}
	return c.last.Height
}

// advance signs the header after the last one with all keys.
func (c *cabal) advance() {
	c.t.Helper()
	h := *c.last.Header
	h.Height++
	h.Time = time.Now().UTC()
	h.LastBlockID = c.last.Commit.BlockID
	var err error
	h.AppHash, err = c.tree.HashAt(h.Height - 1)
	c.check(err)
	id := types.BlockID{Hash: h.Hash(), PartSetHeader: types.PartSetHeader{Total: 1, Hash: h.DataHash}}
	commit := &types.Commit{Height: h.Height, BlockID: id}
	for i, v := range c.last.ValidatorSet.Validators {
		vote := &cmtproto.Vote{
			Type: cmtproto.PrecommitType, Height: h.Height, BlockID: id.ToProto(), Timestamp: h.Time,
			ValidatorAddress: v.Address, ValidatorIndex: int32(i),
		}
		sig, err := c.keys[string(v.Address)].Sign(types.VoteSignBytes(h.ChainID, vote))
		c.check(err)
		commit.Signatures = append(commit.Signatures, types.CommitSig{
			BlockIDFlag: types.BlockIDFlagCommit, ValidatorAddress: v.Address, Timestamp: h.Time, Signature: sig,
		})
	}
	c.last = &types.LightBlock{SignedHeader: &types.SignedHeader{Header: &h, Commit: commit}, ValidatorSet: c.last.ValidatorSet}
	// CometBFT itself finds nothing wrong with it.
	c.check(c.last.ValidateBasic(h.ChainID))
	c.check(c.last.ValidatorSet.VerifyCommit(h.ChainID, id, h.Height, commit))
	p := must(c.last.ToProto())(c.t)
	c.blocks[h.Height] = must(p.Marshal())(c.t)
	if c.tree.Version() < h.Height {
		_, _, err := c.tree.Commit()
		c.check(err)
	}
}

// LightBlock gives a header of the cabal's.
func (c *cabal) LightBlock(_ context.Context, height int64) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if height == 0 {
		height = c.last.Height
	}
	b, ok := c.blocks[height]
	if !ok {
		return nil, fetch.NotFound
	}
	return bytes.Clone(b), nil
}

// Prove gives a record with its true proof.
func (c *cabal) Prove(_ context.Context, k []byte, height int64) (fetch.Proof, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if height == 0 {
		height = c.last.Height - 1
	}
	value, proof, err := c.tree.ProveAt(height, k)
	return fetch.Proof{Height: height, Key: k, Value: value, Proof: proof}, err
}

// Submit: the cabal takes nothing.
func (c *cabal) Submit(context.Context, []byte) (fetch.Result, error) {
	return fetch.Result{}, errors.New("not today")
}

// theft is one way in which validators give a device to a thief.
type theft struct {
	name string
	// records are written past all rules.
	records func(s *spoils) map[string][]byte
	// command is the thief's caller and epoch afterwards.
	asOwner bool // in the owner's name, with a key that was slipped in
	epoch   uint64
}

// spoils is what thieves work with.
type spoils struct {
	chain  codec.ChainDigest
	dev    state.Device
	id     key.DeviceID
	owner  state.Account
	thief  *key.Private
	victim key.AccountID
}

func (s *spoils) thiefID() key.AccountID { return s.thief.Public().AccountID() }

// device is the device's record with another owner and epoch.
func (s *spoils) device(epoch uint64, owner *key.AccountID) map[string][]byte {
	d := s.dev
	d.Epoch, d.Owner = epoch, owner
	root := s.thief.Public()
	return map[string][]byte{
		string(state.DeviceKey(s.id)):         codec.MustMarshal(d),
		string(state.AccountKey(s.thiefID())): codec.MustMarshal(state.Account{Root: root, KeySet: state.RootKeySet(root)}),
	}
}

// signed is a transaction in anybody's name that the thief alone has signed.
func (s *spoils) signed(account key.AccountID, p tx.Payload, roles ...tx.Role) []byte {
	t, err := tx.New(account, 1, uint64(time.Now().Add(time.Minute).Unix()), p)
	if err != nil {
		panic(err)
	}
	for _, r := range roles {
		t.Sign(s.chain, r, s.thief)
	}
	return t.Bytes()
}

func (s *spoils) with(m map[string][]byte, k, v []byte) map[string][]byte {
	m[string(k)] = v
	return m
}

// rotated is the owner's account with the thief's key in it.
func (s *spoils) rotated() (tx.RotateKeys, map[string][]byte) {
	a := s.owner
	keys := append(a.KeySet.Keys, tx.AccountKey{Key: s.thief.Public(), Rights: tx.RightAdmin | tx.RightInvoke})
	p := tx.RotateKeys{Version: a.KeySet.Version + 1, Keys: keys, Threshold: 1}
	a.KeySet = state.KeySet{Version: p.Version, Threshold: 1, Keys: keys}
	return p, map[string][]byte{string(state.AccountKey(s.victim)): codec.MustMarshal(a)}
}

var thefts = []theft{
	{"another owner without any transaction", func(s *spoils) map[string][]byte {
		id := s.thiefID()
		return s.device(2, &id)
	}, false, 2},
	{"another owner in the same epoch", func(s *spoils) map[string][]byte {
		id := s.thiefID()
		return s.device(1, &id)
	}, false, 1},
	{"a transfer that only the thief signed", func(s *spoils) map[string][]byte {
		id, root := s.thiefID(), s.thief.Public()
		p := &tx.Transfer{Device: s.id, Epoch: 2, To: id, Root: &root}
		return s.with(s.device(2, &id), state.OwnerChangeKey(s.id, 2), s.signed(s.victim, p, tx.RoleAccount, tx.RoleNewOwner))
	}, false, 2},
	{"a claim that only the thief signed", func(s *spoils) map[string][]byte {
		id, root := s.thiefID(), s.thief.Public()
		p := &tx.Claim{Device: s.id, Epoch: 2, Root: &root}
		return s.with(s.device(2, &id), state.OwnerChangeKey(s.id, 2), s.signed(id, p, tx.RoleAccount, tx.RoleDevice))
	}, false, 2},
	{"the first claim is another", func(s *spoils) map[string][]byte {
		id, root := s.thiefID(), s.thief.Public()
		p := &tx.Claim{Device: s.id, Epoch: 1, Root: &root}
		return s.with(s.device(1, &id), state.OwnerChangeKey(s.id, 1), s.signed(id, p, tx.RoleAccount, tx.RoleDevice))
	}, false, 1},
	{"a key slipped into the owner's account", func(s *spoils) map[string][]byte {
		_, m := s.rotated()
		return m
	}, true, 1},
	{"a key change that only the thief signed", func(s *spoils) map[string][]byte {
		p, m := s.rotated()
		return s.with(m, state.KeyChangeKey(s.victim, p.Version), s.signed(s.victim, &p, tx.RoleAccount, tx.RoleNewKey))
	}, true, 1},
	{"nobody owns it any more", func(s *spoils) map[string][]byte {
		return s.device(1, nil)
	}, false, 1},
}

// TestAllValidatorsLie: all four validators sign headers in which the device
// changes hands without its owner. The real agent refuses the thief, does
// nothing for anybody while the ledger's word is false, and obeys the true owner
// again as soon as it is true.
func TestAllValidatorsLie(t *testing.T) {
	d := pairedDoor(t)
	c := takeOver(d)
	s := &spoils{chain: d.client.Chain(), id: d.dev.ID, victim: d.caller.Principal, thief: must(key.Generate(rand.Reader))(t)}
	s.dev = must(state.GetDevice(c.tree, s.id))(t)
	s.owner = must(state.GetAccount(c.tree, s.victim))(t)
	honest := c.snapshot(s)
	d.restart(serve(t, c))
	thief := d.newCaller(s.thief, s.thiefID())
	inside := d.newCaller(s.thief, s.victim)
	for _, x := range thefts {
		height := c.write(merge(honest, x.records(s)))
		caller := thief
		if x.asOwner {
			caller = inside
		}
		for i, r := range []*command.Receipt{d.open(caller, x.epoch, height), d.open(d.caller, 1, height)} {
			who := []string{"the thief", "the owner"}[i]
			judged := i == 0 || r.Body.Height == uint64(height) // the first makes the device look
			if r.Body.Status != command.Rejected || r.Body.Code != command.Untrusted || !judged {
				t.Errorf("%s: %s gets %s (%s) at height %d of %d", x.name, who, r.Body.Status, r.Body.Code, r.Body.Height, height)
			}
		}
		d.moves(1)
		said := must(d.net.AwaitDevice(d.ctx, "dev1", ownedAndAt(height)))(t)
		if *said.Owner != s.victim || said.Epoch != 1 {
			t.Errorf("%s: the device obeys %s in epoch %d now", x.name, said.Owner, said.Epoch)
		}
	}
	height := c.write(honest)
	if r := d.open(thief, 1, height); r.Body.Status != command.Rejected || r.Body.Code != command.UnknownKey {
		t.Errorf("after the truth is back the thief gets %s (%s)", r.Body.Status, r.Body.Code)
	}
	d.moves(1)
	if r := d.open(d.caller, 1, height); r.Body.Status != command.Executed {
		t.Errorf("after the truth is back the owner gets %s (%s) at height %d of %d", r.Body.Status, r.Body.Code, r.Body.Height, height)
	}
	d.moves(2)
}

// snapshot is every record that the thefts change, as it is in truth; nil: it
// is not there.
func (c *cabal) snapshot(s *spoils) map[string][]byte {
	out := make(map[string][]byte)
	for _, k := range [][]byte{
		state.DeviceKey(s.id), state.AccountKey(s.victim), state.AccountKey(s.thiefID()),
		state.OwnerChangeKey(s.id, 1), state.OwnerChangeKey(s.id, 2), state.KeyChangeKey(s.victim, 1),
	} {
		out[string(k)] = must(c.tree.Get(k))(c.t)
	}
	return out
}

func merge(maps ...map[string][]byte) map[string][]byte {
	out := make(map[string][]byte)
	for _, m := range maps {
		for k, v := range m {
			out[k] = v
		}
	}
	return out
}
