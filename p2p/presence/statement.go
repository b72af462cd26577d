package presence

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
)

// version is the one form of a statement.
const version = 1

// Body is what the device signs.
//
// Evolution: fields 1 to 5 are fixed; another form gets another version.
type Body struct {
	Version uint8      `cbor:"1,keyasint"`
	Device  key.Public `cbor:"2,keyasint"`
	Peer    []byte     `cbor:"3,keyasint"` // the device's peer id
	Node    []byte     `cbor:"4,keyasint"` // the node's peer id
	Time    uint64     `cbor:"5,keyasint"` // Unix milliseconds
}

// envelope is what travels.
//
// Evolution: fields 1 and 2 are fixed.
type envelope struct {
	Body []byte        `cbor:"1,keyasint"`
	Sig  key.Signature `cbor:"2,keyasint"`
}

// Statement is a decoded statement; nothing about it is verified but its form.
type Statement struct {
	Body Body
	Sig  key.Signature

	raw []byte // the body's canonical bytes
}

// Sign makes the statement of a device to a node.
func Sign(chain codec.ChainDigest, device *key.Private, self, node peer.ID, now time.Time) *Statement {
	s := &Statement{Body: Body{
		Version: version, Device: device.Public(), Peer: []byte(self), Node: []byte(node), Time: uint64(now.UnixMilli()),
	}}
	s.raw = codec.MustMarshal(s.Body)
	s.Sig = device.Sign(codec.Digest(codec.LabelPresence, chain, s.raw))
	return s
}

// Bytes is the canonical encoding.
func (s *Statement) Bytes() []byte { return codec.MustMarshal(envelope{Body: s.raw, Sig: s.Sig}) }

// Decode reads a statement; everything that is not canonical or over its caps is
// refused as BadStatement.
func Decode(raw []byte) (*Statement, error) {
	var e envelope
	if err := codec.Unmarshal(raw, &e, MaxStatement); err != nil {
		return nil, &Error{Kind: BadStatement, Detail: err.Error(), Cause: err}
	}
	s := &Statement{Sig: e.Sig, raw: e.Body}
	if err := codec.Unmarshal(e.Body, &s.Body, MaxStatement); err != nil {
		return nil, &Error{Kind: BadStatement, Detail: err.Error(), Cause: err}
	}
	b := &s.Body
	switch {
	case b.Version != version:
		return nil, refuse(BadStatement, "version %d", b.Version)
	case len(b.Peer) == 0 || len(b.Peer) > maxPeerID || len(b.Node) == 0 || len(b.Node) > maxPeerID:
		return nil, refuse(BadStatement, "peer ids of %d and %d bytes", len(b.Peer), len(b.Node))
	case b.Device.Alg != key.Secp256k1: // the one algorithm of devices
		return nil, refuse(BadStatement, "device key of algorithm %d", b.Device.Alg)
	}
	return s, nil
}

// Verify checks the statement against the connection that it came over and the
// node's time, and that the device signed it for this ledger.
func (s *Statement) Verify(chain codec.ChainDigest, self, node peer.ID, now time.Time) error {
	b, ms, skew := &s.Body, uint64(now.UnixMilli()), uint64(MaxSkew.Milliseconds())
	switch {
	case string(b.Node) != string(node):
		return refuse(WrongNode, "made for another node")
	case string(b.Peer) != string(self):
		return refuse(WrongPeer, "made by another peer")
	case b.Time < ms && ms-b.Time > skew:
		return refuse(TooOld, "made at %d, now %d", b.Time, ms)
	case b.Time > ms && b.Time-ms > skew:
		return refuse(TooNew, "made at %d, now %d", b.Time, ms)
	}
	if err := b.Device.Verify(codec.Digest(codec.LabelPresence, chain, s.raw), s.Sig); err != nil {
		return &Error{Kind: BadSignature, Detail: err.Error(), Cause: err}
	}
	return nil
}

// answer is what the node says: 0 or the number of a kind.
//
// Evolution: field 1 is fixed; a device that gets a number it does not know
// tries again later.
type answer struct {
	Refused uint8 `cbor:"1,keyasint,omitempty"`
}

// readAnswer gives nil, or the node's refusal.
func readAnswer(raw []byte) error {
	var a answer
	if err := codec.Unmarshal(raw, &a, maxAnswer); err != nil {
		return err
	}
	switch kinds := Kinds(); {
	case a.Refused == 0:
		return nil
	case int(a.Refused) <= len(kinds):
		return refuse(kinds[a.Refused-1], "says the node")
	}
	return refuse(Unavailable, "node refuses with number %d", a.Refused)
}
