package home

import (
	"encoding/hex"
	"fmt"

	"github.com/hybridos-net/hybridos/chain/store/snapshot"
)

// checkSync checks the settings of snapshots, of what is kept, and of how a
// fresh home begins.
func (c Config) checkSync() error {
	switch {
	case c.SnapshotInterval < 0 || c.SnapshotInterval > maxInterval:
		return fmt.Errorf("snapshot_interval %d: want 0 (none) to %d", c.SnapshotInterval, maxInterval)
	case c.SnapshotKeep < 1 || c.SnapshotKeep > snapshot.MaxKept:
		return fmt.Errorf("snapshot_keep %d: want 1 to %d", c.SnapshotKeep, snapshot.MaxKept)
	case c.KeepBlocks < 0 || c.KeepBlocks > 0 && c.KeepBlocks < 2*c.SnapshotInterval:
		// A node that joins needs the blocks after the newest snapshot.
		return fmt.Errorf("keep_blocks %d: want 0 (all), or at least twice snapshot_interval (%d)", c.KeepBlocks, c.SnapshotInterval)
	case c.StateSync && len(c.MeshPeers) == 0:
		return &SettingError{
			"state_sync", "headers come over the mesh, and mesh_peers is empty",
			"--mesh-peers MULTIADDR, separated by commas: two or more, of different operators",
		}
	}
	_, err := c.Trust()
	return err
}

// Trust is the hash of trust_height's header, nil if none is named.
func (c Config) Trust() ([]byte, error) {
	if c.TrustHeight == 0 && c.TrustHash == "" {
		return nil, nil
	}
	hash, err := hex.DecodeString(c.TrustHash)
	if err != nil || len(hash) != 32 || c.TrustHeight < 1 {
		return nil, &SettingError{
			"trust_hash", fmt.Sprintf("height %d, hash %q: want a height and the 64 hex digits of its header's hash", c.TrustHeight, c.TrustHash),
			"ask an operator that you trust for both: hosd status",
		}
	}
	return hash, nil
}
