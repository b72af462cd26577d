package engine

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"

	"github.com/cometbft/cometbft/crypto"
	"github.com/cometbft/cometbft/libs/protoio"
	"github.com/cometbft/cometbft/privval"
	pb "github.com/cometbft/cometbft/proto/tendermint/types"
)

// ErrDamaged: a key file or the sign state was changed by somebody else than
// this program, or by a rotting disk.
var ErrDamaged = errors.New("the file is damaged")

// checkKey refuses a key whose halves or whose names do not belong together: it
// would sign what nobody can verify.
func checkKey(k crypto.PrivKey) error {
	raw := k.Bytes()
	if len(raw) != ed25519.PrivateKeySize || !bytes.Equal(ed25519.NewKeyFromSeed(raw[:ed25519.SeedSize]), raw) {
		return fmt.Errorf("%w: the halves of the private key differ", ErrDamaged)
	}
	return nil
}

// checkSigner is checkKey for the consensus key's file.
func checkSigner(k privval.FilePVKey, private crypto.PrivKey) error {
	if err := checkKey(private); err != nil {
		return err
	}
	if pub := private.PubKey(); k.PubKey == nil || !pub.Equals(k.PubKey) || !bytes.Equal(pub.Address(), k.Address) {
		return fmt.Errorf("%w: public key or address is not that of the private key", ErrDamaged)
	}
	return nil
}

// Steps of a round as the sign state counts them.
const (
	stepProposal  = 1
	stepPrevote   = 2
	stepPrecommit = 3
)

// checkSignState refuses a sign state that does not agree with the signature in
// it. CometBFT believes the numbers alone, so that one flipped bit in the height
// would let a validator sign a height twice. What the key never signed cannot
// pass; an older whole file can, so no copy may ever be put back.
func checkSignState(s privval.FilePVLastSignState, private crypto.PrivKey) error {
	if s.Height == 0 && s.Round == 0 && s.Step == 0 && len(s.Signature) == 0 && len(s.SignBytes) == 0 {
		return nil // nothing was ever signed
	}
	if !private.PubKey().VerifySignature(s.SignBytes, s.Signature) {
		return fmt.Errorf("%w: the last signature is not by this key", ErrDamaged)
	}
	var height, round int64
	var step int8
	var vote pb.CanonicalVote
	var proposal pb.CanonicalProposal
	switch {
	case protoio.UnmarshalDelimited(s.SignBytes, &vote) == nil && vote.Type == pb.PrevoteType:
		height, round, step = vote.Height, vote.Round, stepPrevote
	case vote.Type == pb.PrecommitType:
		height, round, step = vote.Height, vote.Round, stepPrecommit
	case protoio.UnmarshalDelimited(s.SignBytes, &proposal) == nil && proposal.Type == pb.ProposalType:
		height, round, step = proposal.Height, proposal.Round, stepProposal
	default:
		return fmt.Errorf("%w: what was signed last is no vote and no proposal", ErrDamaged)
	}
	if s.Height != height || int64(s.Round) != round || s.Step != step {
		return fmt.Errorf("%w: it says %d/%d/%d, but %d/%d/%d was signed", ErrDamaged, s.Height, s.Round, s.Step, height, round, step)
	}
	return nil
}
