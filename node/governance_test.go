package node

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/cometbft/cometbft/crypto"
	"github.com/cometbft/cometbft/crypto/ed25519"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	"github.com/cometbft/cometbft/privval"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	rpchttp "github.com/cometbft/cometbft/rpc/client/http"
	"github.com/cometbft/cometbft/types"

	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/node/home"
	"github.com/hybridos-net/hybridos/p2p/fetch"
)

// council is a test network with two governors, who decide together, and what
// has been sent to it.
type council struct {
	*testnet
	c         *fetch.Client
	rpc       *rpchttp.HTTP
	sequences [2]uint64
	devices   uint64
}

// newCouncil starts validators and full nodes under governance; the consensus
// engine of each answers RPC on loopback.
func newCouncil(t *testing.T, validators, full int) *council {
	t.Helper()
	w := &council{testnet: newNetwork(t, validators, full)}
	w.change = func(c *home.Config) { c.RPC = "127.0.0.1:0" }
	w.doc.Governance = &genesis.Governance{Threshold: 2}
	for i := range 2 {
		w.doc.Governance.Governors = append(w.doc.Governance.Governors, genesis.Governor{Name: fmt.Sprint("governor ", i), Key: w.governor(i).Public()})
	}
	w.startAll()
	w.c = w.client(0)
	var err error
	alone := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if w.rpc, err = rpchttp.NewWithClient("http://"+w.nodes[0].run.RPC, "/websocket", alone); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *council) governor(i int) *key.Private { return secret(w.t, fmt.Sprint("governor ", i)) }

func (w *council) govern(i int, p tx.Payload) (tx.ID, int64) {
	w.t.Helper()
	k := w.governor(i)
	raw := w.tx(k.Public().AccountID(), w.sequences[i], p, signer{tx.RoleGovernor, k})
	w.sequences[i]++
	t, err := tx.Decode(raw)
	if err != nil {
		w.t.Fatal(err)
	}
	return t.ID(w.doc.Chain()), mustSubmit(w.t, w.c, raw).Height
}

// decide carries a change out and gives the height of its block.
func (w *council) decide(c tx.Change) int64 {
	w.t.Helper()
	id, _ := w.govern(0, &tx.Propose{Until: uint64(time.Now().Unix()) + 600, Change: c})
	_, height := w.govern(1, &tx.Approve{Proposal: id})
	return height
}

// pass lets the chain reach a height, by registering devices.
func (w *council) pass(height int64) {
	w.t.Helper()
	for {
		p := &tx.RegisterDevice{Key: secret(w.t, fmt.Sprint("made ", w.devices)).Public(), SealKey: [32]byte{1}, Model: "lock"}
		raw := w.tx(w.vendor.Public().AccountID(), w.devices, p, signer{tx.RoleVendor, w.vendor})
		w.devices++
		if mustSubmit(w.t, w.c, raw).Height >= height {
			return
		}
	}
}

// signed tells whether a node's key stands in the validator set of a height and
// has signed its block.
func (w *council) signed(node int, height int64) (member, signed bool) {
	w.t.Helper()
	commit, err := w.rpc.Commit(w.t.Context(), &height)
	if err != nil {
		w.t.Fatal(err)
	}
	vals, err := w.rpc.Validators(w.t.Context(), &height, nil, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	address := w.pub(node).Address()
	for _, v := range vals.Validators {
		member = member || bytes.Equal(v.Address, address[:])
	}
	for _, s := range commit.Commit.Signatures {
		signed = signed || bytes.Equal(s.ValidatorAddress, address[:]) && s.BlockIDFlag == types.BlockIDFlagCommit
	}
	return member, signed
}

func (w *council) pub(node int) tx.ValidatorKey {
	w.t.Helper()
	pub, err := KeyFiles(w.dirs[node]).PubKey()
	if err != nil {
		w.t.Fatal(err)
	}
	return tx.ValidatorKey(pub)
}

// follow moves a light client to the newest header and reads a validator.
func (w *council) follow(lc *light.Client, node int) state.Validator {
	w.t.Helper()
	if _, err := lc.Update(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	v, err := state.GetValidator(lc.View(w.t.Context()), w.pub(node).Address())
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

// TestNode_LiveValidators: a full node becomes a validator and signs, another
// takes a validator's place over, one is removed and stops, one signs twice and loses its power; light clients that
// watch all the time and ones that come late follow.
func TestNode_LiveValidators(t *testing.T) {
	w := newCouncil(t, 4, 2)
	lc := w.lightClient(w.client(4))
	w.pass(2)
	if v := w.follow(lc, 0); v.Status != state.Validating || v.Name != "node0" {
		t.Errorf("validator of the genesis document: %+v", v)
	}
	t.Run("added", func(t *testing.T) { w.testAdded(t, lc) })
	t.Run("key replaced", func(t *testing.T) { w.testReplaced(t, lc) })
	t.Run("removed", func(t *testing.T) { w.testRemoved(t, lc) })
	t.Run("signs twice", func(t *testing.T) { w.testTwice(t, lc) })
	late := w.lightClient(w.client(4))
	if v := w.follow(late, 4); v.Status != state.Validating || late.Head().Height < lc.Head().Height {
		t.Errorf("a client that comes late sees %+v at %d", v, late.Head().Height)
	}
}

func (w *council) testAdded(t *testing.T, lc *light.Client) {
	k, proof, err := KeyFiles(w.dirs[4]).ProveValidator(w.doc.Chain())
	if err != nil {
		t.Fatal(err)
	}
	h := w.decide(tx.Change{AddValidator: &tx.AddValidator{ValidatorName: "fifth", Key: k, Proof: proof}})
	w.joins(t, 4, h)
	if v := w.follow(lc, 4); v.Power != state.Power || v.Name != "fifth" {
		t.Errorf("record %+v", v)
	}
}

// joins demands that a node is a validator from the second block after a
// decision on, and signs.
func (w *council) joins(t *testing.T, node int, decided int64) {
	t.Helper()
	w.pass(decided + 8)
	if member, _ := w.signed(node, decided+1); member {
		t.Error("it is a validator one block after the decision")
	}
	signs := false
	for at := decided + 2; at <= decided+7; at++ {
		member, signed := w.signed(node, at)
		if !member {
			t.Errorf("it is no validator at %d, decided at %d", at, decided)
		}
		signs = signs || signed
	}
	if !signs {
		t.Error("it signs nothing")
	}
}

// testReplaced moves the operator of node 2 to the machine and key of node 5.
func (w *council) testReplaced(t *testing.T, lc *light.Client) {
	k, proof, err := KeyFiles(w.dirs[5]).ProveValidator(w.doc.Chain())
	if err != nil {
		t.Fatal(err)
	}
	h := w.decide(tx.Change{ReplaceKey: &tx.ReplaceKey{Old: w.pub(2), New: k, Proof: proof}})
	w.joins(t, 5, h)
	if member, _ := w.signed(2, h+2); member {
		t.Error("the old key is a validator's still")
	}
	old, next := w.follow(lc, 2), w.follow(lc, 5)
	if old.Status != state.Replaced || old.Power != 0 || *old.Next != k.Address() || next.Name != old.Name || next.Power != state.Power {
		t.Errorf("records %+v and %+v", old, next)
	}
}

func (w *council) testRemoved(t *testing.T, lc *light.Client) {
	h := w.decide(tx.Change{RemoveValidator: &tx.RemoveValidator{Key: w.pub(1)}})
	w.pass(h + 2)
	if member, _ := w.signed(1, h+2); member {
		t.Error("it is a validator still")
	}
	r := w.nodes[1]
	r.stop()
	if err := <-r.done; err != nil {
		t.Error(err)
	}
	w.nodes[1] = nil
	w.pass(h + 5)
	if v := w.follow(lc, 1); v.Power != 0 || v.Status != state.Removed {
		t.Errorf("record %+v", v)
	}
}

// testTwice lets node 3 sign two blocks of one height and hands both votes to a
// node, as anybody may who sees them.
func (w *council) testTwice(t *testing.T, lc *light.Client) {
	height := lc.Head().Height - 1
	block, err := w.rpc.Block(t.Context(), &height)
	if err != nil {
		t.Fatal(err)
	}
	vals, err := w.rpc.Validators(t.Context(), &height, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	secret := w.consensusKey(3)
	vote := func(hash byte) *types.Vote {
		v := &types.Vote{
			Type: cmtproto.PrecommitType, Height: height, Timestamp: block.Block.Time, ValidatorAddress: secret.PubKey().Address(),
			BlockID: types.BlockID{Hash: bytes.Repeat([]byte{hash}, 32), PartSetHeader: types.PartSetHeader{Total: 1, Hash: bytes.Repeat([]byte{hash}, 32)}},
		}
		for i, m := range vals.Validators {
			if bytes.Equal(m.Address, v.ValidatorAddress) {
				v.ValidatorIndex = int32(i)
			}
		}
		sig, err := secret.Sign(types.VoteSignBytes(w.doc.ChainID, v.ToProto()))
		if err != nil {
			t.Fatal(err)
		}
		v.Signature = sig
		return v
	}
	e, err := types.NewDuplicateVoteEvidence(vote(1), vote(2), block.Block.Time, types.NewValidatorSet(vals.Validators))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.rpc.BroadcastEvidence(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	for w.follow(lc, 3).Power > 0 {
		w.pass(0) // a block more, until one holds the evidence
	}
	v := w.follow(lc, 3)
	set, err := state.GetValidatorSet(lc.View(t.Context()))
	if err != nil || v.Status != state.Jailed || len(set.Members) != 3 {
		t.Fatalf("record %+v, set %+v, %v", v, set, err)
	}
	w.pass(set.Height + 3)
	if member, signed := w.signed(3, set.Height+2); member || signed {
		t.Error("it is a validator still")
	}
}

// consensusKey reads the key with which a node signs blocks.
func (w *council) consensusKey(node int) crypto.PrivKey {
	w.t.Helper()
	raw, err := os.ReadFile(w.dirs[node].ConsensusKey())
	if err != nil {
		w.t.Fatal(err)
	}
	var k privval.FilePVKey
	if err := cmtjson.Unmarshal(raw, &k); err != nil {
		w.t.Fatal(err)
	}
	if _, ok := k.PrivKey.(ed25519.PrivKey); !ok {
		w.t.Fatalf("a key of type %s", k.PrivKey.Type())
	}
	return k.PrivKey
}
