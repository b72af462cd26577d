package index

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/node/api"
)

// The first byte of a row's key. The layout stands in docs/spec/index.md.
const (
	rowMark         = 'm' // -> mark
	rowDevice       = 'd' // device -> device
	rowOwned        = 'o' // owner, device
	rowMade         = 'v' // vendor, device
	rowGrant        = 'x' // grant -> grant
	rowGiven        = 'g' // key, grant
	rowGivenActive  = 'G' // the same, active ones only
	rowOnDevice     = 'e' // device, grant
	rowOnDeviceLive = 'E' // the same, active ones only
	rowBlock        = 'b' // height -> time, number of transactions, hash
	rowTx           = 'y' // height, index -> id, kind, code, account
	rowNamed        = 't' // subject, height, index
)

// none is the value of rows that say all in their key.
var none = []byte{}

// mark says how far the rows are; each batch brings it along.
//
// Evolution: with the layout version.
type mark struct {
	Height   int64  `cbor:"1,keyasint"`           // block that the rows are of
	Time     int64  `cbor:"2,keyasint"`           // of that block, Unix nanoseconds; 0: unknown
	Root     []byte `cbor:"3,keyasint"`           // of the state after it
	From     int64  `cbor:"4,keyasint"`           // all transactions from this block on are here
	Building []byte `cbor:"5,keyasint,omitempty"` // key of the record that was taken last
}

func (m mark) head() api.Head {
	h := api.Head{Height: m.Height}
	if m.Time != 0 {
		h.Time = time.Unix(0, m.Time).UTC()
	}
	return h
}

// device is what lists tell about a device.
type device struct {
	Owner  *key.AccountID `cbor:"1,keyasint,omitempty"`
	Vendor key.AccountID  `cbor:"2,keyasint"`
	Epoch  uint64         `cbor:"3,keyasint"`
	Lost   bool           `cbor:"4,keyasint,omitempty"`
	Model  string         `cbor:"5,keyasint"`
}

func (d *device) equal(e *device) bool {
	if d == nil || e == nil {
		return d == e
	}
	same := d.Owner == nil && e.Owner == nil || d.Owner != nil && e.Owner != nil && *d.Owner == *e.Owner
	return same && d.Vendor == e.Vendor && d.Epoch == e.Epoch && d.Lost == e.Lost && d.Model == e.Model
}

// grant is what lists tell about a grant.
type grant struct {
	Issuer    key.AccountID  `cbor:"1,keyasint"`
	Status    state.Status   `cbor:"2,keyasint"`
	Grantee   key.KeyID      `cbor:"3,keyasint"` // zero of a private grant
	Holder    key.AccountID  `cbor:"4,keyasint"` // the account id of the grantee's key
	Devices   []key.DeviceID `cbor:"5,keyasint"`
	NotBefore uint64         `cbor:"6,keyasint"`
	NotAfter  uint64         `cbor:"7,keyasint"`
}

// record is one record, as a view of the state.
type record []byte

// Get gives the record, whatever is asked for.
func (r record) Get([]byte) ([]byte, error) { return r, nil }

// readDevice is the row of a device's record.
func readDevice(id key.DeviceID, raw []byte) (*device, error) {
	r, err := state.GetDevice(record(raw), id)
	if err != nil {
		return nil, err
	}
	return &device{Owner: r.Owner, Vendor: r.Vendor, Epoch: r.Epoch, Lost: r.Lost, Model: r.Model}, nil
}

// readGrant is the row of a grant's record.
func readGrant(id tx.ID, raw []byte) (*grant, error) {
	r, err := state.GetGrant(record(raw), id)
	if err != nil {
		return nil, err
	}
	link, err := state.DecodeLink(id, r)
	if err != nil {
		return nil, err
	}
	g, p := &grant{Issuer: r.Issuer, Status: r.Status}, link.Grant
	if p.Private != nil { // whose it is, and when it ends, stays between owner and grantee
		for _, d := range p.Private.Devices {
			g.cover(d.Device)
		}
		return g, nil
	}
	g.Grantee, g.Holder, g.NotBefore, g.NotAfter = p.Grantee.ID(), p.Grantee.AccountID(), p.NotBefore, p.NotAfter
	for _, t := range p.Targets {
		g.cover(t.Device)
	}
	return g, nil
}

// private: the ledger does not know whose it is.
func (g *grant) private() bool { return g.Grantee == key.KeyID{} }

// cover adds a device once.
func (g *grant) cover(id key.DeviceID) {
	for _, d := range g.Devices {
		if d == id {
			return
		}
	}
	g.Devices = append(g.Devices, id)
}

// row joins the parts of a key.
func row(kind byte, parts ...[]byte) []byte {
	k := []byte{kind}
	for _, p := range parts {
		k = append(k, p...)
	}
	return k
}

// position is where a transaction stands: height and index in the block.
func position(height int64, index uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(nil, uint64(height)), index)
}

// positionSize is the length of a position, and heightSize that of a height.
const (
	heightSize   = 8
	positionSize = heightSize + 4
)

func heightOf(pos []byte) int64 { return int64(binary.BigEndian.Uint64(pos)) }

// indexOf is the place in the block.
func indexOf(pos []byte) uint32 { return binary.BigEndian.Uint32(pos[heightSize:]) }

func height(h int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(h)) }

// blockRow is the value of a block: time, number of transactions, hash.
func blockRow(at time.Time, txs int, hash []byte) []byte {
	v := binary.BigEndian.AppendUint64(nil, uint64(at.UnixNano()))
	return append(binary.BigEndian.AppendUint32(v, uint32(txs)), hash...)
}

func parseBlock(pos, v []byte) (api.BlockRef, error) {
	if len(pos) != heightSize || len(v) < heightSize+4 {
		return api.BlockRef{}, fmt.Errorf("row of a block: %d and %d bytes", len(pos), len(v))
	}
	return api.BlockRef{
		Height: heightOf(pos), Time: time.Unix(0, int64(binary.BigEndian.Uint64(v))).UTC(),
		Txs: binary.BigEndian.Uint32(v[8:]), Hash: fmt.Sprintf("%x", v[12:]),
	}, nil
}

// entry is the value of a transaction.
type entry struct {
	id      tx.ID
	kind    tx.Kind
	code    uint32
	account key.AccountID
}

const entrySize = len(tx.ID{}) + 2 + 4 + key.IDSize

func (e entry) bytes() []byte {
	v := append(make([]byte, 0, entrySize), e.id[:]...)
	v = binary.BigEndian.AppendUint16(v, uint16(e.kind))
	v = binary.BigEndian.AppendUint32(v, e.code)
	return append(v, e.account[:]...)
}

func parseEntry(v []byte) (e entry, err error) {
	if len(v) != entrySize {
		return e, fmt.Errorf("row of a transaction: %d bytes", len(v))
	}
	e.id = tx.ID(v[:32])
	e.kind, e.code = tx.Kind(binary.BigEndian.Uint16(v[32:])), binary.BigEndian.Uint32(v[34:])
	e.account = key.AccountID(v[38:])
	return e, nil
}

// decode reads a row in CBOR.
func decode[T any](raw []byte) (*T, error) {
	if raw == nil {
		return nil, nil
	}
	out := new(T)
	if err := codec.Unmarshal(raw, out, maxRow); err != nil {
		return nil, fmt.Errorf("row: %w", err)
	}
	return out, nil
}
