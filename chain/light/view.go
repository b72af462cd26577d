package light

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/hybridos-net/hybridos/chain/proof"
	"github.com/hybridos-net/hybridos/chain/state"
)

// View is the ledger's state under one verified header. It serves one
// operation and carries that operation's context; make a new one for the next.
type View struct {
	c    *Client
	ctx  context.Context
	head *Block
}

var _ state.View = (*View)(nil)

// View gives the state under the present head. Every Get is proven; without a
// head every Get fails.
func (c *Client) View(ctx context.Context) *View {
	c.mu.Lock()
	defer c.mu.Unlock()
	return &View{c: c, ctx: ctx, head: c.head}
}

// Head is the header under which the view answers.
func (v *View) Head() Head {
	if v.head == nil {
		return Head{}
	}
	return v.head.Head()
}

// Get returns the proven value of a record, or nil where its absence is
// proven.
func (v *View) Get(key []byte) ([]byte, error) {
	if v.head == nil {
		return nil, refuse(NoHead, "no header has been verified yet")
	}
	if value, ok := v.c.cached(v.head, key); ok {
		return value, nil
	}
	value, err := v.prove(key)
	for others := v.c.doubt(err); err != nil && others > 0; others-- {
		if value, err = v.prove(key); err != nil {
			v.c.doubt(err)
		}
	}
	if err != nil {
		return nil, err
	}
	v.c.cache(v.head, key, value)
	return value, nil
}

// doubt tells the source that it was lied to, and gives how many other nodes
// can be asked.
func (c *Client) doubt(err error) int {
	if d, ok := c.cfg.Source.(Doubter); ok && errors.Is(err, BadProof) {
		return d.Doubt()
	}
	return 0
}

// prove asks once and verifies.
func (v *View) prove(key []byte) ([]byte, error) {
	version := v.head.Header.Height - 1
	p, err := v.c.cfg.Source.Prove(v.ctx, key, version)
	if err != nil {
		return nil, fmt.Errorf("fetch proof: %w", err)
	}
	if p.Height != version || !bytes.Equal(p.Key, key) {
		return nil, refuse(BadProof, "asked for version %d of %x, got version %d of %x", version, key, p.Height, p.Key)
	}
	if len(p.Value) == 0 {
		p.Value = nil
		err = proof.VerifyAbsent(v.head.Header.AppHash, key, p.Proof)
	} else {
		err = proof.Verify(v.head.Header.AppHash, key, p.Value, p.Proof)
	}
	if err != nil {
		return nil, refuse(BadProof, "record %x: %v", key, err)
	}
	return p.Value, nil
}

// cached finds a value that has been proven under the same head.
func (c *Client) cached(head *Block, key []byte) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.head != head {
		return nil, false
	}
	v, ok := c.proofs[string(key)]
	return v, ok
}

func (c *Client) cache(head *Block, key, value []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	size := len(key) + len(value)
	if c.head != head || len(c.proofs) >= c.cfg.Cached || c.held+size > c.cfg.Cached*maxAverage {
		return
	}
	if c.proofs == nil {
		c.proofs = make(map[string][]byte)
	}
	c.proofs[string(key)] = value
	c.held += size
}
