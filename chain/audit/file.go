package audit

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/light"
)

// File is an audit that whoever has the genesis document can check: headers from
// the genesis document on, proofs of what the ledger says, and the device's
// entries.
type File struct {
	Device   key.DeviceID
	Evidence *light.Evidence
	Entries  [][]byte // each an encoded Entry
}

// Caps of a file.
const (
	// MaxEntries bounds the entries of a file: what a device keeps, many times.
	MaxEntries = 1 << 16
	// maxHead is the longest head.
	maxHead = 256
)

// Caps bound the evidence of a file: a thousand changes of validators and as many
// records, where one array of the encoding ends.
var Caps = light.Caps{Bytes: 32 << 20, Steps: 1000, Proofs: 1000}

// magic begins a file.
const magic = "HOSAUDIT"

// head says what a file is about.
//
// Evolution: fields 1 to 3 are fixed; new ones are optional.
type head struct {
	Version uint8             `cbor:"1,keyasint"`
	Chain   codec.ChainDigest `cbor:"2,keyasint"`
	Device  key.DeviceID      `cbor:"3,keyasint"`
}

const version = 1

// ErrFile means that a file is none, is cut off, or is about another ledger.
var ErrFile = errors.New("not an audit of this ledger")

// Write writes the file: magic, then head, evidence and entries, each behind its
// length in four bytes, and an empty item at the end, without which a file is cut
// off.
func (f *File) Write(w io.Writer, chain codec.ChainDigest) error {
	items := append([][]byte{codec.MustMarshal(head{version, chain, f.Device}), f.Evidence.Bytes()}, f.Entries...)
	if _, err := io.WriteString(w, magic); err != nil {
		return err
	}
	for _, item := range append(items, nil) {
		if _, err := w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(item))), item...)); err != nil {
			return err
		}
	}
	return nil
}

// ReadFile reads a file and checks its shape; ErrFile.
func ReadFile(r io.Reader, chain codec.ChainDigest) (*File, error) {
	start := make([]byte, len(magic))
	if _, err := io.ReadFull(r, start); err != nil || string(start) != magic {
		return nil, fmt.Errorf("%w: it does not begin as one", ErrFile)
	}
	raw, err := item(r, maxHead)
	if err != nil {
		return nil, err
	}
	var h head
	if err := codec.Unmarshal(raw, &h, maxHead); err != nil || h.Version != version {
		return nil, fmt.Errorf("%w: version %d, %v", ErrFile, h.Version, err)
	}
	if h.Chain != chain {
		return nil, fmt.Errorf("%w: it is about the ledger %x", ErrFile, h.Chain[:8])
	}
	if raw, err = item(r, Caps.Bytes); err != nil {
		return nil, err
	}
	f := &File{Device: h.Device}
	if f.Evidence, err = light.DecodeEvidence(raw, Caps); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	for {
		raw, err := item(r, MaxEntry)
		switch {
		case err != nil:
			return nil, err
		case len(raw) > 0 && len(f.Entries) == MaxEntries:
			return nil, fmt.Errorf("%w: more than %d entries", ErrFile, MaxEntries)
		case len(raw) > 0:
			f.Entries = append(f.Entries, raw)
			continue
		}
		if n, _ := r.Read(make([]byte, 1)); n > 0 {
			return nil, fmt.Errorf("%w: something follows the end", ErrFile)
		}
		return f, nil
	}
}

// item reads one item; empty at the end.
func item(r io.Reader, limit int) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, fmt.Errorf("%w: it is cut off", ErrFile)
	}
	n := binary.BigEndian.Uint32(size[:])
	if uint64(n) > uint64(limit) {
		return nil, fmt.Errorf("%w: an item of %d bytes, at most %d", ErrFile, n, limit)
	}
	raw, err := io.ReadAll(io.LimitReader(r, int64(n))) // grows with what comes, not with what is promised
	if err != nil || len(raw) != int(n) {
		return nil, fmt.Errorf("%w: it is cut off", ErrFile)
	}
	return raw, nil
}

// nothing is a source for a client that has all it needs.
type nothing struct{}

var errNothing = errors.New("the file does not prove it")

func (nothing) LightBlock(context.Context, int64) ([]byte, error) { return nil, errNothing }

func (nothing) Prove(context.Context, []byte, int64) (light.Proof, error) {
	return light.Proof{}, errNothing
}

// History verifies the headers of the file from the genesis document on, and
// reads under the last one what it proves; the head says as of when. The
// validators of the genesis document are believed for as long as the headers last:
// whoever holds enough of their keys today could write another past. Compare the
// head with one that you know.
func (f *File) History(ctx context.Context, doc *genesis.Doc, now func() time.Time) (*History, light.Head, error) {
	const ever = 100 * 365 * 24 * time.Hour
	c, err := light.New(light.Config{Genesis: doc, Source: nothing{}, Now: now, Period: ever, Cached: Caps.Proofs})
	if err != nil {
		return nil, light.Head{}, err
	}
	if err := c.Accept(f.Evidence, nil); err != nil {
		return nil, light.Head{}, err
	}
	h, err := Read(c.View(ctx), doc.Chain(), f.Device, f.Entries)
	return h, c.Head(), err
}
