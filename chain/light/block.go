package light

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"github.com/cometbft/cometbft/crypto/merkle"
	"github.com/cometbft/cometbft/libs/protoio"
	cryptoproto "github.com/cometbft/cometbft/proto/tendermint/crypto"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	gogotypes "github.com/cosmos/gogoproto/types"

	"github.com/hybridos-net/hybridos/chain/genesis"
)

// Block is a header with the commit and validators that speak for it. Once
// decoded, it is consistent in itself; whether to trust it is decided by
// verify.
type Block struct {
	Header cmtproto.Header
	Hash   [sha256.Size]byte

	commit cmtproto.Commit
	vals   []validator
	raw    []byte
}

// validator is a member of a set.
type validator struct {
	address [20]byte // first 20 bytes of SHA-256 of the key
	key     ed25519.PublicKey
	power   int64
}

// anchor is what a verification starts from: a validator set that is trusted
// as of a time.
type anchor struct {
	height   int64
	time     time.Time
	vals     []validator
	nextHash []byte // hash of the set of height+1
}

// DecodeBlock reads a protobuf LightBlock and checks that its parts belong
// together: the ledger's id, the commit for this very header, the validator set
// that the header names.
func DecodeBlock(chainID string, raw []byte) (*Block, error) {
	if len(raw) > MaxBlockBytes {
		return nil, refuse(BadHeader, "light block of %d bytes, at most %d", len(raw), MaxBlockBytes)
	}
	var p cmtproto.LightBlock
	if err := p.Unmarshal(raw); err != nil {
		return nil, refuse(BadHeader, "light block: %v", err)
	}
	if p.SignedHeader == nil || p.SignedHeader.Header == nil || p.SignedHeader.Commit == nil || p.ValidatorSet == nil {
		return nil, refuse(BadHeader, "light block lacks header, commit or validators")
	}
	b := &Block{Header: *p.SignedHeader.Header, commit: *p.SignedHeader.Commit, raw: raw}
	if b.Header.ChainID != chainID {
		return nil, refuse(WrongChain, "header of ledger %q, want %q", b.Header.ChainID, chainID)
	}
	var err error
	if b.vals, err = decodeValidators(p.ValidatorSet.Validators); err != nil {
		return nil, err
	}
	if b.Hash, err = headerHash(&b.Header); err != nil {
		return nil, err
	}
	return b, b.consistent()
}

func (b *Block) consistent() error {
	h := &b.Header
	if h.Height <= 0 || len(h.AppHash) != sha256.Size && h.Height > 1 || len(h.NextValidatorsHash) != sha256.Size {
		return refuse(BadHeader, "height %d with incomplete hashes", h.Height)
	}
	if !bytes.Equal(setHash(b.vals), h.ValidatorsHash) {
		return refuse(BadHeader, "validators are not those of the header")
	}
	if b.commit.Height != h.Height || !bytes.Equal(b.commit.BlockID.Hash, b.Hash[:]) {
		return refuse(BadHeader, "commit is for another header")
	}
	if len(b.commit.Signatures) != len(b.vals) {
		return refuse(BadHeader, "%d signatures for %d validators", len(b.commit.Signatures), len(b.vals))
	}
	return nil
}

// Head is the block's place in the chain.
func (b *Block) Head() Head {
	return Head{Height: b.Header.Height, Hash: b.Hash[:], Time: b.Header.Time}
}

func (b *Block) anchor() anchor {
	return anchor{height: b.Header.Height, time: b.Header.Time, vals: b.vals, nextHash: b.Header.NextValidatorsHash}
}

// genesisAnchor trusts the validators of the genesis document from its time
// on, as if they had signed a header of height 0.
func genesisAnchor(d *genesis.Doc) anchor {
	vals := make([]validator, len(d.Validators))
	for i, v := range d.Validators {
		vals[i] = validator{address: address(v.PubKey), key: v.PubKey, power: genesis.Power}
	}
	// CometBFT orders a set by falling power, then by rising address.
	slices.SortFunc(vals, func(a, b validator) int { return bytes.Compare(a.address[:], b.address[:]) })
	return anchor{time: time.Unix(d.Time, 0), vals: vals, nextHash: setHash(vals)}
}

func address(pub []byte) [20]byte {
	h := sha256.Sum256(pub)
	return [20]byte(h[:20])
}

func decodeValidators(in []*cmtproto.Validator) ([]validator, error) {
	if len(in) == 0 || len(in) > MaxValidators {
		return nil, refuse(BadHeader, "%d validators, want 1 to %d", len(in), MaxValidators)
	}
	out := make([]validator, len(in))
	seen := make(map[[20]byte]bool, len(in))
	for i, v := range in {
		if v == nil || len(v.PubKey.GetEd25519()) != ed25519.PublicKeySize {
			return nil, refuse(BadHeader, "validator %d has no Ed25519 key", i)
		}
		if v.VotingPower <= 0 || v.VotingPower > maxPower {
			return nil, refuse(BadHeader, "validator %d has power %d", i, v.VotingPower)
		}
		pub := v.PubKey.GetEd25519()
		out[i] = validator{address: address(pub), key: pub, power: v.VotingPower}
		if seen[out[i].address] {
			return nil, refuse(BadHeader, "validator %d stands twice", i)
		}
		seen[out[i].address] = true
	}
	return out, nil
}

// headerHash is the Merkle root over the header's fields (CometBFT
// specification, "Data structures", Header).
func headerHash(h *cmtproto.Header) (out [sha256.Size]byte, err error) {
	version, err1 := h.Version.Marshal()
	stamp, err2 := gogotypes.StdTimeMarshal(h.Time)
	last, err3 := h.LastBlockId.Marshal()
	chain, err4 := (&gogotypes.StringValue{Value: h.ChainID}).Marshal()
	height, err5 := (&gogotypes.Int64Value{Value: h.Height}).Marshal()
	for _, e := range []error{err1, err2, err3, err4, err5} {
		if e != nil {
			return out, refuse(BadHeader, "header: %v", e)
		}
	}
	leaves := [][]byte{version, chain, height, stamp, last}
	for _, f := range [][]byte{
		h.LastCommitHash, h.DataHash, h.ValidatorsHash, h.NextValidatorsHash, h.ConsensusHash,
		h.AppHash, h.LastResultsHash, h.EvidenceHash, h.ProposerAddress,
	} {
		leaf, err := wrapBytes(f)
		if err != nil {
			return out, err
		}
		leaves = append(leaves, leaf)
	}
	return [sha256.Size]byte(merkle.HashFromByteSlices(leaves)), nil
}

func wrapBytes(b []byte) ([]byte, error) {
	if len(b) == 0 {
		return nil, nil
	}
	out, err := (&gogotypes.BytesValue{Value: b}).Marshal()
	if err != nil {
		return nil, refuse(BadHeader, "header: %v", err)
	}
	return out, nil
}

// setHash is the Merkle root over the validators in their order.
func setHash(vals []validator) []byte {
	leaves := make([][]byte, len(vals))
	for i, v := range vals {
		pk := cryptoproto.PublicKey{Sum: &cryptoproto.PublicKey_Ed25519{Ed25519: v.key}}
		leaf, err := (&cmtproto.SimpleValidator{PubKey: &pk, VotingPower: v.power}).Marshal()
		if err != nil {
			panic(fmt.Sprintf("light: encode validator: %v", err))
		}
		leaves[i] = leaf
	}
	return merkle.HashFromByteSlices(leaves)
}

// signBytes is what the validator behind signature i signed for this block
// (CometBFT specification, "Data structures", CanonicalVote).
func (b *Block) signBytes(i int) ([]byte, error) {
	id := b.commit.BlockID
	out, err := protoio.MarshalDelimited(&cmtproto.CanonicalVote{
		Type:   cmtproto.PrecommitType,
		Height: b.commit.Height,
		Round:  int64(b.commit.Round),
		BlockID: &cmtproto.CanonicalBlockID{
			Hash:          id.Hash,
			PartSetHeader: cmtproto.CanonicalPartSetHeader(id.PartSetHeader),
		},
		Timestamp: b.commit.Signatures[i].Timestamp,
		ChainID:   b.Header.ChainID,
	})
	if err != nil {
		return nil, refuse(BadHeader, "vote: %v", err)
	}
	return out, nil
}
