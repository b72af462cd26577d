package api

import (
	"context"
	"errors"
	"time"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Index answers what the tree cannot: lists. Methods are called concurrently.
type Index interface {
	Lists
	Follower
}

// Lists gives lists part by part. What they say proves nothing. Errors wrap
// ErrIndexing or ErrNoIndex where the index cannot answer.
type Lists interface {
	// Devices lists devices of an owner or of a vendor, sorted by id.
	Devices(q DeviceQuery, p Part) (Page[DeviceRef], error)
	// Grants lists grants to a key or on a device, sorted by id.
	Grants(q GrantQuery, p Part) (Page[GrantRef], error)
	// Txs lists transactions: all, or those that name a subject.
	Txs(q TxQuery, p Part) (Page[TxRef], error)
	// Blocks lists blocks; ascending or newest first.
	Blocks(ascending bool, p Part) (Page[BlockRef], error)
}

// Follower tells of blocks.
type Follower interface {
	// Head is the newest committed block. The lists may be of an older one.
	Head() Head
	// State tells how far the lists are.
	State() IndexState
	// Await returns when the lists are of at least the given height, or when ctx
	// ends.
	Await(ctx context.Context, height int64)
	// Watch returns at once; f is then called for each block when it is committed,
	// and again when the lists have it, with the accounts whose rights it changed,
	// until ctx ends. f must not block and must not change the slice.
	Watch(ctx context.Context, f func(head Head, accounts []key.AccountID))
}

// The errors of Lists.
var (
	// ErrIndexing: the lists are being made from the state; ask again.
	ErrIndexing = errors.New("the index is being built")
	// ErrNoIndex: the index stopped on a fault; it is built anew at the next start.
	ErrNoIndex = errors.New("the index has stopped on a fault")
)

// IndexState is how far the lists are.
type IndexState struct {
	Height int64 // block that they are of, 0: none yet
	From   int64 // block from which on all transactions are listed, 0: none yet
	Ready  bool  // lists of devices and grants can be had
	Filled bool  // transactions are listed as far back as blocks are kept
	Failed bool  // it has stopped on a fault
}

// Head names a committed block.
type Head struct {
	Height int64     `json:"height"`
	Time   time.Time `json:"time"`
}

// Part is which part of a list is asked for.
type Part struct {
	After []byte // position of the entry before it, as a Page gave it; nil: the beginning
	Limit int    // of entries
}

// Page is a part of a list as it was after one block.
type Page[T any] struct {
	Items []T
	Next  []byte // position to ask for more with, nil: there is no more
	Head  Head   // the block; its time may be unknown
	From  int64  // of Txs and Blocks: nothing before this block is known
}

// DeviceQuery asks for devices; one of Owner and Vendor is set.
type DeviceQuery struct {
	Owner  *key.AccountID
	Vendor *key.AccountID
	Owned  *bool // only those with an owner, or without
}

// GrantQuery asks for grants; one of Grantee and Device is set.
type GrantQuery struct {
	Grantee *key.KeyID
	Device  *key.DeviceID
	Active  bool // leave revoked ones out
}

// TxQuery asks for transactions.
type TxQuery struct {
	Subjects  []Subject // named by them; none: all transactions
	Kind      tx.Kind   // 0: of all kinds
	Ascending bool      // oldest first
}

// DeviceRef is a device in a list.
type DeviceRef struct {
	ID     key.DeviceID   `json:"id"`
	Model  string         `json:"model"`
	Epoch  uint64         `json:"epoch"`
	Lost   bool           `json:"lost"`
	Owner  *key.AccountID `json:"owner"` // null: unowned
	Vendor key.AccountID  `json:"vendor"`
}

// GrantRef is a grant in a list.
type GrantRef struct {
	ID        tx.ID         `json:"id"`
	Issuer    key.AccountID `json:"issuer"`
	Status    string        `json:"status"`           // active or revoked
	Grantee   key.KeyID     `json:"grantee,omitzero"` // with the next two nothing of a private grant
	NotBefore uint64        `json:"not_before,omitzero"`
	NotAfter  uint64        `json:"not_after,omitzero"`
}

// TxRef is a transaction of a block in a list.
type TxRef struct {
	Height  int64         `json:"height"`
	Index   uint32        `json:"index"` // in its block, from 0
	Time    time.Time     `json:"time"`  // of the block
	ID      tx.ID         `json:"id"`
	Kind    string        `json:"kind"`
	Account key.AccountID `json:"account"`           // who acted
	Code    uint32        `json:"code"`              // 0: it was executed
	Refusal string        `json:"refusal,omitempty"` // what the code means
}

// BlockRef is a block in a list.
type BlockRef struct {
	Height int64     `json:"height"`
	Time   time.Time `json:"time"`
	Hash   string    `json:"hash"` // hex, of the header
	Txs    uint32    `json:"txs"`  // how many transactions it has
}
