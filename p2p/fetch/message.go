package fetch

import (
	"fmt"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/p2p/topic"
)

// Code is an enumerated answer of a node; codes only grow. A Code other than OK
// is an error and comparable with errors.Is.
type Code uint8

// The codes of /hybridos/fetch/1 and /hybridos/submit/1.
const (
	// OK: the answer is in the message.
	OK Code = 0
	// BadRequest: the request breaks its rules; asking again is useless.
	BadRequest Code = 1
	// NotFound: the node has no such height (not yet, or pruned).
	NotFound Code = 2
	// Busy: the node has too much to do; ask another or later.
	Busy Code = 3
	// RateLimited: this peer asks too much.
	RateLimited Code = 4
	// TooLarge: the answer is over the cap.
	TooLarge Code = 5
	// Unavailable: the node cannot answer (not synced, stopping, broken).
	Unavailable Code = 6
	// Timeout: the transaction was taken but not committed in time; its fate is
	// open, submitting the same bytes again is safe.
	Timeout Code = 7

	lastCode = Timeout
)

var codeNames = [...]string{"ok", "bad_request", "not_found", "busy", "rate_limited", "too_large", "unavailable", "timeout"}

// Codes lists every code but OK.
func Codes() []Code {
	return []Code{BadRequest, NotFound, Busy, RateLimited, TooLarge, Unavailable, Timeout}
}

// String is the code's name.
func (c Code) String() string {
	if c <= lastCode {
		return codeNames[c]
	}
	return fmt.Sprintf("code_%d", uint8(c))
}

// Error makes a code usable as an error.
func (c Code) Error() string { return "node answers " + c.String() }

// The kinds of query.
const (
	kindLightBlock = 1
	kindProve      = 2
)

// query is a request of /hybridos/fetch/1. Rules of evolution: keys are fixed,
// kinds append only; a node answers BadRequest to a kind it does not know.
type query struct {
	Kind   uint8  `cbor:"1,keyasint"`
	Height int64  `cbor:"2,keyasint,omitempty"` // 0: the latest
	Key    []byte `cbor:"3,keyasint,omitempty"` // Prove only
}

// check refuses what no honest client sends.
func (q *query) check() error {
	switch {
	case q.Height < 0:
		return fmt.Errorf("%w: negative height", BadRequest)
	case q.Kind == kindLightBlock && len(q.Key) == 0:
		return nil
	case q.Kind == kindProve && len(q.Key) > 0 && len(q.Key) <= topic.MaxKey:
		return nil
	}
	return fmt.Errorf("%w: kind %d with a key of %d bytes", BadRequest, q.Kind, len(q.Key))
}

// reply is an answer of /hybridos/fetch/1. An error carries code and detail
// only. Found without Value, or Value without Found, is refused.
type reply struct {
	Code   Code   `cbor:"1,keyasint,omitempty"`
	Detail string `cbor:"2,keyasint,omitempty"`
	Block  []byte `cbor:"3,keyasint,omitempty"` // CometBFT's proto LightBlock
	Height int64  `cbor:"4,keyasint,omitempty"` // of the proven state
	Key    []byte `cbor:"5,keyasint,omitempty"`
	Value  []byte `cbor:"6,keyasint,omitempty"`
	Proof  []byte `cbor:"7,keyasint,omitempty"` // ics23
	Found  bool   `cbor:"8,keyasint,omitempty"`
}

// check refuses an answer that does not fit the query.
func (r *reply) check(q *query) error {
	if r.Code > lastCode || len(r.Detail) > maxDetail {
		return errShape
	}
	none := len(r.Block) == 0 && r.Height == 0 && len(r.Key) == 0 && len(r.Value) == 0 && len(r.Proof) == 0 && !r.Found
	switch {
	case r.Code != OK:
		if !none {
			return errShape
		}
		return nil
	case q.Kind == kindLightBlock:
		if len(r.Block) == 0 || len(r.Block) > topic.MaxLightBlock || r.Height != 0 || len(r.Key)+len(r.Value)+len(r.Proof) > 0 || r.Found {
			return errShape
		}
		return nil
	}
	switch {
	case len(r.Block) > 0, r.Height <= 0, string(r.Key) != string(q.Key),
		q.Height != 0 && r.Height != q.Height,
		len(r.Proof) == 0, len(r.Proof) > topic.MaxProof,
		len(r.Value) > topic.MaxValue, r.Found != (len(r.Value) > 0):
		return errShape
	}
	return nil
}

// submission is a request of /hybridos/submit/1.
type submission struct {
	Tx []byte `cbor:"1,keyasint"`
}

func (s *submission) check() error {
	if len(s.Tx) == 0 || len(s.Tx) > topic.MaxTx {
		return fmt.Errorf("%w: transaction of %d bytes", BadRequest, len(s.Tx))
	}
	return nil
}

// outcome is an answer of /hybridos/submit/1.
type outcome struct {
	Code   Code   `cbor:"1,keyasint,omitempty"`
	Detail string `cbor:"2,keyasint,omitempty"`
	Result uint32 `cbor:"3,keyasint,omitempty"` // the ledger's code, 0 accepted
	Log    string `cbor:"4,keyasint,omitempty"`
	Height int64  `cbor:"5,keyasint,omitempty"` // 0: refused before any block
	Hash   []byte `cbor:"6,keyasint,omitempty"`
}

func (o *outcome) check() error {
	if o.Code > lastCode || len(o.Detail) > maxDetail || len(o.Log) > maxLog || len(o.Hash) > maxHash || o.Height < 0 {
		return errShape
	}
	if o.Code != OK && (o.Result != 0 || o.Log != "" || o.Height != 0 || len(o.Hash) > 0) {
		return errShape
	}
	if o.Code == OK && o.Result == 0 && (o.Height == 0 || len(o.Hash) != maxHash) {
		return errShape // accepted means committed
	}
	return nil
}

// decode is the strict decoder of all four messages.
func decode(b []byte, v any, limit int) error { return codec.Unmarshal(b, v, limit) }
