package abci

import (
	"crypto/sha256"

	"github.com/hybridos-net/hybridos/chain/tx"
)

// decoded remembers transactions that were decoded, under the hash of their
// bytes: a validator meets the same bytes at admission, at each recheck, in the
// proposal and in the block, and decoding checks every key in them for being a
// point of its curve. Only successes are kept, decoding depends on nothing but
// the bytes, and a decoded transaction is never changed, so a hit says exactly
// what decoding would.
//
// It holds two generations, each bounded in number and in bytes; when the young
// one is full, the old one is dropped. It belongs to the App's one caller at a
// time.
type decoded struct {
	young, old map[[sha256.Size]byte]*known
	bytes      int // of the transactions in young
}

// known is a decoded transaction.
type known struct {
	tx *tx.Tx
	// warm means that its signatures were found valid on this validator, so that
	// verifying them ahead would be in vain; what counts is still verified's word.
	warm bool
}

func newDecoded() *decoded {
	return &decoded{young: make(map[[sha256.Size]byte]*known)}
}

// decode is tx.Decode. The result is shared: it must not be changed.
func (d *decoded) decode(raw []byte) (*known, error) {
	if len(raw) > tx.MaxBytes { // not worth a hash
		_, err := tx.Decode(raw)
		return nil, err
	}
	name := sha256.Sum256(raw)
	if k := d.find(name); k != nil {
		return k, nil
	}
	t, err := tx.Decode(raw)
	if err != nil {
		return nil, err
	}
	k := &known{tx: t}
	d.add(name, k, len(raw))
	return k, nil
}

func (d *decoded) find(name [sha256.Size]byte) *known {
	if k := d.young[name]; k != nil {
		return k
	}
	return d.old[name]
}

func (d *decoded) add(name [sha256.Size]byte, k *known, size int) {
	if len(d.young) >= maxDecoded || d.bytes+size > maxDecodedBytes {
		d.old, d.young, d.bytes = d.young, make(map[[sha256.Size]byte]*known), 0
	}
	d.young[name] = k
	d.bytes += size
}
