package attest

import (
	"bytes"
	"crypto/sha256"
	"slices"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
)

// Source is the stream that a verifier follows. The key is the device's, from
// the ledger or the pairing.
type Source struct {
	Chain  codec.ChainDigest
	Device key.Public
	Epoch  uint64
	Stream string
}

// State is how far a stream was followed; it may be saved and gone on with. The
// zero value is the beginning of a stream.
//
// Evolution: fields 1 to 6 are fixed; new ones are optional.
type State struct {
	From   uint64 `cbor:"1,keyasint"` // number of the first that was taken
	Seq    uint64 `cbor:"2,keyasint"` // number of the last that was taken
	Hash   []byte `cbor:"3,keyasint"` // of that one
	Time   uint64 `cbor:"4,keyasint"`
	Height uint64 `cbor:"5,keyasint"`
	Seen   []Seen `cbor:"6,keyasint"` // within the window, in rising order
}

// Seen is a statement that came.
type Seen struct {
	Seq  uint64            `cbor:"1,keyasint"`
	Hash [sha256.Size]byte `cbor:"2,keyasint"`
}

// DecodeState reads a saved state, which codec.Marshal has written.
func DecodeState(b []byte) (State, error) {
	var s State
	if err := codec.Unmarshal(b, &s, maxState); err != nil {
		return State{}, codecRefusal(err)
	}
	if s.From > s.Seq || (s.From == 0) != (s.Seq == 0) || (s.Seq == 0) != (len(s.Hash) == 0) || len(s.Hash) > sha256.Size {
		return State{}, refuse(Malformed, "followed from %d to %d with a hash of %d bytes", s.From, s.Seq, len(s.Hash))
	}
	for i, n := range s.Seen {
		if n.Seq < s.floor() || n.Seq > s.Seq || i > 0 && n.Seq <= s.Seen[i-1].Seq {
			return State{}, refuse(Malformed, "number %d out of place", n.Seq)
		}
	}
	return s, nil
}

// floor is the lowest number of which it is known whether it came.
func (s *State) floor() uint64 {
	if s.Seq < window {
		return max(s.From, 1)
	}
	return max(s.From, s.Seq-window+1)
}

// Verdict is what a verifier says of one statement.
type Verdict struct {
	Statement *Statement // nil: it could not be read, or its signature does not hold
	Flags     []Flag     // none: it is the next one, and nothing is wrong
	Taken     bool       // the stream goes on from it
	Missing   uint64     // with Drop or Restart: so many numbers before it did not come
	Whole     bool       // its payload was there, and is the one that was signed for
	Detail    string     // for people, when it is not taken
}

// Verifier follows one stream, whoever brings it. It is not safe for concurrent
// use.
type Verifier struct {
	source Source
	state  State
	joins  bool // the next one may have any number
}

// NewVerifier follows a stream on from a state. Nil joins it where it stands:
// what was before the first statement is then neither known nor told as missing.
func NewVerifier(source Source, from *State) *Verifier {
	if from == nil {
		return &Verifier{source: source, joins: true}
	}
	v := &Verifier{source: source, state: *from}
	v.state.Seen = slices.Clone(from.Seen)
	return v
}

// State is how far the stream was followed.
func (v *Verifier) State() State {
	s := v.state
	s.Seen = slices.Clone(s.Seen)
	return s
}

// Accept judges the bytes of a statement, with the payload if that travelled
// beside it (nil: it has not come). Cheap checks come first; that a statement is
// of another epoch or stream is said only of what the device did sign.
func (v *Verifier) Accept(raw, payload []byte) Verdict {
	s, err := Decode(raw)
	if err == nil {
		err = s.Verify(v.source.Chain, v.source.Device)
	}
	if err != nil {
		return refused(nil, err)
	}
	out := Verdict{Statement: s, Whole: uint64(len(s.Body.Payload)) == s.Body.Size}
	switch b := &s.Body; {
	case b.Epoch != v.source.Epoch:
		return refused(s, refuse(WrongEpoch, "epoch %d, not %d", b.Epoch, v.source.Epoch))
	case b.Stream != v.source.Stream:
		return refused(s, refuse(ForeignStream, "stream %s, not %s", b.Stream, v.source.Stream))
	case payload != nil:
		if err := s.Covers(payload); err != nil {
			return refused(s, err)
		}
		out.Whole = true
	}
	if err := v.place(s); err != nil {
		return refused(s, err)
	}
	out.Taken = true
	v.note(s, &out)
	v.take(s)
	return out
}

// place refuses what does not stand behind the last one.
func (v *Verifier) place(s *Statement) error {
	b, last, hash := &s.Body, &v.state, s.Hash()
	if v.joins {
		return nil
	}
	if b.Seq > last.Seq {
		if b.Seq == last.Seq+1 && len(b.Prev) > 0 && !bytes.Equal(b.Prev, last.Hash) {
			return refuse(Splice, "number %d follows another past", b.Seq)
		}
		return nil
	}
	if b.Seq < last.floor() {
		return refuse(Replay, "number %d after %d", b.Seq, last.Seq)
	}
	i, came := slices.BinarySearchFunc(last.Seen, b.Seq, func(n Seen, seq uint64) int {
		if n.Seq < seq {
			return -1
		}
		return int(min(n.Seq-seq, 1))
	})
	switch {
	case !came:
		last.Seen = slices.Insert(last.Seen, i, Seen{Seq: b.Seq, Hash: hash})
		return refuse(Reorder, "number %d comes after %d", b.Seq, last.Seq)
	case last.Seen[i].Hash != hash:
		return refuse(Splice, "number %d was given to another statement", b.Seq)
	default:
		return refuse(Replay, "number %d came before", b.Seq)
	}
}

// note flags what is odd about a statement that is taken.
func (v *Verifier) note(s *Statement, out *Verdict) {
	if v.joins {
		return
	}
	b, last := &s.Body, &v.state
	out.Missing = b.Seq - last.Seq - 1
	if b.Unsure > 0 {
		out.Flags = append(out.Flags, Restart)
	}
	if out.Missing > b.Unsure {
		out.Flags = append(out.Flags, Drop)
	}
	if b.Time < last.Time {
		out.Flags = append(out.Flags, TimeBack)
	}
	if b.Height < last.Height {
		out.Flags = append(out.Flags, HeightBack)
	}
}

// take makes a statement the last one.
func (v *Verifier) take(s *Statement) {
	b, hash := &s.Body, s.Hash()
	if v.state.From == 0 {
		v.state.From = b.Seq
		if !v.joins {
			v.state.From = 1
		}
	}
	v.joins = false
	// What is later than all before must be later still: a clock that was set
	// back is told once for each statement until it has caught up.
	v.state.Seq, v.state.Hash = b.Seq, hash[:]
	v.state.Time, v.state.Height = max(v.state.Time, b.Time), max(v.state.Height, b.Height)
	v.state.Seen = append(v.state.Seen, Seen{Seq: b.Seq, Hash: hash})
	floor := v.state.floor()
	v.state.Seen = slices.DeleteFunc(v.state.Seen, func(n Seen) bool { return n.Seq < floor })
}

func refused(s *Statement, err error) Verdict {
	e := err.(*Error)
	return Verdict{Statement: s, Flags: []Flag{e.Flag}, Detail: e.Detail}
}
