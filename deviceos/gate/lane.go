package gate

import (
	"encoding/binary"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/deviceos/vault"
)

// laneID names a replay lane: one sender that counts its commands.
type laneID struct {
	key  key.KeyID
	salt uint64
}

func (id laneID) stored() []byte {
	return vault.FamilyLane.Key(binary.BigEndian.AppendUint64(id.key[:], id.salt)...)
}

// lane is which nonces have been used.
//
// Evolution: fields 1 to 3 are fixed; new ones are optional.
type lane struct {
	Top     uint64 `cbor:"1,keyasint"` // highest nonce so far
	Used    uint64 `cbor:"2,keyasint"` // bit i: nonce Top-i has been used
	Expires uint64 `cbor:"3,keyasint"` // when the last of its commands expires, Unix milliseconds
}

// check tells whether a nonce may still come.
func (l lane) check(nonce uint64) error {
	switch {
	case nonce > l.Top && nonce-l.Top > MaxJump:
		return refuse(command.JumpTooFar, "nonce %d, highest so far %d", nonce, l.Top)
	case nonce > l.Top:
		return nil
	case l.Top-nonce >= window:
		return refuse(command.Replayed, "nonce %d is below the window of %d", nonce, l.Top)
	case l.Used>>(l.Top-nonce)&1 != 0:
		return refuse(command.Replayed, "nonce %d has been used", nonce)
	}
	return nil
}

// mark uses a nonce that check allows.
func (l *lane) mark(nonce, expires uint64) {
	if nonce > l.Top {
		l.Used = l.Used<<(nonce-l.Top) | 1
		l.Top = nonce
	} else {
		l.Used |= 1 << (l.Top - nonce)
	}
	l.Expires = max(l.Expires, expires)
}

func decodeLane(rest, value []byte) (laneID, *lane, error) {
	var id laneID
	l := new(lane)
	if len(rest) != key.IDSize+8 {
		return id, nil, refuse(command.Internal, "stored lane name of %d bytes", len(rest))
	}
	copy(id.key[:], rest)
	id.salt = binary.BigEndian.Uint64(rest[key.IDSize:])
	return id, l, codec.Unmarshal(value, l, maxStored)
}
