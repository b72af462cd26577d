package snapshot

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/store"
)

// fileMagic begins a file with a snapshot in it; the number goes up with any
// change to what follows.
const fileMagic = "hybridos/export/1\n"

// BadFile: a file that is no exported state, or is damaged; get it again.
var BadFile = errors.New("not a whole exported state")

// Head stands before the chunks of a file. Nothing in it is to be believed:
// the headers in Blocks are for a light client, which tells what the root must be.
//
// Evolution: fields 1 to 4 are fixed; a change needs another fileMagic.
type Head struct {
	// ChainID names the ledger, Genesis is the hash of its genesis document.
	ChainID string `cbor:"1,keyasint"`
	Genesis Hash   `cbor:"2,keyasint"`
	// Manifest is the encoded Manifest.
	Manifest []byte `cbor:"3,keyasint"`
	// Blocks are the protobuf light blocks of the manifest's height and of the
	// FileBlocks-1 after it.
	Blocks [][]byte `cbor:"4,keyasint"`
}

// WriteFile writes a version of a stopped ledger's tree as a file, in bounded
// memory: the tree is read twice, first for the manifest and then for the chunks,
// and both must agree. Manifest and chain of head are the caller's to set, but for
// the manifest. tell, if not nil, is told how many chunks of how many are done.
func WriteFile(ctx context.Context, w io.Writer, tree *store.Tree, height int64, head Head, tell func(done, all int)) (m Manifest, sum Hash, err error) {
	if m, err = manifestFor(ctx, tree, height); err != nil {
		return m, sum, err
	}
	head.Manifest = m.Encode()
	raw, err := codec.Marshal(head)
	if err != nil {
		return m, sum, err
	}
	digest := sha256.New()
	to := io.MultiWriter(w, digest)
	if _, err := io.WriteString(to, fileMagic); err != nil {
		return m, sum, err
	}
	if err := writeFrame(to, raw); err != nil {
		return m, sum, err
	}
	n := 0
	err = tree.Export(ctx, height, func(chunk []byte) error {
		if !m.Check(uint32(n), chunk) {
			return fmt.Errorf("chunk %d was read as two different ones: the disk or the memory is faulty", n)
		}
		n++
		if tell != nil {
			tell(n, len(m.Chunks))
		}
		return writeFrame(to, chunk)
	})
	if err != nil {
		return m, sum, err
	}
	sum = Hash(digest.Sum(nil))
	_, err = w.Write(sum[:])
	return m, sum, err
}

// manifestFor reads a version for the hashes of its chunks.
func manifestFor(ctx context.Context, tree *store.Tree, height int64) (m Manifest, err error) {
	root, err := tree.HashAt(height)
	if err != nil {
		return m, err
	}
	m = Manifest{Height: height, Root: Hash(root)}
	err = tree.Export(ctx, height, func(chunk []byte) error {
		if len(m.Chunks) == MaxChunks {
			return fmt.Errorf("the state is over %d MiB", MaxBytes>>20)
		}
		m.Chunks = append(m.Chunks, sha256.Sum256(chunk))
		return nil
	})
	return m, err
}

func writeFrame(w io.Writer, b []byte) error {
	if _, err := w.Write(binary.BigEndian.AppendUint32(nil, uint32(len(b)))); err != nil {
		return err
	}
	_, err := w.Write(b)
	return err
}

// File reads what WriteFile wrote, one chunk at a time.
type File struct {
	Head     Head
	Manifest Manifest

	r      io.Reader
	digest hash.Hash
	next   int
}

// OpenFile reads the beginning of a file. Errors are BadFile, or those of r.
func OpenFile(r io.Reader) (*File, error) {
	f := &File{r: r, digest: sha256.New()}
	magic := make([]byte, len(fileMagic))
	if err := f.read(magic); err != nil {
		return nil, err
	}
	if string(magic) != fileMagic {
		return nil, fmt.Errorf("%w: it begins with %.20q", BadFile, magic)
	}
	raw, err := f.frame(MaxHeadBytes)
	if err != nil {
		return nil, err
	}
	if err := codec.Unmarshal(raw, &f.Head, MaxHeadBytes); err != nil {
		return nil, fmt.Errorf("%w: %w", BadFile, err)
	}
	if len(f.Head.Blocks) != FileBlocks {
		return nil, fmt.Errorf("%w: %d headers, want %d", BadFile, len(f.Head.Blocks), FileBlocks)
	}
	if f.Manifest, err = Decode(f.Head.Manifest); err != nil {
		return nil, fmt.Errorf("%w: %w", BadFile, err)
	}
	return f, nil
}

// Next gives the next chunk, as the manifest says it is. After the last one it
// gives io.EOF if the file ends there and was read as it was written.
func (f *File) Next() ([]byte, error) {
	if f.next == len(f.Manifest.Chunks) {
		return nil, f.end()
	}
	chunk, err := f.frame(store.MaxChunkBytes)
	if err != nil {
		return nil, err
	}
	if !f.Manifest.Check(uint32(f.next), chunk) {
		return nil, fmt.Errorf("%w: chunk %d is not what it should be", BadFile, f.next)
	}
	f.next++
	return chunk, nil
}

// Sum is the hash at the file's end: whoever exports the same height of the
// same ledger gets the same. It holds once Next has given io.EOF.
func (f *File) Sum() Hash { return Hash(f.digest.Sum(nil)) }

func (f *File) end() error {
	var got Hash
	want := f.Sum()
	if _, err := io.ReadFull(f.r, got[:]); err != nil {
		return cutOff(err)
	}
	if got != want {
		return fmt.Errorf("%w: the hash at its end is another", BadFile)
	}
	switch n, err := io.ReadFull(f.r, make([]byte, 1)); {
	case n > 0:
		return fmt.Errorf("%w: more follows its end", BadFile)
	case !errors.Is(err, io.EOF):
		return err
	}
	return io.EOF
}

func (f *File) frame(limit uint32) ([]byte, error) {
	var size [4]byte
	if err := f.read(size[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n == 0 || n > limit {
		return nil, fmt.Errorf("%w: a part of %d bytes, at most %d", BadFile, n, limit)
	}
	b := make([]byte, n)
	return b, f.read(b)
}

// read fills b and takes it into the hash.
func (f *File) read(b []byte) error {
	if _, err := io.ReadFull(f.r, b); err != nil {
		return cutOff(err)
	}
	f.digest.Write(b)
	return nil
}

// cutOff tells the end of a file from a fault of the disk.
func cutOff(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it is cut off", BadFile)
	}
	return err
}
