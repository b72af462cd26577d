package tx

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/hybridos-net/hybridos/chain/batch"
	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
)

// RegisterBatch records a vendor's production run by the root of its Merkle
// tree (chain/batch). Its devices have no records of their own until each is
// claimed with a BatchMember.
//
// Evolution: fields 1 to 3 are fixed; new ones are optional.
type RegisterBatch struct {
	Root  batch.Hash `cbor:"1,keyasint"`
	Size  uint64     `cbor:"2,keyasint"` // devices in the tree
	Model string     `cbor:"3,keyasint"` // of all of them
}

// Kind is KindRegisterBatch.
func (*RegisterBatch) Kind() Kind { return KindRegisterBatch }

// StaticValidate checks root, size and model.
func (p *RegisterBatch) StaticValidate() error {
	if p.Root.IsZero() {
		return malformed("no root")
	}
	if p.Size == 0 || p.Size > batch.Max {
		return malformed(fmt.Sprintf("%d devices, want 1 to %d", p.Size, uint64(batch.Max)))
	}
	if !validModel(p.Model) {
		return malformed("model must be 1 to 64 printable ASCII characters")
	}
	return nil
}

// BatchMember proves that a device is one of a batch. It rides along with the
// device's first claim.
//
// Evolution: fields 1 to 6 are fixed; new ones are optional.
type BatchMember struct {
	Vendor  key.AccountID `cbor:"1,keyasint"` // with Root the batch's name
	Root    batch.Hash    `cbor:"2,keyasint"`
	Index   uint64        `cbor:"3,keyasint"` // of the leaf, from 0
	Key     key.Public    `cbor:"4,keyasint"`
	SealKey [32]byte      `cbor:"5,keyasint"`
	Path    []batch.Hash  `cbor:"6,keyasint"` // from the leaf's sibling up
}

// Leaf is what the batch must hold at Index.
func (m *BatchMember) Leaf() batch.Leaf { return batch.Leaf{Key: m.Key, SealKey: m.SealKey} }

// Leads reports whether the path leads from the leaf to Root in a tree of size
// leaves. Whether the vendor has registered such a batch is the ledger's to say.
func (m *BatchMember) Leads(size uint64) bool {
	root, ok := batch.RootOf(m.Leaf().Hash(), m.Index, size, m.Path)
	return ok && root == m.Root
}

// Validate checks what needs no ledger.
func (m *BatchMember) Validate() error {
	if m.Vendor.IsZero() || m.Root.IsZero() {
		return malformed("no batch")
	}
	if m.Index >= batch.Max || len(m.Path) > batch.MaxPath {
		return malformed(fmt.Sprintf("index %d with a path of %d, in at most %d devices", m.Index, len(m.Path), uint64(batch.Max)))
	}
	if m.SealKey == [32]byte{} {
		return malformed("no X25519 key")
	}
	return fullKey(m.Key, "a device")
}

// Line is the member as a vendor's tool writes it and a device's maker puts it
// into the device: the device's id, a space, and the encoding in base64 (RFC
// 4648 section 4, without padding).
func (m *BatchMember) Line() string {
	return m.Key.DeviceID().String() + " " + base64.RawStdEncoding.EncodeToString(codec.MustMarshal(m))
}

// ParseBatchMember reads a Line, without its end.
func ParseBatchMember(line string) (*BatchMember, error) {
	if len(line) > MaxMemberLine {
		return nil, malformed(fmt.Sprintf("proof of %d characters, at most %d", len(line), MaxMemberLine))
	}
	_, text, _ := strings.Cut(line, " ")
	raw, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return nil, malformed("proof is no base64")
	}
	m := new(BatchMember)
	if err := codec.Unmarshal(raw, m, MaxBytes); err != nil {
		return nil, err
	}
	if err := m.Validate(); err != nil {
		return nil, err
	}
	if m.Line() != line { // the library skips line ends within base64
		return nil, malformed("the proof is of another device than its line says, or in another form")
	}
	return m, nil
}
