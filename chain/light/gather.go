package light

import (
	"bytes"
	"context"
	"sync"
	"time"

	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/state"
)

// Gathering says what evidence is for. All but Now, Caps
// and Vouch are needed.
type Gathering struct {
	Genesis *genesis.Doc
	Source  Source // asked for headers and proofs
	// From is the head of the client that the evidence is for, as it says itself;
	// height 0: it stands at the genesis document.
	From Head
	// Read reads all records that the client will want to see.
	Read func(state.View) error
	Now  func() time.Time // nil: time.Now
	Caps Caps             // zero: CommandCaps
	// Vouch, if not nil, gives an owner's word for the header To, which the owner
	// must have verified itself: the client's trusting period is over, and a node
	// could show any header.
	Vouch func(Head) ([]byte, error)
	To    Head
}

// Gather collects evidence: the headers by which a client at From can verify the
// newest one, and proofs of all that Read reads. Where not everything has room,
// the evidence leads only a part of the way, without proofs, and the next leads
// on. The result says nothing about what the nodes said; whoever it is presented
// to verifies it.
func Gather(ctx context.Context, g Gathering) (*Evidence, error) {
	if g.Caps == (Caps{}) {
		g.Caps = CommandCaps
	}
	rec := &recorder{Source: g.Source, proofs: make(map[string]KeyProof)}
	c, err := g.follower(ctx, rec)
	if err != nil {
		return nil, err
	}
	e := new(Evidence)
	if err := g.lead(ctx, c, e); err != nil {
		return nil, err
	}
	room := g.Caps.Bytes - evidenceRoom
	for i, raw := range rec.steps {
		if len(raw) > room || i == g.Caps.Steps {
			if i == 0 {
				return nil, refuse(BadEvidence, "a header of %d bytes has no room", len(raw))
			}
			return e, nil
		}
		room -= len(raw) + itemRoom
		e.Blocks = append(e.Blocks, raw)
	}
	if err := g.Read(c.View(ctx)); err != nil {
		return nil, err
	}
	return e, e.prove(rec, room, g.Caps.Proofs)
}

// follower is a client that stands where the one stands that the evidence is
// for. It takes headers of any age: how old they may be is the other's to judge.
func (g *Gathering) follower(ctx context.Context, rec *recorder) (*Client, error) {
	const ever = 100 * 365 * 24 * time.Hour
	c, err := New(Config{Genesis: g.Genesis, Source: rec, Store: rec, Now: g.Now, Period: ever, Cached: g.Caps.Proofs})
	if err != nil || g.From.Height == 0 {
		return c, err
	}
	b, err := c.fetch(ctx, g.From.Height)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(b.Hash[:], g.From.Hash) {
		return nil, refuse(Fork, "the node knows height %d by another hash", g.From.Height)
	}
	c.head = b
	return c, nil
}

// lead takes the follower to the newest header by verification, or to the one
// that the owner has verified in one step on its word.
func (g *Gathering) lead(ctx context.Context, c *Client, e *Evidence) error {
	if g.Vouch == nil {
		_, err := c.Update(ctx)
		return err
	}
	b, err := c.fetch(ctx, g.To.Height)
	if err != nil {
		return err
	}
	if !bytes.Equal(b.Hash[:], g.To.Hash) {
		return refuse(Fork, "the node knows height %d by another hash than the one that is vouched for", g.To.Height)
	}
	if e.Vouch, err = g.Vouch(b.Head()); err != nil {
		return err
	}
	return c.advance(b)
}

// prove adds the recorded proofs. With headers, proofs that have no room can
// come next time.
func (e *Evidence) prove(rec *recorder, room, most int) error {
	size := 0
	for _, key := range rec.order {
		size += len(key) + len(rec.proofs[key].Proof) + itemRoom
	}
	if size > room || len(rec.order) > most {
		if len(e.Blocks) == 0 {
			return refuse(BadEvidence, "%d proofs of %d bytes have no room", len(rec.order), size)
		}
		return nil
	}
	for _, key := range rec.order {
		e.Proofs = append(e.Proofs, rec.proofs[key])
	}
	return nil
}

// recorder notes the steps of a client and the proofs that it is given.
type recorder struct {
	Source
	steps [][]byte

	mu     sync.Mutex
	order  []string
	proofs map[string]KeyProof
}

// Load has nothing: the client starts where it is told to.
func (r *recorder) Load() ([]byte, error) { return nil, nil }

// Save notes a step.
func (r *recorder) Save(raw []byte) error {
	r.steps = append(r.steps, raw)
	return nil
}

// Prove notes the proof that is given last for each key: it is the one that was
// believed.
func (r *recorder) Prove(ctx context.Context, key []byte, height int64) (Proof, error) {
	p, err := r.Source.Prove(ctx, key, height)
	if err != nil {
		return p, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.proofs[string(key)]; !ok {
		r.order = append(r.order, string(key))
	}
	r.proofs[string(key)] = KeyProof{Key: p.Key, Proof: p.Proof}
	return p, nil
}

// Doubt passes on that a proof was a lie.
func (r *recorder) Doubt() int {
	if d, ok := r.Source.(Doubter); ok {
		return d.Doubt()
	}
	return 0
}
