package engine

import (
	"bytes"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/cometbft/cometbft/privval"
	pb "github.com/cometbft/cometbft/proto/tendermint/types"
)

// Each bit of the key files and of the sign state matters: whichever is flipped,
// either the files still say the same or they are refused.
func TestKeyFiles_EveryBit(t *testing.T) {
	f := keyFiles(t.TempDir())
	if _, err := NewKeys(f); err != nil {
		t.Fatal(err)
	}
	signer := privval.LoadFilePV(f.Consensus, f.SignState)
	hash := bytes.Repeat([]byte{7}, 32)
	id := pb.BlockID{Hash: hash, PartSetHeader: pb.PartSetHeader{Total: 1, Hash: hash}}
	if _, _, err := f.load(); err != nil {
		t.Fatalf("before anything was signed: %v", err)
	}
	signed := []func() error{
		func() error {
			return signer.SignProposal("hos-test", &pb.Proposal{Type: pb.ProposalType, Height: 12, Round: 1, PolRound: -1, BlockID: id, Timestamp: time.Unix(1, 0)})
		},
		func() error {
			return signer.SignVote("hos-test", &pb.Vote{Type: pb.PrevoteType, Height: 12, Round: 1, BlockID: id, Timestamp: time.Unix(1, 0)})
		},
		func() error {
			return signer.SignVote("hos-test", &pb.Vote{Type: pb.PrecommitType, Height: 12, Round: 1, Timestamp: time.Unix(1, 0)})
		},
	}
	for i, sign := range signed {
		if err := sign(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := f.load(); err != nil {
			t.Fatalf("after signing %d: %v", i, err)
		}
	}
	want := signer.LastSignState
	for _, name := range []string{f.SignState, f.Consensus, f.Node} {
		whole, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		refused := 0
		for bit := range 8 * len(whole) {
			torn := bytes.Clone(whole)
			torn[bit/8] ^= 1 << (bit % 8)
			if err := os.WriteFile(name, torn, 0o600); err != nil {
				t.Fatal(err)
			}
			got, _, err := f.load()
			if err != nil {
				if errors.Is(err, ErrDamaged) {
					refused++
				}
				continue
			}
			s := got.LastSignState
			if s.Height != want.Height || s.Round != want.Round || s.Step != want.Step ||
				!bytes.Equal(s.SignBytes, want.SignBytes) || !bytes.Equal(s.Signature, want.Signature) ||
				!got.Key.PrivKey.Equals(signer.Key.PrivKey) {
				t.Fatalf("%s: bit %d flipped is believed: %+v", name, bit, s)
			}
		}
		if refused == 0 {
			t.Errorf("%s: no flipped bit was found by what is checked here", name)
		}
		if err := os.WriteFile(name, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
