package engine

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/libs/json"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/privval"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// KeyFiles are the paths of a node's consensus keys. Their directories exist.
type KeyFiles struct {
	// Consensus is the key that signs blocks.
	Consensus string
	// SignState is what was signed last; losing it allows double signing.
	SignState string
	// Node is the key that names the node in the consensus network.
	Node string
}

// NewKeys draws the keys and writes the files, which must not exist. It gives
// the Ed25519 public key that belongs into a genesis document.
func NewKeys(f KeyFiles) (pub []byte, err error) {
	for _, name := range []string{f.Consensus, f.SignState, f.Node} {
		if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: %w", name, fs.ErrExist)
		}
	}
	defer func() { // CometBFT's writer panics when the disk is full
		switch r := recover().(type) {
		case nil:
		case error:
			err = fmt.Errorf("write keys: %w", r)
		default:
			err = fmt.Errorf("write keys: %v", r)
		}
	}()
	signer := privval.GenFilePV(f.Consensus, f.SignState)
	signer.Save()
	nodeKey := &p2p.NodeKey{PrivKey: ed25519.GenPrivKey()}
	if err := nodeKey.SaveAs(f.Node); err != nil {
		return nil, fmt.Errorf("write node key: %w", err)
	}
	return signer.Key.PubKey.Bytes(), nil
}

// PubKey reads the Ed25519 public key of the consensus key.
func (f KeyFiles) PubKey() ([]byte, error) {
	signer, _, err := f.load()
	if err != nil {
		return nil, err
	}
	return signer.Key.PubKey.Bytes(), nil
}

// ProveValidator makes the proof that the node holds its consensus key, for one
// ledger. What it signs is a digest under a label of its own, which consensus
// cannot take for a vote, so that the sign state has no part in it. Nothing else
// may be signed with this key but blocks.
func (f KeyFiles) ProveValidator(chain codec.ChainDigest) (k tx.ValidatorKey, proof [64]byte, err error) {
	signer, _, err := f.load()
	if err != nil {
		return k, proof, err
	}
	k = tx.ValidatorKey(signer.Key.PubKey.Bytes())
	d := k.Digest(chain)
	raw, err := signer.Key.PrivKey.Sign(d[:])
	if err != nil {
		return k, proof, fmt.Errorf("sign with the consensus key: %w", err)
	}
	return k, [64]byte(raw), nil
}

// NodeID reads the id of the node in the consensus network.
func (f KeyFiles) NodeID() (string, error) {
	_, k, err := f.load()
	if err != nil {
		return "", err
	}
	return string(k.ID()), nil
}

// load reads all files. They are checked first, since CometBFT's loader ends
// the process on a bad one.
func (f KeyFiles) load() (*privval.FilePV, *p2p.NodeKey, error) {
	var signer privval.FilePVKey
	if err := readJSON(f.Consensus, &signer); err != nil {
		return nil, nil, err
	}
	if _, ok := signer.PrivKey.(ed25519.PrivKey); !ok {
		return nil, nil, fmt.Errorf("%s: no Ed25519 key", f.Consensus)
	}
	if err := checkSigner(signer, signer.PrivKey); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", f.Consensus, err)
	}
	var state privval.FilePVLastSignState
	if err := readJSON(f.SignState, &state); err != nil {
		return nil, nil, err
	}
	if err := checkSignState(state, signer.PrivKey); err != nil {
		return nil, nil, fmt.Errorf("%s: %w\ntry: do not start this validator again; add one with new keys in its place", f.SignState, err)
	}
	var nodeKey p2p.NodeKey
	if err := readJSON(f.Node, &nodeKey); err != nil {
		return nil, nil, err
	}
	if _, ok := nodeKey.PrivKey.(ed25519.PrivKey); !ok {
		return nil, nil, fmt.Errorf("%s: no Ed25519 key", f.Node)
	}
	if err := checkKey(nodeKey.PrivKey); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", f.Node, err)
	}
	return privval.LoadFilePV(f.Consensus, f.SignState), &nodeKey, nil
}

func readJSON(name string, into any) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, maxKeyFile))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
