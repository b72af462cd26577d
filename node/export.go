package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"

	"github.com/hybridos-net/hybridos/chain/abci"
	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/chain/store"
	"github.com/hybridos-net/hybridos/chain/store/kv"
	"github.com/hybridos-net/hybridos/chain/store/snapshot"
	"github.com/hybridos-net/hybridos/node/engine"
	"github.com/hybridos-net/hybridos/node/home"
)

// ErrOtherLedger: a file holds the state of another ledger than the home's.
var ErrOtherLedger = errors.New("the file is of another ledger")

// Exported says what a file holds.
type Exported struct {
	ChainID string
	Height  int64
	// Header is the hash of the header of Height: what whoever imports the file
	// must hear from somebody trusted, where the genesis document is too old.
	Header [32]byte
	Root   [32]byte
	Chunks int
	// Sum is the hash at the end of the file, the same for every node that
	// exports this height.
	Sum [32]byte
}

// NewestExport is the newest height that a stopped home can export.
func NewestExport(d home.Dir) (int64, error) {
	h, err := engine.Inspect(d.EngineDir())
	if err != nil {
		return 0, err
	}
	height := min(h.Block-snapshot.FileBlocks, h.State)
	if height < 1 {
		return 0, fmt.Errorf("the blocks end at %d, executed to %d; an export needs the %d after its height: %w", h.Block, h.State, snapshot.FileBlocks, engine.ErrNoHeight)
	}
	return height, nil
}

// Export writes the state of a stopped home at a height, with the headers that
// vouch for it. The caller holds the home's lock and the tree.
func Export(ctx context.Context, w io.Writer, d home.Dir, doc *genesis.Doc, tree *store.Tree, height int64, tell func(done, all int)) (x Exported, err error) {
	blocks, err := engine.Headers(d.EngineDir(), height)
	if err != nil {
		return x, err
	}
	first, err := light.DecodeBlock(doc.ChainID, blocks[0])
	if err != nil {
		return x, fmt.Errorf("header %d: %w", height, err)
	}
	next, err := light.DecodeBlock(doc.ChainID, blocks[1])
	if err != nil {
		return x, fmt.Errorf("header %d: %w", height+1, err)
	}
	head := snapshot.Head{ChainID: doc.ChainID, Genesis: doc.Hash(), Blocks: blocks}
	root, err := tree.HashAt(height)
	if err != nil {
		return x, err
	}
	if string(root) != string(next.Header.AppHash) {
		return x, fmt.Errorf("%w: the root at height %d is %x, its header says %x", engine.ErrUnfit, height, root, next.Header.AppHash)
	}
	m, sum, err := snapshot.WriteFile(ctx, w, tree, height, head, tell)
	if err != nil {
		return x, err
	}
	return Exported{doc.ChainID, height, first.Hash, m.Root, len(m.Chunks), sum}, nil
}

// Import configures Run, which fills a home without state and blocks.
type Import struct {
	Home    home.Dir
	Genesis *genesis.Doc
	// From is the file.
	From io.Reader
	// Trusted is the hash of the header of the file's height, told by somebody
	// trusted; nil: the headers are verified from the genesis document.
	Trusted []byte
	// Tell, if not nil, is told how many chunks of how many are in.
	Tell func(done, all int)
	// FS is for the tree; nil for the disk.
	FS kv.FS
	// Logger is nil for none.
	Logger *slog.Logger
}

// Run reads the file and believes only what its headers vouch for. After an
// error, or a crash, the home is as it was. The caller holds the home's lock.
func (i Import) Run(ctx context.Context) (x Exported, err error) {
	f, err := snapshot.OpenFile(i.From)
	if err != nil {
		return x, err
	}
	if hash := i.Genesis.Hash(); f.Head.ChainID != i.Genesis.ChainID || f.Head.Genesis != hash {
		return x, fmt.Errorf("%w: of %q with genesis document %x, the home's is of %q, %x", ErrOtherLedger,
			f.Head.ChainID, f.Head.Genesis, i.Genesis.ChainID, hash)
	}
	begin, err := engine.VerifyHeaders(ctx, i.Genesis, f.Head.Blocks, f.Manifest.Height, i.Trusted)
	if err != nil {
		return x, err
	}
	if string(begin.Root()) != string(f.Manifest.Root[:]) {
		return x, fmt.Errorf("%w: its root is %x, the headers say %x", snapshot.BadFile, f.Manifest.Root, begin.Root())
	}
	if err := i.Home.Stage(); err != nil {
		return x, err
	}
	defer func() { err = errors.Join(err, i.Home.Unstage()) }()
	if err := i.fill(ctx, f); err != nil {
		return x, err
	}
	if err := begin.Plant(i.Home.StageDir()); err != nil {
		return x, err
	}
	if err := i.Home.Adopt(); err != nil {
		return x, err
	}
	first, err := light.DecodeBlock(i.Genesis.ChainID, f.Head.Blocks[0])
	if err != nil {
		return x, err
	}
	return Exported{f.Head.ChainID, f.Manifest.Height, first.Hash, f.Manifest.Root, len(f.Manifest.Chunks), f.Sum()}, nil
}

// fill builds the tree in the stage.
func (i Import) fill(ctx context.Context, f *snapshot.File) (err error) {
	tree, err := store.Open(store.Config{Dir: filepath.Join(i.Home.StageDir(), home.StageState), FS: i.FS, KeepVersions: -1, Logger: i.Logger})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tree.Close()) }()
	into, err := tree.Import(f.Manifest.Height, f.Manifest.Root[:])
	if err != nil {
		return err
	}
	for n := 1; ; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		chunk, err := f.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := into.Add(chunk); err != nil {
			return err
		}
		if i.Tell != nil {
			i.Tell(n, len(f.Manifest.Chunks))
		}
	}
	if err := into.Commit(); err != nil {
		return err
	}
	_, err = abci.New(abci.Config{Genesis: i.Genesis, Tree: tree}) // refuses the state of another ledger
	return err
}
