package store

import (
	"context"
	"encoding/binary"
	"errors"

	"github.com/cosmos/iavl"
)

// Freeze opens a second tree on a copy of this one, for reading: files are
// linked, not copied, and commits go on beside it. dir must not exist and must be
// on the same disk; the caller closes the copy and removes dir.
func (t *Tree) Freeze(dir string) (*Tree, error) {
	t.mu.RLock()
	err := t.usable()
	t.mu.RUnlock()
	if err != nil {
		return nil, err
	}
	if err := t.db.Checkpoint(dir); err != nil {
		return nil, err
	}
	cfg := t.cfg
	cfg.Dir, cfg.KeepVersions, cfg.NodeCache = dir, -1, frozenCache
	return Open(cfg)
}

// Export gives a committed version as chunks of up to MaxChunkBytes, in the
// order in which Import takes them; each chunk is f's to keep. Commits wait
// until it ends: a running ledger exports from Freeze. A node that cannot be
// read ends it with an error, never early without one.
func (t *Tree) Export(ctx context.Context, version int64, f func(chunk []byte) error) (err error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	defer t.catch("export", &err)
	past, err := t.at(version)
	if err != nil {
		return err
	}
	nodes, err := past.Export()
	if err != nil {
		return t.fault("export", err)
	}
	defer nodes.Close()
	want, got := 2*past.Size()-1, int64(0)
	var chunk []byte
	for ; ; got++ {
		node, err := nodes.Next()
		if errors.Is(err, iavl.ErrorExportDone) {
			break
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		next := appendNode(chunk, node)
		if len(next) > MaxChunkBytes {
			if err := f(chunk); err != nil {
				return err
			}
			next = appendNode(nil, node)
		}
		chunk = next
	}
	if got != want { // iavl's exporter ends early, without a word
		return errors.Join(t.db.Err(), refuse(Damaged, "export: %d nodes of version %d can be read, not %d", got, version, want))
	}
	return f(chunk)
}

// appendNode writes a node: its height, its version and, for a leaf, key and
// value, both with their length. The key of an inner node is left out: no hash
// covers it, and it follows from the leaves.
func appendNode(b []byte, n *iavl.ExportNode) []byte {
	b = append(b, byte(n.Height))
	b = binary.AppendUvarint(b, uint64(n.Version))
	if n.Height > 0 {
		return b
	}
	b = binary.AppendUvarint(b, uint64(len(n.Key)))
	b = append(b, n.Key...)
	b = binary.AppendUvarint(b, uint64(len(n.Value)))
	return append(b, n.Value...)
}
