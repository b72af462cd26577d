package harness

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hybridos-net/hybridos/chain/genesis"
)

// FollowerName is the name of the node of NewFollower.
const FollowerName = "full1"

// Follow starts the node of NewFollower on the ledger of a genesis document. It
// returns when the node answers, which is before it has caught up.
func (n *Network) Follow(ctx context.Context, doc *genesis.Doc) error {
	for _, dir := range []string{n.cfg.Dir, n.Logs()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	if err := replace(n.GenesisFile(), doc.JSON(), 0o644); err != nil {
		return err
	}
	d := Node{Name: FollowerName, Home: filepath.Join(n.cfg.Dir, FollowerName)}
	if _, err := run(ctx, n.cfg.Programs, "hosd", "", nil, "init", "--home", d.Home, "--name", d.Name, "--genesis", n.GenesisFile()); err != nil {
		return fmt.Errorf("make the home of the node: %w", err)
	}
	hash := doc.Hash()
	err := n.change(func(s *State) error {
		s.Nodes, s.GenesisHash, s.Complete = []Node{d}, hex.EncodeToString(hash[:]), true
		s.Manifest.Name, s.Manifest.Devices, s.Manifest.Validators = doc.ChainID, 0, 0
		s.Manifest.FullNodes = 1
		return nil
	})
	if err != nil {
		return err
	}
	return n.Start(ctx, d.Name)
}
